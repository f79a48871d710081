package oco

import (
	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"
)

// SquaredL2 is h(x) = (μ/2)‖x‖², which is μ-strongly convex: step sizes for a strongly convex regularizer have their μ from
// here; see [ConditionedStep].
type SquaredL2 struct {
	Weight float64 // μ; at least 0
}

var _ Subdifferentiable = SquaredL2{}

// Value is (μ/2)‖x‖².
func (s SquaredL2) Value(x []float64) float64 { return s.Weight / 2 * floats.Dot(x, x) }

// ValueNode is Value in a graph.
func (s SquaredL2) ValueNode(x *graph.Node) *graph.Node {
	return graph.MulScalar(graph.ReduceSum(graph.Square(x), 1), s.Weight/2)
}

// Prox is x/(1 + rate·μ).
func (s SquaredL2) Prox(x []float64, rate float64) { floats.Scale(1/(1+rate*s.Weight), x) }

// ProxNode is Prox in a graph.
func (s SquaredL2) ProxNode(x, rate *graph.Node) *graph.Node {
	return graph.Div(x, graph.AddScalar(graph.MulScalar(rate, s.Weight), 1))
}

// Subgradient writes μx.
func (s SquaredL2) Subgradient(dst, x []float64) { floats.ScaleTo(dst, s.Weight, x) }

// SubgradientNode is Subgradient in a graph.
func (s SquaredL2) SubgradientNode(x *graph.Node) *graph.Node { return graph.MulScalar(x, s.Weight) }

// Separable is true.
func (SquaredL2) Separable() bool { return true }

// Validate wants μ ≥ 0.
func (s SquaredL2) Validate() error { return atLeast0("SquaredL2", "Weight", s.Weight) }
