package dynamics

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// DiagonalLinearNet is f(x) = ⟨a ⊙ b, x⟩: a linear function with the coefficients β = a ⊙ b, and twice as many parameters.
//
// At an interpolating minimum tr H = Σ_k (a_k² + b_k²)·mean(x_k²) ≥ 2·min_k mean(x_k²)·‖β‖₁.
type DiagonalLinearNet struct{ A, B []float64 }

var _ ScalarNet = DiagonalLinearNet{}

// NormalDiagonalLinearNet draws a and b of d entries from the standard normal distribution.
func NormalDiagonalLinearNet(d int, rng *rand.Rand) (DiagonalLinearNet, error) {
	return drawnDiagonal("NormalDiagonalLinearNet", d, rng, func(int) (a, b float64) { return rng.NormFloat64(), rng.NormFloat64() })
}

// UnbalancedDiagonalLinearNet draws a of d entries from the normal distribution with a variance, and b = ±c·a with fair
// coins for signs and the c ≥ 1 that makes [DiagonalLinearNet.Balance] the one given, at least 1.
func UnbalancedDiagonalLinearNet(d int, variance, balance float64, rng *rand.Rand) (DiagonalLinearNet, error) {
	if !(variance > 0) || !(balance >= 1) || math.IsInf(variance+balance, 0) {
		return DiagonalLinearNet{}, fmt.Errorf("dynamics: UnbalancedDiagonalLinearNet: the variance is %g and the balance %g, must be positive and at least 1, both finite", variance, balance)
	}
	c := balance + math.Sqrt(balance*balance-1)
	return drawnDiagonal("UnbalancedDiagonalLinearNet", d, rng, func(int) (a, b float64) {
		a = math.Sqrt(variance) * rng.NormFloat64()
		return a, c * a * float64(2*rng.IntN(2)-1)
	})
}

func drawnDiagonal(who string, d int, rng *rand.Rand, draw func(k int) (a, b float64)) (DiagonalLinearNet, error) {
	if d < 1 || rng == nil {
		return DiagonalLinearNet{}, fmt.Errorf("dynamics: %s: d is %d, must be at least 1, and rng must not be nil", who, d)
	}
	net := DiagonalLinearNet{make([]float64, d), make([]float64, d)}
	for k := range d {
		net.A[k], net.B[k] = draw(k)
	}
	return net, nil
}

// SparseLinear draws n points x uniformly from [−1, 1]^d with y the sum of each one's first nonzeros entries.
func SparseLinear(n, d, nonzeros int, rng *rand.Rand) (x *mat.Dense, y []float64, err error) {
	if n < 1 || d < 1 || nonzeros < 0 || nonzeros > d || rng == nil {
		return nil, nil, fmt.Errorf("dynamics: SparseLinear: n is %d, d %d and nonzeros %d, must be at least 1, at least 1 and from 0 to d, and rng must not be nil", n, d, nonzeros)
	}
	x, y = mat.NewDense(n, d, nil), make([]float64, n)
	for i := range n {
		row := x.RawRowView(i)
		for k := range row {
			row[k] = 2*rng.Float64() - 1
		}
		y[i] = floats.Sum(row[:nonzeros])
	}
	return x, y, nil
}

// Beta is a ⊙ b.
func (n DiagonalLinearNet) Beta() []float64 { return floats.MulTo(make([]float64, len(n.A)), n.A, n.B) }

// L1Norm is ‖a ⊙ b‖₁.
func (n DiagonalLinearNet) L1Norm() float64 { return floats.Norm(n.Beta(), 1) }

// Balance is (‖a‖² + ‖b‖²)/(2‖a ⊙ b‖₁) ≥ 1, with equality exactly if |a| = |b|. Where a ⊙ b is 0 there is none: an error.
func (n DiagonalLinearNet) Balance() (float64, error) {
	if err := n.Validate(len(n.A)); err != nil {
		return 0, err
	}
	norm := n.L1Norm()
	if norm == 0 {
		return 0, errors.New("dynamics: DiagonalLinearNet: Balance: ‖a ⊙ b‖₁ is 0, must be positive")
	}
	return (floats.Dot(n.A, n.A) + floats.Dot(n.B, n.B)) / (2 * norm), nil
}

// Blocks implements [ScalarNet]: a, b.
func (n DiagonalLinearNet) Blocks() [][]float64 { return [][]float64{n.A, n.B} }

// Validate implements [ScalarNet].
func (n DiagonalLinearNet) Validate(inputs int) error {
	if inputs < 1 || len(n.A) != inputs || len(n.B) != inputs {
		return fmt.Errorf("dynamics: DiagonalLinearNet: A and B have %d and %d values, must have as many as the inputs, %d, and at least 1", len(n.A), len(n.B), inputs)
	}
	return allFinite("DiagonalLinearNet", n.Blocks())
}

// Gradient implements [ScalarNet].
func (n DiagonalLinearNet) Gradient(g, x []float64) float64 {
	d := len(n.A)
	floats.MulTo(g[:d], n.B, x)
	floats.MulTo(g[d:], n.A, x)
	return floats.Dot(g[:d], n.A)
}

// Kernel implements [ScalarNet], in n²d multiply-adds.
func (n DiagonalLinearNet) Kernel(x *mat.Dense) (*mat.SymDense, error) {
	rows, err := validInputs("DiagonalLinearNet: Kernel", n, x)
	if err != nil {
		return nil, err
	}
	var scaled mat.Dense
	scaled.Apply(func(_, k int, v float64) float64 { return v * math.Hypot(n.A[k], n.B[k]) }, x)
	var kernel mat.SymDense
	kernel.SymOuterK(1/float64(rows), &scaled)
	return &kernel, nil
}
