package experts

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
)

// leastSquares collects rows (x, y) and fits θ to those so far without penalty or intercept. It keeps the triangular
// factor of [X y] only: d² numbers however many rows there are.
type leastSquares struct {
	d      int
	factor *mat.Dense // (d+1)×(d+1), upper triangular
	rows   *mat.Dense // new ones below the factor
	fresh  int
}

// freshRows are collected before they are factored into the triangle.
const freshRows = 256

func newLeastSquares(d int) *leastSquares {
	return &leastSquares{d: d, factor: mat.NewDense(d+1, d+1, nil), rows: mat.NewDense(d+1+freshRows, d+1, nil)}
}

func (l *leastSquares) add(x []float64, y float64) {
	row := l.rows.RawRowView(l.d + 1 + l.fresh)
	copy(row, x)
	row[l.d] = y
	if l.fresh++; l.fresh == freshRows {
		l.reduce()
	}
}

// reduce factors the new rows into the triangle.
func (l *leastSquares) reduce() {
	if l.fresh == 0 {
		return
	}
	stack := l.rows.Slice(0, l.d+1+l.fresh, 0, l.d+1).(*mat.Dense)
	stack.Slice(0, l.d+1, 0, l.d+1).(*mat.Dense).Copy(l.factor)
	var qr mat.QR
	qr.Factorize(stack)
	var r mat.Dense
	qr.RTo(&r)
	l.factor.Copy(r.Slice(0, l.d+1, 0, l.d+1))
	l.fresh = 0
}

// relativeRank is the size of a singular value, relative to the largest, below which it counts as 0. Indicators of groups
// add up to 1 several times over, so exact zeros are common, and rounding leaves them near 1e-15 times the root of the rows.
const relativeRank = 1e-10

// fit returns the θ of least norm among those that minimize the squared error, and that error.
func (l *leastSquares) fit() (theta []float64, loss float64, err error) {
	l.reduce()
	theta = make([]float64, l.d)
	var svd mat.SVD
	x, y := l.factor.Slice(0, l.d+1, 0, l.d), l.factor.Slice(0, l.d+1, l.d, l.d+1)
	if !svd.Factorize(x, mat.SVDThin) {
		return nil, 0, errors.New("the singular values of the features do not converge")
	}
	// mat.SVD counts ranks by the largest value too, but answers 0 where all are 0.
	if rank := svd.Rank(relativeRank); rank > 0 {
		var solution mat.Dense
		svd.SolveTo(&solution, y, rank)
		mat.Col(theta, 0, &solution)
	}
	var residual mat.VecDense
	residual.MulVec(x, mat.NewVecDense(l.d, theta))
	for i := range l.d + 1 {
		loss += math.Pow(residual.AtVec(i)-y.At(i, 0), 2)
	}
	return theta, loss, nil
}
