package recovering

import (
	"errors"
	"fmt"
	"math"

	"github.com/hindsight-go/hindsight/lib/online"
)

// RecoveryModel is the expected reward of every arm at every idle time.
type RecoveryModel struct {
	// R[i][d−1] is the expected reward of a pull of arm i at idle time d = 1, …, D, and at D for all longer ones: in
	// [0, 1] and non-decreasing in d. All N rows have the length D.
	R [][]float64
}

// Arms is N.
func (m RecoveryModel) Arms() int { return len(m.R) }

// Recovery is D, the idle time from which on nothing more is gained.
func (m RecoveryModel) Recovery() int {
	if len(m.R) == 0 {
		return 0
	}
	return len(m.R[0])
}

// At is the expected reward of arm i, counted from 0, at idle time d ≥ 1.
func (m RecoveryModel) At(i, d int) float64 { return m.R[i][min(d, len(m.R[i]))-1] }

// Validate says what is wrong with the model: no arms, no idle times, rows of different lengths, rewards that fall, or
// are NaN or outside [0, 1].
func (m RecoveryModel) Validate() error {
	if m.Recovery() == 0 {
		return errors.New("recovering: RecoveryModel: R is empty, must hold at least one arm and one idle time")
	}
	var all []error
	for i, row := range m.R {
		if len(row) != m.Recovery() {
			all = append(all, fmt.Errorf("recovering: RecoveryModel: R of arm %d has %d idle times, must have %d as arm 0", i, len(row), m.Recovery()))
		}
		for d, r := range row {
			if !(r >= 0 && r <= 1) {
				all = append(all, fmt.Errorf("recovering: RecoveryModel: R of arm %d at idle time %d is %g, must be in [0, 1]", i, d+1, r))
				break
			}
			if d > 0 && r < row[d-1] {
				all = append(all, fmt.Errorf("recovering: RecoveryModel: R of arm %d falls from %g to %g at idle time %d, must not fall", i, row[d-1], r, d+1))
				break
			}
		}
	}
	return errors.Join(all...)
}

// check is Validate together with the number of pulls.
func (m RecoveryModel) check(method string, k int) error {
	err := m.Validate()
	if k < 1 || k > max(1, m.Arms()) {
		err = errors.Join(err, fmt.Errorf("recovering: %s: K is %d, must be between 1 and the number of arms, %d", method, k, m.Arms()))
	}
	return err
}

// Kind is a shape of recovery curves.
type Kind string

// The shapes that [Generate] knows.
const (
	// Exp is concave: R(d) = r·(1 − e^{−λd}), λ uniform in [0.05, 0.6].
	Exp Kind = "exp"
	// Logit is S-shaped: R(d) = r/(1 + e^{−1.5(d−c)}), c uniform between 2 and 0.7·D.
	Logit Kind = "logit"
	// Step is all or nothing: R(d) = r for d ≥ c, else 0, c a uniform integer in [1, D−1].
	Step Kind = "step"
)

// Kinds are all shapes, in the order of the figures.
func Kinds() []Kind { return []Kind{Exp, Logit, Step} }

// Generate draws n arms that recover in d periods, with r uniform in [0.2, 1].
func Generate(kind Kind, n, d int, seed uint64) (RecoveryModel, error) {
	var all []error
	if n < 1 {
		all = append(all, fmt.Errorf("recovering: Generate: N is %d, must be at least 1", n))
	}
	if d < 1 {
		all = append(all, fmt.Errorf("recovering: Generate: D is %d, must be at least 1", d))
	}
	rng := online.Seeded(seed, "recovering: Generate "+string(kind))
	var curve func() func(d float64) float64
	switch kind {
	case Exp:
		curve = func() func(float64) float64 {
			rate := 0.05 + 0.55*rng.Float64()
			return func(d float64) float64 { return -math.Expm1(-rate * d) }
		}
	case Logit:
		curve = func() func(float64) float64 {
			c := 2 + (0.7*float64(d)-2)*rng.Float64()
			return func(d float64) float64 { return 1 / (1 + math.Exp(-1.5*(d-c))) }
		}
	case Step:
		curve = func() func(float64) float64 {
			c := float64(1 + rng.IntN(max(1, d-1)))
			return func(d float64) float64 {
				if d < c {
					return 0
				}
				return 1
			}
		}
	default:
		all = append(all, fmt.Errorf("recovering: Generate: kind is %q, must be one of %q", kind, Kinds()))
	}
	if len(all) > 0 {
		return RecoveryModel{}, errors.Join(all...)
	}
	m := RecoveryModel{R: make([][]float64, n)}
	for i := range m.R {
		m.R[i] = make([]float64, d)
		r, f := 0.2+0.8*rng.Float64(), curve()
		for j := range m.R[i] {
			m.R[i][j] = r * f(float64(j+1))
		}
	}
	return m, nil
}
