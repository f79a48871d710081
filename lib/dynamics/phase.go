package dynamics

import (
	"errors"
	"fmt"
	"math"
)

// Phase is a point of the plane of output scale and temperature, with a seed: where a run is. Its margin is 1/Alpha, its
// learning rate Temperature·Batch.
type Phase struct {
	Alpha, Temperature float64
	Seed               uint64
}

func (p Phase) check(where string) error {
	if !(p.Temperature > 0) || math.IsInf(p.Temperature, 0) {
		return errors.Join(checkAlpha(where, p.Alpha), fmt.Errorf("dynamics: %s: Temperature is %g, must be positive and finite", where, p.Temperature))
	}
	return checkAlpha(where, p.Alpha)
}

// Grid lists the phases of a grid: all seeds of one cell one after another, the temperatures of one α, and so on.
func Grid(alphas, temperatures []float64, seeds []uint64) []Phase {
	var out []Phase
	for _, a := range alphas {
		for _, t := range temperatures {
			for _, s := range seeds {
				out = append(out, Phase{a, t, s})
			}
		}
	}
	return out
}

// PhaseDiagram holds runs over a grid of output scales and temperatures, with several seeds each.
type PhaseDiagram[R any] struct {
	Alphas, Temperatures []float64
	Seeds                int
	Runs                 []R // in the order of [Grid]
}

// Cell returns the runs of the i-th α and the j-th temperature, one a seed.
func (d PhaseDiagram[R]) Cell(i, j int) []R {
	k := (i*len(d.Temperatures) + j) * d.Seeds
	return d.Runs[k : k+d.Seeds]
}

// Map is a figure of every cell, a row a temperature and a column an α, as a map of the plane is drawn.
func (d PhaseDiagram[R]) Map(of func(cell []R) float64) [][]float64 {
	out := make([][]float64, len(d.Temperatures))
	for j := range out {
		for i := range d.Alphas {
			out[j] = append(out[j], of(d.Cell(i, j)))
		}
	}
	return out
}

// diagram runs a grid.
func diagram[R any](alphas, temperatures []float64, seeds []uint64, run func([]Phase) ([]R, error)) (PhaseDiagram[R], error) {
	if len(alphas) == 0 || len(temperatures) == 0 || len(seeds) == 0 {
		return PhaseDiagram[R]{}, fmt.Errorf("dynamics: PhaseDiagram: there are %d alphas, %d temperatures and %d seeds, must be at least 1 of each", len(alphas), len(temperatures), len(seeds))
	}
	runs, err := run(Grid(alphas, temperatures, seeds))
	return PhaseDiagram[R]{alphas, temperatures, len(seeds), runs}, err
}
