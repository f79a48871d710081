package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

func TestGitDiff(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+repo.Module+"\n"), 0o644))
	root, err := repo.At(dir)
	require.NoError(t, err)
	s := &session{Options: Options{Root: root}}
	step := func() outcome {
		t.Helper()
		out, err := s.gitDiff(t.Context(), nil)
		require.NoError(t, err)
		return out
	}
	require.Zero(t, step(), "no checkout of git, nothing to say")

	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	require.True(t, step().done)
	require.Equal(t, textconv, git("config", "diff.ipynb.textconv"))
	require.False(t, step().done, "once is enough")

	git("config", "diff.ipynb.textconv", "mine")
	require.Equal(t, "mine", step().text, "somebody's own choice stays")
}
