// Package functions holds small test problems for optimizers: known values, gradients and minima.
//
// A [Function] of one variable comes as plain Go and as graph code; [Trajectory] follows an optimizer on it, many starts
// and hyper-parameters at once. Losses of several variables are in package optimtest.
package functions

import (
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// Function is a differentiable function of one variable, by pieces.
type Function struct {
	Name string
	// Minima are the local minima, the global one first.
	Minima []float64

	pieces []piece
	last   piece // above every limit
}

// piece holds up to and with its limit.
type piece struct {
	limit           float64
	value, gradient func(x float64) float64
	build           func(x *graph.Node) *graph.Node // the gradient
}

// at is the piece that holds at x.
func (f Function) at(x float64) piece {
	for _, p := range f.pieces {
		if x <= p.limit {
			return p
		}
	}
	return f.last
}

// Value at x.
func (f Function) Value(x float64) float64 { return f.at(x).value(x) }

// Gradient at x; at a break, that of the left piece.
func (f Function) Gradient(x float64) float64 { return f.at(x).gradient(x) }

// Build is the gradient at x, entry by entry.
func (f Function) Build(x *graph.Node) *graph.Node {
	out := f.last.build(x)
	for _, p := range slices.Backward(f.pieces) {
		out = graph.Where(graph.LessOrEqual(x, graph.Scalar(x.Graph(), x.DType(), p.limit)), p.build(x), out)
	}
	return out
}

// quadratic is the piece of value a·x² + b·x + c.
func quadratic(limit, a, b, c float64) piece {
	return piece{
		limit:    limit,
		value:    func(x float64) float64 { return (a*x+b)*x + c },
		gradient: func(x float64) float64 { return 2*a*x + b },
		build: func(x *graph.Node) *graph.Node {
			return graph.AddScalar(graph.MulScalar(x, 2*a), b)
		},
	}
}

// SyntheticF1 is (x+0.3)² for x ≤ 0, else (x−0.2)² + 0.05: a good minimum and, across a ridge, a worse one.
//
// Source: Dubey et al. (2020), diffGrad, first synthetic function.
func SyntheticF1() Function {
	return Function{
		Name: "F1", Minima: []float64{-0.3, 0.2},
		pieces: []piece{quadratic(0, 1, 0.6, 0.09)}, last: quadratic(0, 1, -0.4, 0.09),
	}
}

// SyntheticF2 is −40x − 35.15 for x ≤ −0.9, else x³ + x·sin 8x + 0.85: a steep wall and three valleys.
//
// The paper's notebook runs on another gradient, with x·cos 8x in the place of 8x·cos 8x; published takes that one,
// whose zeros are not the minima. Source: Dubey et al. (2020), diffGrad, second synthetic function.
func SyntheticF2(published bool) Function {
	factor, name := 8.0, "F2"
	if published {
		factor, name = 1, "F2 (published gradient)"
	}
	return Function{
		Name: name, Minima: []float64{-0.6429, 0, 0.588},
		pieces: []piece{quadratic(-0.9, 0, -40, -35.15)},
		last: piece{
			value:    func(x float64) float64 { return x*x*x + x*math.Sin(8*x) + 0.85 },
			gradient: func(x float64) float64 { return 3*x*x + math.Sin(8*x) + factor*x*math.Cos(8*x) },
			build: func(x *graph.Node) *graph.Node {
				angle := graph.MulScalar(x, 8)
				wave := graph.Add(graph.Sin(angle), graph.Mul(graph.MulScalar(x, factor), graph.Cos(angle)))
				return graph.Add(graph.MulScalar(graph.Square(x), 3), wave)
			},
		},
	}
}

// SyntheticF3 is made of x² outside ±½ and straight lines inside: minima at 0 and ±½.
//
// Source: Dubey et al. (2020), diffGrad, third synthetic function.
func SyntheticF3() Function {
	return Function{
		Name: "F3", Minima: []float64{0, -0.5, 0.5},
		pieces: []piece{
			quadratic(-0.5, 1, 0, 0), quadratic(-0.4, 0, 1, 0.75), quadratic(0, 0, -0.875, 0),
			quadratic(0.4, 0, 0.875, 0), quadratic(0.5, 0, -1, 0.75),
		},
		last: quadratic(0, 1, 0, 0),
	}
}
