package optim

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Accumulate averages the gradients of Every minibatches and lets Inner see their mean once; in between the parameters
// stay. Inner's count goes up once every Every steps. State: 1 number a parameter more, and Inner's.
type Accumulate struct {
	Every int // at least 1
	Inner Transform
}

var _ Transform = Accumulate{}

// Init implements Transform.
func (a Accumulate) Init(params []Param) State {
	return append(zeros(params, "sum"), prefixed("inner.", a.Inner.Init(params))...)
}

// Update implements Transform.
func (a Accumulate) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	n := len(updates)
	every := graph.Scalar(s.Count.Graph(), dtypes.Int64, a.Every)
	now := graph.Equal(graph.Mod(s.Count, every), graph.ZerosLike(s.Count))
	sums := each(state.get(0, n), func(i int, sum *graph.Node) *graph.Node { return graph.Add(sum, updates[i]) })

	inner := *s
	inner.Count = graph.Div(s.Count, every) // rounds down; only its values at whole multiples are used
	inner.Loss, inner.Again = nil, nil
	means := each(sums, func(_ int, sum *graph.Node) *graph.Node { return graph.DivScalar(sum, a.Every) })
	// Inner runs at every step, on a count of at least 1, and its result is taken at every Every-th.
	inner.Count = graph.Max(inner.Count, graph.OnesLike(inner.Count))
	steps, after := a.Inner.Update(&inner, means, stripped("inner.", state[n:]))

	out := each(steps, func(_ int, u *graph.Node) *graph.Node { return pick(now, u, graph.ZerosLike(u)) })
	sums = each(sums, func(_ int, sum *graph.Node) *graph.Node { return pick(now, graph.ZerosLike(sum), sum) })
	old := state[n:]
	for i := range after {
		after[i].Value = pick(now, after[i].Value, old[i].Value)
	}
	return out, append(state[:n:n].with(sums), prefixed("inner.", after)...)
}

// Validate implements Transform.
func (a Accumulate) Validate() error {
	c := check("Accumulate")
	if a.Every < 1 {
		c.add("Every is %d, must be at least 1", a.Every)
	}
	if a.Inner == nil {
		c.add("Inner is nil")
		return c.join()
	}
	if usesAgain(a.Inner) {
		c.add("Inner asks for it, but accumulated gradients cannot give the loss at other weights; put it around Accumulate")
	}
	return errors.Join(c.join(), a.Inner.Validate())
}

// AverageWeights keeps an exponential moving average of the parameters as they are after each step, in the state under
// "average/" + path; it leaves the updates alone. Stand it at the end of a chain. State: 1 number a parameter.
//
// The average begins at the parameters' first values, so it needs no bias correction. Source: Polyak, Juditsky (1992),
// in its exponential form.
type AverageWeights struct {
	Decay float64 // in [0, 1); default 0.999
}

var _ Transform = AverageWeights{}

// Init implements Transform.
func (a AverageWeights) Init(params []Param) State {
	var out State
	for _, p := range params {
		out = append(out, Var{"average/" + p.Path, p.Value})
	}
	return out
}

// Update implements Transform.
func (a AverageWeights) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	old := state.get(0, len(updates))
	return updates, state.with(each(updates, func(i int, u *graph.Node) *graph.Node {
		return s.decay("average_decay", or(a.Decay, 0.999), u.DType()).average(old[i], graph.Add(s.Params[i].Value, u))
	}))
}

// Validate implements Transform.
func (a AverageWeights) Validate() error {
	c := check("AverageWeights")
	c.in("Decay", a.Decay, 0, 1, false)
	return c.join()
}

// SkipNonFinite leaves parameters and Inner's state as they are at a step whose gradients hold NaN or infinity, and
// counts these steps in the state "skipped". Without it such a gradient reaches the parameters, and the run stops.
//
// The step's count goes on, so that schedules stay in time; bias corrections see the skipped step too, unlike optax's
// apply_if_finite.
type SkipNonFinite struct {
	Inner Transform
}

var _ Transform = SkipNonFinite{}

// Init implements Transform.
func (f SkipNonFinite) Init(params []Param) State {
	skipped := shapes.Make(dtypes.Int64)
	if len(params) > 0 && params[0].Lead > 0 {
		skipped = shapes.Make(dtypes.Int64, params[0].Value.Shape().Dim(0))
	}
	return append(State{{"skipped", graph.Zeros(params[0].Value.Graph(), skipped)}}, prefixed("inner.", f.Inner.Init(params))...)
}

// Update implements Transform.
func (f SkipNonFinite) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	// Zero times a finite number is zero, and times anything else it is not.
	var probe *graph.Node
	for i, u := range updates {
		p := graph.ConvertDType(s.Params[i].reduce(graph.MulScalar(u, 0)), dtypes.Float32)
		if probe == nil {
			probe = p
		} else {
			probe = graph.Add(probe, p)
		}
	}
	fine := graph.IsFinite(probe)
	clean := each(updates, func(_ int, u *graph.Node) *graph.Node { return pick(fine, u, graph.ZerosLike(u)) })
	old := stripped("inner.", state[1:])
	out, after := f.Inner.Update(s, clean, old)
	out = each(out, func(_ int, u *graph.Node) *graph.Node { return pick(fine, u, graph.ZerosLike(u)) })
	for i := range after {
		after[i].Value = pickState(fine, after[i].Value, old[i].Value)
	}
	skipped := graph.Add(state[0].Value, graph.ConvertDType(graph.LogicalNot(fine), dtypes.Int64))
	return out, append(State{{"skipped", skipped}}, prefixed("inner.", after)...)
}

// Validate implements Transform.
func (f SkipNonFinite) Validate() error {
	if f.Inner == nil {
		return fmt.Errorf("optim: SkipNonFinite: Inner is nil")
	}
	return f.Inner.Validate()
}

// pick is yes where cond holds, else no; cond is a scalar, or one value a run along the first axis.
func pick(cond, yes, no *graph.Node) *graph.Node {
	return graph.Where(graph.BroadcastToDims(along(cond, yes), yes.Shape().Dimensions...), yes, no)
}

// pickState picks a state tensor, which may be one value for all runs: then it moves on unless every run stands still.
func pickState(cond, yes, no *graph.Node) *graph.Node {
	if cond.Rank() > 0 && (yes.Rank() == 0 || yes.Shape().Dim(0) != cond.Shape().Dim(0)) {
		return yes
	}
	return pick(cond, yes, no)
}

func prefixed(prefix string, state State) State {
	out := make(State, len(state))
	for i, v := range state {
		out[i] = Var{prefix + v.Name, v.Value}
	}
	return out
}

func stripped(prefix string, state State) State {
	out := make(State, len(state))
	for i, v := range state {
		out[i] = Var{v.Name[len(prefix):], v.Value}
	}
	return out
}
