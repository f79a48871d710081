// Package nets holds the networks that experiments share, as pure functions of their parameters, and [Fitter], which
// trains a classifier under one compiled program.
//
//	| network                     | for                                         |
//	|-----------------------------|---------------------------------------------|
//	| [MLP]                       | tables, flattened pictures                  |
//	| [SmallCNN]                  | pictures, two convolutions                  |
//	| [ResNet]                    | pictures, 8 layers to 152                   |
//	| [GPT], [LLaMA]              | text, next token                            |
//	| [ViT]                       | pictures in patches                         |
//
// [LanguageTrainer] trains a language model on a token source or on windows of a corpus, [PictureTrainer] a classifier on
// pictures in files: what does not fit in memory comes while the steps before it run.
//
// [SharpnessTrainer] trains and measures one with SAM, SAF or MESA, epoch by epoch.
//
// [ByName] has the networks of published sizes, ResNet-18 and 50, GPT-2 and LLaMA-60M to 7B among them; [LoRA] adapts any
// model. [CIFARConfig] is the usual training of a residual network on CIFAR.
//
// A [Model] knows its parameters by path and draws their first values from a seed on the host, so that they are the same
// on every backend.
package nets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Model is a network as a pure function of its parameters.
type Model struct {
	Name   string
	Params []ParamSpec // sorted by path
	// Apply builds the network's outputs (for a classifier its logits, shaped [batch, classes]) for inputs x shaped
	// [batch, …]. p holds the parameters in the order of Params.
	Apply func(p []*graph.Node, x *graph.Node) *graph.Node
	// Norm, of a network with batch normalization, is what its evaluation takes besides; else nil.
	Norm *BatchNorm
}

// ParamSpec describes one float32 parameter.
type ParamSpec struct {
	Path  string
	Shape []int
	// Deviation of the normal distribution its first values are drawn from; 0: they are Value.
	Deviation float64
	Value     float64
}

// Size is the number of parameters.
func (m Model) Size() int {
	n := 0
	for _, p := range m.Params {
		n += p.size()
	}
	return n
}

func (p ParamSpec) size() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Init draws first values. The same seed gives the same values everywhere; each parameter has a stream of its own, so
// that adding one changes no other.
func (m Model) Init(seed uint64) scan.Vars {
	out := scan.Vars{}
	for _, p := range m.Params {
		var stream uint64 = 14695981039346656037 // FNV-1a of the path
		for _, c := range []byte(p.Path) {
			stream = (stream ^ uint64(c)) * 1099511628211
		}
		rng := rand.New(rand.NewPCG(seed, stream))
		values := make([]float32, p.size())
		for i := range values {
			values[i] = float32(p.Value)
			if p.Deviation > 0 {
				values[i] = float32(p.Deviation * rng.NormFloat64())
			}
		}
		out[p.Path] = tensors.FromFlatDataAndDimensions(values, p.Shape...)
	}
	return out
}

// he is He's deviation √(2/inputs), for weights in front of a ReLU.
func he(inputs int) float64 { return math.Sqrt(2 / float64(inputs)) }

// sorted puts the parameters in the order of their paths, which is the order of Apply.
func sorted(params []ParamSpec) []ParamSpec {
	slices.SortFunc(params, func(a, b ParamSpec) int {
		switch {
		case a.Path < b.Path:
			return -1
		case a.Path > b.Path:
			return 1
		}
		return 0
	})
	return params
}

// byPath gives Apply its parameters by name.
func byPath(params []ParamSpec, p []*graph.Node) map[string]*graph.Node {
	out := make(map[string]*graph.Node, len(p))
	for i, spec := range params {
		out[spec.Path] = p[i]
	}
	return out
}

// MLP is a fully connected network of the given widths, inputs first and outputs last, with an activation between its
// layers (see [Activation]); weights are He normal, biases zero. Inputs of more than two axes are flattened.
//
// Parameters: "layer_0/biases", "layer_0/weights", …, weights shaped inputs × outputs.
func MLP(activation string, widths ...int) (Model, error) {
	if len(widths) < 2 || slices.Min(widths) < 1 {
		return Model{}, fmt.Errorf("nets: MLP: widths are %v, must be two or more of at least 1", widths)
	}
	f, err := Activation(activation)
	if err != nil {
		return Model{}, err
	}
	var params []ParamSpec
	for i := range len(widths) - 1 {
		params = append(params,
			ParamSpec{Path: fmt.Sprintf("layer_%d/biases", i), Shape: []int{widths[i+1]}},
			ParamSpec{Path: fmt.Sprintf("layer_%d/weights", i), Shape: []int{widths[i], widths[i+1]}, Deviation: he(widths[i])})
	}
	params = sorted(params)
	return Model{Name: fmt.Sprintf("MLP %v", widths), Params: params, Apply: func(p []*graph.Node, x *graph.Node) *graph.Node {
		named := byPath(params, p)
		x = flat(x)
		for i := range len(widths) - 1 {
			if i > 0 {
				x = f(x)
			}
			x = dense(x, named[fmt.Sprintf("layer_%d/weights", i)], named[fmt.Sprintf("layer_%d/biases", i)])
		}
		return x
	}}, nil
}

// flat joins all axes but the batch's.
func flat(x *graph.Node) *graph.Node {
	batch := x.Shape().Dim(0)
	return graph.Reshape(x, batch, x.Shape().Size()/batch)
}

// dense is x·weights + biases.
func dense(x, weights, biases *graph.Node) *graph.Node {
	y := graph.MatMul(x, weights)
	return graph.Add(y, graph.BroadcastToDims(graph.InsertAxes(biases, 0), y.Shape().Dimensions...))
}

// SmallCNN is two 3×3 convolutions of 8 and 16 channels, each followed by the activation and 2×2 max pooling, and one
// dense layer: for 28×28×1 pictures and ten classes 9 098 parameters. He normal weights, zero biases. Height and width
// must be divisible by 4.
func SmallCNN(activation string, height, width, channels, classes int) (Model, error) {
	if height < 4 || width < 4 || height%4 != 0 || width%4 != 0 || channels < 1 || classes < 1 {
		return Model{}, fmt.Errorf("nets: SmallCNN: pictures are %d×%d×%d with %d classes; height and width must be multiples of 4, the others at least 1", height, width, channels, classes)
	}
	f, err := Activation(activation)
	if err != nil {
		return Model{}, err
	}
	features := height / 4 * (width / 4) * 16
	params := sorted([]ParamSpec{
		{Path: "conv_0/biases", Shape: []int{8}},
		{Path: "conv_0/weights", Shape: []int{3, 3, channels, 8}, Deviation: he(9 * channels)},
		{Path: "conv_1/biases", Shape: []int{16}},
		{Path: "conv_1/weights", Shape: []int{3, 3, 8, 16}, Deviation: he(9 * 8)},
		{Path: "dense/biases", Shape: []int{classes}},
		{Path: "dense/weights", Shape: []int{features, classes}, Deviation: he(features)},
	})
	return Model{Name: "small CNN", Params: params, Apply: func(p []*graph.Node, x *graph.Node) *graph.Node {
		named := byPath(params, p)
		for _, layer := range []string{"conv_0", "conv_1"} {
			x = f(convolve(x, named[layer+"/weights"], named[layer+"/biases"]))
			x = maxPool2(x)
		}
		return dense(flat(x), named["dense/weights"], named["dense/biases"])
	}}, nil
}
