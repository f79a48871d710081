package oco

import (
	"fmt"
	"math"
)

// Regret returns the cumulative regret R(t) = Σ_{s≤t} (suffered[s] − comparator[s]) for t = 1 … T.
//
// Both slices hold one loss a round. An error names the argument that is empty, of another length or not finite.
func Regret(suffered, comparator []float64) ([]float64, error) {
	if len(suffered) == 0 {
		return nil, fmt.Errorf("oco: Regret: suffered is empty, must hold at least one round")
	}
	if len(comparator) != len(suffered) {
		return nil, fmt.Errorf("oco: Regret: comparator has %d rounds, must have as many as suffered, %d", len(comparator), len(suffered))
	}
	regret := make([]float64, len(suffered))
	// Compensated summation: T differences of nearly equal losses.
	var sum, lost float64
	for t := range suffered {
		d := suffered[t] - comparator[t]
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return nil, fmt.Errorf("oco: Regret: round %d: suffered is %g and comparator %g, must be finite", t+1, suffered[t], comparator[t])
		}
		y := d - lost
		next := sum + y
		lost = (next - sum) - y
		sum = next
		regret[t] = sum
	}
	return regret, nil
}
