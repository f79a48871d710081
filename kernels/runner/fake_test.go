package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/report"
)

// checkout is a repository with notebooks, and a Python that is a shell script:
// it plays the worker by sourcing NAME.ipynb.sh beside the notebook.
type checkout struct {
	*testing.T
	root repo.Root
	log  bytes.Buffer
}

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	dir := t.TempDir()
	c := &checkout{T: t}
	c.file(filepath.Join(dir, "go.mod"), "module "+repo.Module+"\n\ngo 1.26\n")
	c.file(filepath.Join(dir, "lib", "optim", "adam.go"), "package optim\n")
	c.file(filepath.Join(dir, "venv", "bin", "python"), `#!/bin/sh
event() { printf '%s\n' "$1"; }
say() { event "{\"event\":\"stream\",\"name\":\"stdout\",\"text\":\"$1\"}"; }
ran() { event "{\"event\":\"cell\",\"index\":$1,\"count\":$1}"; event "{\"event\":\"outputs\",\"index\":$1,\"count\":$1,\"outputs\":[$2]}"; }
end() { event "{\"event\":\"end\",\"status\":\"$1\",\"cell\":${2:-0}${3:+,$3}}"; }
text() { printf '{"output_type":"stream","name":"%s","text":"%s"}' "$1" "$2"; }
claims() { printf '{"output_type":"display_data","metadata":{},"data":{"`+report.ClaimsMIME+`":{"paper":"%s","scale":"quick","claims":[%s]}}}' "$1" "$2"; }
claim() { printf '{"id":"%s","claim":"it falls","criterion":"at most 1","measured":0.5,"holds":%s}' "$1" "$2"; }
read -r job
event '{"event":"prepared","cells":2,"injected":""}'
field() { printf %s "$job" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
notebook=$(field folder)/$(basename "$(field notebook)")
. "$notebook.sh"
`)
	require.NoError(t, os.Chmod(filepath.Join(dir, "venv", "bin", "python"), 0o755))
	t.Setenv(repo.PrefixVar, filepath.Join(dir, "venv"))
	var err error
	c.root, err = repo.At(dir)
	require.NoError(t, err)
	return c
}

func (c *checkout) file(path, content string) {
	c.Helper()
	require.NoError(c, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(c, os.WriteFile(path, []byte(content), 0o644))
}

// notebook adds one with a parameters cell, and the script that plays its run.
func (c *checkout) notebook(name, script string, outputs ...string) string {
	path := filepath.Join(c.root.Notebooks(), name+".ipynb")
	c.file(path, fmt.Sprintf(`{
 "cells": [
  {"cell_type": "markdown", "metadata": {}, "source": ["# Title of %s"]},
  {"cell_type": "code", "execution_count": null, "metadata": {"tags": ["parameters"]}, "outputs": [], "source": ["var scale = \"quick\"\n", "var seeds float64 = 5"]},
  {"cell_type": "code", "execution_count": 7, "metadata": {}, "outputs": [%s], "source": ["%%%%\n", "run(seeds)"]}
 ],
 "metadata": {"kernelspec": {"name": "go-test", "language": "go"}},
 "nbformat": 4, "nbformat_minor": 4
}
`, name, strings.Join(outputs, ",")))
	c.file(path+".sh", script)
	return path
}

func (c *checkout) options() Options {
	return Options{Root: c.root, Jobs: 2, Out: filepath.Join(c.root.Dir(), "out", "run"), Progress: &c.log}
}

func (c *checkout) run(change func(*Options)) (*report.Report, error) {
	c.Helper()
	o := c.options()
	if change != nil {
		change(&o)
	}
	return Run(c.Context(), o)
}

func (c *checkout) mustRun(change func(*Options)) *report.Report {
	c.Helper()
	r, err := c.run(change)
	require.NoError(c, err)
	return r
}

const passing = `ran 1; say 'hello\n'; ran 2 "$(text stdout 'loss 0.5\n')"; end ok`

func TestPassingRunWritesEverything(t *testing.T) {
	c := newCheckout(t)
	c.notebook("00-start", passing)
	c.notebook("02-diffgrad", `ran 1; ran 2 "$(claims 02-diffgrad "$(claim C1 true),$(claim C2 false)")"; end ok`)
	r := c.mustRun(func(o *Options) { o.Verbose = true })
	require.True(t, r.OK())
	require.Equal(t, report.Summary{Passed: 2, Claims: 2, Hold: 1, Fail: 1}, r.Summary)
	require.Equal(t, "Title of 02-diffgrad", r.Notebooks[1].Title)
	require.Equal(t, "quick", r.Notebooks[1].Scale)
	require.Equal(t, "go-test", r.Notebooks[1].Kernel)
	require.Contains(t, c.log.String(), "  00-start | hello\n")
	require.Contains(t, c.log.String(), "✓ 02-diffgrad: 2 of 2 cells, 1 of 2 claims hold\n")

	out := filepath.Join(c.root.Dir(), "out", "run")
	executed, err := notebook.Read(filepath.Join(out, "00-start.ipynb"))
	require.NoError(t, err)
	require.Equal(t, "loss 0.5\n", executed.Cells[2].Outputs[0].Text)
	raw, err := os.ReadFile(filepath.Join(out, ReportFile))
	require.NoError(t, err)
	var back report.Report
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, r.Summary, back.Summary)
	for _, name := range []string{JUnitFile, GalleryFile} {
		require.FileExists(t, filepath.Join(out, name))
	}
	require.Contains(t, Summary(r), "2 passed\n1 of 2 claims hold, 1 fail\ngallery ")
}

func TestOnlyWhatChangedRuns(t *testing.T) {
	c := newCheckout(t)
	path := c.notebook("00-start", passing)
	c.notebook("01-other", passing)
	reused := func(change func(*Options)) int { t.Helper(); return c.mustRun(change).Summary.Reused }
	require.Equal(t, 0, reused(nil))
	require.Equal(t, 2, reused(nil))
	require.Contains(t, Summary(c.mustRun(nil)), "2 passed (2 unchanged since they last passed; --all runs them again)")
	require.Equal(t, 0, reused(func(o *Options) { o.Rerun = true }))

	for what, change := range map[string]func(){
		"a cell":      func() { c.notebook("00-start", passing); edit(t, path, "run(seeds)", "run(seeds+1)") },
		"the library": func() { c.file(c.root.Join("lib", "optim", "adam.go"), "package optim // better\n") },
		"a version":   func() { c.file(c.root.Join("go.sum"), "x") },
	} {
		change()
		require.Less(t, reused(nil), 2, what)
		require.Equal(t, 2, reused(nil), what)
	}
	// What no notebook depends on.
	c.file(c.root.Join("lib", "optim", "adam_test.go"), "package optim\n")
	c.file(c.root.Join("lib", "optim", "testdata", "x.json"), "{}")
	edit(t, path, `"execution_count": 7`, `"execution_count": 8`)
	require.Equal(t, 2, reused(nil))

	// Another scale or parameter is another run, and does not displace the first.
	require.Equal(t, 0, reused(func(o *Options) { o.Scale = "paper" }))
	require.Equal(t, 0, reused(func(o *Options) { o.Params = []string{"seeds=2"} }))
	require.Equal(t, 2, reused(nil))
	require.Equal(t, 2, reused(func(o *Options) { o.Scale = "quick" }), "the scale it has anyway")

	// A failing run is not remembered as green.
	c.file(path+".sh", "end cell 2 '\"message\":\"exit status 1\"'")
	require.False(t, c.mustRun(func(o *Options) { o.Rerun = true }).OK())
	r := c.mustRun(nil)
	require.Equal(t, 1, r.Summary.Reused)
	require.False(t, r.OK())

	// A damaged memory costs time, not more.
	c.file(c.root.Join("out", "state", "run.json"), "{")
	require.Equal(t, 0, reused(nil))
}

func edit(t *testing.T, path, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(raw), from)
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), from, to)), 0o644))
}

func TestFailures(t *testing.T) {
	for name, tc := range map[string]struct{ script, kind, message, cure string }{
		"panic": {`ran 1; ran 2 "$(text stderr 'x\npanic: no \u001b[31mgradient\n\ngoroutine 1\n')"; end cell 2 '"message":"exit status 2"'`,
			report.CellFailed, "exit status 2: panic: no gradient", ""},
		"last words": {`ran 2 "$(text stderr 'open x: no such file\nexit status 1\n')"; end cell 2 '"message":"exit status 1"'`,
			report.CellFailed, "exit status 1: open x: no such file", ""},
		"program killed": {`ran 2; end cell 2 '"message":"signal: killed"'`, report.KernelDied, "the cell's program was killed (signal: killed)", "run out of memory"},
		"kernel killed":  {`end dead 2 '"code":-9'`, report.KernelDied, "the kernel died: signal 9 (killed)", "run out of memory"},
		"kernel crashed": {`echo the log >&2; end dead 2 '"code":3'`, report.KernelDied, "the kernel died: exit status 3", "log"},
		"no code":        {`end dead 2`, report.KernelDied, "its exit status is not known", "log"},
		"slow cell":      {`end timeout 2`, report.TimedOut, "took longer than 1m0s", "--timeout"},
		"slow notebook":  {`cat > /dev/null; end cancelled 2`, report.TimedOut, "the notebook took longer than 300ms", "--notebook-timeout"},
		"no kernel":      {`end no-kernel 0 '"message":"go-test"'`, report.NotStarted, `kernel "go-test" is not installed`, "kernels setup"},
		"bad start":      {`end start 0 '"message":"no port"'`, report.NotStarted, "the kernel did not start: no port", "doctor"},
		"worker killed":  {`kill -9 $$`, report.KernelDied, "ended early (signal: killed)", "memory"},
		"worker crashed": {`echo Traceback >&2; echo 'ModuleNotFoundError: nbclient' >&2; exit 3`, report.NotStarted, "ended early (exit status 3): ModuleNotFoundError: nbclient", "setup"},
		"worker silent":  {`exit 0`, report.NotStarted, "ended early (exit status 0)", "setup"},
		"bad claims":     {`ran 2 "$(claims other "$(claim C1 true)")"; end ok`, report.BadClaims, `paper is "other", must be the notebook's name "x"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCheckout(t)
			c.notebook("x", tc.script)
			r := c.mustRun(func(o *Options) {
				o.CellTimeout = time.Minute
				if name == "slow notebook" {
					o.NotebookTimeout = 300 * time.Millisecond
				}
			})
			require.False(t, r.OK())
			failure := r.Notebooks[0].Failure
			require.NotNil(t, failure)
			require.Equal(t, tc.kind, failure.Kind)
			require.Contains(t, failure.Message, tc.message)
			require.Contains(t, failure.Cure, tc.cure)
			require.Contains(t, c.log.String(), "✗ x: failed")
			require.Contains(t, c.log.String(), tc.message)
			require.FileExists(t, filepath.Join(c.root.Dir(), "out", "run", "x.ipynb"), "what was reached is kept")
			if name == "kernel crashed" {
				require.Equal(t, []string{"the log"}, failure.Traceback)
			}
		})
	}
}

// Two kernels that start at once may choose one port, and one of them dies.
func TestStartIsTriedAgain(t *testing.T) {
	c := newCheckout(t)
	tried := c.root.Join("tried")
	c.notebook("x", `echo x >> `+tried+`; if [ "$(wc -l < `+tried+`)" -lt 3 ]; then end start 0 '"message":"Kernel died before replying to kernel_info"'; else `+passing+`; fi`)
	require.True(t, c.mustRun(nil).OK())
	c.notebook("x", `echo x >> `+tried+`; end start 0 '"message":"Kernel died before replying to kernel_info"'`)
	require.False(t, c.mustRun(func(o *Options) { o.Rerun = true }).OK())
	raw, err := os.ReadFile(tried)
	require.NoError(t, err)
	require.Equal(t, 6, strings.Count(string(raw), "x"), "three times each")
}

// A kernel whose worker is gone is stopped by the runner.
func TestOrphanedKernelIsStopped(t *testing.T) {
	c := newCheckout(t)
	pid := c.root.Join("kernel.pid")
	c.notebook("x", `setsid sh -c 'echo $$ > `+pid+`; sleep 60' > /dev/null & while [ ! -s `+pid+` ]; do sleep 0.05; done
event "{\"event\":\"kernel\",\"pid\":$(cat `+pid+`)}"; kill -9 $$`)
	r := c.mustRun(nil)
	require.Equal(t, report.KernelDied, r.Notebooks[0].Failure.Kind)
	raw, err := os.ReadFile(pid)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !alive(strings.TrimSpace(string(raw))) }, 5*time.Second, 20*time.Millisecond)
}

// alive reports whether a process runs; one that nobody has waited for does not.
func alive(pid string) bool {
	raw, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	return err == nil && !strings.Contains(string(raw), ") Z ")
}

func TestClaimsAgainstTheCommittedOnes(t *testing.T) {
	committed := func(id string) string {
		return `{"output_type":"display_data","metadata":{},"data":{"` + report.ClaimsMIME + `":{"paper":"x","scale":"quick","claims":[{"id":"` + id + `","claim":"it falls","criterion":"at most 1","holds":true}]}}}`
	}
	for name, tc := range map[string]struct {
		script    string
		regressed []string
	}{
		"holds":         {`ran 2 "$(claims x "$(claim C1 true)")"; end ok`, nil},
		"fails":         {`ran 2 "$(claims x "$(claim C1 false)")"; end ok`, []string{"C1"}},
		"another fails": {`ran 2 "$(claims x "$(claim C1 true),$(claim C2 false)")"; end ok`, nil},
		"is missing":    {`ran 2 "$(claims x "$(claim C2 true)")"; end ok`, []string{"C1"}},
		"no record":     {`ran 2; end ok`, []string{"C1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCheckout(t)
			c.notebook("x", tc.script, committed("C1"))
			r := c.mustRun(nil)
			require.Equal(t, report.Passed, r.Notebooks[0].Status)
			var regressed []string
			for _, claim := range r.Notebooks[0].Claims {
				if claim.Regressed {
					regressed = append(regressed, claim.ID)
				}
			}
			require.Equal(t, tc.regressed, regressed)
			require.Equal(t, len(tc.regressed) == 0, r.OK())
			if len(regressed) > 0 {
				require.Contains(t, Summary(r), "x: claim C1 held in the committed notebook and does not now: it falls")
				require.Equal(t, 0, c.mustRun(nil).Summary.Reused, "what regressed is run again")
			}
		})
	}
}

// Notebooks name the kernel with XLA; where it was not set up they run in the other one, unless it is asked for.
func TestEnvironmentWithoutXLA(t *testing.T) {
	c := newCheckout(t)
	path := c.notebook("x", passing)
	edit(t, path, "go-test", repo.KernelCPU)
	c.notebook("y", passing)
	kernels := func(change func(*Options)) (names []string) {
		c.log.Reset()
		for _, n := range c.mustRun(change).Notebooks {
			names = append(names, n.Kernel)
		}
		return names
	}
	require.Equal(t, []string{repo.KernelCPU, "go-test"}, kernels(nil), "nothing is set up, and the run says so")
	require.NoError(t, kernelspec.Pure(c.root, "").Install(c.root))
	require.Equal(t, []string{repo.KernelPure, "go-test"}, kernels(nil))
	require.Contains(t, c.log.String(), "set up without XLA, so the kernel is go-pure")
	require.Equal(t, []string{repo.KernelCPU, repo.KernelCPU}, kernels(func(o *Options) { o.Kernel = repo.KernelCPU }))
	require.NotContains(t, c.log.String(), "without XLA")
	require.NoError(t, kernelspec.CPU(c.root, "").Install(c.root))
	require.Equal(t, []string{repo.KernelCPU, "go-test"}, kernels(nil))
}

func TestMissingData(t *testing.T) {
	c := newCheckout(t)
	c.notebook("x", `ran 2 '{"output_type":"display_data","metadata":{},"data":{"`+report.ClaimsMIME+`":{"paper":"x","scale":"quick","skipped":"no CIFAR-10"}}}'; end ok`)
	r := c.mustRun(nil)
	require.True(t, r.OK())
	require.Equal(t, report.Skipped, r.Notebooks[0].Status)
	require.Contains(t, Summary(r), "0 passed, 1 skipped\nx was skipped: no CIFAR-10")
	r = c.mustRun(func(o *Options) { o.RequireData = true })
	require.False(t, r.OK(), "and not taken over from the run that skipped it")
	require.Equal(t, report.DataMissing, r.Notebooks[0].Failure.Kind)
}

func TestScaleMustAgree(t *testing.T) {
	c := newCheckout(t)
	c.notebook("x", `ran 2 "$(claims x "$(claim C1 true)")"; end ok`)
	r := c.mustRun(func(o *Options) { o.Scale = "paper" })
	require.Equal(t, report.BadClaims, r.Notebooks[0].Failure.Kind)
	require.Contains(t, r.Notebooks[0].Failure.Message, `scale is "quick", must be "paper"`)
}

func TestRequestErrors(t *testing.T) {
	c := newCheckout(t)
	c.notebook("x", passing)
	c.file(filepath.Join(c.root.Notebooks(), "broken.ipynb"), "{")
	c.file(filepath.Join(c.root.Notebooks(), "plain.ipynb"), `{"nbformat":4,"cells":[],"metadata":{}}`)
	c.file(filepath.Join(c.root.Notebooks(), "python.ipynb"), `{"nbformat":4,"cells":[{"cell_type":"code","source":"x = 1","metadata":{"tags":["parameters"]}}],"metadata":{"kernelspec":{"name":"python3","language":"python"}}}`)
	c.file(c.root.Join("other", "x.ipynb"), `{"nbformat":4,"cells":[],"metadata":{}}`)
	c.file(c.root.Join("bad.yaml"), "seeds: [1")
	for name, tc := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no such notebook": {func(o *Options) { o.Notebooks = []string{"03-none", "x"} }, "notebook 03-none does not exist; there are: broken, plain, python, x"},
		"not JSON":         {func(o *Options) { o.Notebooks = []string{"broken"} }, "broken.ipynb is not a notebook: not JSON from line 1 on"},
		"no parameters":    {func(o *Options) { o.Notebooks, o.Params = []string{"plain"}, []string{"seeds=1"} }, `notebooks/plain.ipynb: no cell is tagged "parameters", so no parameter can be set`},
		"not Go":           {func(o *Options) { o.Notebooks, o.Params = []string{"python"}, []string{"x=1"} }, `its language is "python"; parameters can be set in Go notebooks`},
		"unknown":          {func(o *Options) { o.Notebooks, o.Params = []string{"x"}, []string{"seed=1"} }, "notebooks/x.ipynb: -p: unknown parameter seed; known are: scale string, seeds float64"},
		"wrong type":       {func(o *Options) { o.Notebooks, o.Params = []string{"x"}, []string{"seeds=many"} }, `parameter seeds is the string "many", must be float64`},
		"two mistakes":     {func(o *Options) { o.Notebooks, o.Params = []string{"x"}, []string{"seeds=many", "seed=1"} }, "must be float64\nnotebooks/x.ipynb: -p: unknown parameter seed"},
		"bad flag":         {func(o *Options) { o.Notebooks, o.Params = []string{"x"}, []string{"seeds"} }, "-p seeds: must be name=value"},
		"bad file":         {func(o *Options) { o.Notebooks, o.ParamFiles = []string{"x"}, []string{c.root.Join("bad.yaml")} }, "bad.yaml: line 1: did not find expected"},
		"no file":          {func(o *Options) { o.Notebooks, o.ParamFiles = []string{"x"}, []string{"none.yaml"} }, "-f: open none.yaml: no such file"},
		"one name twice":   {func(o *Options) { o.Notebooks = []string{"x", c.root.Join("other", "x.ipynb")} }, "have one name"},
		"scale":            {func(o *Options) { o.Scale = "huge" }, `--scale is "huge", must be quick or paper`},
		"jobs":             {func(o *Options) { o.Jobs = 0 }, "-j is 0, must be at least 1"},
		"timeout":          {func(o *Options) { o.CellTimeout = -1 }, "a timeout is negative"},
		"record":           {func(o *Options) { o.Record, o.Params = true, []string{"seeds=1"} }, "--record keeps what the notebooks' own parameters give"},
		"resume":           {func(o *Options) { o.Resume = true }, "nothing to resume"},
		"no environment":   {func(o *Options) { o.Root = o.Root.WithPrefix("none") }, "none/bin/python is missing; 'go run ./kernels setup' installs it"},
	} {
		r, err := c.run(tc.change)
		require.ErrorContains(t, err, tc.want, name)
		require.Nil(t, r, name)
	}
	require.NoDirExists(t, c.root.Join("out"), "nothing may be written for a request that cannot be met")
}

func TestNoNotebooks(t *testing.T) {
	c := newCheckout(t)
	_, err := c.run(nil)
	require.ErrorContains(t, err, "there are no notebooks in")
}

func TestNotebookByNamePathOrTwice(t *testing.T) {
	c := newCheckout(t)
	path := c.notebook("x", passing)
	t.Chdir(c.root.Notebooks())
	r := c.mustRun(func(o *Options) { o.Notebooks = []string{"x", "x.ipynb", path, "./x.ipynb"} })
	require.Len(t, r.Notebooks, 1)
	require.Equal(t, "notebooks/x.ipynb", r.Notebooks[0].Path)
}
