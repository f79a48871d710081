package matching

import (
	"fmt"
	"math"
)

// Offline is what a policy knows of an offline vertex that is still alive.
type Offline struct {
	Index    int
	Weight   float64
	Load     float64 // Σ p of all attempts on it, which all failed
	Attempts int     // their number
	Draw     float64 // uniform in [0, 1), drawn once before the first arrival
}

// Policy matches each arrival to its alive neighbour of the largest score; ties go to the lowest index. It never skips an
// arrival that has an alive neighbour. The constructors of this package are examples; make your own by its fields.
type Policy struct {
	Name string
	// Score is finite. It is asked once before the first arrival, and again after each attempt on the vertex: it may
	// depend on nothing but its argument, and may be called by several goroutines.
	Score func(Offline) float64
	// ByProbability multiplies the score by the edge's success probability.
	ByProbability bool
	// RandomTies chooses among all of the largest score with equal probability.
	RandomTies bool
	// Draws says that the score looks at Offline.Draw.
	Draws bool
}

func (p Policy) validate(who string) error {
	if p.Score == nil {
		return fmt.Errorf("matching: %s: policy %q: Score is nil, must be a function", who, p.Name)
	}
	return nil
}

// Share is the part g(load) of an attempt's expected reward that its analysis credits to the offline vertex, non-decreasing
// from [0, ∞) to [0, 1]; the arrival is credited the rest. See [StochasticBalance].
type Share func(load float64) float64

// ExponentialShare is 1 − e^−load. e^−load is the probability that a vertex of that load is still alive, where the single
// probabilities are small; as the default of [StochasticBalance] it is this library's choice, for the function that gives
// the proven ratio of 0.611 is not in the paper's abstract.
func ExponentialShare(load float64) float64 { return -math.Expm1(-load) }

// LinearShare is load/2, and 1 from a load of 2.
func LinearShare(load float64) float64 { return math.Min(1, load/2) }

// ConstantShare is 0: [StochasticBalance] with it is [Greedy].
func ConstantShare(float64) float64 { return 0 }

// BudgetShare is e^(load−1), and 1 from a load of 1: the optimal function where rewards are not stochastic.
//
// Source: Mehta, Saberi, Vazirani, Vazirani (2007), AdWords and generalized online matching.
func BudgetShare(load float64) float64 { return math.Min(1, math.Exp(load-1)) }

// StochasticBalance matches to the largest w·p·(1 − g(load)). A nil share is [ExponentialShare]. With equal probabilities
// and weights every strictly increasing share gives [LeastLoaded].
//
// Its competitive ratio against [OfflineStochasticOptimum] is at least 0.611 with infinitesimal probabilities, and 0.613 if
// they are also equal. Source: Huang et al. (2023), abstract; Mehta, Panigrahi (2012), Online matching with stochastic rewards.
func StochasticBalance(g Share) Policy {
	score := func(o Offline) float64 { return o.Weight * (1 - g(o.Load)) }
	if g == nil {
		// Without the cancellation of 1 − (1 − e^−load) at large loads, and quicker.
		score = func(o Offline) float64 { return o.Weight * math.Exp(-o.Load) }
	}
	return Policy{Name: "Balance", ByProbability: true, Score: score}
}

// LeastLoaded matches to the smallest load, failed attempts included, and looks at neither weight nor probability.
//
// With equal probabilities p a load of k attempts is always the same sum of k times p, so that equal numbers of attempts are ties
// and unequal ones are not. Source: Mehta, Panigrahi (2012).
func LeastLoaded() Policy {
	return Policy{Name: "least loaded", Score: func(o Offline) float64 { return -o.Load }}
}

// Ranking draws y uniform in [0, 1) for every offline vertex once and matches to the largest w·(1 − e^(y−1)): with equal
// weights to the smallest y. It looks at no probability.
//
// Source: Karp, Vazirani, Vazirani (1990); with weights ("perturbed greedy") Aggarwal, Goel, Karande, Mehta (2011).
func Ranking() Policy {
	return Policy{Name: "Ranking", Draws: true, Score: func(o Offline) float64 { return o.Weight * -math.Expm1(o.Draw-1) }}
}

// Greedy matches to the largest w·p, whatever the load.
func Greedy() Policy {
	return Policy{Name: "greedy", ByProbability: true, Score: func(o Offline) float64 { return o.Weight }}
}

// FixedOrder matches to the vertex that comes first in the order; vertices that are not in it come after those that are, by
// index. FixedOrder(nil) is lowest index first: on a [Triangle] the offline optimum to three digits.
func FixedOrder(order []int) (Policy, error) {
	place := map[int]int{}
	for i, u := range order {
		if _, again := place[u]; again || u < 0 {
			return Policy{}, fmt.Errorf("matching: FixedOrder: order[%d] is %d, must be an offline vertex that is not there before", i, u)
		}
		place[u] = i
	}
	name := "fixed order"
	if len(order) == 0 {
		name = "lowest first"
	}
	return Policy{Name: name, Score: func(o Offline) float64 {
		if i, ok := place[o.Index]; ok {
			return -float64(i)
		}
		return -float64(len(place) + o.Index)
	}}, nil
}

// HighestFirst matches to the highest index: on a [Triangle] the worst that a policy can do that skips nobody.
func HighestFirst() Policy {
	return Policy{Name: "highest first", Score: func(o Offline) float64 { return float64(o.Index) }}
}

// Random matches to an alive neighbour, all with equal probability.
func Random() Policy {
	return Policy{Name: "random", RandomTies: true, Score: func(Offline) float64 { return 0 }}
}
