package scan

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// slots is how many steps, respectively recorded steps, the index and trace buffers of a fused program hold.
type slots struct{ steps, records int }

// capacity of a fused program's buffers: 65,536 steps and records, less where the buffers would exceed 32 MB.
func (p *plan) capacity() slots {
	const most, bytes = 1 << 16, 32 << 20
	c := slots{most, most}
	for _, w := range p.windows {
		c.steps = min(c.steps, max(1, bytes/4/w.n))
	}
	for _, t := range p.traces {
		c.records = min(c.records, max(1, bytes/max(1, int(t.shape.ByteSize()))))
	}
	return c
}

// fused compiles the While.
//
//	parameters: count, last, base, [bad], [key], windows, state, inputs
//	results:    state, traces, [bad]
func (p *plan) fused(b compute.Backend, c slots) (exec compute.Executable, err error) {
	err = try(p.loop.Name, "compiling the fused steps", func() error {
		builder := b.Builder(p.loop.Name)
		main := ops{builder.Main()}
		cond := ops{must(main.Closure())}
		body := ops{must(main.Closure())}

		var initial []compute.Value
		// carry declares a loop variable and returns its value in the condition and in the body.
		carry := func(name string, v compute.Value) (inCond, inBody compute.Value) {
			initial = append(initial, v)
			shape := must(main.Shape(v))
			return cond.param("c_"+name, shape), body.param("b_"+name, shape)
		}
		param := func(name string, shape shapes.Shape) (inCond, inBody compute.Value) {
			return carry(name, main.param(name, shape))
		}
		condCount, count := param(countParam, countShape)
		condLast, last := param("last", countShape)
		_, base := param("base", countShape)
		next := []compute.Value{body.add(count, body.int64(1)), last, base}
		step := next[0]

		values := map[string]compute.Value{countParam: step}
		var bad compute.Value
		if p.guarded() {
			_, bad = param("bad", countShape)
			next = append(next, nil)
		}
		if p.random {
			_, values[keyParam] = param(keyParam, keyShape)
			next = append(next, values[keyParam])
		} else {
			values[keyParam] = body.zeros(keyShape)
		}
		for i, w := range p.windows {
			_, all := param(windowParam(i), shapes.Make(dtypes.Int32, c.steps, w.n))
			values[windowParam(i)] = body.row(all, body.sub(count, base))
			next = append(next, all)
		}
		firstTrace := len(next)
		var traces []compute.Value
		for i, t := range p.traces {
			buffer := main.zeros(shapes.Make(t.shape.DType, append([]int{c.records}, t.shape.Dimensions...)...))
			_, v := carry(fmt.Sprintf("trace%d", i), buffer)
			traces = append(traces, v)
			next = append(next, nil)
		}
		firstState := len(next)
		for i, v := range p.state {
			_, values[stateParam(i)] = param(stateParam(i), v.shape)
			next = append(next, nil)
		}
		for i, v := range p.inputs {
			_, values[inputParam(i)] = param(inputParam(i), v.shape)
			next = append(next, values[inputParam(i)])
		}

		state, traced, finite, err := p.build(b, body.Function, values)
		if err != nil {
			return err
		}
		if p.guarded() {
			next[3] = body.firstBad(bad, finite, step)
		}
		if len(traced) > 0 {
			slot := body.sub(count, base)
			if every := int64(p.loop.TraceEvery); every > 1 {
				// Every step writes; step k·every is the last to write slot k-1.
				slot = body.sub(body.div(count, body.int64(every)), body.div(base, body.int64(every)))
			}
			for i, v := range traced {
				next[firstTrace+i] = body.setRow(traces[i], v, slot)
			}
		}
		copy(next[firstState:], state)

		cond.finish(must(cond.LessThan(condCount, condLast)))
		body.finish(next...)
		out := must(main.While(cond.Function, body.Function, initial...))
		results := append(out[firstState:firstState+len(p.state):firstState+len(p.state)], out[firstTrace:firstState]...)
		if p.guarded() {
			results = append(results, out[3])
		}
		main.finish(results...)
		exec, err = builder.Compile()
		return err
	})
	return exec, err
}
