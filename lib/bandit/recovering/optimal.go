package recovering

import (
	"fmt"
	"math"
	"math/bits"
)

// OptimalAverage is the largest reward a period in the long run that any policy can have, to 1e-9, by value iteration on
// the idle times of all arms. It is for small problems: D^N·2^N may be at most 2^24.
//
// Each iteration moves half the way, (V + max_A (r + V'))/2, so that it also converges where the best policy is periodic;
// the change of V encloses the answer from both sides.
func OptimalAverage(m RecoveryModel, k int) (float64, error) {
	if err := m.check("OptimalAverage", k); err != nil {
		return 0, err
	}
	n, d := m.Arms(), m.Recovery()
	if size := math.Pow(float64(d)*2, float64(n)); size > 1<<24 {
		return 0, fmt.Errorf("recovering: OptimalAverage: (2·D)^N is %.3g with D = %d and N = %d, must be at most %d", size, d, n, 1<<24)
	}
	states := 1
	for range n {
		states *= d
	}
	type move struct {
		to     int
		reward float64
	}
	moves := make([][]move, states)
	idle := make([]int, n)
	for s := range moves {
		for i, rest := 0, s; i < n; i, rest = i+1, rest/d {
			idle[i] = rest%d + 1
		}
		for set := range 1 << n {
			if bits.OnesCount(uint(set)) > k {
				continue
			}
			var v move
			for i := n - 1; i >= 0; i-- {
				after := min(idle[i]+1, d)
				if set>>i&1 == 1 {
					v.reward += m.At(i, idle[i])
					after = 1
				}
				v.to = v.to*d + after - 1
			}
			moves[s] = append(moves[s], v)
		}
	}
	value, next := make([]float64, states), make([]float64, states)
	const tolerance, most = 1e-9, 1000000
	for range most {
		low, high := math.Inf(1), math.Inf(-1)
		for s, vs := range moves {
			best := math.Inf(-1)
			for _, v := range vs {
				best = max(best, v.reward+value[v.to])
			}
			change := best - value[s]
			low, high = min(low, change), max(high, change)
			next[s] = value[s] + change/2
		}
		if high-low <= tolerance {
			return (low + high) / 2, nil
		}
		base := next[0]
		for s := range next {
			value[s] = next[s] - base
		}
	}
	return 0, fmt.Errorf("recovering: OptimalAverage: not within %g after %d iterations", tolerance, most)
}
