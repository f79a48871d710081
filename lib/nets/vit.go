package nets

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// ViTConfig is a vision transformer.
type ViTConfig struct {
	Side     int // height and width of the pictures
	Channels int // default 3
	Patch    int // side of a patch; must divide Side
	Classes  int
	Width    int
	Layers   int
	Heads    int // must divide Width
	Hidden   int // of the MLPs; default 4·Width
	// MeanPool averages the patches' last states; else a class token gathers what the head reads.
	MeanPool bool
	// FusedQKV makes one matrix of queries, keys and values, as most public code does.
	FusedQKV bool
}

// ViT is a pre-norm vision transformer: Apply takes pictures of shape [batch, Side, Side, Channels] to logits of shape
// [batch, Classes].
//
// Layer norms have ε = 1e-6, GELU is exact, first weights are normal of deviation 0.02 (not truncated), biases and the
// class token zero. Parameters as in [GPT], with biases, and "embed/patches/weights", "embed/patches/biases",
// "embed/class", "head/biases"; a patch is read row by row, channels last.
//
// Source: Dosovitskiy et al. (2021), An Image is Worth 16×16 Words, section 3.1.
func ViT(c ViTConfig) (Model, error) {
	if c.Channels == 0 {
		c.Channels = 3
	}
	if c.Hidden == 0 {
		c.Hidden = 4 * c.Width
	}
	body := blocks{
		width: c.Width, layers: c.Layers, heads: c.Heads, hidden: c.Hidden,
		biases: true, fused: c.FusedQKV, exact: true, eps: 1e-6, output: initial,
	}
	if err := body.validate("ViT"); err != nil {
		return Model{}, err
	}
	switch {
	case c.Patch < 1 || c.Side < 1 || c.Side%c.Patch != 0:
		return Model{}, fmt.Errorf("nets: ViT: Side is %d, must be a positive multiple of Patch, %d", c.Side, c.Patch)
	case c.Channels < 1 || c.Classes < 1:
		return Model{}, fmt.Errorf("nets: ViT: Channels is %d and Classes %d, must be at least 1", c.Channels, c.Classes)
	}
	n := c.Side / c.Patch
	tokens := n * n
	params := append(body.params(), body.denseParams("embed/patches", c.Patch*c.Patch*c.Channels, c.Width, initial)...)
	params = append(params, body.denseParams("head", c.Width, c.Classes, initial)...)
	if !c.MeanPool {
		tokens++
		params = append(params, ParamSpec{Path: "embed/class", Shape: []int{1, c.Width}})
	}
	params = sorted(append(params, ParamSpec{Path: "embed/positions", Shape: []int{tokens, c.Width}, Deviation: initial}))
	return Model{Name: fmt.Sprintf("ViT %d×%d/%d", c.Layers, c.Width, c.Patch), Params: params, Apply: func(p []*graph.Node, x *graph.Node) *graph.Node {
		named := byPath(params, p)
		batch := x.Shape().Dim(0)
		if !x.Shape().Equal(shapes.Make(x.DType(), batch, c.Side, c.Side, c.Channels)) {
			panic(fmt.Errorf("nets: ViT: pictures are %s, must be [batch %d %d %d]", x.Shape(), c.Side, c.Side, c.Channels))
		}
		x = graph.Reshape(x, batch, n, c.Patch, n, c.Patch, c.Channels)
		x = graph.Reshape(graph.TransposeAllAxes(x, 0, 1, 3, 2, 4, 5), batch, n*n, c.Patch*c.Patch*c.Channels)
		x = project(named, "embed/patches", x)
		if !c.MeanPool {
			class := graph.BroadcastToDims(graph.InsertAxes(named["embed/class"], 0), batch, 1, c.Width)
			x = graph.Concatenate([]*graph.Node{class, x}, 1)
		}
		x = body.apply(named, graph.Add(x, expand(named["embed/positions"], x)))
		if c.MeanPool {
			x = graph.ReduceMean(x, 1)
		} else {
			x = graph.Reshape(part(x, 1, 0, 1), batch, c.Width)
		}
		return project(named, "head", x)
	}}, nil
}
