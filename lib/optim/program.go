package optim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Problem is what an optimizer minimizes, as graph functions.
type Problem struct {
	// Loss of the parameters, in the order of their sorted paths, on a minibatch: a scalar, or with Lead 1 one value a
	// run. It must be pure: methods such as SAM build it more than once a step.
	Loss func(params, data []*graph.Node) *graph.Node
	// Objective takes the place of Loss where what is minimized remembers earlier steps, e.g. [SAF]. Its memory is in the
	// result's State, under "objective/" and its name.
	Objective Objective
	// Data returns the step's minibatch; nil: the loss needs none.
	Data func(s *scan.Step) []*graph.Node
	// Lead 1 says that every parameter's first axis indexes independent runs (seeds, grid points), all of one length.
	Lead int
	// Project maps the parameters back to where they are allowed after each step; nil: anywhere.
	Project func(params []*graph.Node) []*graph.Node
	// Observe may trace more than the loss; nil: only the loss.
	Observe func(s *scan.Step, o Observation)
	// Loop holds how to run and watch: Name, Mode, TraceEvery, Chunk, Progress, StopNonFinite. Its Step is not used.
	Loop scan.Loop
}

// Observation is what a step knows, for [Problem].Observe.
type Observation struct {
	Params        []Param       // before the step
	Gradients     []*graph.Node // at Params
	Before, After State         // of the optimizer
	Updates       []*graph.Node // what is added to Params
	Loss          *graph.Node
	Memory        State // of the objective, after the step
}

// Hyper gives hyper-parameters by name, e.g. "learning_rate": one value, or one a run.
type Hyper map[string][]float64

// Program is a compiled training step of a [Problem] under a [Transform]. Other values of parameters, inputs and
// hyper-parameters need no other program.
type Program struct {
	names   []string // of the parameters, sorted
	state   []string // of the optimizer's state, in order
	init    *graph.Exec
	program *scan.Program
	hyper   map[string]int // how many values each hyper-parameter has
}

// Result of a run. Traces hold "loss" and what Observe traced, one row a recorded step.
type Result struct {
	Params scan.Vars // after the last step, by path
	State  scan.Vars // of the optimizer, by name
	Traces scan.Vars
	Steps  int
	Status scan.Status
	Mode   scan.Mode
	Why    string // why in that mode

	from *scan.Result
}

const (
	paramPrefix = "param:"
	statePrefix = "state:"
	hyperPrefix = "hyper:"
	// objectivePrefix marks an objective's memory within the state; neither a partition's group nor a chain's part can have it.
	objectivePrefix = "objective/"
)

// Compile prepares t to minimize p. Of params, inputs and hyper only names and shapes matter here; inputs and hyper may be
// nil. A name in hyper that t does not have is an error that lists those it has.
func Compile(b compute.Backend, t Transform, p Problem, params, inputs scan.Vars, hyper Hyper) (*Program, error) {
	var errs []error
	if t == nil {
		errs = append(errs, errors.New("optim: Compile: the transform is nil"))
	} else {
		errs = append(errs, t.Validate())
	}
	switch {
	case p.Loss == nil && p.Objective == nil:
		errs = append(errs, errors.New("optim: Compile: Problem.Loss is nil, must be a function"))
	case p.Loss != nil && p.Objective != nil:
		errs = append(errs, errors.New("optim: Compile: Problem has both Loss and Objective, must have one"))
	case p.Objective == nil:
		p.Objective = lossOnly(p.Loss)
	default:
		errs = append(errs, p.Objective.Validate())
	}
	if p.Lead < 0 || p.Lead > 1 {
		errs = append(errs, fmt.Errorf("optim: Compile: Problem.Lead is %d, must be 0 or 1", p.Lead))
	}
	errs = append(errs, checkParams(params, p.Lead))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out := &Program{names: slices.Sorted(maps.Keys(params)), hyper: map[string]int{}}
	for name, values := range hyper {
		out.hyper[name] = len(values)
	}
	if err := out.checkHyper(hyper, p.Lead, params); err != nil {
		return nil, err
	}
	state, err := out.initial(b, remembering{p.Objective, t}, p.Lead, params)
	if err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	loop := p.Loop
	if loop.Name == "" {
		loop.Name = "training"
	}
	loop.Step = func(s *scan.Step) { out.step(s, t, p, asked) }
	out.program, err = scan.Compile(b, loop, out.pack(params, state), withHyper(inputs, hyper))
	if err != nil {
		return nil, err
	}
	for name := range hyper {
		if !asked[name] {
			return nil, fmt.Errorf("optim: Compile: hyper-parameter %q is unknown, this method has %s", name, strings.Join(slices.Sorted(maps.Keys(asked)), ", "))
		}
	}
	return out, nil
}

func checkParams(params scan.Vars, lead int) error {
	if len(params) == 0 {
		return errors.New("optim: Compile: params is empty, must hold at least one tensor")
	}
	runs := -1
	for _, path := range slices.Sorted(maps.Keys(params)) {
		v := params[path]
		if v == nil || !v.DType().IsFloat() {
			return fmt.Errorf("optim: Compile: parameter %q must be a float tensor", path)
		}
		if lead == 0 {
			continue
		}
		if v.Rank() == 0 || runs >= 0 && v.Shape().Dim(0) != runs {
			return fmt.Errorf("optim: Compile: parameter %q is %s, must have the runs as its first axis like the others", path, v.Shape())
		}
		runs = v.Shape().Dim(0)
	}
	return nil
}

func (p *Program) checkHyper(hyper Hyper, lead int, params scan.Vars) error {
	var errs []error
	for name, values := range hyper {
		allowed := []int{1}
		if lead == 1 {
			allowed = append(allowed, params[p.names[0]].Shape().Dim(0))
		}
		if !slices.Contains(allowed, len(values)) {
			errs = append(errs, fmt.Errorf("optim: hyper-parameter %q has %d values, must have one of %v", name, len(values), allowed))
		}
	}
	return errors.Join(errs...)
}

// initial builds Init and runs it.
func (p *Program) initial(b compute.Backend, t Stateful, lead int, params scan.Vars) (scan.Vars, error) {
	state, err := stateSpecs(b, t, lead, shapesOf(params))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, v := range state {
		if seen[v.name] {
			return nil, fmt.Errorf("optim: Compile: two state tensors have the name %q", v.name)
		}
		seen[v.name] = true
		p.state = append(p.state, v.name)
	}
	if len(state) == 0 {
		return nil, nil
	}
	p.init, err = graph.NewExec(b, func(values []*graph.Node) []*graph.Node {
		var out []*graph.Node
		for _, v := range t.Init(named(p.names, values, lead)) {
			out = append(out, v.Value)
		}
		return out
	})
	if err != nil {
		return nil, fmt.Errorf("optim: Compile: %w", err)
	}
	return p.start(params)
}

// start returns the optimizer's state at its first step.
func (p *Program) start(params scan.Vars) (scan.Vars, error) {
	state := scan.Vars{}
	if len(p.state) == 0 {
		return state, nil
	}
	values := make([]any, len(p.names))
	for i, name := range p.names {
		values[i] = params[name]
	}
	out, err := p.init.Call(values...)
	if err != nil {
		return nil, fmt.Errorf("optim: %w", err)
	}
	for i, name := range p.state {
		state[name] = out[i]
	}
	return state, nil
}

// spec is a state tensor's name and shape.
type spec struct {
	name  string
	shape shapes.Shape
}

// stateSpecs asks Init for the state it would make, in a graph that is thrown away.
func stateSpecs(b compute.Backend, t Stateful, lead int, params map[string]shapes.Shape) (out []spec, err error) {
	err = safely("Init", func() {
		g := graph.NewGraph(b, "optim.Init")
		defer g.Finalize()
		names := slices.Sorted(maps.Keys(params))
		values := make([]*graph.Node, len(names))
		for i, name := range names {
			values[i] = graph.Parameter(g, name, params[name])
		}
		for _, v := range t.Init(named(names, values, lead)) {
			out = append(out, spec{v.Name, v.Value.Shape()})
		}
	})
	return out, err
}

func named(names []string, values []*graph.Node, lead int) []Param {
	params := make([]Param, len(names))
	for i, name := range names {
		params[i] = Param{Path: name, Value: values[i], Lead: lead}
	}
	return params
}

// step builds one training step.
func (p *Program) step(s *scan.Step, t Transform, problem Problem, asked map[string]bool) {
	values := make([]*graph.Node, len(p.names))
	for i, name := range p.names {
		values[i] = s.Get(paramPrefix + name)
	}
	state := make(State, len(p.state))
	for i, name := range p.state {
		state[i] = Var{name, s.Get(statePrefix + name)}
	}
	var data []*graph.Node
	if problem.Data != nil {
		data = problem.Data(s)
	}
	step := &Step{Params: named(p.names, values, problem.Lead), Count: s.Count(), hyper: map[string]*graph.Node{}, asked: asked}
	for name := range p.hyper {
		step.hyper[name] = s.Input(hyperPrefix + name)
		step.hyper["1-"+name] = s.Input(hyperPrefix + "1-" + name)
	}
	memory, state := remembered(state)
	plain := *step
	lossAt := func(values []*graph.Node) (*graph.Node, State) {
		loss, after := problem.Objective.Loss(&plain, values, data, memory)
		if loss.Rank() != problem.Lead {
			panic(fmt.Errorf("the loss is %s, must be %s", loss.Shape(), []string{"a scalar", "one value a run"}[problem.Lead]))
		}
		return loss, after
	}
	loss, keep := lossAt(values)
	if len(keep) != len(memory) {
		panic(fmt.Errorf("the objective returned a memory of %d tensors, must be %d", len(keep), len(memory)))
	}
	step.Loss, step.Again = loss, func(values []*graph.Node) *graph.Node {
		loss, _ := lossAt(values)
		return loss
	}
	gradients := graph.Gradient(graph.ReduceAllSum(loss), values...)
	updates, after := t.Update(step, gradients, state)
	if len(updates) != len(values) || len(after) != len(state) {
		panic(fmt.Errorf("the transform returned %d updates and %d state tensors, must be %d and %d", len(updates), len(after), len(values), len(state)))
	}
	s.Trace("loss", loss)
	if problem.Observe != nil {
		problem.Observe(s, Observation{step.Params, gradients, state, after, updates, loss, keep})
	}
	next := make([]*graph.Node, len(values))
	for i, v := range values {
		next[i] = graph.Add(v, graph.ConvertDType(updates[i], v.DType()))
	}
	if problem.Project != nil {
		next = problem.Project(next)
	}
	for i, name := range p.names {
		s.Set(paramPrefix+name, next[i])
	}
	for _, v := range append(prefixed(objectivePrefix, keep), after...) {
		s.Set(statePrefix+v.Name, v.Value)
	}
}

// remembering is an objective's memory in front of an optimizer's state.
type remembering struct {
	objective Objective
	transform Transform
}

// Init implements Stateful.
func (r remembering) Init(params []Param) State {
	return append(prefixed(objectivePrefix, r.objective.Init(params)), r.transform.Init(params)...)
}

// Validate implements Stateful.
func (r remembering) Validate() error {
	return errors.Join(r.objective.Validate(), r.transform.Validate())
}

// remembered takes such a state apart.
func remembered(all State) (memory, state State) {
	n := 0
	for n < len(all) && strings.HasPrefix(all[n].Name, objectivePrefix) {
		n++
	}
	return stripped(objectivePrefix, all[:n]), all[n:]
}

func (p *Program) pack(params, state scan.Vars) scan.Vars {
	out := scan.Vars{}
	for name, v := range params {
		out[paramPrefix+name] = v
	}
	for name, v := range state {
		out[statePrefix+name] = v
	}
	return out
}

// withHyper adds the hyper-parameters to the inputs: v and 1−v, both rounded once from float64.
func withHyper(inputs scan.Vars, hyper Hyper) scan.Vars {
	out := scan.Vars{}
	maps.Copy(out, inputs)
	for name, values := range hyper {
		rest := make([]float64, len(values))
		for i, v := range values {
			rest[i] = 1 - v
		}
		out[hyperPrefix+name] = vector(values)
		out[hyperPrefix+"1-"+name] = vector(rest)
	}
	return out
}

// vector is a scalar for one value.
func vector(values []float64) *tensors.Tensor {
	if len(values) == 1 {
		return tensors.FromScalar(values[0])
	}
	return tensors.FromFlatDataAndDimensions(slices.Clone(values), len(values))
}

// Mode in which the program runs, and why.
func (p *Program) Mode() (mode scan.Mode, why string) { return p.program.Mode() }

// Run trains for a number of steps from params and a fresh optimizer. When the context ends, or the loss is no longer
// finite, the result holds what was reached; the second is an error besides, see package scan.
func (p *Program) Run(ctx context.Context, params, inputs scan.Vars, hyper Hyper, steps int, seed int64) (*Result, error) {
	for _, name := range p.names {
		if params[name] == nil {
			return nil, fmt.Errorf("optim: Run: parameter %q is missing", name)
		}
	}
	if err := p.sameHyper(hyper); err != nil {
		return nil, err
	}
	state, err := p.start(params)
	if err != nil {
		return nil, err
	}
	r, err := p.program.Run(ctx, p.pack(params, state), withHyper(inputs, hyper), steps, seed)
	return p.unpack(r), err
}

// Resume goes on from a result, also an interrupted one, as if the run had never stopped.
func (p *Program) Resume(ctx context.Context, from *Result, inputs scan.Vars, hyper Hyper, steps int) (*Result, error) {
	if from == nil || from.from == nil {
		return nil, errors.New("optim: Resume: from is nil, must be the result of an earlier run")
	}
	if err := p.sameHyper(hyper); err != nil {
		return nil, err
	}
	r, err := p.program.Resume(ctx, from.from, withHyper(inputs, hyper), steps)
	return p.unpack(r), err
}

func (p *Program) sameHyper(hyper Hyper) error {
	for name, n := range p.hyper {
		if len(hyper[name]) != n {
			return fmt.Errorf("optim: Run: hyper-parameter %q has %d values, must have %d as compiled", name, len(hyper[name]), n)
		}
	}
	for name := range hyper {
		if p.hyper[name] == 0 {
			return fmt.Errorf("optim: Run: hyper-parameter %q was not given to Compile", name)
		}
	}
	return nil
}

func (p *Program) unpack(r *scan.Result) *Result {
	if r == nil {
		return nil
	}
	out := &Result{Params: scan.Vars{}, State: scan.Vars{}, Traces: r.Traces, Steps: r.Steps, Status: r.Status, Mode: r.Mode, Why: r.Why, from: r}
	for name, v := range r.State {
		if path, ok := strings.CutPrefix(name, paramPrefix); ok {
			out.Params[path] = v
		} else {
			out.State[strings.TrimPrefix(name, statePrefix)] = v
		}
	}
	return out
}

// Minimize runs t on a problem for a number of steps: [Compile] and [Program.Run] in one.
func Minimize(ctx context.Context, b compute.Backend, t Transform, p Problem, params, inputs scan.Vars, steps int, seed int64) (*Result, error) {
	program, err := Compile(b, t, p, params, inputs, nil)
	if err != nil {
		return nil, err
	}
	return program.Run(ctx, params, inputs, nil, steps, seed)
}

// Stateful is what [StateBytes] counts: a [Transform] or an [Objective].
type Stateful interface {
	Init(params []Param) State
	Validate() error
}

// StateBytes returns how many bytes t keeps between steps for parameters of these shapes: the state's tensors, without
// the parameters and the step count.
func StateBytes(b compute.Backend, t Stateful, params scan.Vars) (int64, error) {
	if err := errors.Join(t.Validate(), checkParams(params, 0)); err != nil {
		return 0, err
	}
	_, bytes, err := StateSize(b, t, shapesOf(params))
	return bytes, err
}

// StateSize is [StateBytes] for parameters of which only the shapes are given, by path, and also counts the state's
// numbers. Nothing is allocated: a model of any size can be asked for.
func StateSize(b compute.Backend, t Stateful, params map[string]shapes.Shape) (numbers, bytes int64, err error) {
	state, err := StateShapes(b, t, params)
	for _, shape := range state {
		numbers, bytes = numbers+int64(shape.Size()), bytes+shape.ByteSize()
	}
	return numbers, bytes, err
}

// StateShapes returns the shapes of all that t keeps between steps for parameters of these shapes, by the state's names.
// Nothing is allocated.
func StateShapes(b compute.Backend, t Stateful, params map[string]shapes.Shape) (map[string]shapes.Shape, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if len(params) == 0 {
		return nil, errors.New("optim: StateSize: params is empty, must hold at least one shape")
	}
	state, err := stateSpecs(b, t, 0, params)
	out := make(map[string]shapes.Shape, len(state))
	for _, v := range state {
		out[v.name] = v.shape
	}
	return out, err
}

func shapesOf(params scan.Vars) map[string]shapes.Shape {
	out := make(map[string]shapes.Shape, len(params))
	for path, v := range params {
		out[path] = v.Shape()
	}
	return out
}
