package oco

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Quadratic is the adversary with F_t(x) = ½‖x − c_t‖² and f_t(x) = F_t(x) + ⟨ξ_t, x⟩, ξ_t uniform on the sphere of radius σ:
// then λ = L = 1, σ_t² = σ² and sup_x‖∇F_t(x) − ∇F_{t−1}(x)‖² = ‖c_t − c_{t−1}‖² exactly.
type Quadratic struct {
	Centers Path    // c_t
	Noise   float64 // σ; at least 0
	Radius  float64 // R of the ball; above 0
}

var _ Moving = Quadratic{}

// Dim of the points.
func (q Quadratic) Dim() int {
	if len(q.Centers) == 0 {
		return 0
	}
	return len(q.Centers[0])
}

// Validate wants centers of one length and finite, σ ≥ 0 and R > 0.
func (q Quadratic) Validate(int) error {
	if q.Dim() == 0 {
		return errors.New("oco: Quadratic: Centers is empty, must hold at least one point of at least one entry")
	}
	for t, c := range q.Centers {
		if len(c) != q.Dim() || !finite(c) {
			return fmt.Errorf("oco: Quadratic: center %d is %v, must have %d finite entries", t+1, c, q.Dim())
		}
	}
	return errors.Join(atLeast0("Quadratic", "Noise", q.Noise), above0("Quadratic", "Radius", q.Radius))
}

// Gradient is G, the largest ‖∇f_t(x)‖ on the ball.
func (q Quadratic) Gradient() float64 {
	var most float64
	for _, c := range q.Centers {
		most = max(most, floats.Norm(c, 2))
	}
	return q.Radius + most + q.Noise
}

// Reveal writes x − c_t + ξ_t.
func (q Quadratic) Reveal(draw *rand.Rand, round int, x, gradient []float64) float64 {
	if q.Noise > 0 {
		sphere(draw, q.Noise, gradient)
	} else {
		clear(gradient)
	}
	for i, c := range q.Centers.at(round) {
		gradient[i] += x[i] - c
	}
	return q.Loss(round, x)
}

// sphere draws a point of the sphere.
func sphere(draw *rand.Rand, radius float64, x []float64) {
	for i := range x {
		x[i] = draw.NormFloat64()
	}
	floats.Scale(radius/floats.Norm(x, 2), x)
}

// Loss is F_t(x).
func (q Quadratic) Loss(round int, x []float64) float64 {
	distance := floats.Distance(x, q.Centers.at(round), 2)
	return distance * distance / 2
}

// Best is the mean of the centers, moved into the ball.
func (q Quadratic) Best(horizons []int) (points [][]float64, sums []float64) {
	sum, squares, round := make([]float64, q.Dim()), 0.0, 1
	for _, n := range horizons {
		for ; round <= n; round++ {
			c := q.Centers.at(round)
			floats.Add(sum, c)
			squares += floats.Dot(c, c)
		}
		u := slices.Clone(sum)
		floats.Scale(1/float64(n), u)
		q.Ball().Project(u)
		points = append(points, u)
		sums = append(sums, (float64(n)*floats.Dot(u, u)-2*floats.Dot(u, sum)+squares)/2)
	}
	return points, sums
}

// Ball is the set of points that are compared with.
func (q Quadratic) Ball() Ball { return Ball{Radius: q.Radius} }

// Target is c_t, moved into the ball.
func (q Quadratic) Target(round int) []float64 {
	u := slices.Clone(q.Centers.at(round))
	q.Ball().Project(u)
	return u
}

// CumVariance is n·σ².
func (q Quadratic) CumVariance(rounds int) float64 { return float64(rounds) * q.Noise * q.Noise }

// CumVariation is (R + ‖c_1‖)² + Σ_{2≤t≤n} ‖c_t − c_{t−1}‖².
func (q Quadratic) CumVariation(rounds int) float64 {
	first := q.Radius + floats.Norm(q.Centers.at(1), 2)
	sum := first * first
	for t := 2; t <= rounds; t++ {
		d := floats.Distance(q.Centers.at(t), q.Centers.at(t-1), 2)
		sum += d * d
	}
	return sum
}

// QuadraticStream is the adversaries' stream, one a run. Their paths may be of several lengths if each divides the longest.
func QuadraticStream(runs []Quadratic) (Stream, error) {
	if len(runs) == 0 {
		return Stream{}, errors.New("oco: QuadraticStream: runs is empty, must hold at least one adversary")
	}
	dim, period := runs[0].Dim(), 0
	for _, q := range runs {
		period = max(period, len(q.Centers))
	}
	noise, noisy := make([]float64, len(runs)), false
	for i, q := range runs {
		if err := q.Validate(period); err != nil {
			return Stream{}, fmt.Errorf("run %d: %w", i, err)
		}
		if q.Dim() != dim || period%len(q.Centers) != 0 {
			return Stream{}, fmt.Errorf("oco: QuadraticStream: run %d has %d centers in %d dimensions, must be a divisor of %d, and %d dimensions like the first", i, len(q.Centers), q.Dim(), period, dim)
		}
		noise[i], noisy = q.Noise, noisy || q.Noise > 0
	}
	centers := make([]float64, 0, period*len(runs)*dim)
	for t := 1; t <= period; t++ {
		for _, q := range runs {
			centers = append(centers, q.Centers.at(t)...)
		}
	}
	s := Stream{Name: "quadratic losses", Dim: dim, Inputs: scan.Vars{"centers": tensors.FromFlatDataAndDimensions(centers, period, len(runs), dim)}}
	if noisy {
		s.Inputs["noise"] = tensors.FromFlatDataAndDimensions(noise, len(runs), 1)
	}
	s.Reveal = func(s *scan.Step, x *graph.Node) (gradient, loss *graph.Node) {
		expected := graph.Sub(x, s.Row("centers"))
		loss = graph.MulScalar(graph.ReduceSum(graph.Square(expected), 1), 0.5)
		if !s.HasInput("noise") {
			return expected, loss
		}
		xi := s.NormalEach(shapes.Make(float64Type, dim))
		return graph.Add(expected, graph.Mul(xi, graph.Div(s.Input("noise"), norm2(xi)))), loss
	}
	return s, nil
}
