package game

import (
	"fmt"
	"math"

	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/optimize"
)

// SearchWeights maximises the margin over the logarithms of the weights by Nelder and Mead's method from several random
// starts, one at equal weights. It is the numerical check of [BestWeights], slower and never better.
func SearchWeights(b GameBounds, starts int, seed uint64) (weights []float64, margin float64, err error) {
	if err := b.Validate(); err != nil {
		return nil, 0, err
	}
	if starts < 1 {
		return nil, 0, fmt.Errorf("game: SearchWeights: starts is %d, must be at least 1", starts)
	}
	n := len(b.Mu)
	at := func(logs []float64) []float64 {
		w := []float64{1}
		for _, l := range logs {
			w = append(w, math.Exp(l))
		}
		return w
	}
	problem := optimize.Problem{Func: func(logs []float64) float64 {
		m, err := smallest(b.scaled(at(logs)))
		if err != nil {
			return math.Inf(1)
		}
		return -m
	}}
	rng := online.Seeded(seed, "search weights")
	margin = math.Inf(-1)
	for k := range starts {
		logs := make([]float64, n-1)
		for i := range logs {
			if k > 0 {
				logs[i] = 2 * rng.NormFloat64()
			}
		}
		// Nelder and Mead's simplex collapses now and then; beginning again where it stopped mends that.
		for range 3 {
			r, err := optimize.Minimize(problem, logs, &optimize.Settings{Converger: &optimize.FunctionConverge{Absolute: 1e-16, Iterations: 100 * n}}, &optimize.NelderMead{})
			if err != nil {
				return nil, 0, fmt.Errorf("game: SearchWeights: %w", err)
			}
			logs = r.X
		}
		if m := -problem.Func(logs); m > margin {
			weights, margin = at(logs), m
		}
	}
	return weights, margin, nil
}
