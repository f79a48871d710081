package transport

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
)

// example is a small bridge with two batches. Its numbers below are those of the official PyTorch code, and of its formulas in
// 40 decimal digits.
func example(t testing.TB) (b *Bridge, x, y *mat.Dense) {
	b, err := NewBridge(0.5, []Component{
		{math.Log(0.3), []float64{1, -0.5}, mat.NewDiagDense(2, []float64{0.5, 1})},
		{math.Log(0.7), []float64{0, 2}, mat.NewDiagDense(2, []float64{2, 0.25})},
	})
	require.NoError(t, err)
	return b, mat.NewDense(3, 2, []float64{0.2, -0.4, 1, 0.5, -1.5, 0}), mat.NewDense(2, 2, []float64{1.2, 0, -0.3, 1.8})
}

// turned is a bridge with every coordinate rotated: same numbers, but full covariances.
func turned(t testing.TB, b *Bridge, q *mat.Dense) *Bridge {
	var parts []Component
	for _, c := range b.Components() {
		var left, all mat.Dense
		left.Mul(q, c.S)
		all.Mul(&left, q.T())
		var r mat.VecDense
		r.MulVec(q, mat.NewVecDense(len(c.R), c.R))
		parts = append(parts, Component{c.LogAlpha, r.RawVector().Data, symmetric(&all)})
	}
	out, err := NewBridge(b.eps, parts)
	require.NoError(t, err)
	return out
}

func rotation(angle float64) *mat.Dense {
	s, c := math.Sincos(angle)
	return mat.NewDense(2, 2, []float64{c, -s, s, c})
}

func times(x *mat.Dense, q mat.Matrix) *mat.Dense {
	var out mat.Dense
	out.Mul(x, q)
	return &out
}

func TestClosedForms(t *testing.T) {
	b, x, y := example(t)
	for _, angle := range []float64{0, 0.7} {
		q := rotation(angle)
		if angle != 0 {
			b = turned(t, b, q)
			require.False(t, b.diagonal())
		}
		x, y := times(x, q.T()), times(y, q.T())
		logV, err := b.LogPotential(y)
		require.NoError(t, err)
		assert.InDeltaSlice(t, []float64{-2.332128922112, -1.359740936791}, logV, 1e-11)
		logC, err := b.LogNormalizer(x)
		require.NoError(t, err)
		assert.InDeltaSlice(t, []float64{-0.042194545989, 3.773448528664, 4.144054912421}, logC, 1e-11)
		loss, err := b.Loss(x, y)
		require.NoError(t, err)
		assert.InDelta(t, 4.471037894484068, loss, 1e-12)
		for i, want := range [][]float64{{0.833786205058, 0.166213794942}, {0.065387685524, 0.934612314476}, {0.00072959008, 0.99927040992}} {
			w, err := b.Weights(x.RawRowView(i))
			require.NoError(t, err)
			assert.InDeltaSlice(t, want, w, 1e-11)
		}
		m, err := b.ConditionalMoments(x.RawRowView(0))
		require.NoError(t, err)
		mean := times(mat.NewDense(1, 2, m.Mean), q)
		assert.InDeltaSlice(t, []float64{0.983650343541, -0.434601374164}, mean.RawRowView(0), 1e-11)
		cov := times(times(mat.DenseCopyOf(q.T()), m.Cov), q)
		assert.InDeltaSlice(t, []float64{0.442567863169, -0.271630067853, -0.271630067853, 1.524190098308}, cov.RawMatrix().Data, 1e-11)
		for time, want := range map[float64][]float64{
			0:   {0.783650343541, -0.034601374164, 0.967306157238, 1.486051168262, -1.497628832242, 1.998176024802},
			0.5: {1.194726310538, -0.479333729422, 0.666666666667, 1.351504569079, -0.983889191671, 3.182117002755},
			0.9: {1.63636305757, -0.499997135737, 0.905089038489, -0.442498121788, 0.94136844511, 3.253843425865},
		} {
			g, err := b.Drift(x, time)
			require.NoError(t, err)
			assert.InDeltaSlice(t, want, times(g, q).RawMatrix().Data, 1e-11, "t = %g", time)
		}
	}
}

func TestLossMatchesBridge(t *testing.T) {
	// The first losses, the parameters after three steps of Adam on all rows: gradients enter through them.
	b, x, y := example(t)
	fits, err := LightSB{Components: 2, Epsilon: 0.5, Rate: 1e-2, Steps: 3, Batch: -1}.FitEach(context.Background(), backend.ForTest(t), []Task{{X0: x, X1: y, Start: b}}, 0)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{4.471037894484, 4.411804901895, 4.35344241101}, fits[0].Losses, 1e-10)
	after := fits[0].Bridge
	loss, err := after.Loss(x, y)
	require.NoError(t, err)
	assert.InDelta(t, 4.295987873946, loss, 1e-10)
	for k, c := range after.Components() {
		assert.InDelta(t, []float64{-0.572000073567, -0.208323800565}[k], 0.5*c.LogAlpha, 1e-10)
		assert.InDeltaSlice(t, [][]float64{{1.029883177545, -0.470008370368}, {0.029984274939, 1.970035367355}}[k], c.R, 1e-10)
		for d, want := range [][]float64{{-0.723162866134, -0.030018337485}, {0.663158461245, -1.416321234606}}[k] {
			assert.InDelta(t, want, math.Log(c.S.At(d, d)), 1e-10)
		}
	}
}

func TestGaussianBridgeOfOneDimension(t *testing.T) {
	for _, c := range []struct{ sigma0, sigma1, eps, s, cross float64 }{
		{1, 2, 1, 1.5615528128088303, 1.5615528128088303},
		{1, 1, 0.1, 0.9512492197250393, 0.9512492197250393},
		{2, 0.5, 4, 0.05901699437494745, 0.2360679774997898},
	} {
		g, err := GaussianBridge(line(0, c.sigma0), line(0, c.sigma1), c.eps)
		require.NoError(t, err)
		assert.InDelta(t, c.s, g.S.At(0, 0), 1e-14)
		assert.InDelta(t, c.cross, g.Cross.At(0, 0), 1e-14)
		b, err := g.Bridge()
		require.NoError(t, err)
		g1, err := b.Drift(mat.NewDense(1, 1, []float64{0.7}), 0.3)
		require.NoError(t, err)
		assert.InDelta(t, (c.s-1)*0.7/(1+0.3*(c.s-1)), g1.At(0, 0), 1e-13)
	}
}

func line(mean, sigma float64) Normal {
	return Normal{[]float64{mean}, mat.NewSymDense(1, []float64{sigma * sigma})}
}

func TestLossIsDivergenceOfPlans(t *testing.T) {
	p0, p1 := line(0, 1), line(1.5, 2)
	g, err := GaussianBridge(p0, p1, 1)
	require.NoError(t, err)
	best, err := g.Bridge()
	require.NoError(t, err)
	other, err := NewBridge(1, []Component{{0, []float64{1.5}, mat.NewDiagDense(1, []float64{1})}})
	require.NoError(t, err)
	least, err := best.GaussianLoss(p0, p1)
	require.NoError(t, err)
	loss, err := other.GaussianLoss(p0, p1)
	require.NoError(t, err)
	kl, err := other.GaussianKL(best, p0)
	require.NoError(t, err)
	assert.InDelta(t, 3.203331705519844, least, 1e-13)
	assert.InDelta(t, 3.4189385332046727, loss, 1e-13)
	assert.InDelta(t, 0.2156068276848, kl, 1e-12)
	assert.InDelta(t, loss-least, kl, 1e-13)
}

func TestLossIsDivergenceOfGaussianPlansInThreeDimensions(t *testing.T) {
	rng := online.Seeded(3, "test")
	p0, p1 := randomNormal(rng, 3), randomNormal(rng, 3)
	g, err := GaussianBridge(p0, p1, 0.7)
	require.NoError(t, err)
	var sc, residual mat.Dense // S C0 S + εS = C1
	sc.Mul(g.S, p0.Cov)
	residual.Mul(&sc, g.S)
	for i := range 3 {
		for j := range 3 {
			assert.InDelta(t, p1.Cov.At(i, j), residual.At(i, j)+0.7*g.S.At(i, j), 1e-10)
		}
	}
	best, err := g.Bridge()
	require.NoError(t, err)
	n := randomNormal(rng, 3)
	other, err := NewBridge(0.7, []Component{{0.3, n.Mean, n.Cov}})
	require.NoError(t, err)
	least, err := best.GaussianLoss(p0, p1)
	require.NoError(t, err)
	loss, err := other.GaussianLoss(p0, p1)
	require.NoError(t, err)
	kl, err := other.GaussianKL(best, p0)
	require.NoError(t, err)
	assert.InEpsilon(t, loss-least, kl, 1e-10)
	assert.Positive(t, kl)
}

func TestFromClassicalPotential(t *testing.T) {
	b, err := FromClassicalPotential([]float64{0.4}, [][]float64{{2, -1}}, []mat.Symmetric{mat.NewDiagDense(2, []float64{0.5, 2})}, 0.7)
	require.NoError(t, err)
	c := b.Components()[0]
	assert.InDeltaSlice(t, []float64{0.416666666667, 0.740740740741}, []float64{c.S.At(0, 0), c.S.At(1, 1)}, 1e-11)
	assert.InDeltaSlice(t, []float64{1.166666666667, -0.259259259259}, c.R, 1e-11)

	// v(y)·exp(‖y‖²/2ε) is the mixture again, with covariances of any direction.
	rng := online.Seeded(4, "test")
	n, m := randomNormal(rng, 2), randomNormal(rng, 2)
	betas := []float64{0.4, 1.1}
	b, err = FromClassicalPotential(betas, [][]float64{n.Mean, m.Mean}, []mat.Symmetric{n.Cov, m.Cov}, 0.7)
	require.NoError(t, err)
	y := mat.NewDense(5, 2, normals(rng, 10))
	logV, err := b.LogPotential(y)
	require.NoError(t, err)
	for i, v := range logV {
		phi := 0.0
		for k, c := range []Normal{n, m} {
			at, err := NewBridge(1, []Component{{math.Log(betas[k]), c.Mean, c.Cov}})
			require.NoError(t, err)
			one, err := at.LogPotential(y.Slice(i, i+1, 0, 2).(*mat.Dense))
			require.NoError(t, err)
			phi += math.Exp(one[0])
		}
		norm := mat.Norm(y.RowView(i), 2)
		assert.InDelta(t, math.Log(phi), v+norm*norm/1.4, 1e-11)
	}
}
