package optim

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Transform turns the updates of a step into better ones: gradients in, steps out.
//
// It is a pair of pure graph functions. A Transform value is configuration only: whatever must last from one step
// to the next lives in the State, so that one value can serve several models, hosts and goroutines at once.
//
// Init and Update run while a graph is built; they panic on misuse, as all graph building does. The hosts ([Trainer],
// [Loop]) turn such a panic into an error.
type Transform interface {
	// Init returns the state before the first step, in a fixed order.
	Init(params []Param) State

	// Update returns the new updates, aligned with s.Params, and the new state, aligned with state.
	Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State)

	// Validate reports every field that is out of range, joined in one error; nil when there is none.
	Validate() error
}

// Param is one trainable tensor.
type Param struct {
	Path  string      // slash separated, unique in the model, e.g. "dense_1/weights"
	Value *graph.Node // its current value
	// Lead is the number of leading axes (0 or 1) that index independent runs (seeds, grid points) trained together.
	// Reductions over a parameter must keep them; the rest of the shape is the tensor's own.
	Lead int
}

// Shape of one run's tensor, without the leading axes.
func (p Param) Shape() shapes.Shape {
	s := p.Value.Shape()
	return shapes.Make(s.DType, s.Dimensions[p.Lead:]...)
}

// Var is one named tensor of a state.
type Var struct {
	Name  string
	Value *graph.Node
}

// State is what a Transform remembers between steps: named tensors in a fixed order.
type State []Var

// Step is all that a Transform may see of the training step.
type Step struct {
	Params []Param
	// Count is 1, 2, 3, … as an int64 scalar: it never saturates.
	Count *graph.Node
	// Loss at the current parameters: a scalar (or one value a run with Lead 1); nil with accumulated gradients.
	Loss *graph.Node
	// Again builds the loss at other parameter values; nil where the host cannot. See [NeedsLoss].
	Again func(values []*graph.Node) *graph.Node

	// hyper holds the hyper-parameters that the host feeds as graph inputs, by name. See [Step.Hyper].
	hyper map[string]*graph.Node
}

// Hyper returns the hyper-parameter as a node: the host's input where there is one of that name (a slider or a grid
// changes it without recompilation), else value as a constant. Its shape is that of a scalar, or one value a run.
func (s *Step) Hyper(name string, value float64, dtype dtypes.DType) *graph.Node {
	if n, ok := s.hyper[name]; ok {
		return graph.ConvertDType(n, dtype)
	}
	return graph.Scalar(s.Count.Graph(), dtype, value)
}
