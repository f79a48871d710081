package optim

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// SplitOutputs shows Inner some matrices in parts along their last axis, the outputs: as many parameters of their own,
// "…/0", "…/1", … after the path. For a method that treats each matrix by itself, queries, keys and values that are stored
// as one must be three:
//
//	SplitOutputs{Where: ByPath("qkv_proj/weights"), Parts: 3, Inner: GradWhiten{}}
//
// Inner sees all other parameters as they are. It is an error that Parts does not divide the axis. State: Inner's.
type SplitOutputs struct {
	Where Mask // nil: all parameters
	Parts int  // at least 1
	Inner Transform
}

var _ Transform = SplitOutputs{}

// Init implements Transform.
func (f SplitOutputs) Init(params []Param) State {
	c := check("SplitOutputs")
	for _, p := range params {
		if shape := p.Shape(); f.wants(p) && (shape.Rank() == 0 || shape.Dim(-1)%f.Parts != 0) {
			c.add("parameter %q is %s, its last axis must be a multiple of Parts, %d", p.Path, shape, f.Parts)
		}
	}
	if err := c.join(); err != nil {
		panic(err)
	}
	return f.Inner.Init(f.views().params(params))
}

func (f SplitOutputs) wants(p Param) bool { return f.Where == nil || f.Where(p) }

// Update implements Transform.
func (f SplitOutputs) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	return f.views().update(s, f.Inner, updates, state)
}

func (f SplitOutputs) views() views {
	return views{
		take: func(p Param, x *graph.Node) []*graph.Node {
			if !f.wants(p) {
				return []*graph.Node{x}
			}
			return graph.Split(x, -1, f.Parts)
		},
		back: func(_ Param, parts []*graph.Node) *graph.Node {
			if len(parts) == 1 {
				return parts[0]
			}
			return graph.Concatenate(parts, -1)
		},
	}
}

// Validate implements Transform.
func (f SplitOutputs) Validate() error {
	c := check("SplitOutputs")
	if f.Parts < 1 {
		c.add("Parts is %d, must be at least 1", f.Parts)
	}
	return c.inner(f.Inner)
}

// UsesAgain says whether Inner asks for the loss at other weights.
func (f SplitOutputs) UsesAgain() bool { return usesAgain(f.Inner) }

// KernelMatrices shows Inner convolution kernels, stored […, inputs, outputs] as GoMLX does, as matrices of
// (…·inputs) × outputs, and all else of fewer than three axes as it is: methods for matrices then serve convolutions.
// State: Inner's.
type KernelMatrices struct {
	Inner Transform
}

var _ Transform = KernelMatrices{}

// Init implements Transform.
func (k KernelMatrices) Init(params []Param) State { return k.Inner.Init(k.views().params(params)) }

// Update implements Transform.
func (k KernelMatrices) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	return k.views().update(s, k.Inner, updates, state)
}

func (KernelMatrices) views() views {
	return views{
		take: func(p Param, x *graph.Node) []*graph.Node {
			shape := p.Shape()
			if shape.Rank() < 3 {
				return []*graph.Node{x}
			}
			dims := append([]int(nil), x.Shape().Dimensions[:p.Lead]...)
			return []*graph.Node{graph.Reshape(x, append(dims, shape.Size()/shape.Dim(-1), shape.Dim(-1))...)}
		},
		back: func(p Param, parts []*graph.Node) *graph.Node {
			return graph.Reshape(parts[0], p.Value.Shape().Dimensions...)
		},
	}
}

// Validate implements Transform.
func (k KernelMatrices) Validate() error { return check("KernelMatrices").inner(k.Inner) }

// UsesAgain says whether Inner asks for the loss at other weights.
func (k KernelMatrices) UsesAgain() bool { return usesAgain(k.Inner) }

// inner demands a valid inner transform, and returns all errors.
func (c *checks) inner(t Transform) error {
	if t == nil {
		c.add("Inner is nil, must be a transform")
	} else {
		c.errs = append(c.errs, t.Validate())
	}
	return c.join()
}

// views are parameters, and all that is shaped like them, in other shapes: take makes one or more tensors of one, and
// back puts them together.
type views struct {
	take func(p Param, x *graph.Node) []*graph.Node
	back func(p Param, parts []*graph.Node) *graph.Node
}

func (v views) params(params []Param) []Param {
	var out []Param
	for _, p := range params {
		parts := v.take(p, p.Value)
		for i, part := range parts {
			path := p.Path
			if len(parts) > 1 {
				path = fmt.Sprintf("%s/%d", p.Path, i)
			}
			out = append(out, Param{Path: path, Value: part, Lead: p.Lead})
		}
	}
	return out
}

func (v views) all(params []Param, xs []*graph.Node) []*graph.Node {
	var out []*graph.Node
	for i, x := range xs {
		out = append(out, v.take(params[i], x)...)
	}
	return out
}

func (v views) join(params []Param, parts []*graph.Node) []*graph.Node {
	out := make([]*graph.Node, len(params))
	for i, p := range params {
		n := len(v.take(p, p.Value))
		out[i] = v.back(p, parts[:n])
		parts = parts[n:]
	}
	return out
}

func (v views) update(s *Step, inner Transform, updates []*graph.Node, state State) ([]*graph.Node, State) {
	sub := *s
	sub.Params = v.params(s.Params)
	if s.Again != nil {
		sub.Again = func(values []*graph.Node) *graph.Node { return s.Again(v.join(s.Params, values)) }
	}
	out, state := inner.Update(&sub, v.all(s.Params, updates), state)
	return v.join(s.Params, out), state
}
