package linsolve

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// SOR solves A x = b for a symmetric positive definite A by successive over-relaxation in row-major order from x0 (nil: zeros),
//
//	x ← x + (D/ω + L)⁻¹(b − A x),   A = D + L + Lᵀ,
//
// until ‖b − A x‖₂ < ε‖b − A x0‖₂, which is looked at after every sweep. A start that solves the system takes 0 sweeps, any
// other at least 1. Where MaxIterations do not suffice, Iterations is MaxIterations and Converged false; so also where the
// numbers overflow, which a matrix that is not positive definite can do. Residual and Residuals are relative to ‖b − A x0‖₂.
//
// A may be any [mat.Matrix]: a [FivePoint] is swept without a matrix, a [CSR] entry by entry, any other is turned into a CSR
// in each call. Symmetry is not looked at. An omega outside (0, 2), a diagonal that is not positive, wrong lengths and numbers
// that are not finite are errors.
//
// Source: Young (1971), Iterative Solution of Large Linear Systems; the stopping rule is that of Khodak et al. (2024).
func SOR(a mat.Matrix, b, x0 []float64, omega float64, o Options) (Result, error) {
	if err := checkOmega("SOR", omega); err != nil {
		return Result{}, err
	}
	p, err := setUp("SOR", a, b, x0, o)
	if err != nil {
		return Result{}, err
	}
	start := p.residualSquared(p.b, p.x)
	if start == 0 {
		return p.done(0, 0, true), nil
	}
	target := p.o.Tolerance * p.o.Tolerance * start
	var square float64
	for k := 1; k <= p.o.MaxIterations; k++ {
		p.sweep(p.x, p.b, omega)
		square = p.residualSquared(p.b, p.x)
		p.note(math.Sqrt(square / start))
		if square < target {
			return p.done(k, math.Sqrt(square/start), true), nil
		}
		if math.IsNaN(square) || math.IsInf(square, 0) {
			break
		}
	}
	return p.done(p.o.MaxIterations, math.Sqrt(square/start), false), nil
}
