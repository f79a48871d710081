package functions

import (
	"context"
	"math"
	"testing"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
)

// Small quadratics against a loop by hand with the same H and W*: gradient descent, with the exact step and with 1/κ.
func TestDescend(t *testing.T) {
	b := backend.ForTest(t)
	quadratics := []MatrixQuadratic{{Rows: 3, Columns: 4, Condition: 1}, {Rows: 3, Columns: 4, Condition: 30, Seed: 2}}
	const steps = 8
	byHand := func(q MatrixQuadratic, search bool) (out []float64) {
		h, target := q.draw()
		gap := make([]float64, len(target))
		for i := range gap {
			gap[i] = -target[i]
		}
		times := func(x []float64) []float64 {
			y := make([]float64, len(x))
			for i := range q.Rows {
				for k := range q.Rows {
					for j := range q.Columns {
						y[i*q.Columns+j] += h[i*q.Rows+k] * x[k*q.Columns+j]
					}
				}
			}
			return y
		}
		dot := func(x, y []float64) (sum float64) {
			for i := range x {
				sum += x[i] * y[i]
			}
			return sum
		}
		for range steps + 1 {
			g := times(gap)
			out = append(out, dot(gap, g)/2)
			length := 1 / q.Condition
			if search && dot(g, g) > 1e-25 {
				length = dot(g, g) / dot(g, times(g))
			}
			for i := range gap {
				gap[i] -= length * g[i]
			}
		}
		for i := len(out) - 1; i >= 0; i-- {
			out[i] /= out[0]
		}
		return out
	}
	for _, search := range []bool{false, true} {
		var method optim.Transform = optim.SGD(1)
		hyper := optim.Hyper{"learning_rate": {1, 1. / 30}}
		if search {
			method, hyper = optim.Keep{}, nil
		}
		got, err := Descend(context.Background(), b, method, quadratics, steps, search, hyper)
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range quadratics {
			for k, want := range byHand(q, search) {
				if math.Abs(got[i][k]-want) > 1e-12 {
					t.Fatalf("quadratic %d, search %v, step %d: %g, want %g", i, search, k, got[i][k], want)
				}
			}
		}
	}
}

func TestDescendErrors(t *testing.T) {
	for _, bad := range [][]MatrixQuadratic{nil, {{Condition: 0.5}}, {{Condition: 1, Rows: -1}}, {{Condition: 1}, {Condition: 1, Rows: 3}}, {{Condition: math.NaN()}}} {
		if _, err := Descend(context.Background(), nil, optim.SGD(1), bad, 1, false, nil); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}
