package linsolve

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// SORIterationMatrix is C_ω = I − A(D/ω + L)⁻¹, by which a sweep of [SOR] multiplies the residual. It is dense and takes O(n³).
func SORIterationMatrix(a mat.Matrix, omega float64) (*mat.Dense, error) {
	s, err := symmetric("SORIterationMatrix", a)
	if err = errors.Join(checkOmega("SORIterationMatrix", omega), err); err != nil {
		return nil, err
	}
	n := s.SymmetricDim()
	m := mat.NewTriDense(n, mat.Lower, nil)
	for i := range n {
		for j := range i {
			m.SetTri(i, j, s.At(i, j))
		}
		m.SetTri(i, i, s.At(i, i)/omega)
	}
	// MᵀY = A gives Y = (A M⁻¹)ᵀ, as A is symmetric. The diagonal is positive: M is not singular.
	var y mat.Dense
	if err := m.SolveTo(&y, true, s); err != nil {
		if _, ill := errors.AsType[mat.Condition](err); !ill {
			return nil, fmt.Errorf("linsolve: SORIterationMatrix: %w", err)
		}
	}
	c := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			c.Set(i, j, -y.At(j, i))
		}
		c.Set(i, i, 1+c.At(i, i))
	}
	return c, nil
}

// NearAsymptoticConstant is the least τ with ‖Cᵏ‖₂^(1/k) ≤ ρ + τ(1 − ρ), for an iteration matrix C with spectral radius ρ in
// [0, 1) and k ≥ 1: how far from its limit an iteration still is after k steps.
//
// Source: Khodak et al. (2024), scripts/asymptotic.m, where k is one less than the number of sweeps.
func NearAsymptoticConstant(c mat.Matrix, rho float64, k int) (float64, error) {
	var bad []error
	if rows, cols := c.Dims(); rows != cols {
		bad = append(bad, fmt.Errorf("linsolve: NearAsymptoticConstant: the matrix is %d×%d, must be square", rows, cols))
	}
	if !(rho >= 0 && rho < 1) {
		bad = append(bad, fmt.Errorf("linsolve: NearAsymptoticConstant: rho is %g, must be in [0, 1)", rho))
	}
	if k < 1 {
		bad = append(bad, fmt.Errorf("linsolve: NearAsymptoticConstant: k is %d, must be at least 1", k))
	}
	if bad != nil {
		return 0, errors.Join(bad...)
	}
	var power mat.Dense
	power.Pow(c, k)
	var svd mat.SVD
	if !svd.Factorize(&power, mat.SVDNone) {
		return 0, errors.New("linsolve: NearAsymptoticConstant: the singular values do not converge")
	}
	return (math.Pow(svd.Values(nil)[0], 1/float64(k)) - rho) / (1 - rho), nil
}

// NearAsymptoticBound is the surrogate U = 1 + ln ε / ln(ρ + τ(1 − ρ)) of the number of sweeps to a relative residual ε in
// (0, 1), with ρ in [0, 1) the spectral radius and τ ≥ 0 at least the [NearAsymptoticConstant]. It is infinite for τ ≥ 1.
//
// If τ is at least the constant at k − 1 ≥ 1, where k is the number of sweeps that SOR took, then U ≥ k: after k − 1 sweeps the
// relative residual was at least ε and at most ‖C^(k−1)‖₂ ≤ (ρ + τ(1 − ρ))^(k−1).
//
// Source: Khodak et al. (2024), section 2.
func NearAsymptoticBound(epsilon, rho, tau float64) (float64, error) {
	var bad []error
	if !(epsilon > 0 && epsilon < 1) {
		bad = append(bad, fmt.Errorf("linsolve: NearAsymptoticBound: epsilon is %g, must be in (0, 1)", epsilon))
	}
	if !(rho >= 0 && rho < 1) {
		bad = append(bad, fmt.Errorf("linsolve: NearAsymptoticBound: rho is %g, must be in [0, 1)", rho))
	}
	if !(tau >= 0) {
		bad = append(bad, fmt.Errorf("linsolve: NearAsymptoticBound: tau is %g, must be at least 0", tau))
	}
	if bad != nil {
		return 0, errors.Join(bad...)
	}
	rate := rho + tau*(1-rho)
	if rate >= 1 {
		return math.Inf(1), nil
	}
	return 1 + math.Log(epsilon)/math.Log(rate), nil
}

// FastestMode is a right-hand side that only one ω solves fast: a unit eigenvector of [SORIterationMatrix] for a real eigenvalue
// other than 0, that of the smallest modulus. SOR from 0 at this ω multiplies its residual by the eigenvalue in every sweep.
func FastestMode(a mat.Matrix, omega float64) (b []float64, eigenvalue float64, err error) {
	c, err := SORIterationMatrix(a, omega)
	if err != nil {
		return nil, 0, err
	}
	var e mat.Eigen
	if !e.Factorize(c, mat.EigenRight) {
		return nil, 0, errors.New("linsolve: FastestMode: the eigenvalues do not converge")
	}
	best := -1
	values := e.Values(nil)
	for i, v := range values {
		const nought = 1e-6 // eigenvalues 0 of a defective matrix are this far off
		if imag(v) == 0 && math.Abs(real(v)) > nought && (best < 0 || math.Abs(real(v)) < math.Abs(real(values[best]))) {
			best = i
		}
	}
	if best < 0 {
		return nil, 0, fmt.Errorf("linsolve: FastestMode: no eigenvalue other than 0 is real at omega = %g", omega)
	}
	var vectors mat.CDense
	e.VectorsTo(&vectors)
	b = make([]float64, len(values))
	for i := range b {
		b[i] = real(vectors.At(i, best))
	}
	return b, real(values[best]), nil
}

// SSORBound bounds the iterations of [SSORPCG] by the condition number of the preconditioned matrix.
//
// Source: Axelsson (1994), Iterative Solution Methods, theorem 7.17; Khodak et al. (2024), solvers/cgbound.m.
type SSORBound struct {
	Condition float64 // λ_max(A)/λ_min(A)
	Alpha     float64 // λ_max(D A⁻¹)
	Beta      float64 // λ_max((L D⁻¹ Lᵀ − D/4) A⁻¹)
}

// NewSSORBound finds the constants of a symmetric positive definite matrix, by dense eigenvalues in O(n³).
func NewSSORBound(a mat.Matrix) (SSORBound, error) {
	s, err := symmetric("NewSSORBound", a)
	if err != nil {
		return SSORBound{}, err
	}
	n := s.SymmetricDim()
	var cholesky mat.Cholesky
	if !cholesky.Factorize(s) {
		return SSORBound{}, fmt.Errorf("linsolve: NewSSORBound: %w", ErrIndefinite)
	}
	diagonal := mat.NewSymDense(n, nil)
	middle := mat.NewDense(n, n, nil) // L D^(−1/2)
	for i := range n {
		diagonal.SetSym(i, i, s.At(i, i))
		for j := range i {
			middle.Set(i, j, s.At(i, j)/math.Sqrt(s.At(j, j)))
		}
	}
	var second mat.SymDense
	second.SymOuterK(1, middle)
	for i := range n {
		second.SetSym(i, i, second.At(i, i)-s.At(i, i)/4)
	}
	var bound SSORBound
	values, err := eigenvalues("NewSSORBound", s)
	if err != nil {
		return SSORBound{}, err
	}
	bound.Condition = values[n-1] / values[0]
	for _, part := range []struct {
		of   *mat.SymDense
		into *float64
	}{{diagonal, &bound.Alpha}, {&second, &bound.Beta}} {
		// For A = RᵀR, the matrix S A⁻¹ has the eigenvalues of R⁻ᵀ S R⁻¹, which is symmetric.
		var r mat.TriDense
		cholesky.UTo(&r)
		var half, whole mat.Dense
		if err := errors.Join(r.SolveTo(&half, true, part.of), r.SolveTo(&whole, true, half.T())); err != nil {
			return SSORBound{}, fmt.Errorf("linsolve: NewSSORBound: %w", err)
		}
		similar := mat.NewSymDense(n, nil)
		for i := range n {
			for j := i; j < n; j++ {
				similar.SetSym(i, j, whole.At(i, j))
			}
		}
		if values, err = eigenvalues("NewSSORBound", similar); err != nil {
			return SSORBound{}, err
		}
		*part.into = values[n-1]
	}
	return bound, nil
}

// Iterations is the bound at ω in (0, 2) for a relative residual ε in (0, 1):
//
//	1 + ln(√κ/ε + √(κ/ε² − 1)) / −ln(1 − 2/(1 + √(1/q))),   q = (2−ω)/(1 + ¼(2−ω)²α/ω + β'ω),
//
// with κ, α and β' the fields.
func (b SSORBound) Iterations(omega, epsilon float64) (float64, error) {
	err := checkOmega("SSORBound.Iterations", omega)
	if !(epsilon > 0 && epsilon < 1) {
		err = errors.Join(err, fmt.Errorf("linsolve: SSORBound.Iterations: epsilon is %g, must be in (0, 1)", epsilon))
	}
	if err != nil {
		return 0, err
	}
	rest := 2 - omega
	q := rest / (1 + rest*rest*b.Alpha/(4*omega) + b.Beta*omega)
	k := b.Condition / (epsilon * epsilon)
	return 1 + math.Log(math.Sqrt(k)+math.Sqrt(k-1))/-math.Log1p(-2/(1+math.Sqrt(1/q))), nil
}
