package oco

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"
)

// Objective is a fixed convex function f with a sub-gradient.
type Objective interface {
	Dim() int
	Value(x []float64) float64
	// Subgradient writes f'(x) to dst. It does not allocate.
	Subgradient(dst, x []float64)
	ValueNode(x *graph.Node) *graph.Node       // [runs, dim] → [runs]
	SubgradientNode(x *graph.Node) *graph.Node // [runs, dim] → [runs, dim]
	Validate() error
}

// DistanceTo is f(x) = ‖x − To‖: 1-Lipschitz, with the kink at its minimum. Its sub-gradient there is 0.
type DistanceTo []float64

// DiagonalQuadratic is f(x) = ½Σ aᵢ(xᵢ − cᵢ)²: L-smooth with the largest aᵢ, μ-strongly convex with the smallest.
type DiagonalQuadratic struct {
	Curvature []float64 // a; at least 0
	Center    []float64 // c; as many
}

// LinearCost is f(x) = ⟨c, x⟩, with a minimum on a bounded domain only.
type LinearCost []float64

var (
	_ Objective = DistanceTo{}
	_ Objective = DiagonalQuadratic{}
	_ Objective = LinearCost{}
)

// row is a constant of a graph that goes with points shaped [runs, dim].
func row(like *graph.Node, v []float64) *graph.Node {
	return graph.Const(like.Graph(), [][]float64{v})
}

// Dim is the number of entries.
func (d DistanceTo) Dim() int { return len(d) }

// Value is ‖x − To‖.
func (d DistanceTo) Value(x []float64) float64 { return floats.Distance(x, d, 2) }

// Subgradient is (x − To)/‖x − To‖, or 0.
func (d DistanceTo) Subgradient(dst, x []float64) {
	floats.SubTo(dst, x, d)
	if norm := floats.Norm(dst, 2); norm > 0 {
		floats.Scale(1/norm, dst)
	}
}

// ValueNode is Value in a graph.
func (d DistanceTo) ValueNode(x *graph.Node) *graph.Node {
	return graph.Squeeze(norm2(graph.Sub(x, row(x, d))), 1)
}

// SubgradientNode is Subgradient in a graph.
func (d DistanceTo) SubgradientNode(x *graph.Node) *graph.Node {
	away := graph.Sub(x, row(x, d))
	return graph.Div(away, graph.MaxScalar(norm2(away), smallestNormal))
}

// Validate wants finite entries.
func (d DistanceTo) Validate() error { return checkEntries("DistanceTo", "To", d) }

// Dim is the number of entries.
func (q DiagonalQuadratic) Dim() int { return len(q.Center) }

// Value is ½Σ aᵢ(xᵢ − cᵢ)².
func (q DiagonalQuadratic) Value(x []float64) float64 {
	var sum float64
	for i, v := range x {
		sum += q.Curvature[i] * (v - q.Center[i]) * (v - q.Center[i])
	}
	return sum / 2
}

// Subgradient is a∘(x − c).
func (q DiagonalQuadratic) Subgradient(dst, x []float64) {
	floats.SubTo(dst, x, q.Center)
	floats.Mul(dst, q.Curvature)
}

// ValueNode is Value in a graph.
func (q DiagonalQuadratic) ValueNode(x *graph.Node) *graph.Node {
	away := graph.Square(graph.Sub(x, row(x, q.Center)))
	return graph.MulScalar(graph.ReduceSum(graph.Mul(away, row(x, q.Curvature)), 1), 0.5)
}

// SubgradientNode is Subgradient in a graph.
func (q DiagonalQuadratic) SubgradientNode(x *graph.Node) *graph.Node {
	return graph.Mul(graph.Sub(x, row(x, q.Center)), row(x, q.Curvature))
}

// Validate wants as many finite entries in both, and none negative in a.
func (q DiagonalQuadratic) Validate() error {
	if len(q.Curvature) != len(q.Center) {
		return fmt.Errorf("oco: DiagonalQuadratic: Curvature has %d entries and Center %d, must have as many", len(q.Curvature), len(q.Center))
	}
	errs := []error{checkEntries("DiagonalQuadratic", "Center", q.Center)}
	for i, a := range q.Curvature {
		errs = append(errs, atLeast0("DiagonalQuadratic", fmt.Sprintf("Curvature[%d]", i), a))
	}
	return errors.Join(errs...)
}

// Dim is the number of entries.
func (l LinearCost) Dim() int { return len(l) }

// Value is ⟨c, x⟩.
func (l LinearCost) Value(x []float64) float64 { return floats.Dot(l, x) }

// Subgradient is c.
func (l LinearCost) Subgradient(dst, _ []float64) { copy(dst, l) }

// ValueNode is Value in a graph.
func (l LinearCost) ValueNode(x *graph.Node) *graph.Node {
	return graph.ReduceSum(graph.Mul(x, row(x, l)), 1)
}

// SubgradientNode is Subgradient in a graph.
func (l LinearCost) SubgradientNode(x *graph.Node) *graph.Node {
	return graph.Add(graph.ZerosLike(x), row(x, l))
}

// Validate wants finite entries.
func (l LinearCost) Validate() error { return checkEntries("LinearCost", "c", l) }

func checkEntries(method, field string, v []float64) error {
	if len(v) == 0 || !finite(v) {
		return fmt.Errorf("oco: %s: %s is %v, must have entries, and finite ones", method, field, v)
	}
	return nil
}
