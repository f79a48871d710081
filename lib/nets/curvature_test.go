package nets

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// inFloat64 are first values in double precision, with biases and gains moved off their 0 and 1.
func inFloat64(m Model) scan.Vars {
	rng := online.Seeded(9, "curvature test")
	out := scan.Vars{}
	for _, p := range m.Params {
		values := make([]float64, p.size())
		for i := range values {
			values[i] = p.Value + rng.NormFloat64()*max(p.Deviation, 0.1)
		}
		out[p.Path] = tensors.FromFlatDataAndDimensions(values, p.Shape...)
	}
	return out
}

// classifierAt is a classifier of three classes at random pictures of a shape.
func classifierAt(m Model, shape ...int) curvature.Network {
	rng := online.Seeded(10, "curvature test")
	const examples = 6
	n := examples
	for _, d := range shape {
		n *= d
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return curvature.Network{
		Params:  inFloat64(m),
		Data:    []*tensors.Tensor{tensors.FromFlatDataAndDimensions(x, append([]int{examples}, shape...)...), tensors.FromValue([]int32{0, 1, 2, 0, 1, 2})},
		Outputs: func(p, data []*graph.Node) *graph.Node { return m.Apply(p, data[0]) },
		Loss:    func(z *graph.Node, data []*graph.Node) *graph.Node { return CrossEntropy(z, data[1]) },
	}
}

func hessian(t *testing.T, l curvature.Landscape, way curvature.Way) curvature.Operator {
	t.Helper()
	op, err := l.Hessian(backend.ForTest(t), curvature.ProductConfig{Way: way})
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// agrees checks products against differences, within what these lose to rounding and to third derivatives.
func agrees(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if off, length := floats.Distance(got, want, 2), floats.Norm(want, 2); !(off <= 1e-5*length) || length < 1e-6 {
		t.Errorf("%s: off by %.2g of length %.3g", what, off, length)
	}
}

func randomVector(n int, name string) []float64 {
	rng := online.Seeded(11, name)
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

// The whole Hessian of each activation, by second derivatives and by differences of the gradient; and its products.
func TestHessianOfActivations(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(activations)) {
		t.Run(name, func(t *testing.T) {
			m, err := MLP(name, 4, 5, 4, 3)
			if err != nil {
				t.Fatal(err)
			}
			l := classifierAt(m, 4).Landscape()
			exact := hessian(t, l, curvature.Autodiff)
			h, err := exact.Dense(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			other, err := hessian(t, l, curvature.Differences).Dense(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var difference mat.Dense
			difference.Sub(h, other)
			if off := mat.Norm(&difference, 2); off > 1e-5*mat.Norm(h, 2) {
				t.Errorf("the Hessians differ by %.2g of %.3g", off, mat.Norm(h, 2))
			}
			v := randomVector(m.Size(), name)
			y := make([]float64, m.Size())
			if err := exact.Apply(y, v); err != nil {
				t.Fatal(err)
			}
			var hv mat.VecDense
			hv.MulVec(h, mat.NewVecDense(len(v), v))
			if off := floats.Distance(y, hv.RawVector().Data, math.Inf(1)); off > 1e-12 {
				t.Errorf("the product is off the dense Hessian's by %.2g", off)
			}
			if a, err := exact.Asymmetry(1); err != nil || a > 1e-10 {
				t.Errorf("asymmetry %.2g (%v)", a, err)
			}
		})
	}
}

// The layers of every network: convolution, pooling, batch, layer and RMS normalization, attention, embeddings.
func TestHessianOfLayers(t *testing.T) {
	b := backend.ForTest(t)
	cases := map[string]curvature.Landscape{}
	add := func(name string, m Model, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "text") {
			cases[name] = curvature.Landscape{
				Params: inFloat64(m), Data: []*tensors.Tensor{tensors.FromValue([][]int32{{1, 4, 2, 0, 3}, {2, 2, 1, 3, 0}})},
				Loss: func(p, data []*graph.Node) *graph.Node { return NextToken(m, p, data[0]) },
			}
			return
		}
		cases[name] = classifierAt(m, 8, 8, 2).Landscape()
	}
	for _, activation := range []string{"tanh", "relu"} {
		m, err := SmallCNN(activation, 8, 8, 2, 3)
		add("convolution and pooling, "+activation, m, err)
	}
	for name, c := range map[string]ResNetConfig{
		"residual":   {Channels: 2, Classes: 3, Blocks: []int{1, 1}, Widths: []int{3, 4}, Activation: "softplus"},
		"bottleneck": {Channels: 2, Classes: 3, Blocks: []int{1, 1}, Widths: []int{2, 3}, Bottleneck: true, Activation: "silu"},
		"padded":     {Channels: 2, Classes: 3, Blocks: []int{1, 1}, Widths: []int{3, 4}, PaddedShortcuts: true},
	} {
		m, err := ResNet(c)
		add(name, m, err)
	}
	m, err := ViT(ViTConfig{Side: 8, Channels: 2, Patch: 4, Classes: 3, Width: 8, Layers: 1, Heads: 2})
	add("ViT", m, err)
	m, err = GPT(GPTConfig{Vocab: 5, Context: 4, Width: 8, Layers: 1, Heads: 2, Tied: true})
	add("text, GPT", m, err)
	m, err = LLaMA(LLaMAConfig{Vocab: 5, Width: 8, Layers: 1, Heads: 2, Hidden: 12})
	add("text, LLaMA", m, err)
	for name, l := range cases {
		t.Run(name, func(t *testing.T) {
			exact, err := l.Hessian(b, curvature.ProductConfig{})
			if err != nil {
				t.Fatal(err)
			}
			v, y, want := randomVector(exact.Dim, name), make([]float64, exact.Dim), make([]float64, exact.Dim)
			if err := exact.Apply(y, v); err != nil {
				t.Fatal(err)
			}
			if exact.Note == "" {
				if err := hessian(t, l, curvature.Differences).Apply(want, v); err != nil {
					t.Fatal(err)
				}
				agrees(t, name, y, want)
			}
			// vᵀHv from the loss alone, to the square of the step.
			gradient, err := l.Gradient(b)
			if err != nil {
				t.Fatal(err)
			}
			theta := curvature.Flat(l.Params)
			h := 1e-4 * (1 + floats.Norm(theta, 2)) / floats.Norm(v, 2)
			var losses []float64
			for _, at := range []float64{-h, 0, h} {
				floats.AddScaledTo(y, theta, at, v)
				loss, err := gradient(want, y)
				if err != nil {
					t.Fatal(err)
				}
				losses = append(losses, loss)
			}
			if err := exact.Apply(y, v); err != nil {
				t.Fatal(err)
			}
			second, vhv := (losses[0]-2*losses[1]+losses[2])/h/h, floats.Dot(v, y)
			if !(math.Abs(vhv-second) <= 1e-3*floats.Norm(v, 2)*floats.Norm(y, 2)) {
				t.Errorf("vᵀHv is %.8g, by the loss %.8g", vhv, second)
			}
			convolves := slices.Contains([]string{"residual", "bottleneck", "padded"}, name)
			if differs := exact.Note != ""; scan.CanFuse(b) && differs != convolves {
				t.Errorf("the products' note is %q", exact.Note)
			}
			if a, err := exact.Asymmetry(1); err != nil || a > 1e-5 {
				t.Errorf("asymmetry %.2g (%v)", a, err)
			}
		})
	}
}

// The Gauss–Newton matrix of a convolutional network, by differences, is what its Jacobian makes.
func TestGaussNewtonOfConvolution(t *testing.T) {
	b := backend.ForTest(t)
	m, err := SmallCNN("tanh", 4, 4, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	n := classifierAt(m, 4, 4, 1)
	n.Loss = nil
	op, err := n.GaussNewton(b, curvature.ProductConfig{})
	if err != nil {
		t.Fatal(err)
	}
	j, err := n.Jacobian(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	v, y := randomVector(op.Dim, "Gauss–Newton"), make([]float64, op.Dim)
	if err := op.Apply(y, v); err != nil {
		t.Fatal(err)
	}
	var jv, want mat.VecDense
	jv.MulVec(j.Rows, mat.NewVecDense(len(v), v))
	want.MulVec(j.Rows.T(), &jv)
	want.ScaleVec(1/float64(j.Examples), &want)
	agrees(t, "Gv", y, want.RawVector().Data)
	r, err := curvature.Lanczos(t.Context(), op, curvature.LanczosConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := curvature.SpectrumOf(j.Kernel())
	if err != nil {
		t.Fatal(err)
	}
	if top := r.Values[len(r.Values)-1]; math.Abs(top/s.Eigenvalues[0]-1) > 1e-6 {
		t.Errorf("the largest eigenvalue is %.8g, the kernel's %.8g", top, s.Eigenvalues[0])
	}
}

// A classifier of digits with 2410 weights in single precision: every tool against the dense Hessian.
func TestCurvatureOfDigits(t *testing.T) {
	ctx, b := t.Context(), backend.ForTest(t)
	m, err := MLP("tanh", 64, 32, 10)
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.Digits()
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.First(200); err != nil {
		t.Fatal(err)
	}
	if set, err = set.Normalize(0.5, 0.5); err != nil {
		t.Fatal(err)
	}
	l := m.Landscape(m.Init(1), set)
	op, err := l.Hessian(b, curvature.ProductConfig{Way: curvature.Autodiff})
	if err != nil {
		t.Fatal(err)
	}
	h, err := op.Dense(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s, err := curvature.SpectrumOf(h)
	if err != nil {
		t.Fatal(err)
	}
	n := len(s.Eigenvalues)
	r, err := curvature.Lanczos(ctx, op, curvature.LanczosConfig{Steps: 60})
	if err != nil {
		t.Fatal(err)
	}
	scale := s.Eigenvalues[0]
	for what, pair := range map[string][2]float64{
		"largest": {r.Values[59], s.Eigenvalues[0]}, "second": {r.Values[58], s.Eigenvalues[1]}, "smallest": {r.Values[0], s.Eigenvalues[n-1]},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-3*scale {
			t.Errorf("the %s eigenvalue is %.6g, of the dense Hessian %.6g", what, pair[0], pair[1])
		}
	}
	trace, err := curvature.Trace(ctx, op, curvature.Probes{Count: 100})
	if err != nil {
		t.Fatal(err)
	}
	density, err := curvature.SpectralDensity(ctx, op, curvature.DensityConfig{Probes: curvature.Probes{Count: 30, Seed: 5}, Steps: 40})
	if err != nil {
		t.Fatal(err)
	}
	positive := 0.0
	exp := func(x float64) float64 { return math.Exp(x / scale) }
	for _, v := range s.Eigenvalues {
		positive += exp(v)
	}
	for what, c := range map[string]struct {
		got  curvature.Estimate
		want float64
	}{
		"trace": {trace.Estimate, s.Trace}, "‖H‖_F²": {trace.Squares, s.Frobenius * s.Frobenius},
		"trace by the density": {density.Trace(func(x float64) float64 { return x }), s.Trace}, "tr exp": {density.Trace(exp), positive},
	} {
		// Six standard errors, of 30 probes at least: false alarm below 1e-5 by Student's distribution.
		if math.Abs(c.got.Mean-c.want) > 6*c.got.StdErr {
			t.Errorf("%s is %.6g ± %.2g, of the dense Hessian %.6g", what, c.got.Mean, c.got.StdErr, c.want)
		}
	}
}

// Differences by the usual step find other eigenvalues than a network with kinks has, and the asymmetry tells; by the default
// step they find these, which are those of the exact products where there are any.
func TestHessianOfKinks(t *testing.T) {
	m, err := SmallCNN("relu", 16, 16, 3, 10)
	if err != nil {
		t.Fatal(err)
	}
	rng := online.Seeded(1, "kinks")
	set := &data.Dataset{Name: "noise", Shape: []int{16, 16, 3}, Classes: make([]string, 10)}
	for i := range 64 {
		set.Labels = append(set.Labels, int32(i%10))
		for range 16 * 16 * 3 {
			set.X = append(set.X, float32(rng.NormFloat64()))
		}
	}
	l := m.Landscape(m.Init(1), set)
	top := map[float64]float64{}
	for _, step := range []float64{0, 1e-9, 6e-6} {
		op, err := l.Hessian(backend.ForTest(t), curvature.ProductConfig{Way: curvature.Differences, Step: step})
		if err != nil {
			t.Fatal(err)
		}
		r, err := curvature.Lanczos(t.Context(), op, curvature.LanczosConfig{Steps: 10})
		if step == 6e-6 {
			if err == nil || !strings.Contains(err.Error(), "not symmetric") || !strings.Contains(err.Error(), "made by differences") {
				t.Errorf("with a long step the error is %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		top[step] = r.Values[9]
	}
	op, err := l.Hessian(backend.ForTest(t), curvature.ProductConfig{})
	if err != nil {
		t.Fatal(err)
	}
	exact, err := curvature.Lanczos(t.Context(), op, curvature.LanczosConfig{Steps: 10})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(top[0]/top[1e-9]-1) > 1e-6 || math.Abs(top[0]/exact.Values[9]-1) > 1e-6 {
		t.Errorf("the largest eigenvalue is %.10g, %.10g with a shorter step, %.10g exactly (%s)", top[0], top[1e-9], exact.Values[9], op.Note)
	}
}
