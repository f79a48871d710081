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
	// Hyper names the hyper-parameters that [Fitter.Fit] may change without compiling again, with their defaults.
	Hyper optim.Hyper
	// Observe may trace more than the loss.
	Observe func(s *scan.Step, o optim.Observation)
	// Progress is told the steps done and asked for.
	Progress func(done, total int)
}

func (c FitConfig) complete() (FitConfig, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("nets: FitConfig: "+format, args...)) }
	if c.Batch == 0 {
		c.Batch = 64
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
		c.Steps = c.Epochs * (c.Train.Rows() / c.Batch)
	}
	if c.Steps < 0 || c.Epochs < 1 {
		bad("Steps is %d and Epochs %d, must not be negative and at least 1", c.Steps, c.Epochs)
	}
	if c.Test != nil && (c.Test.Rows() == 0 || c.Test.Labels == nil) {
		bad("Test must hold labelled examples, or be nil")
	}
	return c, errors.Join(errs...)
}

// Fitter trains one model with one method, again and again, from one compiled program.
type Fitter struct {
	config  FitConfig
	inputs  scan.Vars
	program *optim.Program
	test    *graph.Exec
	x, y    *tensors.Tensor // of the test part
}

// FitResult is a finished training run.
type FitResult struct {
	Losses   []float64 // mean loss of each step's minibatch
	Accuracy float64   // on the test part, in [0, 1]; 0 without one
	Params   scan.Vars
	Traces   scan.Vars // what Observe traced, and "loss"
	Mode     scan.Mode
	Why      string
}

// NewFitter checks the configuration and compiles the training step.
func NewFitter(b compute.Backend, config FitConfig) (*Fitter, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	f := &Fitter{config: config, inputs: scan.Vars{"x": config.Train.Features(), "y": config.Train.LabelTensor()}}
	problem := optim.Problem{
		Data: func(s *scan.Step) []*graph.Node { return s.Batch(config.Batch, "x", "y") },
		Loss: func(params, data []*graph.Node) *graph.Node {
			return CrossEntropy(config.Model.Apply(params, data[0]), data[1])
		},
		Observe: config.Observe,
		Loop:    scan.Loop{Name: config.Model.Name, Progress: config.Progress},
	}
	f.program, err = optim.Compile(b, config.Optimizer, problem, config.Model.Init(0), f.inputs, config.Hyper)
	if err != nil {
		return nil, err
	}
	if config.Test == nil {
		return f, nil
	}
	f.x, f.y = config.Test.Features(), config.Test.LabelTensor()
	f.test, err = graph.NewExec(b, func(nodes []*graph.Node) *graph.Node {
		n := len(config.Model.Params)
		return Correct(config.Model.Apply(nodes[:n], nodes[n]), nodes[n+1])
	})
	return f, err
}

// Fit trains from the seed's first values with the seed's minibatches, and measures the accuracy on the test part. hyper
// replaces the defaults by name; nil: none. A loss that is no longer finite, or a context that ends, is an error; the
// result then holds what was reached.
func (f *Fitter) Fit(ctx context.Context, hyper optim.Hyper, seed uint64) (*FitResult, error) {
	all := optim.Hyper{}
	maps.Copy(all, f.config.Hyper)
	maps.Copy(all, hyper)
	r, err := f.program.Run(ctx, f.config.Model.Init(seed), f.inputs, all, f.config.Steps, int64(seed))
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
	if err != nil || f.test == nil {
		return out, err
	}
	out.Accuracy, err = f.accuracy(r.Params)
	return out, err
}

// accuracy of parameters on the test part.
func (f *Fitter) accuracy(params scan.Vars) (float64, error) {
	args := make([]any, 0, len(params)+2)
	for _, p := range f.config.Model.Params {
		args = append(args, params[p.Path])
	}
	out, err := f.test.Call(append(args, f.x, f.y)...)
	if err != nil {
		return 0, fmt.Errorf("nets: Fit: %w", err)
	}
	return float64(out[0].Value().(int32)) / float64(f.config.Test.Rows()), nil
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
