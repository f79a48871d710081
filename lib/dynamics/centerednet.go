package dynamics

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/nets"
	"github.com/hindsight-go/hindsight/lib/online"
)

// CenteredNet is the predictor F(x) = Alpha·(f(w,x) − f(w₀,x)) of a network without biases in the NTK scaling,
//
//	h_l = √2·max(W_lᵀh_{l−1}/√inputs_l, 0) for l = 1, …, HiddenLayers,   f = a·h/√Width,
//
// all of whose weights start as standard normal values, w₀. The slope of max(·, 0) at 0 is ½, as JAX has it. Alpha ≫ 1 is the
// lazy regime, in which weights hardly move; Alpha ≪ 1 the feature regime.
//
// With Picture set the hidden layers are convolutions of 3×3 with Width channels, the first and every other one of stride 2,
// zeros around; a reads their mean over places.
//
// Source: Sclocchi, Geiger, Wyart (2023), Dissecting the Effects of SGD Noise in Distinct Regimes of Deep Learning.
type CenteredNet struct {
	HiddenLayers int     // D ≥ 1
	Width        int     // h ≥ 1
	Alpha        float64 // output scale > 0; sweeps have values of their own
	Picture      []int   // height, width, channels; nil: fully connected
}

// Weights are a network's: a matrix a hidden layer, inputs × outputs row by row (of a convolution the inputs are the 3×3
// neighbours, each with its channels), and the vector a.
type Weights [][]float64

// check leaves Alpha out. inputs is the number of columns of the data.
func (n CenteredNet) check(inputs int) error {
	var errs []error
	if n.HiddenLayers < 1 {
		errs = append(errs, fmt.Errorf("dynamics: CenteredNet: HiddenLayers is %d, must be at least 1", n.HiddenLayers))
	}
	if n.Width < 1 {
		errs = append(errs, fmt.Errorf("dynamics: CenteredNet: Width is %d, must be at least 1", n.Width))
	}
	if n.Picture != nil {
		size := 1
		for _, d := range n.Picture {
			size *= d
		}
		if len(n.Picture) != 3 || slices.Min(n.Picture) < 1 || size != inputs {
			errs = append(errs, fmt.Errorf("dynamics: CenteredNet: Picture is %v, must be height, width and channels, with a product of %d, the data's columns", n.Picture, inputs))
		}
	}
	return errors.Join(errs...)
}

func checkAlpha(where string, alpha float64) error {
	if !(alpha > 0) || math.IsInf(alpha, 0) {
		return fmt.Errorf("dynamics: %s: Alpha is %g, must be positive and finite", where, alpha)
	}
	return nil
}

// shapes of the weights, for data of a number of columns.
func (n CenteredNet) shapes(inputs int) [][]int {
	fan := inputs
	patch := 1
	if n.Picture != nil {
		fan, patch = n.Picture[2], 9
	}
	var out [][]int
	for range n.HiddenLayers {
		out = append(out, []int{fan * patch, n.Width})
		fan = n.Width
	}
	return append(out, []int{n.Width})
}

// Start draws w₀ for data of a number of columns.
func (n CenteredNet) Start(inputs int, seed uint64) (Weights, error) {
	if err := n.check(inputs); err != nil {
		return nil, err
	}
	rng := online.Seeded(seed, "centered net")
	var w Weights
	for _, dims := range n.shapes(inputs) {
		layer := make([]float64, product(dims))
		for i := range layer {
			layer[i] = rng.NormFloat64()
		}
		w = append(w, layer)
	}
	return w, nil
}

func product(dims []int) int {
	p := 1
	for _, d := range dims {
		p *= d
	}
	return p
}

// RelativeWeightChange is ‖w − w₀‖/‖w₀‖ over all weights together; NaN or +Inf of weights that are not finite.
func (w Weights) RelativeWeightChange(start Weights) (float64, error) {
	if len(w) != len(start) || len(w) == 0 {
		return 0, fmt.Errorf("dynamics: RelativeWeightChange: w has %d layers and start has %d, must be as many, at least 1", len(w), len(start))
	}
	var moved, norm float64
	for l := range w {
		if len(w[l]) != len(start[l]) {
			return 0, fmt.Errorf("dynamics: RelativeWeightChange: layer %d has %d weights, must have %d like start", l, len(w[l]), len(start[l]))
		}
		for i, v := range w[l] {
			moved, norm = moved+(v-start[l][i])*(v-start[l][i]), norm+start[l][i]*start[l][i]
		}
	}
	return math.Sqrt(moved / norm), nil
}

// output builds f, shaped [runs, batch], for the weights of several runs, which have the run as their leading axis. x is shaped
// [runs, batch, columns], or [batch, columns] where all runs see the same points.
func (n CenteredNet) output(w []*graph.Node, x *graph.Node) *graph.Node {
	first := "rb"
	if x.Rank() == 2 {
		first = "b"
	}
	if n.Picture != nil {
		dims := x.Shape().Dimensions
		x = graph.Reshape(x, append(slices.Clone(dims[:len(dims)-1]), n.Picture...)...)
	}
	for l := range n.HiddenLayers {
		from, places := "rb", ""
		if l == 0 {
			from = first
		}
		if n.Picture != nil {
			x, places = nets.Patches(x, 1+(l+1)%2), "yx"
		}
		x = graph.Einsum(from+places+"i,rio->rb"+places+"o", x, w[l])
		// By a product, which has slope ½ at 0, where GoMLX's Max has 1, and keeps NaN.
		x = graph.Mul(x, graph.StopGradient(graph.AddScalar(graph.MulScalar(graph.Sign(x), 0.5), 0.5)))
		x = graph.MulScalar(x, math.Sqrt(2/float64(w[l].Shape().Dim(1))))
	}
	if n.Picture != nil {
		x = graph.ReduceMean(x, 2, 3)
	}
	return graph.MulScalar(graph.Einsum("rbi,ri->rb", x, w[n.HiddenLayers]), 1/math.Sqrt(float64(n.Width)))
}
