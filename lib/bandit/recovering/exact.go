package recovering

import (
	"errors"
	"fmt"
	"math"
)

// maxTable bounds the tables of PlanExact, in bytes.
const maxTable = 1 << 28

// PlanExact is the best plan of all with periods 1, 2, 4, …, 2^L and 3, 6, …, 3·2^(L−1) that fits K channels, by a dynamic
// program over the arms. Its state is how much of the two classes is used, so it is for small problems: time and memory
// grow with N·K²·4^L, and tables of more than 256 MB are an error.
func PlanExact(m RecoveryModel, k, levels int) (Plan, error) {
	err := m.check("PlanExact", k)
	if levels < 1 || levels > 12 {
		return Plan{}, errors.Join(err, fmt.Errorf("recovering: PlanExact: L is %d, must be between 1 and 12", levels))
	}
	if err != nil {
		return Plan{}, err
	}
	one, three := 1<<levels, 3<<(levels-1) // units of a channel of each class
	width := k*three + 1
	if size := float64(m.Arms()+16) * float64(k*one+1) * float64(width); size > maxTable {
		return Plan{}, fmt.Errorf("recovering: PlanExact: N = %d, K = %d and L = %d need a table of %.3g bytes, must be at most %d; PlanBest has no such limit", m.Arms(), k, levels, size, maxTable)
	}
	type choice struct{ period, u, v int }
	choices := []choice{{}}
	for l := range levels + 1 {
		choices = append(choices, choice{1 << l, one >> l, 0})
	}
	for l := range levels {
		choices = append(choices, choice{3 << l, 0, 1 << (levels - 1 - l)})
	}
	size := (k*one + 1) * width
	fits := func(u, v int) bool { return (u+one-1)/one+(v+three-1)/three <= k }
	best, next := make([]float64, size), make([]float64, size)
	for s := range best {
		best[s] = math.Inf(-1)
	}
	best[0] = 0
	took := make([]uint8, m.Arms()*size) // the choice that led to a state
	gain := make([]float64, len(choices))
	for i := range m.R {
		for c, ch := range choices[1:] {
			gain[c+1] = m.At(i, ch.period) / float64(ch.period)
		}
		row := took[i*size : (i+1)*size]
		copy(next, best)
		for u := 0; u <= k*one; u++ {
			for v := 0; v < width && fits(u, v); v++ {
				from := best[u*width+v]
				if math.IsInf(from, -1) {
					continue
				}
				for c := 1; c < len(choices); c++ {
					u2, v2 := u+choices[c].u, v+choices[c].v
					if u2 > k*one || v2 >= width || !fits(u2, v2) {
						continue
					}
					if s := u2*width + v2; from+gain[c] > next[s]+flat {
						next[s], row[s] = from+gain[c], uint8(c)
					}
				}
			}
		}
		best, next = next, best
	}
	end := 0 // of equal ones that with the fewest units, first of class 3
	for v := range width {
		for s := v; s < size; s += width {
			if best[s] > best[end]+flat {
				end = s
			}
		}
	}
	p := Plan{Period: make([]int, m.Arms())}
	u, v := end/width, end%width
	for i := m.Arms() - 1; i >= 0; i-- {
		ch := choices[took[i*size+u*width+v]]
		p.Period[i] = ch.period
		u, v = u-ch.u, v-ch.v
	}
	p.Offset, p.Value = schedule(p.Period), value(m, p.Period)
	return p, nil
}
