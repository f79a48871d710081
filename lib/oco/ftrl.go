package oco

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// OptimisticFTRL is optimistic follow-the-regularized-leader with an adaptive Euclidean regularizer:
//
//	x_t = argmin_{x ∈ X} ⟨Σ_{s<t} g_s + M_t, x⟩ + ‖x‖²/η_t,   η_t = D²/(ν + Σ_{s<t} η_s‖g_s − M_s‖²)
//
// There is no ½ before the regularizer. Its Learner implements [online.Bounded] on a [Ball]: on every run and for each u of it
// Σ⟨g_t, x_t − u⟩ ≤ R²/η_T + ¼·Σ η_t‖g_t − M_t‖².
//
// Source: Sachs, Hadiji, van Erven, Guzmán (2022), Between stochastic and adversarial online convex optimization: improved regret
// bounds via smoothness, Theorem 5; the bound on every run is that of optimistic FTRL in Orabona (2019), A modern introduction
// to online learning, section 7.12.
type OptimisticFTRL struct {
	Over     Domain  // X; required
	Hint     Hint    // M_t; nil: LastGradient
	Diameter float64 // D; 0: of X
	// Nu is ν, above 0; 0 for L·D² + D·G. With 2DG the regret is at most 3√2·DG√T + 4DG, whatever happens.
	Nu         float64
	Gradient   float64 // G, for the default of Nu; above 0 there
	Smoothness float64 // L, likewise; at least 0
}

var _ BoundedRule = OptimisticFTRL{}

func (o OptimisticFTRL) hint() Hint {
	if o.Hint == nil {
		return LastGradient{}
	}
	return o.Hint
}

func (o OptimisticFTRL) diameter(dim int) float64 {
	if o.Diameter != 0 {
		return o.Diameter
	}
	return o.Over.Diameter(dim)
}

func (o OptimisticFTRL) nu(diameter float64) float64 {
	if o.Nu != 0 {
		return o.Nu
	}
	return o.Smoothness*diameter*diameter + diameter*o.Gradient
}

// Start returns a fresh learner.
func (o OptimisticFTRL) Start(dim int) (Learner, error) {
	if dim < 1 {
		return nil, fmt.Errorf("oco: OptimisticFTRL: dim is %d, must be at least 1", dim)
	}
	if o.Over == nil {
		return nil, errors.New("oco: OptimisticFTRL: Over is nil, must be a domain, e.g. a Ball")
	}
	errs := []error{o.Over.Validate(dim), atLeast0("OptimisticFTRL", "Diameter", o.Diameter), atLeast0("OptimisticFTRL", "Nu", o.Nu),
		atLeast0("OptimisticFTRL", "Smoothness", o.Smoothness), atLeast0("OptimisticFTRL", "Gradient", o.Gradient)}
	if o.Nu == 0 {
		errs = append(errs, above0("OptimisticFTRL", "Gradient", o.Gradient))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	d := o.diameter(dim)
	if !(d > 0) || math.IsInf(d, 1) {
		return nil, fmt.Errorf("oco: OptimisticFTRL: the diameter of %T is %g, must be above 0 and finite: give a Diameter", o.Over, d)
	}
	f := &ftrl{over: o.Over, guess: o.hint(), square: d * d, start: o.nu(d), sum: make([]float64, dim), hint: make([]float64, dim), point: make([]float64, dim)}
	f.weight = f.start
	if ball, ok := o.Over.(Ball); ok {
		f.radius = ball.Radius
	}
	return f, nil
}

// ftrl is OptimisticFTRL at work.
type ftrl struct {
	over   Domain
	guess  Hint
	square float64 // D²
	start  float64 // ν
	radius float64 // of a ball; 0: something else
	weight float64 // ν + Σ η_s‖g_s − M_s‖² = D²/η_t
	before float64 // the weight of the round before
	round  int
	sum    []float64 // Σ g_s
	hint   []float64
	point  []float64
}

var _ online.Bounded = (*ftrl)(nil)

// Act returns x_t, the projection of −(η_t/2)·(Σ g + M_t).
func (f *ftrl) Act(online.None) ([]float64, error) {
	floats.AddTo(f.point, f.sum, f.hint)
	floats.Scale(-f.square/f.weight/2, f.point)
	f.over.Project(f.point)
	return f.point, nil
}

// Learn takes g_t.
func (f *ftrl) Learn(g []float64) error {
	if err := checkGradient("OptimisticFTRL", len(f.sum), g); err != nil {
		return fmt.Errorf("round %d: %w", f.round+1, err)
	}
	f.round++
	distance := floats.Distance(g, f.hint, 2)
	f.before = f.weight
	f.weight += f.square / f.weight * distance * distance
	floats.Add(f.sum, g)
	f.guess.Guess(f.hint, g, f.round)
	return nil
}

// Bound is R²/η_T + ¼·Σ η_t‖g_t − M_t‖² on a ball; +Inf elsewhere.
func (f *ftrl) Bound() float64 {
	if f.radius == 0 {
		return math.Inf(1)
	}
	return f.radius*f.radius*f.before/f.square + (f.weight-f.start)/4
}

// Numbers are D (0 for the domain's), ν where it is given, G and L.
func (o OptimisticFTRL) Numbers() []float64 {
	return []float64{o.Diameter, o.Nu, o.Gradient, o.Smoothness}
}

// Memory holds Σ g, M_t, and of ν + Σ η‖g − M‖² the sum and its last two values.
func (o OptimisticFTRL) Memory(dim int) scan.Vars {
	return scan.Vars{"sum": zeros(dim), "hint": zeros(dim), "grown": zeros(1), "before": zeros(1)}
}

// squareAndNu are D² and ν of each run, [runs, 1].
func (o OptimisticFTRL) squareAndNu(r *Round, dim int) (square, nu *graph.Node) {
	numbers := r.Numbers()
	or := func(x, otherwise *graph.Node) *graph.Node {
		return graph.Where(graph.GreaterThan(x, graph.ZerosLike(x)), x, otherwise)
	}
	d := or(numbers[0], graph.AddScalar(graph.ZerosLike(numbers[0]), o.Over.Diameter(dim)))
	square = graph.Square(d)
	return square, or(numbers[1], graph.Add(graph.Mul(numbers[3], square), graph.Mul(d, numbers[2])))
}

// ActNode is x_t.
func (o OptimisticFTRL) ActNode(r *Round) *graph.Node {
	sum := graph.Add(r.Get("sum"), r.Get("hint"))
	square, nu := o.squareAndNu(r, sum.Shape().Dim(1))
	rate := graph.Div(square, graph.Add(nu, r.Get("grown")))
	return o.Over.ProjectNode(graph.Mul(graph.MulScalar(rate, -0.5), sum))
}

// LearnNode takes g_t.
func (o OptimisticFTRL) LearnNode(r *Round, g *graph.Node) {
	square, nu := o.squareAndNu(r, g.Shape().Dim(1))
	grown := r.Get("grown")
	weight := graph.Add(nu, grown)
	r.Set("before", weight)
	r.Set("grown", graph.Add(grown, graph.Mul(graph.Div(square, weight), squares(graph.Sub(g, r.Get("hint"))))))
	r.Set("sum", graph.Add(r.Get("sum"), g))
	r.Set("hint", o.hint().GuessNode(r.Get("hint"), g, r.Count()))
}

// BoundNode is the bound in a graph; nil where the domain is not a ball.
func (o OptimisticFTRL) BoundNode(r *Round) *graph.Node {
	ball, ok := o.Over.(Ball)
	if !ok {
		return nil
	}
	square, _ := o.squareAndNu(r, 1) // a ball's diameter is the same in all dimensions
	return graph.Add(graph.Div(graph.MulScalar(r.Get("before"), ball.Radius*ball.Radius), square), graph.MulScalar(r.Get("grown"), 0.25))
}

// ExpectedBound is the paper's, on the expected static regret against an [SEA] with the cumulative variance σ²_{1:T} and
// variation Σ²_{1:T}: D·(6√σ²_{1:T} + 3√2·√Σ²_{1:T}) + (3√2/2)·DG + ν + (4D²G² + 9L²D⁴)/ν, in dim dimensions.
//
// Source: Sachs, Hadiji, van Erven, Guzmán (2022), Theorem 5.
func (o OptimisticFTRL) ExpectedBound(dim int, variance, variation float64) float64 {
	d, g, l := o.diameter(dim), o.Gradient, o.Smoothness
	nu := o.nu(d)
	return d*(6*math.Sqrt(variance)+3*math.Sqrt2*math.Sqrt(variation)) + 1.5*math.Sqrt2*d*g + nu + (4*d*d*g*g+9*l*l*d*d*d*d)/nu
}
