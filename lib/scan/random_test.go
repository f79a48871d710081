package scan_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// draws runs some steps that only draw.
func draws(t testing.TB, seed int64, steps int, draw func(s *scan.Step) *Node) *tensors.Tensor {
	t.Helper()
	r, err := scan.Run(background, backend.ForTest(t), scan.Loop{Step: func(s *scan.Step) { s.Trace("draw", draw(s)) }},
		scan.Vars{"none": tensors.FromValue(float32(0))}, nil, steps, seed)
	require.NoError(t, err)
	return r.Traces["draw"]
}

// falseAlarm is the chance that a statistical test of this file fails for a right generator and a fresh seed. The seeds
// are fixed, so that they pass or fail for good.
const falseAlarm = 1e-6

// chiSquared tests counts in equal bins.
func chiSquared(t testing.TB, counts []int) {
	t.Helper()
	total := 0
	for _, c := range counts {
		total += c
	}
	want := float64(total) / float64(len(counts))
	sum := 0.0
	for _, c := range counts {
		sum += (float64(c) - want) * (float64(c) - want) / want
	}
	limit := distuv.ChiSquared{K: float64(len(counts) - 1)}
	require.Less(t, sum, limit.Quantile(1-falseAlarm/2))
	require.Greater(t, sum, limit.Quantile(falseAlarm/2), "too even")
}

func TestUniform(t *testing.T) {
	for _, seed := range []int64{0, 1, -5, math.MaxInt64} {
		v32 := tensors.MustCopyFlatData[float32](draws(t, seed, 20, func(s *scan.Step) *Node {
			return s.Uniform(shapes.Make(dtypes.Float32, 1001)) // odd: half the block is dropped
		}))
		v64 := floats(t, draws(t, seed, 20, func(s *scan.Step) *Node { return s.Uniform(shapes.Make(dtypes.Float64, 7, 143)) }))
		values := v64
		for _, v := range v32 {
			values = append(values, float64(v))
		}
		counts, pairs := make([]int, 100), make([]int, 64)
		for i, v := range values {
			require.GreaterOrEqual(t, v, 0.0)
			require.Less(t, v, 1.0)
			counts[int(v*100)]++
			if i%2 == 1 {
				pairs[int(v*8)*8+int(values[i-1]*8)]++ // neighbours are independent
			}
		}
		chiSquared(t, counts)
		chiSquared(t, pairs)
	}
}

func TestNormal(t *testing.T) {
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		v := draws(t, 11, 20, func(s *scan.Step) *Node {
			return ConvertDType(s.Normal(shapes.Make(dtype, 999)), dtypes.Float64)
		})
		counts := make([]int, 50)
		for _, x := range floats(t, v) {
			counts[int(50*distuv.UnitNormal.CDF(x))]++
		}
		chiSquared(t, counts)
	}
}

func TestIntegers(t *testing.T) {
	for _, n := range []int{1, 2, 7, 1000} {
		v := tensors.MustCopyFlatData[int32](draws(t, 5, 10, func(s *scan.Step) *Node { return s.Integers(n, 3, 337) }))
		counts := make([]int, n)
		for _, i := range v {
			counts[i]++ // panics where out of range
		}
		if n > 1 {
			chiSquared(t, counts)
		}
	}
}

// Draws differ between the calls of a step and between steps, and a scalar is a draw like any other.
func TestDrawsDiffer(t *testing.T) {
	v := floats(t, draws(t, 1, 50, func(s *scan.Step) *Node {
		one := func() *Node { return ConvertDType(s.Uniform(shapes.Make(dtypes.Float32)), dtypes.Float64) }
		return Stack([]*Node{one(), one(), s.Uniform(shapes.Make(dtypes.Float64)), s.Normal(shapes.Make(dtypes.Float64))}, 0)
	}))
	seen := make(map[float64]bool)
	for _, x := range v {
		require.False(t, seen[x], "%v twice", x)
		seen[x] = true
	}
}

// A stream with a long way behind it is the same stream: draws depend on the step's number, beyond 2³² too.
func TestDrawsOfLateSteps(t *testing.T) {
	b := backend.ForTest(t)
	loop := scan.Loop{Step: func(s *scan.Step) {
		s.Trace("draw", s.Uniform(shapes.Make(dtypes.Float64)))
		s.Trace("count", s.Count())
	}}
	state := scan.Vars{"none": tensors.FromValue(float32(0))}
	p, err := scan.Compile(b, loop, state, nil)
	require.NoError(t, err)
	defer p.Finalize()
	seen := make(map[float64]bool)
	for _, done := range []int{0, 1, 1 << 32, 1<<32 + 1, 1 << 40} {
		r, err := p.Resume(background, &scan.Result{State: state, Steps: done, Seed: 9}, nil, 1)
		require.NoError(t, err)
		require.Equal(t, []int64{int64(done) + 1}, r.Traces["count"].Value())
		x := floats(t, r.Traces["draw"])[0]
		require.False(t, seen[x])
		seen[x] = true
	}
}
