package curvature

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
)

func gaussian(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}

// denseInverse is the oracle: (λI + GᵀG/m)⁻¹ with the entries between blocks of F dropped.
func denseInverse(g *mat.Dense, lambda float64, block int) *mat.Dense {
	m, d := g.Dims()
	f := mat.NewDense(d, d, nil)
	f.Mul(g.T(), g)
	f.Scale(1/float64(m), f)
	for i := range d {
		for j := range d {
			if block > 0 && i/block != j/block {
				f.Set(i, j, 0)
			}
		}
		f.Set(i, i, f.At(i, i)+lambda)
	}
	var inverse mat.Dense
	if err := inverse.Inverse(f); err != nil {
		panic(err)
	}
	return &inverse
}

func vector(t *testing.T, x *tensors.Tensor, err error) []float64 {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float64](x)
}

func near(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	diff := make([]float64, len(want))
	floats.SubTo(diff, got, want)
	if e := floats.Norm(diff, 2) / floats.Norm(want, 2); !(e <= tolerance) {
		t.Errorf("%s: relative error %.2g, at most %.2g allowed", what, e, tolerance)
	}
}

// TestNumericFacts are facts 1 and 2 of the method's reference: code and dense inverse agree on them.
func TestNumericFacts(t *testing.T) {
	b := backend.ForTest(t)
	g := tensors.FromFlatDataAndDimensions([]float64{1, 2, 3, 0, 1, -1}, 2, 3)
	f, err := NewInverseFisher(b, g, FisherConfig{Damping: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "v", tensors.MustCopyFlatData[float64](f.pages[0].v), []float64{10, 20, 30, 0.704225352113, 11.408450704225, -7.887323943662}, 1e-12)
	near(t, "q", tensors.MustCopyFlatData[float64](f.pages[0].q), []float64{142, 21.295774647887}, 1e-12)
	x := tensors.FromValue([]float64{1, 0, -1})
	y, err := f.Mul(x)
	near(t, "static product", vector(t, y, err), []float64{11.124338624339, -1.785714285714, -2.592592592593}, 1e-11)
	y, err = f.Diag()
	near(t, "diagonal", vector(t, y, err), []float64{9.272486772487, 1.071428571429, 0.740740740741}, 1e-11)
	if e, err := f.Element(0, 2); err != nil || math.Abs(e+1.851851851852) > 1e-11 {
		t.Errorf("Element(0, 2) = %v, %v", e, err)
	}

	w, err := NewWindowFisher(b, 2, 3, 0.1, dtypes.Float64)
	if err != nil {
		t.Fatal(err)
	}
	insert := func(g ...float64) {
		t.Helper()
		if err := w.Insert(tensors.FromValue(g)); err != nil {
			t.Fatal(err)
		}
	}
	y, err = w.Mul(x)
	near(t, "empty window", vector(t, y, err), []float64{10, 0, -10}, 1e-14)
	insert(1, 2, 3)
	y, err = w.MulNewest()
	near(t, "F⁻¹g₁", vector(t, y, err), []float64{0.140845070423, 0.281690140845, 0.422535211268}, 1e-11)
	insert(0, 1, -1)
	y, err = w.Mul(x)
	near(t, "window product", vector(t, y, err), []float64{11.124338624339, -1.785714285714, -2.592592592593}, 1e-11)
	insert(2, 0, 1)
	y, err = w.Mul(x)
	near(t, "after the window has moved", vector(t, y, err), []float64{3.869731800766, -5.938697318008, -7.126436781609}, 1e-11)
}

func TestAgainstDenseInverse(t *testing.T) {
	b := backend.ForTest(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		m, d, block, page int
		lambda            float64
	}{
		{1, 10, 0, 0, 1e-1}, {8, 10, 0, 3, 1e-3}, {32, 10, 4, 0, 1e-2}, {8, 50, 0, 1, 1e-3}, {40, 50, 7, 16, 1e-1}, {33, 50, 50, 0, 1e-3},
	} {
		t.Run(fmt.Sprintf("m=%d d=%d block=%d page=%d", c.m, c.d, c.block, c.page), func(t *testing.T) {
			data := gaussian(rng, c.m*c.d)
			g := tensors.FromFlatDataAndDimensions(data, c.m, c.d)
			f, err := NewInverseFisher(b, g, FisherConfig{Damping: c.lambda, Block: c.block, Page: c.page})
			if err != nil {
				t.Fatal(err)
			}
			inverse := denseInverse(mat.NewDense(c.m, c.d, data), c.lambda, c.block)
			x := gaussian(rng, c.d)
			var want mat.VecDense
			want.MulVec(inverse, mat.NewVecDense(c.d, x))
			y, err := f.Mul(tensors.FromValue(x))
			near(t, "Mul", vector(t, y, err), want.RawVector().Data, 1e-9)
			diag := make([]float64, c.d)
			var worst float64
			for k := range diag {
				diag[k] = inverse.At(k, k)
				for l := range diag {
					e, err := f.Element(k, l)
					if err != nil {
						t.Fatal(err)
					}
					worst = max(worst, math.Abs(e-inverse.At(k, l)))
				}
			}
			if worst > 1e-9*mat.Norm(inverse, 2) {
				t.Errorf("Element is off by %g", worst)
			}
			y, err = f.Diag()
			near(t, "Diag", vector(t, y, err), diag, 1e-9)
		})
	}
}

// Gradients that come page by page, and vectors that do not stay on the device, give the same inverse.
func TestPagedInverse(t *testing.T) {
	b := backend.ForTest(t)
	const m, d = 11, 20
	data := gaussian(rand.New(rand.NewPCG(13, 14)), m*d)
	f, err := NewInverseFisher(b, tensors.FromFlatDataAndDimensions(data, m, d), FisherConfig{Damping: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	var asked []int
	rows := func(from, to int) (*tensors.Tensor, error) {
		asked = append(asked, from, to)
		return tensors.FromFlatDataAndDimensions(data[from*d:to*d], to-from, d), nil
	}
	paged, err := NewPagedInverseFisher(b, dtypes.Float64, m, d, rows, FisherConfig{Damping: 0.01, Page: 4, OffDevice: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(asked); got != "[0 4 4 8 8 11]" {
		t.Errorf("asked for the pages %s", got)
	}
	x := tensors.FromFlatDataAndDimensions(data[:d], d)
	for range 2 {
		want, err := f.Mul(x)
		wantMul := vector(t, want, err)
		got, err := paged.Mul(x)
		near(t, "Mul", vector(t, got, err), wantMul, 1e-11)
		want, err = f.Diag()
		wantDiag := vector(t, want, err)
		got, err = paged.Diag()
		near(t, "Diag", vector(t, got, err), wantDiag, 1e-11)
	}
	// Both with another damping and the gradients of half the size, as if made anew.
	half := make([]float64, len(data))
	floats.AddScaled(half, 0.5, data)
	for _, again := range []*InverseFisher{f, paged} {
		if err := again.Refresh(tensors.FromFlatDataAndDimensions(half, m, d), 0.2); err != nil {
			t.Fatal(err)
		}
		inverse := denseInverse(mat.NewDense(m, d, half), 0.2, 0)
		diagonal := make([]float64, d)
		for k := range diagonal {
			diagonal[k] = inverse.At(k, k)
		}
		y, err := again.Diag()
		near(t, "Diag after Refresh", vector(t, y, err), diagonal, 1e-11)
		if e, err := again.Element(2, 2); err != nil || math.Abs(e-diagonal[2]) > 1e-11 {
			t.Errorf("Element after Refresh is %g, %v; want %g", e, err, diagonal[2])
		}
	}
	if err := f.Refresh(tensors.FromFlatDataAndDimensions(half, m, d), -1); err == nil || !strings.Contains(err.Error(), "Refresh: Damping is -1") {
		t.Errorf("Refresh with a damping of -1: %v", err)
	}
	e, _ := f.Element(3, 4)
	if got, err := paged.Element(3, 4); err != nil || math.Abs(got-e) > 1e-9 {
		t.Errorf("Element is %g, %v; want %g", got, err, e)
	}
	for want, call := range map[string]func() error{
		"gradients 4 to 7 are": func() error {
			_, err := NewPagedInverseFisher(b, dtypes.Float64, m, d, func(from, _ int) (*tensors.Tensor, error) { return rows(0, 4+from/4) }, FisherConfig{Damping: 1, Page: 4})
			return err
		},
		"gradients 0 to 3: gone": func() error {
			_, err := NewPagedInverseFisher(b, dtypes.Float64, m, d, func(int, int) (*tensors.Tensor, error) { return nil, errors.New("gone") }, FisherConfig{Damping: 1, Page: 4})
			return err
		},
		"in Int32": func() error {
			_, err := NewPagedInverseFisher(b, dtypes.Int32, m, d, rows, FisherConfig{Damping: 1})
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// The window holds the last m gradients after it has wrapped several times, in any order.
func TestWindowIsTheLastGradients(t *testing.T) {
	b := backend.ForTest(t)
	const m, d, lambda = 5, 12, 1e-3
	rng := rand.New(rand.NewPCG(3, 4))
	forward, err := NewWindowFisher(b, m, d, lambda, dtypes.Float64)
	if err != nil {
		t.Fatal(err)
	}
	backward, _ := NewWindowFisher(b, m, d, lambda, dtypes.Float64)
	var all [][]float64
	for range 3*m + 2 {
		g := gaussian(rng, d)
		all = append(all, g)
		if err := forward.Insert(tensors.FromValue(g)); err != nil {
			t.Fatal(err)
		}
	}
	last := mat.NewDense(m, d, nil)
	for i := range m {
		g := all[len(all)-1-i]
		last.SetRow(i, g)
		if err := backward.Insert(tensors.FromValue(g)); err != nil {
			t.Fatal(err)
		}
	}
	inverse := denseInverse(last, lambda, 0)
	x := gaussian(rng, d)
	var want mat.VecDense
	want.MulVec(inverse, mat.NewVecDense(d, x))
	y, err := forward.Mul(tensors.FromValue(x))
	near(t, "forward", vector(t, y, err), want.RawVector().Data, 1e-9)
	y, err = backward.Mul(tensors.FromValue(x))
	near(t, "backward", vector(t, y, err), want.RawVector().Data, 1e-9)
	want.MulVec(inverse, mat.NewVecDense(d, all[len(all)-1]))
	y, err = forward.MulNewest()
	near(t, "newest", vector(t, y, err), want.RawVector().Data, 1e-9)
}

// Nearly equal gradients: the case in which a careless triangular inverse loses every digit.
func TestNearlyEqualGradients(t *testing.T) {
	b := backend.ForTest(t)
	const m, d, lambda = 48, 20, 1e-2
	rng := rand.New(rand.NewPCG(5, 6))
	base := gaussian(rng, d)
	data := make([]float64, 0, m*d)
	for range m {
		for _, x := range base {
			data = append(data, x+1e-6*rng.NormFloat64())
		}
	}
	f, err := NewInverseFisher(b, tensors.FromFlatDataAndDimensions(data, m, d), FisherConfig{Damping: lambda, Page: 48})
	if err != nil {
		t.Fatal(err)
	}
	x := gaussian(rng, d)
	var want mat.VecDense
	want.MulVec(denseInverse(mat.NewDense(m, d, data), lambda, 0), mat.NewVecDense(d, x))
	y, err := f.Mul(tensors.FromValue(x))
	near(t, "Mul", vector(t, y, err), want.RawVector().Data, 1e-9)
}

// In float32 the newest gradient's product keeps its digits where the general form loses them.
func TestSpanFormInFloat32(t *testing.T) {
	b := backend.ForTest(t)
	const m, d = 64, 2000
	for _, lambda := range []float64{1e-3, 1e-5, 1e-7} {
		rng := rand.New(rand.NewPCG(7, 8))
		w32, err := NewWindowFisher(b, m, d, lambda, dtypes.Float32)
		if err != nil {
			t.Fatal(err)
		}
		w64, _ := NewWindowFisher(b, m, d, lambda, dtypes.Float64)
		for range m {
			g := gaussian(rng, d)
			floats.Scale(4.9/math.Sqrt(d), g)
			g32 := make([]float32, d)
			for i := range g {
				g32[i] = float32(g[i])
				g[i] = float64(g32[i])
			}
			if err := w32.Insert(tensors.FromValue(g32)); err != nil {
				t.Fatal(err)
			}
			if err := w64.Insert(tensors.FromValue(g)); err != nil {
				t.Fatal(err)
			}
		}
		y, err := w64.MulNewest()
		want := vector(t, y, err)
		y, err = w32.MulNewest()
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, d)
		for i, x := range tensors.MustCopyFlatData[float32](y) {
			got[i] = float64(x)
		}
		near(t, fmt.Sprintf("λ=%g", lambda), got, want, 1e-6)
	}
}

func TestMultiplyAdds(t *testing.T) {
	b := backend.ForTest(t)
	rng := rand.New(rand.NewPCG(9, 10))
	for _, c := range []struct{ m, d int }{{16, 100}, {32, 100}, {16, 200}} {
		f, err := NewInverseFisher(b, tensors.FromFlatDataAndDimensions(gaussian(rng, c.m*c.d), c.m, c.d), FisherConfig{Damping: 1, Page: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Mul(tensors.FromValue(gaussian(rng, c.d))); err != nil {
			t.Fatal(err)
		}
		setup, mul := f.MultiplyAdds()
		if want := int64(c.d * c.m * (c.m + 1)); setup != want {
			t.Errorf("m=%d d=%d: set-up holds %d multiply-adds, want d·m·(m+1) = %d", c.m, c.d, setup, want)
		}
		if want := int64(2 * c.d * c.m); mul != want {
			t.Errorf("m=%d d=%d: Mul holds %d multiply-adds, want 2·d·m = %d", c.m, c.d, mul, want)
		}
	}
}

func TestFisherBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	g := tensors.FromFlatDataAndDimensions([]float64{1, 2, 3, 4}, 2, 2)
	for want, call := range map[string]func() error{
		"Damping is 0":     func() error { _, err := NewInverseFisher(b, g, FisherConfig{}); return err },
		"Damping is NaN":   func() error { _, err := NewInverseFisher(b, g, FisherConfig{Damping: math.NaN()}); return err },
		"Block is 3":       func() error { _, err := NewInverseFisher(b, g, FisherConfig{Damping: 1, Block: 3}); return err },
		"Page is -1":       func() error { _, err := NewInverseFisher(b, g, FisherConfig{Damping: 1, Page: -1}); return err },
		"gradients is nil": func() error { _, err := NewInverseFisher(b, nil, FisherConfig{Damping: 1}); return err },
		"NaN or infinite": func() error {
			_, err := NewInverseFisher(b, tensors.FromFlatDataAndDimensions([]float64{1, math.NaN()}, 1, 2), FisherConfig{Damping: 1})
			return err
		},
		"m is 0":                     func() error { _, err := NewWindowFisher(b, 0, 2, 1, dtypes.Float64); return err },
		"must be Float32 or Float64": func() error { _, err := NewWindowFisher(b, 1, 2, 1, dtypes.Int32); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	f, _ := NewInverseFisher(b, g, FisherConfig{Damping: 1})
	if _, err := f.Mul(tensors.FromValue([]float64{1})); err == nil || !strings.Contains(err.Error(), "x is") {
		t.Errorf("Mul of a short vector: %v", err)
	}
	if _, err := f.Element(0, 2); err == nil {
		t.Error("Element outside the matrix gave no error")
	}
	w, _ := NewWindowFisher(b, 2, 2, 1, dtypes.Float64)
	if err := w.Insert(tensors.FromValue([]float64{1, 1})); err != nil {
		t.Fatal(err)
	}
	if err := w.Insert(tensors.FromValue([]float64{math.Inf(1), 1})); err == nil {
		t.Error("an infinite gradient was inserted")
	}
	y, err := w.Mul(tensors.FromValue([]float64{1, 1}))
	near(t, "the window after a refused gradient", vector(t, y, err), []float64{0.5, 0.5}, 1e-12)
}
