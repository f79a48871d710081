package dynamics

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/curvature"
)

// CriticalLR is the largest learning rate at which SGD with batches of B, linearised at an interpolating minimum of half the
// square loss, does not grow E‖δ‖², the mean square distance from it: the exact limit that [LRBounds] bound from above. The
// gradients ∇f_i of the model's output are one a row. Directions that no gradient sees do not move and do not count; where all
// gradients are 0 the limit is +Inf. Without replacement B = n is gradient descent, with the limit 2/λ_max.
//
// The operator T of [SecondMomentOperator] keeps the cone of positive semi-definite matrices, so that its spectral radius is
// its largest eigenvalue, which is at most 1 exactly if ηQ(C) ≤ HC + CH in the order of self-adjoint maps. The limit therefore
// is the reciprocal of one eigenvalue, and takes no search.
func CriticalLR(ctx context.Context, gradients *mat.Dense, batch int, replacement bool) (float64, error) {
	r, err := inRange("CriticalLR", gradients, batch, replacement)
	if err != nil || len(r.values) == 0 {
		return math.Inf(1), err
	}
	d := len(r.values)
	half := func(i, j int) float64 { return math.Sqrt(r.values[i] + r.values[j]) }
	scaled, start := mat.NewDense(d, d, nil), mat.NewDense(d, d, nil)
	for i := range d {
		start.Set(i, i, half(i, i))
	}
	top, err := r.largest(ctx, "CriticalLR", start, func(out, c *mat.Dense) {
		scaled.Apply(func(i, j int, v float64) float64 { return v / half(i, j) }, c)
		out.Apply(func(i, j int, v float64) float64 { return v / half(i, j) }, batchSquare(r.rows, r.share, scaled))
	})
	return 1 / top, err
}

// LRBounds are learning rates that no stable SGD with batches of B exceeds: the critical one is at most each of them, and
// Moments at most Trace. +Inf: no bound.
type LRBounds struct {
	// Moments is 2 tr H/(c·E‖∇f‖⁴ + (1 − c)‖H‖_F²), T's Rayleigh quotient at C = I; for B = 1, c = 1, 2 tr H/E‖∇f‖⁴.
	Moments float64
	// Trace is 2/(c·tr H): for B = 1 the paper's tr H ≤ 2/η.
	Trace float64
	// Descent is 2/λ_max(H), gradient descent's own limit.
	Descent float64
}

// StabilityBounds are bounds on [CriticalLR] from H's trace and norms alone, with c = 1/B, or (n − B)/(B(n − 1)) without
// replacement.
//
// Source: Wu, Su (2023), The Implicit Regularization of Dynamical Stability in Stochastic Gradient Descent, for Trace and
// Descent.
func StabilityBounds(gradients *mat.Dense, batch int, replacement bool) (LRBounds, error) {
	r, err := inRange("StabilityBounds", gradients, batch, replacement)
	if err != nil || len(r.values) == 0 {
		return LRBounds{math.Inf(1), math.Inf(1), math.Inf(1)}, err
	}
	n, _ := gradients.Dims()
	trace, squares, fourth := floats.Sum(r.values), floats.Dot(r.values, r.values), 0.0
	for i := range n {
		g := gradients.RawRowView(i)
		fourth += floats.Dot(g, g) * floats.Dot(g, g) / float64(n)
	}
	return LRBounds{
		Moments: 2 * trace / (r.share*fourth + (1-r.share)*squares),
		Trace:   2 / (r.share * trace),
		Descent: 2 / floats.Max(r.values),
	}, nil
}

// ranged are n gradients in the eigenbasis of H on its range, where H is the diagonal of values.
type ranged struct {
	rows   *mat.Dense // n × rank
	values []float64  // H's positive eigenvalues, falling
	share  float64    // c: how much of the square of a batch's matrix is one example's own
}

// inRange checks the arguments and turns the gradients into the eigenbasis, by way of the kernel where that is smaller.
func inRange(who string, gradients *mat.Dense, batch int, replacement bool) (*ranged, error) {
	share, err := ownShare(who, gradients, batch, replacement)
	if err != nil {
		return nil, err
	}
	n, p := gradients.Dims()
	var gram mat.SymDense
	if n <= p {
		gram.SymOuterK(1/float64(n), gradients)
	} else {
		gram.SymOuterK(1/float64(n), gradients.T())
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(&gram, true) {
		return nil, fmt.Errorf("dynamics: %s: the eigenvalues of the gradients' Gram matrix did not converge", who)
	}
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	r := &ranged{share: share}
	var at []int
	for k := len(values) - 1; k >= 0 && values[k] > 1e-13*float64(max(n, p))*values[len(values)-1]; k-- {
		at, r.values = append(at, k), append(r.values, values[k])
	}
	if len(at) == 0 {
		return r, nil
	}
	r.rows = mat.NewDense(n, len(at), nil)
	for j, k := range at {
		column := vectors.ColView(k)
		if n <= p { // √(nλ)·u, for an eigenvector u of the kernel
			along := mat.NewVecDense(n, nil)
			along.ScaleVec(math.Sqrt(float64(n)*values[k]), column)
			r.rows.SetCol(j, along.RawVector().Data)
			continue
		}
		var along mat.VecDense
		along.MulVec(gradients, column)
		r.rows.SetCol(j, along.RawVector().Data)
	}
	return r, nil
}

// ownShare is c, 1/B or (n − B)/(B(n − 1)), of valid arguments.
func ownShare(who string, gradients *mat.Dense, batch int, replacement bool) (float64, error) {
	if gradients == nil || gradients.IsEmpty() {
		return 0, fmt.Errorf("dynamics: %s: there are no gradients", who)
	}
	n, p := gradients.Dims()
	if batch < 1 || !replacement && batch > n {
		return 0, fmt.Errorf("dynamics: %s: the batch is %d, must be at least 1, and without replacement at most %d, the number of gradients", who, batch, n)
	}
	for i := range n {
		for j := range p {
			if v := gradients.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return 0, fmt.Errorf("dynamics: %s: entry %d of gradient %d is %g, must be finite", who, j, i, v)
			}
		}
	}
	if replacement {
		return 1 / float64(batch), nil
	}
	return float64(n-batch) / float64(batch*max(n-1, 1)), nil
}

// batchSquare is Q(C) = E(M C M) for the batch's mean M of ∇f∇fᵀ: c·E(∇f∇fᵀ C ∇f∇fᵀ) + (1 − c)HCH, of which both are
// Γᵀ(…)Γ for the gradients Γ.
func batchSquare(gradients *mat.Dense, share float64, c mat.Matrix) *mat.Dense {
	n, _ := gradients.Dims()
	var right, inner, left, out mat.Dense
	right.Mul(gradients, c)
	inner.Mul(&right, gradients.T())
	pairs := (1 - share) / float64(n) / float64(n)
	inner.Apply(func(i, j int, v float64) float64 {
		if i == j {
			return (pairs + share/float64(n)) * v
		}
		return pairs * v
	}, &inner)
	left.Mul(gradients.T(), &inner)
	out.Mul(&left, gradients)
	return &out
}

// largest eigenvalue of a self-adjoint map of matrices that keeps the positive semi-definite cone, by Lanczos from the image
// of a positive definite matrix, which no eigenvector in the cone is orthogonal to.
func (r *ranged) largest(ctx context.Context, who string, start *mat.Dense, apply func(out, c *mat.Dense)) (float64, error) {
	d := len(r.values)
	op := curvature.Operator{Dim: d * d, Apply: func(y, x []float64) error {
		apply(mat.NewDense(d, d, y), mat.NewDense(d, d, x))
		return nil
	}}
	for steps := 60; ; steps *= 2 {
		ritz, err := curvature.Lanczos(ctx, op, curvature.LanczosConfig{Steps: steps, Start: start.RawMatrix().Data})
		if err != nil {
			return 0, fmt.Errorf("dynamics: %s: %w", who, err)
		}
		last := len(ritz.Values) - 1
		if top := ritz.Values[last]; ritz.Exhausted || ritz.Residuals[last] <= 1e-8*math.Abs(top) {
			return top, nil
		}
		if steps > 200 {
			return 0, fmt.Errorf("dynamics: %s: the largest eigenvalue is known to %.2g of %.6g after %d steps of Lanczos", who, ritz.Residuals[last], ritz.Values[last], steps)
		}
	}
}
