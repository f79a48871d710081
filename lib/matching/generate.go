package matching

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Triangle is the hard instance of online matching: n offline vertices, n groups of 1/p arrivals that are all alike, and
// group i adjacent to the vertices i, …, n−1, with success probability p in (0, 1]. 1/p is rounded to a whole number.
// Early arrivals have more choice than late ones, so it punishes whoever uses up high indices early.
//
// Source: Karp, Vazirani, Vazirani (1990); with probabilities Mehta, Panigrahi (2012).
func Triangle(n int, p float64) (*Instance, error) {
	if err := errors.Join(atLeast("Triangle", "n", n, 1), probability("Triangle", p)); err != nil {
		return nil, err
	}
	in := &Instance{Weights: slices.Repeat([]float64{1}, n)}
	size := int(math.Round(1 / p))
	for i := range n {
		group := make([]Edge, 0, n-i)
		for u := i; u < n; u++ {
			group = append(group, Edge{u, p})
		}
		for range size {
			in.Arrivals = append(in.Arrivals, group)
		}
	}
	return in, nil
}

// UnequalTriangle is [Triangle] with every probability multiplied by e^(s·x), x uniform in [−1, 1] and independent, and
// capped at 1. The spread s ≥ 0 is a number of e-folds.
func UnequalTriangle(n int, p, s float64, seed uint64) (*Instance, error) {
	in, err := Triangle(n, p)
	if !(s >= 0 && s <= math.MaxFloat64) {
		err = errors.Join(err, fmt.Errorf("matching: UnequalTriangle: s is %g, must be finite and at least 0", s))
	}
	if err != nil {
		return nil, err
	}
	rng := online.Seeded(seed, "matching: unequal probabilities")
	for v, group := range in.Arrivals {
		edges := make([]Edge, 0, len(group))
		for _, e := range group {
			// A probability that underflows is no edge.
			if x := math.Min(1, e.P*math.Exp(s*(2*rng.Float64()-1))); x > 0 {
				edges = append(edges, Edge{e.U, x})
			}
		}
		in.Arrivals[v] = edges
	}
	return in, nil
}

// RandomBipartite joins each of offline × arrivals pairs with the probability density in [0, 1]; all edges succeed with
// probability p.
func RandomBipartite(offline, arrivals int, density, p float64, seed uint64) (*Instance, error) {
	err := errors.Join(atLeast("RandomBipartite", "offline", offline, 1), atLeast("RandomBipartite", "arrivals", arrivals, 0), probability("RandomBipartite", p))
	if !(density >= 0 && density <= 1) {
		err = errors.Join(err, fmt.Errorf("matching: RandomBipartite: density is %g, must be in [0, 1]", density))
	}
	if err != nil {
		return nil, err
	}
	in := &Instance{Weights: slices.Repeat([]float64{1}, offline), Arrivals: make([][]Edge, arrivals)}
	if density == 0 {
		return in, nil
	}
	rng := online.Seeded(seed, "matching: random graph")
	var edges []Edge // of all arrivals, side by side in memory: policies go through them in this order
	ends := make([]int, arrivals)
	for v := range arrivals {
		// From edge to edge by geometric steps: the time is that of the edges, not of the pairs.
		for u := geometric(rng.Float64(), density) - 1; u < offline; u += geometric(rng.Float64(), density) {
			edges = append(edges, Edge{u, p})
		}
		ends[v] = len(edges)
	}
	start := 0
	for v, end := range ends {
		in.Arrivals[v] = edges[start:end:end]
		start = end
	}
	return in, nil
}

// RandomWeights is the same graph with weights that are uniform in [low, high], 0 < low ≤ high.
func RandomWeights(in *Instance, low, high float64, seed uint64) (*Instance, error) {
	if !(low > 0 && low <= high && high <= maxWeight) {
		return nil, fmt.Errorf("matching: RandomWeights: the range is [%g, %g], must be positive, ascending and finite", low, high)
	}
	rng := online.Seeded(seed, "matching: weights")
	weights := make([]float64, len(in.Weights))
	for u := range weights {
		weights[u] = low + (high-low)*rng.Float64()
	}
	return in.WithWeights(weights)
}

// geometric is the number of trials up to and with the first success, of probability p each, from x uniform in [0, 1).
func geometric(x, p float64) int {
	k := math.Floor(math.Log1p(-x) / math.Log1p(-p)) // p = 1: −0/∞ = 0
	return 1 + int(math.Min(k, 1<<52))
}

func atLeast(who, name string, n, least int) error {
	if n < least {
		return fmt.Errorf("matching: %s: %s is %d, must be at least %d", who, name, n, least)
	}
	return nil
}

func probability(who string, p float64) error {
	// 1e-9: a triangle has n/p arrivals.
	if !(p >= 1e-9 && p <= 1) {
		return fmt.Errorf("matching: %s: p is %g, must be in [1e-9, 1]", who, p)
	}
	return nil
}
