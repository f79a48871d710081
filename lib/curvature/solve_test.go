package curvature

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// Two blocks at once, each with its own shift, against Cholesky; 150 rows are more than a panel.
func TestSolveShifted(t *testing.T) {
	b := backend.ForTest(t)
	rng := rand.New(rand.NewPCG(21, 22))
	e, err := NewExec(b, solveShifted)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 2, 7, 150} {
		shifts := []float64{1e-3, 2}
		var as, bs, want []float64
		for _, shift := range shifts {
			half := mat.NewDense(n, max(1, n/2), gaussian(rng, n*max(1, n/2))) // of half the rank
			a := mat.NewSymDense(n, nil)
			a.SymOuterK(1, half)
			right := gaussian(rng, n)
			for i := range n {
				for j := range n {
					as = append(as, a.At(i, j))
				}
			}
			for i := range n {
				a.SetSym(i, i, a.At(i, i)+shift)
			}
			var c mat.Cholesky
			var x mat.VecDense
			if !c.Factorize(a) {
				t.Fatal("not positive definite")
			}
			if err := c.SolveVecTo(&x, mat.NewVecDense(n, right)); err != nil {
				t.Fatal(err)
			}
			bs, want = append(bs, right...), append(want, x.RawVector().Data...)
		}
		out, err := e.Call(tensors.FromFlatDataAndDimensions(as, 2, n, n), tensors.FromFlatDataAndDimensions(bs, 2, n), shifts)
		if err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprintf("n = %d", n), tensors.MustCopyFlatData[float64](out[0]), want, 1e-9)
	}
}

// A Gram matrix that rounding has made indefinite still gives a finite solution of bounded length.
func TestSolveIndefinite(t *testing.T) {
	b := backend.ForTest(t)
	e, err := NewExec(b, solveShifted)
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Call([][][]float64{{{1, 1 + 1e-6}, {1 + 1e-6, 1}}}, [][]float64{{0, 1}}, []float64{1e-7})
	if err != nil {
		t.Fatal(err)
	}
	x := tensors.MustCopyFlatData[float64](out[0])
	// The second pivot, 1 − (1 + 1e-6)² + 1e-7·…, is negative, and stands at the shift.
	near(t, "clamped", x, []float64{-1e7 * (1 + 1e-6) / (1 + 1e-7), 1e7}, 1e-6)
}

// Fact 2 of the method's reference: the matrices D and B of the dynamic algorithm.
func TestDynamicMatrices(t *testing.T) {
	b := backend.ForTest(t)
	const lambda, m = 0.1, 2
	e, err := NewExec(b, func(g *Node) []*Node {
		inverse, upper := eliminate(InsertAxes(MulScalar(Einsum("id,jd->ij", g, g), 1/lambda), 0), Const(g.Graph(), []float64{m}))
		return []*Node{Sub(upper, InsertAxes(MulScalar(ConvertDType(Diagonal(g.Graph(), 2), g.DType()), m), 0)), MulScalar(inverse, 1/lambda)}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Call([][]float64{{1, 2, 3}, {0, 1, -1}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "D", tensors.MustCopyFlatData[float64](out[0]), []float64{140, -10, 0, 19.295774647887}, 1e-12)
	near(t, "B", tensors.MustCopyFlatData[float64](out[1]), []float64{10, 0, 0.704225352113, 10}, 1e-12)
}

// Runs beside each other are what each is alone, with dampings of their own.
func TestWindowRuns(t *testing.T) {
	b := backend.ForTest(t)
	const m, d, runs, steps = 3, 5, 2, 7
	data := gaussian(rand.New(rand.NewPCG(23, 24)), steps*runs*d)
	dampings := []float64{0.1, 1e-3}
	run := func(inputs *tensors.Tensor, lambda any, runs int) [2][]float64 {
		e, err := NewExec(b, func(g, lambda *Node) []*Node {
			w := NewWindow(g.Graph(), dtypes.Float64, runs, m, d)
			for s := range steps {
				w = w.Insert(Squeeze(Slice(g, AxisElem(s)), 0))
			}
			return []*Node{w.MulNewest(lambda), w.Mul(Squeeze(Slice(g, AxisElem(0)), 0), lambda)}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.Call(inputs, lambda)
		if err != nil {
			t.Fatal(err)
		}
		return [2][]float64{tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1])}
	}
	together := run(tensors.FromFlatDataAndDimensions(data, steps, runs, d), dampings, runs)
	for r := range runs {
		var own []float64
		for s := range steps {
			own = append(own, data[(s*runs+r)*d:(s*runs+r+1)*d]...)
		}
		alone := run(tensors.FromFlatDataAndDimensions(own, steps, d), dampings[r], 0)
		for i := range alone {
			near(t, fmt.Sprintf("run %d, product %d", r, i), together[i][r*d:(r+1)*d], alone[i], 1e-12)
		}
	}
}
