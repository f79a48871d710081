package curvature

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// PrincipalAngles returns the cosines of the principal angles between the column spaces of two matrices with as many rows,
// falling from the smallest angle's: min(columns of a, columns of b) values in [0, 1]. Columns that depend on the ones before
// add no direction, and leave that many zeros at the end.
//
// Two random spaces of dimensions r and s among n have a mean squared cosine of max(r, s)/n.
//
// Source: Björck, Golub (1973), Numerical Methods for Computing Angles Between Linear Subspaces.
func PrincipalAngles(a, b mat.Matrix) ([]float64, error) {
	rows, columnsA := a.Dims()
	rowsB, columnsB := b.Dims()
	if rows == 0 || rows != rowsB || columnsA == 0 || columnsB == 0 {
		return nil, fmt.Errorf("curvature: PrincipalAngles: matrices are %d×%d and %d×%d, must have as many rows and not be empty", rows, columnsA, rowsB, columnsB)
	}
	frameA, err := columnFrame(a)
	if err != nil {
		return nil, err
	}
	frameB, err := columnFrame(b)
	if err != nil {
		return nil, err
	}
	out := make([]float64, min(columnsA, columnsB))
	if frameA == nil || frameB == nil {
		return out, nil
	}
	var product mat.Dense
	product.Mul(frameA.T(), frameB)
	var svd mat.SVD
	if !svd.Factorize(&product, mat.SVDNone) {
		return nil, fmt.Errorf("curvature: PrincipalAngles: the singular values did not converge")
	}
	for i, c := range svd.Values(nil)[:min(len(out), len(svd.Values(nil)))] {
		out[i] = math.Min(1, c)
	}
	return out, nil
}

// columnFrame is an orthonormal basis of the columns' space; nil where they are zero.
func columnFrame(a mat.Matrix) (mat.Matrix, error) {
	rows, columns := a.Dims()
	for i := range rows {
		for j := range columns {
			if v := a.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("curvature: PrincipalAngles: entry (%d, %d) is %g, must be finite", i, j, v)
			}
		}
	}
	var svd mat.SVD
	if !svd.Factorize(a, mat.SVDThinU) {
		return nil, fmt.Errorf("curvature: PrincipalAngles: the singular values did not converge")
	}
	values := svd.Values(nil)
	rank := 0
	for rank < len(values) && values[rank] > 1e-12*values[0] {
		rank++
	}
	if rank == 0 {
		return nil, nil
	}
	var u mat.Dense
	svd.UTo(&u)
	return u.Slice(0, rows, 0, rank), nil
}
