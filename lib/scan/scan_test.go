package scan_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
	"github.com/stretchr/testify/require"
)

var background = context.Background()

// way is a backend and a mode that it can run.
type way struct {
	b    compute.Backend
	mode scan.Mode
}

// ways lists the test backend's modes, and the pure-Go backend.
func ways(t testing.TB) map[string]way {
	t.Helper()
	b := backend.ForTest(t)
	all := map[string]way{"stepwise": {b, scan.Stepwise}}
	if scan.CanFuse(b) {
		all["fused"] = way{b, scan.Fused}
		pureGo, err := backend.Open(backend.With(backend.PureGo))
		require.NoError(t, err)
		all["pure Go"] = way{pureGo, scan.Stepwise}
	}
	return all
}

// everyWay runs the test in each of them.
func everyWay(t *testing.T, test func(t *testing.T, w way)) {
	for name, w := range ways(t) {
		t.Run(name, func(t *testing.T) { test(t, w) })
	}
}

func (w way) run(t testing.TB, loop scan.Loop, state, inputs scan.Vars, steps int, seed int64) *scan.Result {
	t.Helper()
	loop.Mode = w.mode
	r, err := scan.Run(background, w.b, loop, state, inputs, steps, seed)
	require.NoError(t, err)
	require.Equal(t, scan.Done, r.Status)
	require.Equal(t, steps, r.Steps)
	require.Equal(t, w.mode, r.Mode)
	require.Equal(t, "asked for", r.Why)
	return r
}

func (w way) compile(t testing.TB, loop scan.Loop, state, inputs scan.Vars) *scan.Program {
	t.Helper()
	loop.Mode = w.mode
	p, err := scan.Compile(w.b, loop, state, inputs)
	require.NoError(t, err)
	t.Cleanup(p.Finalize)
	return p
}

func floats(t testing.TB, v *tensors.Tensor) []float64 {
	t.Helper()
	require.NotNil(t, v)
	return tensors.MustCopyFlatData[float64](v)
}

// requireClose compares states and traces.
func requireClose(t testing.TB, want, got *scan.Result, tolerance float64) {
	t.Helper()
	require.Len(t, got.State, len(want.State))
	for name, v := range want.State {
		require.True(t, v.InDelta(got.State[name], tolerance), "state %q:\n%v\n%v", name, v, got.State[name])
	}
	require.Len(t, got.Traces, len(want.Traces))
	for name, v := range want.Traces {
		require.True(t, v.InDelta(got.Traces[name], tolerance), "trace %q:\n%v\n%v", name, v, got.Traces[name])
	}
}

// descent is gradient descent on ½Σaᵢxᵢ²: xᵢ after k steps is (1-lr·aᵢ)ᵏ of what it was.
var descent = scan.Loop{
	Name: "descent",
	Step: func(s *scan.Step) {
		x := s.Get("x")
		loss := MulScalar(ReduceAllSum(Mul(s.Input("a"), Square(x))), 0.5)
		s.Trace("loss", loss)
		s.Trace("step", s.Count())
		s.Set("x", Sub(x, Mul(s.Input("lr"), Gradient(loss, x)[0])))
	},
}

var (
	start     = []float64{1, -2, 3}
	curvature = []float64{1, 2, 0.5}
)

func descentVars(lr float64) (state, inputs scan.Vars) {
	return scan.Vars{"x": tensors.FromValue(start)},
		scan.Vars{"a": tensors.FromValue(curvature), "lr": tensors.FromValue(lr)}
}

// lossAt is the loss that step number k sees.
func lossAt(lr float64, k int) float64 {
	loss := 0.0
	for i, a := range curvature {
		x := start[i] * math.Pow(1-lr*a, float64(k-1))
		loss += 0.5 * a * x * x
	}
	return loss
}

func TestClosedForm(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		state, inputs := descentVars(0.1)
		r := w.run(t, descent, state, inputs, 200, 1)
		for i, x := range floats(t, r.State["x"]) {
			require.InDelta(t, start[i]*math.Pow(1-0.1*curvature[i], 200), x, 1e-12)
		}
		require.Equal(t, []int{200}, r.Traces["loss"].Shape().Dimensions)
		for k, loss := range floats(t, r.Traces["loss"]) {
			require.InDelta(t, lossAt(0.1, k+1), loss, 1e-12)
		}
		require.Equal(t, start, floats(t, state["x"]), "the caller's tensors are not changed")
	})
}

func TestTraceEvery(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		for _, every := range []int{1, 3, 20, 21} {
			for _, chunk := range []int{0, 1, 7} {
				loop := descent
				loop.TraceEvery, loop.Chunk = every, chunk
				state, inputs := descentVars(0.1)
				r := w.run(t, loop, state, inputs, 20, 1)
				steps := tensors.MustCopyFlatData[int64](r.Traces["step"])
				require.Len(t, steps, 20/every)
				losses := floats(t, r.Traces["loss"])
				for i, step := range steps {
					require.EqualValues(t, (i+1)*every, step, "every %d, chunk %d", every, chunk)
					require.InDelta(t, lossAt(0.1, int(step)), losses[i], 1e-12)
				}
				require.InDelta(t, math.Pow(0.9, 20), floats(t, r.State["x"])[0], 1e-12)
			}
		}
	})
}

// network trains a small net by Adam on minibatches, with noise on the inputs: all that a Step offers.
var network = scan.Loop{
	Name: "network",
	Step: func(s *scan.Step) {
		batch := s.Batch(4, "x", "y")
		x := Add(batch[0], MulScalar(s.Normal(shapes.Make(dtypes.Float64, 4, 3)), 0.01))
		w, v := s.Get("w"), s.Get("v")
		hidden := Tanh(Dot(x, w).Product())
		kept := ConvertDType(LessThan(s.Uniform(shapes.Make(dtypes.Float32, 4, 5)), Scalar(s.Graph(), dtypes.Float32, 0.9)), dtypes.Float64)
		loss := ReduceAllMean(Square(Sub(Dot(Mul(hidden, kept), v).Product(), batch[1])))
		s.Trace("loss", loss)
		s.Trace("rows", batch[1])
		for i, g := range Gradient(loss, w, v) {
			name := []string{"w", "v"}[i]
			m := Add(MulScalar(s.Get("m"+name), 0.9), MulScalar(g, 0.1))
			u := Add(MulScalar(s.Get("u"+name), 0.99), MulScalar(Square(g), 0.01))
			s.Set("m"+name, m)
			s.Set("u"+name, u)
			s.Set(name, Sub(s.Get(name), Mul(s.Input("lr"), Div(m, AddScalar(Sqrt(u), 1e-3)))))
		}
	},
}

func networkVars() (state, inputs scan.Vars) {
	fill := func(scale float64, dims ...int) *tensors.Tensor {
		shape := shapes.Make(dtypes.Float64, dims...)
		flat := make([]float64, shape.Size())
		for i := range flat {
			flat[i] = scale * math.Sin(float64(3*i+dims[0]))
		}
		return tensors.FromFlatDataAndDimensions(flat, dims...)
	}
	state = scan.Vars{"w": fill(0.5, 3, 5), "v": fill(0.5, 5),
		"mw": fill(0, 3, 5), "mv": fill(0, 5), "uw": fill(0, 3, 5), "uv": fill(0, 5)}
	x := fill(1, 18, 3)
	y := make([]float64, 18)
	for i, row := range x.Value().([][]float64) {
		y[i] = row[0] - row[1] + row[2]/2
	}
	return state, scan.Vars{"x": x, "y": tensors.FromValue(y), "lr": tensors.FromValue(0.03)}
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func TestAllWaysAgree(t *testing.T) {
	b := backend.ForTest(t)
	state, inputs := networkVars()
	want := way{b, scan.Stepwise}.run(t, network, state, inputs, 60, 7)
	losses := floats(t, want.Traces["loss"])
	require.Less(t, mean(losses[50:]), mean(losses[:10])/2, "it learns")
	everyWay(t, func(t *testing.T, w way) {
		state, inputs := networkVars()
		requireClose(t, want, w.run(t, network, state, inputs, 60, 7), 1e-9) // float64 rounding, grown over 60 steps
	})
}

func TestOtherSeedOtherNumbers(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		state, inputs := networkVars()
		one, two := w.run(t, network, state, inputs, 3, 1), w.run(t, network, state, inputs, 3, 2)
		require.NotEqual(t, one.Traces["rows"].Value(), two.Traces["rows"].Value())
		require.NotEqual(t, one.Traces["loss"].Value(), two.Traces["loss"].Value())
	})
}

// Small convolutions: Auto steps on the CPU, says why, and agrees with the fused way.
func TestConvolution(t *testing.T) {
	b := backend.ForTest(t)
	loop := scan.Loop{Name: "cnn", Step: func(s *scan.Step) {
		k := s.Get("kernel")
		out := Convolve(s.Input("images"), k).PadSame().Done()
		loss := ReduceAllMean(Square(Sub(out, s.Input("target"))))
		s.Trace("loss", loss)
		s.Set("kernel", Sub(k, MulScalar(Gradient(loss, k)[0], 0.1)))
	}}
	image := func(seed, channels int) *tensors.Tensor {
		flat := make([]float32, 2*6*6*channels)
		for i := range flat {
			flat[i] = float32(math.Sin(float64(i*i + seed)))
		}
		return tensors.FromFlatDataAndDimensions(flat, 2, 6, 6, channels)
	}
	state := scan.Vars{"kernel": tensors.FromFlatDataAndDimensions(make([]float32, 18), 3, 3, 1, 2)}
	inputs := scan.Vars{"images": image(1, 1), "target": image(2, 2)}
	auto, err := scan.Run(background, b, loop, state, inputs, 10, 1)
	require.NoError(t, err)
	if name := backend.Describe(b).Name; name == backend.XLACPU {
		require.Equal(t, scan.Stepwise, auto.Mode)
		require.Regexp(t, `^\d convolutions, which XLA runs`, auto.Why)
	}
	everyWay(t, func(t *testing.T, w way) {
		requireClose(t, auto, w.run(t, loop, state, inputs, 10, 1), 1e-5)
	})
}

func TestAutoFusesDense(t *testing.T) {
	b := backend.ForTest(t)
	state, inputs := descentVars(0.1)
	p, err := scan.Compile(b, descent, state, inputs)
	require.NoError(t, err)
	defer p.Finalize()
	mode, why := p.Mode()
	if scan.CanFuse(b) {
		require.Equal(t, scan.Fused, mode)
		require.Equal(t, "no convolutions", why)
	} else {
		require.Equal(t, scan.Stepwise, mode)
		require.Equal(t, `backend "go" cannot fuse steps`, why)
	}
}

func TestFusedWhereItCannot(t *testing.T) {
	pureGo, err := backend.Open(backend.With(backend.PureGo))
	require.NoError(t, err)
	loop := descent
	loop.Mode = scan.Fused
	state, inputs := descentVars(0.1)
	_, err = scan.Compile(pureGo, loop, state, inputs)
	require.EqualError(t, err, `scan: descent: Mode is Fused, but backend "go" lacks what that needs; use Auto or Stepwise`)
}

// If, While, Sort and reductions may be nested in a step, in both modes.
func TestClosuresInStep(t *testing.T) {
	loop := scan.Loop{Step: func(s *scan.Step) {
		x := s.Get("x")
		g := s.Graph()
		cond := NewClosure(g, func(g *Graph) []*Node {
			i, _ := Parameter(g, "ci", shapes.Make(dtypes.Int64)), Parameter(g, "cx", x.Shape())
			return []*Node{LessThan(i, Const(g, int64(3)))}
		})
		body := NewClosure(g, func(g *Graph) []*Node {
			i, v := Parameter(g, "bi", shapes.Make(dtypes.Int64)), Parameter(g, "bx", x.Shape())
			return []*Node{Add(i, Const(g, int64(1))), Mul(v, Const(g, 1.5))}
		})
		grown := While(cond, body, Mod(s.Count(), s.Count()), x)[1] // three times ×1.5
		s.Trace("sorted", Sort(grown, 0, true))
		s.Set("x", Div(grown, ReduceAllMax(Abs(grown))))
	}}
	everyWay(t, func(t *testing.T, w way) {
		r := w.run(t, loop, scan.Vars{"x": tensors.FromValue([]float64{4, -8, 2})}, nil, 2, 0)
		require.Equal(t, []float64{0.5, -1, 0.25}, floats(t, r.State["x"]))
		require.Equal(t, []float64{-27, 6.75, 13.5}, floats(t, r.Traces["sorted"])[:3])
	})
}

func TestRow(t *testing.T) {
	loop := scan.Loop{Step: func(s *scan.Step) {
		s.Trace("row", s.Row("stream"))
		s.Set("sum", Add(s.Get("sum"), ReduceAllSum(s.Row("stream"))))
	}}
	everyWay(t, func(t *testing.T, w way) {
		r := w.run(t, loop, scan.Vars{"sum": tensors.FromValue(0.0)},
			scan.Vars{"stream": tensors.FromValue([][]float64{{1, 2}, {3, 4}, {5, 6}})}, 4, 0)
		require.Equal(t, [][]float64{{1, 2}, {3, 4}, {5, 6}, {1, 2}}, r.Traces["row"].Value())
		require.Equal(t, 24.0, r.State["sum"].Value())
	})
}

// Traces and states of all kinds: bool, int, matrix; a state that is read only; a trace of an unchanged state.
func TestKindsOfTensors(t *testing.T) {
	loop := scan.Loop{TraceEvery: 2, Step: func(s *scan.Step) {
		s.Trace("odd", Equal(ModScalar(s.Count(), 2), Const(s.Graph(), int64(1))))
		s.Trace("fixed", s.Get("fixed"))
		s.Trace("half", ConvertDType(s.Get("n"), dtypes.BFloat16))
		s.Set("n", AddScalar(s.Get("n"), 1))
		s.Set("flag", LogicalNot(s.Get("flag")))
	}}
	everyWay(t, func(t *testing.T, w way) {
		r := w.run(t, loop, scan.Vars{
			"fixed": tensors.FromValue([][]int32{{1, 2}, {3, 4}}),
			"n":     tensors.FromValue(int32(0)),
			"flag":  tensors.FromValue([]bool{true, false}),
		}, nil, 5, 0)
		require.Equal(t, []bool{false, false}, r.Traces["odd"].Value())
		require.Equal(t, [][][]int32{{{1, 2}, {3, 4}}, {{1, 2}, {3, 4}}}, r.Traces["fixed"].Value())
		require.Equal(t, []int{2}, r.Traces["half"].Shape().Dimensions)
		require.Equal(t, []bool{false, true}, r.State["flag"].Value())
		require.Equal(t, int32(5), r.State["n"].Value())
	})
}

// counting counts the programs built for a backend.
type counting struct {
	compute.Backend
	builders int
}

func (c *counting) Builder(name string) compute.Builder {
	c.builders++
	return c.Backend.Builder(name)
}

func TestNothingCompilesTwice(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		c := &counting{Backend: w.b}
		loop := descent
		loop.Mode, loop.TraceEvery = w.mode, 3
		state, inputs := descentVars(0.1)
		p, err := scan.Compile(c, loop, state, inputs)
		require.NoError(t, err)
		defer p.Finalize()
		built := c.builders
		require.Greater(t, built, 0)
		for i, lr := range []float64{0.1, 0.2, 0.3} { // other values, lengths and seeds
			_, inputs := descentVars(lr)
			r, err := p.Run(background, state, inputs, 10+i, int64(i))
			require.NoError(t, err)
			require.InDelta(t, math.Pow(1-lr, float64(10+i)), floats(t, r.State["x"])[0], 1e-12)
		}
		require.Equal(t, built, c.builders)
	})
}

func TestConcurrentRuns(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		state, inputs := networkVars()
		p := w.compile(t, network, state, inputs)
		want, err := p.Run(background, state, inputs, 20, 3)
		require.NoError(t, err)
		results := make([]*scan.Result, 4)
		errs := make(chan error, len(results))
		for i := range results {
			go func() {
				var err error
				results[i], err = p.Run(background, state, inputs, 20, 3)
				errs <- err
			}()
		}
		for range results {
			require.NoError(t, <-errs)
		}
		for _, r := range results {
			requireClose(t, want, r, 1e-9)
		}
	})
}

// A run's result serves as another's state, on the same backend or another.
func TestStateFromElsewhere(t *testing.T) {
	all := ways(t)
	state, inputs := descentVars(0.1)
	for from, one := range all {
		for to, two := range all {
			t.Run(fmt.Sprintf("%s to %s", from, to), func(t *testing.T) {
				half := one.run(t, descent, state, inputs, 10, 0)
				r := two.run(t, descent, half.State, inputs, 10, 0)
				require.InDelta(t, math.Pow(0.9, 20), floats(t, r.State["x"])[0], 1e-12)
				require.InDelta(t, math.Pow(0.9, 10), floats(t, half.State["x"])[0], 1e-12)
			})
		}
	}
}
