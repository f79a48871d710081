package transport

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/online"
)

func TestBuresWasserstein(t *testing.T) {
	// Of commuting covariances it is ½‖m−m̂‖² + ½Σ(√c−√ĉ)².
	got, err := BuresWasserstein2(line(1, 3), line(-1, 0.5))
	require.NoError(t, err)
	assert.InDelta(t, 2+2.5*2.5/2, got, 1e-12)
	rng := online.Seeded(0, "test")
	for range 20 {
		a, b := randomNormal(rng, 4), randomNormal(rng, 4)
		ab, err := BuresWasserstein2(a, b)
		require.NoError(t, err)
		ba, err := BuresWasserstein2(b, a)
		require.NoError(t, err)
		assert.InDelta(t, ab, ba, 1e-9)
		assert.Positive(t, ab)
		self, err := BuresWasserstein2(a, a)
		require.NoError(t, err)
		assert.InDelta(t, 0, self, 1e-9)
	}
	singular := Normal{make([]float64, 2), mat.NewSymDense(2, []float64{1, 1, 1, 1})}
	got, err = BuresWasserstein2(singular, singular)
	require.NoError(t, err)
	assert.InDelta(t, 0, got, 1e-7)
}

func TestConditionalBWUVP(t *testing.T) {
	problem, err := NewMixtureBenchmark(2, 5, 1, 0)
	require.NoError(t, err)
	rng := online.Seeded(0, "test")
	x0, x1, err := problem.Sample(3000, rng)
	require.NoError(t, err)
	m, err := MomentsOf(x1)
	require.NoError(t, err)
	self, err := ConditionalBWUVP(problem.Truth, problem.Truth, x0, mat.Trace(m.Cov))
	require.NoError(t, err)
	assert.InDelta(t, 0, self, 1e-9)
	gauss, err := FitGaussian(x0, x1, 1)
	require.NoError(t, err)
	normal, err := ConditionalBWUVP(gauss, problem.Truth, x0, mat.Trace(m.Cov))
	require.NoError(t, err)
	alone, err := ConditionalBWUVP(Independent{m}, problem.Truth, x0, mat.Trace(m.Cov))
	require.NoError(t, err)
	assert.Greater(t, alone, normal)
	assert.Greater(t, normal, 1.0)
	_, err = ConditionalBWUVP(Independent{m}, problem.Truth, mat.NewDense(2, 3, nil), 1)
	assert.Error(t, err)
}

func TestEnergyDistance(t *testing.T) {
	a := mat.NewDense(2, 1, []float64{0, 1})
	b := mat.NewDense(3, 1, []float64{2, 4, 5})
	// 2·(2+4+5+1+3+4)/6 − 2·1/2 − 2·(2+3+1)/6
	got, err := EnergyDistance(a, b)
	require.NoError(t, err)
	assert.InDelta(t, 19.0/3-1-2, got, 1e-12)
}

func TestSinkhorn(t *testing.T) {
	// At convergence both marginals are right; between samples of Gaussians the cost is near that of the exact plan.
	rng := online.Seeded(0, "test")
	x, err := StandardNormal(200, 1, rng)
	require.NoError(t, err)
	y, err := StandardNormal(150, 1, rng)
	require.NoError(t, err)
	p, err := Sinkhorn(x, y, 0.5, 0)
	require.NoError(t, err)
	assert.Less(t, p.Gap, 1e-9)
	assert.Less(t, p.Sweeps, 500)
	columns := make([]float64, 150)
	for i := range 200 {
		for j := range 150 {
			d := x.At(i, 0) - y.At(j, 0)
			columns[j] += math.Exp(p.f[i]+p.g[j]-d*d) / 200
		}
	}
	for _, c := range columns {
		assert.InDelta(t, 1, c, 1e-9)
	}
	means, err := p.Barycenter(x)
	require.NoError(t, err)
	for i := range 200 {
		m, err := p.ConditionalMoments(x.RawRowView(i))
		require.NoError(t, err)
		assert.InDelta(t, m.Mean[0], means.At(i, 0), 1e-12)
	}
	// Two points far apart: each goes to its own.
	two, err := Sinkhorn(mat.NewDense(2, 1, []float64{0, 10}), mat.NewDense(2, 1, []float64{11, 1}), 0.1, 50)
	require.NoError(t, err)
	to, err := two.Barycenter(mat.NewDense(2, 1, []float64{-1, 9}))
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{1, 11}, to.RawMatrix().Data, 1e-9)
}

func TestProblems(t *testing.T) {
	problem, err := NewMixtureBenchmark(16, 5, 1, 2)
	require.NoError(t, err)
	again, err := NewMixtureBenchmark(16, 5, 1, 2)
	require.NoError(t, err)
	for k, c := range problem.Truth.Components() {
		// r = εSΣ⁻¹μ = μ/2 at ε = 1 and Σ = I.
		assert.InDelta(t, 2.5, mat.Norm(mat.NewVecDense(16, c.R), 2), 1e-12)
		assert.Equal(t, c.R, again.Truth.Components()[k].R)
	}
	roll, err := SwissRoll(500, 0, online.Seeded(0, "test"))
	require.NoError(t, err)
	for i := range 500 {
		r := mat.Norm(roll.RowView(i), 2) * 7.5
		assert.InDelta(t, r*math.Cos(r)/7.5, roll.At(i, 0), 1e-9)
		assert.LessOrEqual(t, r, 4.5*math.Pi)
		assert.GreaterOrEqual(t, r, 1.5*math.Pi)
	}
}
