package dynamics

import (
	"context"
	"fmt"
	"math"
)

// TemperatureSearch looks for the largest temperature that a network bears: by bisection of log T, where a trial of SGD.MaxSteps
// steps is borne if its weights are finite at the end and have moved by less than MaxChange times their start's norm.
type TemperatureSearch struct {
	Low, High  float64 // ends of the search, positive and rising; default 2^−8 and 2^4
	Bisections int     // default 6
	MaxChange  float64 // ‖w − w₀‖/‖w₀‖; default 100
}

func (s TemperatureSearch) withDefaults() TemperatureSearch {
	if s.Low == 0 && s.High == 0 {
		s.Low, s.High = 1.0/256, 16
	}
	if s.Bisections == 0 {
		s.Bisections = 6
	}
	if s.MaxChange == 0 {
		s.MaxChange = 100
	}
	return s
}

func (s TemperatureSearch) check() error {
	if !(s.Low > 0 && s.High > s.Low) || math.IsInf(s.High, 0) || s.Bisections < 1 || !(s.MaxChange > 0) {
		return fmt.Errorf("dynamics: TemperatureSearch: Low is %g, High %g, Bisections %d and MaxChange %g, must be 0 < Low < High, at least 1, and positive", s.Low, s.High, s.Bisections, s.MaxChange)
	}
	return nil
}

// MaxTemperature returns the largest temperature at each output scale: a row an α and a column a seed, each the middle of the
// last bracket on the axis of log T. The trials of a bisection run side by side.
func (t *NetTrainer) MaxTemperature(ctx context.Context, alphas []float64, seeds []uint64, search TemperatureSearch) ([][]float64, error) {
	search = search.withDefaults()
	if err := search.check(); err != nil {
		return nil, err
	}
	phases := Grid(alphas, []float64{1}, seeds)
	low, high := make([]float64, len(phases)), make([]float64, len(phases))
	middle := func(i int) float64 { return math.Sqrt(low[i] * high[i]) }
	for i := range phases {
		low[i], high[i] = search.Low, search.High
	}
	for range search.Bisections {
		for i := range phases {
			phases[i].Temperature = middle(i)
		}
		runs, err := t.Run(ctx, phases)
		if err != nil {
			return nil, err
		}
		for i, r := range runs {
			if r.Change < search.MaxChange { // not of NaN
				low[i] = middle(i)
			} else {
				high[i] = middle(i)
			}
		}
	}
	out := make([][]float64, len(alphas))
	for i := range low {
		out[i/len(seeds)] = append(out[i/len(seeds)], middle(i))
	}
	return out, nil
}

// MaxTemperatureExponent is k of T ∼ α^k for networks of D hidden layers in the feature regime, (D − 1)/(D + 1): fitting takes
// weights of w^(D+1) ∼ 1/α, and a step of η∇f ∼ η·w^D is as large as they are at η ∼ w^(1−D).
func MaxTemperatureExponent(hiddenLayers int) float64 {
	return float64(hiddenLayers-1) / float64(hiddenLayers+1)
}
