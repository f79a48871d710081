package scan_test

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
	"github.com/stretchr/testify/require"
)

// descent is gradient descent on ½Σaᵢxᵢ².
var descent = scan.Loop{
	Name: "descent",
	Step: func(s *scan.Step) {
		x := s.Get("x")
		loss := MulScalar(ReduceAllSum(Mul(s.Input("a"), Square(x))), 0.5)
		s.Set("x", Sub(x, Mul(s.Input("lr"), Gradient(loss, x)[0])))
		s.Trace("loss", loss)
	},
}

func TestQuadratic(t *testing.T) {
	b := backend.ForTest(t)
	state := scan.Vars{"x": tensors.FromValue([]float64{1, -2, 3})}
	inputs := scan.Vars{"a": tensors.FromValue([]float64{1, 2, 0.5}), "lr": tensors.FromValue(0.1)}
	for _, mode := range []scan.Mode{scan.Fused, scan.Stepwise} {
		if mode == scan.Fused && !scan.CanFuse(b) {
			continue
		}
		t.Run(mode.String(), func(t *testing.T) {
			loop := descent
			loop.Mode = mode
			r, err := scan.Run(context.Background(), b, loop, state, inputs, 200, 1)
			require.NoError(t, err)
			x := tensors.MustCopyFlatData[float64](r.State["x"])
			for i, v := range []struct{ x, a float64 }{{1, 1}, {-2, 2}, {3, 0.5}} {
				require.InDelta(t, v.x*math.Pow(1-0.1*v.a, 200), x[i], 1e-12)
			}
			require.Equal(t, 200, r.Traces["loss"].Shape().Dim(0))
			loss := tensors.MustCopyFlatData[float64](r.Traces["loss"])
			require.InDelta(t, 0.5*(1+8+4.5), loss[0], 1e-12)
		})
	}
}

func TestDrawsAndBatches(t *testing.T) {
	b := backend.ForTest(t)
	rows := make([]int32, 10)
	for i := range rows {
		rows[i] = int32(i)
	}
	loop := scan.Loop{Step: func(s *scan.Step) {
		batch := s.Batch(3, "rows")[0]
		s.Trace("batch", batch)
		s.Trace("u", s.Uniform(shapes.Make(dtypes.Float32, 5)))
		s.Trace("n", s.Normal(shapes.Make(dtypes.Float64, 2, 2)))
		s.Trace("i", s.Integers(7, 3))
		s.Set("sum", Add(s.Get("sum"), ReduceAllSum(batch)))
	}}
	var first *scan.Result
	for _, mode := range []scan.Mode{scan.Fused, scan.Stepwise} {
		if mode == scan.Fused && !scan.CanFuse(b) {
			continue
		}
		loop.Mode = mode
		r, err := scan.Run(context.Background(), b, loop, scan.Vars{"sum": tensors.FromValue(int32(0))},
			scan.Vars{"rows": tensors.FromValue(rows)}, 7, 42)
		require.NoError(t, err)
		if first == nil {
			first = r
		}
		for name, want := range first.Traces {
			require.True(t, want.InDelta(r.Traces[name], 1e-12), name)
		}
		require.Equal(t, first.State["sum"].Value(), r.State["sum"].Value())
	}
}
