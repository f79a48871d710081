package scan_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/hindsight-go/hindsight/lib/scan"
	"github.com/stretchr/testify/require"
)

// Ctrl-C ends the context: the run stops after the chunk, keeps what it has, and goes on later with the numbers of one
// run in a piece.
func TestCtrlCAndResume(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		state, inputs := networkVars()
		want := w.run(t, network, state, inputs, 60, 7)

		ctx, cancel := context.WithCancel(background)
		defer cancel()
		loop := network
		loop.Chunk = 8
		var reports [][2]int
		loop.Progress = func(done, total int) {
			reports = append(reports, [2]int{done, total})
			if done >= 16 {
				cancel()
			}
		}
		p := w.compile(t, loop, state, inputs)
		r, err := p.Run(ctx, state, inputs, 60, 7)
		require.NoError(t, err, "an interrupt is not a failure")
		require.Equal(t, scan.Interrupted, r.Status)
		require.Less(t, r.Steps, 60)
		require.GreaterOrEqual(t, r.Steps, 16)
		require.LessOrEqual(t, r.Steps, 16+8, "at most a chunk later")
		require.Equal(t, r.Steps, r.Traces["loss"].Shape().Dimensions[0], "every step that was done is traced, and no other")
		require.Equal(t, [2]int{r.Steps, 60}, reports[len(reports)-1])

		loop.Progress = nil
		rest, err := w.compile(t, loop, state, inputs).Resume(background, r, inputs, 60-r.Steps)
		require.NoError(t, err)
		require.Equal(t, 60, rest.Steps)
		require.Equal(t, scan.Done, rest.Status)
		requireClose(t, want, rest, 1e-9) // another cut into chunks rounds alike, to the order of sums
	})
}

func TestContextThatHasEnded(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		ctx, cancel := context.WithCancel(background)
		cancel()
		state, inputs := descentVars(0.1)
		r, err := w.compile(t, descent, state, inputs).Run(ctx, state, inputs, 10, 1)
		require.NoError(t, err)
		require.Equal(t, scan.Interrupted, r.Status)
		require.Equal(t, 0, r.Steps)
		require.Equal(t, start, floats(t, r.State["x"]))
	})
}

// Nobody has to choose a chunk for a run of hours to listen.
func TestLongScanListens(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		loop := descent
		loop.TraceEvery = 1000
		state, inputs := descentVars(1e-9)
		p := w.compile(t, loop, state, inputs)
		ctx, cancel := context.WithTimeout(background, 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		r, err := p.Run(ctx, state, inputs, 1<<40, 1)
		require.NoError(t, err)
		require.Equal(t, scan.Interrupted, r.Status)
		require.Positive(t, r.Steps)
		require.Less(t, time.Since(began), time.Minute, "it would take days")
	})
}

// breaks has a loss of √(37.5-k) at step k: the first that is not a number is that of step 38.
var breaks = scan.Loop{
	Name: "breaks",
	Step: func(s *scan.Step) {
		k := ConvertDType(s.Count(), dtypes.Float64)
		s.Trace("loss", Sqrt(Sub(s.Input("limit"), k)))
		s.Trace("pole", Inverse(Sub(s.Input("pole"), k)))
		s.Set("x", k)
	},
}

func breaksVars(limit, pole float64) (state, inputs scan.Vars) {
	return scan.Vars{"x": tensors.FromValue(-1.0)}, scan.Vars{"limit": tensors.FromValue(limit), "pole": tensors.FromValue(pole)}
}

// A loss that is NaN stops the run with the step's number and the last finite state.
func TestNaNLoss(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		for _, c := range []struct{ chunk, every int }{{0, 1}, {10, 1}, {10, 5}, {37, 1}, {38, 1}} {
			loop := breaks
			loop.Mode, loop.Chunk, loop.TraceEvery = w.mode, c.chunk, c.every
			state, inputs := breaksVars(37.5, -1)
			r, err := scan.Run(background, w.b, loop, state, inputs, 100, 1)
			require.ErrorIs(t, err, scan.ErrNonFinite)
			bad := new(scan.NonFiniteError)
			require.ErrorAs(t, err, &bad)
			require.Equal(t, scan.NonFiniteError{Loop: "breaks", Name: "loss", Step: 38}, *bad, "%+v", c)
			require.EqualError(t, err, `scan: breaks: "loss" is not finite at step 38`)
			require.Equal(t, scan.NonFinite, r.Status)
			require.Equal(t, 37, r.Steps)
			require.Equal(t, 37.0, r.State["x"].Value(), "the state after the last step whose loss is finite")
			losses := floats(t, r.Traces["loss"])
			require.Len(t, losses, 37/c.every)
			for i, loss := range losses {
				require.InDelta(t, math.Sqrt(37.5-float64((i+1)*c.every)), loss, 1e-12)
			}
		}
	})
}

func TestNonFiniteAtOnce(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		loop := breaks
		loop.Mode = w.mode
		state, inputs := breaksVars(-5, -1)
		r, err := scan.Run(background, w.b, loop, state, inputs, 10, 1)
		require.ErrorIs(t, err, scan.ErrNonFinite)
		require.Equal(t, 0, r.Steps)
		require.Equal(t, -1.0, r.State["x"].Value())
	})
}

// What is watched can be chosen: another trace, a state tensor, nothing.
func TestWhatIsWatched(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		run := func(watch string, limit, pole float64) (*scan.Result, error) {
			loop := breaks
			loop.Mode, loop.StopNonFinite = w.mode, watch
			state, inputs := breaksVars(limit, pole)
			return scan.Run(background, w.b, loop, state, inputs, 50, 1)
		}
		bad := new(scan.NonFiniteError)
		_, err := run("pole", 37.5, 12)
		require.True(t, errors.As(err, &bad), "%v", err)
		require.Equal(t, 12, bad.Step, "infinity is not finite either")
		_, err = run("x", 37.5, 12)
		require.NoError(t, err, "the state counts on")
		r, err := run("-", 37.5, 12)
		require.NoError(t, err)
		require.Equal(t, 50, r.Steps)
		require.True(t, math.IsNaN(floats(t, r.Traces["loss"])[49]))
		_, err = run("accuracy", 37.5, 12)
		require.EqualError(t, err, `scan: breaks: StopNonFinite is "accuracy", must be a trace or a state tensor, known: loss, pole, x`)
	})
}
