package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

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

	status, out, log := run("lab", "--port", "80000")
	assert.Equal(t, 1, status)
	assert.Contains(t, out, "cannot be written, so it is used as it is")
	assert.Contains(t, log, "Port 80000 does not exist", "the lab went on")

	status, _, log = run("setup")
	assert.Equal(t, 1, status)
	assert.Contains(t, log, "cannot be written.\nChoose another folder with --prefix", "setup itself is told to write there")
}
