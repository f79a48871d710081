package nets

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// LLaMAConfig is a decoder-only transformer with rotary positions and gated MLPs.
type LLaMAConfig struct {
	Vocab  int // number of tokens
	Width  int
	Layers int
	Heads  int // must divide Width
	Hidden int // of the MLPs
}

// LLaMA is a decoder-only transformer with RMS norms (ε = 1e-6), rotary positions (base 10 000, the halves of a head
// turned against each other), SwiGLU, no biases and a head of its own: Apply takes tokens, int32 of shape [batch, time],
// to logits of shape [batch, time, Vocab]. See [NextToken] for its loss.
//
// First weights are normal of deviation 0.02. Parameters as in [GPT], with gate_proj and without positions.
//
// Source: Touvron et al. (2023), LLaMA: Open and Efficient Foundation Language Models, section 2.2.
func LLaMA(c LLaMAConfig) (Model, error) {
	body := blocks{
		width: c.Width, layers: c.Layers, heads: c.Heads, hidden: c.Hidden, causal: true,
		rotary: true, gated: true, rms: true, eps: 1e-6, output: initial,
	}
	if err := errors.Join(checkTokens("LLaMA", c.Vocab), body.validate("LLaMA")); err != nil {
		return Model{}, err
	}
	params := sorted(append(body.params(),
		ParamSpec{Path: "embed/tokens", Shape: []int{c.Vocab, c.Width}, Deviation: initial},
		ParamSpec{Path: "head/weights", Shape: []int{c.Width, c.Vocab}, Deviation: initial}))
	return Model{Name: fmt.Sprintf("LLaMA %d×%d", c.Layers, c.Width), Params: params, Apply: func(p []*graph.Node, tokens *graph.Node) *graph.Node {
		named := byPath(params, p)
		return readout(body.apply(named, embed(named["embed/tokens"], tokens)), named["head/weights"])
	}}, nil
}
