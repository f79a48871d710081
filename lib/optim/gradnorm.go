package optim

import (
	"github.com/gomlx/gomlx/core/graph"
)

// GradNorm standardizes a matrix over one axis: (g − mean)/√(variance + ε²). Each column of weights stored inputs ×
// outputs, that is the gradient of one output unit over its inputs, then has mean 0 and deviation 1, and the whole matrix
// the norm √(m·n). A constant column becomes 0. No state.
//
// Steps in this direction never change the mean over Axis: with [GradWhiten] after it too, each column sum of the
// weights stays what it was. Parameters of other than two axes, or of one entry along Axis, are an error.
//
// Source: Ma et al. (2025), SWAN: SGD with Normalization and Whitening Enables Stateless LLM Training, section 3.
type GradNorm struct {
	// Axis is averaged over: 0, the inputs of weights stored inputs × outputs (the default), or 1, the inputs where they
	// are stored outputs × inputs.
	Axis int
	Eps  float64 // ε above 0; default 1e-8
}

var _ Transform = GradNorm{}

// Init implements Transform.
func (n GradNorm) Init(params []Param) State {
	c := check("GradNorm")
	for _, p := range params {
		if c.matrix(p) && p.Shape().Dim(n.Axis) < 2 {
			c.add("parameter %q is %s, must have at least 2 entries along axis %d: standardizing one leaves 0; give it to another method with a Partition", p.Path, p.Shape(), n.Axis)
		}
	}
	if err := c.join(); err != nil {
		panic(err)
	}
	return nil
}

// Update implements Transform.
func (n GradNorm) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	eps := or(n.Eps, 1e-8)
	return each(updates, func(i int, u *graph.Node) *graph.Node {
		axis := s.Params[i].Lead + n.Axis
		x := accumulated(u)
		// The second time takes off what rounding left: equal entries must not become noise of size 1.
		for range 2 {
			x = graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, axis))
		}
		variance := graph.ReduceAndKeep(graph.Square(x), graph.ReduceMean, axis)
		return graph.ConvertDType(graph.Div(x, graph.Sqrt(graph.AddScalar(variance, eps*eps))), u.DType())
	}), nil
}

// Validate implements Transform.
func (n GradNorm) Validate() error {
	c := check("GradNorm")
	if n.Axis != 0 && n.Axis != 1 {
		c.add("Axis is %d, must be 0 or 1", n.Axis)
	}
	c.positive("Eps", or(n.Eps, 1e-8))
	return c.join()
}

// matrix says whether a parameter is one, and adds an error where it is not.
func (c *checks) matrix(p Param) bool {
	if p.Shape().Rank() == 2 {
		return true
	}
	c.add("parameter %q is %s, must be a matrix; give it to another method with a Partition", p.Path, p.Shape())
	return false
}

// RestoreNorm gives the updates of Inner the Frobenius norms that they had before it, tensor by tensor: what Inner made
// zero stays zero. State: Inner's.
type RestoreNorm struct {
	Inner Transform
}

var _ Transform = RestoreNorm{}

// Init implements Transform.
func (r RestoreNorm) Init(params []Param) State { return r.Inner.Init(params) }

// Update implements Transform.
func (r RestoreNorm) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	out, state := r.Inner.Update(s, updates, state)
	return each(out, func(i int, u *graph.Node) *graph.Node {
		x := accumulated(u)
		factor := quotient(rms(s.Params[i], accumulated(updates[i])), rms(s.Params[i], x))
		return graph.ConvertDType(scale(x, factor), u.DType())
	}), state
}

// Validate implements Transform.
func (r RestoreNorm) Validate() error {
	return check("RestoreNorm").inner(r.Inner)
}

// UsesAgain says whether Inner asks for the loss at other weights.
func (r RestoreNorm) UsesAgain() bool { return usesAgain(r.Inner) }

// NormalizeRMS gives each tensor's update the root mean square 1, its Frobenius norm the root of its size: only the
// direction is left. Zero stays zero. No state.
type NormalizeRMS struct{ stateless }

var _ Transform = NormalizeRMS{}

// Update implements Transform.
func (NormalizeRMS) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(i int, u *graph.Node) *graph.Node {
		x := accumulated(u)
		size := along(rms(s.Params[i], x), x)
		return graph.ConvertDType(quotient(x, graph.BroadcastToDims(size, x.Shape().Dimensions...)), u.DType())
	}), nil
}

// Validate implements Transform.
func (NormalizeRMS) Validate() error { return nil }
