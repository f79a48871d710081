package matching

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
)

var (
	_ online.Environment[[]Edge, int, bool] = (*Environment)(nil)
	_ online.Comparing                      = (*Environment)(nil)
)

// Environment plays an instance against a learner, an arrival a round. An attempt on vertex u with probability p is charged
// −p·w_u, its expectation, whether it succeeds or not: the expected sum is that of the rewards, with less noise.
type Environment struct {
	in         *Instance
	coins      *rand.Rand
	finished   []bool
	played     int
	benchmarks []Benchmark
}

// Benchmark is what to hold a learner against: [Optimum] and [Program] have Rounds that add up to their value.
type Benchmark struct {
	Name   string
	Rounds []float64 // the expected reward of each arrival
}

// NewEnvironment makes an environment whose comparators are the benchmarks; the seed is for the coins.
func NewEnvironment(in *Instance, seed uint64, benchmarks ...Benchmark) (*Environment, error) {
	problems := []error{in.validate("NewEnvironment")}
	for _, b := range benchmarks {
		if len(b.Rounds) != len(in.Arrivals) {
			problems = append(problems, fmt.Errorf("matching: NewEnvironment: benchmark %q has %d Rounds, must be one an arrival, %d", b.Name, len(b.Rounds), len(in.Arrivals)))
		}
		for v, x := range b.Rounds {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				problems = append(problems, fmt.Errorf("matching: NewEnvironment: benchmark %q: Rounds[%d] is %g, must be finite", b.Name, v, x))
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &Environment{in: in, coins: online.Seeded(seed, "matching: coins"), finished: make([]bool, len(in.Weights)), benchmarks: slices.Clone(benchmarks)}, nil
}

// Context is the edges of an arrival, those to finished vertices included.
func (e *Environment) Context(round int) ([]Edge, error) {
	if round < 1 || round > len(e.in.Arrivals) {
		return nil, fmt.Errorf("matching: Environment: round is %d, must be in [1, %d]", round, len(e.in.Arrivals))
	}
	return e.in.Arrivals[round-1], nil
}

// Reveal tosses the coin of an attempt on an alive neighbour; −1 attempts nobody.
func (e *Environment) Reveal(round, action int) (success bool, loss float64, err error) {
	if round != e.played+1 || round > len(e.in.Arrivals) {
		return false, 0, fmt.Errorf("matching: Environment: round is %d, must be the next, %d, of %d", round, e.played+1, len(e.in.Arrivals))
	}
	if action == -1 {
		e.played++
		return false, 0, nil
	}
	edge := edgeTo(e.in.Arrivals[round-1], action)
	if edge.P == 0 || e.finished[action] {
		return false, 0, fmt.Errorf("matching: Environment: round %d: the action is %d, must be an alive neighbour or −1", round, action)
	}
	e.played++
	success = e.coins.Float64() < edge.P
	e.finished[action] = success
	return success, -edge.P * e.in.Weights[action], nil
}

// Comparators are the benchmarks over the rounds that were played.
func (e *Environment) Comparators() ([]online.Comparator, error) {
	var out []online.Comparator
	for _, b := range e.benchmarks {
		losses := make([]float64, e.played)
		for v := range losses {
			losses[v] = -b.Rounds[v]
		}
		out = append(out, online.Comparator{Name: b.Name, Losses: losses})
	}
	return out, nil
}
