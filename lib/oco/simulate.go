package oco

import (
	"context"
	"errors"
	"fmt"
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
	Progress func(done, total int) // told of rounds now and then; may be nil
}

// Trace is what happened in a simulation at the recorded rounds.
type Trace struct {
	Rounds []int         // the recorded ones
	Losses [][]float64   // one slice a run: what was charged in just those rounds
	Sums   [][]float64   // one slice a run: what was charged in all rounds so far
	Points [][][]float64 // run, recorded round, entry; nil unless asked for
}

// Simulate lets rules play a stream in one compiled program, run i by rules[i]. The rules must be of one make and differ in
// their Numbers only, as over the points of a grid; equal ones are runs of several seeds.
//
// Sums are compensated, so that they are good to rounding however many rounds there are. When ctx ends first, the error is
// ctx's.
func Simulate(ctx context.Context, b compute.Backend, rules []Rule, stream Stream, rounds int, o Options) (*Trace, error) {
	if len(rules) == 0 || rounds < 1 {
		return nil, fmt.Errorf("oco: Simulate: %s: %d rules and %d rounds, must be at least one each", stream.Name, len(rules), rounds)
	}
	if stream.Dim < 1 || stream.Reveal == nil {
		return nil, fmt.Errorf("oco: Simulate: %s: Dim is %d, must be at least 1, and Reveal be a function", stream.Name, stream.Dim)
	}
	runs := len(rules)
	state, inputs, err := stack(rules, stream)
	if err != nil {
		return nil, err
	}
	every := max(o.Every, 1)
	loop := scan.Loop{
		Name: stream.Name, Runs: runs, TraceEvery: every, Progress: o.Progress, StopNonFinite: "sum",
		Step: func(s *scan.Step) {
			r := &Round{step: s}
			for i := range rules[0].Numbers() {
				r.numbers = append(r.numbers, s.Input(fmt.Sprint(memory, i)))
			}
			points := rules[0].ActNode(r)
			gradient, loss := stream.Reveal(s, points)
			rules[0].LearnNode(r, gradient)
			s.Trace("loss", loss)
			// Kahan's sum: a horizon of a million small regrets on large losses would lose half its digits.
			sum := s.Get("sum")
			y := graph.Sub(loss, s.Get("lost"))
			next := graph.Add(sum, y)
			s.Set("lost", graph.Sub(graph.Sub(next, sum), y))
			s.Set("sum", next)
			s.Trace("sum", next)
			if o.Points {
				s.Trace("points", points)
			}
		},
	}
	result, err := scan.Run(ctx, b, loop, state, inputs, rounds, int64(o.Seed))
	if err != nil {
		return nil, fmt.Errorf("oco: Simulate: %w", err)
	}
	if result.Status != scan.Done {
		return nil, fmt.Errorf("oco: Simulate: %s stopped after %d of %d rounds: %w", stream.Name, result.Steps, rounds, ctx.Err())
	}
	t := &Trace{Losses: byRun(result.Traces["loss"]), Sums: byRun(result.Traces["sum"])}
	for n := every; n <= rounds; n += every {
		t.Rounds = append(t.Rounds, n)
	}
	if o.Points {
		t.Points = byRunAndRound(result.Traces["points"])
	}
	return t, nil
}

// stack joins the rules' memories and numbers to tensors with an axis of runs, beside what the stream brings.
func stack(rules []Rule, stream Stream) (state, inputs scan.Vars, err error) {
	runs := len(rules)
	state = scan.Vars{"sum": zeros(runs), "lost": zeros(runs)}
	inputs = scan.Vars{}
	for name, v := range stream.State {
		state[name] = v
	}
	for name, v := range stream.Inputs {
		inputs[name] = v
	}
	parts := map[string][]float64{}
	dims := map[string][]int{}
	numbers := make([][]float64, len(rules[0].Numbers()))
	for i, rule := range rules {
		if _, err := rule.Start(stream.Dim); err != nil {
			return nil, nil, fmt.Errorf("oco: Simulate: rule %d: %w", i, err)
		}
		if got, want := fmt.Sprintf("%T", rule), fmt.Sprintf("%T", rules[0]); got != want || len(rule.Numbers()) != len(numbers) {
			return nil, nil, fmt.Errorf("oco: Simulate: rule %d is a %s with %d numbers, must be a %s with %d like the first", i, got, len(rule.Numbers()), want, len(numbers))
		}
		for j, x := range rule.Numbers() {
			numbers[j] = append(numbers[j], x)
		}
		for name, v := range rule.Memory(stream.Dim) {
			shape := v.Shape().Dimensions
			if i > 0 && !slices.Equal(dims[name], shape) {
				return nil, nil, fmt.Errorf("oco: Simulate: rule %d remembers %q shaped %v, must be %v like the first", i, name, shape, dims[name])
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
	if len(state) != 2+len(parts)+len(stream.State) {
		return nil, nil, errors.New("oco: Simulate: the stream's State uses a name of the simulation: \"sum\", \"lost\" or \"rule/…\"")
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
