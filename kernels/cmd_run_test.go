package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

// playedCheckout is a checkout with notebooks a, b and c, and a Python that plays
// the worker: b waits until it is stopped, unless the file 'go-on' exists.
func playedCheckout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
	}
	write("go.mod", "module "+repo.Module+"\n", 0o644)
	for _, name := range []string{"a", "b", "c"} {
		write("notebooks/"+name+".ipynb", `{"nbformat":4,"nbformat_minor":4,"metadata":{"kernelspec":{"name":"go-test","language":"go"}},"cells":[
			{"cell_type":"code","metadata":{"tags":["parameters"]},"source":"var n = 1","outputs":[],"execution_count":null}]}`, 0o644)
	}
	write("venv/bin/python", `#!/bin/sh
read -r job
echo '{"event":"prepared","cells":1}'
case "$job" in
*/b.ipynb*) [ -e go-on ] || { touch waiting; cat > /dev/null; echo '{"event":"end","status":"cancelled"}'; exit; };;
*/c.ipynb*) [ ! -e fail ] || { echo '{"event":"end","status":"cell","message":"exit status 1"}'; exit; };;
esac
echo '{"event":"outputs","index":0,"count":1,"outputs":[]}'
echo '{"event":"end","status":"ok"}'
`, 0o755)
	return dir
}

// The program as a user meets it: Ctrl-C, exit status, what it says.
func TestRunCommand(t *testing.T) {
	program := filepath.Join(t.TempDir(), "kernels")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	dir := playedCheckout(t)
	command := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.Command(program, append([]string{"run"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), repo.PrefixVar+"="+filepath.Join(dir, "venv"))
		said := &bytes.Buffer{}
		cmd.Stdout, cmd.Stderr = said, said
		return cmd, said
	}
	status := func(want int, args ...string) string {
		t.Helper()
		cmd, said := command(args...)
		_ = cmd.Run() // its status is asked for below
		require.Equal(t, want, cmd.ProcessState.ExitCode(), "%s", said)
		return said.String()
	}

	cmd, said := command("-p", "n=2")
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "waiting")); return err == nil }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	_ = cmd.Wait()
	require.Equal(t, 130, cmd.ProcessState.ExitCode(), "%s", said)
	for _, want := range []string{"✓ a: 1 of 1 cells", "! b: interrupted", "1 passed, 2 interrupted", "go run ./kernels run --resume"} {
		require.Contains(t, said.String(), want)
	}

	require.NoError(t, os.WriteFile(filepath.Join(dir, "go-on"), nil, 0o644))
	text := status(0, "--resume")
	require.Contains(t, text, "3 passed (1 unchanged")
	require.Contains(t, text, fmt.Sprintf("gallery %s", filepath.Join("out", "run", "index.html")))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "fail"), nil, 0o644))
	require.Contains(t, status(1, "c", "--out", "elsewhere"), "0 passed, 1 failed")
	require.FileExists(t, filepath.Join(dir, "elsewhere", "junit.xml"))

	for args, want := range map[string]string{
		"--resume a":      "name none",
		"--resume --all":  "--all does not go with it",
		"--all a":         "not both",
		"-p m=1 a":        "unknown parameter m; known are: n int",
		"--scale big":     "must be quick or paper",
		"nowhere":         "notebook nowhere does not exist; there are: a, b, c",
		"--timeout month": "invalid argument",
	} {
		require.Contains(t, status(1, strings.Fields(args)...), want, args)
	}
}

func TestTextconvCommand(t *testing.T) {
	var said bytes.Buffer
	run := func(path string) error {
		said.Reset()
		cmd := newTextconvCmd()
		cmd.SetArgs([]string{path})
		cmd.SetOut(&said)
		return cmd.Execute()
	}
	require.NoError(t, run(filepath.Join("notebook", "testdata", "sample.ipynb")))
	require.Contains(t, said.String(), "%% code [parameters]\nvar scale")

	conflict := filepath.Join(t.TempDir(), "x.ipynb")
	require.NoError(t, os.WriteFile(conflict, []byte("<<<<<<< ours\n"), 0o644))
	require.NoError(t, run(conflict))
	require.Equal(t, "<<<<<<< ours\n", said.String())
}
