package recovering

import (
	"cmp"
	"fmt"
	"slices"
)

// node is a part of a channel that is still free: the times o, o+p, o+2p, …
type node struct{ p, o int }

// Schedule finds offsets for arms with these periods, 0 for an arm that is never pulled, so that no period has more than
// K pulls: arm i is pulled at the times t ≥ 0 with t ≡ offset[i] mod periods[i]. It fails where they need more than K
// [Channels].
//
// Arms are grouped by the odd part m of their period. A channel of a group is cut into m nodes of period m; a node is
// halved until it has the arm's period. Taking the arms in rising order of periods leaves no gap, as in a first-fit
// decreasing packing of powers of two.
func Schedule(periods []int, k int) (offset []int, err error) {
	need, err := Channels(periods)
	if err != nil {
		return nil, err
	}
	if k < 1 || need > k {
		return nil, fmt.Errorf("recovering: Schedule: K is %d, must be at least 1 and at least the number of channels that the periods need, %d", k, need)
	}
	return schedule(periods), nil
}

func schedule(periods []int) []int {
	offset, order := make([]int, len(periods)), make([]int, 0, len(periods))
	for i, d := range periods {
		if d > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(periods[a]-periods[b], a-b) })
	free := map[int][]node{} // by odd part
	for _, i := range order {
		d := periods[i]
		m := odd(d)
		nodes := free[m]
		if len(nodes) == 0 {
			for r := range m {
				nodes = append(nodes, node{m, r})
			}
		}
		// The largest period, of these the first offset. All fit: arms come in rising order of periods.
		best := 0
		for j, n := range nodes {
			if n.p > nodes[best].p || n.p == nodes[best].p && n.o < nodes[best].o {
				best = j
			}
		}
		n := nodes[best]
		nodes = slices.Delete(nodes, best, best+1)
		for ; n.p < d; n.p *= 2 {
			nodes = append(nodes, node{2 * n.p, n.o + n.p})
		}
		free[m], offset[i] = nodes, n.o
	}
	return offset
}
