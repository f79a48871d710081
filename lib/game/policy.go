package game

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// PolicyGradient are the settings of [NPG] and [EPG].
type PolicyGradient struct {
	Step      float64      // η > 0, the same for both players
	MaxSteps  int          // default 500, the paper's
	Tolerance float64      // of the norm of the pseudo-gradient in the logits; default 1e-6, the paper's
	Within    *Certificate // where given, NPG refuses a step outside (0, 2α/β²); EPG refuses any certificate: it would be another metric's
}

// Descent is a run of policy gradient.
type Descent struct {
	Theta [][]float64 // before the first step and after each
	Norm  []float64   // of the pseudo-gradient there, in the logits
	// Converged: the last norm is below Tolerance and that of the natural gradient below its root. The second condition is
	// ours: the gradient in the logits also vanishes where policies have run away to single actions, the natural one does not.
	Converged bool
}

// Steps taken.
func (d Descent) Steps() int { return len(d.Theta) - 1 }

// NPG is natural policy gradient, θ_i ← θ_i − η F_i⁺∇_i f_i for both players at once. It stops when it has converged or after
// MaxSteps; where logits or policies leave the finite range it stops with [ErrNonFinite] and the
// descent so far.
func NPG(g *MarkovGame, start []float64, o PolicyGradient) (Descent, error) {
	if err := o.Within.admitsEuler(o.Step); err != nil {
		return Descent{}, err
	}
	return descend(g, start, o, true)
}

// EPG is Euclidean policy gradient, θ_i ← θ_i − η∇_i f_i: the baseline without a metric. It stops as [NPG] does.
func EPG(g *MarkovGame, start []float64, o PolicyGradient) (Descent, error) {
	if o.Within != nil {
		return Descent{}, errors.New("game: EPG: Within is given, must be nil: the certificate is of the natural gradient")
	}
	return descend(g, start, o, false)
}

func descend(g *MarkovGame, start []float64, o PolicyGradient, natural bool) (Descent, error) {
	if o.MaxSteps == 0 {
		o.MaxSteps = 500
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-6
	}
	var errs []error
	if !(o.Step > 0) || math.IsInf(o.Step, 0) {
		errs = append(errs, fmt.Errorf("game: PolicyGradient: Step is %g, must be positive and finite", o.Step))
	}
	if o.MaxSteps < 0 {
		errs = append(errs, fmt.Errorf("game: PolicyGradient: MaxSteps is %d, must be at least 0 (for 500)", o.MaxSteps))
	}
	if !(o.Tolerance > 0) {
		errs = append(errs, fmt.Errorf("game: PolicyGradient: Tolerance is %g, must be at least 0 (for 1e-6)", o.Tolerance))
	}
	if len(errs) > 0 {
		return Descent{}, errors.Join(errs...)
	}
	var d Descent
	theta, gradient, direction := slices.Clone(start), make([]float64, len(start)), make([]float64, len(start))
	for k := 0; ; k++ {
		if !finite(theta) {
			return d, fmt.Errorf("game: PolicyGradient: step %d: θ is %w", k, ErrNonFinite)
		}
		if err := g.PseudoGradient(gradient, theta); err != nil {
			return d, err
		}
		policies, err := g.Policies(theta)
		if err != nil {
			return d, err
		}
		copy(direction, gradient)
		naturalise(direction, policies)
		d.Theta, d.Norm = append(d.Theta, slices.Clone(theta)), append(d.Norm, floats.Norm(gradient, 2))
		d.Converged = d.Norm[k] < o.Tolerance && floats.Norm(direction, 2) < math.Sqrt(o.Tolerance)
		if d.Converged || k == o.MaxSteps {
			return d, nil
		}
		if !natural {
			copy(direction, gradient)
		}
		floats.AddScaled(theta, -o.Step, direction)
	}
}

// Divergence is Σ_i w_i Σ_s KL(π*_i(·|s) ‖ π_i(·|s)), which natural policy gradient drives to 0 at an equilibrium θ*. It is blind to shifts
// of the logits, as the distance of the logits is not.
func (g *MarkovGame) Divergence(equilibrium, theta, weights []float64) (float64, error) {
	if err := validWeights(weights, 2); err != nil {
		return 0, err
	}
	star, err := g.Policies(equilibrium)
	if err != nil {
		return 0, err
	}
	policies, err := g.Policies(theta)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range star {
		for s, p := range star[i] {
			for a, v := range p {
				if v > 0 {
					sum += weights[i] * v * math.Log(v/policies[i][s][a])
				}
			}
		}
	}
	return sum, nil
}
