package scan

import (
	"errors"
	"fmt"
	"maps"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// layout sizes the buffers of a fused program.
type layout struct {
	steps   int // rows of the index buffers: the most steps of one call
	records int // rows of the trace buffers: the most recorded steps of one call
}

// layout is 65,536 steps and records, less where a buffer would exceed 1 MB: each call moves the whole of it, however few
// steps it does.
func (p *plan) layout() layout {
	const most, bytes = 1 << 16, 1 << 20
	l := layout{most, most}
	for _, w := range p.windows {
		l.steps = min(l.steps, max(1, bytes/4/w.size()))
	}
	for _, t := range p.traces {
		l.records = min(l.records, max(1, bytes/max(1, int(t.shape.ByteSize()))))
	}
	return l
}

const (
	lastParam = "last" // the run goes on until count is last
	baseParam = "base" // count at the call
	badParam  = "bad"
	stopParam = "stop" // of an inner loop
)

func traceParam(i int) string { return fmt.Sprintf("trace%d", i) }

// fused compiles the While.
//
//	parameters: count, last, base, [bad], [key], windows, state, inputs
//	results:    state, traces, [bad]
func (p *plan) fused(b compute.Backend, l layout) (exec compute.Executable, err error) {
	err = try(p.loop.Name, "compiling the fused steps", func() error {
		builder := b.Builder(p.loop.Name)
		main := ops{builder.Main()}
		vars := make(values)
		param := func(name string, shape shapes.Shape) { vars[name] = main.param(name, shape) }
		param(countParam, countShape)
		param(lastParam, countShape)
		param(baseParam, countShape)
		if p.guarded() {
			param(badParam, countShape)
		}
		if p.random {
			param(keyParam, p.keyShape())
		}
		for i, w := range p.windows {
			param(windowParam(i), leading(l.steps, shapes.Make(dtypes.Int32, w.dims()...)))
		}
		for i, v := range p.state {
			param(stateParam(i), v.shape)
		}
		for i, v := range p.inputs {
			param(inputParam(i), v.shape)
		}
		for i, t := range p.traces {
			vars[traceParam(i)] = main.zeros(leading(l.records, t.shape))
		}
		vars = main.while("", vars, until(lastParam), func(f ops, v values) {
			if p.quiet() && separate(builder) {
				p.fusedBlock(b, f, v)
			} else {
				p.fusedStep(b, f, v, true)
			}
		})
		var results []compute.Value
		for i := range p.state {
			results = append(results, vars[stateParam(i)])
		}
		for i := range p.traces {
			results = append(results, vars[traceParam(i)])
		}
		if p.guarded() {
			results = append(results, vars[badParam])
		}
		main.finish(results...)
		exec, err = builder.Compile()
		return err
	})
	return exec, err
}

// until continues a loop as long as count is less than the named variable.
func until(name string) func(f ops, v values) compute.Value {
	return func(f ops, v values) compute.Value { return must(f.LessThan(v[countParam], v[name])) }
}

// fusedStep adds a step to the loop body f, with its traces or without.
func (p *plan) fusedStep(b compute.Backend, f ops, v values, traced bool) {
	done := v[countParam]
	step := f.add(done, f.int64(1))
	params := values{countParam: step, keyParam: v[keyParam]}
	if !p.random {
		params[keyParam] = f.zeros(p.keyShape())
	}
	for i := range p.windows {
		params[windowParam(i)] = f.row(v[windowParam(i)], f.sub(done, v[baseParam]))
	}
	for i := range p.state {
		params[stateParam(i)] = v[stateParam(i)]
	}
	for i := range p.inputs {
		params[inputParam(i)] = v[inputParam(i)]
	}
	state, traces, finite := p.build(b, f.Function, params, traced)
	v[countParam] = step
	for i := range p.state {
		v[stateParam(i)] = state[i]
	}
	if p.guarded() {
		v[badParam] = f.firstBad(v[badParam], finite, step)
	}
	if len(traces) == 0 {
		return
	}
	row := f.sub(done, v[baseParam])
	if p.quiet() {
		// Where every step is traced after all, the recorded one is the last to write its row.
		every := f.int64(p.loop.TraceEvery)
		row = f.sub(f.div(done, every), f.div(v[baseParam], every))
	}
	for i, t := range traces {
		v[traceParam(i)] = f.setRow(v[traceParam(i)], t, row)
	}
}

// fusedBlock adds the steps up to the next recorded one to the loop body f: an inner loop of steps without traces, then
// the recorded step, in a loop as well because a call may end before it.
func (p *plan) fusedBlock(b compute.Backend, f ops, v values) {
	every := f.int64(p.loop.TraceEvery)
	record := f.mul(f.add(f.div(v[countParam], every), f.int64(1)), every)
	last := v[lastParam]
	for _, traced := range []bool{false, true} {
		prefix, stop := "quiet_", f.sub(record, f.int64(1))
		if traced {
			prefix, stop = "traced_", record
		}
		v[stopParam] = must(f.Min(last, stop))
		maps.Copy(v, f.while(prefix, v, until(stopParam), func(f ops, v values) {
			separate(f.Builder())
			p.fusedStep(b, f, v, traced)
		}))
	}
	delete(v, stopParam)
}

// callFused does n steps in one call.
func (r *running) callFused(n int) (bad int, err error) {
	var own []compute.Buffer // ours alone: freed afterwards
	defer func() { free(own) }()
	var args []compute.Buffer
	add := func(b compute.Buffer, e error) {
		err = errors.Join(err, e)
		own, args = append(own, b), append(args, b)
	}
	add(r.scalar(r.done))
	add(r.scalar(r.done + n))
	add(r.scalar(r.done))
	if r.plan.guarded() {
		add(r.scalar(0))
	}
	if r.plan.random {
		args = append(args, r.key)
	}
	for _, st := range r.streams {
		flat := make([]int32, r.layout.steps*st.size())
		st.fill(flat[:n*st.size()], r.done)
		add(r.backend.BufferFromFlatData(device, flat, leading(r.layout.steps, shapes.Make(dtypes.Int32, st.dims()...))))
	}
	if err != nil {
		return 0, err
	}
	out, err := r.exec.Execute(append(append(args, r.state...), r.inputs...), nil, device)
	if err != nil {
		return 0, err
	}
	k := len(r.state)
	state, out := out[:k:k], out[k:]
	own = append(own, out...)
	every := r.plan.loop.TraceEvery
	for i, t := range r.traces {
		if err := t.take(out[i], r.layout.records, (r.done+n)/every-r.done/every); err != nil {
			return 0, err
		}
	}
	if r.plan.guarded() {
		if bad, err = number(out[len(out)-1]); err != nil {
			return 0, err
		}
	}
	r.state, r.owned, r.done = state, true, r.done+n
	return bad, nil
}
