package nets

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// GPTConfig is a decoder-only transformer with learned positions.
type GPTConfig struct {
	Vocab   int // number of tokens
	Context int // the longest sequence
	Width   int
	Layers  int
	Heads   int  // must divide Width
	Hidden  int  // of the MLPs; default 4·Width
	Tied    bool // the output head is the token table, as in GPT-2; else a matrix of its own
	RMSNorm bool // gains only, ε = 1e-6; else layer norm with gains and biases, ε = 1e-5
	// NoBiases leaves the biases of the dense layers out.
	NoBiases bool
	// FusedQKV makes one matrix of queries, keys and values, as in GPT-2's own files: it matters to methods that treat
	// each tensor by itself.
	FusedQKV bool
	// ExactGELU takes erf in place of the tanh approximation.
	ExactGELU bool
}

// GPT is a decoder-only, pre-norm transformer: Apply takes tokens, int32 of shape [batch, time] with time at most
// Context, to logits of shape [batch, time, Vocab], each for the token after. See [NextToken] for its loss.
//
// First weights are normal of deviation 0.02, those that write to the residual stream (o_proj, down_proj) divided by
// √(2·Layers); biases are zero. The softmax of attention is taken in float32 at least. Parameters: "embed/tokens",
// "embed/positions", "block_00/attn/q_proj/weights" … (k_proj, v_proj, o_proj, or qkv_proj), "block_00/mlp/up_proj/weights",
// down_proj, "block_00/attn_norm/gain", "block_00/mlp_norm/gain", "final_norm/gain", "head/weights"; weights are shaped
// inputs × outputs.
//
// Source: Radford et al. (2019), Language Models are Unsupervised Multitask Learners.
func GPT(c GPTConfig) (Model, error) {
	if c.Hidden == 0 {
		c.Hidden = 4 * c.Width
	}
	body := blocks{
		width: c.Width, layers: c.Layers, heads: c.Heads, hidden: c.Hidden, causal: true,
		rms: c.RMSNorm, biases: !c.NoBiases, fused: c.FusedQKV, exact: c.ExactGELU, eps: 1e-5,
		output: initial / math.Sqrt(float64(2*max(1, c.Layers))),
	}
	if c.RMSNorm {
		body.eps = 1e-6
	}
	if err := errors.Join(checkTokens("GPT", c.Vocab), body.validate("GPT")); err != nil {
		return Model{}, err
	}
	if c.Context < 1 {
		return Model{}, fmt.Errorf("nets: GPT: Context is %d, must be at least 1", c.Context)
	}
	params := append(body.params(),
		ParamSpec{Path: "embed/tokens", Shape: []int{c.Vocab, c.Width}, Deviation: initial},
		ParamSpec{Path: "embed/positions", Shape: []int{c.Context, c.Width}, Deviation: initial})
	if !c.Tied {
		params = append(params, ParamSpec{Path: "head/weights", Shape: []int{c.Width, c.Vocab}, Deviation: initial})
	}
	params = sorted(params)
	return Model{Name: fmt.Sprintf("GPT %d×%d", c.Layers, c.Width), Params: params, Apply: func(p []*graph.Node, tokens *graph.Node) *graph.Node {
		named := byPath(params, p)
		time := tokens.Shape().Dim(1)
		if time > c.Context {
			panic(fmt.Errorf("nets: GPT: sequences of %d tokens, must be at most Context, %d", time, c.Context))
		}
		positions := part(named["embed/positions"], 0, 0, time)
		x := embed(named["embed/tokens"], tokens)
		x = body.apply(named, graph.Add(x, expand(positions, x)))
		if c.Tied {
			return readout(x, graph.Transpose(named["embed/tokens"], 0, 1))
		}
		return readout(x, named["head/weights"])
	}}, nil
}

// readout turns the last states into logits.
func readout(x, head *graph.Node) *graph.Node {
	return project(map[string]*graph.Node{"head/weights": head}, "head", x)
}

func checkTokens(who string, vocab int) error {
	if vocab < 1 {
		return fmt.Errorf("nets: %s: Vocab is %d, must be at least 1", who, vocab)
	}
	return nil
}
