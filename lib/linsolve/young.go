package linsolve

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// JacobiRadius is β = ρ(I − D⁻¹A), the spectral radius of Jacobi's iteration for a symmetric matrix with a positive diagonal.
// For a [FivePoint] it is known, 4|Neighbor|cos(π/(Side+1))/Center; any other matrix is made dense, and its eigenvalues
// take O(n³).
func JacobiRadius(a mat.Matrix) (float64, error) {
	if f, ok := a.(FivePoint); ok {
		return 4 * math.Abs(f.Neighbor) * math.Cos(math.Pi/float64(f.Side+1)) / f.Center, f.check("JacobiRadius")
	}
	s, err := symmetric("JacobiRadius", a)
	if err != nil {
		return 0, err
	}
	// D^(−1/2) A D^(−1/2) has the eigenvalues of D⁻¹A, and is symmetric.
	scaled := mat.NewSymDense(s.SymmetricDim(), nil)
	for i := range s.SymmetricDim() {
		for j := i; j < s.SymmetricDim(); j++ {
			scaled.SetSym(i, j, s.At(i, j)/math.Sqrt(s.At(i, i)*s.At(j, j)))
		}
	}
	values, err := eigenvalues("JacobiRadius", scaled)
	if err != nil {
		return 0, err
	}
	return math.Max(math.Abs(1-values[0]), math.Abs(1-values[len(values)-1])), nil
}

// OptimalOmega is the ω at which [SOR] converges fastest in the limit, 1 + (β/(1 + √(1−β²)))² for Jacobi's radius β in [0, 1).
// The matrix must be consistently ordered, as the grid's Laplacian is.
//
// Source: Young (1971), ch. 6.
func OptimalOmega(beta float64) (float64, error) {
	if !(beta >= 0 && beta < 1) {
		return 0, fmt.Errorf("linsolve: OptimalOmega: beta is %g, must be in [0, 1)", beta)
	}
	q := beta / (1 + math.Sqrt(1-beta*beta))
	return 1 + q*q, nil
}

// SORSpectralRadius is the spectral radius of a sweep of [SOR] for Jacobi's radius β in [0, 1) and ω in (0, 2):
// ¼(ωβ + √(ω²β² − 4(ω−1)))² up to [OptimalOmega], ω − 1 from there on. Matrices are as there.
//
// Source: Young (1971), ch. 6.
func SORSpectralRadius(omega, beta float64) (float64, error) {
	best, err := OptimalOmega(beta)
	if err = errors.Join(checkOmega("SORSpectralRadius", omega), err); err != nil {
		return 0, err
	}
	if omega >= best {
		return omega - 1, nil
	}
	wb := omega * beta
	root := wb + math.Sqrt(math.Max(0, wb*wb-4*(omega-1)))
	return root * root / 4, nil
}

// symmetric copies a matrix that is symmetric with a positive diagonal.
func symmetric(function string, a mat.Matrix) (*mat.SymDense, error) {
	rows, cols := a.Dims()
	if rows != cols {
		return nil, fmt.Errorf("linsolve: %s: the matrix is %d×%d, must be square", function, rows, cols)
	}
	s := mat.NewSymDense(rows, nil)
	for i := range rows {
		if d := a.At(i, i); !(d > 0) || math.IsInf(d, 0) {
			return nil, fmt.Errorf("linsolve: %s: %w: entry (%d, %d) of the diagonal is %g, must be positive and finite", function, ErrIndefinite, i, i, d)
		}
		for j := i; j < rows; j++ {
			x, y := a.At(i, j), a.At(j, i)
			// Entries that were computed may differ by rounding.
			if !(math.Abs(x-y) <= 1e-12*(math.Abs(x)+math.Abs(y))) {
				return nil, fmt.Errorf("linsolve: %s: %w: entries (%d, %d) and (%d, %d) are %g and %g, must be equal and finite", function, ErrIndefinite, i, j, j, i, x, y)
			}
			s.SetSym(i, j, x)
		}
	}
	return s, nil
}

// eigenvalues of a symmetric matrix, rising.
func eigenvalues(function string, s mat.Symmetric) ([]float64, error) {
	var e mat.EigenSym
	if !e.Factorize(s, false) {
		return nil, fmt.Errorf("linsolve: %s: the eigenvalues do not converge", function)
	}
	return e.Values(nil), nil
}
