package recovering

import (
	"cmp"
	"fmt"
	"slices"
)

// Vertex is a corner of a concave envelope.
type Vertex struct {
	D int     // idle time
	R float64 // reward there
}

// flat is what counts as no difference between rewards and frequencies: rounding, far below any real one.
const flat = 1e-12

// Envelope is the smallest concave function with value 0 at 0 that is nowhere below an arm's rewards r[d−1], d = 1, …, D:
// its vertices in rising order of d, without the origin, and none where the reward no longer rises. An arm without
// rewards has none.
func Envelope(r []float64) ([]Vertex, error) {
	if err := (RecoveryModel{R: [][]float64{r}}).Validate(); err != nil {
		return nil, fmt.Errorf("recovering: Envelope: %w", err)
	}
	return envelope(nil, r), nil
}

// envelope appends to hull, whose room it reuses.
func envelope(hull []Vertex, r []float64) []Vertex {
	at := func(j int) Vertex { // the origin is vertex −1
		if j < 0 {
			return Vertex{}
		}
		return hull[j]
	}
	for j, value := range r {
		next := Vertex{j + 1, value}
		if value <= at(len(hull)-1).R+flat {
			continue
		}
		for len(hull) > 0 { // drop the last while it is not above the chord
			a, b := at(len(hull)-2), at(len(hull)-1)
			if (b.R-a.R)*float64(next.D-a.D) > (next.R-a.R)*float64(b.D-a.D)+flat {
				break
			}
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, next)
	}
	return hull
}

// Frequency is F(x), the largest average reward a period of an arm with this envelope that is pulled with frequency at
// most x: concave and piecewise linear with knots at 1/d of the vertices, constant above the highest.
func Frequency(hull []Vertex, x float64) float64 {
	low, value := 0., 0. // of the knot before
	for _, v := range slices.Backward(hull) {
		end, top := 1/float64(v.D), v.R/float64(v.D)
		if x <= end {
			return value + (top-value)*max(0, x-low)/(end-low)
		}
		low, value = end, top
	}
	return value
}

// segment is a linear piece of an arm's F.
type segment struct {
	arm        int
	start, end float64 // frequencies
	slope      float64
}

// relaxation is the pieces of all arms, the steepest first; of equal ones that of the lower arm, then the lower frequency.
func relaxation(m RecoveryModel) []segment {
	var out []segment
	var hull []Vertex
	for i, r := range m.R {
		hull = envelope(hull[:0], r)
		low, value := 0., 0.
		for _, v := range slices.Backward(hull) {
			s := segment{i, low, 1 / float64(v.D), 0}
			top := v.R / float64(v.D)
			if s.slope = (top - value) / (s.end - low); s.slope <= 0 {
				break
			}
			out = append(out, s)
			low, value = s.end, top
		}
	}
	slices.SortFunc(out, func(a, b segment) int {
		return cmp.Or(cmp.Compare(b.slope, a.slope), a.arm-b.arm, cmp.Compare(a.start, b.start))
	})
	return out
}

// fill takes pieces until their lengths add up to the budget, and leaves the frequencies in x.
func fill(pieces []segment, budget float64, x []float64) (value float64) {
	clear(x)
	for _, s := range pieces {
		if budget <= flat {
			break
		}
		if length := s.end - s.start; length <= budget+flat {
			x[s.arm] = s.end // not a sum: exactly 1/d
			value, budget = value+s.slope*length, budget-length
		} else {
			x[s.arm] = s.start + budget
			value, budget = value+s.slope*budget, 0
		}
	}
	return value
}

// UpperBound is the value of the relaxation, max Σ F_i(x_i) subject to Σ x_i ≤ K and x ≥ 0, and a solution x with one
// frequency an arm, of which at most one is not 0 or 1/d for a vertex d. No policy earns more than this a period in the
// long run, nor more than T times it plus O(N) in T periods, the O(N) for arms that begin recovered.
func UpperBound(m RecoveryModel, k int) (value float64, x []float64, err error) {
	if err := m.check("UpperBound", k); err != nil {
		return 0, nil, err
	}
	x = make([]float64, m.Arms())
	return fill(relaxation(m), float64(k), x), x, nil
}
