package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/report"
)

// errNotebookTimeout ends a notebook's context where its time is up.
var errNotebookTimeout = errors.New("notebook timeout")

// A kernel that dies while it starts gets another chance: Jupyter picks free ports
// for it, and until it has them another program can take one.
const startTries = 3

// blank is the result of a task that has not run: what remains of it after Ctrl-C.
func (r *run) blank(t *task) report.Notebook {
	n := report.Notebook{Name: t.name, Path: t.shown, Title: t.nb.Title(), Kernel: t.kernel, Scale: t.scale,
		Parameters: t.values, Status: report.Interrupted}
	for _, c := range t.nb.Cells {
		if c.Runs() {
			n.Cells++
		}
	}
	return n
}

// one executes a notebook, writes it, and remembers it where it is green. An
// error means that a file could not be written.
func (r *run) one(ctx context.Context, t *task) (report.Notebook, error) {
	started := time.Now()
	result := r.blank(t)
	scratch, err := os.MkdirTemp("", "hindsight-run-")
	if err != nil {
		return result, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	// The worker reads what was planned, even where the notebook is edited meanwhile.
	copied := filepath.Join(scratch, t.name+".ipynb")
	if err := os.WriteFile(copied, t.nb.Raw(), 0o600); err != nil {
		return result, err
	}
	if r.NotebookTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.NotebookTimeout, errNotebookTimeout)
		defer cancel()
	}

	view := newView(r.progress, t, r.Verbose, !term.Is(r.Progress))
	ran := notebook.Run{Outputs: map[int][]notebook.Output{}, Counts: map[int]int{}}
	script := r.Root.Join("kernels", "python", "runner", "worker.py")
	request := job{
		Notebook: copied, Kernel: t.kernel, Folder: filepath.Dir(t.path), Parameters: t.values,
		CellTimeout: r.CellTimeout.Seconds(), StartTimeout: startTimeout.Seconds(),
	}
	var end event
	for range startTries {
		end, err = work(ctx, r.Root.Python(), script, scratch, request, func(e event) {
			switch e.Event {
			case "prepared":
				result.Cells, ran.Injected = e.Cells, e.Injected
			case "outputs":
				ran.Outputs[e.Index] = e.Outputs
				if e.Count != nil {
					ran.Counts[e.Index] = *e.Count
				}
			}
			view.event(e)
		})
		if end.Status != endStart || !strings.Contains(end.Message, "Kernel died") {
			break
		}
	}
	if err != nil {
		view.end(result)
		return result, err
	}
	result.Ran, result.Seconds = view.done, time.Since(started).Seconds()
	r.judge(ctx, &result, end, ran)
	if result.Status == report.Passed {
		r.claims(&result, t, ran)
	}

	executed, err := t.nb.Executed(ran)
	if err == nil {
		result.Output = t.name + ".ipynb"
		err = r.write(filepath.Join(r.Out, result.Output), executed)
	}
	if err != nil {
		result.Output = ""
		view.end(result)
		return result, err
	}
	view.end(result)
	if result.Status == report.Interrupted {
		return result, nil
	}
	return result, r.memory.finish(t, r.Out, result)
}
