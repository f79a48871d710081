package dynamics

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/hindsight-go/hindsight/lib/online"
)

// FeatureNoiseData says how samples of three patches are drawn. With orthogonal features u and v, a sample of label y = ±1
// holds y·u, the weak feature; y·v, the strong one, or zeros; and noise ξ, normal and orthogonal to both.
//
// u and v lie along the first two coordinates and the noise in the others, with variance NoiseNorm²/(Dim − 2) each. Labels
// alternate from +1 on, and the first round(StrongFraction·N) samples hold the strong feature: only the noise is random.
//
// Source: Lu, Wu, Yang, Zou (2024), Benign Oscillation of Stochastic Gradient Descent with Large Learning Rates, for the
// features and the noise; the coordinates and the order of labels are a choice of this package.
type FeatureNoiseData struct {
	N   int // samples, at least 2
	Dim int // entries of a patch, at least 3
	// WeakNorm is ‖u‖ > 0, StrongNorm ‖v‖ > 0; the paper's setting is ‖u‖ ≪ ‖v‖.
	WeakNorm, StrongNorm float64
	// NoiseNorm is about ‖ξ‖, from 0 on: the root of its mean square.
	NoiseNorm float64
	// StrongFraction of the samples hold the strong feature: between 0 and 1.
	StrongFraction float64
}

// FeatureNoise are drawn samples.
type FeatureNoise struct {
	Patches [][][]float64 // of each sample: weak feature, strong feature or zeros, noise
	Labels  []float64     // ±1
	Strong  []bool        // which samples hold the strong feature
}

// Kappa is ‖u‖²/‖v‖², how much slower the weak feature grows than the strong one.
func (d FeatureNoiseData) Kappa() float64 {
	return d.WeakNorm * d.WeakNorm / (d.StrongNorm * d.StrongNorm)
}

// Features returns u and v.
func (d FeatureNoiseData) Features() (weak, strong []float64, err error) {
	if err := d.validate(); err != nil {
		return nil, nil, err
	}
	weak, strong = make([]float64, d.Dim), make([]float64, d.Dim)
	weak[0], strong[1] = d.WeakNorm, d.StrongNorm
	return weak, strong, nil
}

// Training draws the training set of a seed.
func (d FeatureNoiseData) Training(seed uint64) (FeatureNoise, error) {
	if err := d.validate(); err != nil {
		return FeatureNoise{}, err
	}
	return d.draw(online.Seeded(seed, "dynamics: training samples")), nil
}

// WeakOnly draws n test samples without the strong feature and with noise of their own: who has learnt the strong feature
// alone can only guess.
func (d FeatureNoiseData) WeakOnly(n int, seed uint64) (FeatureNoise, error) {
	d.N, d.StrongFraction = n, 0
	if err := d.validate(); err != nil {
		return FeatureNoise{}, err
	}
	return d.draw(online.Seeded(seed, "dynamics: weak-only samples")), nil
}

func (d FeatureNoiseData) draw(rng *rand.Rand) FeatureNoise {
	var out FeatureNoise
	strong := int(math.Round(d.StrongFraction * float64(d.N)))
	deviation := d.NoiseNorm / math.Sqrt(float64(d.Dim-2))
	for i := range d.N {
		y := 1 - 2*float64(i%2)
		weak, second, noise := make([]float64, d.Dim), make([]float64, d.Dim), make([]float64, d.Dim)
		weak[0] = y * d.WeakNorm
		if i < strong {
			second[1] = y * d.StrongNorm
		}
		for k := 2; k < d.Dim; k++ {
			noise[k] = deviation * rng.NormFloat64()
		}
		out.Patches = append(out.Patches, [][]float64{weak, second, noise})
		out.Labels, out.Strong = append(out.Labels, y), append(out.Strong, i < strong)
	}
	return out
}

func (d FeatureNoiseData) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("dynamics: FeatureNoiseData: "+format, args...))
	}
	if d.N < 2 {
		bad("N is %d, must be at least 2", d.N)
	}
	if d.Dim < 3 {
		bad("Dim is %d, must be at least 3", d.Dim)
	}
	if !(d.WeakNorm > 0) || math.IsInf(d.WeakNorm, 0) {
		bad("WeakNorm is %g, must be positive and finite", d.WeakNorm)
	}
	if !(d.StrongNorm > 0) || math.IsInf(d.StrongNorm, 0) {
		bad("StrongNorm is %g, must be positive and finite", d.StrongNorm)
	}
	if !(d.NoiseNorm >= 0) || math.IsInf(d.NoiseNorm, 0) {
		bad("NoiseNorm is %g, must be finite and not negative", d.NoiseNorm)
	}
	if !(d.StrongFraction >= 0 && d.StrongFraction <= 1) {
		bad("StrongFraction is %g, must be between 0 and 1", d.StrongFraction)
	}
	return errors.Join(errs...)
}
