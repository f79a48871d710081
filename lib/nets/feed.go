package nets

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/internal/ahead"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// feed trains a model on inputs that do not fit on the device together: the inputs of chunk steps, then those of the next. A
// step of the optimizer takes so many pieces, each a step of the program.
type feed struct {
	model   Model
	program *optim.Program
	hyper   optim.Hyper // what a run does not set
	pieces  int
	steps   int // of the optimizer, as chunk
	chunk   int
}

// train does one run; see run for chunks. diverged is the first step whose loss was not finite, which is no error, or 0. A
// result may come with an error.
func (f feed) train(ctx context.Context, run Run, chunks iter.Seq2[scan.Vars, error]) (r *optim.Result, diverged int, err error) {
	hyper := optim.Hyper{}
	maps.Copy(hyper, f.hyper)
	maps.Copy(hyper, run.Hyper)
	r, err = f.run(ctx, f.model.Init(run.Seed), hyper, chunks, int64(run.Seed))
	var bad *scan.NonFiniteError
	switch {
	case r == nil:
	case errors.As(err, &bad):
		return r, 1 + (bad.Step-1)/f.pieces, nil
	case err == nil && r.Status == scan.Interrupted:
		err = fmt.Errorf("nets: Train: stopped after %d of %d steps: %w", r.Steps/f.pieces, f.steps, ctx.Err())
	}
	return r, 0, err
}

// run trains from params, which it uses up. chunks are made while the steps before them run. A step finds its inputs by
// [scan.Step.Row]. See [optim.Program.Run] for the result.
func (f feed) run(ctx context.Context, params scan.Vars, hyper optim.Hyper, chunks iter.Seq2[scan.Vars, error], seed int64) (r *optim.Result, err error) {
	steps, chunk := f.steps*f.pieces, f.chunk*f.pieces
	keep := func(v scan.Vars) (scan.Vars, error) { return v, nil }
	for inputs, err := range ahead.Map(ctx, chunks, 1, keep) {
		if err != nil {
			if r != nil {
				r.Status = scan.Interrupted
			}
			return r, err
		}
		before := params
		if r == nil {
			r, err = f.program.Run(ctx, params, inputs, hyper, min(chunk, steps), seed)
		} else {
			before = maps.Clone(r.Params)
			for name, v := range r.State { // under another name than any parameter's
				before["state:"+name] = v
			}
			var next *optim.Result
			if next, err = f.program.Resume(ctx, r, inputs, hyper, min(chunk, steps-r.Steps)); next != nil {
				r = next
			}
		}
		if r != nil { // the device's memory is not the garbage collector's matter
			free(before, slices.Collect(maps.Values(r.Params)), slices.Collect(maps.Values(r.State)))
		}
		free(inputs)
		if err != nil || r.Status != scan.Done || r.Steps >= steps {
			return r, err
		}
	}
	return r, err
}

// inPieces lets an optimizer see the mean gradient of some minibatches.
func inPieces(t optim.Transform, pieces int) optim.Transform {
	if pieces == 1 || t == nil {
		return t
	}
	return optim.Accumulate{Every: pieces, Inner: t}
}

// meanLosses are the mean losses of the pieces of each step, the last step's of those that were done.
func meanLosses(traces scan.Vars, pieces int) (out []float64) {
	for part := range slices.Chunk(tensors.MustCopyFlatData[float32](traces["loss"]), pieces) {
		var sum float64
		for _, v := range part {
			sum += float64(v)
		}
		out = append(out, sum/float64(len(part)))
	}
	return out
}

// innerState is an optimizer's own state, without the sums of the pieces' gradients.
func innerState(state scan.Vars, pieces int) scan.Vars {
	if pieces == 1 {
		return state
	}
	out := scan.Vars{}
	for name, v := range state {
		if own, ok := strings.CutPrefix(name, "inner."); ok {
			out[own] = v
		}
	}
	return out
}

// free gives tensors back now, but for those to keep.
func free(vars scan.Vars, keep ...[]*tensors.Tensor) {
	kept := slices.Concat(keep...)
	for _, v := range vars {
		if !slices.Contains(kept, v) {
			v.MustFinalizeAll()
		}
	}
}
