package dynamics

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/combin"

	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/online"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

func critical(t *testing.T, gradients *mat.Dense, batch int, replacement bool) float64 {
	t.Helper()
	rate, err := CriticalLR(t.Context(), gradients, batch, replacement)
	if err != nil {
		t.Fatal(err)
	}
	return rate
}

func bounds(t *testing.T, gradients *mat.Dense, batch int, replacement bool) LRBounds {
	t.Helper()
	b, err := StabilityBounds(gradients, batch, replacement)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func radius(t *testing.T, o SecondMomentOperator) float64 {
	t.Helper()
	r, err := o.SpectralRadius(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Orthogonal gradients: the trace bound is tight, by hand.
func TestCriticalLROfOrthogonalGradients(t *testing.T) {
	g := mat.NewDense(3, 3, []float64{2, 0, 0, 0, 2, 0, 0, 0, 2})
	for _, c := range []struct {
		batch       int
		replacement bool
		want        float64
	}{{1, true, 0.5}, {1, false, 0.5}, {2, true, 0.75}, {2, false, 1}, {3, false, 1.5}} {
		near(t, "the critical rate", critical(t, g, c.batch, c.replacement), c.want, 1e-12)
	}
	b := bounds(t, g, 1, true)
	near(t, "the bound by moments", b.Moments, 0.5, 1e-12)
	near(t, "the bound by the trace", b.Trace, 0.5, 1e-12)
	near(t, "the bound of descent", b.Descent, 1.5, 1e-12)
}

// Two more sets of gradients, with numbers from numpy.
func TestCriticalLRAgainstNumpy(t *testing.T) {
	g := mat.NewDense(2, 2, []float64{1, 0, 0, 2})
	b := bounds(t, g, 1, true)
	near(t, "the critical rate", critical(t, g, 1, true), 0.5, 1e-12)
	near(t, "the bound by moments", b.Moments, 0.588235294, 1e-9)
	near(t, "the bound by the trace", b.Trace, 0.8, 1e-12)
	near(t, "the bound of descent", b.Descent, 1, 1e-12)

	g = gradientsOfThree()
	b = bounds(t, g, 1, true)
	near(t, "the critical rate", critical(t, g, 1, true), 0.61168457, 1e-8)
	near(t, "with batches of 2", critical(t, g, 2, true), 0.79785476, 1e-8)
	near(t, "of descent", critical(t, g, 3, false), 1.14285714, 1e-8)
	near(t, "the bound by moments", b.Moments, 0.67973856, 1e-8)
	near(t, "the bound by the trace", b.Trace, 0.92307692, 1e-8)
	near(t, "ρ(T) at 0.5", radius(t, SecondMomentOperator{g, 0.5, 1, true}), 0.713541667, 1e-9)
	near(t, "ρ(T) at 0.6", radius(t, SecondMomentOperator{g, 0.6, 1, true}), 0.960716417, 1e-9)
	s, err := curvature.SpectrumOf((&curvature.Jacobian{Rows: g, Examples: 3, Outputs: 1}).Kernel())
	if err != nil {
		t.Fatal(err)
	}
	near(t, "tr H", s.Trace, 2.1666667, 1e-7)
	near(t, "‖H‖_F", s.Frobenius, 1.7989194, 1e-7)
	near(t, "the largest eigenvalue", s.Eigenvalues[0], 1.75, 1e-12)
	near(t, "the smallest", s.Eigenvalues[1], 0.4166667, 1e-7)
}

func gradientsOfThree() *mat.Dense { return mat.NewDense(3, 2, []float64{1, 0.5, -0.5, 1, 2, 0}) }

// E δδᵀ over three steps, from numpy.
func TestSecondMomentSteps(t *testing.T) {
	o := SecondMomentOperator{gradientsOfThree(), 0.5, 1, true}
	c := mat.NewSymDense(2, []float64{1, -1, -1, 1})
	var h mat.SymDense
	h.SymOuterK(1./3, o.Gradients.T())
	for _, want := range []struct{ a, b, c, square, loss float64 }{
		{0.65104167, 0, 0.77604167, 1.42708333, 0.73133681},
		{0.46975369, -0.00390625, 0.54852973, 1.01828342, 0.52531151},
		{0.33822702, -0.00246175, 0.38836062, 0.72658765, 0.37685711},
	} {
		var err error
		if c, err = o.Apply(c); err != nil {
			t.Fatal(err)
		}
		var hc mat.Dense
		hc.Mul(&h, c)
		near(t, "entry 0, 0", c.At(0, 0), want.a, 1e-8)
		near(t, "entry 0, 1", c.At(0, 1), want.b, 1e-8)
		near(t, "entry 1, 1", c.At(1, 1), want.c, 1e-8)
		near(t, "E‖δ‖²", mat.Trace(c), want.square, 1e-8)
		near(t, "the mean loss", mat.Trace(&hc)/2, want.loss, 1e-8)
	}
}

func randomGradients(rng *rand.Rand, n, p int) *mat.Dense {
	g := mat.NewDense(n, p, nil)
	for i := range n {
		for j := range p {
			g.Set(i, j, rng.NormFloat64()*math.Exp(rng.NormFloat64()/2))
		}
	}
	return g
}

func randomSymmetric(rng *rand.Rand, p int) *mat.SymDense {
	c := mat.NewSymDense(p, nil)
	for i := range p {
		for j := i; j < p; j++ {
			c.SetSym(i, j, rng.NormFloat64())
		}
	}
	return c
}

// Every batch, listed, gives E MδδᵀM: with replacement all n^B, without all n over B.
func TestSecondMomentAgainstEnumeration(t *testing.T) {
	rng := online.Seeded(1, "enumeration")
	for range 40 {
		n, p := 2+rng.IntN(3), 1+rng.IntN(4)
		g, delta := randomGradients(rng, n, p), mat.NewVecDense(p, nil)
		for k := range p {
			delta.SetVec(k, rng.NormFloat64())
		}
		for batch := 1; batch <= n; batch++ {
			for _, replacement := range []bool{true, false} {
				sets := combin.Combinations(n, batch)
				if replacement {
					sets = combin.Cartesian(slices.Repeat([]int{n}, batch))
				}
				want := mat.NewSymDense(p, nil)
				for _, set := range sets {
					after := mat.VecDenseCopyOf(delta)
					for _, i := range set {
						after.AddScaledVec(after, -0.3/float64(batch)*floats.Dot(g.RawRowView(i), delta.RawVector().Data), g.RowView(i))
					}
					want.SymRankOne(want, 1/float64(len(sets)), after)
				}
				start := mat.NewSymDense(p, nil)
				start.SymRankOne(start, 1, delta)
				got, err := SecondMomentOperator{g, 0.3, batch, replacement}.Apply(start)
				if err != nil {
					t.Fatal(err)
				}
				if !mat.EqualApprox(got, want, 1e-10*(1+mat.Norm(want, 2))) {
					t.Fatalf("n %d, p %d, batch %d, replacement %t:\n%v\nwant\n%v", n, p, batch, replacement, mat.Formatted(got), mat.Formatted(want))
				}
			}
		}
	}
}

// The identities of the alignment form, for one step of batch 1 on the linear model with residuals g_i·δ.
func TestAlignmentForm(t *testing.T) {
	rng := online.Seeded(2, "alignment")
	for range 100 {
		n, p := 2+rng.IntN(5), 1+rng.IntN(5)
		g, delta := randomGradients(rng, n, p), mat.NewVecDense(p, nil)
		for k := range p {
			delta.SetVec(k, rng.NormFloat64())
		}
		var r mat.VecDense
		r.MulVec(g, delta)
		loss := floats.Dot(r.RawVector().Data, r.RawVector().Data) / float64(2*n)
		mu1, mu2, err := curvature.NoiseAlignment(r.RawVector().Data, g)
		if err != nil {
			t.Fatal(err)
		}
		var h mat.SymDense
		h.SymOuterK(1/float64(n), g.T())
		start := mat.NewSymDense(p, nil)
		start.SymRankOne(start, 1, delta)
		const rate = 0.7
		after, err := SecondMomentOperator{g, rate, 1, true}.Apply(start)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "E‖δ⁺‖²", mat.Trace(after), mat.Trace(start)+2*loss*(-2*rate+rate*rate*mu1*mat.Trace(&h)), 1e-9)
		var ha mat.Dense
		var along mat.VecDense
		ha.Mul(&h, after)
		along.MulVec(&h, delta)
		norm := mat.Norm(&h, 2)
		near(t, "E L(δ⁺)", mat.Trace(&ha)/2, loss-rate*mat.Dot(&along, &along)+rate*rate*mu2*norm*norm*loss, 1e-9)
	}
}

// T is self-adjoint and keeps positive semi-definite matrices so.
func TestSecondMomentProperties(t *testing.T) {
	rng := online.Seeded(3, "properties of T")
	for range 1000 {
		n, p := 1+rng.IntN(6), 1+rng.IntN(5)
		o := SecondMomentOperator{randomGradients(rng, n, p), 0.1 + rng.Float64(), 1 + rng.IntN(n), rng.IntN(2) == 0}
		a, b := randomSymmetric(rng, p), randomSymmetric(rng, p)
		ta, err1 := o.Apply(a)
		tb, err2 := o.Apply(b)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		var left, right mat.Dense
		left.Mul(a, tb)
		right.Mul(ta, b)
		if off := math.Abs(mat.Trace(&left) - mat.Trace(&right)); off > 1e-11*mat.Norm(a, 2)*mat.Norm(tb, 2)*float64(p) {
			t.Fatalf("⟨A, TB⟩ and ⟨TA, B⟩ differ by %g: %+v", off, o)
		}
		var square mat.SymDense
		square.SymOuterK(1, a)
		cone, err := o.Apply(&square)
		if err != nil {
			t.Fatal(err)
		}
		s, err := curvature.SpectrumOf(cone)
		if err != nil {
			t.Fatal(err)
		}
		if least := s.Eigenvalues[p-1]; least < -1e-10*s.Frobenius {
			t.Fatalf("T of a positive semi-definite matrix has the eigenvalue %g: %+v", least, o)
		}
	}
}

// The dense matrix of T on the range of H, in an orthonormal basis that the singular vectors of the gradients make: its
// largest modulus is the spectral radius, and the critical rate is where that is 1.
func TestSpectralRadiusAgainstDense(t *testing.T) {
	rng := online.Seeded(4, "dense T")
	for k := range 60 {
		n, p := 1+rng.IntN(6), 1+rng.IntN(5)
		g := randomGradients(rng, n, p)
		if k%3 == 0 { // two of a kind
			g.SetRow(n-1, g.RawRowView(0))
		}
		batch, replacement := 1+rng.IntN(n), rng.IntN(2) == 0
		limit := critical(t, g, batch, replacement)
		near(t, "ρ(T) at the critical rate", radius(t, SecondMomentOperator{g, limit, batch, replacement}), 1, 1e-9)
		for _, times := range []float64{0.3, 0.99, 1.01, 2} {
			o := SecondMomentOperator{g, times * limit, batch, replacement}
			got := radius(t, o)
			near(t, "ρ(T)", got, denseRadius(t, o), 1e-9)
			if got < 1 != (times < 1) {
				t.Errorf("ρ(T) is %.12g at %g of the critical rate", got, times)
			}
		}
	}
}

func denseRadius(t *testing.T, o SecondMomentOperator) float64 {
	t.Helper()
	var svd mat.SVD
	if !svd.Factorize(o.Gradients, mat.SVDThin) {
		t.Fatal("no SVD")
	}
	var v mat.Dense
	svd.VTo(&v)
	rank := svd.Rank(1e-10)
	p, _ := v.Dims()
	columns := v.Slice(0, p, 0, rank)
	dense := mat.NewDense(rank*rank, rank*rank, nil)
	for i := range rank {
		for j := range rank { // the image of E_ij: only its symmetric part goes into Apply
			e := mat.NewSymDense(rank, nil)
			e.SetSym(i, j, 0.5)
			if i == j {
				e.SetSym(i, i, 1)
			}
			var up, out mat.Dense
			up.Product(columns, e, columns.T())
			full := mat.NewSymDense(p, nil)
			for a := range p {
				for b := a; b < p; b++ {
					full.SetSym(a, b, up.At(a, b))
				}
			}
			image, err := o.Apply(full)
			if err != nil {
				t.Fatal(err)
			}
			out.Product(columns.T(), image, columns)
			for a := range rank {
				for b := range rank {
					dense.Set(a*rank+b, i*rank+j, out.At(a, b))
				}
			}
		}
	}
	var eigen mat.Eigen
	if !eigen.Factorize(dense, mat.EigenNone) {
		t.Fatal("no eigenvalues")
	}
	most := 0.0
	for _, l := range eigen.Values(nil) {
		most = math.Max(most, math.Hypot(real(l), imag(l)))
	}
	return most
}

// The necessary conditions hold for thousands of gradients and all batches, and gradient descent's is its limit.
func TestBoundsAreNecessary(t *testing.T) {
	rng := online.Seeded(5, "bounds")
	const within = 1 + 1e-9
	for range 3000 {
		n, p := 1+rng.IntN(5), 1+rng.IntN(4)
		g := randomGradients(rng, n, p)
		last := 0.0
		for batch := 1; batch <= n; batch++ {
			for _, replacement := range []bool{true, false} {
				rate, b := critical(t, g, batch, replacement), bounds(t, g, batch, replacement)
				if rate > b.Moments*within || b.Moments > b.Trace*within || rate > b.Descent*within {
					t.Fatalf("the critical rate is %g, the bounds %+v, for\n%v", rate, b, mat.Formatted(g))
				}
				if !replacement {
					if rate < last/within {
						t.Fatalf("batch %d has the critical rate %g, a smaller one %g", batch, rate, last)
					}
					last = rate
				}
			}
		}
		near(t, "the limit of descent", last, bounds(t, g, n, false).Descent, 1e-9)
	}
}

// More parameters than gradients, or many of both: the limit depends on inner products alone, and scales as it must.
func TestCriticalLRInvariance(t *testing.T) {
	rng := online.Seeded(6, "invariance")
	g := randomGradients(rng, 12, 30)
	want := critical(t, g, 3, true)
	var q mat.QR
	q.Factorize(randomGradients(rng, 40, 40))
	var orthogonal, turned mat.Dense
	q.QTo(&orthogonal)
	turned.Mul(g, orthogonal.Slice(0, 30, 0, 40))
	near(t, "after a rotation into more dimensions", critical(t, &turned, 3, true), want, 1e-8)
	var longer mat.Dense
	longer.Scale(10, g)
	near(t, "of gradients ten times as long", 100*critical(t, &longer, 3, true), want, 1e-8)
	twice := mat.NewDense(24, 30, nil)
	for i := range 24 {
		twice.SetRow(i, g.RawRowView(i%12))
	}
	near(t, "of each gradient twice", critical(t, twice, 3, true), want, 1e-8)
	near(t, "ρ(T) there", radius(t, SecondMomentOperator{twice, want, 3, true}), 1, 1e-8)
}

// Runs on the linear model do not come home above the critical rate, and do below.
func TestCriticalLRInARun(t *testing.T) {
	rng := online.Seeded(7, "linear runs")
	g := randomGradients(rng, 4, 2)
	limit := critical(t, g, 1, true)
	mean := func(rate float64) (squares float64) {
		c := mat.NewSymDense(2, []float64{1, 0, 0, 1})
		o := SecondMomentOperator{g, rate, 1, true}
		for range 400 {
			var err error
			if c, err = o.Apply(c); err != nil {
				t.Fatal(err)
			}
		}
		return mat.Trace(c)
	}
	if below, above := mean(0.95*limit), mean(1.05*limit); below > 1 || above < 10 {
		t.Errorf("E‖δ‖² after 400 steps is %g below the critical rate and %g above", below, above)
	}
	// A run of few steps, again and again: its mean square is T's, with a false alarm in 10⁶ by the normal quantile 4.9.
	const steps, runs = 5, 40000
	rate, sum, squares := 0.8*limit, 0.0, 0.0
	for range runs {
		delta := []float64{1, 0}
		for range steps {
			row := g.RawRowView(rng.IntN(4))
			floats.AddScaled(delta, -rate*floats.Dot(row, delta), row)
		}
		v := floats.Dot(delta, delta)
		sum, squares = sum+v/runs, squares+v*v/runs
	}
	c := mat.NewSymDense(2, []float64{1, 0, 0, 0})
	for range steps {
		var err error
		if c, err = (SecondMomentOperator{g, rate, 1, true}).Apply(c); err != nil {
			t.Fatal(err)
		}
	}
	if off := math.Abs(sum - mat.Trace(c)); off > 4.9*math.Sqrt((squares-sum*sum)/runs) {
		t.Errorf("E‖δ‖² over %d runs is %g, by T %g", runs, sum, mat.Trace(c))
	}
}

func TestStabilityOfNothing(t *testing.T) {
	zero := mat.NewDense(3, 2, nil)
	if got := critical(t, zero, 1, true); !math.IsInf(got, 1) {
		t.Errorf("the critical rate of gradients 0 is %g", got)
	}
	if b := bounds(t, zero, 1, true); !math.IsInf(b.Trace, 1) || !math.IsInf(b.Descent, 1) {
		t.Errorf("the bounds of gradients 0 are %+v", b)
	}
	if got := radius(t, SecondMomentOperator{zero, 1, 1, true}); got != 0 {
		t.Errorf("ρ(T) of gradients 0 is %g", got)
	}
	one := mat.NewDense(1, 1, []float64{2})
	near(t, "the critical rate of one number", critical(t, one, 1, false), 0.5, 1e-12)
}

func TestStabilityErrors(t *testing.T) {
	g := gradientsOfThree()
	bad := mat.NewDense(1, 2, []float64{1, math.NaN()})
	fails := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
	for _, c := range []struct {
		g           *mat.Dense
		batch       int
		replacement bool
		want        string
	}{
		{nil, 1, true, "there are no gradients"}, {&mat.Dense{}, 1, true, "there are no gradients"},
		{g, 0, true, "the batch is 0"}, {g, -1, false, "the batch is -1"}, {g, 4, false, "the batch is 4"}, {bad, 1, true, "entry 1 of gradient 0 is NaN"},
	} {
		_, err := CriticalLR(t.Context(), c.g, c.batch, c.replacement)
		fails(c.want, err)
		_, err = StabilityBounds(c.g, c.batch, c.replacement)
		fails(c.want, err)
		o := SecondMomentOperator{c.g, 1, c.batch, c.replacement}
		_, err = o.SpectralRadius(t.Context())
		fails(c.want, err)
		_, err = o.Apply(mat.NewSymDense(2, nil))
		fails(c.want, err)
	}
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		o := SecondMomentOperator{g, rate, 1, true}
		_, err := o.SpectralRadius(t.Context())
		fails("Rate is", err)
		_, err = o.Apply(mat.NewSymDense(2, nil))
		fails("Rate is", err)
	}
	_, err := SecondMomentOperator{g, 1, 1, true}.Apply(mat.NewSymDense(3, nil))
	fails("must be 2×2", err)
	_, err = SecondMomentOperator{g, 1, 1, true}.Apply(nil)
	fails("must be 2×2", err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := CriticalLR(ended, g, 1, true); !errors.Is(err, context.Canceled) {
		t.Errorf("of an ended context: %v", err)
	}
}
