package bandit

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// NTKernel is the neural tangent kernel of a wide two-layer ReLU network between unit vectors of inner product u:
//
//	k(u) = u·κ₀(u) + κ₁(u),   κ₀ = (π − acos u)/π,   κ₁ = (u(π − acos u) + √(1 − u²))/π
//
// u is clipped to [−1, 1]. Source: Cho, Saul (2009), Kernel Methods for Deep Learning; Jacot, Gabriel, Hongler (2018).
func NTKernel(u float64) float64 {
	u = max(-1, min(1, u))
	angle := math.Pi - math.Acos(u)
	return (2*u*angle + math.Sqrt(1-u*u)) / math.Pi
}

// NTKGram is the matrix of [NTKernel] between all pairs of rows, T × T. Rows must be of unit length to 1e-6.
func NTKGram(x [][]float64) (*mat.SymDense, error) {
	if len(x) == 0 {
		return nil, errors.New("bandit: NTKGram: x has no rows, must have at least 1")
	}
	rows := mat.NewDense(len(x), max(1, len(x[0])), nil)
	for i, row := range x {
		if len(row) != len(x[0]) {
			return nil, fmt.Errorf("bandit: NTKGram: row %d of x has %d features, must have %d as row 0", i, len(row), len(x[0]))
		}
		norm := mat.Norm(mat.NewVecDense(len(row), append([]float64(nil), row...)), 2)
		if !(math.Abs(norm-1) <= 1e-6) {
			return nil, fmt.Errorf("bandit: NTKGram: row %d of x has the length %g, must be 1", i, norm)
		}
		rows.SetRow(i, row)
	}
	var h mat.SymDense
	h.SymOuterK(1, rows)
	for i := range x {
		h.SetSym(i, i, NTKernel(1))
		for j := range i {
			h.SetSym(i, j, NTKernel(h.At(i, j)))
		}
	}
	return &h, nil
}

// EffectiveLogDet is log det(I + H/λ), what the regret bounds of NeuralUCB and NeuralTS grow with (the effective dimension
// times a logarithm of T). H must be positive semi-definite.
//
// Source: Zhou, Li, Gu (2020), Neural Contextual Bandits with UCB-based Exploration, definition 4.3.
func EffectiveLogDet(h mat.Symmetric, lambda float64) (float64, error) {
	if !(lambda > 0) || math.IsInf(lambda, 0) {
		return 0, fmt.Errorf("bandit: EffectiveLogDet: lambda is %g, must be positive and finite", lambda)
	}
	n := h.SymmetricDim()
	a := mat.NewSymDense(n, nil)
	a.ScaleSym(1/lambda, h)
	for i := range n {
		a.SetSym(i, i, a.At(i, i)+1)
	}
	var c mat.Cholesky
	if !c.Factorize(a) {
		return 0, errors.New("bandit: EffectiveLogDet: h is not positive semi-definite")
	}
	return c.LogDet(), nil
}
