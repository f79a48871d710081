package nets

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// blocks are the pre-norm transformer blocks that [GPT], [LLaMA] and [ViT] share:
//
//	x ← x + attention(norm(x)),  x ← x + mlp(norm(x))
//
// Parameters of block k of at most 100, weights shaped inputs × outputs:
//
//	block_KK/attn_norm/gain              (and biases with layer norm)
//	block_KK/attn/{q,k,v,o}_proj/weights (and biases); fused: qkv_proj in place of three
//	block_KK/mlp_norm/gain
//	block_KK/mlp/{up,down}_proj/weights  (and biases); gated: gate_proj besides
type blocks struct {
	width, layers, heads, hidden int
	causal                       bool
	rotary                       bool    // else positions are the embedding's matter
	gated                        bool    // SwiGLU: down(silu(gate(x))·up(x)), else down(gelu(up(x)))
	rms                          bool    // RMS norm: a gain only; else layer norm
	biases                       bool    // of the dense layers
	fused                        bool    // one matrix for queries, keys and values
	exact                        bool    // GELU by erf, else its tanh approximation
	eps                          float64 // of the norms
	output                       float64 // deviation of o_proj and down_proj; the other matrices have 0.02
}

// ropeBase is the slowest wave's scale. Source: Su et al. (2021), RoFormer, section 3.3.
const ropeBase = 10000

// initial is the deviation of GPT-2's first weights, which the others took over.
const initial = 0.02

// validate reports sizes that do not fit; the caller names itself.
func (c blocks) validate(who string) error {
	switch {
	case c.width < 1 || c.heads < 1 || c.width%c.heads != 0:
		return fmt.Errorf("nets: %s: Width is %d, must be a positive multiple of Heads, %d", who, c.width, c.heads)
	case c.layers < 1 || c.layers > 100:
		return fmt.Errorf("nets: %s: Layers is %d, must be between 1 and 100", who, c.layers)
	case c.hidden < 1:
		return fmt.Errorf("nets: %s: Hidden is %d, must be at least 1", who, c.hidden)
	case c.rotary && c.width/c.heads%2 != 0:
		return fmt.Errorf("nets: %s: Width/Heads is %d, must be even for rotary positions", who, c.width/c.heads)
	}
	return nil
}

// params of all blocks and of the norm after them.
func (c blocks) params() []ParamSpec {
	var out []ParamSpec
	for k := range c.layers {
		at := fmt.Sprintf("block_%02d/", k)
		out = append(out, c.normParams(at+"attn_norm")...)
		if c.fused {
			out = append(out, c.denseParams(at+"attn/qkv_proj", c.width, 3*c.width, initial)...)
		} else {
			for _, name := range []string{"q_proj", "k_proj", "v_proj"} {
				out = append(out, c.denseParams(at+"attn/"+name, c.width, c.width, initial)...)
			}
		}
		out = append(out, c.denseParams(at+"attn/o_proj", c.width, c.width, c.output)...)
		out = append(out, c.normParams(at+"mlp_norm")...)
		if c.gated {
			out = append(out, c.denseParams(at+"mlp/gate_proj", c.width, c.hidden, initial)...)
		}
		out = append(out, c.denseParams(at+"mlp/up_proj", c.width, c.hidden, initial)...)
		out = append(out, c.denseParams(at+"mlp/down_proj", c.hidden, c.width, c.output)...)
	}
	return append(out, c.normParams("final_norm")...)
}

func (c blocks) normParams(path string) []ParamSpec {
	out := []ParamSpec{{Path: path + "/gain", Shape: []int{c.width}, Value: 1}}
	if !c.rms {
		out = append(out, ParamSpec{Path: path + "/biases", Shape: []int{c.width}})
	}
	return out
}

func (c blocks) denseParams(path string, inputs, outputs int, deviation float64) []ParamSpec {
	out := []ParamSpec{{Path: path + "/weights", Shape: []int{inputs, outputs}, Deviation: deviation}}
	if c.biases {
		out = append(out, ParamSpec{Path: path + "/biases", Shape: []int{outputs}})
	}
	return out
}

// apply runs the blocks and the last norm on x, shaped [batch, time, width].
func (c blocks) apply(p map[string]*graph.Node, x *graph.Node) *graph.Node {
	for k := range c.layers {
		at := fmt.Sprintf("block_%02d/", k)
		x = graph.Add(x, c.attention(p, at+"attn/", c.norm(p, at+"attn_norm", x)))
		x = graph.Add(x, c.mlp(p, at+"mlp/", c.norm(p, at+"mlp_norm", x)))
	}
	return c.norm(p, "final_norm", x)
}

// norm of the last axis: (x − mean)/√(variance + ε)·gain + biases, or x/√(mean x² + ε)·gain.
//
// Source: Ba et al. (2016), Layer Normalization; Zhang, Sennrich (2019), Root Mean Square Layer Normalization.
func (c blocks) norm(p map[string]*graph.Node, path string, x *graph.Node) *graph.Node {
	if !c.rms {
		x = graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, -1))
	}
	square := graph.ReduceAndKeep(graph.Square(x), graph.ReduceMean, -1)
	x = graph.Mul(graph.Div(x, graph.Sqrt(graph.AddScalar(square, c.eps))), expand(p[path+"/gain"], x))
	if !c.rms {
		x = graph.Add(x, expand(p[path+"/biases"], x))
	}
	return x
}

// expand gives a vector the rank of x, along its last axis.
func expand(v, x *graph.Node) *graph.Node {
	for v.Rank() < x.Rank() {
		v = graph.InsertAxes(v, 0)
	}
	return v
}

// project is a dense layer of the last axis. One product of two matrices is what backends do fastest.
func project(p map[string]*graph.Node, path string, x *graph.Node) *graph.Node {
	d := append([]int(nil), x.Shape().Dimensions...)
	w := p[path+"/weights"]
	last := len(d) - 1
	y := graph.MatMul(graph.Reshape(x, x.Shape().Size()/d[last], d[last]), w)
	d[last] = w.Shape().Dim(1)
	y = graph.Reshape(y, d...)
	if b, ok := p[path+"/biases"]; ok {
		y = graph.Add(y, expand(b, y))
	}
	return y
}

// attention of every position over all positions, or over those up to itself.
func (c blocks) attention(p map[string]*graph.Node, at string, x *graph.Node) *graph.Node {
	batch, time, each := x.Shape().Dim(0), x.Shape().Dim(1), c.width/c.heads
	split := func(y *graph.Node) *graph.Node { return graph.Reshape(y, batch, time, c.heads, each) }
	var q, k, v *graph.Node
	if c.fused {
		all := graph.Reshape(project(p, at+"qkv_proj", x), batch, time, 3, c.heads, each)
		third := func(i int) *graph.Node { return split(part(all, 2, i, 1)) }
		q, k, v = third(0), third(1), third(2)
	} else {
		q, k, v = split(project(p, at+"q_proj", x)), split(project(p, at+"k_proj", x)), split(project(p, at+"v_proj", x))
	}
	if c.rotary {
		q, k = rotate(q), rotate(k)
	}
	scores := graph.DotGeneral(q, []int{3}, []int{0, 2}, k, []int{3}, []int{0, 2}) // [batch, heads, time, time]
	scores = graph.MulScalar(scores, 1/math.Sqrt(float64(each)))
	dtype := scores.DType()
	if dtype.Size() < dtypes.Float32.Size() {
		scores = graph.ConvertDType(scores, dtypes.Float32)
	}
	if c.causal {
		square := shapes.Make(dtypes.Int32, time, time)
		seen := graph.GreaterOrEqual(graph.Iota(x.Graph(), square, 0), graph.Iota(x.Graph(), square, 1))
		seen = graph.BroadcastToDims(graph.InsertAxes(seen, 0, 0), scores.Shape().Dimensions...)
		scores = graph.Where(seen, scores, graph.MulScalar(graph.OnesLike(scores), -1e30))
	}
	scores = graph.ConvertDType(softmax(scores), dtype)
	y := graph.DotGeneral(scores, []int{3}, []int{0, 1}, v, []int{1}, []int{0, 2}) // [batch, heads, time, each]
	y = graph.Reshape(graph.TransposeAllAxes(y, 0, 2, 1, 3), batch, time, c.width)
	return project(p, at+"o_proj", y)
}

// softmax of the last axis, with the largest entry taken off: no overflow.
func softmax(x *graph.Node) *graph.Node {
	x = graph.Exp(graph.Sub(x, graph.StopGradient(graph.ReduceAndKeep(x, graph.ReduceMax, -1))))
	return graph.Div(x, graph.ReduceAndKeep(x, graph.ReduceSum, -1))
}

// rotate turns the pair (i, i + n/2) of each head's n entries at position t by the angle t·base^(−2i/n).
func rotate(x *graph.Node) *graph.Node {
	time, n := x.Shape().Dim(1), x.Shape().Dim(3)
	cos, sin := make([]float64, 0, time*n/2), make([]float64, 0, time*n/2)
	for t := range time {
		for i := range n / 2 {
			s, c := math.Sincos(float64(t) * math.Pow(ropeBase, -2*float64(i)/float64(n)))
			cos, sin = append(cos, c), append(sin, s)
		}
	}
	table := func(v []float64) *graph.Node {
		return graph.Reshape(graph.ConvertDType(graph.Const(x.Graph(), v), x.DType()), 1, time, 1, n/2)
	}
	c, s := table(cos), table(sin)
	a, b := part(x, 3, 0, n/2), part(x, 3, n/2, n/2)
	return graph.Concatenate([]*graph.Node{
		graph.Sub(graph.Mul(a, c), graph.Mul(b, s)),
		graph.Add(graph.Mul(b, c), graph.Mul(a, s)),
	}, 3)
}

func (c blocks) mlp(p map[string]*graph.Node, at string, x *graph.Node) *graph.Node {
	up := project(p, at+"up_proj", x)
	switch {
	case c.gated:
		gate := project(p, at+"gate_proj", x)
		up = graph.Mul(graph.Mul(gate, graph.Sigmoid(gate)), up)
	case c.exact:
		up = activations["gelu"](up)
	default:
		up = tanhGELU(up)
	}
	return project(p, at+"down_proj", up)
}

// tanhGELU is x·(1 + tanh(√(2/π)(x + 0.044715x³)))/2. Source: Hendrycks, Gimpel (2016), section 2.
func tanhGELU(x *graph.Node) *graph.Node {
	cube := graph.MulScalar(graph.Mul(graph.Square(x), x), 0.044715)
	bend := graph.Tanh(graph.MulScalar(graph.Add(x, cube), math.Sqrt(2/math.Pi)))
	return graph.MulScalar(graph.Mul(x, graph.AddScalar(bend, 1)), 0.5)
}

// embed looks tokens, int32 of shape [batch, time], up in a table: [batch, time, width].
func embed(table, tokens *graph.Node) *graph.Node {
	return graph.Gather(table, graph.ExpandAxes(tokens, -1))
}
