package nets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// LanguageConfig says what [NewLanguageTrainer] prepares: a language model, a method, and a source of fresh sequences.
type LanguageConfig struct {
	Model     Model // from tokens to logits, e.g. [GPT]; its vocabulary is the source's
	Optimizer optim.Transform
	Source    *data.TokenSource
	Batch     int // sequences a step; default 32
	Steps     int // default 300
	// Hyper names the hyper-parameters that a [Run] may change without compiling again, with their defaults.
	Hyper optim.Hyper
	// Observe may trace more than the loss.
	Observe func(s *scan.Step, o optim.Observation)
	// Progress is told the steps done and asked for.
	Progress func(done, total int)
}

func (c LanguageConfig) complete() (LanguageConfig, error) {
	if c.Batch == 0 {
		c.Batch = 32
	}
	if c.Steps == 0 {
		c.Steps = 300
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("nets: LanguageConfig: "+format, args...))
	}
	if c.Model.Apply == nil {
		bad("Model is empty")
	}
	if c.Optimizer == nil {
		bad("Optimizer is nil")
	}
	if c.Source == nil {
		bad("Source is nil, must be a token source such as data.PAIR16()")
	}
	if c.Batch < 1 || c.Steps < 1 {
		bad("Batch is %d and Steps %d, must be at least 1", c.Batch, c.Steps)
	}
	return c, errors.Join(errs...)
}

// LanguageTrainer trains one language model with one method, again and again, from one compiled program.
type LanguageTrainer struct {
	config     LanguageConfig
	program    *optim.Program
	validation *graph.Exec
	held       *tensors.Tensor // validation sequences
}

// LanguageResult is a finished training run.
type LanguageResult struct {
	Losses     []float64 // mean loss of each step's minibatch, nats a token
	Validation float64   // mean loss on the source's validation sequences, nats a token; +Inf where the run diverged
	Diverged   int       // the first step whose loss was not finite; 0: none
	Params     scan.Vars
	State      scan.Vars // of the optimizer
	Traces     scan.Vars // "loss" and what Observe traced
}

// NewLanguageTrainer checks the configuration and compiles the training step.
func NewLanguageTrainer(b compute.Backend, config LanguageConfig) (*LanguageTrainer, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	t := &LanguageTrainer{config: config}
	inputs, err := t.inputs(0)
	if err != nil {
		return nil, err
	}
	problem := optim.Problem{
		Data: func(s *scan.Step) []*graph.Node {
			step := graph.ConvertDType(graph.AddScalar(s.Count(), -1), dtypes.Int32)
			return []*graph.Node{graph.Gather(s.Input("tokens"), graph.ExpandAxes(step, 0))}
		},
		Loss: func(params, data []*graph.Node) *graph.Node {
			return NextToken(config.Model, params, data[0])
		},
		Observe: config.Observe,
		Loop:    scan.Loop{Name: config.Model.Name, Progress: config.Progress},
	}
	t.program, err = optim.Compile(b, config.Optimizer, problem, config.Model.Init(0), inputs, config.Hyper)
	if err != nil {
		return nil, err
	}
	held := config.Source.Validation()
	t.held = tensors.FromFlatDataAndDimensions(held, len(held)/data.SequenceLength, data.SequenceLength)
	if err := onDevice(b, []*tensors.Tensor{t.held}); err != nil {
		return nil, err
	}
	t.validation, err = graph.NewExec(b, func(nodes []*graph.Node) *graph.Node {
		n := len(config.Model.Params)
		return NextToken(config.Model, nodes[:n], nodes[n])
	})
	return t, err
}

// inputs are the training sequences of all steps, shaped [steps, batch, length].
func (t *LanguageTrainer) inputs(seed uint64) (scan.Vars, error) {
	tokens, err := t.config.Source.Training(seed, 0, t.config.Steps*t.config.Batch)
	if err != nil {
		return nil, err
	}
	return scan.Vars{"tokens": tensors.FromFlatDataAndDimensions(tokens, t.config.Steps, t.config.Batch, data.SequenceLength)}, nil
}

// Train trains from the seed's first weights on the seed's stream of sequences. A run that diverges is a result and no
// error; a context that ends is an error.
func (t *LanguageTrainer) Train(ctx context.Context, run Run) (*LanguageResult, error) {
	inputs, err := t.inputs(run.Seed)
	if err != nil {
		return nil, err
	}
	hyper := optim.Hyper{}
	maps.Copy(hyper, t.config.Hyper)
	maps.Copy(hyper, run.Hyper)
	r, err := t.program.Run(ctx, t.config.Model.Init(run.Seed), inputs, hyper, t.config.Steps, int64(run.Seed))
	if r == nil {
		return nil, err
	}
	out := &LanguageResult{Params: r.Params, State: r.State, Traces: r.Traces}
	for _, v := range tensors.MustCopyFlatData[float32](r.Traces["loss"]) {
		out.Losses = append(out.Losses, float64(v))
	}
	var diverged *scan.NonFiniteError
	switch {
	case errors.As(err, &diverged):
		out.Diverged, out.Validation = diverged.Step, math.Inf(1)
		return out, nil
	case err != nil:
		return out, err
	case r.Status == scan.Interrupted:
		return out, fmt.Errorf("nets: Train: stopped after %d of %d steps: %w", r.Steps, t.config.Steps, ctx.Err())
	}
	out.Validation, err = t.validate(r.Params)
	return out, err
}

// validate returns the mean loss on the held-out sequences.
func (t *LanguageTrainer) validate(params scan.Vars) (float64, error) {
	args := make([]any, 0, len(params)+1)
	for _, p := range t.config.Model.Params {
		args = append(args, params[p.Path])
	}
	out, err := t.validation.Call(append(args, t.held)...)
	if err != nil {
		return 0, fmt.Errorf("nets: Train: %w", err)
	}
	return float64(out[0].Value().(float32)), nil
}

// TrainAll does several runs, as many at once as there are processors, and returns their results in order. The first
// error ends all.
func (t *LanguageTrainer) TrainAll(ctx context.Context, runs []Run) ([]*LanguageResult, error) {
	out := make([]*LanguageResult, len(runs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, run := range runs {
		group.Go(func() (err error) {
			out[i], err = t.Train(ctx, run)
			return err
		})
	}
	return out, group.Wait()
}
