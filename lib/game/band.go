package game

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// Ratios is a band of weight ratios r = w2/w1 of two players.
type Ratios struct {
	Low, High float64 // Low is 0, or High +Inf, where a coupling is missing
	Feasible  bool    // false: no ratio reaches the margin, and Low and High are 0
}

// Contains tells whether a ratio is inside the band, its ends left out.
func (b Ratios) Contains(r float64) bool { return b.Feasible && b.Low < r && r < b.High }

// Band is the timescale band of two players: all ratios r = w2/w1 whose margin is above the target, with
//
//	r± = ((κ ± √(κ² − L12 L21))/L21)²,   κ = √((μ1 − target)(μ2 − target))
//
// It is empty unless the target is below both curvatures and κ² > L12 L21; at its ends the margin is the target. The target
// is finite, and 0 asks for any certificate. Without L21 the band has no upper end: it begins at (L12/2κ)². Without L12 it
// ends at (2κ/L21)² and begins at 0.
func Band(mu1, mu2, l12, l21, target float64) (Ratios, error) {
	err := GameBounds{Mu: []float64{mu1, mu2}, L: [][]float64{{0, l12}, {l21, 0}}}.Validate()
	if math.IsNaN(target) || math.IsInf(target, 0) {
		err = errors.Join(err, fmt.Errorf("game: Band: target is %g, must be finite", target))
	}
	if err != nil {
		return Ratios{}, err
	}
	if target >= mu1 || target >= mu2 {
		return Ratios{}, nil
	}
	square := (mu1 - target) * (mu2 - target)
	rest := square - l12*l21
	if rest <= 0 {
		return Ratios{}, nil
	}
	// Low is written with the conjugate, which neither cancels nor divides by a missing L21.
	sum := math.Sqrt(square) + math.Sqrt(rest)
	low, high := l12/sum, sum/l21
	return Ratios{Low: low * low, High: high * high, Feasible: true}, nil
}

// LogGrid is n ≥ 2 values from low to high, both positive, by equal factors.
func LogGrid(low, high float64, n int) ([]float64, error) {
	if !(low > 0 && low < high) || math.IsInf(high, 0) || n < 2 {
		return nil, fmt.Errorf("game: LogGrid: %d values from %g to %g, must be at least 2 and between positive rising ends", n, low, high)
	}
	return floats.LogSpan(make([]float64, n), low, high), nil
}

// Objective is what [ScanRatio] maximises.
type Objective int

// The objectives; β is the Lipschitz constant in the metric of the same weights.
const (
	LargestMargin Objective = iota // α*
	LargestEuler                   // α*/β², half of the certified step of Euler's method
	LargestRK4                     // α*/β
)

// Scan is what a grid of ratios gave.
type Scan struct {
	Ratios, Alpha []float64 // the grid and α* on it
	Best          int       // the place of the best ratio, the first of several
}

// ScanRatio tries a grid of ratios w2/w1 of two players. beta gives β for weights (1, r); [LargestMargin] does not need it.
// A grid may miss the optimum: [BestWeights] has it for the margin.
func ScanRatio(b GameBounds, ratios []float64, objective Objective, beta func(weights []float64) (float64, error)) (Scan, error) {
	err := b.Validate()
	if len(b.Mu) != 2 {
		err = errors.Join(err, fmt.Errorf("game: ScanRatio: there are %d players, must be 2", len(b.Mu)))
	}
	if len(ratios) == 0 {
		err = errors.Join(err, errors.New("game: ScanRatio: the grid is empty, must have at least 1 ratio"))
	}
	if objective < LargestMargin || objective > LargestRK4 {
		err = errors.Join(err, fmt.Errorf("game: ScanRatio: objective is %d, must be between 0 and 2", objective))
	} else if objective != LargestMargin && beta == nil {
		err = errors.Join(err, errors.New("game: ScanRatio: beta is nil, must be given for the objectives of steps"))
	}
	if err != nil {
		return Scan{}, err
	}
	out := Scan{Ratios: ratios, Alpha: make([]float64, len(ratios))}
	best := math.Inf(-1)
	for k, r := range ratios {
		weights := []float64{1, r}
		if out.Alpha[k], err = Margin(b, weights); err != nil {
			return Scan{}, err
		}
		score := out.Alpha[k]
		if objective != LargestMargin {
			lipschitz, err := beta(weights)
			if err != nil {
				return Scan{}, err
			}
			score /= lipschitz
			if objective == LargestEuler {
				score /= lipschitz
			}
		}
		if score > best {
			best, out.Best = score, k
		}
	}
	return out, nil
}
