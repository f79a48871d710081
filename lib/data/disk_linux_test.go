package data

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A disk that takes no more: the error says so, and nothing is left that fills it further.
func TestFullDevice(t *testing.T) {
	o := serve(t, good)
	if err := os.MkdirAll(filepath.Join(o.Cache, "set"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(o.Cache, "set", "file.bin.part")); err != nil {
		t.Skip(err)
	}
	fails(t, o, "no space left on device")
	if got := left(t, o); len(got) > 0 {
		t.Errorf("%v is left, want nothing", got)
	}
	if content, err := wanted().find(t.Context(), o); err != nil || !bytes.Equal(content, wares) {
		t.Errorf("with room again: %d bytes and %v", len(content), err)
	}
}

func TestFullDisk(t *testing.T) {
	o := serve(t, good)
	if err := syscall.Mount("hindsight-test", o.Cache, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(o.Cache, 0); err != nil {
			t.Error(err)
		}
	})
	fails(t, o, "no space left on device")
	if got := left(t, o); len(got) > 0 {
		t.Errorf("%v is left, want nothing", got)
	}
	if err := syscall.Mount("hindsight-test", o.Cache, "tmpfs", syscall.MS_REMOUNT, "size=1m"); err != nil {
		t.Skipf("the disk cannot be made larger here: %v", err)
	}
	if content, err := wanted().find(t.Context(), o); err != nil || !bytes.Equal(content, wares) {
		t.Errorf("with room again: %d bytes and %v", len(content), err)
	}
}
