package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

// Without a browser, and without the right to install one, the reason is said. With one it is found on the PATH.
func TestFind(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	if _, ok := look(); ok {
		t.Skip("this machine has a browser outside of the PATH")
	}
	_, err := find(t.Context(), func(string) {})
	require.ErrorIs(t, err, ErrNone)

	fail := filepath.Join(empty, "apt-get")
	require.NoError(t, os.WriteFile(fail, []byte("#!/bin/sh\necho E: no network\nexit 100\n"), 0o755))
	_, err = find(t.Context(), func(string) {})
	require.ErrorIs(t, err, ErrNone)
	if os.Geteuid() == 0 {
		require.ErrorContains(t, err, "E: no network")
	} else {
		require.ErrorContains(t, err, "sudo apt-get install chromium")
	}

	program := filepath.Join(empty, "chromium")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755))
	path, err := find(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, program, path)
}

// A fresh machine has no list of packages yet.
func TestInstall(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root installs packages")
	}
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	if _, ok := look(); ok {
		t.Skip("this machine has a browser outside of the PATH")
	}
	program, lists := filepath.Join(empty, "chromium"), filepath.Join(empty, "lists")
	apt := "#!/bin/sh\ncase $1 in update) echo > " + lists + ";; *) [ -e " + lists + " ] || exit 100; echo '#!/bin/sh' > " + program + "; /bin/chmod 755 " + program + ";; esac\n"
	require.NoError(t, os.WriteFile(filepath.Join(empty, "apt-get"), []byte(apt), 0o755))
	var notes []string
	path, err := find(t.Context(), func(text string) { notes = append(notes, text) })
	require.NoError(t, err)
	require.Equal(t, program, path)
	require.Equal(t, []string{"installing chromium"}, notes)
}

func TestCopyNotebook(t *testing.T) {
	root, err := repo.Find()
	require.NoError(t, err)
	out := root.Join("out", "browser-test")
	t.Cleanup(func() { _ = os.RemoveAll(out) })
	below, err := Options{Root: root, Notebook: "notebooks/00-start.ipynb", Out: out}.copyNotebook()
	require.NoError(t, err)
	require.Equal(t, filepath.Join("out", "browser-test", "00-start.ipynb"), below)
	raw, err := os.ReadFile(root.Join(below))
	require.NoError(t, err)
	require.NotContains(t, string(raw), "image/svg+xml", "what is tested is made in the browser")

	t.Chdir(root.Dir())
	below, err = Options{Root: root, Notebook: "notebooks/00-start.ipynb", Out: "out/browser-test"}.copyNotebook()
	require.NoError(t, err, "--out is relative to where the user is")
	require.Equal(t, filepath.Join("out", "browser-test", "00-start.ipynb"), below)

	elsewhere := filepath.Join(t.TempDir(), "new")
	below, err = Options{Root: root, Notebook: "notebooks/00-start.ipynb", Out: elsewhere}.copyNotebook()
	require.NoError(t, err)
	require.Equal(t, filepath.Join("out", "browser", "00-start.ipynb"), below, "JupyterLab shows nothing outside of the root")
	require.FileExists(t, root.Join(below))
	require.DirExists(t, elsewhere, "for the pictures")

	_, err = Options{Root: root, Notebook: "notebooks/none.ipynb", Out: out}.copyNotebook()
	require.ErrorContains(t, err, "none.ipynb")
}

func TestScript(t *testing.T) {
	require.Equal(t, `"a\n\u003cb\u003e\"c\""`, script("a\n<b>\"c\""))
}
