package matching

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Program is the solution of a linear program over plans for the offline vertices. Where Optimal is false the limit on pivots came
// first: then Value is that of a feasible solution, and Bound still an upper bound of the program.
type Program struct {
	Value float64 // of the primal solution
	Bound float64 // of the dual one, made feasible: Σα + Σβ and what any plan still exceeds them by
	// Alpha and Beta are the dual prices, one an offline vertex and one an arrival, all ≥ 0.
	Alpha, Beta []float64
	Plans       []Plan    // those that are used
	Rounds      []float64 // the part of the value that each arrival earns
	Pivots      int
	Optimal     bool
}

// Plan is a set of arrivals for an offline vertex, ascending, and how much of it is used. In [MatchingLP] it is a single arrival.
type Plan struct {
	U        int
	Arrivals []int
	Amount   float64
}

// maxPivots is generous: the matching program takes one or two pivots a row, SC-LP up to fifty.
func maxPivots(rows int) int { return 1000 + 200*rows }

// solve a program whose columns price offers; prices and gains are in units of the largest weight. The rows are the offline
// vertices, then the arrivals.
func (in *Instance) solve(limit int, price func(y []float64) (column, float64, float64)) (*Program, error) {
	n, scale := len(in.Weights), slices.Max(in.Weights)
	s := &packing{rows: n + len(in.Arrivals), price: price}
	out := &Program{Rounds: make([]float64, len(in.Arrivals))}
	var err error
	if out.Value, out.Bound, out.Pivots, out.Optimal, err = s.solve(limit); err != nil {
		return nil, err
	}
	out.Value, out.Bound = out.Value*scale, out.Bound*scale
	floats.Scale(scale, s.y)
	out.Alpha, out.Beta = s.y[:n:n], s.y[n:]
	for i, c := range s.basis {
		if s.slack[i] >= 0 || s.x[i] == 0 {
			continue
		}
		c.plan.Amount = s.x[i]
		out.Plans = append(out.Plans, c.plan)
		for k, v := range c.plan.Arrivals {
			out.Rounds[v] += c.earned[k] * s.x[i] * scale
		}
	}
	return out, nil
}

// units are the weights in units of the largest.
func (in *Instance) units() []float64 {
	units := slices.Clone(in.Weights)
	floats.Scale(1/slices.Max(units), units)
	return units
}

// MatchingLP is M-LP, which bounds what any policy can earn, and what [StochasticConfigurationLP] says:
//
//	max Σ w_u·p_vu·x_vu   s.t.  Σ_v p_vu·x_vu ≤ 1 for every u (dual α_u),  Σ_u x_vu ≤ 1 for every v (dual β_v),  x ≥ 0
//
// It takes O((U+V)²) memory, and time times the number of pivots. Source: Mehta, Panigrahi (2012).
func MatchingLP(in *Instance) (*Program, error) { //nolint:revive // the name of the field, beside ConfigurationLP
	if err := in.validate("MatchingLP"); err != nil {
		return nil, err
	}
	n, w := len(in.Weights), in.units()
	return in.solve(maxPivots(n+len(in.Arrivals)), func(y []float64) (best column, reduced, excess float64) {
		at, edge := -1, Edge{}
		for v, edges := range in.Arrivals {
			most := 0.0
			for _, e := range edges {
				if r := e.P*(w[e.U]-y[e.U]) - y[n+v]; r > most {
					most = r
					if r > reduced {
						reduced, at, edge = r, v, e
					}
				}
			}
			excess += most
		}
		if at < 0 {
			return column{}, 0, excess
		}
		gain := w[edge.U] * edge.P
		return column{gain: gain, rows: []int{edge.U, n + at}, entries: []float64{edge.P, 1},
			plan: Plan{U: edge.U, Arrivals: []int{at}}, earned: []float64{gain}}, reduced, excess
	})
}

// StochasticConfigurationLP is SC-LP, over sets S of arrivals for every offline vertex u. In the order of arrival, attempt v
// of S is reached with probability q_u(v;S) = Π_{v'∈S, v'<v} (1 − p_v'u):
//
//	max Σ w_u·(1 − Π_{v∈S}(1 − p_vu))·x_{u,S}
//	s.t. Σ_S x_{u,S} ≤ 1 for every u (dual α_u),  Σ_u Σ_{S∋v} q_u(v;S)·x_{u,S} ≤ 1 for every v (dual β_v),  x ≥ 0
//
// It is at least [OfflineStochasticOptimum]: let S be the arrivals that the optimum would give to u if all attempts on u failed.
// It does not depend on u's own coins, so attempt v ∈ S is made with probability q_u(v;S), and x_{u,S} = Pr[S] is
// feasible and earns what the optimum does. The sets are found by column generation: given β, the best for u by a recursion
// from the last arrival to the first, in O(edges). A hundred rows take up to half a second, 350 some seconds; where the limit on
// pivots ends it, use Bound.
//
// Source: derived from the description in the abstract of Huang et al. (2023), whose formulation may differ in notation.
func StochasticConfigurationLP(in *Instance) (*Program, error) {
	if err := in.validate("StochasticConfigurationLP"); err != nil {
		return nil, err
	}
	return stochasticConfiguration(in, maxPivots(len(in.Weights)+len(in.Arrivals)))
}

func stochasticConfiguration(in *Instance, limit int) (*Program, error) {
	n, w, near := len(in.Weights), in.units(), in.neighbours()
	value := func(u int, y []float64) (val float64) {
		for _, e := range slices.Backward(near[u]) {
			if c := e.p*w[u] - y[n+e.v] + (1-e.p)*val; c > val {
				val = c
			}
		}
		return val
	}
	return in.solve(limit, func(y []float64) (best column, reduced, excess float64) {
		who := -1
		for u := range n {
			r := value(u, y) - y[u]
			excess += math.Max(0, r)
			if r > reduced {
				reduced, who = r, u
			}
		}
		if who < 0 {
			return column{}, 0, excess
		}
		var plan []neighbour
		val := 0.0
		for _, e := range slices.Backward(near[who]) {
			if c := e.p*w[who] - y[n+e.v] + (1-e.p)*val; c > val {
				val, plan = c, append(plan, e)
			}
		}
		slices.Reverse(plan)
		best = column{rows: []int{who}, entries: []float64{1}, plan: Plan{U: who}}
		reached := 1.0
		for _, e := range plan {
			best.add(n, e.v, reached, reached*e.p*w[who])
			reached *= 1 - e.p
		}
		return best, reduced, excess
	})
}

// add an arrival to a column.
func (c *column) add(n, v int, entry, earned float64) {
	if entry > 0 { // after an edge that surely succeeds nothing is reached
		c.rows, c.entries = append(c.rows, n+v), append(c.entries, entry)
	}
	c.plan.Arrivals, c.earned = append(c.plan.Arrivals, v), append(c.earned, earned)
	c.gain += earned
}

// maxNeighbours is how many arrivals of an offline vertex [ConfigurationLP] enumerates the sets of.
const maxNeighbours = 15

// ConfigurationLP is C-LP, in which every vertex earns its expected successes, at most one:
//
//	max Σ w_u·min(1, Σ_{v∈S} p_vu)·x_{u,S}   s.t.  Σ_S x_{u,S} ≤ 1 for every u (dual α_u),  Σ_u Σ_{S∋v} x_{u,S} ≤ 1 for every v (dual β_v),  x ≥ 0
//
// It is at most [MatchingLP]. All sets are enumerated, for at most 15 neighbours an offline vertex. Source: Huang, Zhang (2020),
// Online primal dual meets online matching with stochastic rewards: configuration LP to the rescue.
func ConfigurationLP(in *Instance) (*Program, error) {
	if err := in.validate("ConfigurationLP"); err != nil {
		return nil, err
	}
	n, w, near := len(in.Weights), in.units(), in.neighbours()
	most := 0
	for u, all := range near {
		if most = max(most, len(all)); len(all) > maxNeighbours {
			return nil, fmt.Errorf("matching: ConfigurationLP: offline vertex %d has %d neighbours, must be at most %d", u, len(all), maxNeighbours)
		}
	}
	chances, prices := make([]float64, 1<<most), make([]float64, 1<<most) // of sets, by their bits
	return in.solve(maxPivots(n+len(in.Arrivals)), func(y []float64) (best column, reduced, excess float64) {
		who, which := -1, 0
		for u, all := range near {
			top := 0.0
			for set := 1; set < 1<<len(all); set++ {
				e, rest := all[bits.TrailingZeros(uint(set))], set&(set-1)
				chances[set], prices[set] = chances[rest]+e.p, prices[rest]+y[n+e.v]
				if r := w[u]*math.Min(1, chances[set]) - prices[set] - y[u]; r > top {
					top = r
					if r > reduced {
						reduced, who, which = r, u, set
					}
				}
			}
			excess += top
		}
		if who < 0 {
			return column{}, 0, excess
		}
		best = column{rows: []int{who}, entries: []float64{1}, plan: Plan{U: who}}
		var total float64
		for k, e := range near[who] {
			if which>>k&1 == 1 {
				total += e.p
			}
		}
		for k, e := range near[who] {
			if which>>k&1 == 1 {
				best.add(n, e.v, 1, w[who]*e.p/math.Max(1, total))
			}
		}
		return best, reduced, excess
	})
}
