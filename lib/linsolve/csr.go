package linsolve

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Entry is one value of a sparse matrix, its row and column counted from 0.
type Entry struct {
	Row, Col int
	Value    float64
}

// CSR is a sparse matrix in compressed sparse rows: the entries of a row lie together, by rising column. It is a
// [mat.Matrix], and as such its At panics outside the matrix. A CSR does not change after it was made.
type CSR struct {
	rows, cols int
	start      []int // of each row in column and value; one more than rows
	column     []int
	value      []float64
}

var _ mat.Matrix = (*CSR)(nil)

// NewCSR makes a sparse matrix of entries in any order. Values of the same place are added; zeros are kept as entries. It
// fails where a size is below 1, a place is outside the matrix, or a value is not finite.
func NewCSR(rows, cols int, entries []Entry) (*CSR, error) {
	var bad []error
	if rows < 1 || cols < 1 {
		bad = append(bad, fmt.Errorf("linsolve: NewCSR: size is %d×%d, must be at least 1×1", rows, cols))
	}
	for i, e := range entries {
		if e.Row < 0 || e.Row >= rows || e.Col < 0 || e.Col >= cols {
			bad = append(bad, fmt.Errorf("linsolve: NewCSR: entry %d is at (%d, %d), must be inside %d×%d", i, e.Row, e.Col, rows, cols))
		}
		if math.IsNaN(e.Value) || math.IsInf(e.Value, 0) {
			bad = append(bad, fmt.Errorf("linsolve: NewCSR: entry %d at (%d, %d) is %g, must be finite", i, e.Row, e.Col, e.Value))
		}
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b Entry) int {
		if a.Row != b.Row {
			return a.Row - b.Row
		}
		return a.Col - b.Col
	})
	a := &CSR{rows: rows, cols: cols, start: make([]int, rows+1)}
	for i, e := range sorted {
		if i > 0 && e.Row == sorted[i-1].Row && e.Col == sorted[i-1].Col {
			a.value[len(a.value)-1] += e.Value
			continue
		}
		a.column, a.value = append(a.column, e.Col), append(a.value, e.Value)
		a.start[e.Row+1]++
	}
	for i := range rows {
		a.start[i+1] += a.start[i]
	}
	return a, nil
}

// CSROf is the sparse form of a matrix: its entries other than 0. A [FivePoint] is read row by row, any other matrix entry by
// entry.
func CSROf(m mat.Matrix) (*CSR, error) {
	switch m := m.(type) {
	case *CSR:
		return m, nil
	case FivePoint:
		if err := m.check("CSROf"); err != nil {
			return nil, err
		}
		return NewCSR(m.Order(), m.Order(), m.entries())
	}
	rows, cols := m.Dims()
	var entries []Entry
	for i := range rows {
		for j := range cols {
			if v := m.At(i, j); v != 0 {
				entries = append(entries, Entry{i, j, v})
			}
		}
	}
	return NewCSR(rows, cols, entries)
}

// Dims returns the numbers of rows and columns.
func (a *CSR) Dims() (rows, cols int) { return a.rows, a.cols }

// Entries is the number of entries that are stored.
func (a *CSR) Entries() int { return len(a.value) }

// At returns an entry; 0 where none is stored.
func (a *CSR) At(i, j int) float64 {
	if i < 0 || i >= a.rows {
		panic(mat.ErrRowAccess)
	}
	if j < 0 || j >= a.cols {
		panic(mat.ErrColAccess)
	}
	k, ok := slices.BinarySearch(a.column[a.start[i]:a.start[i+1]], j)
	if !ok {
		return 0
	}
	return a.value[a.start[i]+k]
}

// T is the transpose, as a view.
func (a *CSR) T() mat.Matrix { return mat.Transpose{Matrix: a} }

// MulVecTo sets dst = A x, or Aᵀ x if trans. It has the form in which gonum's iterative solvers ask for a product, and panics
// like gonum where the lengths do not fit. dst must not be x.
func (a *CSR) MulVecTo(dst *mat.VecDense, trans bool, x mat.Vector) {
	in, out := a.cols, a.rows
	if trans {
		in, out = out, in
	}
	if x.Len() != in {
		panic(mat.ErrShape)
	}
	if dst.IsEmpty() {
		dst.ReuseAsVec(out)
	}
	if dst.Len() != out {
		panic(mat.ErrShape)
	}
	if !trans {
		for i := range a.rows {
			var sum float64
			for k := a.start[i]; k < a.start[i+1]; k++ {
				sum += a.value[k] * x.AtVec(a.column[k])
			}
			dst.SetVec(i, sum)
		}
		return
	}
	dst.Zero()
	for i := range a.rows {
		xi := x.AtVec(i)
		for k := a.start[i]; k < a.start[i+1]; k++ {
			dst.SetVec(a.column[k], dst.AtVec(a.column[k])+a.value[k]*xi)
		}
	}
}

// csrOperator relaxes a CSR matrix with its diagonal at hand; vectors lie in their plain order.
type csrOperator struct {
	*CSR
	diagonal []float64
}

func (a *csrOperator) length() int              { return a.rows }
func (a *csrOperator) load(dst, src []float64)  { copy(dst, src) }
func (a *csrOperator) store(dst, src []float64) { copy(dst, src) }

func (a *csrOperator) multiply(y, x []float64) {
	for i := range y {
		var sum float64
		for k := a.start[i]; k < a.start[i+1]; k++ {
			sum += a.value[k] * x[a.column[k]]
		}
		y[i] = sum
	}
}

func (a *csrOperator) residualSquared(b, x []float64) (sum float64) {
	for i, r := range b {
		for k := a.start[i]; k < a.start[i+1]; k++ {
			r -= a.value[k] * x[a.column[k]]
		}
		sum += r * r
	}
	return sum
}

func (a *csrOperator) sweep(x, b []float64, omega float64) {
	for i, r := range b {
		for k := a.start[i]; k < a.start[i+1]; k++ {
			r -= a.value[k] * x[a.column[k]]
		}
		x[i] += omega * r / a.diagonal[i]
	}
}

func (a *csrOperator) precondition(z, r []float64, omega float64) {
	// (D + ωL)ᵀ v = r, from the last row up: row i of Lᵀ is the part of A's row i right of the diagonal.
	for i := a.rows - 1; i >= 0; i-- {
		s := r[i]
		for k := a.start[i+1] - 1; k >= a.start[i] && a.column[k] > i; k-- {
			s -= omega * a.value[k] * z[a.column[k]]
		}
		z[i] = s / a.diagonal[i]
	}
	// (D + ωL) z = ω(2−ω) D v, from the first row down.
	for i := range z {
		s := omega * (2 - omega) * a.diagonal[i] * z[i]
		for k := a.start[i]; k < a.start[i+1] && a.column[k] < i; k++ {
			s -= omega * a.value[k] * z[a.column[k]]
		}
		z[i] = s / a.diagonal[i]
	}
}
