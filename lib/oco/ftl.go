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

// OptimisticFTL is optimistic follow-the-leader on quadratic lower bounds of λ-strongly convex losses:
//
//	x_t = argmin_{x ∈ X} Σ_{s<t} [⟨g_s, x⟩ + (λ/2)‖x − x_s‖²] + ⟨M_t, x⟩
//
// which is the projection of (Σ_{s<t} (λx_s − g_s) − M_t)/(λ(t−1)). The first point is the one closest to the origin.
//
// Source: Sachs, Hadiji, van Erven, Guzmán (2022), Between stochastic and adversarial online convex optimization: improved regret
// bounds via smoothness, Theorem 7.
type OptimisticFTL struct {
	Over      Domain  // X; required
	Hint      Hint    // M_t; nil: LastGradient
	Convexity float64 // λ; above 0
}

var _ Rule = OptimisticFTL{}

func (o OptimisticFTL) hint() Hint {
	if o.Hint == nil {
		return LastGradient{}
	}
	return o.Hint
}

// Start returns a fresh learner.
func (o OptimisticFTL) Start(dim int) (Learner, error) {
	if dim < 1 {
		return nil, fmt.Errorf("oco: OptimisticFTL: dim is %d, must be at least 1", dim)
	}
	if o.Over == nil {
		return nil, errors.New("oco: OptimisticFTL: Over is nil, must be a domain, e.g. a Ball")
	}
	if err := errors.Join(o.Over.Validate(dim), above0("OptimisticFTL", "Convexity", o.Convexity)); err != nil {
		return nil, err
	}
	return &ftl{over: o.Over, guess: o.hint(), convexity: o.Convexity, sum: make([]float64, dim), hint: make([]float64, dim), point: make([]float64, dim)}, nil
}

// ftl is OptimisticFTL at work.
type ftl struct {
	over      Domain
	guess     Hint
	convexity float64
	round     int
	sum       []float64 // Σ (λx_s − g_s)
	hint      []float64
	point     []float64 // x_t
}

// Act returns x_t.
func (f *ftl) Act(online.None) ([]float64, error) {
	floats.SubTo(f.point, f.sum, f.hint)
	floats.Scale(1/(f.convexity*math.Max(1, float64(f.round))), f.point)
	f.over.Project(f.point)
	return f.point, nil
}

// Learn takes g_t.
func (f *ftl) Learn(g []float64) error {
	if err := checkGradient("OptimisticFTL", len(f.sum), g); err != nil {
		return fmt.Errorf("round %d: %w", f.round+1, err)
	}
	if _, err := f.Act(online.None{}); err != nil { // the caller may have written into the point
		return err
	}
	floats.AddScaled(f.sum, f.convexity, f.point)
	floats.Sub(f.sum, g)
	f.round++
	f.guess.Guess(f.hint, g, f.round)
	return nil
}

// Numbers are λ.
func (o OptimisticFTL) Numbers() []float64 { return []float64{o.Convexity} }

// Memory holds Σ (λx − g) and M_t.
func (o OptimisticFTL) Memory(dim int) scan.Vars {
	return scan.Vars{"sum": zeros(dim), "hint": zeros(dim)}
}

// ActNode is x_t.
func (o OptimisticFTL) ActNode(r *Round) *graph.Node {
	past := graph.MaxScalar(graph.AddScalar(r.Count(), -1), 1)
	return o.Over.ProjectNode(graph.Div(graph.Sub(r.Get("sum"), r.Get("hint")), graph.Mul(r.Numbers()[0], past)))
}

// LearnNode takes g_t.
func (o OptimisticFTL) LearnNode(r *Round, g *graph.Node) {
	r.Set("sum", graph.Add(r.Get("sum"), graph.Sub(graph.Mul(r.Numbers()[0], o.ActNode(r)), g)))
	r.Set("hint", o.hint().GuessNode(r.Get("hint"), g, r.Count()))
}
