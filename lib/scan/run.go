package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// device that programs run on.
const device = compute.DeviceNum(0)

// Run does steps steps from the state, with the inputs and the seed of all draws and minibatches.
//
// state and inputs must have the names, shapes and dtypes that the program was compiled for; they are not changed, and
// neither other values nor another number of steps compile anything. No steps return the initial state.
//
// When the context ends, Run returns soon, within about a chunk, with Status [Interrupted], the state and traces so far
// and no error; [Program.Resume] goes on from there. When the watched tensor is not finite, Run returns the result up to
// the last finite state together with a [NonFiniteError].
func (p *Program) Run(ctx context.Context, state, inputs Vars, steps int, seed int64) (*Result, error) {
	return p.run(ctx, &Result{State: state, Seed: seed}, inputs, steps)
}

// Resume does steps further steps from where a result ended, with its seed: the numbers are those of one uninterrupted
// run. The new result's Steps and Traces include the old ones; traces that were dropped from the result stay dropped.
func (p *Program) Resume(ctx context.Context, from *Result, inputs Vars, steps int) (*Result, error) {
	if from == nil || from.Steps < 0 {
		return nil, fmt.Errorf("scan: %s: the result to resume is nil or of a negative number of steps", p.plan.loop.Name)
	}
	return p.run(ctx, from, inputs, steps)
}

func (p *Program) run(ctx context.Context, from *Result, inputs Vars, steps int) (*Result, error) {
	if p.exec == nil {
		return nil, fmt.Errorf("scan: %s: the program was finalized", p.plan.loop.Name)
	}
	var errSteps error
	if steps < 0 {
		errSteps = fmt.Errorf("scan: %s: steps is %d, must be at least 0", p.plan.loop.Name, steps)
	}
	err := errors.Join(errSteps,
		p.check("state", from.State, p.plan.state), p.check("inputs", inputs, p.plan.inputs))
	if err != nil {
		return nil, err
	}
	r := &running{Program: p, done: from.Steps, end: from.Steps + steps, seed: from.Seed}
	err = try(p.plan.loop.Name, "moving the tensors to the device", func() error { return r.start(from, inputs) })
	if err != nil {
		return nil, err
	}
	if r.key != nil {
		defer free([]compute.Buffer{r.key})
	}
	return r.loop(ctx)
}

// check compares names and shapes with those compiled for.
func (p *Program) check(what string, vars Vars, want []spec) error {
	got, err := specs(p.plan.loop.Name, what, vars)
	errs := []error{err}
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("scan: %s: %s "+format, append([]any{p.plan.loop.Name, what}, args...)...))
	}
	known := make(map[string]shapes.Shape)
	var names []string
	for _, s := range want {
		known[s.name] = s.shape
		names = append(names, s.name)
		if _, ok := vars[s.name]; !ok {
			bad("%q is missing", s.name)
		}
	}
	for _, s := range got {
		shape, ok := known[s.name]
		switch {
		case !ok:
			bad("%q is unknown, %s", s.name, list(names))
		case !shape.Equal(s.shape):
			bad("%q is %s, must be %s as compiled", s.name, s.shape, shape)
		}
	}
	return errors.Join(errs...)
}

// running is one run of a program.
type running struct {
	*Program
	inputs    []compute.Buffer // lent by the caller's tensors
	state     []compute.Buffer
	owned     bool           // the state's buffers are ours, not the caller's
	key       compute.Buffer // nil where nothing is drawn
	streams   []*stream
	traces    []*record
	done, end int
	seed      int64
}

func (r *running) start(from *Result, inputs Vars) (err error) {
	for _, s := range r.plan.state {
		b, err := r.lend(from.State[s.name])
		if err != nil {
			return err
		}
		r.state = append(r.state, b)
	}
	for _, s := range r.plan.inputs {
		b, err := r.lend(inputs[s.name])
		if err != nil {
			return err
		}
		r.inputs = append(r.inputs, b)
	}
	for i, w := range r.plan.windows {
		r.streams = append(r.streams, newStream(w, r.seed, i))
	}
	for _, t := range r.plan.traces {
		rec, err := newRecord(t, from.Traces[t.name])
		if err != nil {
			return err
		}
		r.traces = append(r.traces, rec)
	}
	if r.plan.random {
		r.key, err = r.backend.BufferFromFlatData(device, seedKeys(r.seed, r.plan.loop.Runs), r.plan.keyShape())
	}
	return err
}

// lend returns the buffer of a caller's tensor on the program's device.
func (p *Program) lend(t *tensors.Tensor) (compute.Buffer, error) {
	if b, err := t.Backend(); err == nil && b != p.backend {
		if t, err = t.LocalClone(); err != nil {
			return nil, err
		}
	}
	return t.Buffer(p.backend, device)
}

// loop runs chunk after chunk.
func (r *running) loop(ctx context.Context) (*Result, error) {
	for r.done < r.end {
		if ctx.Err() != nil {
			return r.result(Interrupted)
		}
		n := r.chunk()
		began := time.Now()
		bad, err := r.advance(n)
		if err != nil {
			return nil, fmt.Errorf("scan: %s: steps after %d: %w", r.plan.loop.Name, r.done, err)
		}
		if bad > 0 {
			res, err := r.result(NonFinite)
			if err != nil {
				return nil, err
			}
			return res, &NonFiniteError{Loop: r.plan.loop.Name, Name: r.plan.guardName, Step: bad}
		}
		r.perStep.Store(max(1, int64(time.Since(began))/int64(n)))
		if r.plan.loop.Progress != nil {
			r.plan.loop.Progress(r.done, r.end)
		}
	}
	return r.result(Done)
}

// chunkTime is how long the host is deaf: between two looks at the context.
const chunkTime = 100 * time.Millisecond

// chunk is the number of steps to do next.
func (r *running) chunk() int {
	n := 1
	if t := r.perStep.Load(); t > 0 {
		n = int(max(1, int64(chunkTime)/t))
	}
	if c := r.plan.loop.Chunk; c > 0 {
		n = c
	}
	n = min(n, r.end-r.done)
	if r.mode == Fused {
		n = min(n, r.layout.steps)
		if len(r.traces) > 0 {
			every := r.plan.loop.TraceEvery
			n = min(n, (r.done/every+r.layout.records)*every-r.done)
		}
	}
	return n
}

// advance does n steps, or fewer where one is not finite: then it returns that step's number, and the run stands just
// before it.
func (r *running) advance(n int) (bad int, err error) {
	before, owned, start := r.state, r.owned, r.done
	marks := make([]int, len(r.traces))
	for i, t := range r.traces {
		marks[i] = len(t.bytes)
	}
	bad, err = r.call(n)
	if err != nil {
		return 0, err
	}
	if bad > 0 {
		// Once more from the start of the chunk, up to the step before.
		free(r.state)
		r.state, r.owned, r.done = before, owned, start
		for i, t := range r.traces {
			t.bytes = t.bytes[:marks[i]]
		}
		if n = bad - 1 - start; n == 0 {
			return bad, nil
		}
		again, err := r.call(n)
		if err != nil {
			return 0, err
		}
		if again > 0 {
			return 0, fmt.Errorf("the same steps gave other numbers the second time: step %d is not finite", again)
		}
	}
	if owned {
		free(before)
	}
	return bad, nil
}

// call does n steps and takes over state and traces. It leaves the old state's buffers to the caller, and returns the
// first step that was not finite.
func (r *running) call(n int) (bad int, err error) {
	if r.mode == Fused {
		return r.callFused(n)
	}
	return r.callSteps(n)
}

// scalar moves a number to the device.
func (r *running) scalar(v int) (compute.Buffer, error) {
	return r.backend.BufferFromFlatData(device, []int64{int64(v)}, countShape)
}

// number reads one back.
func number(b compute.Buffer) (int, error) {
	flat := make([]int64, 1)
	err := b.ToFlatData(flat)
	return int(flat[0]), err
}

// free gives memory back before the garbage collector would.
func free(buffers []compute.Buffer) {
	for _, b := range buffers {
		if b != nil {
			_ = b.Finalize() // it would be collected anyway
		}
	}
}

// result hands state and traces over as tensors.
func (r *running) result(status Status) (*Result, error) {
	res := &Result{
		State: Vars{}, Traces: Vars{}, Steps: r.done, Seed: r.seed, Status: status, Mode: r.mode, Why: r.why,
	}
	var errs []error
	for i, s := range r.plan.state {
		var err error
		if r.owned {
			res.State[s.name], err = tensors.FromBuffer(r.state[i])
		} else {
			res.State[s.name], err = copyOf(r.state[i], s.shape)
		}
		errs = append(errs, err)
	}
	for _, t := range r.traces {
		var err error
		res.Traces[t.name], err = t.tensor()
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("scan: %s: reading the result: %w", r.plan.loop.Name, err)
	}
	return res, nil
}

// copyOf makes a tensor of its own from a buffer that belongs to the caller.
func copyOf(b compute.Buffer, shape shapes.Shape) (*tensors.Tensor, error) {
	flat := dtypes.MakeAnySlice(shape.DType, shape.Size())
	if err := b.ToFlatData(flat); err != nil {
		return nil, err
	}
	return tensors.FromRaw(nil, device, shape, dtypes.UnsafeByteSliceFromAny(flat))
}
