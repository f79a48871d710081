package check

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/hindsight-go/hindsight/kernels/browser"
	"github.com/hindsight-go/hindsight/kernels/junit"
	"github.com/hindsight-go/hindsight/kernels/runner"
)

// few are the notebooks that a short run takes.
var few = []string{"00-start", "02-diffgrad"}

// notebooks runs them at their own scale. A claim that fails as it does in the
// committed notebook counts as skipped; one that held there fails the test.
func notebooks(ctx context.Context, s *session) ([]junit.Case, error) {
	if s.broken {
		return nil, errNotSetUp
	}
	o := runner.Options{
		Root: s.Root, Rerun: true, Jobs: 1, Out: filepath.Join(s.Out, "notebooks"),
		CellTimeout: 10 * time.Minute, NotebookTimeout: 30 * time.Minute,
		RequireData: s.RequireData, Verbose: s.Verbose, Progress: s.Progress, Scale: "quick",
	}
	if s.Short {
		o.Notebooks = few
	}
	r, err := runner.Run(ctx, o)
	if r == nil {
		return nil, err
	}
	var cases []junit.Case
	for _, suite := range r.JUnit().Suites {
		cases = append(cases, suite.Cases...)
	}
	return cases, err
}

var errNotSetUp = errors.New("the environment is not complete, see the stage setup")

// inBrowser does what a user does first.
func inBrowser(ctx context.Context, s *session) ([]junit.Case, error) {
	if s.broken {
		return nil, errNotSetUp
	}
	err := browser.Try(ctx, browser.Options{
		Root: s.Root, Notebook: "notebooks/00-start.ipynb", Out: filepath.Join(s.Out, "browser"),
		Note: func(text string) { s.task.Note("%s", text) },
	})
	if errors.Is(err, browser.ErrNone) {
		return nil, &skip{err.Error()}
	}
	if err != nil {
		return nil, err
	}
	return []junit.Case{{Name: "00-start runs, and its slider redraws the figure"}}, nil
}
