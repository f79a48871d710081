package transport

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
)

// The paper's claims at a size for tests: accurate on a mixture in two dimensions, much better than its rivals, and better
// with five components than with two.
func TestMixtureIsFound(t *testing.T) {
	problem, err := NewMixtureBenchmark(2, 5, 1, 0)
	require.NoError(t, err)
	x0, x1, err := problem.Sample(1<<14, online.Seeded(0, "training samples"))
	require.NoError(t, err)
	target, err := MomentsOf(x1)
	require.NoError(t, err)
	test, err := StandardNormal(500, 2, online.Seeded(0, "test points"))
	require.NoError(t, err)
	uvp := func(p Plan) float64 {
		u, err := ConditionalBWUVP(p, problem.Truth, test, mat.Trace(target.Cov))
		require.NoError(t, err)
		return u
	}
	fit := func(k int) *Bridge {
		f, err := LightSB{Components: k, Epsilon: 1, Scale: 1, Rate: 1e-2, Steps: 2000}.Fit(context.Background(), backend.ForTest(t), x0, x1, 0)
		require.NoError(t, err)
		return f.Bridge
	}
	light, two, five := fit(20), fit(2), fit(5)
	assert.LessOrEqual(t, uvp(light), 0.3)
	gauss, err := FitGaussian(x0, x1, 1)
	require.NoError(t, err)
	assert.LessOrEqual(t, uvp(light), 0.15*uvp(gauss))
	assert.LessOrEqual(t, uvp(light), 0.02*uvp(Independent{target}))
	assert.LessOrEqual(t, uvp(five), 0.4)
	assert.LessOrEqual(t, uvp(five), 0.1*uvp(two))

	fresh0, fresh1, err := problem.Sample(50000, online.Seeded(0, "fresh samples"))
	require.NoError(t, err)
	loss, err := light.Loss(fresh0, fresh1)
	require.NoError(t, err)
	least, err := problem.Truth.Loss(fresh0, fresh1)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, loss-least, -0.005)
	assert.LessOrEqual(t, loss-least, 0.05)
}

func TestSwissRollIsFollowed(t *testing.T) {
	sample := func(purpose string, n int) (x0, x1 *mat.Dense) {
		rng := online.Seeded(0, purpose)
		x0, err := StandardNormal(n, 2, rng)
		require.NoError(t, err)
		x1, err = SwissRoll(n, 0.8, rng)
		require.NoError(t, err)
		return x0, x1
	}
	x0, x1 := sample("training samples", 1<<14)
	test0, test1 := sample("test samples", 2000)
	f, err := LightSB{Components: 50, Epsilon: 0.1, Rate: 1e-2, Steps: 2000}.Fit(context.Background(), backend.ForTest(t), x0, x1, 0)
	require.NoError(t, err)
	y, err := f.Bridge.SamplePlan(test0, online.Seeded(0, "plan"))
	require.NoError(t, err)
	path, err := f.Bridge.SampleSDE(test0, 100, online.Seeded(0, "equation"))
	require.NoError(t, err)
	distance, err := EnergyDistance(y, test1)
	require.NoError(t, err)
	assert.LessOrEqual(t, distance, 0.006)
	apart, err := EnergyDistance(y, path[100])
	require.NoError(t, err)
	assert.LessOrEqual(t, apart, 0.005)
}
