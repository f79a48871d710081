package dynamics_test

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/dynamics"
)

// One sample and weights small enough to follow by hand.
var (
	handNet     = dynamics.ReLU2CNN{Filters: 2, Dim: 4}
	handSample  = [][][]float64{{{.5, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, .3, -.4}}}
	handWeights = []float64{.1, .2, 0, -.1, -.3, .4, .2, .1, .2, -.1, .1, .3, .05, -.2, -.1, .2}
)

func TestReLU2CNNStep(t *testing.T) {
	w := append([]float64(nil), handWeights...)
	outputs := func() float64 {
		f, err := handNet.Forward(w, handSample)
		if err != nil {
			t.Fatal(err)
		}
		return f[0]
	}
	near(t, "f", outputs(), 0.3969375, 1e-15)
	s, err := handNet.Sharpness(w, handSample)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "‖∇f‖²", s[0], 3.20378125, 1e-14)
	for k, want := range []float64{1.0254269833655845, 0.9737942250297482, 1.025658920216747} {
		loss, g, err := handNet.Gradient(w, handSample, []float64{1})
		if err != nil {
			t.Fatal(err)
		}
		floats.AddScaled(w, -0.25, g)
		if k == 0 {
			near(t, "the loss", loss, 0.181842189453125, 1e-15)
			for i, v := range []float64{0.103769140625, 0.3206125, 0.0018091875, -0.10241225, -0.3, 0.641225, 0.20090459375, 0.098793875,
				0.19246171875, -0.1, 0.1, 0.3, 0.0481154296875, -0.2, -0.1, 0.2} {
				near(t, "a weight", w[i], v, 1e-15)
			}
		}
		near(t, "f after a step", outputs(), want, 1e-14)
	}
}

// drawn is a network with a training set.
func drawn(t *testing.T, seed uint64) (dynamics.ReLU2CNN, []float64, dynamics.FeatureNoise) {
	t.Helper()
	net := dynamics.ReLU2CNN{Filters: 3, Dim: 12}
	set, err := dynamics.FeatureNoiseData{N: 7, Dim: 12, WeakNorm: .3, StrongNorm: 1.5, NoiseNorm: 1, StrongFraction: .6}.Training(seed)
	if err != nil {
		t.Fatal(err)
	}
	w, err := net.Init(seed)
	if err != nil {
		t.Fatal(err)
	}
	return net, w, set
}

// The gradient by hand is the one by automatic differentiation.
func TestGradientIsAutomatic(t *testing.T) {
	net, w, set := drawn(t, 4)
	var flat []float64
	for _, x := range set.Patches {
		for _, patch := range x {
			flat = append(flat, patch...)
		}
	}
	exec, err := graph.NewExec(backend.ForTest(t), func(w, x, y *graph.Node) []*graph.Node {
		z := graph.Einsum("jrd,npd->njrp", w, x)
		z = graph.Max(z, graph.ZerosLike(z))
		active := graph.ReduceMean(graph.ReduceSum(graph.Mul(z, z), 3), 2) // by sample and sign
		f := graph.Sub(graph.Slice(active, graph.AxisRange(), graph.AxisElem(0)), graph.Slice(active, graph.AxisRange(), graph.AxisElem(1)))
		e := graph.Sub(graph.Reshape(f, y.Shape().Size()), y)
		loss := graph.ReduceAllMean(graph.MulScalar(graph.Mul(e, e), 0.5))
		return []*graph.Node{loss, graph.Gradient(loss, w)[0], graph.Add(e, y)}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(w, 2, 3, 12), tensors.FromFlatDataAndDimensions(flat, 7, 3, 12), tensors.FromValue(set.Labels))
	if err != nil {
		t.Fatal(err)
	}
	loss, g, err := net.Gradient(w, set.Patches, set.Labels)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the loss", loss, out[0].Value().(float64), 1e-14)
	want := tensors.MustCopyFlatData[float64](out[1])
	if !floats.EqualApprox(g, want, 1e-14) || floats.Norm(want, 2) < 0.1 {
		t.Errorf("the gradient is %v, by automatic differentiation %v", g, want)
	}
	f, err := net.Forward(w, set.Patches)
	if err != nil {
		t.Fatal(err)
	}
	if want := tensors.MustCopyFlatData[float64](out[2]); !floats.EqualApprox(f, want, 1e-14) {
		t.Errorf("f is %v, by the graph %v", f, want)
	}
}

// Where a sample is fitted, its sharpness is the largest eigenvalue of its loss's Hessian.
func TestSharpnessIsEigenvalue(t *testing.T) {
	net, w, set := drawn(t, 5)
	sharp, err := net.Sharpness(w, set.Patches)
	if err != nil {
		t.Fatal(err)
	}
	f, err := net.Forward(w, set.Patches)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range set.Patches {
		op, err := curvature.FiniteDifferenceHessian(func(g, theta []float64) error {
			_, slope, err := net.Gradient(theta, [][][]float64{x}, f[i:i+1])
			copy(g, slope)
			return err
		}, w, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, err := curvature.Lanczos(t.Context(), op, curvature.LanczosConfig{Steps: 8})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "the largest eigenvalue", r.Values[len(r.Values)-1], sharp[i], 1e-6*sharp[i])
	}
}

// f of a sample without noise is the strengths of its features, less what the other sign's filters hold of them: those of the
// sample with the other label, whose feature is the same with the sign turned.
func TestStrengths(t *testing.T) {
	net, w, _ := drawn(t, 6)
	d := dynamics.FeatureNoiseData{N: 2, Dim: 12, WeakNorm: .3, StrongNorm: 1.5, StrongFraction: 1}
	u, v, err := d.Features()
	if err != nil {
		t.Fatal(err)
	}
	set, err := d.Training(1)
	if err != nil {
		t.Fatal(err)
	}
	f, err := net.Forward(w, set.Patches)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float64, 2)
	for _, feature := range [][]float64{u, v} {
		minus := make([]float64, len(feature))
		floats.SubTo(minus, minus, feature)
		plus, negative, err := net.Strengths(w, feature)
		if err != nil {
			t.Fatal(err)
		}
		swapped, other, err := net.Strengths(w, minus)
		if err != nil {
			t.Fatal(err)
		}
		want[0], want[1] = want[0]+plus-other, want[1]+swapped-negative
	}
	near(t, "f of +1", f[0], want[0], 1e-15)
	near(t, "f of −1", f[1], want[1], 1e-15)
}

// At W = 0 nothing is active: the gradient is zero, whatever the sample.
func TestZeroWeights(t *testing.T) {
	net, w, set := drawn(t, 7)
	clear(w)
	loss, g, err := net.Gradient(w, set.Patches, set.Labels)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the loss", loss, 0.5, 1e-15)
	near(t, "‖g‖", floats.Norm(g, 2), 0, 0)
	w[0] = math.NaN()
	if f, err := net.Forward(w, set.Patches); err != nil || !math.IsNaN(f[0]) {
		t.Errorf("with NaN among the weights f is %v (%v)", f, err)
	}
}

func TestReLU2CNNErrors(t *testing.T) {
	gradient := func(c dynamics.ReLU2CNN, w []float64, x [][][]float64, y ...float64) error {
		_, _, err := c.Gradient(w, x, y)
		return err
	}
	_, noInit := dynamics.ReLU2CNN{Dim: 3}.Init(1)
	_, noForward := handNet.Forward(handWeights[1:], handSample)
	_, noSharpness := handNet.Sharpness(handWeights, nil)
	_, _, noStrengths := handNet.Strengths(handWeights, []float64{1})
	for _, c := range []struct {
		err  error
		want string
	}{
		{noInit, "Filters is 0"}, {noForward, "15 weights, must be 16"}, {noSharpness, "no samples"}, {noStrengths, "1 entries, must have 4"},
		{gradient(handNet, handWeights, handSample), "0 targets of 1 samples"}, {gradient(dynamics.ReLU2CNN{Filters: 1}, nil, handSample, 1), "Dim 0"},
		{gradient(handNet, handWeights, [][][]float64{{{1, 2, 3}}}, 1), "patch 0 of sample 0 has 3 entries"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("the error is %v, must say %q", c.err, c.want)
		}
	}
}
