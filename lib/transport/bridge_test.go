package transport

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

func randomNormal(rng *rand.Rand, dim int) Normal {
	a := mat.NewDense(dim, dim, normals(rng, dim*dim))
	var c mat.Dense
	c.Mul(a, a.T())
	for d := range dim {
		c.Set(d, d, c.At(d, d)+0.2)
	}
	return Normal{normals(rng, dim), symmetric(&c)}
}

// The identity behind the method holds pair by pair: on samples of the true plan, the difference of losses is the mean of the
// log-ratio of plans.
func TestLossIsLogRatioOfPlans(t *testing.T) {
	problem, err := NewMixtureBenchmark(3, 5, 1, 0)
	require.NoError(t, err)
	rng := online.Seeded(0, "test")
	x, err := StandardNormal(500, 3, rng)
	require.NoError(t, err)
	y, err := problem.Truth.SamplePlan(x, rng)
	require.NoError(t, err)
	n := randomNormal(rng, 3)
	other, err := NewBridge(1, []Component{{0.2, n.Mean, n.Cov}, {-1, make([]float64, 3), mat.NewDiagDense(3, []float64{1, 2, 3})}})
	require.NoError(t, err)
	mean, losses := [2]float64{}, [2]float64{}
	for i, b := range []*Bridge{problem.Truth, other} {
		logs, err := b.LogPlan(x, y)
		require.NoError(t, err)
		mean[i] = floats.Sum(logs) / 500
		losses[i], err = b.Loss(x, y)
		require.NoError(t, err)
	}
	assert.InDelta(t, mean[0]-mean[1], losses[1]-losses[0], 1e-9)
}

// c(x) is the integral of exp(⟨x,y⟩/ε)v(y), and the drift is ε∇ log of the heat flow of v, by quadrature.
func TestQuadrature(t *testing.T) {
	b, err := NewBridge(0.3, []Component{{0.5, []float64{1}, mat.NewDiagDense(1, []float64{0.4})}, {-0.2, []float64{-0.7}, mat.NewDiagDense(1, []float64{1.5})}})
	require.NoError(t, err)
	const n = 40001
	grid := mat.NewDense(n, 1, nil)
	for i := range n {
		grid.Set(i, 0, -15+30*float64(i)/(n-1))
	}
	logV, err := b.LogPotential(grid)
	require.NoError(t, err)
	integral := func(f func(y float64) float64) float64 {
		logs := make([]float64, n)
		for i, v := range logV {
			logs[i] = v + f(grid.At(i, 0))
		}
		return floats.LogSumExp(logs) + math.Log(30.0/(n-1))
	}
	for _, x := range []float64{-1, 0.2, 2} {
		logC, err := b.LogNormalizer(mat.NewDense(1, 1, []float64{x}))
		require.NoError(t, err)
		assert.InDelta(t, integral(func(y float64) float64 { return x * y / 0.3 }), logC[0], 1e-9)
		for _, time := range []float64{0, 0.4, 0.9} {
			flow := func(x float64) float64 {
				return integral(func(y float64) float64 { return y*y/0.6 - (y-x)*(y-x)/(0.6*(1-time)) })
			}
			g, err := b.Drift(mat.NewDense(1, 1, []float64{x}), time)
			require.NoError(t, err)
			assert.InDelta(t, 0.3*(flow(x+1e-4)-flow(x-1e-4))/2e-4, g.At(0, 0), 1e-5)
		}
	}
}

func TestExponentsInTheThousands(t *testing.T) {
	b, err := NewBridge(0.002, []Component{{0, []float64{2, 2}, mat.NewDiagDense(2, []float64{1, 1})}, {0, []float64{-2, 2}, mat.NewDiagDense(2, []float64{0.1, 1e-9})}})
	require.NoError(t, err)
	x := mat.NewDense(2, 2, []float64{3, 3, -3, -3})
	for _, time := range []float64{0, 0.5, 0.999} {
		g, err := b.Drift(x, time)
		require.NoError(t, err)
		assert.False(t, floats.HasNaN(g.RawMatrix().Data))
	}
	loss, err := b.Loss(x, x)
	require.NoError(t, err)
	assert.False(t, math.IsNaN(loss) || math.IsInf(loss, 0))
	fits, err := LightSB{Components: 2, Epsilon: 0.002, Steps: 20, Float32: true, Batch: -1}.FitEach(context.Background(), backend.ForTest(t), []Task{{X0: x, X1: x}}, 0)
	require.NoError(t, err)
	assert.False(t, floats.HasNaN(fits[0].Losses))
}

// Each sample mean and covariance is within 6 of its standard errors: 15 comparisons, false alarm below 1e-7.
func TestSamplesHaveTheMomentsOfThePlan(t *testing.T) {
	b, x, _ := example(t)
	b = turned(t, b, rotation(0.7))
	const n = 20000
	for i := range 3 {
		want, err := b.ConditionalMoments(x.RawRowView(i))
		require.NoError(t, err)
		many := mat.NewDense(n, 2, nil)
		for r := range n {
			many.SetRow(r, x.RawRowView(i))
		}
		y, err := b.SamplePlan(many, online.Seeded(uint64(i), "test"))
		require.NoError(t, err)
		got, err := MomentsOf(y)
		require.NoError(t, err)
		for d := range 2 {
			assert.InDelta(t, want.Mean[d], got.Mean[d], 6*math.Sqrt(want.Cov.At(d, d)/n))
			for e := d; e < 2; e++ {
				var products []float64
				for r := range n {
					products = append(products, (y.At(r, d)-want.Mean[d])*(y.At(r, e)-want.Mean[e]))
				}
				mean, square := floats.Sum(products)/n, floats.Dot(products, products)/n
				assert.InDelta(t, want.Cov.At(d, e), mean, 6*math.Sqrt((square-mean*mean)/n))
			}
		}
	}
}

// Of the bridge of Gaussians the process is Gaussian: X_t has mean (1−t)x + t(r+Sx) and variance εt²S + εt(1−t). Paths,
// single times and the equation agree with it within 6 standard errors; the equation has besides a bias of its step below 0.01.
func TestProcessAgreesWithItsLaw(t *testing.T) {
	b, err := NewBridge(0.5, []Component{{0, []float64{1}, mat.NewDiagDense(1, []float64{1.4})}})
	require.NoError(t, err)
	const n, steps = 20000, 40
	x := mat.NewDense(n, 1, nil)
	for i := range n {
		x.Set(i, 0, 0.6)
	}
	rng := online.Seeded(0, "test")
	paths, err := b.SampleBridge(x, steps, rng)
	require.NoError(t, err)
	require.Len(t, paths, steps+1)
	simulated, err := b.SampleSDE(x, steps, rng)
	require.NoError(t, err)
	require.Len(t, simulated, steps+1)
	for _, i := range []int{0, 10, 30, steps} {
		time := float64(i) / steps
		single, err := b.SampleAt(x, time, rng)
		require.NoError(t, err)
		mean, variance := (1-time)*0.6+time*(1+1.4*0.6), 0.5*time*time*1.4+0.5*time*(1-time)
		for name, sample := range map[string]*mat.Dense{"path": paths[i], "time": single, "equation": simulated[i]} {
			bias := 0.0
			if name == "equation" {
				bias = 0.01
			}
			m, err := MomentsOf(sample)
			require.NoError(t, err)
			assert.InDelta(t, mean, m.Mean[0], 6*math.Sqrt(variance/n)+bias+1e-12, "%s at %g", name, time)
			assert.InDelta(t, variance, m.Cov.At(0, 0), 6*variance*math.Sqrt(2.0/n)+bias+1e-12, "%s at %g", name, time)
		}
	}
}

func TestFitFindsGaussians(t *testing.T) {
	rng := online.Seeded(0, "test")
	x0, err := StandardNormal(4000, 2, rng)
	require.NoError(t, err)
	x1 := times(mat.NewDense(4000, 2, normals(rng, 8000)), mat.NewDense(2, 2, []float64{1.2, 0.9, 0, 0.4}))
	exact, err := FitGaussian(x0, x1, 0.5)
	require.NoError(t, err)
	best, err := exact.Loss(x0, x1)
	require.NoError(t, err)
	b := backend.ForTest(t)
	fits, err := LightSB{Components: 1, Epsilon: 0.5, Full: true, Rate: 1e-2, Steps: 1500}.FitEach(context.Background(), b, []Task{{X0: x0, X1: x1}, {X0: x0, X1: x1, Rate: 5e-3}}, 1)
	require.NoError(t, err)
	want := exact.Components()[0]
	for _, f := range fits {
		got := f.Bridge.Components()[0]
		loss, err := f.Bridge.Loss(x0, x1)
		require.NoError(t, err)
		assert.InDelta(t, best, loss, 0.02)
		for i := range 2 {
			assert.InDelta(t, want.R[i], got.R[i], 0.06)
			for j := range 2 {
				assert.InDelta(t, want.S.At(i, j), got.S.At(i, j), 0.08)
			}
		}
		var gram mat.Dense
		gram.Mul(f.Bridge.parts[0].u.T(), f.Bridge.parts[0].u)
		assert.InDelta(t, 1, gram.At(0, 0), 1e-12)
		assert.InDelta(t, 0, gram.At(0, 1), 1e-12)
	}
	// A diagonal bridge cannot follow the correlation.
	fit, err := LightSB{Components: 1, Epsilon: 0.5, Rate: 1e-2, Steps: 1500}.Fit(context.Background(), b, x0, x1, 1)
	require.NoError(t, err)
	loss, err := fit.Bridge.Loss(x0, x1)
	require.NoError(t, err)
	assert.Greater(t, loss, best+0.1)
}

func TestFitsSideBySideAreThoseAlone(t *testing.T) {
	problem, err := NewMixtureBenchmark(2, 3, 1, 0)
	require.NoError(t, err)
	x0, x1, err := problem.Sample(300, online.Seeded(0, "test"))
	require.NoError(t, err)
	config := LightSB{Components: 4, Epsilon: 1, Scale: 1, Rate: 1e-2, Steps: 30, Batch: 16}
	b := backend.ForTest(t)
	both, err := config.FitEach(context.Background(), b, []Task{{X0: x0, X1: x1, Epsilon: 0.5}, {X0: x1, X1: x0, Rate: 3e-2}}, 7)
	require.NoError(t, err)
	config.Rate = 3e-2
	alone, err := config.Fit(context.Background(), b, x1, x0, 8)
	require.NoError(t, err)
	assert.InDeltaSlice(t, alone.Losses, both[1].Losses, 1e-9)
	again, err := config.Fit(context.Background(), b, x1, x0, 8)
	require.NoError(t, err)
	assert.InDeltaSlice(t, alone.Losses, again.Losses, 1e-9)
	assert.Equal(t, scan.Done, again.Status)
}

func TestCollapse(t *testing.T) {
	// One component on one point that is repeated: its variance shrinks without end. x averages to 0, so r stays there.
	x0 := mat.NewDense(8, 1, []float64{1, -1, 1, -1, 1, -1, 1, -1})
	x1 := mat.NewDense(8, 1, []float64{2, 2, 2, 2, 2, 2, 2, 2})
	fit, err := LightSB{Components: 1, Epsilon: 1, Rate: 0.5, Steps: 200, Batch: -1}.Fit(context.Background(), backend.ForTest(t), x0, x1, 0)
	require.ErrorIs(t, err, ErrCollapsed)
	assert.ErrorContains(t, err, "component 0 of fit 0 collapsed: log s on axis 0 is -20")
	var collapse *CollapseError
	require.ErrorAs(t, err, &collapse)
	assert.NotNil(t, fit.Bridge)
}

func TestErrorsNameTheValue(t *testing.T) {
	b, x, y := example(t)
	ctx, be := context.Background(), backend.ForTest(t)
	nan := mat.NewDense(2, 2, []float64{1, 2, math.NaN(), 3})
	one := func(_ any, err error) error { return err }
	fit := func(l LightSB, x0, x1 *mat.Dense) error { return one(l.Fit(ctx, be, x0, x1, 0)) }
	ok := LightSB{Components: 1, Epsilon: 1, Steps: 1}
	with := func(f func(l *LightSB)) LightSB { l := ok; f(&l); return l }
	rng := online.Seeded(0, "test")
	for want, err := range map[string]error{
		"Epsilon is 0, must be positive and finite":         fit(with(func(l *LightSB) { l.Epsilon = 0 }), x, y),
		"Epsilon is -1, must be positive":                   fit(with(func(l *LightSB) { l.Epsilon = -1 }), x, y),
		"Rate is -2, must be positive":                      fit(with(func(l *LightSB) { l.Rate = -2 }), x, y),
		"Components is 3, must be at most 2":                fit(with(func(l *LightSB) { l.Components = 3 }), x, y),
		"Components is -1, must be at least 1":              fit(with(func(l *LightSB) { l.Components = -1 }), x, y),
		"Steps is -1, must be at least 1":                   fit(with(func(l *LightSB) { l.Steps = -1 }), x, y),
		"Scale is -1, must be within":                       fit(with(func(l *LightSB) { l.Scale = -1 }), x, y),
		"X1 has 3 columns, must have 2":                     fit(ok, x, mat.NewDense(2, 3, nil)),
		"X0 is NaN at row 1, column 0, must be finite":      fit(ok, nan, y),
		"X1 is empty, must have at least 1 row":             fit(ok, x, nil),
		"there is no task":                                  one(ok.FitEach(ctx, be, nil, 0)),
		"fit 1: X0 is 2×2 and X1 is 2×2, must be 3×2":       one(ok.FitEach(ctx, be, []Task{{X0: x, X1: y}, {X0: y, X1: y}}, 0)),
		"Start has 2 components in 2 dimensions":            one(ok.FitEach(ctx, be, []Task{{X0: x, X1: y, Start: b}}, 0)),
		"eps is 0, must be positive":                        one(NewBridge(0, b.Components())),
		"S of component 0 has the eigenvalue -1, must be p": one(NewBridge(1, []Component{{0, []float64{1, 1}, mat.NewSymDense(2, []float64{1, 2, 2, 1})}})),
		"S of component 0 has the eigenvalue 0, must be po": one(NewBridge(1, []Component{{0, []float64{1}, mat.NewDiagDense(1, nil)}})),
		"S of component 0 has 1 rows, must have 2":          one(NewBridge(1, []Component{{0, []float64{1, 1}, mat.NewDiagDense(1, []float64{1})}})),
		"S of component 0 is nil":                           one(NewBridge(1, []Component{{0, []float64{1}, nil}})),
		"LogAlpha of component 0 is -Inf":                   one(NewBridge(1, []Component{{math.Inf(-1), []float64{1}, mat.NewDiagDense(1, []float64{1})}})),
		"there is no component":                             one(NewBridge(1, nil)),
		"Drift: t is 1, must be in [0, 1)":                  one(b.Drift(x, 1)),
		"SampleAt: t is 1.5, must be in [0, 1]":             one(b.SampleAt(x, 1.5, rng)),
		"SampleSDE: steps is 0":                             one(b.SampleSDE(x, 0, rng)),
		"SamplePlan: rng is nil":                            one(b.SamplePlan(x, nil)),
		"LogPotential: y is NaN at row 1":                   one(b.LogPotential(nan)),
		"LogPlan: y has 2 rows, must have 3":                one(b.LogPlan(x, y)),
		"Weights: x has 1 numbers, must have 2":             one(b.Weights([]float64{1})),
		"the covariance of p1 has the eigenvalue -1":        one(GaussianBridge(line(0, 1), Normal{[]float64{0}, mat.NewSymDense(1, []float64{-1})}, 1)),
		"weight 0 is -1, must be positive":                  one(FromClassicalPotential([]float64{-1}, [][]float64{{1}}, []mat.Symmetric{mat.NewDiagDense(1, []float64{1})}, 1)),
		"cov 0 has the eigenvalue -2":                       one(FromClassicalPotential([]float64{1}, [][]float64{{1}}, []mat.Symmetric{mat.NewDiagDense(1, []float64{-2})}, 1)),
		"Sinkhorn: eps is -1":                               one(Sinkhorn(x, y, -1, 1)),
		"variance is 0":                                     one(ConditionalBWUVP(b, b, x, 0)),
		"EnergyDistance: a is 1×2":                          one(EnergyDistance(mat.NewDense(1, 2, nil), x)),
		"NewMixtureBenchmark: dim is 0":                     one(NewMixtureBenchmark(0, 1, 1, 0)),
		"SwissRoll: n is 1 and noise is -1":                 one(SwissRoll(1, -1, rng)),
	} {
		assert.ErrorContains(t, err, want)
	}
	err := fit(LightSB{Components: -1, Epsilon: -1, Steps: -1}, x, y)
	assert.ErrorContains(t, err, "Components")
	assert.ErrorContains(t, err, "Epsilon")
	assert.ErrorContains(t, err, "Steps")
}

func TestInterrupted(t *testing.T) {
	_, x, y := example(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fit, err := LightSB{Components: 2, Epsilon: 1}.Fit(ctx, backend.ForTest(t), x, y, 0)
	require.NoError(t, err)
	assert.Equal(t, scan.Interrupted, fit.Status)
	assert.Less(t, len(fit.Losses), 10000)
}

func TestTrainerWantsItsSizes(t *testing.T) {
	_, x, y := example(t)
	b := backend.ForTest(t)
	trainer, err := LightSB{Components: 1, Epsilon: 1, Steps: 2}.Compile(b, []Task{{X0: x, X1: y}})
	require.NoError(t, err)
	_, err = trainer.Fit(context.Background(), nil, 0, 0)
	require.ErrorContains(t, err, "there are 0 tasks, must be 1")
	_, err = trainer.Fit(context.Background(), []Task{{X0: y, X1: y}}, 0, 0)
	require.Error(t, err)
	assert.False(t, errors.Is(err, ErrCollapsed))
	_, err = trainer.Fit(context.Background(), []Task{{X0: x, X1: y}}, -1, 0)
	require.ErrorContains(t, err, "steps is -1")
	fits, err := trainer.Fit(context.Background(), []Task{{X0: x, X1: y}}, 5, 0)
	require.NoError(t, err)
	assert.Len(t, fits[0].Losses, 5)
}

func TestInnerLoopsDoNotAllocate(t *testing.T) {
	b, x, _ := example(t)
	b = turned(t, b, rotation(0.7))
	w, m, g := b.workspace(), b.moment(0.5), make([]float64, 2)
	row := x.RawRowView(0)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		b.potential(w, row)
		b.normalizer(w, row)
		b.drift(g, w, row, m)
	}))
}

func TestNonFiniteLossKeepsTheLastBridge(t *testing.T) {
	_, x, y := example(t)
	fit, err := LightSB{Components: 2, Epsilon: 1, Rate: 1e200, Steps: 50}.Fit(context.Background(), backend.ForTest(t), x, y, 0)
	require.ErrorIs(t, err, scan.ErrNonFinite)
	require.NotNil(t, fit)
	assert.Equal(t, scan.NonFinite, fit.Status)
	assert.NotNil(t, fit.Bridge)
}

func TestBridgeThatNobodyMade(t *testing.T) {
	_, x, _ := example(t)
	var b Bridge
	_, errPlan := b.SamplePlan(x, online.Seeded(0, "test"))
	_, errDrift := b.Drift(x, 0)
	_, errLoss := b.Loss(x, x)
	_, errMoments := b.ConditionalMoments(nil)
	_, errGauss := b.GaussianLoss(line(0, 1), line(0, 1))
	_, errNaN := BuresWasserstein2(line(0, math.NaN()), line(0, 1))
	for _, err := range []error{errPlan, errDrift, errLoss, errMoments, errGauss} {
		assert.ErrorContains(t, err, "the bridge has 0 components")
	}
	assert.ErrorContains(t, errNaN, "the covariance is NaN at (0, 0)")
}
