package oco

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// LowerBound is the function on which the last iterate of T steps of sub-gradient descent with η/√t pays a logarithm:
// f(x) = max_{1≤i≤T+1} ⟨Hᵢ, x⟩ over the unit [Ball] of ℝ^T, with
//
//	H_{i,j} = 1/(8(T−j+1)) for j < i,   −√i/(2√T) for j = i ≤ T,   0 for j > i
//
// and the sub-gradient H_k of the first k among the exact maxima. From the origin, f(x^{T+1}) ≥ ln T/(32√T), while inf f ≤ 0.
// Value and sub-gradient cost O(T), from sums over the first coordinates.
//
// Source: Harvey, Liaw, Plan, Randhawa (2019), Tight analyses for non-smooth stochastic gradient descent, section 3.
type LowerBound struct {
	Rounds int // T; at least 1
}

var _ Objective = LowerBound{}

// Dim is T.
func (l LowerBound) Dim() int { return l.Rounds }

func (l LowerBound) below(j int) float64 { return 1 / (8 * float64(l.Rounds-j+1)) }

func (l LowerBound) diagonal(i int) float64 {
	return -math.Sqrt(float64(i)) / (2 * math.Sqrt(float64(l.Rounds)))
}

// largest is the value and the first i that has it. Behind the last coordinate that is not 0 all sums are one number, so
// that ties of those are exact.
func (l LowerBound) largest(x []float64) (value float64, first int) {
	value = math.Inf(-1)
	var sum float64
	for i := 1; i <= l.Rounds+1; i++ {
		v := sum
		if i <= l.Rounds {
			v += l.diagonal(i) * x[i-1]
			sum += l.below(i) * x[i-1]
		}
		if v > value {
			value, first = v, i
		}
	}
	return value, first
}

// Value is f(x).
func (l LowerBound) Value(x []float64) float64 {
	value, _ := l.largest(x)
	return value
}

// Subgradient is H_k.
func (l LowerBound) Subgradient(dst, x []float64) {
	_, first := l.largest(x)
	for j := range dst {
		switch i := j + 1; {
		case i < first:
			dst[j] = l.below(i)
		case i == first:
			dst[j] = l.diagonal(i)
		default:
			dst[j] = 0
		}
	}
}

// rows are H's entries below and on the diagonal, by column, with a column T+1 of zeros.
func (l LowerBound) rows(x *graph.Node) (below, diagonal *graph.Node) {
	b, d := make([]float64, l.Rounds+1), make([]float64, l.Rounds+1)
	for j := 1; j <= l.Rounds; j++ {
		b[j-1], d[j-1] = l.below(j), l.diagonal(j)
	}
	return row(x, b), row(x, d)
}

// valuesNode are all ⟨Hᵢ, x⟩, [runs, T+1].
func (l LowerBound) valuesNode(x *graph.Node) *graph.Node {
	below, diagonal := l.rows(x)
	x = graph.Concatenate([]*graph.Node{x, graph.ZerosLike(graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, 1)))}, 1)
	// A compiled sum goes in any order, which would break ties. In integers every order gives the same: all sums are below
	// 1 in size, by Cauchy and Schwarz, and so one unit is 2⁻⁶⁰.
	parts := graph.ConvertDType(graph.MulScalar(graph.Mul(below, x), 0x1p60), dtypes.Int64)
	before := graph.Sub(graph.CumSum(parts, 1), parts)
	return graph.Add(graph.MulScalar(graph.ConvertDType(before, float64Type), 0x1p-60), graph.Mul(diagonal, x))
}

// ValueNode is Value in a graph, on points of the unit ball.
func (l LowerBound) ValueNode(x *graph.Node) *graph.Node {
	return graph.ReduceMax(l.valuesNode(x), 1)
}

// SubgradientNode is Subgradient in a graph, on points of the unit ball.
func (l LowerBound) SubgradientNode(x *graph.Node) *graph.Node {
	values := l.valuesNode(x)
	place := graph.Iota(x.Graph(), values.Shape(), 1)
	top := graph.GreaterOrEqual(values, graph.ReduceAndKeep(values, graph.ReduceMax, 1))
	first := graph.ReduceAndKeep(graph.Where(top, place, graph.AddScalar(graph.ZerosLike(place), float64(l.Rounds+1))), graph.ReduceMin, 1)
	below, diagonal := l.rows(x)
	none := graph.ZerosLike(values)
	h := graph.Where(graph.LessThan(place, first), graph.Add(none, below), graph.Where(graph.Equal(place, first), graph.Add(none, diagonal), none))
	return graph.Slice(h, graph.AxisRange(), graph.AxisRange(0, l.Rounds))
}

// Validate wants T ≥ 1.
func (l LowerBound) Validate() error { return atLeast1("LowerBound", "Rounds", l.Rounds) }
