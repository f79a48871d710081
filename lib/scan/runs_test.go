package scan_test

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/hindsight-go/hindsight/lib/scan"
	"github.com/stretchr/testify/require"
)

// noisyDescent is SGD on ½Σx² with noisy gradients and random labels, for one run or, with lead, for several along a
// leading axis: the same algebra, with draws for Each and a learning rate a run.
func noisyDescent(runs int) scan.Loop {
	return scan.Loop{Name: "noisy", Runs: runs, Step: func(s *scan.Step) {
		noiseShape := shapes.Make(dtypes.Float64, 3)
		var noise, pick, rows *Node
		lr := s.Input("lr")
		if runs == 0 {
			noise, pick, rows = s.Normal(noiseShape), s.Integers(5, 3), s.Batch(2, "data")[0]
		} else {
			noise, pick, rows = s.NormalEach(noiseShape), s.IntegersEach(5, 3), s.BatchEach(2, "data")[0]
			lr = ExpandAxes(lr, -1) // [runs, 1]
		}
		x := s.Get("x")
		g := Add(Add(x, noise), MulScalar(ConvertDType(pick, dtypes.Float64), 0.1))
		g = Add(g, ReduceMean(rows, -2)) // the mean of the minibatch
		s.Set("x", Sub(x, Mul(lr, g)))
		s.Trace("x", s.Get("x"))
	}}
}

// 20 seeds in one program are 20 programs.
func TestRunsAreSingleRuns(t *testing.T) {
	const runs = 20
	data := tensors.FromValue([][]float64{{1, 2, 3}, {4, 5, 6}, {-7, 8, 9}, {0, 1, 0}, {2, 2, 2}})
	lrs := make([]float64, runs)
	for i := range lrs {
		lrs[i] = 0.01 * float64(1+i%4) // a grid of 4 learning rates beside 5 seeds each
	}
	everyWay(t, func(t *testing.T, w way) {
		together := w.run(t, noisyDescent(runs), scan.Vars{"x": tensors.FromShape(shapes.Make(dtypes.Float64, runs, 3))},
			scan.Vars{"data": data, "lr": tensors.FromValue(lrs)}, 10, 100)
		all := floats(t, together.State["x"])
		state := scan.Vars{"x": tensors.FromShape(shapes.Make(dtypes.Float64, 3))}
		p := w.compile(t, noisyDescent(0), state, scan.Vars{"data": data, "lr": tensors.FromValue(0.0)})
		for _, run := range []int{0, 1, 7, 19} {
			alone, err := p.Run(background, state, scan.Vars{"data": data, "lr": tensors.FromValue(lrs[run])}, 10, 100+int64(run))
			require.NoError(t, err)
			for i, x := range floats(t, alone.State["x"]) {
				require.InDelta(t, x, all[3*run+i], 1e-12)
			}
		}
	})
}

// Plain draws of a loop with Runs are those of the first run: common random numbers.
func TestPlainDrawsAreTheFirstRuns(t *testing.T) {
	shape := shapes.Make(dtypes.Float64, 2)
	loop := scan.Loop{Runs: 3, Step: func(s *scan.Step) {
		if s.Names()[0] == "each" {
			s.Trace("draw", Squeeze(Slice(s.UniformEach(shape), AxisElem(0)), 0))
		} else {
			s.Trace("draw", s.Uniform(shape))
		}
	}}
	everyWay(t, func(t *testing.T, w way) {
		each := w.run(t, loop, scan.Vars{"each": tensors.FromValue(0.0)}, nil, 3, 5)
		plain := w.run(t, loop, scan.Vars{"plain": tensors.FromValue(0.0)}, nil, 3, 5)
		require.Equal(t, each.Traces["draw"].Value(), plain.Traces["draw"].Value())
	})
}
