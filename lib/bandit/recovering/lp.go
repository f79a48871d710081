package recovering

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// UpperBoundLP is the value of [UpperBound] found another way, to 1e-9: the rates y_{i,d} ≥ 0 of pulling arm i at idle time
// d solve
//
//	max Σ y_{i,d}·R_i(d)   subject to   Σ_d d·y_{i,d} ≤ 1 for every arm,   Σ_{i,d} y_{i,d} ≤ K,
//
// by the simplex method, with a dense matrix of N+1 rows and N·D+N+1 columns, which may have at most 2^22 entries. It is a check, for small problems.
func UpperBoundLP(m RecoveryModel, k int) (float64, error) {
	if err := m.check("UpperBoundLP", k); err != nil {
		return 0, err
	}
	n, d := m.Arms(), m.Recovery()
	if size := float64(n+1) * float64(n*d+n+1); size > 1<<22 {
		return 0, fmt.Errorf("recovering: UpperBoundLP: N = %d and D = %d need a matrix of %.3g entries, must be at most %d", n, d, size, 1<<22)
	}
	c, a, b := make([]float64, n*d+n+1), mat.NewDense(n+1, n*d+n+1, nil), make([]float64, n+1)
	for i := range n {
		for j := range d {
			c[i*d+j] = -m.R[i][j]
			a.Set(i, i*d+j, float64(j+1))
			a.Set(n, i*d+j, 1)
		}
		a.Set(i, n*d+i, 1) // slack
		b[i] = 1
	}
	a.Set(n, n*d+n, 1)
	b[n] = float64(k)
	value, _, err := lp.Simplex(c, a, b, 1e-10, nil)
	if err != nil {
		return 0, fmt.Errorf("recovering: UpperBoundLP: %w", err)
	}
	return -value, nil
}
