package bandit

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// FastCB writes to p the probabilities of FastCB's rule, inverse gap weighting by relative gaps, for predicted losses ŷ in
// [0, 1]:
//
//	p_a = ŷ_b/(Kŷ_b + γ(ŷ_a − ŷ_b)) for a ≠ b,   p_b = 1 − Σ_{a≠b} p_a,   b the first arm of least ŷ
//
// An arm that ties with b gets 1/K, also where ŷ_b is 0; γ = 0 is uniform. Otherwise as [SquareCB].
//
// Source: Foster, Krishnamurthy (2021), Efficient First-Order Contextual Bandits, algorithm 1.
func FastCB(p, predicted []float64, gamma float64) error {
	if err := checkRule("FastCB", p, predicted, gamma, 0, 1); err != nil {
		return err
	}
	k, b := float64(len(predicted)), floats.MinIdx(predicted)
	least := predicted[b]
	for a, y := range predicted {
		if gap := gamma * (y - least); gap > 0 {
			p[a] = least / (k*least + gap)
		} else {
			p[a] = 1 / k
		}
	}
	closeAt(p, b)
	return nil
}

// FastCBSlack is by how much a round falls short of the inequality behind FastCB's regret,
//
//	Σ_a p_a(f_a − min f) ≤ (5K/γ)Σ_a p_a f_a + 7γ Σ_a p_a (ŷ_a − f_a)²/(ŷ_a + f_a),
//
// left side minus right, for the true mean losses f and the probabilities p of [FastCB] with γ ≥ 2K: never positive.
// A term with ŷ_a = f_a = 0 counts as 0.
//
// Source: Foster, Krishnamurthy (2021), lemma 2; the constants 5 and 7 are checked numerically, not quoted.
func FastCBSlack(p, predicted, truth []float64, gamma float64) float64 {
	var regret, loss, triangular float64
	least := math.Inf(1)
	for _, f := range truth {
		least = math.Min(least, f)
	}
	for a, q := range p {
		regret += q * (truth[a] - least)
		loss += q * truth[a]
		if sum := predicted[a] + truth[a]; sum > 0 {
			triangular += q * (predicted[a] - truth[a]) * (predicted[a] - truth[a]) / sum
		}
	}
	return regret - 5*float64(len(p))/gamma*loss - 7*gamma*triangular
}

// SquareCBGamma is the theory's constant γ = √(KT/Reg) of SquareCB for K arms, T rounds and a square-loss regression whose
// regret is at most reg.
func SquareCBGamma(arms, rounds int, reg float64) (float64, error) {
	if err := checkGamma("SquareCBGamma", arms, "rounds", float64(rounds), reg); err != nil {
		return 0, err
	}
	return math.Sqrt(float64(arms) * float64(rounds) / reg), nil
}

// FastCBGamma is the theory's constant γ = max(√(K·L*/Reg), 10K) of FastCB for a best policy of cumulative loss best and a
// log-loss regression whose regret is at most reg. The constants are not quoted from the source.
func FastCBGamma(arms int, best, reg float64) (float64, error) {
	if err := checkGamma("FastCBGamma", arms, "best", best, reg); err != nil {
		return 0, err
	}
	return max(math.Sqrt(float64(arms)*best/reg), 10*float64(arms)), nil
}

func checkGamma(who string, arms int, name string, amount, reg float64) error {
	switch {
	case arms < 2:
		return fmt.Errorf("bandit: %s: arms is %d, must be at least 2", who, arms)
	case !(amount >= 0) || math.IsInf(amount, 0):
		return fmt.Errorf("bandit: %s: %s is %g, must be at least 0 and finite", who, name, amount)
	case !(reg > 0) || math.IsInf(reg, 0):
		return fmt.Errorf("bandit: %s: reg is %g, must be positive and finite", who, reg)
	}
	return nil
}
