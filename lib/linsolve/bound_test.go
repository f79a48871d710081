package linsolve_test

import (
	"math"
	"slices"
	"testing"

	"github.com/hindsight-go/hindsight/lib/linsolve"
	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// A sweep multiplies the residual by the iteration matrix.
func TestSORIterationMatrix(t *testing.T) {
	a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(6, 0.2))
	b := linsolve.TruncatedNormal(25, online.Seeded(1, "test"))
	r := mat.NewVecDense(25, slices.Clone(b))
	c := must[*mat.Dense](t)(linsolve.SORIterationMatrix(a, 1.4))
	for k := 1; k <= 4; k++ {
		r.MulVec(c, r)
		x := must[linsolve.Result](t)(linsolve.SOR(a, b, nil, 1.4, linsolve.Options{MaxIterations: k})).X
		var residual mat.VecDense
		residual.MulVec(a, mat.NewVecDense(25, x))
		residual.SubVec(mat.NewVecDense(25, b), &residual)
		if !mat.EqualApprox(&residual, r, 1e-12) {
			t.Errorf("after %d sweeps the residual is %v, must be %v", k, residual, r)
		}
	}
}

// The surrogate is never below the cost that it was made for.
func TestNearAsymptoticBoundHolds(t *testing.T) {
	rng := online.Seeded(1, "test")
	for range 40 {
		a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(6, 0.5*rng.Float64()-0.1))
		omega := 1 + 0.9*rng.Float64()
		b := linsolve.TruncatedNormal(25, rng)
		k := must[linsolve.Result](t)(linsolve.SOR(a, b, nil, omega, linsolve.Options{})).Iterations
		rho := must[float64](t)(linsolve.SORSpectralRadius(omega, must[float64](t)(linsolve.JacobiRadius(a))))
		c := must[*mat.Dense](t)(linsolve.SORIterationMatrix(a, omega))
		tau := must[float64](t)(linsolve.NearAsymptoticConstant(c, rho, k-1))
		if u := must[float64](t)(linsolve.NearAsymptoticBound(1e-8, rho, tau)); u < float64(k) || tau < 0 {
			t.Errorf("ω = %g: the bound is %g, the cost %d, τ %g", omega, u, k, tau)
		}
	}
	if u := must[float64](t)(linsolve.NearAsymptoticBound(1e-8, 0.5, 1)); !math.IsInf(u, 1) {
		t.Errorf("with τ = 1 the bound is %g", u)
	}
	near(t, "bound", must[float64](t)(linsolve.NearAsymptoticBound(1e-8, 0.9, 0)), 1+math.Log(1e-8)/math.Log(0.9), 1e-12)
	// A normal matrix has no transient: τ = 0.
	near(t, "τ of a diagonal matrix", must[float64](t)(linsolve.NearAsymptoticConstant(mat.NewDense(2, 2, []float64{0.5, 0, 0, 0.2}), 0.5, 3)), 0, 1e-12)
}

// Started along an eigenvector, SOR multiplies its residual by the eigenvalue.
func TestFastestMode(t *testing.T) {
	a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(11, 0))
	b, eigenvalue, err := linsolve.FastestMode(a, 1.4)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "length", floats.Norm(b, 2), 1, 1e-9)
	r := must[linsolve.Result](t)(linsolve.SOR(a, b, nil, 1.4, linsolve.Options{History: true}))
	for k, x := range r.Residuals[:5] {
		near(t, "residual", x, math.Pow(math.Abs(eigenvalue), float64(k+1)), 1e-6)
	}
	if k := must[linsolve.Result](t)(linsolve.SOR(a, b, nil, 1.5, linsolve.Options{})).Iterations; k < 2*r.Iterations {
		t.Errorf("%d sweeps at 1.4 and %d at 1.5", r.Iterations, k)
	}
}

// The bound of conjugate gradients by condition numbers holds for any right-hand side.
func TestSSORBoundHolds(t *testing.T) {
	rng := online.Seeded(1, "test")
	for _, shift := range []float64{0, 0.5} {
		a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(11, shift))
		bound := must[linsolve.SSORBound](t)(linsolve.NewSSORBound(a))
		for omega := 0.83; omega < 1.95; omega += 0.07 {
			b := linsolve.TruncatedNormal(100, rng)
			k := must[linsolve.Result](t)(linsolve.SSORPCG(a, b, nil, omega, linsolve.Options{})).Iterations
			if u := must[float64](t)(bound.Iterations(omega, 1e-8)); u < float64(k) {
				t.Errorf("shift %g, ω = %g: the bound is %g, the cost %d", shift, omega, u, k)
			}
			if shift == 0 && omega < 1.9 && (k < 12 || k > 20) {
				t.Errorf("ω = %g: %d iterations, must be 13 to 19 or next to it", omega, k)
			}
		}
		if shift == 0 {
			if k := must[linsolve.Result](t)(linsolve.CG(a, linsolve.TruncatedNormal(100, rng), nil, linsolve.Options{})).Iterations; k < 29 || k > 35 {
				t.Errorf("plain CG takes %d iterations, must take about 32", k)
			}
		}
	}
}
