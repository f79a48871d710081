package dynamics

import "math"

// PerceptronExponents are the exponents of the perceptron's power laws in the number of points P of [BoundaryData], at large
// dimension, where noise rules: the signal at the end is ∼ T·P^γ and the time to fit ∼ T·P^b, with γ = 1/(1+chi) and
// b = (3+chi)/(1+chi). chi is above −1, else they are NaN.
//
// The smallest |x₁| is ∼ P^(−γ), so fitting all points takes W₁ ∼ ‖noise‖·P^γ with ‖noise‖ ∼ T ([NoiseFloor]); the signal's
// speed is the unfitted points' part in it, ∼ (‖noise‖/W₁)^(2+chi), whose integral is the time.
func PerceptronExponents(chi float64) (gamma, b float64) {
	if !(chi > -1) {
		return math.NaN(), math.NaN()
	}
	return 1 / (1 + chi), (3 + chi) / (1 + chi)
}

// NoiseFloor is the norm that the perceptron's noise weights keep while SGD at temperature T fits [BoundaryData] in dim
// dimensions: (T√dim/2)·m_{1+chi}/m_{2+chi}, m_k the k-th absolute moment of the normal distribution. There the noise of
// batches, T·n a unit of time for a fraction n of unfitted points, balances the pull of these points.
func NoiseFloor(temperature float64, dim int, chi float64) float64 {
	if !(chi > -1) {
		return math.NaN()
	}
	top, _ := math.Lgamma((2 + chi) / 2) // m_k = 2^(k/2)·Γ((k+1)/2)/√π
	low, _ := math.Lgamma((3 + chi) / 2)
	return temperature * math.Sqrt(float64(dim)) / 2 * math.Exp(top-low) / math.Sqrt2
}
