package oco

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"
)

// L1 is h(x) = λ‖x‖₁, whose prox sets small entries to exactly 0.
type L1 struct {
	Weight float64 // λ; at least 0
}

var _ Subdifferentiable = L1{}

// Value is λ‖x‖₁.
func (l L1) Value(x []float64) float64 { return l.Weight * floats.Norm(x, 1) }

// ValueNode is Value in a graph.
func (l L1) ValueNode(x *graph.Node) *graph.Node {
	return graph.MulScalar(graph.ReduceSum(graph.Abs(x), 1), l.Weight)
}

// Prox is the soft threshold at rate·λ: sign(x)·max(|x| − rate·λ, 0).
func (l L1) Prox(x []float64, rate float64) {
	for i, v := range x {
		x[i] = math.Copysign(math.Max(math.Abs(v)-rate*l.Weight, 0), v)
	}
}

// ProxNode is Prox in a graph.
func (l L1) ProxNode(x, rate *graph.Node) *graph.Node {
	return graph.Mul(graph.Sign(x), graph.MaxScalar(graph.Sub(graph.Abs(x), graph.MulScalar(rate, l.Weight)), 0))
}

// Subgradient writes λ·sign(x), with 0 at 0.
func (l L1) Subgradient(dst, x []float64) {
	for i, v := range x {
		dst[i] = 0
		if v != 0 {
			dst[i] = math.Copysign(l.Weight, v)
		}
	}
}

// SubgradientNode is Subgradient in a graph.
func (l L1) SubgradientNode(x *graph.Node) *graph.Node {
	return graph.MulScalar(graph.Sign(x), l.Weight)
}

// Separable is true.
func (L1) Separable() bool { return true }

// Validate wants λ ≥ 0.
func (l L1) Validate() error { return atLeast0("L1", "Weight", l.Weight) }
