package dynamics

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
)

// ReLU2CNN is a two-layer network with m filters w of either sign that pass over all patches x_p of a sample, and a fixed
// second layer:
//
//	f(W; x) = (1/m) Σ_r Σ_p σ(⟨w₊ᵣ, x_p⟩) − (1/m) Σ_r Σ_p σ(⟨w₋ᵣ, x_p⟩),   σ(z) = max(z, 0)²
//
// Its weights are one vector: the filters of sign +1 one after the other, then those of sign −1. A sample is a list of
// patches, as many as it likes. The derivative of σ at 0 is 0.
//
// Source: Lu, Wu, Yang, Zou (2024), Benign Oscillation of Stochastic Gradient Descent with Large Learning Rates, section 2.
type ReLU2CNN struct {
	Filters int // m of each sign, at least 1
	Dim     int // entries of a patch, at least 1
}

// Size is the number of weights, 2·m·Dim.
func (c ReLU2CNN) Size() int { return 2 * c.Filters * c.Dim }

// Init draws first weights of a seed, normal of variance 1/Dim.
func (c ReLU2CNN) Init(seed uint64) ([]float64, error) {
	if err := c.validate("Init"); err != nil {
		return nil, err
	}
	rng := online.Seeded(seed, "dynamics: first weights")
	w := make([]float64, c.Size())
	for i := range w {
		w[i] = rng.NormFloat64() / math.Sqrt(float64(c.Dim))
	}
	return w, nil
}

// Forward returns f of each sample.
func (c ReLU2CNN) Forward(w []float64, samples [][][]float64) ([]float64, error) {
	if err := c.check("Forward", w, samples); err != nil {
		return nil, err
	}
	out := make([]float64, len(samples))
	for i, x := range samples {
		out[i] = c.forward(w, x, c.room(x))
	}
	return out, nil
}

// Gradient returns the mean of ½(f − y)² over the samples, one target y each, and its gradient in the weights.
func (c ReLU2CNN) Gradient(w []float64, samples [][][]float64, targets []float64) (loss float64, gradient []float64, err error) {
	if err := c.check("Gradient", w, samples); err != nil {
		return 0, nil, err
	}
	if len(targets) != len(samples) {
		return 0, nil, fmt.Errorf("dynamics: ReLU2CNN: Gradient: there are %d targets of %d samples, must be as many", len(targets), len(samples))
	}
	gradient = make([]float64, c.Size())
	n := float64(len(samples))
	for i, x := range samples {
		active := c.room(x)
		residual := c.forward(w, x, active) - targets[i]
		loss += residual * residual / 2 / n
		c.addSlope(gradient, x, active, residual/n)
	}
	return loss, gradient, nil
}

// Strengths returns how strongly the filters of sign +1 and of sign −1 hold a feature, (1/m) Σ_r max(±⟨w_r, feature⟩, 0)²:
// what they add to y·f of a sample with a patch y·feature.
func (c ReLU2CNN) Strengths(w, feature []float64) (plus, minus float64, err error) {
	if err := c.check("Strengths", w, [][][]float64{{feature}}); err != nil {
		return 0, 0, err
	}
	plus, minus = c.strengths(w, feature)
	return plus, minus, nil
}

// Sharpness returns ‖∇f‖² of each sample: the one eigenvalue of its square loss ½(f − y)² that is not 0 where f = y. Steps of
// size η on that sample alone are stable there while η·‖∇f‖² ≤ 2.
func (c ReLU2CNN) Sharpness(w []float64, samples [][][]float64) ([]float64, error) {
	if err := c.check("Sharpness", w, samples); err != nil {
		return nil, err
	}
	out := make([]float64, len(samples))
	slope := make([]float64, c.Size())
	for i, x := range samples {
		clear(slope)
		active := c.room(x)
		c.forward(w, x, active)
		c.addSlope(slope, x, active, 1)
		out[i] = floats.Dot(slope, slope)
	}
	return out, nil
}

// room is for the activities of a sample: one a filter and patch.
func (c ReLU2CNN) room(x [][]float64) []float64 { return make([]float64, 2*c.Filters*len(x)) }

// forward returns f and leaves max(⟨w, x_p⟩, 0) of each filter and patch in active.
func (c ReLU2CNN) forward(w []float64, x [][]float64, active []float64) float64 {
	var sum [2]float64
	for k := range 2 * c.Filters {
		filter := w[k*c.Dim : (k+1)*c.Dim]
		for p, patch := range x {
			z := max(floats.Dot(filter, patch), 0) // NaN stays
			active[k*len(x)+p] = z
			sum[k/c.Filters] += z * z
		}
	}
	return (sum[0] - sum[1]) / float64(c.Filters)
}

// addSlope adds scale·∇f to a vector like the weights.
func (c ReLU2CNN) addSlope(to []float64, x [][]float64, active []float64, scale float64) {
	for k := range 2 * c.Filters {
		sign := float64(1 - 2*(k/c.Filters))
		filter := to[k*c.Dim : (k+1)*c.Dim]
		for p, patch := range x {
			if z := active[k*len(x)+p]; z != 0 {
				floats.AddScaled(filter, scale*sign*2/float64(c.Filters)*z, patch)
			}
		}
	}
}

func (c ReLU2CNN) strengths(w, feature []float64) (plus, minus float64) {
	for k := range c.Filters {
		p := max(floats.Dot(w[k*c.Dim:(k+1)*c.Dim], feature), 0)
		k += c.Filters
		n := max(-floats.Dot(w[k*c.Dim:(k+1)*c.Dim], feature), 0)
		plus, minus = plus+p*p, minus+n*n
	}
	return plus / float64(c.Filters), minus / float64(c.Filters)
}

func (c ReLU2CNN) validate(who string) error {
	if c.Filters < 1 || c.Dim < 1 {
		return fmt.Errorf("dynamics: ReLU2CNN: %s: Filters is %d and Dim %d, must be at least 1", who, c.Filters, c.Dim)
	}
	return nil
}

func (c ReLU2CNN) check(who string, w []float64, samples [][][]float64) error {
	if err := c.validate(who); err != nil {
		return err
	}
	var errs []error
	if len(w) != c.Size() {
		errs = append(errs, fmt.Errorf("dynamics: ReLU2CNN: %s: there are %d weights, must be %d", who, len(w), c.Size()))
	}
	if len(samples) == 0 {
		errs = append(errs, fmt.Errorf("dynamics: ReLU2CNN: %s: there are no samples, must be at least one", who))
	}
	for i, x := range samples {
		for p, patch := range x {
			if len(patch) != c.Dim {
				errs = append(errs, fmt.Errorf("dynamics: ReLU2CNN: %s: patch %d of sample %d has %d entries, must have %d", who, p, i, len(patch), c.Dim))
			}
		}
	}
	return errors.Join(errs...)
}
