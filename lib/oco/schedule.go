package oco

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// Decay is how a [PolynomialStep] falls.
type Decay int

// The decays.
const (
	InvSqrt     Decay = iota // η/t^{1/p}, with p = 2 the inverse square root: the horizon is not known
	Const                    // η/T^{1/p} in all T rounds
	LinearDecay              // η(T−t+1)/T^{1+1/p}: the last iterate has the optimal rate, without a logarithm
)

var decayNames = [...]string{"InvSqrt", "Const", "LinearDecay"}

// String is the constant's name.
func (d Decay) String() string {
	if d < 0 || int(d) >= len(decayNames) {
		return fmt.Sprintf("Decay(%d)", int(d))
	}
	return decayNames[d]
}

// PolynomialStep are the step sizes for which the last iterate of a convex problem converges, all with the cap
// η_* = D^{(2−p)/p}/(2L): for p = 2, 1/(2L). Runs of one simulation may differ in any field.
//
// Source: Liu, Zhou (2024), Revisiting the last-iterate convergence of stochastic gradient methods; the linear decay is Zamani,
// Glineur (2023), Exact convergence rate of the last iterate in subgradient methods. The constant ½ of the cap for p < 2 and
// the exponent of the linear decay for p < 2 are ours.
type PolynomialStep struct {
	Decay      Decay   // default InvSqrt
	Scale      float64 // η; above 0, 0 means 1. Best are √(D*/(M²+σ²)), and (D*/(M^p+σ^p))^{1/p} for p < 2
	Horizon    int     // T, at least 1, for Const and LinearDecay; else it must be 0. No step is taken after round T of LinearDecay
	Moment     float64 // p of the noise's finite moment, in (1, 2]; 0 means 2
	Smoothness float64 // L; at least 0, 0: no limit
	Divergence float64 // D* = D_ψ(x*, x¹), for the cap where p < 2; above 0, 0 means 1
}

var _ StepSize = PolynomialStep{}

func orOne(v float64) float64 {
	if v == 0 {
		return 1
	}
	return v
}

func (p PolynomialStep) moment() float64 {
	if p.Moment == 0 {
		return 2
	}
	return p.Moment
}

// parts are such that η_t = min(limit, scale·t^{−power}·fall), where fall is 1, or (T+1−t)/T where T > 0.
func (p PolynomialStep) parts() (scale, power, horizon, limit float64) {
	moment, t := p.moment(), float64(p.Horizon)
	limit = math.Pow(orOne(p.Divergence), (2-moment)/moment) / (2 * p.Smoothness) // +Inf where L = 0
	scale = orOne(p.Scale)
	if p.Decay == InvSqrt {
		return scale, 1 / moment, 0, limit
	}
	scale *= math.Pow(t, -1/moment)
	if p.Decay == LinearDecay {
		horizon = t
	}
	return scale, 0, horizon, limit
}

// Rate is η_t.
func (p PolynomialStep) Rate(round int, _ float64) float64 {
	scale, power, horizon, limit := p.parts()
	rate := scale * math.Pow(float64(round), -power)
	if horizon > 0 {
		rate *= math.Max(0, horizon+1-float64(round)) / horizon
	}
	return math.Min(limit, rate)
}

// RateNode is Rate in a graph.
func (PolynomialStep) RateNode(numbers []*graph.Node, round, _ *graph.Node) *graph.Node {
	scale, power, horizon, limit := numbers[0], numbers[1], numbers[2], numbers[3]
	rate := graph.Mul(scale, graph.Pow(graph.Add(graph.ZerosLike(power), round), graph.Neg(power)))
	fall := graph.Div(graph.MaxScalar(graph.Sub(graph.AddScalar(horizon, 1), round), 0), graph.MaxScalar(horizon, 1))
	falls := graph.GreaterThan(horizon, graph.ZerosLike(horizon))
	return graph.Min(limit, graph.Mul(rate, graph.Where(falls, fall, graph.OnesLike(fall))))
}

// Numbers are scale, power, horizon and limit.
func (p PolynomialStep) Numbers() []float64 {
	scale, power, horizon, limit := p.parts()
	return []float64{scale, power, horizon, limit}
}

// Validate says all that is wrong.
func (p PolynomialStep) Validate() error {
	const method = "PolynomialStep"
	errs := []error{above0(method, "Scale", orOne(p.Scale)), atLeast0(method, "Smoothness", p.Smoothness), above0(method, "Divergence", orOne(p.Divergence)),
		between(method, "Moment", p.moment(), 1, 2)}
	switch p.Decay {
	case InvSqrt:
		if p.Horizon != 0 {
			errs = append(errs, fmt.Errorf("oco: %s: Horizon is %d, must be 0 for InvSqrt, which needs none", method, p.Horizon))
		}
	case Const, LinearDecay:
		errs = append(errs, atLeast1(method, "Horizon", p.Horizon))
	default:
		errs = append(errs, fmt.Errorf("oco: %s: Decay is %d, must be InvSqrt, Const or LinearDecay", method, int(p.Decay)))
	}
	return errors.Join(errs...)
}

// Form is one of the shapes of a [ConditionedStep].
type Form int

// The forms.
const (
	Single   Form = iota // 1/(μ(t + 2κ))
	Double               // 2/(μ(t + 1 + 4κ))
	TwoPhase             // 1/(μ(1.5 + 2κ)) for t ≤ τ = ⌈T/2⌉, to forget the start, then 2/(μ(t − τ + 2 + 4κ))
)

// ConditionedStep is for problems that are μ-strongly convex and L-smooth, with the condition number κ = L/μ; the strong
// convexity may be the loss's or the regularizer's. No step is longer than 1/(2L + μ). Runs of one simulation may differ
// in any field.
//
// Source: Liu, Zhou (2024), Revisiting the last-iterate convergence of stochastic gradient methods, theorems for strongly
// convex functions.
type ConditionedStep struct {
	Convexity  float64 // μ; above 0
	Smoothness float64 // L; at least 0
	Form       Form    // default Single
	Horizon    int     // T, at least 1, for TwoPhase; else it must be 0
}

var _ StepSize = ConditionedStep{}

// parts are such that η_t = first for t ≤ switched, and then scale/(t − switched + offset).
func (c ConditionedStep) parts() (first, switched, scale, offset float64) {
	condition := c.Smoothness / c.Convexity
	switch c.Form {
	case Single:
		return 0, 0, 1 / c.Convexity, 2 * condition
	case Double:
		return 0, 0, 2 / c.Convexity, 1 + 4*condition
	}
	return 1 / (c.Convexity * (1.5 + 2*condition)), math.Ceil(float64(c.Horizon) / 2), 2 / c.Convexity, 2 + 4*condition
}

// Rate is η_t.
func (c ConditionedStep) Rate(round int, _ float64) float64 {
	first, switched, scale, offset := c.parts()
	if float64(round) <= switched {
		return first
	}
	return scale / (float64(round) - switched + offset)
}

// RateNode is Rate in a graph.
func (ConditionedStep) RateNode(numbers []*graph.Node, round, _ *graph.Node) *graph.Node {
	first, switched, scale, offset := numbers[0], numbers[1], numbers[2], numbers[3]
	since := graph.Sub(round, switched)
	later := graph.Div(scale, graph.Add(graph.MaxScalar(since, 1), offset))
	return graph.Where(graph.GreaterThan(since, graph.ZerosLike(since)), later, first)
}

// Numbers are first, switched, scale and offset.
func (c ConditionedStep) Numbers() []float64 {
	first, switched, scale, offset := c.parts()
	return []float64{first, switched, scale, offset}
}

// Validate says all that is wrong.
func (c ConditionedStep) Validate() error {
	const method = "ConditionedStep"
	errs := []error{above0(method, "Convexity", c.Convexity), atLeast0(method, "Smoothness", c.Smoothness)}
	switch c.Form {
	case Single, Double:
		if c.Horizon != 0 {
			errs = append(errs, fmt.Errorf("oco: %s: Horizon is %d, must be 0 but for TwoPhase", method, c.Horizon))
		}
	case TwoPhase:
		errs = append(errs, atLeast1(method, "Horizon", c.Horizon))
	default:
		errs = append(errs, fmt.Errorf("oco: %s: Form is %d, must be Single, Double or TwoPhase", method, int(c.Form)))
	}
	return errors.Join(errs...)
}

func atLeast1(method, field string, v int) error {
	if v < 1 {
		return fmt.Errorf("oco: %s: %s is %d, must be at least 1", method, field, v)
	}
	return nil
}

// between wants v in (low, high].
func between(method, field string, v, low, high float64) error {
	if !(v > low && v <= high) {
		return fmt.Errorf("oco: %s: %s is %g, must be in (%g, %g]", method, field, v, low, high)
	}
	return nil
}
