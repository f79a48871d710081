package oco

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// LeastSquares is a data set as an adversary: f_t(x) = ½(⟨a_t, x⟩ − b_t)², a row a round. It charges f_t itself, which is
// exp-concave with α = 1/G² for G = max|⟨a_t, x⟩ − b_t| on the ball, for rows of norm at most 1.
type LeastSquares struct {
	A      *mat.Dense // a_t, one a row
	B      []float64  // b_t
	Radius float64    // R of the ball; above 0
	// Weights and Noise are w and s where the rows were drawn by [NewLeastSquares]; else nil and 0.
	Weights []float64
	Noise   float64
}

var _ SEA = (*LeastSquares)(nil)

// NewLeastSquares draws a_t uniformly from the unit sphere and b_t = ⟨a_t, w⟩ ± s by a fair coin.
func NewLeastSquares(rounds int, weights []float64, noise, radius float64, seed uint64) (*LeastSquares, error) {
	if rounds < 1 || len(weights) == 0 || !finite(weights) {
		return nil, fmt.Errorf("oco: NewLeastSquares: %d rounds and weights %v, must be at least one round, and at least one finite entry", rounds, weights)
	}
	if err := errors.Join(atLeast0("NewLeastSquares", "noise", noise), above0("NewLeastSquares", "radius", radius)); err != nil {
		return nil, err
	}
	l := &LeastSquares{A: mat.NewDense(rounds, len(weights), nil), B: make([]float64, rounds), Radius: radius, Weights: weights, Noise: noise}
	draw := online.Seeded(seed, "least squares")
	for t := range l.B {
		row := l.A.RawRowView(t)
		sphere(draw, 1, row)
		l.B[t] = floats.Dot(row, weights) + noise*float64(2*draw.IntN(2)-1)
	}
	return l, nil
}

// Dim of the points.
func (l *LeastSquares) Dim() int { _, d := l.A.Dims(); return d }

// Validate wants as many b as rows, and as many rows as rounds.
func (l *LeastSquares) Validate(rounds int) error {
	if l.A == nil {
		return errors.New("oco: LeastSquares: A is nil, must hold a row a round")
	}
	if n, _ := l.A.Dims(); n != len(l.B) || n < rounds {
		return fmt.Errorf("oco: LeastSquares: %d rows and %d entries of B, must be equally many and at least as many as rounds, %d", n, len(l.B), rounds)
	}
	if !finite(l.B) || !finite(l.A.RawMatrix().Data) {
		return errors.New("oco: LeastSquares: A or B has an entry that is not finite")
	}
	return above0("LeastSquares", "Radius", l.Radius)
}

// Reveal writes a_t(⟨a_t, x⟩ − b_t).
func (l *LeastSquares) Reveal(_ *rand.Rand, round int, x, gradient []float64) float64 {
	a := l.A.RawRowView(round - 1)
	rest := floats.Dot(a, x) - l.B[round-1]
	floats.ScaleTo(gradient, rest, a)
	return rest * rest / 2
}

// Loss is f_t(x).
func (l *LeastSquares) Loss(round int, x []float64) float64 {
	rest := floats.Dot(l.A.RawRowView(round-1), x) - l.B[round-1]
	return rest * rest / 2
}

// Best is least squares within the ball.
func (l *LeastSquares) Best(horizons []int) (points [][]float64, sums []float64) {
	dim := l.Dim()
	m, ridged, ab, bb, round := newMetric(dim), newMetric(dim), make([]float64, dim), 0.0, 0
	product := make([]float64, dim)
	for _, n := range horizons {
		for ; round < n; round++ {
			a := l.A.RawRowView(round)
			blas64.Syr(1, blas64.Vector{N: dim, Data: a, Inc: 1}, m.H)
			floats.AddScaled(ab, l.B[round], a)
			bb += l.B[round] * l.B[round]
		}
		// Fewer rows than dimensions leave directions free: far below a rounding of the sum, the least point is taken.
		copy(ridged.H.Data, m.H.Data)
		ridge := math.SmallestNonzeroFloat64
		for i := range dim {
			ridge += 1e-13 * m.H.Data[i*dim+i]
		}
		for i := range dim {
			ridged.H.Data[i*dim+i] += ridge
		}
		u := make([]float64, dim)
		l.Ball().Minimize(u, ab, ridged)
		m.multiply(product, u)
		points, sums = append(points, u), append(sums, (floats.Dot(u, product)-2*floats.Dot(u, ab)+bb)/2)
	}
	return points, sums
}

// Ball is the set of points that are compared with.
func (l *LeastSquares) Ball() Ball { return Ball{Radius: l.Radius} }

// CumVariance is n·((R + ‖w‖)²(1/d − 1/d²) + s²) of drawn rows, else NaN.
func (l *LeastSquares) CumVariance(rounds int) float64 {
	if l.Weights == nil {
		return math.NaN()
	}
	far, d := l.Radius+floats.Norm(l.Weights, 2), float64(l.Dim())
	return float64(rounds) * (far*far*(1/d-1/(d*d)) + l.Noise*l.Noise)
}

// CumVariation is ((R + ‖w‖)/d)² of drawn rows, for F_t never changes; else NaN.
func (l *LeastSquares) CumVariation(int) float64 {
	if l.Weights == nil {
		return math.NaN()
	}
	first := (l.Radius + floats.Norm(l.Weights, 2)) / float64(l.Dim())
	return first * first
}

// LeastSquaresStream is the adversaries' stream, one a run, all of one shape.
func LeastSquaresStream(runs []*LeastSquares) (Stream, error) {
	if len(runs) == 0 {
		return Stream{}, errors.New("oco: LeastSquaresStream: runs is empty, must hold at least one adversary")
	}
	for i, l := range runs {
		if err := l.Validate(len(runs[0].B)); err != nil {
			return Stream{}, fmt.Errorf("run %d: %w", i, err)
		}
		if l.Dim() != runs[0].Dim() || len(l.B) != len(runs[0].B) {
			return Stream{}, fmt.Errorf("oco: LeastSquaresStream: run %d is %d×%d, must be %d×%d like the first", i, len(l.B), l.Dim(), len(runs[0].B), runs[0].Dim())
		}
	}
	rounds, dim := len(runs[0].B), runs[0].Dim()
	var a, b []float64
	for t := range rounds {
		for _, l := range runs {
			a, b = append(a, l.A.RawRowView(t)...), append(b, l.B[t])
		}
	}
	return Stream{
		Name: "least squares", Dim: dim,
		Inputs: scan.Vars{"a": tensors.FromFlatDataAndDimensions(a, rounds, len(runs), dim), "b": tensors.FromFlatDataAndDimensions(b, rounds, len(runs))},
		Reveal: func(s *scan.Step, x *graph.Node) (gradient, loss *graph.Node) {
			a := s.Row("a")
			rest := graph.Sub(graph.ReduceSum(graph.Mul(a, x), 1), s.Row("b"))
			return graph.Mul(graph.InsertAxes(rest, 1), a), graph.MulScalar(graph.Square(rest), 0.5)
		},
	}, nil
}
