package oco

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// DynamicEnsemble follows a moving target without knowing how far it moves: N optimistic gradient descents with step sizes
// η_i from small to large, all fed the one gradient at the combined point, under an optimistic Hedge with a correction that
// charges each for its own movement:
//
//	x_{t,i} = Π_X(x̂_{t,i} − η_i M_t),  c_{t,i} = λ_c‖x_{t,i} − x_{t−1,i}‖² (0 at t = 1)
//	p_{t,i} ∝ exp(−ε_t (Λ_{t,i} + ⟨M_t, x_{t,i}⟩ + c_{t,i})),  x_t = Σ_i p_{t,i} x_{t,i}
//	Λ_{t+1,i} = Λ_{t,i} + ⟨g_t, x_{t,i}⟩ + c_{t,i},  x̂_{t+1,i} = Π_X(x̂_{t,i} − η_i g_t),  M_{t+1} = g_t
//	ε_t = min{1/(8D²L), √(ln N/(D²V_{t−1}))}
//
// Its Learner implements [Weighted]. A round takes N = O(log T) projections, and one gradient.
//
// Source: Chen, Zhang, Tu, Zhao, Zhang (2024), Optimistic online mirror descent for bridging stochastic and adversarial online
// convex optimization, section 5, after Zhao, Zhang, Zhang, Zhou (2024), Adaptivity and non-stationarity: problem-dependent
// dynamic regret for online convex optimization (the constants are from memory).
type DynamicEnsemble struct {
	Over       Domain  // X; required
	Gradient   float64 // G, bound of the gradients' norms; above 0
	Smoothness float64 // L; at least 0, with at most 1+⌈½log₂T⌉ step sizes at 0
	Rounds     int     // T; at least 1
	Diameter   float64 // D; 0: of X
	// Correction is λ_c; 0 for 2L.
	Correction float64
	// Uncorrected sets λ_c to 0.
	Uncorrected bool
}

var _ Rule = DynamicEnsemble{}

// Weighted is a learner that mixes others.
type Weighted interface {
	// Weights are p_t of the last Act, one a mixed learner.
	Weights() []float64
}

// Pool returns the step sizes η_1 < η_2 < …, the last of which may be cut at 1/(8L).
func (e DynamicEnsemble) Pool(dim int) ([]float64, error) {
	if err := e.validate(dim); err != nil {
		return nil, err
	}
	return e.pool(dim), nil
}

func (e DynamicEnsemble) pool(dim int) []float64 {
	d, t := e.diameter(dim), float64(e.Rounds)
	n := 1 + math.Ceil(math.Log2(t)/2)
	if e.Smoothness > 0 {
		n = 1 + math.Ceil(math.Log2(e.Gradient*e.Gradient*t/(8*e.Smoothness*e.Smoothness*d*d))/2)
	}
	pool := make([]float64, int(math.Max(1, n)))
	for i := range pool {
		pool[i] = math.Min(1/(8*e.Smoothness), math.Sqrt(d*d/(8*e.Gradient*e.Gradient*t))*math.Exp2(float64(i)))
	}
	return pool
}

func (e DynamicEnsemble) diameter(dim int) float64 {
	if e.Diameter != 0 {
		return e.Diameter
	}
	return e.Over.Diameter(dim)
}

func (e DynamicEnsemble) correction() float64 {
	switch {
	case e.Uncorrected:
		return 0
	case e.Correction == 0:
		return 2 * e.Smoothness
	}
	return e.Correction
}

func (e DynamicEnsemble) validate(dim int) error {
	if dim < 1 {
		return fmt.Errorf("oco: DynamicEnsemble: dim is %d, must be at least 1", dim)
	}
	if e.Over == nil {
		return errors.New("oco: DynamicEnsemble: Over is nil, must be a domain, e.g. a Ball")
	}
	errs := []error{e.Over.Validate(dim), above0("DynamicEnsemble", "Gradient", e.Gradient), atLeast0("DynamicEnsemble", "Smoothness", e.Smoothness),
		atLeast0("DynamicEnsemble", "Diameter", e.Diameter), atLeast0("DynamicEnsemble", "Correction", e.Correction)}
	if e.Rounds < 1 {
		errs = append(errs, fmt.Errorf("oco: DynamicEnsemble: Rounds is %d, must be at least 1", e.Rounds))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if d := e.diameter(dim); !(d > 0) || math.IsInf(d, 1) {
		return fmt.Errorf("oco: DynamicEnsemble: the diameter of %T is %g, must be above 0 and finite: give a Diameter", e.Over, d)
	}
	return nil
}

// Start returns a fresh learner.
func (e DynamicEnsemble) Start(dim int) (Learner, error) {
	if err := e.validate(dim); err != nil {
		return nil, err
	}
	rates := e.pool(dim)
	m := &mixture{over: e.Over, rates: rates, diameter: e.diameter(dim), smoothness: e.Smoothness, lambda: e.correction(),
		losses: make([]float64, len(rates)), corrections: make([]float64, len(rates)), weights: make([]float64, len(rates)),
		hint: make([]float64, dim), point: make([]float64, dim)}
	for range rates {
		m.anchors, m.points, m.previous = append(m.anchors, e.Over.Center(dim)), append(m.points, make([]float64, dim)), append(m.previous, make([]float64, dim))
	}
	return m, nil
}

// mixture is DynamicEnsemble at work.
type mixture struct {
	over                         Domain
	rates                        []float64 // η_i
	diameter, smoothness, lambda float64
	round                        int
	variation                    float64     // V_{t−1}
	anchors, points, previous    [][]float64 // x̂_{t,i}, x_{t,i}, x_{t−1,i}
	losses, corrections, weights []float64   // Λ_{t,i}, c_{t,i}, p_{t,i}
	hint, point                  []float64   // M_t, x_t
}

var _ Weighted = (*mixture)(nil)

// Weights are p_t; the slice is the caller's.
func (m *mixture) Weights() []float64 { return slices.Clone(m.weights) }

// caution is ε_t.
func (m *mixture) caution() float64 {
	most := 1 / (8 * m.diameter * m.diameter * m.smoothness)
	if m.variation > 0 {
		return math.Min(most, math.Sqrt(math.Log(float64(len(m.rates)))/m.variation)/m.diameter)
	}
	if m.smoothness == 0 {
		return 0 // nothing has happened yet: all losses are 0
	}
	return most
}

// Act returns x_t.
func (m *mixture) Act(online.None) ([]float64, error) {
	for i, x := range m.points {
		floats.AddScaledTo(x, m.anchors[i], -m.rates[i], m.hint)
		m.over.Project(x)
		if m.round > 0 {
			distance := floats.Distance(x, m.previous[i], 2)
			m.corrections[i] = m.lambda * distance * distance
		}
		m.weights[i] = m.losses[i] + floats.Dot(m.hint, x) + m.corrections[i]
	}
	epsilon, least := m.caution(), floats.Min(m.weights)
	for i, w := range m.weights {
		m.weights[i] = math.Exp(-epsilon * (w - least))
	}
	floats.Scale(1/floats.Sum(m.weights), m.weights)
	for i := range m.point {
		m.point[i] = 0
	}
	for i, p := range m.weights {
		floats.AddScaled(m.point, p, m.points[i])
	}
	return m.point, nil
}

// Learn takes g_t.
func (m *mixture) Learn(g []float64) error {
	if err := checkGradient("DynamicEnsemble", len(m.hint), g); err != nil {
		return fmt.Errorf("round %d: %w", m.round+1, err)
	}
	for i, x := range m.points {
		m.losses[i] += floats.Dot(g, x) + m.corrections[i]
		copy(m.previous[i], x)
		floats.AddScaled(m.anchors[i], -m.rates[i], g)
		m.over.Project(m.anchors[i])
	}
	distance := floats.Distance(g, m.hint, 2)
	m.variation += distance * distance
	copy(m.hint, g)
	m.round++
	return nil
}

// Numbers are L and λ_c.
func (e DynamicEnsemble) Numbers() []float64 { return []float64{e.Smoothness, e.correction()} }

// Memory holds what the formulas have with an index t, and the pool, so that runs may differ in it but for its length.
func (e DynamicEnsemble) Memory(dim int) scan.Vars {
	pool := e.pool(dim)
	n := len(pool)
	anchors := slices.Repeat(e.Over.Center(dim), n)
	return scan.Vars{"rates": tensors.FromFlatDataAndDimensions(pool, n), "anchors": tensors.FromFlatDataAndDimensions(anchors, n, dim),
		"points": zeros(n, dim), "losses": zeros(n), "corrections": zeros(n), "hint": zeros(dim), "variation": zeros(1)}
}

// stepNode moves all anchors against a gradient: [runs, N, dim].
func (e DynamicEnsemble) stepNode(r *Round, g *graph.Node) *graph.Node {
	anchors := r.Get("anchors")
	runs, n, dim := anchors.Shape().Dim(0), anchors.Shape().Dim(1), anchors.Shape().Dim(2)
	moved := graph.Sub(anchors, graph.Einsum("rn,rd->rnd", r.Get("rates"), g))
	return graph.Reshape(e.Over.ProjectNode(graph.Reshape(moved, runs*n, dim)), runs, n, dim)
}

// ActNode is x_t.
func (e DynamicEnsemble) ActNode(r *Round) *graph.Node {
	hint, previous, variation := r.Get("hint"), r.Get("points"), r.Get("variation")
	smoothness, lambda := r.Numbers()[0], r.Numbers()[1]
	points := e.stepNode(r, hint)
	later := graph.ConvertDType(graph.GreaterThan(r.Count(), graph.OnesLike(r.Count())), float64Type)
	corrections := graph.Mul(graph.Mul(lambda, later), graph.ReduceSum(graph.Square(graph.Sub(points, previous)), 2))
	scores := graph.Add(graph.Add(r.Get("losses"), graph.Einsum("rd,rnd->rn", hint, points)), corrections)

	dim, zero := hint.Shape().Dim(1), graph.ZerosLike(variation)
	d := e.diameter(dim)
	smooth, happened := graph.GreaterThan(smoothness, zero), graph.GreaterThan(variation, zero)
	most := graph.Div(graph.OnesLike(zero), graph.MulScalar(graph.Where(smooth, smoothness, graph.OnesLike(zero)), 8*d*d))
	adaptive := graph.Sqrt(graph.Div(graph.AddScalar(zero, math.Log(float64(points.Shape().Dim(1)))/(d*d)), graph.Where(happened, variation, graph.OnesLike(zero))))
	epsilon := graph.Where(happened, graph.Where(smooth, graph.Min(most, adaptive), adaptive), graph.Where(smooth, most, zero))

	weights := graph.Exp(graph.Neg(graph.Mul(epsilon, graph.Sub(scores, graph.ReduceAndKeep(scores, graph.ReduceMin, 1)))))
	weights = graph.Div(weights, graph.ReduceAndKeep(weights, graph.ReduceSum, 1))
	r.Set("points", points)
	r.Set("corrections", corrections)
	return graph.Einsum("rn,rnd->rd", weights, points)
}

// LearnNode takes g_t.
func (e DynamicEnsemble) LearnNode(r *Round, g *graph.Node) {
	r.Set("losses", graph.Add(r.Get("losses"), graph.Add(graph.Einsum("rd,rnd->rn", g, r.Get("points")), r.Get("corrections"))))
	r.Set("anchors", e.stepNode(r, g))
	r.Set("variation", graph.Add(r.Get("variation"), squares(graph.Sub(g, r.Get("hint")))))
	r.Set("hint", g)
}
