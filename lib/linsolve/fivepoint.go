package linsolve

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// FivePoint is the matrix of the five-point stencil on a square grid of Side × Side points, in row-major order, with zero
// values outside: Center on the diagonal, Neighbor for each of the four neighbours. It is a [mat.Matrix] that stores
// nothing, and the solvers relax it without looking up an entry; the iterates are those of its [CSR] form up to rounding.
//
// Its eigenvalues are Center + 2·Neighbor·(cos(iπ/(Side+1)) + cos(jπ/(Side+1))) for i, j = 1, …, Side. It must be positive
// definite.
type FivePoint struct {
	Side     int // points along a side, at least 1
	Center   float64
	Neighbor float64
}

var _ mat.Matrix = FivePoint{}

// GridLaplacian is the Laplacian of a square with nx intervals along a side and zero boundary values, not divided by the
// squared width, plus shift times the identity: 4 + shift on the diagonal, −1 for a neighbour, (nx−1)² unknowns. It fails
// where nx is below 2 or the matrix is not positive definite, for which the shift must be above 4cos(π/nx) − 4.
func GridLaplacian(nx int, shift float64) (FivePoint, error) {
	a := FivePoint{Side: nx - 1, Center: 4 + shift, Neighbor: -1}
	var bad []error
	if nx < 2 {
		bad = append(bad, fmt.Errorf("linsolve: GridLaplacian: nx is %d, must be at least 2", nx))
	} else if least := 4*math.Cos(math.Pi/float64(nx)) - 4; !(shift > least) || math.IsInf(shift, 0) {
		bad = append(bad, fmt.Errorf("linsolve: GridLaplacian: shift is %g, must be finite and above %g for nx = %d", shift, least, nx))
	}
	return a, errors.Join(bad...)
}

func (f FivePoint) check(function string) error {
	switch {
	case f.Side < 1:
		return fmt.Errorf("linsolve: %s: Side of the five-point stencil is %d, must be at least 1", function, f.Side)
	case math.IsNaN(f.Center) || math.IsInf(f.Center, 0) || math.IsNaN(f.Neighbor) || math.IsInf(f.Neighbor, 0):
		return fmt.Errorf("linsolve: %s: the five-point stencil has Center %g and Neighbor %g, must be finite", function, f.Center, f.Neighbor)
	case !(f.Center > 4*math.Abs(f.Neighbor)*math.Cos(math.Pi/float64(f.Side+1))):
		return fmt.Errorf("linsolve: %s: the five-point stencil of Center %g and Neighbor %g on %d×%d points is not positive definite", function, f.Center, f.Neighbor, f.Side, f.Side)
	}
	return nil
}

// Order is the number of unknowns, Side².
func (f FivePoint) Order() int { return f.Side * f.Side }

// Dims returns the numbers of rows and columns, both Side².
func (f FivePoint) Dims() (rows, cols int) { return f.Order(), f.Order() }

// At returns an entry, and panics outside the matrix as gonum's matrices do.
func (f FivePoint) At(i, j int) float64 {
	if i < 0 || i >= f.Order() {
		panic(mat.ErrRowAccess)
	}
	if j < 0 || j >= f.Order() {
		panic(mat.ErrColAccess)
	}
	if i > j {
		i, j = j, i
	}
	switch {
	case i == j:
		return f.Center
	case j-i == f.Side, j-i == 1 && j%f.Side != 0:
		return f.Neighbor
	}
	return 0
}

// T is the matrix itself: it is symmetric.
func (f FivePoint) T() mat.Matrix { return f }

// entries lists the matrix.
func (f FivePoint) entries() []Entry {
	entries := make([]Entry, 0, 5*f.Order())
	for i := range f.Order() {
		row, column := i/f.Side, i%f.Side
		entries = append(entries, Entry{i, i, f.Center})
		for _, n := range [...]struct {
			there bool
			at    int
		}{{row > 0, i - f.Side}, {column > 0, i - 1}, {column < f.Side-1, i + 1}, {row < f.Side-1, i + f.Side}} {
			if n.there {
				entries = append(entries, Entry{i, n.at, f.Neighbor})
			}
		}
	}
	return entries
}

// stencilOperator relaxes a FivePoint. Its vectors have one 0 after each row, which is the right neighbour of the row's last
// point and the left one of the next row's first, and a row of 0 above and below: no point is special. Point (row, column)
// is at (row+1)·(Side+1) + column. All methods keep the zeros.
type stencilOperator struct{ FivePoint }

func (f *stencilOperator) stride() int { return f.Side + 1 }
func (f *stencilOperator) length() int { return (f.Side + 2) * f.stride() }

func (f *stencilOperator) load(dst, src []float64) {
	clear(dst)
	for row := range f.Side {
		copy(dst[(row+1)*f.stride():], src[row*f.Side:(row+1)*f.Side])
	}
}

func (f *stencilOperator) store(dst, src []float64) {
	for row := range f.Side {
		at := (row + 1) * f.stride()
		copy(dst[row*f.Side:], src[at:at+f.Side])
	}
}

// row cuts the vector's row, with the 0 after it, and the rows above and below. The caller's loops over column < m need no
// bounds checks after them.
func (f *stencilOperator) row(v []float64, row int) (up, here, down []float64) {
	s, m := f.stride(), f.Side
	return v[row*s:][:m:m], v[(row+1)*s:][: m+1 : m+1], v[(row+2)*s:][:m:m]
}

func (f *stencilOperator) multiply(y, x []float64) {
	for row := range f.Side {
		up, here, down := f.row(x, row)
		out := y[(row+1)*f.stride():][:len(up)]
		down = down[:len(up)]
		var left float64
		x0 := here[0]
		for i, right := range here[1:][:len(up)] {
			out[i] = f.Center*x0 + f.Neighbor*((up[i]+down[i])+(left+right))
			left, x0 = x0, right
		}
	}
}

func (f *stencilOperator) residualSquared(b, x []float64) float64 {
	center, neighbor := f.Center, f.Neighbor
	var even, odd float64 // two sums, so that an addition need not wait for the last
	for row := range f.Side {
		up, here, down := f.row(x, row)
		rhs := b[(row+1)*f.stride():][:len(up)]
		down = down[:len(up)]
		var left float64
		x0 := here[0]
		for i, right := range here[1:][:len(up)] {
			r := rhs[i] - center*x0 - neighbor*((up[i]+down[i])+(left+right))
			left, x0 = x0, right
			even, odd = odd, even+r*r
		}
	}
	return even + odd
}

func (f *stencilOperator) sweep(x, b []float64, omega float64) {
	keep, scale := 1-omega, omega/f.Center
	pull := -scale * f.Neighbor
	for row := range f.Side {
		up, here, down := f.row(x, row)
		rhs := b[(row+1)*f.stride():][:len(up)]
		down = down[:len(up)]
		right := here[1:][:len(up)]
		here = here[:len(up)]
		var left float64
		for i := range up {
			// Only the last multiplication and addition wait for the left neighbour.
			left = (keep*here[i] + scale*rhs[i] + pull*(up[i]+down[i]+right[i])) + pull*left
			here[i] = left
		}
	}
}

func (f *stencilOperator) precondition(z, r []float64, omega float64) {
	pull, inverse := -omega*f.Neighbor/f.Center, 1/f.Center
	for row := f.Side - 1; row >= 0; row-- {
		_, here, down := f.row(z, row)
		in := r[(row+1)*f.stride():][:len(down)]
		here = here[:len(down)]
		var right float64
		for i := len(down) - 1; i >= 0; i-- {
			right = (inverse*in[i] + pull*down[i]) + pull*right
			here[i] = right
		}
	}
	scale := omega * (2 - omega)
	for row := range f.Side {
		up, here, _ := f.row(z, row)
		here = here[:len(up)]
		var left float64
		for i := range up {
			left = (scale*here[i] + pull*up[i]) + pull*left
			here[i] = left
		}
	}
}
