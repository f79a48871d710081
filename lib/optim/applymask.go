package optim

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// ApplyMask keeps pruned weights at exactly 0 under any method: Inner sees gradients of 0 there, and whatever it returns,
// the step takes these weights to 0. Put a whole chain inside, the learning rate included.
//
// State: 1 number a parameter it applies to, the mask, and Inner's.
type ApplyMask struct {
	Inner Transform
	// Alive holds masks by path, shaped like the parameters of one run: where an entry is 0 the weight is pruned.
	// nil: the weights that are exactly 0 at the start.
	Alive scan.Vars
	// Where limits it to some parameters, e.g. [Matrices], so that biases may begin at 0. nil: to all, or to those in Alive.
	Where Mask
}

var _ Transform = ApplyMask{}

// masked says which parameters have a mask.
func (a ApplyMask) masked(p Param) bool {
	return (a.Alive == nil || a.Alive[p.Path] != nil) && (a.Where == nil || a.Where(p))
}

// Init implements Transform.
func (a ApplyMask) Init(params []Param) State {
	known := map[string]bool{}
	var out State
	for _, p := range params {
		known[p.Path] = true
		if !a.masked(p) {
			continue
		}
		start := p.Value
		if a.Alive != nil {
			if alive := a.Alive[p.Path]; !alive.Shape().Equal(p.Shape()) {
				panic(fmt.Errorf("optim: ApplyMask: Alive of parameter %q is %s, must be %s", p.Path, alive.Shape(), p.Shape()))
			}
			start = graph.ConstTensor(p.Value.Graph(), a.Alive[p.Path])
			if p.Lead > 0 {
				start = graph.InsertAxes(start, 0)
			}
			start = graph.BroadcastToDims(start, p.Value.Shape().Dimensions...)
		}
		alive := graph.NotEqual(start, graph.ZerosLike(start))
		out = append(out, Var{"alive/" + p.Path, graph.ConvertDType(alive, p.Value.DType())})
	}
	for path := range a.Alive {
		if !known[path] {
			panic(fmt.Errorf("optim: ApplyMask: Alive has %q, which is no parameter", path))
		}
	}
	return append(out, prefixed("inner.", a.Inner.Init(params))...)
}

// Update implements Transform.
func (a ApplyMask) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	dead := make([]*graph.Node, len(updates)) // nil: no mask
	n := 0
	for i, p := range s.Params {
		if a.masked(p) {
			dead[i] = graph.Equal(state[n].Value, graph.ZerosLike(state[n].Value))
			n++
		}
	}
	masks := state[:n:n]
	shown := each(updates, func(i int, u *graph.Node) *graph.Node {
		if dead[i] == nil {
			return u
		}
		return graph.Where(dead[i], graph.ZerosLike(u), u)
	})
	out, after := a.Inner.Update(s, shown, stripped("inner.", state[n:]))
	return each(out, func(i int, u *graph.Node) *graph.Node {
		if dead[i] == nil {
			return u
		}
		return graph.Where(dead[i], graph.Neg(graph.ConvertDType(s.Params[i].Value, u.DType())), u)
	}), append(masks, prefixed("inner.", after)...)
}

// Validate implements Transform.
func (a ApplyMask) Validate() error {
	c := check("ApplyMask")
	for path, alive := range a.Alive {
		if alive == nil {
			c.add("Alive of %q is nil, must be a tensor", path)
		}
	}
	if a.Inner == nil {
		c.add("Inner is nil")
		return c.join()
	}
	return errors.Join(c.join(), a.Inner.Validate())
}

// UsesAgain says whether Inner asks for the loss at other weights.
func (a ApplyMask) UsesAgain() bool { return usesAgain(a.Inner) }
