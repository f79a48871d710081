package nets

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// ResNetConfig is a residual network for small pictures, 28×28 or 32×32: it begins with one 3×3 convolution and has no
// pooling before the last layer. [ResNetSize] has the published sizes.
type ResNetConfig struct {
	Channels int   // of the pictures; default 3
	Classes  int   // default 10
	Blocks   []int // residual blocks of each stage; from the second stage on the first block halves height and width
	Widths   []int // channels of each stage's 3×3 convolutions
	// Bottleneck makes a block of a 1×1, a 3×3 and another 1×1 convolution, which is four times as wide; else it is two
	// 3×3 convolutions.
	Bottleneck bool
	// PaddedShortcuts have no parameters: where the shape changes they take every second pixel and zeros for the channels
	// that are missing. Else a 1×1 convolution with batch normalization stands there.
	PaddedShortcuts bool
	Activation      string // default relu; see [Activation]
}

// ResNet is a residual network with batch normalization: Apply takes pictures of shape [batch, height, width, Channels] to
// logits of shape [batch, Classes]. See [BatchNorm] for its evaluation.
//
// Convolutions have He normal weights and no biases, gains begin at 1, the last layer's weights are normal of deviation
// 1/√inputs, and all biases zero. Parameters: "stem/conv/weights", "stem/norm/gain", "stem/norm/biases",
// "stage_S/block_BB/conv_C/weights", "stage_S/block_BB/norm_C/gain" and "…/biases", "stage_S/block_BB/shortcut/conv/weights"
// and so on where there is one, "head/weights", "head/biases".
//
// Source: He et al. (2016), Deep Residual Learning for Image Recognition, sections 3.3 and 4.2; the sizes of ImageNet
// with the stem for small pictures are those of public PyTorch code for CIFAR.
func ResNet(c ResNetConfig) (Model, error) {
	if c.Channels == 0 {
		c.Channels = 3
	}
	if c.Classes == 0 {
		c.Classes = 10
	}
	if c.Activation == "" {
		c.Activation = "relu"
	}
	if err := c.validate(); err != nil {
		return Model{}, err
	}
	f, err := Activation(c.Activation)
	if err != nil {
		return Model{}, err
	}
	stem := conv{path: "stem/conv", norm: "stem/norm", size: 3, in: c.Channels, out: c.Widths[0], stride: 1}
	blocks := c.blocks()
	features := blocks[len(blocks)-1].out()
	convs := []conv{stem}
	for _, b := range blocks {
		convs = append(convs, b.convs...)
		if b.shortcut != nil {
			convs = append(convs, *b.shortcut)
		}
	}
	params := []ParamSpec{
		{Path: "head/weights", Shape: []int{features, c.Classes}, Deviation: 1 / math.Sqrt(float64(features))},
		{Path: "head/biases", Shape: []int{c.Classes}},
	}
	var statistics []ParamSpec
	for _, v := range convs {
		params = append(params,
			ParamSpec{Path: v.path + "/weights", Shape: []int{v.size, v.size, v.in, v.out}, Deviation: he(v.size * v.size * v.in)},
			ParamSpec{Path: v.norm + "/gain", Shape: []int{v.out}, Value: 1},
			ParamSpec{Path: v.norm + "/biases", Shape: []int{v.out}})
		statistics = append(statistics,
			ParamSpec{Path: v.norm + "/mean", Shape: []int{v.out}},
			ParamSpec{Path: v.norm + "/variance", Shape: []int{v.out}, Value: 1})
	}
	params, statistics = sorted(params), sorted(statistics)

	run := func(p []*graph.Node, x *graph.Node, norm normalizer) *graph.Node {
		if x.Rank() != 4 || x.Shape().Dim(3) != c.Channels {
			panic(fmt.Errorf("nets: ResNet: pictures are %s, must be [batch height width %d]", x.Shape(), c.Channels))
		}
		named := byPath(params, p)
		x = f(stem.apply(named, x, norm))
		for _, b := range blocks {
			y := x
			for i, v := range b.convs {
				if y = v.apply(named, y, norm); i < len(b.convs)-1 {
					y = f(y)
				}
			}
			if b.shortcut != nil {
				x = b.shortcut.apply(named, x, norm)
			} else {
				x = padded(x, y.Shape())
			}
			x = f(graph.Add(x, y))
		}
		return dense(graph.ReduceMean(x, 1, 2), named["head/weights"], named["head/biases"])
	}
	return Model{
		Name: c.name(), Params: params,
		Apply: func(p []*graph.Node, x *graph.Node) *graph.Node { return run(p, x, byBatch(nil)) },
		Norm: &BatchNorm{
			Statistics: statistics,
			Train: func(p []*graph.Node, x *graph.Node) (*graph.Node, []*graph.Node) {
				seen := map[string]*graph.Node{}
				outputs := run(p, x, byBatch(func(path string, value *graph.Node) { seen[path] = value }))
				out := make([]*graph.Node, len(statistics))
				for i, s := range statistics {
					out[i] = seen[s.Path]
				}
				return outputs, out
			},
			Evaluate: func(p, given []*graph.Node, x *graph.Node) *graph.Node {
				return run(p, x, byStatistics(byPath(statistics, given)))
			},
		},
	}, nil
}

func (c ResNetConfig) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("nets: ResNet: "+format, args...)) }
	if len(c.Blocks) == 0 || len(c.Blocks) != len(c.Widths) || slices.Min(c.Blocks) < 1 || slices.Max(c.Blocks) > 100 || slices.Min(c.Widths) < 1 {
		bad("Blocks are %v and Widths %v, must be as many of one as of the other, each at least 1 and at most 100 blocks", c.Blocks, c.Widths)
	} else if c.PaddedShortcuts && !slices.IsSorted(c.Widths) {
		bad("Widths are %v, must not fall with PaddedShortcuts", c.Widths)
	}
	if c.Channels < 1 || c.Classes < 1 {
		bad("Channels is %d and Classes %d, must be at least 1", c.Channels, c.Classes)
	}
	return errors.Join(errs...)
}

// name counts the layers with weights on the longest way, as the published names do.
func (c ResNetConfig) name() string {
	layers := 2
	for _, n := range c.Blocks {
		if c.Bottleneck {
			layers += n
		}
		layers += 2 * n
	}
	return fmt.Sprintf("ResNet-%d", layers)
}

// conv is a convolution without biases and the batch normalization behind it.
type conv struct {
	path, norm            string
	size, in, out, stride int
}

// apply pads both ends alike, as PyTorch does and "same" padding does not where the stride is 2.
func (v conv) apply(named map[string]*graph.Node, x *graph.Node, norm normalizer) *graph.Node {
	pad := (v.size - 1) / 2
	y := graph.Convolve(x, named[v.path+"/weights"]).Strides(v.stride).PaddingPerDim([][2]int{{pad, pad}, {pad, pad}}).Done()
	y = graph.Mul(norm(v.norm, y), perChannel(named[v.norm+"/gain"], y))
	return graph.Add(y, perChannel(named[v.norm+"/biases"], y))
}

// block is a residual block: its convolutions, and the one on its shortcut where there is one.
type block struct {
	convs    []conv
	shortcut *conv
}

func (b block) out() int { return b.convs[len(b.convs)-1].out }

func (c ResNetConfig) blocks() []block {
	var out []block
	in := c.Widths[0]
	for s, n := range c.Blocks {
		for k := range n {
			stride := 1
			if s > 0 && k == 0 {
				stride = 2
			}
			path, width := fmt.Sprintf("stage_%d/block_%02d/", s, k), c.Widths[s]
			add := func(b *block, size, in, out, stride int) {
				i := len(b.convs)
				b.convs = append(b.convs, conv{fmt.Sprintf("%sconv_%d", path, i), fmt.Sprintf("%snorm_%d", path, i), size, in, out, stride})
			}
			var b block
			if c.Bottleneck {
				add(&b, 1, in, width, 1)
				add(&b, 3, width, width, stride)
				add(&b, 1, width, 4*width, 1)
			} else {
				add(&b, 3, in, width, stride)
				add(&b, 3, width, width, 1)
			}
			if !c.PaddedShortcuts && (stride > 1 || in != b.out()) {
				b.shortcut = &conv{path + "shortcut/conv", path + "shortcut/norm", 1, in, b.out(), stride}
			}
			in = b.out()
			out = append(out, b)
		}
	}
	return out
}

// padded takes every second pixel where the wanted shape is smaller, and adds channels of zeros.
func padded(x *graph.Node, want shapes.Shape) *graph.Node {
	if x.Shape().Dim(1) != want.Dim(1) || x.Shape().Dim(2) != want.Dim(2) {
		x = graph.Slice(x, graph.AxisRange(), graph.AxisRange().Stride(2), graph.AxisRange().Stride(2))
	}
	d := slices.Clone(want.Dimensions)
	if d[3] -= x.Shape().Dim(3); d[3] > 0 {
		x = graph.Concatenate([]*graph.Node{x, graph.Zeros(x.Graph(), shapes.Make(x.DType(), d...))}, 3)
	}
	return x
}
