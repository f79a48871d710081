package curvature

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Facts of the small network, by JAX in float64.
var (
	smallV  = []float64{1, 0, -1, .5, .5, 0, .2, -1, 1}
	smallG  = []float64{0.2714272398, -0.2096828523, 0.0730682483, 0.0531845802, -0.0324783887, 0.0094456519, 0.1316953304, -0.05476496, 0.1623187266}
	smallHv = []float64{0.3326851672, -0.711549316, 0.5094036994, -0.398948476, 0.1785649355, -0.0106803168, 0.5572144913, -0.3017458449, 0.2025360176}
	smallE  = []float64{-0.4676262699, -0.4105646962, -0.3482737798, 0.0064017802, 0.0181558145, 0.2158137588, 0.37516537, 0.4653434186, 0.9958469031}
	smallD  = []float64{0.0362379959, 0.0414497933, -0.0431798352, 0.2478214256, 0.1201559361, 0.0146916715, 0.0363445701, 0.1109689818, 0.2857717599}
)

const (
	smallTrace     = 0.8502622990843329
	smallFrobenius = 1.3800301174471927
)

func relu(x *graph.Node) *graph.Node { return graph.Max(x, graph.ZerosLike(x)) }

func all(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d entries, want %d", what, len(got), len(want))
	}
	for i := range got {
		within(t, what, got[i], want[i], tolerance)
	}
}

func smallHessian(t *testing.T) Operator {
	t.Helper()
	op, err := small().Hessian(backend.ForTest(t), ProductConfig{Way: Autodiff})
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func product(t *testing.T, op Operator, x []float64) []float64 {
	t.Helper()
	y := make([]float64, op.Dim)
	if err := op.Apply(y, x); err != nil {
		t.Fatal(err)
	}
	return y
}

// dense is an operator's matrix.
func dense(t *testing.T, op Operator) *mat.SymDense {
	t.Helper()
	a, err := op.Dense(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func spectrum(t *testing.T, a mat.Symmetric) Spectrum {
	t.Helper()
	s, err := SpectrumOf(a)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHessian(t *testing.T) {
	b, op := backend.ForTest(t), smallHessian(t)
	gradient, err := small().Gradient(b)
	if err != nil {
		t.Fatal(err)
	}
	g := make([]float64, op.Dim)
	loss, err := gradient(g, Flat(small().Params))
	if err != nil {
		t.Fatal(err)
	}
	within(t, "loss", loss, 0.37429554529548925, 1e-15)
	all(t, "gradient", g, smallG, 1e-10)
	hv := product(t, op, smallV)
	all(t, "Hv", hv, smallHv, 1e-10)
	within(t, "vᵀHv", floats.Dot(smallV, hv), 0.328814458379, 1e-12)
	h := dense(t, op)
	s := spectrum(t, h)
	within(t, "trace", s.Trace, smallTrace, 1e-14)
	within(t, "Frobenius norm", s.Frobenius, smallFrobenius, 1e-14)
	slices.Reverse(s.Eigenvalues)
	all(t, "eigenvalue", s.Eigenvalues, smallE, 1e-10)
	for i, want := range smallD {
		within(t, "diagonal", h.At(i, i), want, 1e-10)
	}
	var hu mat.VecDense
	hu.MulVec(h, mat.NewVecDense(9, smallV))
	all(t, "the dense Hessian's product", hu.RawVector().Data, hv, 1e-15)
	if a, err := op.Asymmetry(1); err != nil || a > 1e-15 {
		t.Errorf("asymmetry %g (%v)", a, err)
	}
	all(t, "product of the matrix", product(t, DenseOperator(h), smallV), hv, 1e-15)
	shifted := product(t, op.Shifted(2), smallV)
	floats.AddScaled(shifted, -2, smallV)
	all(t, "shifted product", shifted, hv, 1e-14)
	all(t, "product of zero", product(t, op, make([]float64, 9)), make([]float64, 9), 0)
}

func TestHessianOfOtherActivations(t *testing.T) {
	for name, c := range map[string]struct {
		f    func(*graph.Node) *graph.Node
		loss float64
		want []float64
	}{
		"relu":  {relu, 0.34731903125, []float64{0.2837775, -0.16699375, 0.294125, -0.061611875, 0.1509625, 0.254375, 0.43937, -0.106685, 0.02421875}},
		"relu²": {func(x *graph.Node) *graph.Node { return graph.Square(relu(x)) }, 0.281591595601, []float64{0.527847666, -0.110932596, -0.036150313, 0.110968665, 0.101227728, 0.298257578, 0.21256744, -0.039645466, 0.104868125}},
	} {
		l := smallNetwork(c.f).Landscape()
		op, err := l.Hessian(backend.ForTest(t), ProductConfig{Way: Autodiff})
		if err != nil {
			t.Fatal(err)
		}
		all(t, "Hv of "+name, product(t, op, smallV), c.want, 1e-9)
		gradient, err := l.Gradient(backend.ForTest(t))
		if err != nil {
			t.Fatal(err)
		}
		loss, err := gradient(make([]float64, 9), Flat(l.Params))
		if err != nil {
			t.Fatal(err)
		}
		within(t, "loss of "+name, loss, c.loss, 1e-12)
	}
}

// toFloat32 is the same in single precision.
func toFloat32(l Landscape) Landscape {
	short := func(t *tensors.Tensor) *tensors.Tensor {
		flat := flatTensor(dtypes.Float32, numbers(t))
		return tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float32](flat), t.Shape().Dimensions...)
	}
	params := scan.Vars{}
	for path, p := range l.Params {
		params[path] = short(p)
	}
	l.Params = params
	var data []*tensors.Tensor
	for _, d := range l.Data {
		data = append(data, short(d))
	}
	l.Data = data
	return l
}

// Claim K1 in float32, and claims K3 and K4: in float64 the error falls with the square of the step, down to rounding; in
// float32 it is least in the middle.
func TestDifferences(t *testing.T) {
	b, exact := backend.ForTest(t), product(t, smallHessian(t), smallV)
	off := func(op Operator, err error) float64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return floats.Distance(product(t, op, smallV), exact, math.Inf(1))
	}
	single := toFloat32(small())
	if e := off(single.Hessian(b, ProductConfig{Way: Autodiff})); e > 1e-6*floats.Norm(exact, math.Inf(1)) {
		t.Errorf("in float32 Hv is off by %.2g", e)
	}
	step := func(h float64) float64 {
		return h * floats.Norm(smallV, 2) / (1 + floats.Norm(Flat(small().Params), 2))
	}
	for h, want := range map[float64]float64{1e-2: 6.2e-5, 1e-3: 6.2e-7, 1e-4: 6.2e-9, 1e-5: 6e-11} {
		if e := off(small().Hessian(b, ProductConfig{Way: Differences, Step: step(h)})); math.Abs(e/want-1) > 0.3 {
			t.Errorf("h = %g: the error is %.2g, want %.2g", h, e, want)
		}
	}
	gradient, err := single.Gradient(b)
	if err != nil {
		t.Fatal(err)
	}
	inSingle := func(h float64) float64 {
		return off(FiniteDifferenceHessian(func(g, theta []float64) error { _, err := gradient(g, theta); return err }, Flat(single.Params), step(h)))
	}
	if best := inSingle(3e-3); best > 1e-4 || best < 1e-7 || best > inSingle(1e-1) || best > inSingle(1e-4) {
		t.Errorf("in float32 the error is %.2g at 3e-3, %.2g at 1e-1 and %.2g at 1e-4", best, inSingle(1e-1), inSingle(1e-4))
	}
	// By default they are taken in float64, of float32 weights too: their rounding is what is left.
	if e := off(small().Hessian(b, ProductConfig{Way: Differences})); e > 1e-7 {
		t.Errorf("with the default step the error is %.2g", e)
	}
	op, err := single.Hessian(b, ProductConfig{Way: Differences})
	if e := off(op, err); e > 1e-6 || op.Note != "by differences" {
		t.Errorf("of float32 weights the error is %.2g, %s", e, op.Note)
	}
	// A loss that is in float32 alone has them there, and says so.
	stubborn := single
	stubborn.Loss = func(p, data []*graph.Node) *graph.Node {
		return graph.Mul(single.Loss(p, data), graph.Const(p[0].Graph(), float32(1)))
	}
	op, err = stubborn.Hessian(b, ProductConfig{Way: Differences})
	if e := off(op, err); e > 1e-4 || op.Note != "by differences; in float32" {
		t.Errorf("in float32 the default step's error is %.2g, %s", e, op.Note)
	}
}

// A maximum over windows that overlap has a gradient on XLA, and none of that gradient: differences take over, or the error
// says so.
func TestHessianFallsBack(t *testing.T) {
	b := backend.ForTest(t)
	backend.Needs(t, b, backend.MaxPoolGradient)
	l := Landscape{
		Loss: func(p, _ []*graph.Node) *graph.Node {
			pooled := graph.MaxPool(graph.Reshape(graph.Mul(p[0], graph.Square(p[0])), 1, 5, 1)).Window(3).Strides(1).NoPadding().Done()
			return graph.ReduceAllSum(pooled)
		},
		Params: scan.Vars{"w": tensors.FromValue([]float64{.3, .9, -.2, .5, .1})},
	}
	if _, err := l.Hessian(b, ProductConfig{Way: Autodiff}); err == nil || !strings.Contains(err.Error(), "Differences need no") {
		t.Errorf("the error is %v, must name the differences", err)
	}
	op, err := l.Hessian(b, ProductConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(op.Note, "by differences, since") {
		t.Errorf("the note is %q", op.Note)
	}
	// The windows' largest are 0.9, 0.9 and 0.5, of third powers: 2·6·0.9 and 6·0.5.
	all(t, "Hv", product(t, op, []float64{1, 1, 1, 1, 1}), []float64{0, 10.8, 0, 3, 0}, 1e-5)
}

func TestUnflat(t *testing.T) {
	l := small()
	v, err := Unflat(Flat(l.Params), l.Params)
	if err != nil {
		t.Fatal(err)
	}
	for path, p := range l.Params {
		if !v[path].Equal(p) {
			t.Errorf("%s is %v, want %v", path, v[path].Value(), p.Value())
		}
	}
	if _, err := Unflat([]float64{1}, l.Params); err == nil || !strings.Contains(err.Error(), "flat has 1 entries, must have the parameters' 9") {
		t.Error(err)
	}
}

// What is not there, not finite or not symmetric is one clear error.
func TestHessianErrors(t *testing.T) {
	ctx, b := context.Background(), backend.ForTest(t)
	nan := small()
	nan.Params = scan.Vars{"w1": nan.Params["w1"], "w2": tensors.FromValue([][]float64{{.7}, {math.NaN()}, {.2}})}
	empty := small()
	empty.Params = nil
	none := small()
	none.Params = scan.Vars{"w": tensors.FromFlatDataAndDimensions([]float64{}, 0)}
	overflow := small()
	overflow.Loss = func(p, _ []*graph.Node) *graph.Node {
		return graph.ReduceAllSum(graph.Sqrt(graph.MulScalar(p[0], 0)))
	}
	outputs := smallNetwork(graph.Tanh)
	outputs.Outputs = nil
	skew := Operator{Dim: 2, Apply: func(y, x []float64) error { y[0], y[1] = 2*x[0]-x[1], x[0]+x[1]; return nil }}
	broken := Operator{Dim: 2, Apply: func(_, _ []float64) error { return errors.New("no product today") }}
	h := DenseOperator(mat.NewDiagDense(3, []float64{1, 2, 3}))
	hessian := func(l Landscape, c ProductConfig) error { _, err := l.Hessian(b, c); return err }
	for want, f := range map[string]func() error{
		`Landscape: Hessian: entry 1 of parameter "w2" is not finite`: func() error { return hessian(nan, ProductConfig{}) },
		"Landscape: Hessian: Params must be set":                      func() error { return hessian(empty, ProductConfig{}) },
		"Params must be set, with at least one entry":                 func() error { return hessian(none, ProductConfig{}) },
		"Landscape: Hessian: Loss must be set":                        func() error { return hessian(Landscape{}, ProductConfig{}) },
		"Landscape: Hessian: it is not finite at these weights":       func() error { return hessian(overflow, ProductConfig{Way: Autodiff}) },
		"Way is 7 and Step 0":                                         func() error { return hessian(small(), ProductConfig{Way: 7}) },
		"Way is 0 and Step NaN":                                       func() error { return hessian(small(), ProductConfig{Step: math.NaN()}) },
		"Outputs must be set":                                         func() error { _, err := outputs.GaussNewton(b, ProductConfig{}); return err },
		"Jacobian: Outputs must be set":                               func() error { _, err := outputs.Jacobian(ctx, b); return err },
		"the operator has dimension 0":                                func() error { _, err := Trace(ctx, Operator{}, Probes{}); return err },
		"Lanczos: Start: is the zero vector":                          func() error { _, err := Lanczos(ctx, h, LanczosConfig{Start: make([]float64, 3)}); return err },
		"Lanczos: Start: has 2 entries, must have the operator's 3":   func() error { _, err := Lanczos(ctx, h, LanczosConfig{Start: []float64{1, 2}}); return err },
		"PowerIteration: Start: is the zero vector":                   func() error { _, err := PowerIteration(ctx, h, PowerConfig{Start: make([]float64, 3)}); return err },
		"PowerIteration: Iterations is -1":                            func() error { _, err := PowerIteration(ctx, h, PowerConfig{Iterations: -1}); return err },
		"Probes: vector 0: entry 1 is NaN":                            func() error { _, err := Trace(ctx, h, Probes{Vectors: [][]float64{{1, math.NaN(), 1}}}); return err },
		"Probes: Count is -2, must be at least 1":                     func() error { _, err := Trace(ctx, h, Probes{Count: -2}); return err },
		"Probes: Count is 0, must be at least 1": func() error {
			_, err := SpectralDensity(ctx, h, DensityConfig{Probes: Probes{Vectors: [][]float64{}}})
			return err
		},
		"Lanczos: Steps is -1":                   func() error { _, err := Lanczos(ctx, h, LanczosConfig{Steps: -1}); return err },
		"SpectralDensity: Steps is -1":           func() error { _, err := SpectralDensity(ctx, h, DensityConfig{Steps: -1}); return err },
		"SpectralDensity: Points is 1":           func() error { _, err := SpectralDensity(ctx, h, DensityConfig{Points: 1}); return err },
		"Lanczos: the operator is not symmetric": func() error { _, err := Lanczos(ctx, skew, LanczosConfig{}); return err },
		"Trace: no product today":                func() error { _, err := Trace(ctx, broken, Probes{}); return err },
		"step is NaN and theta has 1 entries": func() error {
			_, err := FiniteDifferenceHessian(func(_, _ []float64) error { return nil }, []float64{1}, math.NaN())
			return err
		},
		"entry 0 of theta is +Inf": func() error {
			_, err := FiniteDifferenceHessian(func(_, _ []float64) error { return nil }, []float64{math.Inf(1)}, 0)
			return err
		},
		"the operator has dimension 100000, must be at most 16384": func() error {
			_, err := Operator{Dim: 100000, Apply: h.Apply}.Dense(ctx)
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
	turned := 0
	turns := Operator{Dim: 2, Apply: func(y, x []float64) error {
		copy(y, x)
		if turned++; turned > 2 {
			y[1] = math.NaN()
		}
		return nil
	}}
	out, err := Trace(ctx, turns, Probes{Count: 5})
	if err == nil || !strings.Contains(err.Error(), "entry 1 of a product is NaN") || len(out.Products) != 2 || out.Mean != 2 {
		t.Errorf("NaN at the third product: %+v, %v", out, err)
	}
	if a, err := skew.Asymmetry(1); err != nil || a < 0.1 {
		t.Errorf("asymmetry %g (%v)", a, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for what, f := range map[string]func() error{
		"Trace":           func() error { _, err := Trace(ended, h, Probes{}); return err },
		"Lanczos":         func() error { _, err := Lanczos(ended, h, LanczosConfig{}); return err },
		"PowerIteration":  func() error { _, err := PowerIteration(ended, h, PowerConfig{}); return err },
		"SpectralDensity": func() error { _, err := SpectralDensity(ended, h, DensityConfig{}); return err },
		"Dense":           func() error { _, err := h.Dense(ended); return err },
		"Jacobian":        func() error { _, err := smallNetwork(relu).Jacobian(ended, b); return err },
		"gradients":       func() error { _, err := small().PerExampleGradients(ended, b); return err },
	} {
		if err := f(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: a context that ended gave %v", what, err)
		}
	}
}

// A convolution whose axes are all equally long would be differentiated twice without an error, and wrongly.
func TestHessianOfConvolution(t *testing.T) {
	b := backend.ForTest(t)
	values := func(name string) *tensors.Tensor {
		v := Probes{Gaussian: true, Seed: uint64(len(name))}.vector(0, 81)
		return tensors.FromFlatDataAndDimensions(v, 3, 3, 3, 3)
	}
	l := Landscape{
		Loss: func(p, data []*graph.Node) *graph.Node {
			y := graph.Tanh(graph.Convolve(data[0], p[0]).PadSame().Done())
			return graph.ReduceAllMean(graph.Square(graph.Convolve(y, p[1]).PadSame().Done()))
		},
		Params: scan.Vars{"a": values("a"), "b": values("bb")},
		Data:   []*tensors.Tensor{values("ccc")},
	}
	op, err := l.Hessian(b, ProductConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(op.Note, "a convolution has no derivative of its derivative") {
		t.Errorf("the note is %q", op.Note)
	}
	if a, err := op.Asymmetry(1); err != nil || a > 1e-6 {
		t.Errorf("asymmetry %g (%v)", a, err)
	}
}

// One compiled product serves all weights of a run.
func TestHessiansElsewhere(t *testing.T) {
	b, l := backend.ForTest(t), small()
	theta := Flat(l.Params)
	floats.AddConst(0.1, theta)
	moved, err := Unflat(theta, l.Params)
	if err != nil {
		t.Fatal(err)
	}
	there := l
	there.Params = moved
	want, err := there.Hessian(b, ProductConfig{})
	if err != nil {
		t.Fatal(err)
	}
	n := smallNetwork(graph.Tanh)
	nThere := n
	nThere.Params = moved
	wantGN, err := nThere.GaussNewton(b, ProductConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range []Way{Automatic, Differences} {
		at, err := l.Hessians(b, ProductConfig{Way: way})
		if err != nil {
			t.Fatal(err)
		}
		atGN, err := n.GaussNewtons(b, ProductConfig{Way: way})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			op, err := at(moved)
			if err != nil {
				t.Fatal(err)
			}
			all(t, "Hv elsewhere", product(t, op, smallV), product(t, want, smallV), 1e-7)
			if op, err = atGN(moved); err != nil {
				t.Fatal(err)
			}
			all(t, "Gv elsewhere", product(t, op, smallV), product(t, wantGN, smallV), 1e-7)
			if op, err = at(l.Params); err != nil {
				t.Fatal(err)
			}
			all(t, "Hv", product(t, op, smallV), smallHv, 1e-7)
		}
		for what, bad := range map[string]scan.Vars{
			"there are 1 parameters, must be 2": {"w1": moved["w1"]},
			`parameter "w2" must be there`:      {"w1": moved["w1"], "w3": moved["w2"]},
			`entry 0 of parameter "w2"`:         {"w1": moved["w1"], "w2": tensors.FromValue([][]float64{{math.Inf(1)}, {0}, {0}})},
		} {
			if _, err := at(bad); err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("got %v, want an error that holds %q", err, what)
			}
		}
	}
}
