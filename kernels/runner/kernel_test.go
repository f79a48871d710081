package runner

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/report"
)

// realCheckout runs real kernels on notebooks of a folder of its own.
func realCheckout(t *testing.T) *checkout {
	t.Helper()
	if testing.Short() {
		t.Skip("runs kernels, which -short leaves out")
	}
	real, err := repo.Find()
	require.NoError(t, err)
	for _, path := range []string{real.Python(), filepath.Join(real.Kernels(), repo.KernelPure, "kernel.json")} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("needs what 'go run ./kernels setup' installs: %v", err)
		}
	}
	dir := t.TempDir()
	c := &checkout{T: t}
	c.file(filepath.Join(dir, "go.mod"), "module "+repo.Module+"\n")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "kernels"), 0o755))
	require.NoError(t, os.Symlink(real.Join("kernels", "python"), filepath.Join(dir, "kernels", "python")))
	t.Setenv(repo.PrefixVar, real.Venv())
	c.root, err = repo.At(dir)
	require.NoError(t, err)
	return c
}

// cells adds a notebook whose first cell declares the parameters.
func (c *checkout) cells(name string, sources ...string) {
	c.Helper()
	type m = map[string]any
	cells := []m{}
	for i, source := range sources {
		metadata := m{}
		if i == 0 {
			metadata["tags"] = []string{notebook.ParametersTag}
		}
		cells = append(cells, m{"cell_type": "code", "source": source, "metadata": metadata, "outputs": []any{}, "execution_count": nil})
	}
	raw, err := json.Marshal(m{"cells": cells, "nbformat": 4, "nbformat_minor": 4,
		"metadata": m{"kernelspec": m{"name": repo.KernelPure, "language": "go", "display_name": "Go"}}})
	require.NoError(c, err)
	c.file(filepath.Join(c.root.Notebooks(), name+".ipynb"), string(raw))
}

func (c *checkout) executed(name string) *notebook.Notebook {
	c.Helper()
	nb, err := notebook.Read(c.root.Join("out", "run", name+".ipynb"))
	require.NoError(c, err)
	return nb
}

// Whatever a string holds, a Go cell gets it as it was.
func TestParametersReachTheKernel(t *testing.T) {
	c := realCheckout(t)
	c.cells("p", `import "math"
var s = "default"
var seeds float64 = 1
var n int = 1
var big uint64
var deep = false
var lrs = []float64{1}
var singles = []float32{}
var grid map[string][]float64
var words = map[string]string{}
var names [][]string
var pair [2]int8
var untouched = math.Pi`,
		`import ("encoding/json"; "os")
%%
show := func(v any) { raw, err := json.Marshal(v); if err != nil { panic(err) }; fmt.Println(string(raw)) }
show(s); show(words); show(names)
fmt.Printf("%T %v %v %v %v %v %v %v %v %.2f\n", seeds, seeds, n, big, deep, lrs, singles, grid, pair, untouched)
fmt.Println("headless", os.Getenv("HINDSIGHT_HEADLESS"))`)
	text := "a\"b\\c\nd\r\te'`$x %d %%\n%env X=1\n!ls\n\x00\x1b[31m\u2028\u00a0é漢字😀\ufeff${HOME} \\n {{.}} */ //"
	file := c.root.Join("p.yaml")
	c.file(file, "words: {\"k\\n\\\"\": 'v\\'}\nnames: [[a, \"b\\\\\"], []]\nseeds: 7\n")
	r := c.mustRun(func(o *Options) {
		o.ParamFiles = []string{file}
		o.Params = []string{"s=" + text, "seeds=3", "n=-9007199254740993", "big=18446744073709551615", "deep=true",
			"lrs=[1, 0.1, 1e-300, .nan, -.inf]", "singles=[.inf, .nan, 0.1]", "grid={a b: [1e400, 2]}", "pair=[-128, 127]"}
		o.Params[7] = "grid={a b: [1e300, 2]}"
	})
	require.True(t, r.OK(), "%+v", r.Notebooks[0].Failure)
	output := c.executed("p").Cells[2].Outputs[0].Text
	lines := strings.Split(output, "\n")
	for i, want := range []any{text, map[string]string{"k\n\"": `v\`}, [][]string{{"a", `b\`}, {}}} {
		raw, err := json.Marshal(want)
		require.NoError(t, err)
		require.Equal(t, string(raw), lines[i])
	}
	require.Equal(t, "float64 3 -9007199254740993 18446744073709551615 true [1 0.1 1e-300 NaN -Inf] [+Inf NaN 0.1] map[a b:[1e+300 2]] [-128 127] "+
		strconv.FormatFloat(math.Pi, 'f', 2, 64), lines[3])
	require.Equal(t, "headless 1", lines[4])
	require.Equal(t, notebook.InjectedTag, c.executed("p").Cells[1].Tags[0])
}

func TestRealFaults(t *testing.T) {
	c := realCheckout(t)
	pids := c.root.Join("pids")
	note := `import ("os"; "syscall"; "time"; "fmt")
var _ = time.Now
var _ = syscall.Getpid
func note() { f, _ := os.OpenFile("` + pids + `", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); fmt.Fprintln(f, os.Getpid()); fmt.Fprintln(f, os.Getppid()); f.Close() }`
	c.cells("panics", note, "%%\nfmt.Println(\"before\")\nvar m map[string]int\nm[\"x\"] = 1", "%%\nfmt.Println(\"after\")")
	c.cells("no-compile", note, "%%\nvar x int = \"word\"\nfmt.Println(x)")
	c.cells("kernel-killed", note, "%%\nnote(); fmt.Println(\"before\"); os.Stdout.Sync(); time.Sleep(time.Second); syscall.Kill(os.Getppid(), syscall.SIGKILL); time.Sleep(time.Minute)")
	c.cells("program-killed", note, "%%\nnote(); syscall.Kill(os.Getpid(), syscall.SIGKILL)")
	c.cells("no-kernel", note)
	edit(t, filepath.Join(c.root.Notebooks(), "no-kernel.ipynb"), repo.KernelPure, "go-nowhere")
	r := c.mustRun(nil)
	require.False(t, r.OK())
	got := map[string]*report.Error{}
	for _, n := range r.Notebooks {
		require.NotNil(t, n.Failure, n.Name)
		got[n.Name] = n.Failure
	}
	require.Equal(t, report.CellFailed, got["panics"].Kind)
	require.Equal(t, 2, got["panics"].Cell)
	require.Contains(t, got["panics"].Message, "panic: assignment to entry in nil map")
	require.Equal(t, "before\n", c.executed("panics").Cells[1].Outputs[0].Text)
	require.Empty(t, c.executed("panics").Cells[2].Outputs, "cells behind a failing one must not run")

	require.Equal(t, report.CellFailed, got["no-compile"].Kind)
	require.Equal(t, `does not compile: Cell[2]: Line 2: cannot use "word" (untyped string constant) as int value in variable declaration`, got["no-compile"].Message)

	require.Equal(t, report.KernelDied, got["kernel-killed"].Kind)
	require.Equal(t, "the kernel died: signal 9 (killed)", got["kernel-killed"].Message)
	require.Equal(t, memoryCure, got["kernel-killed"].Cure)
	require.Equal(t, "before\n", c.executed("kernel-killed").Cells[1].Outputs[0].Text, "what was printed before is kept")

	require.Equal(t, report.KernelDied, got["program-killed"].Kind)
	require.Contains(t, got["program-killed"].Message, "signal: killed")

	require.Equal(t, report.NotStarted, got["no-kernel"].Kind)
	require.Equal(t, `kernel "go-nowhere" is not installed`, got["no-kernel"].Message)
	requireGone(t, pids)
}

func TestRealTimeout(t *testing.T) {
	c := realCheckout(t)
	c.cells("slow", "var x = 1", "import \"time\"\n%%\ntime.Sleep(time.Minute)")
	begun := time.Now()
	r := c.mustRun(func(o *Options) { o.CellTimeout = 5 * time.Second })
	require.Equal(t, report.TimedOut, r.Notebooks[0].Failure.Kind)
	require.Less(t, time.Since(begun), 45*time.Second)
}

func TestRealInterruptAndResume(t *testing.T) {
	c := realCheckout(t)
	pids, marker := c.root.Join("pids"), c.root.Join("marker")
	c.cells("a", "var x = 1", "%%\nfmt.Println(x)")
	c.cells("b", "var x = 1", `import ("os"; "time"; "fmt")
%%
if _, err := os.Stat("`+marker+`"); err == nil { fmt.Println("second try"); return }
os.WriteFile("`+pids+`", []byte(fmt.Sprintln(os.Getpid(), os.Getppid())), 0o644)
fmt.Println("first try"); time.Sleep(500*time.Millisecond)
os.WriteFile("`+marker+`", nil, 0o644)
time.Sleep(time.Minute)`)
	begun := time.Now()
	r := c.interrupted(marker, func(o *Options) { o.Jobs = 1 })
	require.Less(t, time.Since(begun), 45*time.Second)
	require.Equal(t, report.Summary{Passed: 1, Interrupted: 1}, r.Summary)
	require.Equal(t, "first try\n", c.executed("b").Cells[1].Outputs[0].Text)
	requireGone(t, pids)

	r = c.mustRun(func(o *Options) { o.Resume = true })
	require.Equal(t, report.Summary{Passed: 2, Reused: 1}, r.Summary)
	require.Equal(t, "second try\n", c.executed("b").Cells[1].Outputs[0].Text)
}

// requireGone checks that no process noted in a file still runs.
func requireGone(t *testing.T, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	for pid := range strings.FieldsSeq(string(raw)) {
		require.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, 50*time.Millisecond, "process %s was left behind", pid)
	}
}

// The Python beside the worker has tests of its own.
func TestPython(t *testing.T) {
	root, err := repo.Find()
	require.NoError(t, err)
	if _, err := os.Stat(root.Python()); err != nil {
		t.Skipf("needs what 'go run ./kernels setup' installs: %v", err)
	}
	cmd := exec.Command(root.Python(), "-m", "unittest", "discover", "-v")
	cmd.Dir = root.Join("kernels", "python", "runner")
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `Ran [1-9]\d* tests`, string(out))
}
