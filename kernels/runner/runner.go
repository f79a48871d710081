// Package runner executes notebooks without a browser.
//
// [Run] picks the notebooks, sets their parameters, executes each in a kernel of
// its own through a small Python worker, and writes the executed notebooks, a
// report for machines, one for CI and a gallery for people. Every file is
// written whole or not at all. What passed is remembered together with a digest
// of all it depends on, so that a later run can leave it out or go on where one
// was interrupted.
package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hindsight-go/hindsight/kernels/internal/atomicfile"
	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/report"
)

// Options say what to run and how.
type Options struct {
	Root repo.Root

	// Notebooks by path or name; none means all of the repository's.
	Notebooks []string
	// Rerun runs notebooks whose inputs have not changed since they were green too.
	Rerun bool
	// Resume goes on with the last run: what passed in it is kept. Its notebooks,
	// parameters, kernel and folder hold again, and those given here do not.
	Resume bool

	Params     []string // name=value, see [parameter.FromFlag]
	ParamFiles []string // YAML, see [parameter.FromFile]
	Scale      string   // quick, paper, or "" for what each notebook says
	Kernel     string   // "" for the one each notebook names

	Jobs            int           // notebooks at a time, at least 1
	CellTimeout     time.Duration // 0 for none
	NotebookTimeout time.Duration // 0 for none

	Out         string // folder for what is written
	Record      bool   // write outputs and claims into the notebooks' folder
	RequireData bool   // what is skipped for want of data fails
	Verbose     bool   // show what the cells print
	Progress    io.Writer

	// write puts a file in place; tests let it fail.
	write func(path string, data []byte) error
}

// Names of the files that a run writes into its folder, beside NAME.ipynb.
const (
	ReportFile  = "report.json"
	JUnitFile   = "junit.xml"
	GalleryFile = "index.html"
)

// Run executes notebooks. Failing notebooks are in the report, not in the error,
// which is about the request or about files that could not be written; then
// the report holds what was run. When ctx ends, kernels are stopped and what is
// finished is written.
func Run(ctx context.Context, o Options) (*report.Report, error) {
	started := time.Now()
	if o.write == nil {
		o.write = atomicfile.Write
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	memory, err := loadState(o.Root.Dir())
	if err != nil {
		return nil, err
	}
	since := time.Time{}
	if o.Resume {
		if memory.file.Last == nil {
			return nil, errNothingToResume
		}
		since = o.take(*memory.file.Last)
	}
	if o.Out, err = filepath.Abs(o.Out); err != nil {
		return nil, err
	}
	tasks, err := o.tasks()
	if err != nil {
		return nil, err
	}
	run := &run{Options: o, memory: memory, progress: term.New(o.Progress)}
	if !o.Resume {
		r, err := o.request(started.UTC(), tasks)
		if err != nil {
			return nil, err
		}
		remembered, err := memory.begin(r)
		if err != nil {
			return nil, err
		}
		if !remembered {
			run.progress.Printf("%s cannot be written, so --resume will not find this run", memory.path)
		}
	}

	if slices.ContainsFunc(tasks, func(t *task) bool { return t.moved }) {
		run.progress.Printf("! The environment was set up without XLA, so the kernel is %s, which is slower.", repo.KernelPure)
	}
	results := make([]report.Notebook, len(tasks))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(o.Jobs)
	for i, t := range tasks {
		if old, ok := memory.reusable(t, since, o.Out); ok && (o.Resume || !o.Rerun) {
			results[i] = old
			continue
		}
		results[i] = run.blank(t)
		group.Go(func() (err error) {
			if groupCtx.Err() == nil {
				results[i], err = run.one(groupCtx, t)
			}
			return err
		})
	}
	err = group.Wait()

	rep := &report.Report{Started: started.UTC().Truncate(time.Second), Seconds: time.Since(started).Seconds(), Notebooks: results, Folder: o.Out}
	rep.Summarize()
	err = errors.Join(err, run.writeReports(rep))
	if o.Record && ctx.Err() == nil {
		err = errors.Join(err, run.record(tasks, results))
	}
	return rep, err
}

func (o *Options) check() error {
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if o.Scale != "" && o.Scale != "quick" && o.Scale != "paper" {
		complain("--scale is %q, must be quick or paper", o.Scale)
	}
	if o.Jobs < 1 {
		complain("-j is %d, must be at least 1", o.Jobs)
	}
	if o.CellTimeout < 0 || o.NotebookTimeout < 0 {
		complain("a timeout is negative, must be positive, or 0 for none")
	}
	if o.Record && (len(o.Params) > 0 || len(o.ParamFiles) > 0) {
		complain("--record keeps what the notebooks' own parameters give, so it does not go with -p or -f")
	}
	if _, err := os.Stat(o.Root.Python()); err != nil {
		complain("%s is missing; 'go run ./kernels setup' installs it", o.Root.Python())
	}
	return errors.Join(problems...)
}

// request is the part of the options that --resume takes up again.
func (o *Options) request(started time.Time, tasks []*task) (request, error) {
	r := request{Started: started, Params: o.Params, Scale: o.Scale, Kernel: o.Kernel, Out: o.Out, Record: o.Record, RequireData: o.RequireData}
	for _, t := range tasks {
		r.Notebooks = append(r.Notebooks, t.path)
	}
	for _, name := range o.ParamFiles {
		path, err := filepath.Abs(name)
		if err != nil {
			return r, err
		}
		r.ParamFiles = append(r.ParamFiles, path)
	}
	return r, nil
}

// take makes the options those of an earlier request, and returns when it began.
func (o *Options) take(r request) time.Time {
	o.Notebooks, o.Params, o.ParamFiles, o.Scale, o.Kernel = r.Notebooks, r.Params, r.ParamFiles, r.Scale, r.Kernel
	o.Out, o.Record, o.RequireData = r.Out, r.Record, r.RequireData
	return r.Started
}

// run is what the notebooks of one run share.
type run struct {
	Options
	memory   *state
	progress *term.Progress
}

// writeReports puts the three reports into the run's folder.
func (r *run) writeReports(rep *report.Report) error {
	var problems []error
	for _, file := range []struct {
		name string
		make func() ([]byte, error)
	}{
		{ReportFile, rep.JSON},
		{JUnitFile, rep.JUnit().XML},
		{GalleryFile, func() ([]byte, error) { return report.Gallery(rep, r.Out) }},
	} {
		content, err := file.make()
		if err == nil {
			err = r.write(filepath.Join(r.Out, file.name), content)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// record writes the outputs of notebooks that ran to their end into the
// repository, and their claims into the page of all claims. Where a notebook ran
// with another scale than it declares, only its claims are kept: its committed
// outputs are those of its own source.
func (r *run) record(tasks []*task, results []report.Notebook) error {
	normalizer := notebook.NewNormalizer(r.Root.Dir())
	var problems []error
	var recorded []report.Notebook
	for i, t := range tasks {
		result := results[i]
		if result.Status != report.Passed || filepath.Dir(t.path) != r.Root.Notebooks() {
			continue
		}
		if len(t.values) > 0 {
			r.progress.Printf("%s keeps its outputs, which are not those of %s scale; its claims are recorded", t.shown, t.scale)
		} else if changed, err := r.recordOutputs(normalizer, t, result); err != nil {
			problems = append(problems, fmt.Errorf("%s was not recorded: %w", t.shown, err))
			continue
		} else if changed {
			r.progress.Printf("recorded %s", t.shown)
		}
		recorded = append(recorded, result)
	}
	if len(recorded) == 0 {
		return errors.Join(problems...)
	}
	page := filepath.Join(r.Root.Notebooks(), "REPRODUCTION.md")
	old, err := os.ReadFile(page)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(append(problems, err)...)
	}
	all, err := find(r.Root, nil)
	if err != nil {
		return errors.Join(append(problems, err)...)
	}
	for i := range all {
		all[i] = stem(all[i])
	}
	content, err := report.Reproduction(string(old), recorded, all)
	if err == nil && content != string(old) {
		if err = r.write(page, []byte(content)); err == nil {
			r.progress.Printf("recorded notebooks/REPRODUCTION.md")
		}
	}
	return errors.Join(append(problems, err, r.recordReadme(content))...)
}

// recordReadme puts the verdicts of the page of all claims into the README.
func (r *run) recordReadme(page string) error {
	path := filepath.Join(r.Root.Dir(), "README.md")
	old, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	text, err := report.Verdicts(string(old), page)
	if err != nil || text == string(old) {
		return err
	}
	r.progress.Printf("recorded README.md")
	return r.write(path, []byte(text))
}

// recordOutputs writes a notebook's outputs into its file, and says whether that
// changed it.
func (r *run) recordOutputs(normalizer *notebook.Normalizer, t *task, result report.Notebook) (bool, error) {
	if result.Output == "" {
		return false, fmt.Errorf("its executed copy is not in %s; run it again with --all", r.Out)
	}
	executed, err := notebook.Read(filepath.Join(r.Out, result.Output))
	if err != nil {
		return false, err
	}
	outputs := map[int][]notebook.Output{}
	for i, c := range executed.Cells {
		outputs[i] = c.Outputs
	}
	if outputs, err = normalizer.Outputs(outputs); err != nil {
		return false, err
	}
	file, err := t.nb.Recorded(outputs)
	if err != nil {
		return false, err
	}
	if err := notebook.CheckSize(t.shown, file); err != nil {
		return false, err
	}
	old, err := os.ReadFile(t.path)
	if err != nil || string(old) == string(file) {
		return false, err
	}
	// It may have been edited while it ran.
	if now, err := notebook.Parse(old); err != nil || !slices.EqualFunc(now.Cells, t.nb.Cells, func(a, b notebook.Cell) bool { return a.Source == b.Source }) {
		return false, fmt.Errorf("it was changed while it ran; run it again")
	}
	return true, r.write(t.path, file)
}

// Summary says in a few lines how a run ended, and how to go on.
func Summary(rep *report.Report) string {
	var b strings.Builder
	s := rep.Summary
	count := func(n int, what string) {
		if n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, what)
		}
	}
	fmt.Fprintf(&b, "%d passed", s.Passed)
	count(s.Failed, "failed")
	count(s.Skipped, "skipped")
	count(s.Interrupted, "interrupted")
	if s.Reused > 0 {
		fmt.Fprintf(&b, " (%d unchanged since they last passed; --all runs them again)", s.Reused)
	}
	if s.Claims > 0 {
		fmt.Fprintf(&b, "\n%d of %d claims hold", s.Hold, s.Claims)
		count(s.Fail, "fail")
		count(s.Regressed, "of them held in the committed notebook")
		count(s.ClaimsSkipped, "skipped")
	}
	for _, n := range rep.Notebooks {
		if n.Status == report.Skipped {
			fmt.Fprintf(&b, "\n%s was skipped: %s", n.Name, n.Reason)
		}
		for _, c := range n.Claims {
			if c.Regressed {
				fmt.Fprintf(&b, "\n%s: claim %s held in the committed notebook and does not now: %s; measured %s, criterion %s", n.Name, c.ID, c.Claim, c.Measured.Text(), c.Criterion)
			}
		}
	}
	folder := rep.Folder
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, folder); err == nil && filepath.IsLocal(rel) {
			folder = rel
		}
	}
	fmt.Fprintf(&b, "\ngallery %s, report %s, JUnit %s", filepath.Join(folder, GalleryFile), filepath.Join(folder, ReportFile), filepath.Join(folder, JUnitFile))
	if s.Interrupted > 0 {
		b.WriteString("\ngo on where this stopped: go run ./kernels run --resume")
	}
	return b.String()
}
