package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

// A port that cannot be had is told before anything is set up.
func TestLabPortBeforeSetup(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = busy.Close() }()
	prefix := filepath.Join(t.TempDir(), "env")
	for port, want := range map[string]string{
		strconv.Itoa(busy.Addr().(*net.TCPAddr).Port): "is taken by another program.\nChoose another one with --port",
		"80000": "Port 80000 does not exist.",
	} {
		var log bytes.Buffer
		cmd := newRootCmd()
		cmd.SetOut(&log)
		cmd.SetErr(&log)
		assert.Equal(t, 1, execute(t.Context(), cmd, []string{"lab", "--no-browser", "--port", port, "--prefix", prefix}))
		assert.Contains(t, log.String(), want)
	}
	assert.NoDirExists(t, prefix)
}

// An environment that was made by somebody else, as in an image that runs under
// another user, is used as it is.
func TestLabInAForeignEnvironment(t *testing.T) {
	prefix := t.TempDir()
	root, err := repo.Find()
	require.NoError(t, err)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", prefix).CombinedOutput(); err != nil {
		t.Skipf("only root can make a disk that cannot be written: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", prefix).Run() })
	run := func(args ...string) (status int, out, log string) {
		var o, l bytes.Buffer
		cmd := newRootCmd()
		cmd.SetOut(&o)
		cmd.SetErr(&l)
		status = execute(t.Context(), cmd, append(args, "--prefix", prefix))
		return status, o.String(), l.String()
	}
	require.NoError(t, os.WriteFile(prefix+"/pyvenv.cfg", nil, 0o644))
	require.NoError(t, os.MkdirAll(prefix+"/share/hindsight", 0o755))
	require.NoError(t, kernelspec.Pure(root.WithPrefix(prefix), "").Install(root.WithPrefix(prefix)))
	require.NoError(t, exec.Command("mount", "-o", "remount,ro", prefix).Run())

	status, out, log := run("lab", "--kernel", "go-fast")
	assert.Equal(t, 1, status)
	assert.Contains(t, out, "cannot be written, so it is used as it is")
	assert.Contains(t, log, "There is no kernel \"go-fast\" here", "the lab went on")

	status, _, log = run("setup")
	assert.Equal(t, 1, status)
	assert.Contains(t, log, "cannot be written.\nChoose another folder with --prefix", "setup itself is told to write there")
}
