package matching

import (
	"fmt"
	"math/bits"
)

// Optimum is the best adaptive policy that knows all arrivals and probabilities in advance, but no outcome.
type Optimum struct {
	Value  float64   // its expected reward
	Rounds []float64 // the part of it that each arrival earns
	choice [][]int8  // by arrival and set of alive vertices; −1: skip
}

// The limits of [OfflineStochasticOptimum].
const (
	maxOptimumVertices = 16
	maxOptimumStates   = 1 << 31
)

// OfflineStochasticOptimum is S-OPT by dynamic programming over arrivals, backwards, and sets A of alive vertices:
//
//	V_i(A) = max( V_{i+1}(A), max_{u∈A} p·(w_u + V_{i+1}(A∖u)) + (1−p)·V_{i+1}(A) ),   S-OPT = V_0(all)
//
// in O(V·U·2^U) time and V·2^U bytes, for at most 16 offline vertices and 2³¹ bytes. Equal choices go to a skip, then to
// the lowest index. Source: Goyal, Udwani (2020) for the benchmark.
func OfflineStochasticOptimum(in *Instance) (*Optimum, error) {
	if err := in.validate("OfflineStochasticOptimum"); err != nil {
		return nil, err
	}
	n := len(in.Weights)
	if n > maxOptimumVertices || len(in.Arrivals)<<n > maxOptimumStates {
		return nil, fmt.Errorf("matching: OfflineStochasticOptimum: there are %d offline vertices and %d arrivals, must be at most %d, and arrivals·2^vertices at most %d",
			n, len(in.Arrivals), maxOptimumVertices, maxOptimumStates)
	}
	sets := 1 << n
	o := &Optimum{Rounds: make([]float64, len(in.Arrivals)), choice: make([][]int8, len(in.Arrivals))}
	later, value := make([]float64, sets), make([]float64, sets)
	for v := len(in.Arrivals) - 1; v >= 0; v-- {
		o.choice[v] = make([]int8, sets)
		for a := range sets {
			stay := later[a]
			best, at := stay, -1
			for _, e := range in.Arrivals[v] {
				if a>>e.U&1 == 1 {
					if x := e.P*(in.Weights[e.U]+later[a&^(1<<e.U)]) + (1-e.P)*stay; x > best {
						best, at = x, e.U
					}
				}
			}
			value[a], o.choice[v][a] = best, int8(at)
		}
		later, value = value, later
	}
	o.Value = later[sets-1]
	o.spread(in)
	return o, nil
}

// spread finds by the chances of all sets what each arrival earns.
func (o *Optimum) spread(in *Instance) {
	chance := make([]float64, 1<<len(in.Weights))
	chance[len(chance)-1] = 1
	for v, edges := range in.Arrivals {
		for a := range chance { // small sets first: what moves to a subset is not moved again
			if u := o.choice[v][a]; u >= 0 && chance[a] > 0 {
				moved := chance[a] * edgeTo(edges, int(u)).P
				o.Rounds[v] += moved * in.Weights[u]
				chance[a&^(1<<u)] += moved
				chance[a] -= moved
			}
		}
	}
}

func edgeTo(edges []Edge, u int) Edge {
	for _, e := range edges {
		if e.U == u {
			return e
		}
	}
	return Edge{U: u}
}

// Choice is what the optimum does with arrival v where exactly the vertices of the set are alive, bit u for vertex u: an
// offline vertex, or −1 to skip.
func (o *Optimum) Choice(v int, alive uint) (int, error) {
	if v < 0 || v >= len(o.choice) || bits.Len(alive) > bits.Len(uint(len(o.choice[v])-1)) {
		return 0, fmt.Errorf("matching: Optimum: Choice: arrival %d with the set %#x, must be one of %d arrivals and a set of the offline vertices", v, alive, len(o.choice))
	}
	return int(o.choice[v][alive]), nil
}
