package matching

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// The limits of [ExactValue].
const (
	maxStates = 1 << 18 // after an arrival, of the loads and who is alive
	maxOrders = 8       // offline vertices whose orders are all tried, 40 320
)

// ExactValue is a policy's expected reward over all outcomes, exact to rounding: for instances where at most 2¹⁸ different
// states are possible after an arrival, which is an error otherwise. A policy that draws is averaged over all orders of
// the draws, for at most 8 offline vertices of equal weight; its scores must depend on the draws' order only.
func ExactValue(in *Instance, policy Policy) (float64, error) {
	if err := errors.Join(in.validate("ExactValue"), policy.validate("ExactValue")); err != nil {
		return 0, err
	}
	n := len(in.Weights)
	draws := make([]float64, n)
	if !policy.Draws {
		return exactValue(in, policy, draws)
	}
	if n > maxOrders || slices.Min(in.Weights) != slices.Max(in.Weights) {
		return 0, fmt.Errorf("matching: ExactValue: policy %q draws, and there are %d offline vertices with weights from %g to %g; must be at most %d of equal weight",
			policy.Name, n, slices.Min(in.Weights), slices.Max(in.Weights), maxOrders)
	}
	for u := range draws {
		draws[u] = float64(u) / float64(n)
	}
	var sum float64
	orders := 0
	err := permute(draws, 0, func() error {
		value, err := exactValue(in, policy, draws)
		sum += value
		orders++
		return err
	})
	return sum / float64(orders), err
}

// permute calls f with x in every order.
func permute(x []float64, from int, f func() error) error {
	if from >= len(x)-1 {
		return f()
	}
	for i := from; i < len(x); i++ {
		x[from], x[i] = x[i], x[from]
		err := permute(x, from+1, f)
		x[from], x[i] = x[i], x[from]
		if err != nil {
			return err
		}
	}
	return nil
}

// state is where the game may be after some arrivals.
type state struct {
	load     []float64
	attempts []int // −1 once finished
	chance   float64
}

// after is the state after an attempt.
func (s state) after(e Edge, chance float64, success bool) state {
	t := state{slices.Clone(s.load), slices.Clone(s.attempts), chance}
	t.load[e.U] += e.P
	t.attempts[e.U]++
	if success {
		t.load[e.U], t.attempts[e.U] = 0, -1 // what is finished needs no history
	}
	return t
}

// distribution is over different states, in the order of their discovery.
type distribution struct {
	states []state
	place  map[string]int
	key    []byte
}

func (d *distribution) add(s state) {
	if s.chance == 0 {
		return
	}
	d.key = d.key[:0]
	for u, k := range s.attempts {
		d.key = binary.LittleEndian.AppendUint64(d.key, math.Float64bits(s.load[u]))
		d.key = binary.LittleEndian.AppendUint64(d.key, uint64(k))
	}
	if i, ok := d.place[string(d.key)]; ok {
		d.states[i].chance += s.chance
		return
	}
	d.place[string(d.key)] = len(d.states)
	d.states = append(d.states, s)
}

// exactValue carries the distribution forward, arrival by arrival.
func exactValue(in *Instance, policy Policy, draws []float64) (float64, error) {
	g := newGame(in.Weights, policy)
	if err := g.start(draws, nil); err != nil {
		return 0, err
	}
	n := len(in.Weights)
	now := []state{{load: make([]float64, n), attempts: make([]int, n), chance: 1}}
	var value float64
	for v, edges := range in.Arrivals {
		next := distribution{place: map[string]int{}}
		for _, s := range now {
			if err := g.enter(s); err != nil {
				return 0, err
			}
			chosen := g.candidates(edges)
			if len(chosen) == 0 {
				next.add(s)
			}
			for _, at := range chosen {
				e, chance := edges[at], s.chance/float64(len(chosen))
				value += chance * e.P * in.Weights[e.U]
				next.add(s.after(e, chance*e.P, true))
				next.add(s.after(e, chance*(1-e.P), false))
			}
			if len(next.states) > maxStates {
				return 0, fmt.Errorf("matching: ExactValue: there are more than %d states after arrival %d: simulate instead", maxStates, v)
			}
		}
		now = next.states
	}
	return value, nil
}

// enter puts the game into a state.
func (g *game) enter(s state) (err error) {
	copy(g.load, s.load)
	copy(g.attempts, s.attempts)
	for u, k := range s.attempts {
		if g.score[u] = math.Inf(-1); k >= 0 {
			if g.score[u], err = g.scoreAt(u, k, s.load[u]); err != nil {
				return err
			}
		}
	}
	return nil
}

// candidates are the places of all edges that the policy may choose, with equal probability.
func (g *game) candidates(edges []Edge) (all []int) {
	best := math.Inf(-1)
	for i, e := range edges {
		s := g.edgeScore(e)
		if s > best {
			best, all = s, all[:0]
		}
		if s == best && !math.IsInf(s, -1) && (g.policy.RandomTies || len(all) == 0) {
			all = append(all, i)
		}
	}
	return all
}
