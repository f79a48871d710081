package transport

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Plan is a coupling of which mean and covariance of y given x are known.
type Plan interface {
	ConditionalMoments(x []float64) (Normal, error)
}

var (
	_ Plan = (*Bridge)(nil)
	_ Plan = (*SinkhornPlan)(nil)
	_ Plan = Independent{}
)

// Independent is the coupling in which y ~ p1 does not depend on x: the baseline that moves everything anywhere.
type Independent struct {
	Target Normal // moments of p1
}

// ConditionalMoments are those of p1.
func (p Independent) ConditionalMoments(x []float64) (Normal, error) {
	return p.Target, errors.Join(checkPoint("Independent", x, len(p.Target.Mean)), p.Target.check("Independent", len(x)))
}

// BuresWasserstein2 is the squared Bures–Wasserstein distance with the paper's factors,
//
//	½‖m−m̂‖² + ½ tr C + ½ tr Ĉ − tr (C^½ Ĉ C^½)^½
//
// which is half the squared 2-Wasserstein distance of two Gaussians. Covariances may be singular.
func BuresWasserstein2(a, b Normal) (float64, error) {
	dim := len(a.Mean)
	if err := errors.Join(a.check("BuresWasserstein2", dim), b.check("BuresWasserstein2", dim)); err != nil {
		return 0, err
	}
	half, err := root(a.Cov)
	if err != nil {
		return 0, err
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sandwich(half, b.Cov), false) {
		return 0, errors.New("transport: BuresWasserstein2: the eigenvalues of a product of covariances could not be computed")
	}
	cross := 0.0
	for _, v := range eigen.Values(nil) {
		cross += math.Sqrt(math.Max(v, 0))
	}
	shift := floats.Distance(a.Mean, b.Mean, 2)
	return shift*shift/2 + (mat.Trace(a.Cov)+mat.Trace(b.Cov))/2 - cross, nil
}

// ConditionalBWUVP is cBW²-UVP, in percent: how far the conditional moments of a plan are from the true ones, in units of the
// spread of p1:
//
//	100/(½ Var p1) · mean over rows x of BW²(π̂(·|x), π*(·|x))
//
// variance is Var p1, the trace of its covariance, and positive.
//
// Source: Gushchin et al. (2023), Building the Bridge of Schrödinger.
func ConditionalBWUVP(plan, truth Plan, x *mat.Dense, variance float64) (float64, error) {
	err := checkSamples("ConditionalBWUVP", "x", x, 0)
	if !(variance > 0) || math.IsInf(variance, 1) {
		err = errors.Join(err, fmt.Errorf("transport: ConditionalBWUVP: variance is %g, must be positive and finite", variance))
	}
	if plan == nil || truth == nil {
		err = errors.Join(err, errors.New("transport: ConditionalBWUVP: a plan is nil"))
	}
	if err != nil {
		return 0, err
	}
	n, _ := x.Dims()
	distances, once := make([]float64, n), sync.Once{}
	inParallel(n, func(from, to int) {
		for i := from; i < to; i++ {
			a, errA := plan.ConditionalMoments(x.RawRowView(i))
			b, errB := truth.ConditionalMoments(x.RawRowView(i))
			e := errors.Join(errA, errB)
			if e == nil {
				distances[i], e = BuresWasserstein2(a, b)
			}
			if e != nil {
				once.Do(func() { err = e })
				return
			}
		}
	})
	return 100 / (variance / 2) * floats.Sum(distances) / float64(n), err
}

// EnergyDistance is 2E‖a−b‖ − E‖a−a'‖ − E‖b−b'‖ of two samples, each of at least 2 rows, unbiased: of two samples of one
// distribution it is 0 on average, and may be negative.
//
// Source: Székely, Rizzo (2013), Energy statistics.
func EnergyDistance(a, b *mat.Dense) (float64, error) {
	if err := errors.Join(checkSamples("EnergyDistance", "a", a, 0), checkSamples("EnergyDistance", "b", b, 0)); err != nil {
		return 0, err
	}
	n, dim := a.Dims()
	m, dimB := b.Dims()
	if n < 2 || m < 2 || dim != dimB {
		return 0, fmt.Errorf("transport: EnergyDistance: a is %d×%d and b is %d×%d, must have at least 2 rows and the same columns", n, dim, m, dimB)
	}
	return 2*meanDistance(a, b, n*m) - meanDistance(a, a, n*(n-1)) - meanDistance(b, b, m*(m-1)), nil
}

// meanDistance sums the distances of all pairs of rows, and divides.
func meanDistance(a, b *mat.Dense, pairs int) float64 {
	n, _ := a.Dims()
	m, _ := b.Dims()
	sums := make([]float64, n)
	inParallel(n, func(from, to int) {
		for i := from; i < to; i++ {
			row := a.RawRowView(i)
			for j := range m {
				square := 0.0
				for d, v := range b.RawRowView(j) {
					square += (v - row[d]) * (v - row[d])
				}
				sums[i] += math.Sqrt(square)
			}
		}
	})
	return floats.Sum(sums) / float64(pairs)
}

// TransportCost is the mean of ½‖x−y‖² over pairs of rows.
func TransportCost(x, y *mat.Dense) (float64, error) { //nolint:revive // the metric's name
	if err := errors.Join(checkSamples("TransportCost", "x", x, 0), checkSamples("TransportCost", "y", y, 0)); err != nil {
		return 0, err
	}
	n, dim := x.Dims()
	if m, dimY := y.Dims(); m != n || dimY != dim {
		return 0, fmt.Errorf("transport: TransportCost: y is %d×%d, must be %d×%d like x", m, dimY, n, dim)
	}
	var diff mat.Dense
	diff.Sub(x, y)
	norm := mat.Norm(&diff, 2)
	return norm * norm / 2 / float64(n), nil
}
