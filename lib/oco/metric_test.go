package oco

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// Numeric fact 4: the closest point of the disc in the metric is not the closest in the plane.
func TestMetricProjectFact(t *testing.T) {
	m, err := NewMetric(mat.NewSymDense(2, []float64{2, .5, .5, 1}))
	if err != nil {
		t.Fatal(err)
	}
	y := []float64{2, 1}
	if err := m.Project(Ball{Radius: 1}, y); err != nil {
		t.Fatal(err)
	}
	near(t, "disc", y, []float64{0.9095916916, 0.4155032547}, 1e-9)
	inside := []float64{0.3, -0.4}
	if err := m.Project(Ball{Radius: 1}, inside); err != nil {
		t.Fatal(err)
	}
	near(t, "inside", inside, []float64{0.3, -0.4}, 1e-14)
	if err := m.Project(Ball{Radius: 1}, []float64{1}); err == nil {
		t.Error("a point of the wrong length is taken")
	}
	if _, err := NewMetric(mat.NewSymDense(2, []float64{1, 2, 2, 1})); err == nil {
		t.Error("an indefinite matrix is taken")
	}
}

// problem draws a metric with condition number up to about 10⁴ and a linear part.
func problem(draw *rand.Rand, dim int) (*Metric, []float64) {
	h := mat.NewSymDense(dim, nil)
	for i := range dim {
		h.SetSym(i, i, 0.01)
	}
	for range dim {
		g := mat.NewVecDense(dim, nil)
		for i := range dim {
			g.SetVec(i, draw.NormFloat64())
		}
		h.SymRankOne(h, math.Exp(2*draw.NormFloat64()), g)
	}
	m, err := NewMetric(h)
	if err != nil {
		panic(err)
	}
	b := make([]float64, dim)
	for i := range b {
		b[i] = 10 * draw.NormFloat64()
	}
	return m, b
}

func domains(dim int) map[string]MetricDomain {
	low, high := make([]float64, dim), make([]float64, dim)
	for i := range low {
		low[i], high[i] = -0.1*float64(i+1), 0.3
	}
	return map[string]MetricDomain{"free": Free{}, "ball": Ball{Radius: 0.5}, "box": Box{Low: low, High: high}}
}

// A minimum of ½xᵀHx − ⟨b, x⟩ is where a small step against the gradient projects back to the same point.
func TestMinimizeIsStationary(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	for _, dim := range []int{1, 2, 5, 20} {
		for range 100 {
			m, b := problem(draw, dim)
			for name, over := range domains(dim) {
				x, moved := make([]float64, dim), make([]float64, dim)
				over.Minimize(x, b, m)
				if !over.Contains(x, 1e-12) {
					t.Fatalf("%s: %v is outside", name, x)
				}
				m.multiply(moved, x)
				floats.Sub(moved, b)
				gradient := floats.Norm(moved, 2)
				floats.Scale(-1e-3, moved)
				floats.Add(moved, x)
				over.Project(moved)
				if d := floats.Distance(moved, x, 2); d > 1e-3*1e-7*(1+gradient) {
					t.Fatalf("%s, %d dimensions: a step moves the minimum by %g, gradient %g", name, dim, d, gradient)
				}
			}
		}
	}
}

func TestMinimizeNodeAgrees(t *testing.T) {
	backendOf := backend.ForTest(t)
	draw := rand.New(rand.NewPCG(3, 4))
	const runs = 7
	for _, dim := range []int{1, 2, 5} {
		for name, over := range domains(dim) {
			var hs, bs []float64
			var want [][]float64
			for range runs {
				m, b := problem(draw, dim)
				x := make([]float64, dim)
				over.Minimize(x, b, m)
				want = append(want, x)
				bs = append(bs, b...)
				for i := range dim {
					for j := range dim {
						hs = append(hs, m.H.Data[min(i, j)*dim+max(i, j)])
					}
				}
			}
			exec, err := graph.NewExec(backendOf, func(h, b *graph.Node) *graph.Node { return over.MinimizeNode(h, b) })
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Call(tensors.FromFlatDataAndDimensions(hs, runs, dim, dim), tensors.FromFlatDataAndDimensions(bs, runs, dim))
			if err != nil {
				t.Fatal(err)
			}
			got := tensors.MustCopyFlatData[float64](out[0])
			for i := range runs { // the metrics' condition, 10⁴ and more, times a rounding
				near(t, name, got[i*dim:(i+1)*dim], want[i], 1e-9*(1+floats.Norm(want[i], 2)))
			}
		}
	}
}

func TestMinimizeDoesNotAllocate(t *testing.T) {
	m, b := problem(rand.New(rand.NewPCG(5, 6)), 6)
	x := make([]float64, 6)
	for name, over := range domains(6) {
		if n := testing.AllocsPerRun(50, func() { over.Minimize(x, b, m) }); n != 0 {
			t.Errorf("%s: %g allocations", name, n)
		}
	}
}
