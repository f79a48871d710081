package linsolve

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// CG solves A x = b for a symmetric positive definite A by conjugate gradients without preconditioner, from x0 (nil: zeros),
// until ‖b − A x‖₂ ≤ ε‖b‖₂. It takes 0 iterations where the start satisfies that already, and for b = 0, whose solution is 0.
// The recursion's residual says when to look; it is the true residual that must satisfy the rule. Residual and Residuals are
// relative to ‖b‖₂. Matrices and failures are as for [SOR]; a direction p with pᵀA p ≤ 0 gives [ErrIndefinite].
//
// Source: Hestenes and Stiefel (1952), Methods of conjugate gradients for solving linear systems.
func CG(a mat.Matrix, b, x0 []float64, o Options) (Result, error) {
	p, err := setUp("CG", a, b, x0, o)
	if err != nil {
		return Result{}, err
	}
	return p.conjugate("CG", 0)
}

// SSORPCG is [CG] with the symmetric successive over-relaxation preconditioner
//
//	M = Xᵀ D⁻¹ X / (ω(2−ω)),   X = D + ωL,   A = D + L + Lᵀ:
//
// applying M⁻¹ is a sweep up through the rows, then one down. (The other order, X D⁻¹ Xᵀ, is as common, and has other
// iterates.) An omega outside (0, 2) is an error.
//
// Source: Axelsson (1994), Iterative Solution Methods, ch. 7; the order is that of Khodak et al. (2024), solvers/ssor_pcg.m.
func SSORPCG(a mat.Matrix, b, x0 []float64, omega float64, o Options) (Result, error) {
	if err := checkOmega("SSORPCG", omega); err != nil {
		return Result{}, err
	}
	p, err := setUp("SSORPCG", a, b, x0, o)
	if err != nil {
		return Result{}, err
	}
	return p.conjugate("SSORPCG", omega)
}

// conjugate runs conjugate gradients, preconditioned where omega is not 0.
func (p *problem) conjugate(function string, omega float64) (Result, error) {
	size := floats.Norm(p.b, 2)
	if size == 0 {
		clear(p.x)
		return p.done(0, 0, true), nil
	}
	w, n := p.o.Work, p.length()
	residual := math.Sqrt(p.residualSquared(p.b, p.x)) / size
	if residual <= p.o.Tolerance {
		return p.done(0, residual, true), nil
	}
	r, direction, z := resize(&w.r, n), resize(&w.p, n), resize(&w.z, n)
	clear(r) // other solves may have left their numbers where this layout has zeros
	clear(z)
	p.multiply(r, p.x)
	floats.SubTo(r, p.b, r)
	var last float64 // rᵀM⁻¹r of the iteration before
	for k := 1; k <= p.o.MaxIterations; k++ {
		preconditioned := r
		if omega != 0 {
			p.precondition(z, r, omega)
			preconditioned = z
		}
		product := floats.Dot(r, preconditioned)
		if k == 1 {
			copy(direction, preconditioned)
		} else {
			floats.AddScaledTo(direction, preconditioned, product/last, direction)
		}
		last = product
		image := z // the preconditioned residual has served
		p.multiply(image, direction)
		curvature := floats.Dot(direction, image)
		if curvature <= 0 {
			return Result{}, fmt.Errorf("linsolve: %s: iteration %d: %w: pᵀAp is %g", function, k, ErrIndefinite, curvature)
		}
		step := product / curvature
		floats.AddScaled(p.x, step, direction)
		floats.AddScaled(r, -step, image)
		residual = floats.Norm(r, 2) / size
		if residual <= p.o.Tolerance {
			residual = math.Sqrt(p.residualSquared(p.b, p.x)) / size
		}
		p.note(residual)
		if residual <= p.o.Tolerance {
			return p.done(k, residual, true), nil
		}
		if math.IsNaN(residual) || math.IsInf(residual, 0) {
			break
		}
	}
	return p.done(p.o.MaxIterations, residual, false), nil
}
