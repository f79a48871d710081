package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

// Only what the checkout itself brought is trusted: a notebook that was changed or put there later is not.
func TestCommitted(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "notebooks"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("go.mod", "module "+repo.Module+"\n")
	write("notebooks/00-start.ipynb", "{}")
	write("notebooks/02-diffgrad.ipynb", "{}")
	root, err := repo.At(dir)
	require.NoError(t, err)
	names := func() (out []string) {
		for _, path := range committed(t.Context(), root) {
			out = append(out, filepath.Base(path))
		}
		return out
	}
	require.Equal(t, []string{"00-start.ipynb", "02-diffgrad.ipynb"}, names(), "an archive without git")

	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git here")
	}
	git := func(args ...string) {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	git("init", "-q")
	require.Empty(t, names(), "nothing is committed yet")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	write("notebooks/02-diffgrad.ipynb", `{"changed": true}`)
	write("notebooks/66-found.ipynb", "{}")
	require.Equal(t, []string{"00-start.ipynb"}, names())
}

// The interpreter's word on a failure is passed on.
func TestTrustFails(t *testing.T) {
	root := played(t, "broken server")
	require.NoError(t, os.MkdirAll(root.Notebooks(), 0o755))
	require.Empty(t, trust(t.Context(), root, nil), "without notebooks there is nothing to do")
	require.NoError(t, os.WriteFile(filepath.Join(root.Notebooks(), "00-start.ipynb"), []byte("{}"), 0o644))
	require.Contains(t, trust(t.Context(), root, nil), "jupyter trust failed: exit status 3 ImportError")
}
