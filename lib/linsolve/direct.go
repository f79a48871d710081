package linsolve

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Direct solves A x = b for a symmetric positive definite A by Cholesky factors within A's band: O(n·w²) for n unknowns and a
// band of width w, which for a [FivePoint] is its Side. Symmetry is not looked at: the part above the diagonal is used.
func Direct(a mat.Matrix, b []float64) ([]float64, error) {
	p, err := setUp("Direct", a, b, nil, Options{})
	if err != nil {
		return nil, err
	}
	c, err := CSROf(a)
	if err != nil {
		return nil, fmt.Errorf("linsolve: Direct: %w", err)
	}
	var width int
	for i := range c.rows {
		if end := c.start[i+1]; end > c.start[i] {
			width = max(width, c.column[end-1]-i)
		}
	}
	band := mat.NewSymBandDense(c.rows, width, nil)
	for i := range c.rows {
		for k := c.start[i]; k < c.start[i+1]; k++ {
			if c.column[k] >= i {
				band.SetSymBand(i, c.column[k], c.value[k])
			}
		}
	}
	var cholesky mat.BandCholesky
	if !cholesky.Factorize(band) {
		return nil, fmt.Errorf("linsolve: Direct: %w", ErrIndefinite)
	}
	x := mat.NewVecDense(c.rows, p.result.X)
	if err := cholesky.SolveVecTo(x, mat.NewVecDense(c.rows, b)); err != nil {
		return nil, fmt.Errorf("linsolve: Direct: %w", err)
	}
	return x.RawVector().Data, nil
}
