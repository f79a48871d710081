package scan_test

import (
	"context"
	"errors"
	"math"
	"os"
	"os/signal"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
	"github.com/stretchr/testify/require"
)

// Pieces are the whole: draws, minibatches, traces.
func TestResume(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		state, inputs := networkVars()
		loop := network
		loop.TraceEvery = 3
		p := w.compile(t, loop, state, inputs)
		whole, err := p.Run(background, state, inputs, 40, 7)
		require.NoError(t, err)
		r, err := p.Run(background, state, inputs, 0, 7)
		require.NoError(t, err)
		require.Equal(t, 0, r.Steps)
		require.Equal(t, state["w"].Value(), r.State["w"].Value(), "no steps return the initial state")
		for _, steps := range []int{1, 16, 0, 23} {
			r, err = p.Resume(background, r, inputs, steps)
			require.NoError(t, err)
		}
		require.Equal(t, 40, r.Steps)
		requireClose(t, whole, r, 1e-12)
		r.Traces = nil // dropped traces stay dropped
		r, err = p.Resume(background, r, inputs, 5)
		require.NoError(t, err)
		require.Equal(t, 45, r.Steps)
		require.Equal(t, []int{2}, r.Traces["loss"].Shape().Dimensions, "of steps 42 and 45")
	})
}

// The same seed gives the same bits on the pure-Go backend; XLA with several threads promises a tolerance only.
func TestSameSeedSameNumbers(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		state, inputs := networkVars()
		one, two := w.run(t, network, state, inputs, 40, 7), w.run(t, network, state, inputs, 40, 7)
		requireClose(t, one, two, 1e-12)
		require.Equal(t, one.Traces["rows"].Value(), two.Traces["rows"].Value())
		if backend.Describe(w.b).Name == backend.PureGo {
			for name, v := range one.State {
				require.Equal(t, v.Value(), two.State[name].Value(), name)
			}
			require.Equal(t, one.Traces["loss"].Value(), two.Traces["loss"].Value())
		}
	})
}

// Progress is told after each chunk; a context that ends there stops the run, which can go on as if it never had.
func TestInterrupt(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		var seen [][2]int
		loop := descent
		loop.Chunk = 7
		loop.Progress = func(done, total int) {
			seen = append(seen, [2]int{done, total})
			if done == 14 {
				cancel()
			}
		}
		state, inputs := descentVars(0.1)
		p := w.compile(t, loop, state, inputs)
		r, err := p.Run(ctx, state, inputs, 20, 0)
		require.NoError(t, err)
		require.Equal(t, scan.Interrupted, r.Status)
		require.Equal(t, 14, r.Steps)
		require.Equal(t, []int{14}, r.Traces["loss"].Shape().Dimensions)
		require.InDelta(t, math.Pow(0.9, 14), floats(t, r.State["x"])[0], 1e-12)
		r, err = p.Resume(background, r, inputs, 6)
		require.NoError(t, err)
		require.Equal(t, scan.Done, r.Status)
		require.InDelta(t, math.Pow(0.9, 20), floats(t, r.State["x"])[0], 1e-12)
		require.Equal(t, [][2]int{{7, 20}, {14, 20}, {20, 20}}, seen)

		r, err = p.Run(ctx, state, inputs, 20, 0) // ended before it began
		require.NoError(t, err)
		require.Equal(t, scan.Interrupted, r.Status)
		require.Equal(t, 0, r.Steps)
		require.Equal(t, start, floats(t, r.State["x"]))
	})
}

// Ctrl-C ends a run that would last for hours, soon, with what was reached.
func TestCtrlC(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		ctx, stop := signal.NotifyContext(background, os.Interrupt)
		defer stop()
		state, inputs := descentVars(1e-12)
		loop := descent
		loop.TraceEvery = 1 << 20
		p := w.compile(t, loop, state, inputs)
		self, err := os.FindProcess(os.Getpid())
		require.NoError(t, err)
		time.AfterFunc(200*time.Millisecond, func() { _ = self.Signal(os.Interrupt) })
		r, err := p.Run(ctx, state, inputs, 1<<50, 0)
		require.NoError(t, err)
		require.Error(t, ctx.Err())
		require.Equal(t, scan.Interrupted, r.Status)
		require.Positive(t, r.Steps)
		require.Less(t, r.Steps, 1<<50)
		require.Less(t, floats(t, r.State["x"])[0], start[0])
	})
}

// A value that is not finite stops the run at the last finite state, wherever the chunks end.
func TestNonFinite(t *testing.T) {
	const bad = 11
	loop := scan.Loop{Name: "breaks", Step: func(s *scan.Step) {
		x := s.Get("x")
		s.Trace("loss", Mul(x, s.Row("factor")))
		s.Trace("vector", Mul(s.Get("v"), s.Row("factor")))
		s.Set("x", AddScalar(x, 1))
		s.Set("v", Mul(s.Get("v"), s.Row("factor")))
	}}
	factor := make([]float64, 20)
	for i := range factor {
		factor[i] = 1
	}
	state := scan.Vars{"x": tensors.FromValue(1.0), "v": tensors.FromValue([]float64{1, 2})}
	everyWay(t, func(t *testing.T, w way) {
		for _, value := range []float64{math.NaN(), math.Inf(-1)} {
			factor[bad-1] = value
			inputs := scan.Vars{"factor": tensors.FromValue(factor)}
			for name, watched := range map[string]string{"": "loss", "vector": "vector", "v": "v"} {
				for _, chunk := range []int{0, 1, 3, 20} {
					loop := loop
					loop.StopNonFinite, loop.Chunk = name, chunk
					p := w.compile(t, loop, state, inputs)
					r, err := p.Run(background, state, inputs, 20, 0)
					var found *scan.NonFiniteError
					require.ErrorAs(t, err, &found)
					require.ErrorIs(t, err, scan.ErrNonFinite)
					require.Equal(t, scan.NonFiniteError{Loop: "breaks", Name: watched, Step: bad}, *found)
					require.NotNil(t, r)
					require.Equal(t, scan.NonFinite, r.Status)
					require.Equal(t, bad-1, r.Steps)
					require.Equal(t, []int{bad - 1}, r.Traces["loss"].Shape().Dimensions)
					require.Equal(t, float64(bad), r.State["x"].Value(), "after %d steps from 1", bad-1)
					require.Equal(t, []float64{1, 2}, floats(t, r.State["v"]))
				}
			}
			loop := loop
			loop.StopNonFinite = "-"
			w.run(t, loop, state, inputs, 20, 0) // Done
		}
	})
}

// Every misuse is an error that names the loop, what is wrong and what is allowed.
func TestErrors(t *testing.T) {
	b := backend.ForTest(t)
	state, inputs := descentVars(0.1)
	with := func(change func(l *scan.Loop)) scan.Loop {
		l := descent
		change(&l)
		return l
	}
	step := func(f func(s *scan.Step)) scan.Loop { return scan.Loop{Name: "wrong", Step: f} }
	impure, turn := 0, 0
	for want, loop := range map[string]scan.Loop{
		"scan: descent: Step is nil, must be a function":                             with(func(l *scan.Loop) { l.Step = nil }),
		"scan: descent: Mode is 7, must be Auto, Fused or Stepwise":                  with(func(l *scan.Loop) { l.Mode = 7 }),
		"scan: descent: TraceEvery is -1, must be at least 1":                        with(func(l *scan.Loop) { l.TraceEvery = -1 }),
		"scan: descent: Chunk is -1, must be at least 1":                             with(func(l *scan.Loop) { l.Chunk = -1 }),
		"scan: descent: Runs is -1, must be at least 1":                              with(func(l *scan.Loop) { l.Runs = -1 }),
		`StopNonFinite is "los", must be a trace or a state tensor, known: loss, st`: with(func(l *scan.Loop) { l.StopNonFinite = "los" }),
		`StopNonFinite is "step" of dtype Int64, must be a float`:                    with(func(l *scan.Loop) { l.StopNonFinite = "step" }),
		`Get("y"): no such state tensor, known: x`:                                   step(func(s *scan.Step) { s.Get("y") }),
		`Set("y"): no such state tensor, known: x`:                                   step(func(s *scan.Step) { s.Set("y", s.Get("x")) }),
		`Set("x"): the value is nil`:                                                 step(func(s *scan.Step) { s.Set("x", nil) }),
		`Set("x"): the value is (Float64), must be (Float64)[3]`:                     step(func(s *scan.Step) { s.Set("x", ReduceAllSum(s.Get("x"))) }),
		`Input("b"): no such input, known: a, lr`:                                    step(func(s *scan.Step) { s.Input("b") }),
		`Row("lr"): the input is a scalar, must have a leading axis`:                 step(func(s *scan.Step) { s.Row("lr") }),
		`Trace("t"): the value is nil`:                                               step(func(s *scan.Step) { s.Trace("t", nil) }),
		`Trace("t"): traced twice in one step`:                                       step(func(s *scan.Step) { s.Trace("t", s.Get("x")); s.Trace("t", s.Get("x")) }),
		`Batch(2): no inputs named, known: a, lr`:                                    step(func(s *scan.Step) { s.Batch(2) }),
		`Batch(2): input "lr" is a scalar`:                                           step(func(s *scan.Step) { s.Batch(2, "lr") }),
		"Batch: n is 4, must be between 1 and 3, the number of rows":                 step(func(s *scan.Step) { s.Batch(4, "a") }),
		"Indices: n is 0, must be between 1 and 5":                                   step(func(s *scan.Step) { s.Indices(0, 5) }),
		"built twice it differs: 0 and 1 traces": step(func(s *scan.Step) {
			if impure++; impure > 1 {
				s.Trace("now", s.Get("x"))
			}
		}),
		`it traces "b" and then "a" at one place`: step(func(s *scan.Step) {
			turn++
			s.Trace([]string{"b", "a"}[min(turn-1, 1)], s.Get("x"))
		}),
	} {
		_, err := scan.Compile(b, loop, state, inputs)
		require.ErrorContains(t, err, want)
	}
	_, err := scan.Compile(nil, scan.Loop{}, nil, nil)
	for _, want := range []string{"scan: loop: the backend is nil", "Step is nil", "the state is empty"} {
		require.ErrorContains(t, err, want, "all errors come joined")
	}
	_, err = scan.Compile(b, descent, scan.Vars{"x": nil}, inputs)
	require.ErrorContains(t, err, `state "x" is nil or was freed`)

	everyWay(t, func(t *testing.T, w way) {
		p := w.compile(t, descent, state, inputs)
		short := scan.Vars{"x": tensors.FromValue([]float64{1}), "z": tensors.FromValue(1.0)}
		_, err := p.Run(background, short, scan.Vars{"a": inputs["a"]}, -1, 0)
		for _, want := range []string{
			"scan: descent: steps is -1, must be at least 0", `state "x" is (Float64)[1], must be (Float64)[3] as compiled`,
			`state "z" is unknown, known: x`, `inputs "lr" is missing`,
		} {
			require.ErrorContains(t, err, want, "all errors come joined")
		}
		_, err = p.Resume(background, nil, inputs, 1)
		require.ErrorContains(t, err, "the result to resume is nil")
		p.Finalize()
		_, err = p.Run(background, state, inputs, 1, 0)
		require.ErrorContains(t, err, "the program was finalized")
		require.False(t, errors.Is(err, scan.ErrNonFinite))
	})
}
