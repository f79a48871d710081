package optim

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// ScaleByMuon orthogonalizes the momentum of matrices: all singular values of the direction become nearly equal. Use it
// for the matrices inside a network and Adam for the rest, as [Muon] does. State: 1 number a parameter.
//
// Momentum is an average with bias correction, as in optax. Parameters of other than two axes are an error.
// Hyper-parameter: "momentum". Source: Jordan et al. (2024), Muon: An Optimizer for Hidden Layers.
type ScaleByMuon struct {
	Momentum float64 // in [0, 1); default 0.95
	// Plain leaves the look-ahead (Nesterov) out.
	Plain bool
	Steps int     // of the Newton–Schulz iteration, at least 1; default 5
	Eps   float64 // added to the norm, at least 0; default 1e-8
}

var _ Transform = ScaleByMuon{}

// Init implements Transform.
func (m ScaleByMuon) Init(params []Param) State {
	c := check("ScaleByMuon")
	for _, p := range params {
		if p.Shape().Rank() != 2 {
			c.add("parameter %q is %s, must be a matrix; give it to another method with a Partition", p.Path, p.Shape())
		}
	}
	if err := c.join(); err != nil {
		panic(err)
	}
	return zeros(params, "momentum")
}

// Update implements Transform.
func (m ScaleByMuon) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	old := state.get(0, len(updates))
	beta := func(g *graph.Node) decay { return s.decay("momentum", or(m.Momentum, 0.95), g.DType()) }
	buffers := each(updates, func(i int, g *graph.Node) *graph.Node { return beta(g).average(old[i], g) })
	return each(updates, func(i int, g *graph.Node) *graph.Node {
		b := beta(g)
		direction := shrink(buffers[i], b.correction(s, 0))
		if !m.Plain {
			direction = graph.Add(scale(shrink(buffers[i], b.correction(s, 1)), b.beta), scale(shrink(g, b.correction(s, 0)), b.rest))
		}
		return m.orthogonalize(direction, s.Params[i].Lead)
	}), state.with(buffers)
}

// muonCoefficients of the quintic a·x + b·x³ + c·x⁵ per step; they push singular values into [0.7, 1.2] fast rather than
// to 1 exactly.
var muonCoefficients = [3]float64{3.4445, -4.7750, 2.0315}

// orthogonalize runs the Newton–Schulz iteration on matrices behind lead leading axes.
func (m ScaleByMuon) orthogonalize(x *graph.Node, lead int) *graph.Node {
	shape := x.Shape()
	if lead == 0 {
		x = graph.InsertAxes(x, 0)
	}
	rows, columns := shape.Dimensions[lead], shape.Dimensions[lead+1]
	if rows > columns {
		x = graph.TransposeAllAxes(x, 0, 2, 1)
	}
	norm := graph.AddScalar(graph.Sqrt(graph.ReduceSum(graph.Square(x), 1, 2)), or(m.Eps, 1e-8))
	x = quotient(x, graph.BroadcastToDims(along(norm, x), x.Shape().Dimensions...))
	a, b, c := muonCoefficients[0], muonCoefficients[1], muonCoefficients[2]
	for range m.steps() {
		gram := graph.Einsum("bij,bkj->bik", x, x)
		inner := graph.Add(graph.MulScalar(gram, b), graph.MulScalar(graph.Einsum("bij,bjk->bik", gram, gram), c))
		x = graph.Add(graph.MulScalar(x, a), graph.Einsum("bij,bjk->bik", inner, x))
	}
	if rows > columns {
		x = graph.TransposeAllAxes(x, 0, 2, 1)
	}
	return graph.Reshape(x, shape.Dimensions...)
}

func (m ScaleByMuon) steps() int {
	if m.Steps == 0 {
		return 5
	}
	return m.Steps
}

// Validate implements Transform.
func (m ScaleByMuon) Validate() error {
	c := check("ScaleByMuon")
	c.in("Momentum", m.Momentum, 0, 1, false)
	if m.Steps < 0 {
		c.add("Steps is %d, must be at least 1 (0 means 5)", m.Steps)
	}
	c.least("Eps", m.Eps, 0)
	return c.join()
}

// ScaleByAspect multiplies matrices by √max(1, outputs/inputs), so that one learning rate fits all shapes. A matrix is
// stored inputs × outputs, as GoMLX does.
type ScaleByAspect struct{ stateless }

var _ Transform = ScaleByAspect{}

// Update implements Transform.
func (ScaleByAspect) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(i int, u *graph.Node) *graph.Node {
		shape := s.Params[i].Shape()
		if shape.Rank() != 2 {
			return u
		}
		return graph.MulScalar(u, math.Sqrt(math.Max(1, float64(shape.Dim(1))/float64(shape.Dim(0)))))
	}), nil
}

// Validate implements Transform.
func (ScaleByAspect) Validate() error { return nil }

// Muon orthogonalizes the momentum of matrices and gives all other parameters to NAdam, as optax does. Embeddings and
// output heads are matrices too: give them to Adam with a [Partition] of your own where that matters.
func Muon(rate float64) Chain {
	return ready(rate, Partition{
		{Name: "matrices", Where: Matrices, Transform: Chain{ScaleByMuon{}, ScaleByAspect{}}},
		{Name: "rest", Transform: ScaleByAdam{Nesterov: true}},
	}.orOnly())
}
