package runner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/report"
)

// interrupted runs until a file appears, then cancels.
func (c *checkout) interrupted(marker string, change func(*Options)) *report.Report {
	c.Helper()
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(marker); err == nil {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	o := c.options()
	if change != nil {
		change(&o)
	}
	r, err := Run(ctx, o)
	require.NoError(c, err)
	return r
}

func TestInterruptAndResume(t *testing.T) {
	c := newCheckout(t)
	marker, trace := c.root.Join("marker"), c.root.Join("trace")
	c.notebook("a", `echo a >> `+trace+`; `+passing)
	// The second prints, is stopped, and sends what it has; the third never starts.
	c.notebook("b", `echo b >> `+trace+`; ran 1; if [ ! -e `+marker+` ]; then touch `+marker+`; cat > /dev/null
event "{\"event\":\"outputs\",\"index\":2,\"outputs\":[$(text stdout partial)]}"; end cancelled 2; else ran 2; end ok; fi`)
	c.notebook("d", `echo d >> `+trace+`; `+passing)

	r := c.interrupted(marker, func(o *Options) { o.Jobs, o.Params = 1, []string{"seeds=2"} })
	require.Equal(t, report.Summary{Passed: 1, Interrupted: 2}, r.Summary)
	require.False(t, r.OK())
	require.Contains(t, Summary(r), "1 passed, 2 interrupted\n")
	require.Contains(t, Summary(r), "go on where this stopped: go run ./kernels run --resume")
	require.Equal(t, 1, r.Notebooks[1].Ran)
	out := filepath.Join(c.root.Dir(), "out", "run")
	partial, err := notebook.Read(filepath.Join(out, "b.ipynb"))
	require.NoError(t, err)
	require.Equal(t, "partial", partial.Cells[2].Outputs[0].Text)
	require.FileExists(t, filepath.Join(out, JUnitFile))
	require.NoFileExists(t, filepath.Join(out, "d.ipynb"))

	r = c.mustRun(func(o *Options) { o.Resume, o.Jobs, o.Out = true, 1, "elsewhere" })
	require.Equal(t, report.Summary{Passed: 3, Reused: 1}, r.Summary)
	require.Equal(t, out, r.Folder, "it goes on in the folder where it began")
	require.Equal(t, "seeds", r.Notebooks[2].Parameters[0].Name, "with the parameters it began with")
	raw, err := os.ReadFile(trace)
	require.NoError(t, err)
	require.Equal(t, "a b b d", strings.Join(strings.Fields(string(raw)), " "), "what had passed must not run again")

	// Nothing is left to do, and an edited notebook is not passed off as done.
	require.Equal(t, 3, c.mustRun(func(o *Options) { o.Resume = true }).Summary.Reused)
	edit(t, filepath.Join(c.root.Notebooks(), "a.ipynb"), "run(seeds)", "run(2*seeds)")
	require.Equal(t, 2, c.mustRun(func(o *Options) { o.Resume = true }).Summary.Reused)
}

// A new run is not resumed from what passed before it began.
func TestResumeKeepsOnlyItsOwnRun(t *testing.T) {
	c := newCheckout(t)
	marker := c.root.Join("marker")
	c.notebook("a", passing)
	c.mustRun(nil)
	c.file(filepath.Join(c.root.Notebooks(), "a.ipynb.sh"), `[ -e `+marker+` ] || { touch `+marker+`; cat > /dev/null; end cancelled; exit; }; `+passing)
	require.Equal(t, 1, c.interrupted(marker, func(o *Options) { o.Rerun = true }).Summary.Interrupted)
	require.Equal(t, report.Summary{Passed: 1}, c.mustRun(func(o *Options) { o.Resume = true }).Summary)
}

// A worker that does not stop when asked is killed, and its kernel with it.
func TestStubbornWorkerIsKilled(t *testing.T) {
	old := stopGrace
	stopGrace = 200 * time.Millisecond
	t.Cleanup(func() { stopGrace = old })
	c := newCheckout(t)
	marker := c.root.Join("marker")
	c.notebook("x", `trap '' TERM INT; echo $$ > `+marker+`; while :; do sleep 60; done`)
	begun := time.Now()
	r := c.interrupted(marker, nil)
	require.Equal(t, report.Interrupted, r.Notebooks[0].Status)
	require.Less(t, time.Since(begun), 10*time.Second)
	raw, err := os.ReadFile(marker)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !alive(strings.TrimSpace(string(raw))) }, 5*time.Second, 20*time.Millisecond)
}

func TestFullDisk(t *testing.T) {
	c := newCheckout(t)
	c.notebook("a", passing)
	c.mustRun(nil)
	out := filepath.Join(c.root.Dir(), "out", "run")
	before := snapshot(t, out)
	_, err := c.run(func(o *Options) {
		o.Rerun = true
		o.write = func(path string, _ []byte) error {
			return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
		}
	})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, before, snapshot(t, out))
}

// The same on a file system that really is full.
func TestReallyFullDisk(t *testing.T) {
	c := newCheckout(t)
	out := filepath.Join(c.root.Dir(), "small")
	require.NoError(t, os.Mkdir(out, 0o755))
	if err := syscall.Mount("tmpfs", out, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("no small file system to fill: mounting one needs root (%v)", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(out, 0) })
	c.notebook("a", passing)
	small := func(o *Options) { o.Out, o.Rerun = out, true }
	c.mustRun(small)
	before := snapshot(t, out)
	c.file(filepath.Join(c.root.Notebooks(), "a.ipynb.sh"), `ran 2 "$(text stdout "$(head -c 200000 /dev/zero | tr '\0' x)")"; end ok`)
	r, err := c.run(small)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "no space left on the disk of "+out)
	require.Empty(t, r.Notebooks[0].Output)
	after := snapshot(t, out)
	require.Equal(t, before["a.ipynb"], after["a.ipynb"])
	require.Len(t, after, len(before), "a temporary file was left behind")
}

// A checkout that may only be read runs all the same, into a folder elsewhere.
func TestReadOnlyCheckout(t *testing.T) {
	c := newCheckout(t)
	c.notebook("a", passing)
	sealed := c.root.Join("out")
	require.NoError(t, os.Mkdir(sealed, 0o755))
	if err := syscall.Mount("tmpfs", sealed, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("no read-only file system: mounting one needs root (%v)", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(sealed, 0) })
	out := t.TempDir()
	for range 2 {
		r := c.mustRun(func(o *Options) { o.Out = out })
		require.Equal(t, report.Summary{Passed: 1}, r.Summary)
	}
	require.Contains(t, c.log.String(), "out/state/run.json cannot be written, so --resume will not find this run")

	_, err := c.run(nil)
	require.ErrorContains(t, err, "choose another folder", "results have nowhere to go")
}

func snapshot(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(folder, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(raw)
	}
	return files
}
