package dynamics

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/nets"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// NetworkStabilityConfig says what [NewNetworkStability] prepares: a network of one output, and what it is trained on. One
// output is what the bound tr G ≤ 2/η of batch size 1 is for: with k outputs ‖JJᵀ‖_F may be √k times smaller than its trace,
// and the bound is k times weaker.
type NetworkStabilityConfig struct {
	Model nets.Model    // of one output
	Set   *data.Dataset // with Targets
	// Batch is B, fresh draws with replacement a step; 0: all examples, which is gradient descent.
	Batch int
	Clip  float64 // of the gradient's length; 0: none
	Steps int
	Every int // steps between two measurements; default: a tenth of Steps
	// Probes of tr G, four gradients each; see [curvature.Trace].
	Probes curvature.Probes
	// Progress is told the steps done and asked for.
	Progress func(done, total int)
}

// NetworkStability follows tr G while SGD trains a network on half the mean square loss, where G is too large for a kernel:
// by Hutchinson's estimate.
type NetworkStability struct {
	// Note says how G's products are made where that limits their precision.
	Note string

	config  NetworkStabilityConfig
	program *optim.Program
	inputs  scan.Vars
	measure func(ctx context.Context, params scan.Vars) (NetworkSharpness, error)
}

// NetworkSharpness is one measurement, on all examples.
type NetworkSharpness struct {
	Step  int
	Loss  float64
	Trace curvature.TraceEstimate // of G
}

// NetworkRun is a run of [NetworkStability], measured at step 0, Every, 2·Every, …, Steps.
type NetworkRun struct {
	End
	Record []NetworkSharpness
	Params scan.Vars // the last measured weights
}

// NewNetworkStability compiles the training step, in single precision, and the measurements.
func NewNetworkStability(b compute.Backend, c NetworkStabilityConfig) (*NetworkStability, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Every == 0 {
		c.Every = max(c.Steps/10, 1)
	}
	s := &NetworkStability{config: c, inputs: scan.Vars{
		"x": c.Set.Features(), "y": tensors.FromFlatDataAndDimensions(c.Set.Targets, len(c.Set.Targets)),
	}}
	params := c.Model.Init(0)
	if err := s.measurer(b, params, []*tensors.Tensor{s.inputs["x"], s.inputs["y"]}); err != nil {
		return nil, err
	}
	sgd := optim.Chain{optim.ScaleByLearningRate{Rate: 1}}
	if c.Clip > 0 {
		sgd = optim.Chain{optim.ClipByGlobalNorm{MaxNorm: c.Clip}, sgd}
	}
	problem := optim.Problem{
		Loss: func(params, data []*graph.Node) *graph.Node {
			return halfSquare(c.Model.Apply(params, data[0]), data[1])
		},
		Data: c.batch, Loop: scan.Loop{Name: "network stability"},
	}
	var err error
	if s.program, err = optim.Compile(b, sgd, problem, params, s.inputs, optim.Hyper{"learning_rate": {1}}); err != nil {
		return nil, fmt.Errorf("dynamics: NetworkStability: %w", err)
	}
	return s, nil
}

// Run trains with a rate η > 0 from the seed's first weights with the seed's batches. A loss that is no longer finite ends
// the run as diverged. An ended context ends it with its error and the record so far.
func (s *NetworkStability) Run(ctx context.Context, rate float64, seed uint64) (run NetworkRun, err error) {
	if !(rate > 0) || math.IsInf(rate, 0) {
		return run, fmt.Errorf("dynamics: NetworkStability: the rate is %g, must be positive and finite", rate)
	}
	c, hyper := s.config, optim.Hyper{"learning_rate": {rate}}
	result, err := s.program.Run(ctx, c.Model.Init(seed), s.inputs, hyper, 0, int64(seed))
	for {
		switch {
		case errors.Is(err, scan.ErrNonFinite):
			run.End = End{Diverged, result.Steps + 1}
			return run, nil
		case err != nil:
			return run, fmt.Errorf("dynamics: NetworkStability: %w", err)
		case ctx.Err() != nil:
			return run, ctx.Err()
		}
		run.Step, run.Params = result.Steps, result.Params
		at, err2 := s.measure(ctx, run.Params)
		if err2 != nil {
			return run, err2
		}
		at.Step = result.Steps
		run.Record = append(run.Record, at)
		if c.Progress != nil {
			c.Progress(result.Steps, c.Steps)
		}
		if result.Steps == c.Steps {
			return run, nil
		}
		result, err = s.program.Resume(ctx, result, s.inputs, hyper, min(c.Every, c.Steps-result.Steps))
	}
}

// batch is fresh draws, or all examples.
func (c NetworkStabilityConfig) batch(s *scan.Step) []*graph.Node {
	x, y := s.Input("x"), s.Input("y")
	if c.Batch == 0 {
		return []*graph.Node{x, y}
	}
	rows := graph.InsertAxes(s.Integers(len(c.Set.Targets), c.Batch), -1)
	return []*graph.Node{graph.Gather(x, rows), graph.Gather(y, rows)}
}

// halfSquare is half the mean square error of outputs shaped [batch, 1].
func halfSquare(outputs, y *graph.Node) *graph.Node {
	if outputs.Shape().Size() != y.Shape().Size() {
		panic(fmt.Errorf("dynamics: NetworkStability: the model has outputs shaped %s, must have one an example", outputs.Shape()))
	}
	return graph.MulScalar(graph.ReduceAllMean(graph.Square(graph.Sub(graph.Reshape(outputs, y.Shape().Dim(0)), y))), 0.5)
}

// measurer compiles what measures the loss and tr G at weights.
func (s *NetworkStability) measurer(b compute.Backend, params scan.Vars, set []*tensors.Tensor) error {
	c := s.config
	outputs := func(params, data []*graph.Node) *graph.Node { return c.Model.Apply(params, data[0]) }
	gradient, err := curvature.Landscape{
		Loss:   func(params, data []*graph.Node) *graph.Node { return halfSquare(outputs(params, data), data[1]) },
		Params: params, Data: set,
	}.Gradient(b)
	if err != nil {
		return err
	}
	at, err := curvature.Network{Outputs: outputs, Params: params, Data: set}.GaussNewtons(b, curvature.ProductConfig{})
	if err != nil {
		return err
	}
	op, err := at(params)
	if err != nil {
		return err
	}
	s.Note = op.Note
	scratch := make([]float64, op.Dim)
	s.measure = func(ctx context.Context, params scan.Vars) (out NetworkSharpness, err error) {
		if out.Loss, err = gradient(scratch, curvature.Flat(params)); err != nil {
			return out, err
		}
		op, err := at(params)
		if err != nil {
			return out, err
		}
		out.Trace, err = curvature.Trace(ctx, op, c.Probes)
		return out, err
	}
	return nil
}

func (c NetworkStabilityConfig) validate() error {
	if c.Model.Apply == nil || c.Set == nil {
		return errors.New("dynamics: NetworkStability: Model and Set must be set")
	}
	if err := c.Set.Validate(); err != nil {
		return err
	}
	var errs []error
	check := func(ok bool, name string, value any, allowed string) {
		if !ok {
			errs = append(errs, fmt.Errorf("dynamics: NetworkStability: %s is %v, must be %s", name, value, allowed))
		}
	}
	check(len(c.Set.Targets) > 0, "the number of Set's Targets", len(c.Set.Targets), "at least 1: the network is to have one output")
	check(c.Batch >= 0, "Batch", c.Batch, "at least 0")
	check(c.Clip >= 0 && !math.IsInf(c.Clip, 0), "Clip", c.Clip, "at least 0 and finite")
	check(c.Steps >= 0, "Steps", c.Steps, "at least 0")
	check(c.Every >= 0, "Every", c.Every, "at least 0")
	return errors.Join(errs...)
}
