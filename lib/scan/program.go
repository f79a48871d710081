package scan

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/hindsight-go/hindsight/lib/backend"
)

// Program is a compiled [Loop]. It may be run by several goroutines at once.
type Program struct {
	backend compute.Backend
	plan    *plan
	exec    compute.Executable
	traced  compute.Executable // one step with traces, where exec is one without
	mode    Mode
	why     string
	layout  layout
	perStep atomic.Int64 // nanoseconds a step took in the last chunk; 0: unknown
}

// Mode in which the program runs, and why.
func (p *Program) Mode() (mode Mode, why string) { return p.mode, p.why }

// Compile builds and compiles a loop for a backend. The values of state and inputs do not matter here, only their names,
// shapes and dtypes; inputs may be nil.
func Compile(b compute.Backend, loop Loop, state, inputs Vars) (*Program, error) {
	if loop.Name == "" {
		loop.Name = "loop"
	}
	if loop.TraceEvery == 0 {
		loop.TraceEvery = 1
	}
	stateSpecs, err1 := specs(loop.Name, "state", state)
	inputSpecs, err2 := specs(loop.Name, "inputs", inputs)
	if err := errors.Join(validate(b, loop, state), err1, err2); err != nil {
		return nil, err
	}
	pl, err := newPlan(b, loop, stateSpecs, inputSpecs)
	if err != nil {
		return nil, err
	}
	p := &Program{backend: b, plan: pl, layout: pl.layout()}
	if p.mode, p.why, err = choose(b, loop, pl); err != nil {
		return nil, err
	}
	if p.mode == Fused {
		p.exec, err = pl.fused(b, p.layout)
		switch {
		case err == nil:
			return p, nil
		case loop.Mode == Fused:
			return nil, err
		}
		p.mode, p.why = Stepwise, "the steps cannot be fused: "+err.Error()
	}
	if p.exec, err = pl.stepwise(b, !pl.quiet()); err == nil && pl.quiet() {
		p.traced, err = pl.stepwise(b, true)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// validate reports every field that is out of range.
func validate(b compute.Backend, loop Loop, state Vars) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("scan: %s: "+format, append([]any{loop.Name}, args...)...))
	}
	if b == nil {
		bad("the backend is nil")
	}
	if loop.Step == nil {
		bad("Step is nil, must be a function")
	}
	if loop.Mode < Auto || loop.Mode > Stepwise {
		bad("Mode is %d, must be Auto, Fused or Stepwise", loop.Mode)
	}
	if loop.TraceEvery < 0 {
		bad("TraceEvery is %d, must be at least 1 (0: every step)", loop.TraceEvery)
	}
	if loop.Chunk < 0 {
		bad("Chunk is %d, must be at least 1 (0: chosen)", loop.Chunk)
	}
	if loop.Runs < 0 {
		bad("Runs is %d, must be at least 1 (0: no leading axis)", loop.Runs)
	}
	if len(state) == 0 {
		bad("the state is empty, must hold at least one tensor")
	}
	return errors.Join(errs...)
}

// specs lists names and shapes, sorted by name.
func specs(loop, what string, vars Vars) ([]spec, error) {
	var out []spec
	var errs []error
	for _, name := range vars.names() {
		t := vars[name]
		if t == nil || t.CheckValid() != nil {
			errs = append(errs, fmt.Errorf("scan: %s: %s %q is nil or was freed, must be a tensor", loop, what, name))
			continue
		}
		out = append(out, spec{name, t.Shape()})
	}
	return out, errors.Join(errs...)
}

// CanFuse says whether a backend has what [Fused] needs. The pure-Go backend has not.
func CanFuse(b compute.Backend) bool {
	c := b.Capabilities()
	return c.Functions && c.Operations[compute.OpTypeDynamicSlice] && c.Operations[compute.OpTypeDynamicUpdateSlice]
}

// choose takes the mode asked for, or the better one.
func choose(b compute.Backend, loop Loop, p *plan) (Mode, string, error) {
	switch {
	case loop.Mode == Fused && !CanFuse(b):
		return 0, "", fmt.Errorf("scan: %s: Mode is Fused, but backend %q lacks what that needs; use Auto or Stepwise",
			loop.Name, backend.Describe(b).Name)
	case loop.Mode != Auto:
		return loop.Mode, "asked for", nil
	case !CanFuse(b):
		return Stepwise, fmt.Sprintf("backend %q cannot fuse steps", backend.Describe(b).Name), nil
	case p.convolutions > 0 && backend.Describe(b).Name != backend.XLACUDA:
		return Stepwise, fmt.Sprintf("%d convolutions, which XLA runs several times slower in a loop on the CPU", p.convolutions), nil
	case p.convolutions > 0:
		return Fused, "convolutions keep their speed in a loop on a GPU", nil
	}
	return Fused, "no convolutions", nil
}

// Run compiles a loop and runs it once. See [Compile] and [Program.Run].
func Run(ctx context.Context, b compute.Backend, loop Loop, state, inputs Vars, steps int, seed int64) (*Result, error) {
	p, err := Compile(b, loop, state, inputs)
	if err != nil {
		return nil, err
	}
	defer p.Finalize()
	return p.Run(ctx, state, inputs, steps, seed)
}

// Finalize frees the executable now instead of when it is collected. The program cannot be run afterwards.
func (p *Program) Finalize() {
	for _, exec := range []compute.Executable{p.exec, p.traced} {
		if exec != nil {
			exec.Finalize()
		}
	}
	p.exec, p.traced = nil, nil
}
