package game

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// GameBounds are what the small-gain condition sees of a game of N ≥ 2 players.
type GameBounds struct { //nolint:revive // what it bounds is a game
	Mu []float64   `json:"mu"` // μ_i > 0: lower bound of the curvature of loss i in block i, λ_min(sym J_ii)
	L  [][]float64 `json:"l"`  // L_ij ≥ 0: upper bound of ‖J_ij‖, the effect of x_j on player i's gradient; the diagonal is 0
}

// Validate says all that is wrong with the bounds.
func (b GameBounds) Validate() error {
	n := len(b.Mu)
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("game: GameBounds: "+format, args...))
	}
	if n < 2 {
		bad("Mu has %d players, must have at least 2", n)
	}
	for i, mu := range b.Mu {
		if !(mu > 0) || math.IsInf(mu, 0) {
			bad("Mu[%d] is %g, must be positive and finite: the curvature of each player's own loss", i, mu)
		}
	}
	if len(b.L) != n {
		bad("L has %d rows, must have %d, one a player", len(b.L), n)
	}
	for i, row := range b.L {
		if len(row) != n {
			bad("L[%d] has %d values, must have %d", i, len(row), n)
			continue
		}
		for j, l := range row {
			if !(l >= 0) || math.IsInf(l, 0) {
				bad("L[%d][%d] is %g, must be at least 0 and finite", i, j, l)
			} else if i == j && l != 0 {
				bad("L[%d][%d] is %g, must be 0: a player's own curvature is in Mu", i, j, l)
			}
		}
	}
	return errors.Join(errs...)
}

// validWeights checks one weight a player.
func validWeights(weights []float64, n int) error {
	if len(weights) != n {
		return fmt.Errorf("game: weights: there are %d, must be %d, one a player", len(weights), n)
	}
	var errs []error
	for i, w := range weights {
		if !(w > 0) || math.IsInf(w, 0) {
			errs = append(errs, fmt.Errorf("game: weights: w[%d] is %g, must be positive and finite", i, w))
		}
	}
	return errors.Join(errs...)
}

// scaled is ½ D C(w) D, whose smallest eigenvalue is the margin.
func (b GameBounds) scaled(w []float64) *mat.SymDense {
	n := len(b.Mu)
	s := mat.NewSymDense(n, nil)
	for i := range n {
		s.SetSym(i, i, b.Mu[i])
		for j := i + 1; j < n; j++ {
			root := math.Sqrt(w[i] / w[j])
			s.SetSym(i, j, -(b.L[i][j]*root+b.L[j][i]/root)/2)
		}
	}
	return s
}

// Margin is α*(w) for one weight a player: ⟨F(x)−F(y), x−y⟩_w ≥ α*‖x−y‖_w² wherever the bounds hold. The game is certified
// by these weights where it is positive; only the ratios of weights matter.
func Margin(b GameBounds, weights []float64) (float64, error) {
	if err := errors.Join(b.Validate(), validWeights(weights, len(b.Mu))); err != nil {
		return 0, err
	}
	return smallest(b.scaled(weights))
}

// SpectralRadius is ρ(diag(1/μ)L): weights with a positive margin exist exactly where it is below 1, the small-gain condition.
func (b GameBounds) SpectralRadius() (float64, error) {
	if err := b.Validate(); err != nil {
		return 0, err
	}
	n := len(b.Mu)
	gain := mat.NewDense(n, n, nil)
	gain.Apply(func(i, j int, _ float64) float64 { return b.L[i][j] / b.Mu[i] }, gain)
	values, err := eigenvalues(gain)
	if err != nil {
		return 0, err
	}
	radius := 0.0
	for _, v := range values {
		radius = math.Max(radius, math.Hypot(real(v), imag(v)))
	}
	return radius, nil
}

// faint is the coupling, relative to the largest one, that stands for a missing one where the best weights do not exist.
const faint = 1e-12

// BestWeights are the weights with the largest margin, the first being 1, and that margin: τ(A), the smallest real part of
// the eigenvalues of A = diag(μ) − L, at w_i = ξ_i/η_i with ξ, η the left and right Perron vectors of A. A margin that is not
// positive says that no weights certify the game.
//
// Where influence does not run from every player to every other, directly or through others (A reducible), the supremum τ(A)
// may be reached only as ratios grow without bound. The weights are then those of couplings with faint ones added between all
// players, 10⁻¹² of the largest, and the margin is what they give without these.
func BestWeights(b GameBounds) (weights []float64, margin float64, err error) {
	if err := b.Validate(); err != nil {
		return nil, 0, err
	}
	n := len(b.Mu)
	largest := 0.0
	for _, row := range b.L {
		largest = math.Max(largest, floats.Max(row))
	}
	if largest == 0 {
		largest = floats.Max(b.Mu)
	}
	extra := 0.0
	if !b.irreducible() {
		extra = faint * largest
	}
	a := mat.NewDense(n, n, nil)
	a.Apply(func(i, j int, _ float64) float64 {
		if i == j {
			return b.Mu[i]
		}
		return -b.L[i][j] - extra
	}, a)
	right, err := perron(a)
	if err != nil {
		return nil, 0, err
	}
	left, err := perron(a.T())
	if err != nil {
		return nil, 0, err
	}
	weights = make([]float64, n)
	for i := range weights {
		weights[i] = left[i] / right[i] * right[0] / left[0]
	}
	if err := validWeights(weights, n); err != nil {
		return nil, 0, fmt.Errorf("game: BestWeights: couplings span too many orders of magnitude: %w", err)
	}
	margin, err = smallest(b.scaled(weights))
	return weights, margin, err
}

// irreducible tells whether influence runs from every player to every other.
func (b GameBounds) irreducible() bool {
	reaches := func(influences func(i, j int) bool) bool {
		seen, queue := map[int]bool{0: true}, []int{0}
		for len(queue) > 0 {
			i := queue[0]
			queue = queue[1:]
			for j := range b.Mu {
				if !seen[j] && influences(i, j) {
					seen[j] = true
					queue = append(queue, j)
				}
			}
		}
		return len(seen) == len(b.Mu)
	}
	return reaches(func(i, j int) bool { return b.L[i][j] > 0 }) && reaches(func(i, j int) bool { return b.L[j][i] > 0 })
}

// witness is a positive v with S v ≥ (α − 10⁻¹⁰)v for S = ½ D C(w) D: it proves the margin, as the off-diagonal is not positive.
func (b GameBounds) witness(weights []float64, alpha float64) ([]float64, error) {
	n := len(b.Mu)
	s := b.scaled(weights)
	for i := range n {
		s.SetSym(i, i, s.At(i, i)-alpha+1e-10*(1+mat.Norm(s, 1)))
	}
	ones, v := mat.NewVecDense(n, nil), mat.NewVecDense(n, nil)
	for i := range n {
		ones.SetVec(i, 1)
	}
	var factor mat.LU // not Cholesky: α itself is rounded
	factor.Factorize(s)
	if err := factor.SolveVecTo(v, false, ones); err != nil {
		if _, ill := errors.AsType[mat.Condition](err); !ill {
			return nil, fmt.Errorf("game: certificate: %w", err)
		}
	}
	v.ScaleVec(1/mat.Max(v), v)
	return v.RawVector().Data, nil
}
