package repo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

// checkout makes a folder that looks like a checkout.
func checkout(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+repo.Module+"\n"), 0o644))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "lib", "optim"), 0o755))
	return dir
}

func TestFindFromBelow(t *testing.T) {
	t.Setenv(repo.PrefixVar, "")
	dir := checkout(t)
	t.Chdir(filepath.Join(dir, "lib", "optim"))
	root, err := repo.Find()
	require.NoError(t, err)
	assert.Equal(t, dir, root.Dir())
	assert.Equal(t, filepath.Join(dir, ".venv", "bin", "python"), root.Python())
}

func TestFindOutside(t *testing.T) {
	t.Chdir(t.TempDir()) // the test binary lies outside of the checkout too
	_, err := repo.Find()
	assert.ErrorContains(t, err, "run this command from inside one")
}

func TestPrefix(t *testing.T) {
	dir := checkout(t)
	t.Setenv(repo.PrefixVar, "/opt/hindsight")
	root, err := repo.At(dir)
	require.NoError(t, err)
	assert.Equal(t, "/opt/hindsight/lib/pjrt", root.PluginDir())
	assert.Equal(t, filepath.Join(dir, "env"), root.WithPrefix("env").Venv())
	_, err = repo.At(t.TempDir())
	assert.ErrorContains(t, err, "is not the root of")
}

func Example() {
	root, err := repo.Find()
	if err != nil {
		fmt.Println(err)
		return
	}
	rel, _ := filepath.Rel(root.Dir(), root.Notebooks())
	fmt.Println(rel)
	// Output: notebooks
}
