package optim

import (
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// ScaleByAdamMini is Adam's direction with one second moment a block instead of one an entry:
//
//	m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)·mean of g² over the block,  m̂/(√v̂ + ε)
//
// State: 1 number a parameter and 1 a block. Hyper-parameters: "beta1", "beta2". Source: Zhang et al. (2024), Adam-mini:
// Use Fewer Learning Rates To Gain More, Algorithm 1.
type ScaleByAdamMini struct {
	Beta1 float64 // in [0, 1); default 0.9, none with [Zero]
	Beta2 float64 // in [0, 1); default 0.999, none with [Zero]
	Eps   float64 // at least 0; default 1e-8, none with [Zero]
	// Blocks cuts a tensor along one of its axes into that many equal blocks of consecutive indices; 1: the tensor is one
	// block. nil: every tensor is. See [TransformerBlocks].
	Blocks func(p Param) (axis, blocks int)
}

var _ Transform = ScaleByAdamMini{}

// TransformerBlocks are the blocks of Adam-mini's paper for the transformers of package nets: one a head in the matrices
// of queries and keys, one a token in the embedding and in the output head, else one a tensor. A fused matrix of queries,
// keys and values has one a head of each. A Param's axes here are without that of runs.
func TransformerBlocks(heads int) func(p Param) (axis, blocks int) {
	return func(p Param) (axis, blocks int) {
		for _, rule := range []struct {
			suffix       string
			axis, blocks int
		}{
			{"q_proj/weights", 1, heads}, {"k_proj/weights", 1, heads}, {"qkv_proj/weights", 1, 3 * heads},
			{"q_proj/biases", 0, heads}, {"k_proj/biases", 0, heads}, {"qkv_proj/biases", 0, 3 * heads},
		} {
			if strings.HasSuffix(p.Path, "/"+rule.suffix) {
				return rule.axis, rule.blocks
			}
		}
		switch p.Path {
		case "embed/tokens":
			return 0, p.Shape().Dim(0)
		case "head/weights":
			return 1, p.Shape().Dim(1)
		}
		return 0, 1
	}
}

// blockCut is where a tensor's blocks lie: dims is its shape with the cut axis split in blocks and the rest, of which the
// other axes than lead and blocks are reduced.
type blockCut struct {
	blocks int
	dims   []int // with the leading axis of runs
	reduce []int // axes of dims
	kept   []int // dims with the reduced axes at 1
}

func (a ScaleByAdamMini) cut(p Param) blockCut {
	axis, blocks := 0, 1
	if a.Blocks != nil {
		axis, blocks = a.Blocks(p)
	}
	shape := p.Value.Shape()
	if blocks == 1 {
		out := blockCut{blocks: 1, dims: shape.Dimensions, reduce: p.axes()}
		out.kept = ones(out.dims, p.Lead)
		return out
	}
	if axis < 0 || axis >= p.Shape().Rank() || blocks < 1 || p.Shape().Dim(axis)%blocks != 0 {
		c := check("ScaleByAdamMini")
		c.add("Blocks cuts axis %d of parameter %q, %s, in %d, must be one of its axes and divide it", axis, p.Path, p.Shape(), blocks)
		panic(c.join())
	}
	at := p.Lead + axis
	var out blockCut
	out.blocks = blocks
	out.dims = append(out.dims, shape.Dimensions[:at]...)
	out.dims = append(out.dims, blocks, shape.Dimensions[at]/blocks)
	out.dims = append(out.dims, shape.Dimensions[at+1:]...)
	for i := p.Lead; i < len(out.dims); i++ {
		if i != at {
			out.reduce = append(out.reduce, i)
		}
	}
	out.kept = ones(out.dims, p.Lead)
	out.kept[at] = blocks
	return out
}

// ones are the dimensions with all but the leading ones at 1.
func ones(dims []int, lead int) []int {
	out := make([]int, len(dims))
	for i := range out {
		out[i] = 1
		if i < lead {
			out[i] = dims[i]
		}
	}
	return out
}

// mean of x, shaped like the parameter, over each block: a scalar, or one value a block, behind the axis of runs.
func (c blockCut) mean(x *graph.Node) *graph.Node {
	if len(c.reduce) == 0 {
		return x
	}
	return graph.ReduceMean(graph.Reshape(x, c.dims...), c.reduce...)
}

// spread gives every entry its block's value.
func (c blockCut) spread(v, like *graph.Node) *graph.Node {
	return graph.Reshape(graph.BroadcastToDims(graph.Reshape(v, c.kept...), c.dims...), like.Shape().Dimensions...)
}

// Init implements Transform.
func (a ScaleByAdamMini) Init(params []Param) State {
	out := zeros(params, "m")
	for _, p := range params {
		out = append(out, Var{"v/" + p.Path, a.cut(p).mean(graph.ZerosLike(p.Value))})
	}
	return out
}

// Update implements Transform.
func (a ScaleByAdamMini) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	n := len(updates)
	old, oldV := state.get(0, n), state.get(1, n)
	adam := ScaleByAdam{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps}
	m := each(updates, func(i int, g *graph.Node) *graph.Node {
		return s.decay("beta1", or(a.Beta1, 0.9), g.DType()).average(old[i], g)
	})
	v := each(updates, func(i int, g *graph.Node) *graph.Node {
		return s.decay("beta2", or(a.Beta2, 0.999), g.DType()).average(oldV[i], a.cut(s.Params[i]).mean(graph.Square(g)))
	})
	return each(updates, func(i int, g *graph.Node) *graph.Node {
		return adam.direction(s, g, m[i], a.cut(s.Params[i]).spread(v[i], g))
	}), state.with(m, v)
}

// Validate implements Transform.
func (a ScaleByAdamMini) Validate() error {
	return ScaleByAdam{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps}.validate("ScaleByAdamMini")
}

// AdamMini is Adam with one second moment a tensor and decoupled weight decay, which the learning rate scales. For heads
// and tokens as blocks write the chain with [TransformerBlocks]; see [ScaleByAdamMini].
func AdamMini(rate, decay float64) Chain {
	return ready(rate, ScaleByAdamMini{}, AddDecayedWeights{Decay: decay})
}
