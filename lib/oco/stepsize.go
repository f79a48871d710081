package oco

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// StepSize is η_t of round t = 1, 2, …. It may look at the variation V_{t−1} = Σ_{s<t} ‖g_s − M_s‖²_*, which for a method
// without hints is the sum of squared gradients.
type StepSize interface {
	Rate(round int, variation float64) float64
	// RateNode is Rate in a graph, of all runs: numbers[i] holds each run's Numbers()[i]; it, variation and the result are
	// shaped [runs, 1], round is a float64 scalar.
	RateNode(numbers []*graph.Node, round, variation *graph.Node) *graph.Node
	// Numbers are the fields that may differ between runs of one simulation.
	Numbers() []float64
	Validate() error
}

// Boundary is a step size with which optimistic mirror descent has a bound that holds on every run: on Σ⟨g_t, x_t − u⟩ for
// each u of the domain after rounds with the variation V_T, the largest ‖g_t‖ of which is given. +Inf where the premises
// are not met.
type Boundary interface {
	Bound(variation, largest float64) float64
	// BoundNode is Bound in a graph, of all runs: everything is shaped [runs, 1]; see [StepSize].
	BoundNode(numbers []*graph.Node, variation, largest *graph.Node) *graph.Node
}

// ConstantStep is η_t = η. Best η depends on the horizon: D/(G√T) for projected subgradients.
type ConstantStep struct {
	Size float64 // η; above 0
}

// AdaptiveStep is η_t = D/√(δ + 4G² + V_{t−1}): no knowledge of the horizon or of how hard the losses are.
//
// Source: Chen, Zhang, Tu, Zhao, Zhang (2024), Optimistic online mirror descent for bridging stochastic and adversarial
// online convex optimization, Theorem 1 (δ = 10·D²·L²).
type AdaptiveStep struct {
	Diameter float64 // D of the domain; above 0
	Gradient float64 // G, bound of the gradients' norms; above 0
	// Delta is δ; 0 for 10·D²·L², at least 1e-12.
	Delta float64
	// Smoothness is L of the losses, for the default of Delta; at least 0.
	Smoothness float64
}

// StronglyConvexStep is η_t = 2/(λt), for losses that are λ-strongly convex. It needs no other constant.
//
// Source: Chen, Zhang, Tu, Zhao, Zhang (2024), Theorem 4.
type StronglyConvexStep struct {
	Convexity float64 // λ; above 0
	Factor    float64 // the 2; 0 means 2. Plain gradient descent for strongly convex losses has 1
}

// RootStep is η_t = η/√t: the horizon is not known.
//
// Source: Zinkevich (2003), Online convex programming and generalized infinitesimal gradient ascent.
type RootStep struct {
	Scale float64 // η, e.g. D/G; above 0
}

var (
	_ StepSize = ConstantStep{}
	_ StepSize = AdaptiveStep{}
	_ StepSize = StronglyConvexStep{}
	_ StepSize = RootStep{}
	_ Boundary = AdaptiveStep{}
)

// Rate is η.
func (c ConstantStep) Rate(int, float64) float64 { return c.Size }

// RateNode is η.
func (ConstantStep) RateNode(numbers []*graph.Node, _, _ *graph.Node) *graph.Node { return numbers[0] }

// Numbers are η.
func (c ConstantStep) Numbers() []float64 { return []float64{c.Size} }

// Validate wants η > 0.
func (c ConstantStep) Validate() error { return above0("ConstantStep", "Size", c.Size) }

func (a AdaptiveStep) delta() float64 {
	if a.Delta != 0 {
		return a.Delta
	}
	return math.Max(1e-12, 10*a.Diameter*a.Diameter*a.Smoothness*a.Smoothness)
}

// Rate is D/√(δ + 4G² + V).
func (a AdaptiveStep) Rate(_ int, variation float64) float64 {
	return a.Diameter / math.Sqrt(a.delta()+4*a.Gradient*a.Gradient+variation)
}

// RateNode is Rate in a graph.
func (AdaptiveStep) RateNode(numbers []*graph.Node, _, variation *graph.Node) *graph.Node {
	return graph.Div(numbers[0], graph.Sqrt(graph.Add(numbers[1], variation)))
}

// Numbers are D, δ + 4G² and the largest norm that counts as within G.
func (a AdaptiveStep) Numbers() []float64 {
	return []float64{a.Diameter, a.delta() + 4*a.Gradient*a.Gradient, a.limit()}
}

// limit is G with room for rounding.
func (a AdaptiveStep) limit() float64 { return a.Gradient * (1 + 1e-12) }

// Bound is 1.5·D·√(δ + 4G² + V_T), from the standard inequality of optimistic mirror descent in Euclidean space, with
// G at least the largest gradient.
func (a AdaptiveStep) Bound(variation, largest float64) float64 {
	if largest > a.limit() {
		return math.Inf(1)
	}
	return 1.5 * a.Diameter * math.Sqrt(a.delta()+4*a.Gradient*a.Gradient+variation)
}

// BoundNode is Bound in a graph.
func (AdaptiveStep) BoundNode(numbers []*graph.Node, variation, largest *graph.Node) *graph.Node {
	bound := graph.MulScalar(graph.Mul(numbers[0], graph.Sqrt(graph.Add(numbers[1], variation))), 1.5)
	return graph.Where(graph.GreaterThan(largest, numbers[2]), graph.Infinity(bound.Graph(), bound.DType(), 1), bound)
}

// ExpectedBound is the paper's, on the expected static regret against an [SEA] with the cumulative variance σ²_{1:T} and
// variation Σ²_{1:T}, for the default Delta: 5√10·D²L + (5√5/2)·DG + 5√2·D·√σ²_{1:T} + 5·D·√Σ²_{1:T}.
//
// Source: Chen, Zhang, Tu, Zhao, Zhang (2024), Theorem 1 (the constants are from memory).
func (a AdaptiveStep) ExpectedBound(variance, variation float64) float64 {
	d := a.Diameter
	return 5*math.Sqrt(10)*d*d*a.Smoothness + 2.5*math.Sqrt(5)*d*a.Gradient + 5*math.Sqrt2*d*math.Sqrt(variance) + 5*d*math.Sqrt(variation)
}

// Validate wants D and G above 0, δ and L at least 0.
func (a AdaptiveStep) Validate() error {
	return errors.Join(above0("AdaptiveStep", "Diameter", a.Diameter), above0("AdaptiveStep", "Gradient", a.Gradient),
		atLeast0("AdaptiveStep", "Delta", a.Delta), atLeast0("AdaptiveStep", "Smoothness", a.Smoothness))
}

func (s StronglyConvexStep) factor() float64 {
	if s.Factor == 0 {
		return 2
	}
	return s.Factor
}

// Rate is 2/(λt).
func (s StronglyConvexStep) Rate(round int, _ float64) float64 {
	return s.factor() / s.Convexity / float64(round)
}

// RateNode is Rate in a graph.
func (StronglyConvexStep) RateNode(numbers []*graph.Node, round, _ *graph.Node) *graph.Node {
	return graph.Div(numbers[0], round)
}

// Numbers are 2/λ.
func (s StronglyConvexStep) Numbers() []float64 { return []float64{s.factor() / s.Convexity} }

// Validate wants λ > 0.
func (s StronglyConvexStep) Validate() error {
	return errors.Join(above0("StronglyConvexStep", "Convexity", s.Convexity), atLeast0("StronglyConvexStep", "Factor", s.Factor))
}

// Rate is η/√t.
func (r RootStep) Rate(round int, _ float64) float64 { return r.Scale / math.Sqrt(float64(round)) }

// RateNode is Rate in a graph.
func (RootStep) RateNode(numbers []*graph.Node, round, _ *graph.Node) *graph.Node {
	return graph.Div(numbers[0], graph.Sqrt(round))
}

// Numbers are η.
func (r RootStep) Numbers() []float64 { return []float64{r.Scale} }

// Validate wants η > 0.
func (r RootStep) Validate() error { return above0("RootStep", "Scale", r.Scale) }

func above0(method, field string, v float64) error {
	if !(v > 0) || math.IsInf(v, 1) {
		return fmt.Errorf("oco: %s: %s is %g, must be above 0 and finite", method, field, v)
	}
	return nil
}

func atLeast0(method, field string, v float64) error {
	if !(v >= 0) || math.IsInf(v, 1) {
		return fmt.Errorf("oco: %s: %s is %g, must be at least 0 and finite", method, field, v)
	}
	return nil
}
