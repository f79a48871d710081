package atomicfile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func ExampleWrite() {
	folder, _ := os.MkdirTemp("", "atomicfile")
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "new", "note.txt")
	fmt.Println(Write(path, []byte("all or nothing")))
	content, _ := os.ReadFile(path)
	fmt.Printf("%s\n", content)
	// Output:
	// <nil>
	// all or nothing
}

func TestFailingWriterLeavesTheOldFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.json")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	err := WriteFunc(path, func(w io.Writer) error {
		if _, err := w.Write([]byte("half of the ne")); err != nil {
			return err
		}
		return fmt.Errorf("write: %w", syscall.ENOSPC)
	})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "no space left on the disk of "+folder)
	requireOnly(t, folder, "report.json", "old")
}

func TestKeepsModeAndLinks(t *testing.T) {
	folder := t.TempDir()
	path, link := filepath.Join(folder, "secret"), filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	require.NoError(t, os.Symlink(path, link))
	require.NoError(t, Write(link, []byte("new")))
	requireOnly(t, folder, "secret", "new")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	info, err = os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink, "the link was replaced by a file")
}

func TestUnwritable(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "file"), nil, 0o644))
	require.Error(t, Write(filepath.Join(folder, "file", "below"), nil), "a file where a folder must be")
}

// A real full disk, where the system lets us mount a small one.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no small file system to fill: mounting one needs root (%v)", err)
	}
	defer func() { _ = syscall.Unmount(folder, 0) }()
	path := filepath.Join(folder, "gallery.html")
	require.NoError(t, Write(path, []byte("old")))
	err := Write(path, []byte(strings.Repeat("new", 1<<16)))
	require.ErrorIs(t, err, syscall.ENOSPC)
	requireOnly(t, folder, "gallery.html", "old")
}

func requireOnly(t *testing.T, folder, name, content string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 1, "a temporary file was left behind")
	require.Equal(t, name, entries[0].Name())
	got, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	require.Equal(t, content, string(got))
}
