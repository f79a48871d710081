package oco

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// MirrorDescent is (optimistic, composite) online mirror descent, put together from a mirror map, a domain, a guess of the
// next gradient, a step size and a regularizer:
//
//	x_t     = argmin_{x ∈ X} ⟨M_t, x⟩ + h(x) + D_ψ(x, x̂_t)/η_t     the point played; x̂_t itself where there is no hint
//	x̂_{t+1} = argmin_{x ∈ X} ⟨g_t, x⟩ + h(x) + D_ψ(x, x̂_t)/η_t     from x̂_t, not from x_t, with the same η_t
//
// Its Learner implements [online.Bounded], with the bound of a step size that is a [Boundary] where a Euclidean method
// without a regularizer has a hint, else +Inf.
//
// Source: Chiang et al. (2012), Online optimization with gradual variations; Rakhlin, Sridharan (2013), Online learning with
// predictable sequences.
type MirrorDescent struct {
	Map         MirrorMap   // ψ; nil: Euclidean
	Over        Domain      // X; nil: Free
	Hint        Hint        // M_t; nil: NoHint
	Steps       StepSize    // η_t; required
	Regularizer Regularizer // h; nil: none
	From        []float64   // x̂_1, a point of X; nil: the domain's center
}

var _ BoundedRule = MirrorDescent{}

// OptimisticDescent is optimistic mirror descent with the last gradient as its hint, in Euclidean space: the method for
// convex losses with an [AdaptiveStep], for strongly convex ones with a [StronglyConvexStep].
//
// Source: Chen, Zhang, Tu, Zhao, Zhang (2024), Optimistic online mirror descent for bridging stochastic and adversarial
// online convex optimization, section 3.
func OptimisticDescent(over Domain, steps StepSize) MirrorDescent {
	return MirrorDescent{Over: over, Hint: LastGradient{}, Steps: steps}
}

// GradientDescent is projected online gradient descent.
//
// Source: Zinkevich (2003), Online convex programming and generalized infinitesimal gradient ascent.
func GradientDescent(over Domain, steps StepSize) MirrorDescent {
	return MirrorDescent{Over: over, Steps: steps}
}

// filled puts the defaults in the place of nil.
func (m MirrorDescent) filled() MirrorDescent {
	if m.Map == nil {
		m.Map = Euclidean{}
	}
	if m.Over == nil {
		m.Over = Free{}
	}
	if m.Hint == nil {
		m.Hint = NoHint{}
	}
	return m
}

// validate says what is wrong with the filled fields.
func (m MirrorDescent) validate(dim int) error {
	if dim < 1 {
		return fmt.Errorf("oco: MirrorDescent: dim is %d, must be at least 1", dim)
	}
	if m.Steps == nil {
		return errors.New("oco: MirrorDescent: Steps is nil, must be a step size, e.g. AdaptiveStep")
	}
	errs := []error{m.Steps.Validate(), m.Over.Validate(dim), checkFrom("MirrorDescent", m.Over, m.From, dim)}
	if m.Regularizer != nil {
		errs = append(errs, m.Regularizer.Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return m.Map.Validate(dim, m.Regularizer, m.Over)
}

// Start returns a fresh learner.
func (m MirrorDescent) Start(dim int) (Learner, error) {
	m = m.filled()
	if err := m.validate(dim); err != nil {
		return nil, err
	}
	d := &descent{rule: m, anchor: startAt(m.Over, m.From, dim), hint: make([]float64, dim), point: make([]float64, dim), error: make([]float64, dim)}
	_, d.plain = m.Hint.(NoHint)
	d.boundary = m.boundary()
	return d, nil
}

// boundary is the step size where it knows a bound, else nil.
func (m MirrorDescent) boundary() Boundary {
	boundary, ok := m.Steps.(Boundary)
	_, euclidean := m.Map.(Euclidean)
	if _, plain := m.Hint.(NoHint); !ok || !euclidean || plain || m.Regularizer != nil {
		return nil
	}
	return boundary
}

// descent is MirrorDescent at work.
type descent struct {
	rule      MirrorDescent // filled
	plain     bool          // no hint
	boundary  Boundary      // nil: no bound is known
	round     int           // rounds learned from
	anchor    []float64     // x̂_t
	hint      []float64     // M_t
	point     []float64     // x_t
	error     []float64     // g_t − M_t
	variation float64       // V_{t−1}
	largest   float64       // ‖g_s‖², the largest so far
}

var _ online.Bounded = (*descent)(nil)

func (d *descent) rate() float64 { return d.rule.Steps.Rate(d.round+1, d.variation) }

// Act returns x_t.
func (d *descent) Act(online.None) ([]float64, error) {
	if d.plain {
		copy(d.point, d.anchor)
		return d.point, nil
	}
	d.rule.Map.Step(d.point, d.anchor, d.hint, d.rate(), d.rule.Regularizer, d.rule.Over)
	return d.point, nil
}

// Learn takes g_t.
func (d *descent) Learn(g []float64) error {
	if err := checkGradient("MirrorDescent", len(d.anchor), g); err != nil {
		return fmt.Errorf("round %d: %w", d.round+1, err)
	}
	for i, v := range g {
		d.error[i] = v - d.hint[i]
	}
	d.rule.Map.Step(d.anchor, d.anchor, g, d.rate(), d.rule.Regularizer, d.rule.Over)
	d.variation += d.rule.Map.Dual(d.error)
	d.largest = math.Max(d.largest, d.rule.Map.Dual(g))
	d.round++
	d.rule.Hint.Guess(d.hint, g, d.round)
	return nil
}

// Bound is the step size's on the linearized regret; +Inf where none is known.
func (d *descent) Bound() float64 {
	if d.boundary == nil {
		return math.Inf(1)
	}
	return d.boundary.Bound(d.variation, math.Sqrt(d.largest))
}

// Numbers are the step size's.
func (m MirrorDescent) Numbers() []float64 {
	if m.Steps == nil { // Start says so
		return nil
	}
	return m.Steps.Numbers()
}

// Memory holds x̂_t, M_t, V_{t−1} and the largest ‖g_s‖² so far.
func (m MirrorDescent) Memory(dim int) scan.Vars {
	m = m.filled()
	return scan.Vars{"anchor": tensors.FromFlatDataAndDimensions(startAt(m.Over, m.From, dim), dim), "hint": zeros(dim), "variation": zeros(1), "largest": zeros(1)}
}

func (m MirrorDescent) rateNode(r *Round) *graph.Node {
	return m.Steps.RateNode(r.Numbers(), r.Count(), r.Get("variation"))
}

// ActNode is x_t.
func (m MirrorDescent) ActNode(r *Round) *graph.Node {
	m = m.filled()
	if _, plain := m.Hint.(NoHint); plain {
		return r.Get("anchor")
	}
	return m.Map.StepNode(r.Get("anchor"), r.Get("hint"), m.rateNode(r), m.Regularizer, m.Over)
}

// LearnNode takes g_t.
func (m MirrorDescent) LearnNode(r *Round, g *graph.Node) {
	m = m.filled()
	anchor, hint, variation := r.Get("anchor"), r.Get("hint"), r.Get("variation")
	r.Set("anchor", m.Map.StepNode(anchor, g, m.rateNode(r), m.Regularizer, m.Over))
	r.Set("variation", graph.Add(variation, m.Map.DualNode(graph.Sub(g, hint))))
	r.Set("hint", m.Hint.GuessNode(hint, g, r.Count()))
	r.Set("largest", graph.Max(r.Get("largest"), m.Map.DualNode(g)))
}

// BoundNode is the bound in a graph.
func (m MirrorDescent) BoundNode(r *Round) *graph.Node {
	if b := m.filled().boundary(); b != nil {
		return b.BoundNode(r.Numbers(), r.Get("variation"), graph.Sqrt(r.Get("largest")))
	}
	return nil
}
