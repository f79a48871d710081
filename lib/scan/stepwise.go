package scan

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// stepwise compiles one step, with its traces or without.
//
//	parameters: count, [bad], [key], windows, state, inputs
//	results:    count, [bad], state, traces
func (p *plan) stepwise(b compute.Backend, traced bool) (exec compute.Executable, err error) {
	err = try(p.loop.Name, "compiling the step", func() error {
		builder := b.Builder(p.loop.Name)
		main := ops{builder.Main()}
		step := main.add(main.param(countParam, countShape), main.int64(1))
		params := values{countParam: step}
		var bad compute.Value
		if p.guarded() {
			bad = main.param("bad", countShape)
		}
		if p.random {
			params[keyParam] = main.param(keyParam, p.keyShape())
		} else {
			params[keyParam] = main.zeros(p.keyShape())
		}
		for i, w := range p.windows {
			params[windowParam(i)] = main.param(windowParam(i), shapes.Make(dtypes.Int32, w.dims()...))
		}
		for i, v := range p.state {
			params[stateParam(i)] = main.param(stateParam(i), v.shape)
		}
		for i, v := range p.inputs {
			params[inputParam(i)] = main.param(inputParam(i), v.shape)
		}
		state, traces, finite := p.build(b, main.Function, params, traced)
		results := []compute.Value{step}
		if p.guarded() {
			results = append(results, main.firstBad(bad, finite, step))
		}
		results = append(append(results, state...), traces...)
		for i := range p.state {
			alias(params[stateParam(i)], len(results)-len(traces)-len(p.state)+i)
		}
		main.finish(results...)
		exec, err = builder.Compile()
		return err
	})
	return exec, err
}

// callSteps does n steps, one call each; the state stays on the device, and from the second step on in place.
func (r *running) callSteps(n int) (bad int, err error) {
	p := r.plan
	var args []compute.Buffer
	var donate []bool
	add := func(give bool, buffers ...compute.Buffer) (at int) {
		at = len(args)
		for _, b := range buffers {
			args, donate = append(args, b), append(donate, give)
		}
		return at
	}
	count, err := r.scalar(r.done)
	if err != nil {
		return 0, err
	}
	add(true, count)
	if p.guarded() {
		none, err := r.scalar(0)
		if err != nil {
			return 0, err
		}
		add(true, none)
	}
	carried := len(args) // count and bad: results go where the arguments are
	if p.random {
		add(false, r.key)
	}
	windows := len(args)
	var indices [][]int32
	var indexShapes []shapes.Shape
	for _, st := range r.streams {
		add(true, nil)
		indices = append(indices, make([]int32, st.size()))
		indexShapes = append(indexShapes, shapes.Make(dtypes.Int32, st.dims()...))
	}
	// The first state is the caller's, or may be needed again: else it is updated in place as well.
	give := r.owned && !p.guarded()
	state := add(give, r.state...)
	add(false, r.inputs...)

	for i := range n {
		for k, st := range r.streams {
			st.fill(indices[k], r.done)
			if args[windows+k], err = r.backend.BufferFromFlatData(device, indices[k], indexShapes[k]); err != nil {
				return 0, err
			}
		}
		exec, traced := r.exec, len(r.traces) > 0 && (r.done+1)%p.loop.TraceEvery == 0
		if traced && p.quiet() {
			exec = r.traced
		}
		out, err := exec.Execute(args, donate, device)
		if err != nil {
			return 0, err
		}
		r.done++
		copy(args, out[:carried])
		copy(args[state:], out[carried:carried+len(r.state)])
		if i == 0 {
			if give {
				clear(r.state)
			}
			for j := range r.state {
				donate[state+j] = true
			}
		}
		out = out[carried+len(r.state):]
		if traced {
			for j, t := range r.traces {
				if err := t.take(out[j], 1, 1); err != nil {
					return 0, err
				}
			}
		}
		free(out)
	}
	r.state, r.owned = slices.Clone(args[state:state+len(r.state)]), true
	if p.guarded() {
		bad, err = number(args[1])
	}
	free(args[:carried])
	return bad, err
}
