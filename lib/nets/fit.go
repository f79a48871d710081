package nets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// FitConfig says what [NewFitter] prepares: a model, a method, and data.
type FitConfig struct {
	Model       Model
	Optimizer   optim.Transform
	Train, Test *data.Dataset // examples shaped as the model wants them; Test may be nil
	Batch       int           // examples a step; default 64
	Steps       int           // default: Epochs' worth
	Epochs      int           // default 1; full batches only
	// Augment changes a minibatch's examples before the network sees them, e.g. [CropAndFlip]; the test part is never
	// augmented. nil: nothing.
	Augment func(s *scan.Step, x *graph.Node) *graph.Node
	// Hyper names the hyper-parameters that [Fitter.Fit] may change without compiling again, with their defaults.
	Hyper optim.Hyper
	// Observe may trace more than the loss.
	Observe func(s *scan.Step, o optim.Observation)
	// Progress is told the steps done and asked for.
	Progress func(done, total int)
	// EachEpoch is told, after each epoch of a run and at its end, what [Fitter.Fit] would return had the run ended there:
	// accuracy, statistics and all. An error ends the run. Runs of [Fitter.FitAll] call it at the same time. nil: nobody is
	// told, and the accuracy is measured once.
	EachEpoch func(run Run, epoch int, r *FitResult) error
}

func (c FitConfig) complete() (FitConfig, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("nets: FitConfig: "+format, args...)) }
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	if c.Epochs == 0 {
		c.Epochs = 1
	}
	if c.Model.Apply == nil {
		bad("Model is empty")
	}
	if c.Optimizer == nil {
		bad("Optimizer is nil")
	}
	switch {
	case c.Train == nil || c.Train.Rows() == 0 || c.Train.Labels == nil:
		bad("Train must hold labelled examples")
	case c.Batch < 1 || c.Batch > c.Train.Rows():
		bad("Batch is %d, must be between 1 and %d, the number of examples", c.Batch, c.Train.Rows())
	case c.Steps == 0:
		c.Steps = c.Epochs * c.EpochSteps()
	}
	if c.Steps < 0 || c.Epochs < 1 {
		bad("Steps is %d and Epochs %d, must not be negative and at least 1", c.Steps, c.Epochs)
	}
	if c.Test != nil && (c.Test.Rows() == 0 || c.Test.Labels == nil) {
		bad("Test must hold labelled examples, or be nil")
	}
	return c, errors.Join(errs...)
}

// EpochSteps is the number of steps of an epoch: full batches only.
func (c FitConfig) EpochSteps() int {
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	if c.Train == nil || c.Batch < 1 {
		return 0
	}
	return c.Train.Rows() / c.Batch
}

const defaultBatch = 64

// Fitter trains one model with one method, again and again, from one compiled program.
type Fitter struct {
	config     FitConfig
	inputs     scan.Vars
	program    *optim.Program
	statistics *scan.Program // of batch normalization; nil without
	test       *Evaluator    // nil without a test part
}

// FitResult is a finished training run.
type FitResult struct {
	Losses   []float64 // mean loss of each step's minibatch
	Accuracy float64   // on the test part, in [0, 1]; 0 without one
	Params   scan.Vars
	// Statistics of the training set that a network with batch normalization is evaluated with, by path; else nil. See
	// [BatchNorm].
	Statistics scan.Vars
	Traces     scan.Vars // what Observe traced, and "loss"
	Mode       scan.Mode
	Why        string
}

// NewFitter checks the configuration and compiles the training step.
func NewFitter(b compute.Backend, config FitConfig) (*Fitter, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	f := &Fitter{config: config, inputs: scan.Vars{"x": config.Train.Features(), "y": config.Train.LabelTensor()}}
	problem := optim.Problem{
		Data: f.batch,
		Loss: func(params, data []*graph.Node) *graph.Node {
			return CrossEntropy(config.Model.Apply(params, data[0]), data[1])
		},
		Observe: config.Observe,
		Loop:    scan.Loop{Name: config.Model.Name},
	}
	if config.Progress != nil {
		problem.Loop.Progress = func(done, _ int) { config.Progress(done, config.Steps) } // of all epochs
	}
	f.program, err = optim.Compile(b, config.Optimizer, problem, config.Model.Init(0), f.inputs, config.Hyper)
	if err != nil {
		return nil, err
	}
	if config.Model.Norm != nil {
		if err := f.compileStatistics(b); err != nil {
			return nil, err
		}
	}
	if err := onDevice(b, []*tensors.Tensor{f.inputs["x"], f.inputs["y"]}); err != nil || config.Test == nil {
		return f, err
	}
	f.test, err = NewEvaluator(b, config.Model, config.Test)
	return f, err
}

// onDevice moves what several runs share before they do: a tensor on its way to the device looks freed to whoever else
// asks for it.
func onDevice(b compute.Backend, shared []*tensors.Tensor) error {
	for _, t := range shared {
		if err := t.MaterializeOnDevice(b, true, 0); err != nil {
			return fmt.Errorf("nets: moving the data to the device: %w", err)
		}
	}
	return nil
}

// batch is the step's minibatch, augmented.
func (f *Fitter) batch(s *scan.Step) []*graph.Node {
	data := s.Batch(f.config.Batch, "x", "y")
	if f.config.Augment != nil {
		data[0] = f.config.Augment(s, data[0])
	}
	return data
}

// statisticsBatches is over how many minibatches the statistics of batch normalization are measured, or an epoch's where
// it has fewer.
const statisticsBatches = 100

// compileStatistics prepares the mean of the statistics over minibatches: a run whose inputs are the parameters too.
func (f *Fitter) compileStatistics(b compute.Backend) (err error) {
	m := f.config.Model
	loop := scan.Loop{Name: m.Name + " statistics", Step: func(s *scan.Step) {
		p := make([]*graph.Node, len(m.Params))
		for i, spec := range m.Params {
			p[i] = s.Input(paramInput + spec.Path)
		}
		_, statistics := m.Norm.Train(p, f.batch(s)[0])
		for i, v := range statistics {
			path := m.Norm.Statistics[i].Path
			s.Set(path, graph.Add(s.Get(path), graph.DivScalar(v, f.statisticsSteps())))
		}
	}}
	f.statistics, err = scan.Compile(b, loop, f.noStatistics(), f.withParams(m.Init(0)))
	return err
}

const paramInput = "param:"

func (f *Fitter) statisticsSteps() int { return min(statisticsBatches, f.config.EpochSteps()) }

// noStatistics are zeros, to add to.
func (f *Fitter) noStatistics() scan.Vars {
	out := scan.Vars{}
	for _, s := range f.config.Model.Norm.Statistics {
		out[s.Path] = tensors.FromFlatDataAndDimensions(make([]float32, s.size()), s.Shape...)
	}
	return out
}

// withParams are the inputs of a step of the statistics.
func (f *Fitter) withParams(params scan.Vars) scan.Vars {
	out := maps.Clone(f.inputs)
	for path, v := range params {
		out[paramInput+path] = v
	}
	return out
}

// Fit trains from the seed's first values with the seed's minibatches, and measures the accuracy on the test part. hyper
// replaces the defaults by name; nil: none. A loss that is no longer finite, or a context that ends, is an error; the
// result then holds what was reached.
func (f *Fitter) Fit(ctx context.Context, hyper optim.Hyper, seed uint64) (*FitResult, error) {
	all := optim.Hyper{}
	maps.Copy(all, f.config.Hyper)
	maps.Copy(all, hyper)
	steps, piece := f.config.Steps, f.config.Steps
	if f.config.EachEpoch != nil {
		piece = min(piece, f.config.EpochSteps())
	}
	r, err := f.program.Run(ctx, f.config.Model.Init(seed), f.inputs, all, piece, int64(seed))
	for epoch := 1; ; epoch++ {
		var out *FitResult
		out, err = f.result(ctx, r, err, seed)
		if err == nil && f.config.EachEpoch != nil {
			err = f.config.EachEpoch(Run{all, seed}, epoch, out)
		}
		if err != nil || r.Steps == steps {
			return out, err
		}
		r, err = f.program.Resume(ctx, r, f.inputs, all, min(piece, steps-r.Steps))
	}
}

// result is what a run has reached, with the error that it ended with.
func (f *Fitter) result(ctx context.Context, r *optim.Result, err error, seed uint64) (*FitResult, error) {
	if r == nil {
		return nil, err
	}
	out := &FitResult{Params: r.Params, Traces: r.Traces, Mode: r.Mode, Why: r.Why}
	for _, v := range tensors.MustCopyFlatData[float32](r.Traces["loss"]) {
		out.Losses = append(out.Losses, float64(v))
	}
	if err == nil && r.Status == scan.Interrupted {
		err = fmt.Errorf("nets: Fit: stopped after %d of %d steps: %w", r.Steps, f.config.Steps, ctx.Err())
	}
	if err == nil {
		out.Statistics, err = f.measure(ctx, r.Params, seed)
	}
	if err != nil || f.test == nil {
		return out, err
	}
	_, out.Accuracy, err = f.test.Measure(r.Params, out.Statistics)
	return out, err
}

// measure takes the statistics of batch normalization at parameters; nil where the model has none.
func (f *Fitter) measure(ctx context.Context, params scan.Vars, seed uint64) (scan.Vars, error) {
	if f.statistics == nil {
		return nil, nil
	}
	r, err := f.statistics.Run(ctx, f.noStatistics(), f.withParams(params), f.statisticsSteps(), int64(seed))
	if err != nil {
		return nil, err
	}
	if r.Status == scan.Interrupted {
		return nil, fmt.Errorf("nets: Fit: stopped while the statistics of batch normalization were measured: %w", ctx.Err())
	}
	return r.State, nil
}

// Run is one training run of several.
type Run struct {
	Hyper optim.Hyper
	Seed  uint64
}

// FitAll does several runs, as many at once as there are processors, and returns their results in order. The first error
// ends all.
func (f *Fitter) FitAll(ctx context.Context, runs []Run) ([]*FitResult, error) {
	out := make([]*FitResult, len(runs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, run := range runs {
		group.Go(func() (err error) {
			out[i], err = f.Fit(ctx, run.Hyper, run.Seed)
			return err
		})
	}
	return out, group.Wait()
}
