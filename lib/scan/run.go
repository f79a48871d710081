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
// run. The new result's Steps and Traces include the old ones.
func (p *Program) Resume(ctx context.Context, from *Result, inputs Vars, steps int) (*Result, error) {
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
	r, err := p.start(from, inputs, steps)
	if err != nil {
		return nil, err
	}
	return r.loop(ctx)
}

// check compares names and shapes with those compiled for.
func (p *Program) check(what string, vars Vars, want []spec) error {
	got, err := specs(p.plan.loop.Name, what, vars)
	errs := []error{err}
	shapesOf := make(map[string]shapes.Shape)
	var names []string
	for _, s := range want {
		shapesOf[s.name] = s.shape
		names = append(names, s.name)
		if vars[s.name] == nil {
			errs = append(errs, fmt.Errorf("scan: %s: %s %q is missing", p.plan.loop.Name, what, s.name))
		}
	}
	for _, s := range got {
		shape, ok := shapesOf[s.name]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("scan: %s: %s has %q, %s", p.plan.loop.Name, what, s.name, list(names)))
		case !shape.Equal(s.shape):
			errs = append(errs, fmt.Errorf("scan: %s: %s %q is %s, must be %s as compiled", p.plan.loop.Name, what, s.name, s.shape, shape))
		}
	}
	return errors.Join(errs...)
}

// running is one run of a program.
type running struct {
	*Program
	inputs    []compute.Buffer // lent by the caller's tensors
	state     []compute.Buffer
	owned     bool // the state's buffers are ours, not the caller's
	key       compute.Buffer
	streams   []*stream
	traces    []*record
	done, end int
	seed      int64
}

// record collects a trace on the host.
type record struct {
	spec  // of one step
	bytes []byte
}

// take appends the first rows rows of a device buffer.
func (t *record) take(b compute.Buffer, rows int) error {
	if rows == 0 || t.shape.Size() == 0 {
		return nil
	}
	shape, err := b.Shape()
	if err != nil {
		return err
	}
	flat := dtypes.MakeAnySlice(shape.DType, shape.Size())
	if err := b.ToFlatData(flat); err != nil {
		return err
	}
	t.bytes = append(t.bytes, dtypes.UnsafeByteSliceFromAny(flat)[:rows*int(t.shape.ByteSize())]...)
	return nil
}

// tensor of the first rows rows.
func (t *record) tensor(rows int) (*tensors.Tensor, error) {
	return tensors.FromRaw(nil, device, shapes.Make(t.shape.DType, append([]int{rows}, t.shape.Dimensions...)...), t.bytes)
}

func (p *Program) start(from *Result, inputs Vars, steps int) (r *running, err error) {
	r = &running{Program: p, done: from.Steps, end: from.Steps + steps, seed: from.Seed}
	err = try(p.plan.loop.Name, "moving the tensors to the device", func() error {
		for _, s := range p.plan.state {
			b, err := p.lend(from.State[s.name])
			if err != nil {
				return err
			}
			r.state = append(r.state, b)
		}
		for _, s := range p.plan.inputs {
			b, err := p.lend(inputs[s.name])
			if err != nil {
				return err
			}
			r.inputs = append(r.inputs, b)
		}
		if p.plan.random {
			r.key, err = p.backend.BufferFromFlatData(device, seedKey(r.seed), keyShape)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, w := range p.plan.windows {
		r.streams = append(r.streams, newStream(w, r.seed, i))
	}
	for _, t := range p.plan.traces {
		rec := &record{spec: t}
		if old := from.Traces[t.name]; old != nil {
			if err := old.ConstBytes(func(b []byte) { rec.bytes = append(rec.bytes, b...) }); err != nil {
				return nil, err
			}
		}
		r.traces = append(r.traces, rec)
	}
	return r, nil
}

// lend returns the buffer of a caller's tensor on the program's device.
func (p *Program) lend(t *tensors.Tensor) (compute.Buffer, error) {
	if b, err := t.Backend(); err == nil && b != p.backend {
		clone, err := t.LocalClone()
		if err != nil {
			return nil, err
		}
		t = clone
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
		bad, err := r.advance(ctx, n)
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
	n = min(n, r.end-r.done, r.capacity.steps)
	if len(r.plan.traces) > 0 {
		n = min(n, r.capacity.records*r.plan.loop.TraceEvery-r.done%r.plan.loop.TraceEvery)
	}
	return n
}

// advance does n steps, or fewer where one is not finite: then it returns that step's number, and the run stands just
// before it.
func (r *running) advance(ctx context.Context, n int) (bad int, err error) {
	before, owned := r.state, r.owned
	marks := make([]int, len(r.traces))
	for i, t := range r.traces {
		marks[i] = len(t.bytes)
	}
	for start := r.done; ; {
		bad, err = r.call(n)
		if err != nil {
			return 0, err
		}
		if bad == 0 {
			if owned {
				free(before)
			}
			return 0, nil
		}
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
		if again == 0 {
			return bad, nil
		}
		return 0, fmt.Errorf("step %d is finite or not from one call to the next", again)
	}
}

func free(buffers []compute.Buffer) {
	for _, b := range buffers {
		_ = b.Finalize() // only frees memory early
	}
}

// call does n steps and takes over state and traces. It leaves the old state's buffers to the caller.
func (r *running) call(n int) (bad int, err error) {
	if r.mode == Fused {
		return r.callFused(n)
	}
	return r.callSteps(n)
}

func (r *running) scalar(v int) (compute.Buffer, error) {
	return r.backend.BufferFromFlatData(device, []int64{int64(v)}, countShape)
}

func (r *running) callFused(n int) (bad int, err error) {
	var own []compute.Buffer // freed afterwards
	defer func() { free(own) }()
	fresh := func(flat any, shape shapes.Shape) {
		if err != nil {
			return
		}
		var b compute.Buffer
		if b, err = r.backend.BufferFromFlatData(device, flat, shape); err == nil {
			own = append(own, b)
		}
	}
	for _, v := range []int{r.done, r.done + n, r.done} {
		fresh([]int64{int64(v)}, countShape)
	}
	if r.plan.guarded() {
		fresh([]int64{0}, countShape)
	}
	args := append([]compute.Buffer{}, own...)
	if r.plan.random {
		args = append(args, r.key)
	}
	for _, st := range r.streams {
		flat := make([]int32, r.capacity.steps*st.n)
		st.fill(flat[:n*st.n], r.done)
		fresh(flat, shapes.Make(dtypes.Int32, r.capacity.steps, st.n))
		if err == nil {
			args = append(args, own[len(own)-1])
		}
	}
	if err != nil {
		return 0, err
	}
	args = append(append(args, r.state...), r.inputs...)
	out, err := r.exec.Execute(args, nil, device)
	if err != nil {
		return 0, err
	}
	k := len(r.state)
	own = append(own, out[k:]...)
	for i, t := range r.traces {
		if err := t.take(out[k+i], (r.done+n)/r.plan.loop.TraceEvery-r.done/r.plan.loop.TraceEvery); err != nil {
			return 0, err
		}
	}
	if r.plan.guarded() {
		if bad, err = readInt(out[len(out)-1]); err != nil {
			return 0, err
		}
	}
	r.state, r.owned, r.done = out[:k:k], true, r.done+n
	return bad, nil
}

func (r *running) callSteps(n int) (bad int, err error) {
	p := r.plan
	count, err := r.scalar(r.done)
	if err != nil {
		return 0, err
	}
	var badBuffer compute.Buffer
	if p.guarded() {
		if badBuffer, err = r.scalar(0); err != nil {
			return 0, err
		}
	}
	for i := range n {
		args := []compute.Buffer{count}
		donate := []bool{true}
		add := func(give bool, bs ...compute.Buffer) {
			for _, b := range bs {
				args, donate = append(args, b), append(donate, give)
			}
		}
		if p.guarded() {
			add(true, badBuffer)
		}
		if p.random {
			add(false, r.key)
		}
		for _, st := range r.streams {
			flat := make([]int32, st.n)
			st.fill(flat, r.done)
			b, err := r.backend.BufferFromFlatData(device, flat, shapes.Make(dtypes.Int32, st.n))
			if err != nil {
				return 0, err
			}
			add(true, b)
		}
		add(i > 0, r.state...) // the chunk's first state may be needed again
		add(false, r.inputs...)
		out, err := r.exec.Execute(args, donate, device)
		if err != nil {
			return 0, err
		}
		count, out = out[0], out[1:]
		if p.guarded() {
			badBuffer, out = out[0], out[1:]
		}
		k := len(r.state)
		r.state, r.owned, out = out[:k:k], true, out[k:]
		r.done++
		for j, t := range r.traces {
			if r.done%p.loop.TraceEvery == 0 {
				if err := t.take(out[j], 1); err != nil {
					return 0, err
				}
			}
		}
		free(out)
	}
	free([]compute.Buffer{count})
	if p.guarded() {
		if bad, err = readInt(badBuffer); err != nil {
			return 0, err
		}
		free([]compute.Buffer{badBuffer})
	}
	return bad, nil
}

func readInt(b compute.Buffer) (int, error) {
	flat := make([]int64, 1)
	err := b.ToFlatData(flat)
	return int(flat[0]), err
}

// result hands the state over as tensors.
func (r *running) result(status Status) (*Result, error) {
	res := &Result{
		State: Vars{}, Traces: Vars{}, Steps: r.done, Seed: r.seed, Status: status, Mode: r.mode, Why: r.why,
	}
	for i, s := range r.plan.state {
		var err error
		if r.owned {
			res.State[s.name], err = tensors.FromBuffer(r.state[i])
		} else {
			res.State[s.name], err = copyOf(r.state[i], s.shape)
		}
		if err != nil {
			return nil, fmt.Errorf("scan: %s: reading state %q: %w", r.plan.loop.Name, s.name, err)
		}
	}
	for _, t := range r.traces {
		var err error
		if res.Traces[t.name], err = t.tensor(r.done / r.plan.loop.TraceEvery); err != nil {
			return nil, fmt.Errorf("scan: %s: reading trace %q: %w", r.plan.loop.Name, t.name, err)
		}
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
