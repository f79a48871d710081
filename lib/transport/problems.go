package transport

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/online"
)

// StandardNormal draws n points of N(0, I).
func StandardNormal(n, dim int, rng *rand.Rand) (*mat.Dense, error) {
	if n < 1 || dim < 1 || rng == nil {
		return nil, fmt.Errorf("transport: StandardNormal: n is %d and dim is %d, must both be at least 1, with a generator", n, dim)
	}
	return mat.NewDense(n, dim, normals(rng, n*dim)), nil
}

// SwissRoll draws n points of the rolled-up curve of the paper's figures: with w = 1.5π(1+2u) the point (w cos w, w sin w),
// plus noise of deviation noise, divided by 7.5. The paper has noise 0.8.
//
// Source: make_swiss_roll of scikit-learn, coordinates 0 and 2.
func SwissRoll(n int, noise float64, rng *rand.Rand) (*mat.Dense, error) {
	if n < 1 || !(noise >= 0) || math.IsInf(noise, 1) || rng == nil {
		return nil, fmt.Errorf("transport: SwissRoll: n is %d and noise is %g, must be at least 1 and at least 0, with a generator", n, noise)
	}
	out := mat.NewDense(n, 2, nil)
	for i := range n {
		w := 1.5 * math.Pi * (1 + 2*rng.Float64())
		out.Set(i, 0, (w*math.Cos(w)+noise*rng.NormFloat64())/7.5)
		out.Set(i, 1, (w*math.Sin(w)+noise*rng.NormFloat64())/7.5)
	}
	return out, nil
}

// MixtureBenchmark is a pair of distributions whose bridge is known: p0 = N(0, I), and p1 is where Truth carries it.
type MixtureBenchmark struct {
	Truth *Bridge
}

// NewMixtureBenchmark puts `components` Gaussians N(μ_k, I) of equal weight in the place of the classical potential, with μ_k
// at distance 5 from 0 in random directions of the seed. It imitates the published benchmark, whose files it does not use.
//
// Source: Gushchin et al. (2023), Building the Bridge of Schrödinger.
func NewMixtureBenchmark(dim, components int, eps float64, seed uint64) (*MixtureBenchmark, error) {
	if dim < 1 || components < 1 {
		return nil, fmt.Errorf("transport: NewMixtureBenchmark: dim is %d and components is %d, must both be at least 1", dim, components)
	}
	const radius = 5
	rng := online.Seeded(seed, "mixture benchmark")
	betas, means, covs := make([]float64, components), make([][]float64, components), make([]mat.Symmetric, components)
	unit := make([]float64, dim)
	for d := range unit {
		unit[d] = 1
	}
	for k := range betas {
		betas[k], means[k], covs[k] = 1/float64(components), normals(rng, dim), mat.NewDiagDense(dim, unit)
		floats.Scale(radius/floats.Norm(means[k], 2), means[k])
	}
	truth, err := FromClassicalPotential(betas, means, covs, eps)
	if err != nil {
		return nil, err
	}
	return &MixtureBenchmark{truth}, nil
}

// Sample draws n points of p0, and n points of p1 that belong to other points of p0: they are not paired.
func (m *MixtureBenchmark) Sample(n int, rng *rand.Rand) (x0, x1 *mat.Dense, err error) {
	x0, err0 := StandardNormal(n, m.Truth.dim, rng)
	other, err1 := StandardNormal(n, m.Truth.dim, rng)
	if err := errors.Join(err0, err1); err != nil {
		return nil, nil, err
	}
	x1, err = m.Truth.SamplePlan(other, rng)
	return x0, x1, err
}
