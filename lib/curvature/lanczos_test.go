package curvature

import (
	"context"
	"math"
	"runtime"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
)

func ones(n int) []float64 {
	v := make([]float64, n)
	floats.AddConst(1, v)
	return v
}

func ritz(t *testing.T, op Operator, c LanczosConfig) *Ritz {
	t.Helper()
	r, err := Lanczos(context.Background(), op, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Rayleigh quotients from the vector of ones.
func TestPowerIteration(t *testing.T) {
	ctx, op := context.Background(), smallHessian(t)
	e, err := PowerIteration(ctx, op, PowerConfig{Tolerance: -1, Iterations: 20, Start: ones(9)})
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[int]float64{1: 0.303305333162, 2: 0.446438087832, 5: 0.976526581991, 10: 0.995841596387, 20: 0.995846903071} {
		within(t, "Rayleigh quotient", e.Path[k-1], want, 1e-11)
	}
	if e.Residual > 1e-4 || e.Converged {
		t.Errorf("residual %g, converged %v", e.Residual, e.Converged)
	}
	e, err = small().TopEigenvalue(ctx, backend.ForTest(t), 40, 1)
	if err != nil || len(e.Path) != 40 {
		t.Fatal(len(e.Path), err)
	}
	within(t, "largest eigenvalue", e.Value, 0.9958469031, 1e-8)

	// The ends by shifts; a norm of 1.38 is enough of one.
	for shift, want := range map[float64]float64{1.38: smallE[8], -1.38: smallE[0]} {
		e, err := PowerIteration(ctx, op, PowerConfig{Shift: shift, Tolerance: 1e-12, Iterations: 2000, Seed: 3})
		if err != nil || !e.Converged {
			t.Fatal(e.Converged, err)
		}
		within(t, "eigenvalue at an end", e.Value, want, 1e-8)
		within(t, "length", floats.Norm(e.Vector, 2), 1, 1e-12)
		y := product(t, op, e.Vector)
		floats.AddScaled(y, -e.Value, e.Vector)
		within(t, "residual", e.Residual, floats.Norm(y, 2), 1e-12)
	}
	// Of an indefinite matrix it is the largest modulus that is found, with its sign.
	if e, err = PowerIteration(ctx, DenseOperator(mat.NewDiagDense(3, []float64{1, -3, 2})), PowerConfig{}); err != nil {
		t.Fatal(err)
	}
	within(t, "largest modulus", e.Value, -3, 1e-4)
	// The zero matrix has a largest eigenvalue too.
	if e, err = PowerIteration(ctx, DenseOperator(mat.NewDiagDense(3, nil)), PowerConfig{}); err != nil || e.Value != 0 || !e.Converged || e.Residual != 0 {
		t.Errorf("of the zero matrix %+v (%v)", e, err)
	}
	// λ and −λ do not converge, and the residual says so.
	if e, err = PowerIteration(ctx, DenseOperator(mat.NewDiagDense(2, []float64{1, -1})), PowerConfig{Start: []float64{2, 1}, Tolerance: -1}); err != nil || e.Residual < 0.5 {
		t.Errorf("of ±1 %+v (%v)", e, err)
	}
}

func TestLanczos(t *testing.T) {
	op := smallHessian(t)
	r := ritz(t, op, LanczosConfig{Steps: 4, Start: ones(9)})
	all(t, "α", r.Alpha, []float64{0.3033053332, 0.1772403171, 0.4664445622, 0.0171303942}, 1e-10)
	all(t, "β", r.Beta[:3], []float64{0.1975462196, 0.4336005048, 0.5179652412}, 1e-10)
	r = ritz(t, op, LanczosConfig{Steps: 2, Start: ones(9)})
	all(t, "node", r.Values, []float64{0.0329141842, 0.447631466}, 1e-9)
	all(t, "weight", r.Weights, []float64{0.3480108961, 0.6519891039}, 1e-10)
	r = ritz(t, op, LanczosConfig{Steps: 3, Start: ones(9)})
	all(t, "node", r.Values, []float64{-0.1889194102, 0.3289875341, 0.8069220885}, 1e-10)
	all(t, "weight", r.Weights, []float64{0.1007429384, 0.8438242285, 0.0554328331}, 1e-10)

	// Claim K7: moments up to 2m − 1.
	for m := 2; m <= 9; m++ {
		r := ritz(t, op, LanczosConfig{Steps: m, Start: ones(9)})
		for k, want := range []float64{1, 0.303305333162, 0.131018634017, 0.058491708441} {
			sum := 0.0
			for i, theta := range r.Values {
				sum += r.Weights[i] * math.Pow(theta, float64(k))
			}
			within(t, "moment", sum, want, 1e-12)
		}
		// Each Ritz pair has the residual it claims, and an eigenvalue within that.
		for i, theta := range r.Values {
			v, err := r.Vector(i)
			if err != nil {
				t.Fatal(err)
			}
			y := product(t, op, v)
			floats.AddScaled(y, -theta, v)
			within(t, "residual", floats.Norm(y, 2), r.Residuals[i], 1e-12)
			near := math.Inf(1)
			for _, e := range smallE {
				near = math.Min(near, math.Abs(e-theta))
			}
			if near > r.Residuals[i]+1e-9 {
				t.Errorf("m = %d: no eigenvalue within %g of %g", m, r.Residuals[i], theta)
			}
		}
	}
	// Claim K6, and more steps than there are dimensions are those.
	for _, m := range []int{9, 50, 0} {
		r := ritz(t, op, LanczosConfig{Steps: m, Seed: 5})
		all(t, "Ritz value", r.Values, smallE, 1e-9)
		if !r.Exhausted || len(r.Alpha) != 9 || r.Asymmetry > 1e-14 {
			t.Errorf("exhausted %v after %d steps, asymmetry %g", r.Exhausted, len(r.Alpha), r.Asymmetry)
		}
	}
	if _, err := r.Vector(3); err == nil {
		t.Error("there is no fourth vector of three")
	}
}

// rotated is a random symmetric matrix of given eigenvalues.
func rotated(values []float64, seed uint64) mat.Symmetric {
	n := len(values)
	rng := online.Seeded(seed, "rotation")
	g := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			g.Set(i, j, rng.NormFloat64())
		}
	}
	var qr mat.QR
	qr.Factorize(g)
	var q, a mat.Dense
	qr.QTo(&q)
	a.Product(&q, mat.NewDiagDense(n, values), q.T())
	out := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			out.SetSym(j, i, (a.At(i, j)+a.At(j, i))/2)
		}
	}
	return out
}

// Repeated eigenvalues show once, with the weight of their space; the Krylov space then is exhausted. Clusters are told apart
// by enough steps.
func TestLanczosRepeatedAndClustered(t *testing.T) {
	repeated := make([]float64, 60)
	for i := range repeated {
		repeated[i] = float64([]int{-2, 0, 0, 0, 1, 5}[i%6])
	}
	a := rotated(repeated, 1)
	start := Probes{Gaussian: true, Seed: 2}.vector(0, 60)
	r := ritz(t, DenseOperator(a), LanczosConfig{Start: start})
	all(t, "distinct eigenvalue", r.Values, []float64{-2, 0, 1, 5}, 1e-12)
	if !r.Exhausted {
		t.Error("four distinct eigenvalues did not exhaust the space")
	}
	for i, theta := range r.Values { // the weight is ‖P z‖²/‖z‖² with the eigenspace's projection P
		p := mat.NewDense(60, 60, nil)
		p.CloneFrom(mat.NewDiagDense(60, ones(60)))
		scale := 1.0
		for _, other := range []float64{-2, 0, 1, 5} {
			if math.Abs(other-theta) > 0.5 {
				var factor, next mat.Dense
				factor.Sub(a, mat.NewDiagDense(60, scaled(other, 60)))
				next.Mul(p, &factor)
				p.Copy(&next)
				scale *= theta - other
			}
		}
		var pz mat.VecDense
		pz.MulVec(p, mat.NewVecDense(60, start))
		within(t, "weight", r.Weights[i], mat.Dot(&pz, &pz)/scale/scale/floats.Dot(start, start), 1e-10)
	}

	// Every eigenvector is a Krylov space of its own, and so is any vector under the identity.
	identity := ritz(t, DenseOperator(mat.NewDiagDense(7, scaled(3, 7))), LanczosConfig{})
	all(t, "the identity's", identity.Values, []float64{3}, 1e-14)
	if !identity.Exhausted || identity.Residuals[0] > 1e-13 {
		t.Errorf("of the identity %+v", identity)
	}
	zero := ritz(t, DenseOperator(mat.NewDiagDense(7, nil)), LanczosConfig{})
	all(t, "the zero matrix's", zero.Values, []float64{0}, 0)
	one := ritz(t, DenseOperator(mat.NewDiagDense(1, []float64{-4})), LanczosConfig{})
	all(t, "a number's", one.Values, []float64{-4}, 0)

	// Two eigenvalues 1e-6 apart, and a cluster of twenty about 0.
	clustered := []float64{10, 10 - 1e-6, 4}
	for i := range 20 {
		clustered = append(clustered, 1e-9*float64(i))
	}
	r = ritz(t, DenseOperator(rotated(clustered, 3)), LanczosConfig{Steps: 23, Seed: 1})
	n := len(r.Values)
	within(t, "largest", r.Values[n-1], 10, 1e-10)
	within(t, "the one beside", r.Values[n-2], 10-1e-6, 1e-10)
	within(t, "third", r.Values[n-3], 4, 1e-12)
	for _, v := range r.Values[:n-3] {
		within(t, "of the cluster", v, 1e-8, 1.1e-8)
	}
	if a := orthogonality(r); a > 1e-12 {
		t.Errorf("the basis is orthonormal to %g", a)
	}
}

func scaled(x float64, n int) []float64 {
	v := ones(n)
	floats.Scale(x, v)
	return v
}

// orthogonality is the largest entry of QᵀQ − I.
func orthogonality(r *Ritz) float64 {
	worst := 0.0
	for i, a := range r.basis.rows {
		for j, b := range r.basis.rows[:i+1] {
			want := 0.0
			if i == j {
				want = 1
			}
			worst = math.Max(worst, math.Abs(floats.Dot(a, b)-want))
		}
	}
	return worst
}

// Without reorthogonalization converged eigenvalues come back.
func TestLanczosGhosts(t *testing.T) {
	values := make([]float64, 100)
	for i := range values {
		values[i] = float64(i+1) / 100
	}
	values[99] = 10
	op := DenseOperator(mat.NewDiagDense(100, values))
	r := ritz(t, op, LanczosConfig{Steps: 60, Start: ones(100)})
	all(t, "largest three", r.Values[57:], []float64{0.98, 0.99, 10}, 1e-3)
	if a := orthogonality(r); a > 1e-13 {
		t.Errorf("the basis is orthonormal to %g", a)
	}
	r = ritz(t, op, LanczosConfig{Steps: 60, Start: ones(100), Recurrence: true})
	all(t, "largest three, two of them ghosts", r.Values[57:], []float64{10, 10, 10}, 1e-6)
	if _, err := r.Vector(0); err == nil {
		t.Error("vectors without a basis")
	}
}

// The result does not depend on the number of processors, and pieces add up.
func TestLanczosInPieces(t *testing.T) {
	const n = 3*piece + 17
	values := make([]float64, n)
	rng := online.Seeded(1, "pieces")
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	op := Operator{Dim: n, Apply: func(y, x []float64) error { floats.MulTo(y, values, x); return nil }}
	r := ritz(t, op, LanczosConfig{Steps: 40, Seed: 1})
	if a := orthogonality(r); a > 1e-13 {
		t.Errorf("the basis is orthonormal to %g", a)
	}
	within(t, "largest", r.Values[39], floats.Max(values), 0.3)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	alone := ritz(t, op, LanczosConfig{Steps: 40, Seed: 1})
	all(t, "on one processor", alone.Values, r.Values, 0)
}

func TestTrace(t *testing.T) {
	ctx, op := context.Background(), smallHessian(t)
	probes := Probes{Vectors: [][]float64{ones(9), {1, -1, 1, -1, 1, -1, 1, -1, 1}, {1, 1, -1, -1, 1, 1, -1, -1, 1}, {-1, 1, 1, 1, -1, -1, 1, -1, -1}}}
	e, err := Trace(ctx, op, probes)
	if err != nil {
		t.Fatal(err)
	}
	all(t, "zᵀHz", e.Products, []float64{2.729747998454, 7.283279431093, -0.015041631067, -0.653778775323}, 1e-11)
	within(t, "mean", e.Mean, 2.336051755789, 1e-11)
	within(t, "standard error", e.StdErr, 1.805011198517, 1e-11)

	// Claim K5, on the matrix: means within 5 standard errors (false alarm 6e-7 each), variances within 15 %, whose own error
	// over 2000 probes is 3 % or less.
	h := dense(t, op)
	diagonal := 0.0
	for _, d := range smallD {
		diagonal += d * d
	}
	for gaussian, variance := range map[bool]float64{false: 3.4564361091, true: 3.8089662501} {
		square := smallFrobenius * smallFrobenius
		formula := 2 * square
		if !gaussian {
			formula -= 2 * diagonal
		}
		within(t, "variance by the formula", formula, variance, 1e-9)
		e, err := Trace(ctx, DenseOperator(h), Probes{Count: 2000, Gaussian: gaussian, Seed: 7})
		if err != nil || e.Samples != 2000 {
			t.Fatal(e.Samples, err)
		}
		within(t, "trace", e.Mean, smallTrace, 5*math.Sqrt(variance/2000))
		within(t, "variance", e.StdErr*e.StdErr*2000/variance, 1, 0.15)
		within(t, "‖H‖_F²", e.Squares.Mean, square, 5*e.Squares.StdErr)
	}
	// A diagonal matrix needs one probe, whose error is not known.
	values := make([]float64, 100)
	for i := range values {
		values[i] = float64(i+1) / 100
	}
	one, err := Trace(ctx, DenseOperator(mat.NewDiagDense(100, values)), Probes{Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "trace of a diagonal matrix", one.Mean, 50.5, 1e-12)
	if !math.IsInf(one.StdErr, 1) {
		t.Errorf("one probe's error is %g", one.StdErr)
	}
	thirty, err := Trace(ctx, op, Probes{})
	if err != nil || thirty.Samples != 30 {
		t.Errorf("%d probes by default (%v)", thirty.Samples, err)
	}
}

func TestSpectralDensity(t *testing.T) {
	ctx, op := context.Background(), smallHessian(t)
	probes := Probes{Vectors: [][]float64{ones(9), {1, -1, 1, -1, 1, -1, 1, -1, 1}, {1, 1, -1, -1, 1, 1, -1, -1, 1}, {-1, 1, 1, 1, -1, -1, 1, -1, -1}}}
	d, err := SpectralDensity(ctx, op, DensityConfig{Probes: probes, Steps: 4, Sigma: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	at := []float64{-.5, 0, .25, .5, 1}
	for i, want := range []float64{0.6998342305, 0.8399851799, 0.5129925196, 0.5542907448, 1.0274794879} {
		within(t, "density", d.At(at[i]).Mean, want, 1e-9)
	}
	// All probes' traces come out again, with their error; and the whole spectrum from all steps.
	e := d.Trace(func(x float64) float64 { return x })
	within(t, "trace", e.Mean, 2.336051755789, 1e-10)
	within(t, "its error", e.StdErr, 1.805011198517, 1e-10)
	if d, err = SpectralDensity(ctx, DenseOperator(dense(t, op)), DensityConfig{Probes: Probes{Count: 4000, Seed: 1}, Sigma: 0.1, Points: 2}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.8580016324, 0.9230988218, 0.7172257483, 0.6286194443, 0.4428873616} {
		got := d.At(at[i])
		within(t, "exact density", got.Mean, want, 5*got.StdErr) // false alarm 6e-7
	}
	// The grid holds all of it.
	if d, err = SpectralDensity(ctx, op, DensityConfig{Probes: Probes{Count: 3}, Points: 2000}); err != nil {
		t.Fatal(err)
	}
	integral := 0.0
	for _, v := range d.Density {
		integral += v.Mean * (d.T[1] - d.T[0])
	}
	within(t, "integral", integral, 1, 1e-3)

	values := make([]float64, 100)
	for i := range values {
		values[i] = float64(i+1) / 100
	}
	if d, err = SpectralDensity(ctx, DenseOperator(mat.NewDiagDense(100, values)), DensityConfig{Probes: Probes{Count: 2}, Steps: 5}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		all(t, "node", d.Nodes[i], []float64{0.05205216, 0.23588741, 0.505, 0.77411259, 0.95794784}, 1e-8)
		all(t, "weight", d.Weights[i], []float64{0.11862917, 0.23921502, 0.2843116, 0.23921502, 0.11862917}, 1e-8)
	}
	// One eigenvalue, and none but zero.
	for _, x := range []float64{3, 0} {
		d, err := SpectralDensity(ctx, DenseOperator(mat.NewDiagDense(5, scaled(x, 5))), DensityConfig{Probes: Probes{Count: 2}})
		if err != nil || !(d.Sigma > 0) {
			t.Fatal(d, err)
		}
		within(t, "trace", d.Trace(func(x float64) float64 { return x }).Mean, 5*x, 1e-12)
	}
}
