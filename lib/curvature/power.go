package curvature

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// PowerConfig says how [PowerIteration] goes.
type PowerConfig struct {
	// Tolerance ends the iteration where |λ_k − λ_{k−1}| ≤ Tolerance·|λ_k|; default 1e-6, below 0: never.
	Tolerance  float64
	Iterations int // at most; default 200
	// Shift iterates with A + Shift·I: with a shift of at least −λ_min it is the largest eigenvalue that is found, with one
	// of at most −λ_max the smallest.
	Shift float64
	// Start vector; nil: a normal random one of Seed.
	Start []float64
	Seed  uint64
}

// TopEigenvalue is an eigenvalue by power iteration.
type TopEigenvalue struct {
	Value     float64   // vᵀAv of the last unit vector v
	Residual  float64   // ‖Av − Value·v‖: an eigenvalue lies within it
	Path      []float64 // vᵀAv at each iteration
	Vector    []float64 // v
	Converged bool      // within the tolerance
}

// PowerIteration finds the eigenvalue of largest modulus by v ← Av/‖Av‖: early in training that may be the Hessian's smallest,
// a negative one. Shift chooses the end; [Lanczos] finds both at once, with fewer products. Two eigenvalues of almost equal
// modulus and other sign do not converge, and the residual shows it. A context that ends gives its error and the iteration so
// far.
func PowerIteration(ctx context.Context, op Operator, c PowerConfig) (TopEigenvalue, error) {
	var out TopEigenvalue
	if err := op.valid("PowerIteration"); err != nil {
		return out, err
	}
	if c.Tolerance == 0 {
		c.Tolerance = 1e-6
	}
	if c.Iterations == 0 {
		c.Iterations = 200
	}
	if c.Iterations < 1 || math.IsNaN(c.Tolerance) || math.IsNaN(c.Shift) || math.IsInf(c.Shift, 0) {
		return out, fmt.Errorf("curvature: PowerIteration: Iterations is %d, Tolerance %g and Shift %g; must be at least 1, a number and finite", c.Iterations, c.Tolerance, c.Shift)
	}
	start := c.Start
	if start == nil {
		start = Probes{Gaussian: true, Seed: c.Seed}.vector(0, op.Dim)
	} else if err := validStart("PowerIteration: Start", start, op.Dim); err != nil {
		return out, err
	}
	v, y := make([]float64, op.Dim), make([]float64, op.Dim)
	floats.ScaleTo(v, 1/floats.Norm(start, 2), start)
	for range c.Iterations {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if err := op.apply("PowerIteration", y, v); err != nil {
			return out, err
		}
		last := out.Value
		out.Value = floats.Dot(v, y)
		out.Vector = append(out.Vector[:0], v...)
		out.Path = append(out.Path, out.Value)
		floats.AddScaledTo(v, y, -out.Value, out.Vector)
		out.Residual = floats.Norm(v, 2)
		floats.AddScaledTo(v, y, c.Shift, out.Vector)
		norm := floats.Norm(v, 2)
		if norm == 0 || len(out.Path) > 1 && math.Abs(out.Value-last) <= c.Tolerance*math.Abs(out.Value) {
			out.Converged = true // at the zero of the shifted operator v is its eigenvector
			return out, nil
		}
		floats.Scale(1/norm, v)
	}
	return out, nil
}
