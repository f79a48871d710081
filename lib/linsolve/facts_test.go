package linsolve_test

import (
	"math"
	"testing"

	"github.com/hindsight-go/hindsight/lib/linsolve"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/floats/scalar"
	"gonum.org/v1/gonum/mat"
)

// must ends the test with the error.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !scalar.EqualWithinAbsOrRel(got, want, tolerance, tolerance) {
		t.Errorf("%s is %.12g, must be %.12g", what, got, want)
	}
}

// The tables are computed independently (numpy, dense triangular solves).
func TestSOROfThreeUnknowns(t *testing.T) {
	a := mat.NewDense(3, 3, []float64{2, -1, 0, -1, 2, -1, 0, -1, 2})
	b := []float64{1, 2, 3}
	for k, want := range []struct {
		x        []float64
		residual float64
	}{
		{[]float64{0.6, 1.56, 2.736}, 0.7364005121},
		{[]float64{1.416, 3.3792, 3.28032}, 0.4166706682},
		{[]float64{2.34432, 3.898944, 3.4833024}, 0.0595758165},
	} {
		r := must[linsolve.Result](t)(linsolve.SOR(a, b, nil, 1.2, linsolve.Options{MaxIterations: k + 1, History: true}))
		if !floats.EqualApprox(r.X, want.x, 1e-12) {
			t.Errorf("sweep %d: x is %v, must be %v", k+1, r.X, want.x)
		}
		near(t, "relative residual", r.Residuals[k], want.residual, 1e-9)
		if r.Converged || r.Iterations != k+1 {
			t.Errorf("after %d sweeps: converged is %t, iterations %d", k+1, r.Converged, r.Iterations)
		}
	}
	beta := must[float64](t)(linsolve.JacobiRadius(a))
	best := must[float64](t)(linsolve.OptimalOmega(beta))
	near(t, "ω*", best, 1.1715728753, 1e-9)
	for omega, want := range map[float64]int{1: 28, 1.1: 20, 1.2: 13, 1.5: 29, 1.9: 179, best: 13} {
		if r := must[linsolve.Result](t)(linsolve.SOR(a, b, nil, omega, linsolve.Options{})); r.Iterations != want || !r.Converged {
			t.Errorf("ω = %g: %d sweeps, must be %d", omega, r.Iterations, want)
		}
	}
}

func TestSOROfTheGrid(t *testing.T) {
	a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(11, 0))
	ones, sines := make([]float64, 100), make([]float64, 100)
	for k := range ones {
		ones[k], sines[k] = 1, math.Sin(float64(k+1))
	}
	omegas := []float64{1, 1.2, 1.4, 1.56, 1.6, 1.8, 1.95}
	for _, c := range []struct {
		b    []float64
		want []int
	}{{ones, []int{223, 145, 88, 41, 43, 89, 383}}, {sines, []int{131, 90, 58, 37, 41, 86, 361}}} {
		for i, omega := range omegas {
			// A sweep more or less is rounding, which differs between the orders in which sums are taken.
			if r := must[linsolve.Result](t)(linsolve.SOR(a, c.b, nil, omega, linsolve.Options{})); math.Abs(float64(r.Iterations-c.want[i])) > 1 {
				t.Errorf("ω = %g: %d sweeps, must be %d", omega, r.Iterations, c.want[i])
			}
		}
	}
}

func TestYoung(t *testing.T) {
	for shift, want := range map[float64][2]float64{0: {0.9594929736, 1.5603879213}, -0.15: {0.9968758167, 1.8535941504}, 0.45: {0.8624655943, 1.3279192323}} {
		a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(11, shift))
		beta := must[float64](t)(linsolve.JacobiRadius(a))
		near(t, "β", beta, want[0], 1e-9)
		near(t, "ω*", must[float64](t)(linsolve.OptimalOmega(beta)), want[1], 1e-9)
		near(t, "β of the matrix's eigenvalues", must[float64](t)(linsolve.JacobiRadius(mat.DenseCopyOf(a))), beta, 1e-13)
	}
}

// Young's formula, against the eigenvalues of the iteration matrix.
func TestSpectralRadius(t *testing.T) {
	for _, shift := range []float64{-0.15, 0.15} {
		a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(7, shift))
		beta := must[float64](t)(linsolve.JacobiRadius(a))
		for _, omega := range []float64{0.3, 1, 1.25, 1.7, 1.95} {
			var e mat.Eigen
			if !e.Factorize(must[*mat.Dense](t)(linsolve.SORIterationMatrix(a, omega)), mat.EigenNone) {
				t.Fatal("no eigenvalues")
			}
			var radius float64
			for _, v := range e.Values(nil) {
				radius = math.Max(radius, math.Hypot(real(v), imag(v)))
			}
			near(t, "ρ", must[float64](t)(linsolve.SORSpectralRadius(omega, beta)), radius, 1e-10)
		}
	}
}

func TestSSORBoundOfTheGrid(t *testing.T) {
	a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(11, 0))
	b := must[linsolve.SSORBound](t)(linsolve.NewSSORBound(a))
	near(t, "κ", b.Condition, 48.3741500787, 1e-9)
	near(t, "α", b.Alpha, 24.6870750394, 1e-9)
	near(t, "β'", b.Beta, -0.0035221416, 1e-9)
}
