package optim

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Objective is a loss with a memory: what it adds to a plain loss depends on earlier steps. It takes the place of Loss
// in a [Problem] and goes with any [Transform]. Its value is configuration only; the memory is a [State].
//
//	| objective    | adds to the loss                                   | memory                        | passes a step |
//	|--------------|----------------------------------------------------|-------------------------------|---------------|
//	| [Supervised] | nothing                                            | 0                             | 1F + 1B       |
//	| [SAF]        | distance to each example's own outputs epochs ago  | (Lookback+1)·Examples·Classes | 1F + 1B       |
//	| [MESA]       | distance to the outputs of averaged weights        | the weights once more         | 2F + 1B       |
//
// F and B are passes forward and backward through the network. [SAM], which changes the gradient and not the loss,
// takes twice a plain step's. A network with [Buffers] adds them to the memory, and with MESA once more for the teacher.
type Objective interface {
	// Init returns the memory before the first step, in a fixed order.
	Init(params []Param) State

	// Loss builds the objective at values, the parameters or others in their place, on a minibatch: a scalar, or with
	// runs along a leading axis one value a run. It returns the memory after the step too, which the host keeps from
	// the call at the step's own parameters. Loss and Again of s are not set.
	Loss(s *Step, values, data []*graph.Node, memory State) (*graph.Node, State)

	// Validate reports every field that is out of range, joined in one error; nil when there is none.
	Validate() error
}

// lossOnly is a loss without a memory.
type lossOnly func(params, data []*graph.Node) *graph.Node

// Init implements Objective.
func (lossOnly) Init([]Param) State { return nil }

// Loss implements Objective.
func (f lossOnly) Loss(_ *Step, values, data []*graph.Node, _ State) (*graph.Node, State) {
	return f(values, data), nil
}

// Validate implements Objective.
func (lossOnly) Validate() error { return nil }

// Supervised is a loss of a network's outputs, the part that [SAF] and [MESA] build on. By itself it is an objective
// without a memory but the network's own.
type Supervised struct {
	// Outputs of the network for a minibatch, a classifier's logits: [batch, classes], with runs [runs, batch, classes].
	Outputs func(params, data []*graph.Node) *graph.Node
	// Criterion is the loss of such outputs: a scalar, or one value a run.
	Criterion func(outputs *graph.Node, data []*graph.Node) *graph.Node
	// Buffers of a network that has some; its Outputs then take the place of Outputs, which must be nil. nil: none.
	Buffers *Buffers
}

// Buffers are what a network remembers beside its parameters and no gradient reaches, such as the running statistics of
// batch normalization. They follow the pass at the step's own parameters alone: the second pass of [SAM], at others,
// leaves them as they are, as does the evaluation of a teacher. The memory holds "buffer/" + name for each.
type Buffers struct {
	// Init returns the buffers before the first step, in a fixed order.
	Init func(params []Param) State
	// Outputs of the network in training for a minibatch, and the buffers after it, in the order of Init.
	Outputs func(params, buffers, data []*graph.Node) (outputs *graph.Node, after []*graph.Node)
}

// BufferPrefix marks a network's buffers in the memory of an objective.
const BufferPrefix = "buffer/"

var _ Objective = Supervised{}

// Init implements Objective.
func (p Supervised) Init(params []Param) State {
	if p.Buffers == nil {
		return nil
	}
	return prefixed(BufferPrefix, p.Buffers.Init(params))
}

// Loss implements Objective.
func (p Supervised) Loss(_ *Step, values, data []*graph.Node, memory State) (*graph.Node, State) {
	z, after := p.outputs(values, data, memory)
	return p.Criterion(z, data), after
}

// outputs are the network's in training, and its buffers after the minibatch.
func (p Supervised) outputs(values, data []*graph.Node, buffers State) (*graph.Node, State) {
	if p.Buffers == nil {
		return p.Outputs(values, data), nil
	}
	z, after := p.Buffers.Outputs(values, buffers.get(0, len(buffers)), data)
	if len(after) != len(buffers) {
		panic(fmt.Errorf("optim: Buffers: Outputs returned %d, must be %d as from Init", len(after), len(buffers)))
	}
	return z, buffers.with(after)
}

// Validate implements Objective.
func (p Supervised) Validate() error { return p.validate("Supervised") }

func (p Supervised) validate(who string) error {
	var errs []error
	switch {
	case p.Buffers == nil && p.Outputs == nil:
		errs = append(errs, fmt.Errorf("optim: %s: Outputs is nil, must be a function", who))
	case p.Buffers != nil && p.Outputs != nil:
		errs = append(errs, fmt.Errorf("optim: %s: both Outputs and Buffers are set, must be one", who))
	case p.Buffers != nil && (p.Buffers.Init == nil || p.Buffers.Outputs == nil):
		errs = append(errs, fmt.Errorf("optim: %s: Buffers lacks Init or Outputs, must have both", who))
	}
	if p.Criterion == nil {
		errs = append(errs, fmt.Errorf("optim: %s: Criterion is nil, must be a function", who))
	}
	return errors.Join(errs...)
}

// TrajectoryLoss is the distance of two batches of logits, shaped [batch, classes], at a temperature: the mean over the
// batch of
//
//	τ²·KL(p ‖ q),  p = softmax(past/τ), q = softmax(now/τ)
//
// No gradient goes into past; the one of an example's logits now is τ(q − p)/batch. The factor τ², which is the official
// code's and not in the paper's equations, keeps the size of the gradient: with τ → ∞ the loss tends to half the variance
// over classes of the logits' change.
//
// Source: Du et al. (2022), Sharpness-Aware Training for Free, equation 8.
func TrajectoryLoss(past, now *graph.Node, temperature float64) *graph.Node {
	return graph.ReduceAllMean(trajectory(past, now, graph.Scalar(now.Graph(), now.DType(), temperature)))
}

// trajectory is τ²·KL of each row.
func trajectory(past, now, temperature *graph.Node) *graph.Node {
	past = graph.StopGradient(graph.ConvertDType(past, now.DType()))
	logP, logQ := logSoftmax(shrink(past, temperature)), logSoftmax(shrink(now, temperature))
	rows := graph.ReduceSum(graph.Mul(graph.Exp(logP), graph.Sub(logP, logQ)), -1)
	return scale(rows, graph.Square(temperature))
}

// logSoftmax of the last axis; it stays finite for any finite logits.
func logSoftmax(z *graph.Node) *graph.Node {
	z = graph.Sub(z, graph.StopGradient(graph.ReduceAndKeep(z, graph.ReduceMax, -1)))
	return graph.Sub(z, graph.Log(graph.ReduceAndKeep(graph.Exp(z), graph.ReduceSum, -1)))
}

// trajectoryTerm is what SAF and MESA share: λ, τ and the epoch of the first step with the term.
type trajectoryTerm struct {
	method            string
	lambda, tau       float64
	start, epochSteps int
}

func (t trajectoryTerm) validate() error {
	c := check(t.method)
	c.least("Lambda", t.lambda, 0)
	c.positive("Tau", t.tau)
	if t.epochSteps < 1 {
		c.add("EpochSteps is %d, must be at least 1", t.epochSteps)
	}
	return c.join()
}

// epoch of the step, from 0 on.
func (t trajectoryTerm) epoch(s *Step) *graph.Node {
	one := graph.OnesLike(s.Count)
	return graph.Div(graph.Sub(s.Count, one), graph.Scalar(s.Count.Graph(), dtypes.Int64, t.epochSteps))
}

// weight of the term: λ from the epoch start on, 0 before.
func (t trajectoryTerm) weight(s *Step, dtype dtypes.DType) *graph.Node {
	from := s.Hyper("start_epoch", float64(t.start), dtypes.Float64)
	epoch := graph.ConvertDType(t.epoch(s), dtypes.Float64)
	on := graph.ConvertDType(graph.GreaterOrEqual(graph.BroadcastToShape(epoch, shapes.Make(dtypes.Float64, from.Shape().Dimensions...)), from), dtype)
	return graph.Mul(on, s.Hyper("trajectory_weight", t.lambda, dtype))
}
