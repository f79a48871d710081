package scan

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// plan is what the trial build of a step found.
type plan struct {
	loop          Loop
	state, inputs []spec // sorted by name
	traces        []spec // in the order of the step's Trace calls
	windows       []window
	random        bool // the step draws
	guardTrace    int  // the watched trace; -1: none
	guardState    int  // the watched state tensor; -1: none
	guardName     string
	convolutions  int // ops
}

var countShape = shapes.Make(dtypes.Int64)

// keyShape is one key of two words a run.
func (p *plan) keyShape() shapes.Shape { return shapes.Make(dtypes.Uint32, max(1, p.loop.Runs), 2) }

// newPlan builds the step once in a graph that is thrown away.
func newPlan(b compute.Backend, loop Loop, state, inputs []spec) (*plan, error) {
	p := &plan{loop: loop, state: state, inputs: inputs, guardTrace: -1, guardState: -1}
	err := try(loop.Name, "the step function", func() error {
		g := graph.NewGraph(b, loop.Name)
		defer g.Finalize()
		s := p.step(g, nil)
		loop.Step(s)
		p.windows, p.random = s.windows, s.draws > 0
		for _, name := range s.traceNames {
			p.traces = append(p.traces, spec{name, s.traces[name].Shape()})
		}
		for _, n := range g.Nodes() {
			if n.Type() == graph.NodeTypeConvGeneral {
				p.convolutions++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, p.guard()
}

// guard finds the tensor to watch.
func (p *plan) guard() error {
	name := p.loop.StopNonFinite
	if name == "-" {
		return nil
	}
	var known []string
	for i, t := range p.traces {
		known = append(known, t.name)
		if t.name == name || name == "" && t.name == "loss" && t.shape.IsScalar() && t.shape.DType.IsFloat() {
			p.guardTrace, p.guardName = i, t.name
		}
	}
	for i, v := range p.state {
		known = append(known, v.name)
		if v.name == name && p.guardTrace < 0 {
			p.guardState, p.guardName = i, v.name
		}
	}
	switch {
	case p.guardTrace < 0 && p.guardState < 0 && name != "":
		return fmt.Errorf("scan: %s: StopNonFinite is %q, must be a trace or a state tensor, %s", p.loop.Name, name, list(known))
	case p.guarded() && !p.guardShape().DType.IsFloat():
		return fmt.Errorf("scan: %s: StopNonFinite is %q of dtype %s, must be a float", p.loop.Name, name, p.guardShape().DType)
	}
	return nil
}

func (p *plan) guarded() bool { return p.guardName != "" }

func (p *plan) guardShape() shapes.Shape {
	if p.guardTrace >= 0 {
		return p.traces[p.guardTrace].shape
	}
	return p.state[p.guardState].shape
}

// Names of the parameters of a step's graph.
func stateParam(i int) string  { return fmt.Sprintf("state%d", i) }
func inputParam(i int) string  { return fmt.Sprintf("input%d", i) }
func windowParam(i int) string { return fmt.Sprintf("window%d", i) }

const (
	countParam = "count"
	keyParam   = "key"
)

// step makes the Step of a graph, whose parameters are named as above. The trial build passes no plan.
func (p *plan) step(g *graph.Graph, found *plan) *Step {
	s := &Step{
		g: g, plan: found,
		state: make(map[string]*graph.Node), inputs: make(map[string]*graph.Node), traces: make(map[string]*graph.Node),
		count: graph.Parameter(g, countParam, countShape),
		key:   graph.Parameter(g, keyParam, p.keyShape()),
		runs:  p.loop.Runs,
	}
	for i, v := range p.state {
		s.names = append(s.names, v.name)
		s.state[v.name] = graph.Parameter(g, stateParam(i), v.shape)
	}
	for i, v := range p.inputs {
		s.inputNames = append(s.inputNames, v.name)
		s.inputs[v.name] = graph.Parameter(g, inputParam(i), v.shape)
	}
	if found != nil {
		for i, w := range found.windows {
			s.indices = append(s.indices, graph.Parameter(g, windowParam(i), shapes.Make(dtypes.Int32, w.dims()...)))
		}
	}
	return s
}

// quiet says that some steps are not recorded: they are built without their traces, which may be expensive.
func (p *plan) quiet() bool { return p.loop.TraceEvery > 1 && len(p.traces) > 0 }

// build adds the step to function f and returns the new state, the traces if it is traced, and the finite flag if there
// is something to watch. It panics where the step does, which the trial build has shown it does not.
func (p *plan) build(b compute.Backend, f compute.Function, params values, traced bool) (state, traces []compute.Value, finite compute.Value) {
	out, err := buildInto(b, f, p.loop.Name, params, func(g *graph.Graph) []*graph.Node {
		s := p.step(g, p)
		p.loop.Step(s)
		if len(s.traceNames) != len(p.traces) || len(s.windows) != len(p.windows) {
			panic(fmt.Errorf("built twice it differs: %d and %d traces, %d and %d batches; it must be pure",
				len(p.traces), len(s.traceNames), len(p.windows), len(s.windows)))
		}
		for i, name := range s.traceNames {
			if name != p.traces[i].name {
				panic(fmt.Errorf("built twice it traces %q and then %q at one place; it must be pure: range over a map in the order of its keys", p.traces[i].name, name))
			}
		}
		var out []*graph.Node
		for _, v := range p.state {
			out = append(out, s.state[v.name])
		}
		if traced {
			for _, name := range s.traceNames {
				out = append(out, s.traces[name])
			}
		}
		if p.guarded() {
			watched := s.traces[p.guardName]
			if p.guardState >= 0 {
				watched = s.state[p.guardName]
			}
			out = append(out, graph.ReduceLogicalAnd(graph.IsFinite(watched)))
		}
		return out
	})
	if err != nil {
		panic(err)
	}
	state, traces = out[:len(p.state)], out[len(p.state):]
	if p.guarded() {
		traces, finite = traces[:len(traces)-1], traces[len(traces)-1]
	}
	return state, traces, finite
}
