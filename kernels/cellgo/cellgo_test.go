package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
)

const ours = `module github.com/hindsight-go/hindsight

go 1.26.0

require (
	example.com/a v1.2.0
	example.com/b v0.3.0 // indirect
)

replace example.com/b => ./b

tool example.com/a/cmd
`

// newRepository is a repository with the go.mod above.
func newRepository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), ours)
	write(t, filepath.Join(root, "go.sum"), "example.com/a v1.2.0 h1:x\nexample.com/b v0.3.0 h1:y\n")
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// oneLineReplace is how GoNB looks for folders to watch (v0.11.4).
var oneLineReplace = regexp.MustCompile(`(?m)^\s*replace\s+.*?=>\s+(.*)$`)

func TestInitModule(t *testing.T) {
	root, dir := newRepository(t), t.TempDir()
	require.NoError(t, initModule(dir, root, "gonb_1234"))
	text := read(t, filepath.Join(dir, "go.mod"))
	cell, err := modfile.Parse("go.mod", []byte(text), nil)
	require.NoError(t, err)
	assert.Equal(t, "gonb_1234", cell.Module.Mod.Path)
	assert.Equal(t, "1.26.0", cell.Go.Version)
	assert.Empty(t, cell.Tool, "cells need no tools")
	versions, replaced := map[string]string{}, map[string]string{}
	for _, r := range cell.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	for _, r := range cell.Replace {
		replaced[r.Old.Path] = r.New.Path
	}
	assert.Equal(t, map[string]string{"example.com/a": "v1.2.0", "example.com/b": "v0.3.0", "github.com/hindsight-go/hindsight": "v0.0.0"}, versions)
	assert.Equal(t, map[string]string{"example.com/b": filepath.Join(root, "b"), "github.com/hindsight-go/hindsight": root}, replaced)
	assert.Equal(t, read(t, filepath.Join(root, "go.sum")), read(t, filepath.Join(dir, "go.sum")))
	for _, match := range oneLineReplace.FindAllStringSubmatch(text, -1) {
		assert.NotEqual(t, root, match[1], "GoNB would watch the whole checkout")
	}

	// The go command writes go.mod again; GoNB must not see our line then either.
	cell.Cleanup()
	again, err := cell.Format()
	require.NoError(t, err)
	assert.Equal(t, text, string(again))
}

func TestInitModuleWithoutRepository(t *testing.T) {
	err := initModule(t.TempDir(), "/nowhere", "gonb_1")
	assert.ErrorContains(t, err, "the repository is not at /nowhere any more")
	assert.ErrorContains(t, err, "run its setup again")
}

func TestUpdate(t *testing.T) {
	root, dir := newRepository(t), t.TempDir()
	require.NoError(t, update(dir, root), "no module yet")
	require.NoError(t, initModule(dir, root, "gonb_1"))
	mod := filepath.Join(dir, "go.mod")

	// The notebook gets a module of its own and a newer a.
	cell, err := modfile.Parse("go.mod", []byte(read(t, mod)), nil)
	require.NoError(t, err)
	require.NoError(t, cell.AddRequire("example.com/mine", "v1.0.0"))
	require.NoError(t, cell.AddRequire("example.com/a", "v1.9.0"))
	text, err := cell.Format()
	require.NoError(t, err)
	write(t, mod, string(text))
	require.NoError(t, update(dir, root))
	assert.Equal(t, string(text), read(t, mod), "nothing changed in the repository")

	// Then the repository needs a newer b, and c.
	write(t, filepath.Join(root, "go.mod"), strings.ReplaceAll(ours, "example.com/b v0.3.0", "example.com/b v0.4.0\n\texample.com/c v1.0.0"))
	write(t, filepath.Join(root, "go.sum"), "example.com/c v1.0.0 h1:z\n")
	later := time.Now().Add(time.Second)
	require.NoError(t, os.Chtimes(filepath.Join(root, "go.mod"), later, later))
	require.NoError(t, update(dir, root))
	got := read(t, mod)
	for _, want := range []string{"example.com/mine v1.0.0", "example.com/a v1.9.0", "example.com/b v0.4.0", "example.com/c v1.0.0"} {
		assert.Contains(t, got, want)
	}
	assert.Equal(t, "example.com/a v1.2.0 h1:x\nexample.com/b v0.3.0 h1:y\nexample.com/c v1.0.0 h1:z\n", read(t, filepath.Join(dir, "go.sum")))
}

// reply is what the played go command answers.
type reply struct {
	output string
	status int
}

// play runs a build whose go command answers with the replies in their order, and
// returns the commands it got.
func play(t *testing.T, args []string, replies ...reply) (commands []string, out string, status int) {
	t.Helper()
	var said bytes.Buffer
	b := build{real: "go", out: &said, run: func(_, _ string, args ...string) ([]byte, int) {
		commands = append(commands, strings.Join(args, " "))
		require.NotEmpty(t, replies, "one command too many: %v", args)
		r := replies[0]
		replies = replies[1:]
		return []byte(r.output), r.status
	}}
	status = b.do(args)
	assert.Empty(t, replies, "commands that did not come")
	return commands, said.String(), status
}

func TestBuild(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the flags of Linux")
	}
	t.Setenv("CGO_ENABLED", "1")
	const quick, slow = "build -ldflags=-s -w -linkmode=internal -o cell", "build -ldflags=-s -w -o cell"
	cell := []string{"build", "-o", "cell"}
	missing := "main.go:3:2: no required module provides package example.com/new/pkg; to add it:\n\tgo get example.com/new/pkg\n"
	for _, c := range []struct {
		name     string
		args     []string
		replies  []reply
		commands []string
		out      string
		status   int
	}{
		{"works", cell, []reply{{"", 0}}, []string{quick}, "", 0},
		{"the notebook's flags come last", []string{"build", "-o", "cell", "-ldflags=-X a=b"}, []reply{{"", 0}}, []string{quick + " -ldflags=-X a=b"}, "", 0},
		{"test cell", []string{"test", "-c", "-o", "cell"}, []reply{{"", 0}}, []string{"test -ldflags=-s -w -linkmode=internal -c -o cell"}, "", 0},
		{"mistake in the cell", cell, []reply{{"main.go:7:2: undefined: y\n", 1}}, []string{quick}, "main.go:7:2: undefined: y\n", 1},
		{"C code that Go's linker refuses", cell, []reply{{"link: x(.text): relocation target y not defined\n", 1}, {"", 0}}, []string{quick, slow}, "", 0},
		{"missing package", cell, []reply{{missing, 1}, {"go: added example.com/new v1.0.0\n", 0}, {"", 0}}, []string{quick, "get example.com/new/pkg", quick}, "", 0},
		{"two missing packages, one twice", cell, []reply{{missing + missing + strings.ReplaceAll(missing, "new", "old"), 1}, {"", 0}, {"", 0}},
			[]string{quick, "get example.com/new/pkg example.com/old/pkg", quick}, "", 0},
		{"our own package, misspelt", cell, []reply{{strings.ReplaceAll(missing, "example.com/new/pkg", "github.com/hindsight-go/hindsight/lib/optmi"), 1}},
			[]string{quick}, strings.ReplaceAll(missing, "example.com/new/pkg", "github.com/hindsight-go/hindsight/lib/optmi"), 1},
		{"only indirectly known", cell, []reply{{"go: updates to go.mod needed; to update it:\n\tgo mod tidy\n", 1}, {"", 0}, {"", 0}}, []string{quick, "get", quick}, "", 0},
		{"only indirectly known, in a test", []string{"test", "-c", "-o", "cell"}, []reply{{"go: updates to go.mod needed\n", 1}, {"", 0}, {"", 0}},
			[]string{"test -ldflags=-s -w -linkmode=internal -c -o cell", "get -t", "test -ldflags=-s -w -linkmode=internal -c -o cell"}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			commands, out, status := play(t, c.args, c.replies...)
			assert.Equal(t, c.commands, commands)
			assert.Equal(t, c.out, out)
			assert.Equal(t, c.status, status)
		})
	}

	commands, out, status := play(t, cell, reply{missing, 1}, reply{"go: dial tcp: no such host\n", 1})
	assert.Len(t, commands, 2)
	assert.Equal(t, 1, status)
	assert.True(t, strings.HasPrefix(out, missing+"go: dial tcp: no such host\n"), "GoNB maps the line of main.go to the cell's: %s", out)
	assert.Contains(t, out, "Offline, cells may import lib and every module of the repository's go.mod.")

	t.Setenv("CGO_ENABLED", "0")
	commands, _, _ = play(t, cell, reply{"", 0})
	assert.Equal(t, []string{slow}, commands, "without C code Go's linker is the default")
}

// TestAsGoCommand runs the program in a folder of cells and elsewhere, before a go
// command that prints its arguments.
func TestAsGoCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a program")
	}
	bin, real := t.TempDir(), t.TempDir()
	cellgo := filepath.Join(bin, "go")
	out, err := exec.Command("go", "build", "-o", cellgo, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	write(t, filepath.Join(real, "go"), "#!/bin/sh\necho real go: \"$@\"\n")
	require.NoError(t, os.Chmod(filepath.Join(real, "go"), 0o755))
	root, cells, elsewhere := newRepository(t), t.TempDir(), t.TempDir()

	run := func(path, dir string, args ...string) (string, error) {
		cmd := exec.Command(cellgo, args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + path, "GONB_TMP_DIR=" + cells, "HINDSIGHT_ROOT=" + root}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	both := bin + string(os.PathListSeparator) + real
	for _, args := range [][]string{{"version"}, {"get", "example.com/x"}, {"mod", "tidy"}, {"build", "./..."}} {
		out, err := run(both, cells, args...)
		require.NoError(t, err)
		assert.Equal(t, "real go: "+strings.Join(args, " ")+"\n", out)
	}
	out2, err := run(both, elsewhere, "get")
	require.NoError(t, err)
	assert.Equal(t, "real go: get\n", out2, "outside of the cells it is the go command")
	out2, err = run(both, cells, "mod", "init", "gonb_7")
	require.NoError(t, err)
	assert.Empty(t, out2)
	assert.Contains(t, read(t, filepath.Join(cells, "go.mod")), "module gonb_7\n")
	out2, err = run(both, cells, "get")
	require.NoError(t, err)
	assert.Empty(t, out2, "the real go get does not run")

	out2, err = run(bin, cells, "version")
	assert.Error(t, err)
	assert.Contains(t, out2, "cellgo: no go command in PATH")
}
