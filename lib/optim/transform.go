package optim

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Transform turns the updates of a step into better ones: gradients in, steps out.
//
// It is a pair of pure graph functions. A Transform value is configuration only: whatever must last from one step
// to the next lives in the State, so that one value can serve several models, hosts and goroutines at once.
//
// Init and Update run while a graph is built; they panic on misuse, as all graph building does. The hosts ([Compile],
// [Minimize], [GoMLX]) turn such a panic into an error.
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

// Shape of one run's tensor, without the leading axis of runs.
func (p Param) Shape() shapes.Shape {
	s := p.Value.Shape()
	return shapes.Make(s.DType, s.Dimensions[p.Lead:]...)
}

// axes are the tensor's own axes, which a reduction over one run's tensor takes.
func (p Param) axes() []int {
	var axes []int
	for i := p.Lead; i < p.Value.Rank(); i++ {
		axes = append(axes, i)
	}
	return axes
}

// paths of parameters, in their order.
func paths(params []Param) []string {
	out := make([]string, len(params))
	for i, p := range params {
		out[i] = p.Path
	}
	return out
}

// reduce sums x, shaped like the parameter, over one run's tensor: a scalar, or one value a run.
func (p Param) reduce(x *graph.Node) *graph.Node {
	if axes := p.axes(); len(axes) > 0 {
		return graph.ReduceSum(x, axes...)
	}
	return x
}

// Var is one named tensor of a state.
type Var struct {
	Name  string
	Value *graph.Node
}

// State is what a Transform remembers between steps: named tensors in a fixed order. Names are unique within it.
type State []Var

// get returns the values of the k-th group of n tensors: n is the number of parameters, and most states hold one tensor a
// parameter and a purpose, purpose by purpose.
func (st State) get(k, n int) []*graph.Node {
	out := make([]*graph.Node, n)
	for i := range out {
		out[i] = st[k*n+i].Value
	}
	return out
}

// with returns the state with other values, in the same order.
func (st State) with(groups ...[]*graph.Node) State {
	out := make(State, 0, len(st))
	for _, values := range groups {
		for _, v := range values {
			out = append(out, Var{st[len(out)].Name, v})
		}
	}
	return out
}

// zeros is a state of zeros: one tensor a parameter for each purpose.
func zeros(params []Param, purposes ...string) State {
	var out State
	for _, purpose := range purposes {
		for _, p := range params {
			out = append(out, Var{purpose + "/" + p.Path, graph.ZerosLike(p.Value)})
		}
	}
	return out
}

// Step is all that a Transform may see of the training step.
type Step struct {
	Params []Param
	// Count is 1, 2, 3, … as an int64 scalar: it never saturates.
	Count *graph.Node
	// Loss at the current parameters: a scalar, or one value a run; nil with accumulated gradients.
	Loss *graph.Node
	// Again builds the loss at other parameter values, on the same minibatch; nil where the host cannot.
	Again func(values []*graph.Node) *graph.Node

	hyper map[string]*graph.Node // fed by the host, by name
	asked map[string]bool        // what Hyper was asked for
}

// Hyper returns a hyper-parameter as a node: the host's input where it has one of that name (a slider or a grid changes
// it without recompilation), else value as a constant. Its shape is that of a scalar, or one value a run.
func (s *Step) Hyper(name string, value float64, dtype dtypes.DType) *graph.Node {
	if s.asked != nil {
		s.asked[name] = true
	}
	if n, ok := s.hyper[name]; ok {
		return graph.ConvertDType(n, dtype)
	}
	return graph.Scalar(s.Count.Graph(), dtype, value)
}

// decay is an averaging factor β, with 1−β and log β computed in float64 on the host where it is a constant, and from
// an input of 1−β where it is not: 1−β in float32 would lose half its digits.
type decay struct{ beta, rest, log *graph.Node }

// decay returns the averaging factor of that name.
func (s *Step) decay(name string, beta float64, dtype dtypes.DType) decay {
	d := decay{beta: s.Hyper(name, beta, dtype)}
	if n, ok := s.hyper["1-"+name]; ok {
		d.rest = graph.ConvertDType(n, dtype)
		d.log = graph.ConvertDType(graph.Log1P(graph.Neg(n)), dtype)
		return d
	}
	g := s.Count.Graph()
	d.rest = graph.Scalar(g, dtype, 1-beta)
	d.log = graph.Scalar(g, dtype, max(math.Log(beta), -1e30)) // β = 0: finite, so that nothing becomes 0·∞
	return d
}

// average returns β·old + (1−β)·x.
func (d decay) average(old, x *graph.Node) *graph.Node {
	return graph.Add(scale(old, d.beta), scale(x, d.rest))
}

// correction returns 1 − β^t for the step's count plus ahead: what divides an average that began at zero.
func (d decay) correction(s *Step, ahead int) *graph.Node {
	t := graph.ConvertDType(graph.AddScalar(s.Count, ahead), d.log.DType())
	return graph.Neg(graph.Expm1(graph.Mul(t, d.log)))
}

// scale multiplies x by a hyper-parameter or by any value that is a scalar, or one value a run along x's first axis.
func scale(x, by *graph.Node) *graph.Node { return graph.Mul(x, along(by, x)) }

// shrink divides x by such a value.
func shrink(x, by *graph.Node) *graph.Node { return graph.Div(x, along(by, x)) }

// along gives one value a run the rank of x; scalars broadcast by themselves.
func along(v, x *graph.Node) *graph.Node {
	if v.Rank() == 0 || v.Rank() == x.Rank() {
		return v
	}
	dims := make([]int, x.Rank())
	for i := range dims {
		dims[i] = 1
	}
	dims[0] = v.Shape().Dim(0)
	return graph.Reshape(v, dims...)
}

// each applies f to every parameter's update.
func each(updates []*graph.Node, f func(i int, u *graph.Node) *graph.Node) []*graph.Node {
	out := make([]*graph.Node, len(updates))
	for i, u := range updates {
		out[i] = f(i, u)
	}
	return out
}

// Zero is an explicit zero for a field whose 0 means its default: ScaleByAdam{Beta1: optim.Zero} has no momentum.
var Zero = math.Copysign(0, -1)

// or returns the default of a field that was not set.
func or(v, def float64) float64 {
	if v == 0 && !math.Signbit(v) {
		return def
	}
	return v
}

// explicit keeps an argument of 0 from meaning a default.
func explicit(v float64) float64 {
	if v == 0 {
		return Zero
	}
	return v
}

// checks collects errors about the fields of one method.
type checks struct {
	method string
	errs   []error
}

func check(method string) *checks { return &checks{method: method} }

// in demands low ≤ v < high, or v ≤ high where closed.
func (c *checks) in(field string, v, low, high float64, closed bool) {
	if v >= low && (v < high || closed && v == high) {
		return
	}
	end := ")"
	if closed {
		end = "]"
	}
	c.add("%s is %g, must be in [%g, %g%s", field, v, low, high, end)
}

// least demands a finite v ≥ low.
func (c *checks) least(field string, v, low float64) {
	if !(v >= low) || math.IsInf(v, 0) {
		c.add("%s is %g, must be finite and at least %g", field, v, low)
	}
}

// positive demands a finite v > 0.
func (c *checks) positive(field string, v float64) {
	if !(v > 0) || math.IsInf(v, 0) {
		c.add("%s is %g, must be positive and finite", field, v)
	}
}

func (c *checks) add(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("optim: "+c.method+": "+format, args...))
}

func (c *checks) join() error { return errors.Join(c.errs...) }
