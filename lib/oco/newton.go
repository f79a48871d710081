package oco

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// OnlineNewton is the (optimistic) online Newton step, for α-exp-concave losses: mirror descent with ψ_t = ½‖x‖²_{H_t},
//
//	H_t = (1 + βG²/2)·I + (β/2)·Σ_{s<t} g_s g_sᵀ,   β = ½·min{1/(4GD), α}
//	x_t     = Π^{H_t}_X(x̂_t − H_t⁻¹ M_t)
//	x̂_{t+1} = Π^{H_t}_X(x̂_t − H_t⁻¹ g_t)
//
// with projections in the norm of H_t. Without a hint it is the online Newton step itself. A round takes time of order d³ and
// memory of order d².
//
// Source: Hazan, Agarwal, Kale (2007), Logarithmic regret algorithms for online convex optimization; Chen, Zhang, Tu, Zhao,
// Zhang (2024), Optimistic online mirror descent for bridging stochastic and adversarial online convex optimization, section 3
// (where the constant stands in H_t is from memory).
type OnlineNewton struct {
	Over      MetricDomain // X; required, and bounded unless Diameter is given
	Hint      Hint         // M_t; nil: NoHint
	Gradient  float64      // G, bound of the gradients' norms; above 0
	Concavity float64      // α; above 0
	Diameter  float64      // D; 0: of X
	From      []float64    // x̂_1, a point of X; nil: the domain's center
}

var _ Rule = OnlineNewton{}

// OptimisticNewton is the online Newton step with the last gradient as its hint.
func OptimisticNewton(over MetricDomain, gradient, concavity float64) OnlineNewton {
	return OnlineNewton{Over: over, Hint: LastGradient{}, Gradient: gradient, Concavity: concavity}
}

func (o OnlineNewton) hint() Hint {
	if o.Hint == nil {
		return NoHint{}
	}
	return o.Hint
}

// beta is β in dim dimensions.
func (o OnlineNewton) beta(dim int) float64 {
	d := o.Diameter
	if d == 0 {
		d = o.Over.Diameter(dim)
	}
	return math.Min(1/(4*o.Gradient*d), o.Concavity) / 2
}

func (o OnlineNewton) validate(dim int) error {
	if dim < 1 {
		return fmt.Errorf("oco: OnlineNewton: dim is %d, must be at least 1", dim)
	}
	if o.Over == nil {
		return errors.New("oco: OnlineNewton: Over is nil, must be a domain, e.g. a Ball")
	}
	if err := errors.Join(o.Over.Validate(dim), above0("OnlineNewton", "Gradient", o.Gradient), above0("OnlineNewton", "Concavity", o.Concavity),
		atLeast0("OnlineNewton", "Diameter", o.Diameter), checkFrom("OnlineNewton", o.Over, o.From, dim)); err != nil {
		return err
	}
	if beta := o.beta(dim); !(beta > 0) || math.IsInf(o.Gradient*o.Gradient, 1) {
		return fmt.Errorf("oco: OnlineNewton: β = ½·min{1/(4GD), α} is %g with G = %g, must be above 0: give a finite Diameter", beta, o.Gradient)
	}
	return nil
}

// Start returns a fresh learner.
func (o OnlineNewton) Start(dim int) (Learner, error) {
	if err := o.validate(dim); err != nil {
		return nil, err
	}
	n := &newton{over: o.Over, guess: o.hint(), beta: o.beta(dim), metric: newMetric(dim), anchor: startAt(o.Over, o.From, dim),
		hint: make([]float64, dim), point: make([]float64, dim), target: make([]float64, dim)}
	_, n.plain = n.guess.(NoHint)
	for i := range dim {
		n.metric.H.Data[i*dim+i] = 1 + n.beta/2*o.Gradient*o.Gradient
	}
	return n, nil
}

// newton is OnlineNewton at work.
type newton struct {
	over    MetricDomain
	guess   Hint
	plain   bool // no hint
	beta    float64
	metric  *Metric // H_t
	round   int
	squares float64   // Σ‖g_s‖²
	anchor  []float64 // x̂_t
	hint    []float64 // M_t
	point   []float64 // x_t
	target  []float64 // H x̂ − the gradient or hint
}

// step writes Π^H(x̂ − H⁻¹g) to dst, which may be x̂ itself.
func (n *newton) step(dst, g []float64) {
	n.metric.multiply(n.target, n.anchor)
	floats.Sub(n.target, g)
	n.over.Minimize(dst, n.target, n.metric)
}

// Act returns x_t.
func (n *newton) Act(online.None) ([]float64, error) {
	if n.plain {
		copy(n.point, n.anchor)
		return n.point, nil
	}
	n.step(n.point, n.hint)
	return n.point, nil
}

// Learn takes g_t.
func (n *newton) Learn(g []float64) error {
	if err := checkGradient("OnlineNewton", len(n.anchor), g); err != nil {
		return fmt.Errorf("round %d: %w", n.round+1, err)
	}
	squares := n.squares + floats.Dot(g, g)
	if math.IsInf(squares, 1) {
		return fmt.Errorf("oco: OnlineNewton: round %d: the gradients' squared norms sum to more than float64 holds", n.round+1)
	}
	n.step(n.anchor, g)
	blas64.Syr(n.beta/2, blas64.Vector{N: len(g), Data: g, Inc: 1}, n.metric.H)
	n.squares = squares
	n.round++
	n.guess.Guess(n.hint, g, n.round)
	return nil
}

// Numbers are G, α and D, 0 for the domain's.
func (o OnlineNewton) Numbers() []float64 { return []float64{o.Gradient, o.Concavity, o.Diameter} }

// Memory holds x̂_t, M_t and Σ g gᵀ.
func (o OnlineNewton) Memory(dim int) scan.Vars {
	return scan.Vars{"anchor": tensors.FromFlatDataAndDimensions(startAt(o.Over, o.From, dim), dim), "hint": zeros(dim), "outer": zeros(dim, dim)}
}

// betaNode is β of each run, [runs, 1].
func (o OnlineNewton) betaNode(r *Round, dim int) *graph.Node {
	numbers := r.Numbers()
	own := graph.AddScalar(graph.ZerosLike(numbers[2]), o.Over.Diameter(dim))
	diameter := graph.Where(graph.GreaterThan(numbers[2], graph.ZerosLike(own)), numbers[2], own)
	return graph.MulScalar(graph.Min(graph.Div(graph.OnesLike(diameter), graph.MulScalar(graph.Mul(numbers[0], diameter), 4)), numbers[1]), 0.5)
}

// stepNode is step in a graph.
func (o OnlineNewton) stepNode(r *Round, g *graph.Node) *graph.Node {
	anchor, outer := r.Get("anchor"), r.Get("outer")
	half := graph.MulScalar(o.betaNode(r, g.Shape().Dim(1)), 0.5)
	scale := graph.OnePlus(graph.Mul(half, graph.Square(r.Numbers()[0])))
	h := graph.Add(graph.Einsum("rk,ij->rij", scale, identity(g.Graph(), g.Shape().Dim(1))), graph.Mul(graph.InsertAxes(half, -1), outer))
	return o.Over.MinimizeNode(h, graph.Sub(graph.Einsum("rij,rj->ri", h, anchor), g))
}

// ActNode is x_t.
func (o OnlineNewton) ActNode(r *Round) *graph.Node {
	if _, plain := o.hint().(NoHint); plain {
		return r.Get("anchor")
	}
	return o.stepNode(r, r.Get("hint"))
}

// LearnNode takes g_t.
func (o OnlineNewton) LearnNode(r *Round, g *graph.Node) {
	r.Set("anchor", o.stepNode(r, g))
	r.Set("outer", graph.Add(r.Get("outer"), graph.Einsum("ri,rj->rij", g, g)))
	r.Set("hint", o.hint().GuessNode(r.Get("hint"), g, r.Count()))
}
