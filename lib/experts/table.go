package experts

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Table is a regression problem with groups: in round t the features X[t], the groups that it belongs to, and the label Y[t].
type Table struct {
	X      [][]float64
	Y      []float64
	Groups []string // names
	Active [][]bool // one row a round, one place a group
}

// Validate names all that does not fit. No rounds are fine, no groups are not.
func (t *Table) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("experts: Table: "+format, args...)) }
	if len(t.Groups) == 0 {
		bad("Groups is empty, must name at least one")
	}
	if len(t.Y) != len(t.X) || len(t.Active) != len(t.X) {
		bad("X has %d rows, Y %d and Active %d, must be as many", len(t.X), len(t.Y), len(t.Active))
	}
	for i, x := range t.X {
		if len(x) != t.Dim() || len(x) == 0 {
			bad("row %d of X has %d features, must have as many as row 0, %d, and at least 1", i, len(x), t.Dim())
		}
		if j := slices.IndexFunc(x, notFinite); j >= 0 {
			bad("feature %d of row %d is %g, must be finite", j, i, x[j])
		}
	}
	if i := slices.IndexFunc(t.Y, notFinite); i >= 0 {
		bad("label %d is %g, must be finite", i, t.Y[i])
	}
	for i, a := range t.Active {
		if len(a) != len(t.Groups) {
			bad("row %d of Active has %d groups, must have %d", i, len(a), len(t.Groups))
		}
	}
	return errors.Join(errs...)
}

func notFinite(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }

// Dim is the number of features; 0 without rounds.
func (t *Table) Dim() int {
	if len(t.X) == 0 {
		return 0
	}
	return len(t.X[0])
}

// Sizes are the numbers of rounds in which the groups are active.
func (t *Table) Sizes() []int {
	sizes := make([]int, len(t.Groups))
	for _, row := range t.Active {
		for g, a := range row {
			if a {
				sizes[g]++
			}
		}
	}
	return sizes
}

// Scaled is a copy with every feature, and the label, mapped to [0, 1] by its least and largest value over all rounds; one
// that never varies becomes 0.
func (t *Table) Scaled() *Table {
	out := *t
	out.X, out.Y = make([][]float64, len(t.X)), slices.Clone(t.Y)
	for i, x := range t.X {
		out.X[i] = slices.Clone(x)
	}
	scale(len(out.Y), func(i int) *float64 { return &out.Y[i] })
	for j := range t.Dim() {
		scale(len(out.X), func(i int) *float64 { return &out.X[i][j] })
	}
	return &out
}

// scale maps n numbers to [0, 1].
func scale(n int, at func(i int) *float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for i := range n {
		low, high = math.Min(low, *at(i)), math.Max(high, *at(i))
	}
	for i := range n {
		if v := at(i); high > low {
			*v = (*v - low) / (high - low)
		} else {
			*v = 0
		}
	}
}

// Shuffled has the rounds in another order; the rows are shared.
func (t *Table) Shuffled(rng *rand.Rand) *Table {
	out := &Table{Groups: t.Groups}
	for _, i := range rng.Perm(len(t.X)) {
		out.X, out.Y, out.Active = append(out.X, t.X[i]), append(out.Y, t.Y[i]), append(out.Active, t.Active[i])
	}
	return out
}

// Keep has only the groups at the given places, which must exist; the features stay.
func (t *Table) Keep(groups ...int) (*Table, error) {
	out := &Table{X: t.X, Y: t.Y, Active: make([][]bool, len(t.Active))}
	for _, g := range groups {
		if g < 0 || g >= len(t.Groups) {
			return nil, fmt.Errorf("experts: Table: Keep: group %d, must be between 0 and %d", g, len(t.Groups)-1)
		}
		out.Groups = append(out.Groups, t.Groups[g])
		for i, row := range t.Active {
			out.Active[i] = append(out.Active[i], row[g])
		}
	}
	return out, nil
}
