package bandit

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// SquareCB writes to p the probabilities of SquareCB's rule, inverse gap weighting, for predicted losses ŷ:
//
//	p_a = 1/(K + γ(ŷ_a − ŷ_b)) for a ≠ b,   p_b = 1 − Σ_{a≠b} p_a,   b the first arm of least ŷ
//
// γ = 0 is uniform. Predictions must be finite, at least two, and γ at least 0 and finite; p has their length.
//
// Source: Foster, Rakhlin (2020), Beyond UCB, algorithm 1; Abe, Long (1999).
func SquareCB(p, predicted []float64, gamma float64) error {
	if err := checkRule("SquareCB", p, predicted, gamma, math.Inf(-1), math.Inf(1)); err != nil {
		return err
	}
	k, b := float64(len(predicted)), floats.MinIdx(predicted)
	for a, y := range predicted {
		p[a] = 1 / (k + gamma*(y-predicted[b]))
	}
	closeAt(p, b)
	return nil
}

// SquareCBSlack is by how much a round falls short of the inequality behind SquareCB's regret,
//
//	Σ_a p_a(f_a − min f) − (γ/4)Σ_a p_a(ŷ_a − f_a)² ≤ 2K/γ,
//
// left side minus right, for the true mean losses f and the probabilities p: never positive for those of [SquareCB].
//
// Source: Foster, Rakhlin (2020), lemma 3, with the constant 2K/γ.
func SquareCBSlack(p, predicted, truth []float64, gamma float64) float64 {
	var regret, square float64
	least := math.Inf(1)
	for _, f := range truth {
		least = math.Min(least, f)
	}
	for a, q := range p {
		regret += q * (truth[a] - least)
		square += q * (predicted[a] - truth[a]) * (predicted[a] - truth[a])
	}
	return regret - gamma/4*square - 2*float64(len(p))/gamma
}

// checkRule checks the arguments of a sampling rule; predictions must be in [low, high] and finite.
func checkRule(who string, p, predicted []float64, gamma, low, high float64) error {
	var errs []error
	if len(predicted) < 2 {
		errs = append(errs, fmt.Errorf("bandit: %s: predicted has %d arms, must have at least 2", who, len(predicted)))
	}
	if len(p) != len(predicted) {
		errs = append(errs, fmt.Errorf("bandit: %s: p has %d entries, must have one an arm, %d", who, len(p), len(predicted)))
	}
	if !(gamma >= 0) || math.IsInf(gamma, 0) {
		errs = append(errs, fmt.Errorf("bandit: %s: gamma is %g, must be at least 0 and finite", who, gamma))
	}
	for a, y := range predicted {
		if !(y >= low && y <= high) || math.IsInf(y, 0) {
			what := "finite"
			if low == 0 {
				what = "in [0, 1]"
			}
			errs = append(errs, fmt.Errorf("bandit: %s: predicted[%d] is %g, must be %s", who, a, y, what))
		}
	}
	return errors.Join(errs...)
}

// closeAt gives arm b what the others leave, and makes the sum 1 where rounding left nothing.
func closeAt(p []float64, b int) {
	var others float64
	for a, q := range p {
		if a != b {
			others += q
		}
	}
	p[b] = max(0, 1-others)
	if others > 1 {
		for a := range p {
			p[a] /= others
		}
	}
}
