package matching

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// column of a packing program: its gain, and its entries by row, all > 0.
type column struct {
	gain    float64
	rows    []int
	entries []float64
	plan    Plan
	earned  []float64 // the part of the gain that each of the plan's arrivals earns
}

// packing is max Σ gain_j·x_j subject to Σ_j a_j·x_j ≤ 1 in every row, x ≥ 0, with a_j ≥ 0, gains of order 1, and more
// columns than one wants to write down: a revised simplex method that is handed the best column whenever it looks for one.
//
// gonum's lp.Simplex solves the small ones too, and tests compare with it. It returns neither duals nor its basis, so every
// round of column generation must solve the dual program from the start, refactoring at each pivot: 40 rounds for the 88
// rows of Triangle(8, 0.1) took 20 s and were not at the end, where this method is there after 250 pivots, in milliseconds.
type packing struct {
	rows int
	// price returns the column of the largest reduced gain at prices y ≥ 0 of the rows, that reduced gain, and by how much
	// the optimum can be above Σy, from what the columns' reduced gains can add in all.
	price func(y []float64) (best column, reduced, excess float64)

	basis   []column // one a row; a slack has no entries
	slack   []int    // of a slack its row
	inverse *mat.Dense
	x, y    []float64 // of the basis, of the rows
}

const (
	reducedTolerance = 1e-9  // of a column that enters
	pivotTolerance   = 1e-9  // of the entry that it enters by
	tieTolerance     = 1e-11 // of ratios, which the lexicographic rule decides
	refresh          = 50    // pivots between new factorizations
)

// solve pivots until no column improves, at most limit times; optimal says which. Bound is above the optimum in either case.
func (s *packing) solve(limit int) (value, bound float64, pivots int, optimal bool, err error) {
	s.basis, s.slack = make([]column, s.rows), make([]int, s.rows)
	s.inverse = mat.NewDense(s.rows, s.rows, nil)
	s.x, s.y = make([]float64, s.rows), make([]float64, s.rows)
	for i := range s.rows {
		s.slack[i], s.x[i] = i, 1
		s.inverse.Set(i, i, 1)
	}
	fresh := true
	for pivots < limit {
		enter, row, reduced := s.entering()
		if reduced <= reducedTolerance {
			if fresh {
				optimal = true
				break
			}
			if err := s.factorize(); err != nil { // judge again without the rounding of many pivots
				return 0, 0, pivots, false, err
			}
			fresh = true
			continue
		}
		if err := s.pivot(enter, row, reduced); err != nil {
			return 0, 0, pivots, false, err
		}
		fresh = false
		if pivots++; pivots%refresh == 0 {
			if err := s.factorize(); err != nil {
				return 0, 0, pivots, false, err
			}
			fresh = true
		}
	}
	for i := range s.y {
		s.y[i] = math.Max(0, s.y[i])
	}
	_, _, excess := s.price(s.y)
	for i, c := range s.basis {
		value += c.gain * s.x[i]
	}
	return value, floats.Sum(s.y) + excess, pivots, optimal, nil
}

// entering is the column of the largest reduced gain, which may be a slack: then it has no entries, and a row.
func (s *packing) entering() (enter column, row int, reduced float64) {
	enter, reduced, _ = s.price(s.y)
	row = -1
	if i := floats.MinIdx(s.y); -s.y[i] > reduced {
		enter, row, reduced = column{}, i, -s.y[i]
	}
	return enter, row, reduced
}

// pivot brings a column into the basis. Among rows of equal ratio the lexicographic rule chooses, so that it never cycles.
func (s *packing) pivot(enter column, row int, reduced float64) error {
	direction := make([]float64, s.rows) // of the basis as the column grows
	for i := range direction {
		if inverse := s.inverse.RawRowView(i); row >= 0 {
			direction[i] = inverse[row]
		} else {
			for k, r := range enter.rows {
				direction[i] += inverse[r] * enter.entries[k]
			}
		}
	}
	leave := -1
	for i, d := range direction {
		if d > pivotTolerance && (leave < 0 || s.before(i, leave, direction)) {
			leave = i
		}
	}
	if leave < 0 {
		return errors.New("matching: linear program: a column grows without bound: rounding has the better of it")
	}
	d := direction[leave]
	pivotRow := s.inverse.RawRowView(leave)
	floats.AddScaled(s.y, reduced/d, pivotRow)
	step := s.x[leave] / d
	floats.Scale(1/d, pivotRow)
	for i := range s.rows {
		if i != leave && direction[i] != 0 {
			floats.AddScaled(s.inverse.RawRowView(i), -direction[i], pivotRow)
			s.x[i] = math.Max(0, s.x[i]-direction[i]*step)
		}
	}
	s.basis[leave], s.slack[leave], s.x[leave] = enter, row, step
	return nil
}

// before reports whether row i leaves rather than row j: by the ratio, among equal ones by the rows of the inverse.
func (s *packing) before(i, j int, direction []float64) bool {
	a, b := s.x[i]/direction[i], s.x[j]/direction[j]
	if math.Abs(a-b) > tieTolerance {
		return a < b
	}
	first, second := s.inverse.RawRowView(i), s.inverse.RawRowView(j)
	for k := range first {
		a, b := first[k]/direction[i], second[k]/direction[j]
		if math.Abs(a-b) > tieTolerance {
			return a < b
		}
	}
	return false
}

// factorize computes the inverse, x and y anew from the basis.
func (s *packing) factorize() error {
	b := mat.NewDense(s.rows, s.rows, nil)
	gains := make([]float64, s.rows)
	for i, c := range s.basis {
		gains[i] = c.gain
		if s.slack[i] >= 0 {
			b.Set(s.slack[i], i, 1)
		}
		for k, r := range c.rows {
			b.Set(r, i, c.entries[k])
		}
	}
	var condition mat.Condition // of a basis that is nearly singular: used as it is, the loop judges by what comes out
	if err := s.inverse.Inverse(b); err != nil && !(errors.As(err, &condition) && !math.IsInf(float64(condition), 1)) {
		return fmt.Errorf("matching: linear program: the basis cannot be inverted: %w", err)
	}
	for i := range s.rows {
		s.x[i] = math.Max(0, floats.Sum(s.inverse.RawRowView(i)))
	}
	mat.NewVecDense(s.rows, s.y).MulVec(s.inverse.T(), mat.NewVecDense(s.rows, gains))
	return nil
}
