package oco

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/scan"
)

const float64Type = dtypes.Float64

// Stream is an environment of losses in a graph: what [Simulate] plays against.
type Stream struct {
	Name string
	Dim  int // entries of a point
	// Inputs of the graph, for Step.Input and Step.Row; State that lasts from round to round, with its axis of runs, for
	// Step.Get and Step.Set. Both may be nil. Names must not begin with "rule/".
	Inputs, State scan.Vars
	// Reveal returns the gradient of the round's loss at the points, both shaped [runs, Dim], and the loss charged there,
	// shaped [runs]. Draw with the Each methods of the step, which give every run its own.
	Reveal func(s *scan.Step, points *graph.Node) (gradient, loss *graph.Node)
}

// Options of [Simulate]; the zero value is fine.
type Options struct {
	Seed     uint64                // of the stream's draws: run i has Seed+i
	Every    int                   // rounds n, 2n, … are recorded; 0: each
	Points   bool                  // record the points too
	Linear   bool                  // record what the linearized regret needs, and the bound of a [BoundedRule]
	Progress func(done, total int) // told of rounds now and then; may be nil
}

// Trace is what happened in a simulation at the recorded rounds.
type Trace struct {
	Rounds []int         // the recorded ones
	Losses [][]float64   // one slice a run: what was charged in just those rounds
	Sums   [][]float64   // one slice a run: what was charged in all rounds so far
	Points [][][]float64 // run, recorded round, entry; nil unless asked for

	// Of all rounds so far, for Options.Linear, else nil:
	Inner     [][]float64   // Σ⟨g_t, x_t⟩, one slice a run
	Gradients [][][]float64 // Σ g_t: run, recorded round, entry
	Bounds    [][]float64   // of the linearized regret, one slice a run; nil where the rule knows none
}

// Simulation is a compiled game of rules against a stream. It may be run by several goroutines at once.
type Simulation struct {
	program *scan.Program
	rule    Rule
	name    string
	dim     int
	runs    int
	o       Options
	bounded bool
}

// Simulate lets rules play a stream in one compiled program, run i by rules[i]. The rules must be of one make and differ in
// their Numbers and in what they remember at first, as over the points of a grid; equal ones are runs of several seeds.
//
// Sums are compensated, so that they are good to rounding however many rounds there are. When ctx ends first, the error is
// ctx's.
func Simulate(ctx context.Context, b compute.Backend, rules []Rule, stream Stream, rounds int, o Options) (*Trace, error) {
	s, err := Compile(b, rules, stream, o)
	if err != nil {
		return nil, err
	}
	return s.Run(ctx, rules, stream, rounds, o.Seed)
}

// Compile prepares what [Simulate] runs, for games with other numbers, inputs, rounds and seeds without compiling again.
// Only the make of the rules and the shapes of the stream's inputs and state are fixed by it.
func Compile(b compute.Backend, rules []Rule, stream Stream, o Options) (*Simulation, error) {
	if len(rules) == 0 {
		return nil, fmt.Errorf("oco: Compile: %s: there are no rules, must be at least one", stream.Name)
	}
	if stream.Dim < 1 || stream.Reveal == nil {
		return nil, fmt.Errorf("oco: Compile: %s: Dim is %d, must be at least 1, and Reveal be a function", stream.Name, stream.Dim)
	}
	state, inputs, err := stack(rules, stream, o)
	if err != nil {
		return nil, err
	}
	o.Every = max(o.Every, 1)
	s := &Simulation{rule: rules[0], name: stream.Name, dim: stream.Dim, runs: len(rules), o: o}
	s.program, err = scan.Compile(b, scan.Loop{
		Name: stream.Name, Runs: len(rules), TraceEvery: o.Every, Progress: o.Progress, StopNonFinite: "sum",
		Step: func(step *scan.Step) { s.step(step, stream) },
	}, state, inputs)
	if err != nil {
		return nil, fmt.Errorf("oco: Compile: %w", err)
	}
	return s, nil
}

// step is a round.
func (s *Simulation) step(step *scan.Step, stream Stream) {
	r := &Round{step: step}
	for i := range s.rule.Numbers() {
		r.numbers = append(r.numbers, step.Input(fmt.Sprint(memory, i)))
	}
	points := s.rule.ActNode(r)
	gradient, loss := stream.Reveal(step, points)
	s.rule.LearnNode(r, gradient)
	step.Trace("loss", loss)
	step.Trace("sum", add(step, "sum", loss))
	if s.o.Points {
		step.Trace("points", points)
	}
	if !s.o.Linear {
		return
	}
	step.Trace("inner", add(step, "inner", graph.Einsum("rd,rd->r", gradient, points)))
	step.Trace("gradients", add(step, "gradients", gradient))
	if rule, ok := s.rule.(BoundedRule); ok {
		if bound := rule.BoundNode(r); bound != nil {
			step.Trace("bound", graph.Squeeze(bound, 1))
			s.bounded = true
		}
	}
}

// add to a sum of the state by Kahan's method: a horizon of a million small regrets on large losses would lose half its digits.
func add(step *scan.Step, name string, x *graph.Node) *graph.Node {
	sum := step.Get(name)
	y := graph.Sub(x, step.Get(name+" lost"))
	next := graph.Add(sum, y)
	step.Set(name+" lost", graph.Sub(graph.Sub(next, sum), y))
	step.Set(name, next)
	return next
}

// Run plays the game, of rules and a stream like those it was compiled for.
func (s *Simulation) Run(ctx context.Context, rules []Rule, stream Stream, rounds int, seed uint64) (*Trace, error) {
	if rounds < 1 || len(rules) != s.runs {
		return nil, fmt.Errorf("oco: Simulation.Run: %s: %d rules and %d rounds, must be %d rules and at least one round", s.name, len(rules), rounds, s.runs)
	}
	state, inputs, err := stack(rules, stream, s.o)
	if err != nil {
		return nil, err
	}
	if got, want := fmt.Sprintf("%T", rules[0]), fmt.Sprintf("%T", s.rule); got != want {
		return nil, fmt.Errorf("oco: Simulation.Run: %s: the rules are %s, must be %s as when it was compiled", s.name, got, want)
	}
	result, err := s.program.Run(ctx, state, inputs, rounds, int64(seed))
	if err != nil {
		return nil, fmt.Errorf("oco: Simulation.Run: %w", err)
	}
	if result.Status != scan.Done {
		return nil, fmt.Errorf("oco: Simulation.Run: %s stopped after %d of %d rounds: %w", s.name, result.Steps, rounds, ctx.Err())
	}
	t := &Trace{Losses: byRun(result.Traces["loss"]), Sums: byRun(result.Traces["sum"])}
	for n := s.o.Every; n <= rounds; n += s.o.Every {
		t.Rounds = append(t.Rounds, n)
	}
	if s.o.Points {
		t.Points = byRunAndRound(result.Traces["points"])
	}
	if s.o.Linear {
		t.Inner, t.Gradients = byRun(result.Traces["inner"]), byRunAndRound(result.Traces["gradients"])
		if s.bounded {
			t.Bounds = byRun(result.Traces["bound"])
		}
	}
	return t, nil
}

// stack is what the simulation of a stream starts from: sums, the stream's own and the rules'.
func stack(rules []Rule, stream Stream, o Options) (state, inputs scan.Vars, err error) {
	if state, inputs, err = stackRules(rules, stream.Dim); err != nil {
		return nil, nil, err
	}
	runs := len(rules)
	state["sum"], state["sum lost"] = zeros(runs), zeros(runs)
	if o.Linear {
		state["inner"], state["inner lost"] = zeros(runs), zeros(runs)
		state["gradients"], state["gradients lost"] = zeros(runs, stream.Dim), zeros(runs, stream.Dim)
	}
	own := len(state)
	maps.Copy(state, stream.State)
	maps.Copy(inputs, stream.Inputs)
	if len(state) != own+len(stream.State) {
		return nil, nil, errors.New("oco: Simulate: the stream's State uses a name of the simulation: \"sum\", \"inner\", \"gradients\" or \"rule/…\"")
	}
	return state, inputs, nil
}

// stackRules joins the rules' memories and numbers to tensors with an axis of runs. The rules must be of one make.
func stackRules(rules []Rule, dim int) (state, inputs scan.Vars, err error) {
	runs := len(rules)
	state, inputs = scan.Vars{}, scan.Vars{}
	parts := map[string][]float64{}
	dims := map[string][]int{}
	numbers := make([][]float64, len(rules[0].Numbers()))
	for i, rule := range rules {
		if _, err := rule.Start(dim); err != nil {
			return nil, nil, fmt.Errorf("oco: rule %d: %w", i, err)
		}
		if got, want := fmt.Sprintf("%T", rule), fmt.Sprintf("%T", rules[0]); got != want || len(rule.Numbers()) != len(numbers) {
			return nil, nil, fmt.Errorf("oco: rule %d is a %s with %d numbers, must be a %s with %d like the first", i, got, len(rule.Numbers()), want, len(numbers))
		}
		for j, x := range rule.Numbers() {
			numbers[j] = append(numbers[j], x)
		}
		for name, v := range rule.Memory(dim) {
			shape := v.Shape().Dimensions
			if i > 0 && !slices.Equal(dims[name], shape) {
				return nil, nil, fmt.Errorf("oco: rule %d remembers %q shaped %v, must be %v like the first", i, name, shape, dims[name])
			}
			dims[name] = shape
			parts[name] = append(parts[name], tensors.MustCopyFlatData[float64](v)...)
		}
	}
	for name, flat := range parts {
		state[memory+name] = tensors.FromFlatDataAndDimensions(flat, append([]int{runs}, dims[name]...)...)
	}
	for j, flat := range numbers {
		inputs[fmt.Sprint(memory, j)] = tensors.FromFlatDataAndDimensions(flat, runs, 1)
	}
	return state, inputs, nil
}

func zeros(dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	return tensors.FromFlatDataAndDimensions(make([]float64, size), dims...)
}

// byRunAndRound turns [rounds, runs, dim] into run, round, entry.
func byRunAndRound(t *tensors.Tensor) [][][]float64 {
	flat := tensors.MustCopyFlatData[float64](t)
	runs, dim := t.Shape().Dim(1), t.Shape().Dim(2)
	out := make([][][]float64, runs)
	for i := 0; i < len(flat); i += dim {
		run := i / dim % runs
		out[run] = append(out[run], flat[i:i+dim])
	}
	return out
}
