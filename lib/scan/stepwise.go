package scan

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// stepwise compiles one step.
//
//	parameters: count, [bad], [key], windows, state, inputs
//	results:    count, [bad], state, traces
func (p *plan) stepwise(b compute.Backend) (exec compute.Executable, err error) {
	err = try(p.loop.Name, "compiling the step", func() error {
		builder := b.Builder(p.loop.Name)
		main := ops{builder.Main()}
		step := main.add(main.param(countParam, countShape), main.int64(1))
		values := map[string]compute.Value{countParam: step}
		var bad compute.Value
		if p.guarded() {
			bad = main.param("bad", countShape)
		}
		if p.random {
			values[keyParam] = main.param(keyParam, keyShape)
		} else {
			values[keyParam] = main.zeros(keyShape)
		}
		for i, w := range p.windows {
			values[windowParam(i)] = main.param(windowParam(i), shapes.Make(dtypes.Int32, w.n))
		}
		for i, v := range p.state {
			values[stateParam(i)] = main.param(stateParam(i), v.shape)
		}
		for i, v := range p.inputs {
			values[inputParam(i)] = main.param(inputParam(i), v.shape)
		}
		state, traces, finite, err := p.build(b, main.Function, values)
		if err != nil {
			return err
		}
		results := []compute.Value{step}
		if p.guarded() {
			results = append(results, main.firstBad(bad, finite, step))
		}
		results = append(append(results, state...), traces...)
		for i := range p.state {
			alias(values[stateParam(i)], len(results)-len(traces)-len(p.state)+i)
		}
		main.finish(results...)
		exec, err = builder.Compile()
		return err
	})
	return exec, err
}
