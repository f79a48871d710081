package nets

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// formulas of the activations and their derivatives, by hand in float64.
var formulas = map[string][2]func(x float64) float64{
	"relu":      {func(x float64) float64 { return max(x, 0) }, func(x float64) float64 { return b2f(x >= 0) }},
	"leakyrelu": {func(x float64) float64 { return max(x, 0.01*x) }, func(x float64) float64 { return 0.01 + 0.99*b2f(x >= 0) }},
	"elu":       {func(x float64) float64 { return max(x, 0) + math.Expm1(min(x, 0)) }, func(x float64) float64 { return math.Exp(min(x, 0)) }},
	"selu": {
		func(x float64) float64 {
			return 1.0507009873554805 * (max(x, 0) + 1.6732632423543772*math.Expm1(min(x, 0)))
		},
		func(x float64) float64 {
			if x > 0 {
				return 1.0507009873554805
			}
			return 1.0507009873554805 * 1.6732632423543772 * math.Exp(x)
		},
	},
	"gelu": {
		func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) },
		func(x float64) float64 {
			return (1+math.Erf(x/math.Sqrt2))/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
		},
	},
	"tanh":     {math.Tanh, func(x float64) float64 { return 1 - math.Tanh(x)*math.Tanh(x) }},
	"sigmoid":  {sigmoid, func(x float64) float64 { return sigmoid(x) * (1 - sigmoid(x)) }},
	"softplus": {func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }, sigmoid},
	"silu":     {func(x float64) float64 { return x * sigmoid(x) }, func(x float64) float64 { return sigmoid(x) * (1 + x*(1-sigmoid(x))) }},
	"identity": {func(x float64) float64 { return x }, func(float64) float64 { return 1 }},
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// Every activation and its gradient, far out too, where an exponential overflows.
func TestActivations(t *testing.T) {
	if len(formulas) != len(activations) {
		t.Errorf("%d formulas for %d activations", len(formulas), len(activations))
	}
	xs := []float64{-800, -20, -3, -1, -0.1, 0, 0.1, 0.5, 2, 20, 800}
	for name, want := range formulas {
		f, err := Activation(strings.ToUpper(name))
		if err != nil {
			t.Fatal(err)
		}
		exec, err := graph.NewExec(backend.ForTest(t), func(x *graph.Node) (y, slope *graph.Node) {
			y = f(x)
			return y, graph.Gradient(graph.ReduceAllSum(y), x)[0]
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(xs)
		if err != nil {
			t.Fatal(err)
		}
		for k, what := range []string{"value", "slope"} {
			for i, got := range tensors.MustCopyFlatData[float64](out[k]) {
				if y := want[k](xs[i]); !(math.Abs(got-y) <= 1e-7*math.Max(1, math.Abs(y))) {
					t.Errorf("%s: %s at %g is %g, want %g", name, what, xs[i], got, y)
				}
			}
		}
	}
	if _, err := Activation("swish"); err == nil || !strings.Contains(err.Error(), "must be one of elu, gelu, identity") {
		t.Errorf("error %v", err)
	}
}

// The loss and its gradient (softmax − one-hot)/batch; large logits do not overflow.
func TestCrossEntropy(t *testing.T) {
	logits := [][]float64{{1, 2, 0.5}, {1000, -1000, 0}, {0, 0, 0}}
	labels := []int32{1, 1, 2}
	exec, err := graph.NewExec(backend.ForTest(t), func(z, y *graph.Node) []*graph.Node {
		loss := CrossEntropy(z, y)
		return []*graph.Node{loss, graph.Gradient(loss, z)[0], Correct(z, y)}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(logits, labels)
	if err != nil {
		t.Fatal(err)
	}
	var loss float64
	var slope []float64
	for i, z := range logits {
		largest, sum := max(z[0], z[1], z[2]), 0.0
		for _, v := range z {
			sum += math.Exp(v - largest)
		}
		loss += (math.Log(sum) + largest - z[labels[i]]) / 3
		for k, v := range z {
			slope = append(slope, (math.Exp(v-largest)/sum-b2f(int(labels[i]) == k))/3)
		}
	}
	near(t, "loss", []float64{out[0].Value().(float64)}, []float64{loss})
	near(t, "gradient", tensors.MustCopyFlatData[float64](out[1]), slope)
	if hits := out[2].Value().(int32); hits != 1 { // the first row; the last ties, and 0 is the first of those
		t.Errorf("%d are correct, want 1", hits)
	}
}

// A network by hand: two layers, with the activation between them only.
func TestMLP(t *testing.T) {
	m, err := MLP("tanh", 4, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	if m.Size() != 4*3+3+3*2+2 || m.Params[0].Path != "layer_0/biases" || m.Params[3].Path != "layer_1/weights" {
		t.Errorf("parameters are %v", m.Params)
	}
	value := func(k, j int) float64 { return math.Sin(float64(7*k + j)) }
	var args []any
	for k, p := range m.Params {
		values := make([]float64, p.size())
		for j := range values {
			values[j] = value(k, j)
		}
		args = append(args, tensors.FromFlatDataAndDimensions(values, p.Shape...))
	}
	x := []float64{0.5, -1, 2, 0.25}
	exec, err := graph.NewExec(backend.ForTest(t), func(in []*graph.Node) *graph.Node { return m.Apply(in[:4], in[4]) })
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(append(args, tensors.FromFlatDataAndDimensions(x, 1, 2, 2, 1))...) // flattened
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	for o := range 2 {
		y := value(2, o)
		for h := range 3 {
			z := value(0, h)
			for i := range x {
				z += x[i] * value(1, 3*i+h)
			}
			y += math.Tanh(z) * value(3, 2*h+o)
		}
		want = append(want, y)
	}
	near(t, "outputs", tensors.MustCopyFlatData[float64](out[0]), want)
}

// First weights have He's deviation, biases are zero, and the seed decides.
func TestInit(t *testing.T) {
	m, err := MLP("relu", 200, 100, 10)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := m.Init(1), m.Init(1), m.Init(2)
	w := tensors.MustCopyFlatData[float32](a["layer_0/weights"])
	var sum, squares float64
	for _, v := range w {
		sum, squares = sum+float64(v), squares+float64(v)*float64(v)
	}
	n := float64(len(w)) // 20 000: the deviation is known to 0.5 %, 5 of which are exceeded with a chance below 1e-6
	if mean, deviation := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 5*0.1/math.Sqrt(n) || math.Abs(deviation/0.1-1) > 0.025 {
		t.Errorf("mean %g and deviation %g, want 0 and 0.1", mean, deviation)
	}
	for path := range a {
		if !a[path].Equal(b[path]) {
			t.Errorf("%q differs by the same seed", path)
		}
		if strings.HasSuffix(path, "biases") != a[path].Equal(c[path]) {
			t.Errorf("%q of seeds 1 and 2: biases must be zero, weights must differ", path)
		}
	}
}

// The convolutions keep height and width, and the pooling takes the largest of each 2×2 block: a picture with one bright
// pixel, kernels of a single tap.
func TestSmallCNN(t *testing.T) {
	m, err := SmallCNN("relu", 28, 28, 1, 10)
	if err != nil || m.Size() != 9098 {
		t.Fatalf("%d parameters (%v), want 9098", m.Size(), err)
	}
	if m, err = SmallCNN("relu", 4, 8, 1, 1); err != nil {
		t.Fatal(err)
	}
	var args []any
	for _, p := range m.Params {
		values := make([]float64, p.size())
		switch p.Path { // a tap right of the centre, channel 0 to 0; the dense layer numbers its inputs
		case "conv_0/weights":
			values[(3*1+2)*8] = 2
		case "conv_1/weights":
			values[(3*1+1)*8*16] = 3
		case "dense/weights":
			for i := range values {
				values[i] = float64(i)
			}
		case "dense/biases":
			values[0] = 0.5
		}
		args = append(args, tensors.FromFlatDataAndDimensions(values, p.Shape...))
	}
	x := make([]float64, 4*8)
	x[2*8+6], x[8+1] = 5, -1 // row 2, column 6: after the tap column 5, pooled 1, 2, pooled 0, 1
	exec, err := graph.NewExec(backend.ForTest(t), func(in []*graph.Node) *graph.Node {
		return m.Apply(in[:len(in)-1], in[len(in)-1])
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(append(args, tensors.FromFlatDataAndDimensions(x, 1, 4, 8, 1))...)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "output", tensors.MustCopyFlatData[float64](out[0]), []float64{5*2*3*16 + 0.5})
}

func TestModelErrors(t *testing.T) {
	for want, call := range map[string]func() error{
		"MLP: widths are [3], must be two or more": func() error { _, err := MLP("relu", 3); return err },
		"MLP: widths are [3 0]":                    func() error { _, err := MLP("relu", 3, 0); return err },
		`activation "step" is unknown`:             func() error { _, err := MLP("step", 3, 1); return err },
		"pictures are 6×8×1 with 2 classes":        func() error { _, err := SmallCNN("relu", 6, 8, 1, 2); return err },
		`activation "" is unknown`:                 func() error { _, err := SmallCNN("", 8, 8, 1, 2); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// Runs of a Fitter: by seed the same, by rate others, in order, evaluated on the test part in pieces.
func TestFitter(t *testing.T) {
	b := backend.ForTest(t)
	m, err := MLP("relu", 4, 16, 3)
	if err != nil {
		t.Fatal(err)
	}
	c := FitConfig{
		Model: m, Optimizer: optim.Adam(1), Train: clouds(300, 1), Test: clouds(2*pieceRows+7, 2), Batch: 32, Epochs: 4,
		Hyper: optim.Hyper{"learning_rate": {0.01}}, Observe: func(s *scan.Step, o optim.Observation) { s.Trace("twice", graph.MulScalar(o.Loss, 2)) },
	}
	f, err := NewFitter(b, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.test.pieces) != 3 || c.EpochSteps() != 9 {
		t.Errorf("%d pieces and epochs of %d steps", len(f.test.pieces), c.EpochSteps())
	}
	ctx := context.Background()
	none := optim.Hyper{"learning_rate": {0}}
	rs, err := f.FitAll(ctx, []Run{{Seed: 1}, {Seed: 1, Hyper: none}, {Seed: 2}, {Seed: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if len(rs[0].Losses) != 36 || rs[0].Losses[35] > rs[0].Losses[0]*0.8 {
		t.Errorf("%d losses, from %g to %g", len(rs[0].Losses), rs[0].Losses[0], rs[0].Losses[len(rs[0].Losses)-1])
	}
	if a, z := rs[0].Accuracy, rs[1].Accuracy; a < 0.75 || z > a-0.1 || rs[3].Accuracy != a || rs[2].Losses[0] == rs[0].Losses[0] {
		t.Errorf("accuracies are %g, at rate 0 %g, once more %g", a, z, rs[3].Accuracy)
	}
	for path, v := range m.Init(1) {
		if !v.Equal(rs[1].Params[path]) {
			t.Errorf("%q moved at rate 0", path)
		}
	}
	if twice := tensors.MustCopyFlatData[float32](rs[0].Traces["twice"]); float64(twice[3]) != 2*rs[0].Losses[3] {
		t.Errorf("observed %g, want %g", twice[3], 2*rs[0].Losses[3])
	}
	// The accuracy in pieces is that of a program by hand on all rows.
	exec, err := graph.NewExec(b, func(in []*graph.Node) *graph.Node {
		return Correct(m.Apply(in[:4], in[4]), in[5])
	})
	if err != nil {
		t.Fatal(err)
	}
	var args []any
	for _, p := range m.Params {
		args = append(args, rs[0].Params[p.Path])
	}
	out, err := exec.Call(append(args, c.Test.Features(), c.Test.LabelTensor())...)
	if err != nil {
		t.Fatal(err)
	}
	if hits := int(out[0].Value().(int32)); rs[0].Accuracy != float64(hits)/float64(c.Test.Rows()) {
		t.Errorf("the accuracy is %g, want %d of %d", rs[0].Accuracy, hits, c.Test.Rows())
	}

	ended, cancel := context.WithCancel(ctx)
	cancel()
	if r, err := f.Fit(ended, nil, 0); !errors.Is(err, context.Canceled) || r == nil || !strings.Contains(err.Error(), "after 0 of 36 steps") {
		t.Errorf("an ended context gives %v", err)
	}
	if r, err := f.Fit(ctx, optim.Hyper{"learning_rate": {1e30}}, 0); !errors.Is(err, scan.ErrNonFinite) || r == nil || len(r.Losses) == 0 {
		t.Errorf("an absurd rate gives %v", err)
	}
	if _, err := f.FitAll(ctx, []Run{{}, {Hyper: optim.Hyper{"beta": {1}}}}); err == nil || !strings.Contains(err.Error(), `"beta" was not given`) {
		t.Errorf("an unknown hyper-parameter gives %v", err)
	}
}

// A run that is looked at after each epoch is the run that is not, and ends where the one who looks says so.
func TestEachEpoch(t *testing.T) {
	m, err := MLP("relu", 4, 16, 3)
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	c := FitConfig{
		Model: m, Optimizer: optim.Momentum(0.05, 0.9), Train: clouds(300, 1), Test: clouds(100, 2), Batch: 32, Steps: 31,
		Progress: func(n, total int) {
			if n < done || total != 31 {
				t.Errorf("progress of %d of %d after %d", n, total, done)
			}
			done = n
		},
	}
	fit := func() (*FitResult, error) {
		t.Helper()
		done = 0
		f, err := NewFitter(backend.ForTest(t), c)
		if err != nil {
			t.Fatal(err)
		}
		return f.Fit(t.Context(), nil, 5)
	}
	want, err := fit()
	if err != nil {
		t.Fatal(err)
	}
	var steps []int
	enough := errors.New("enough")
	last := 4
	c.EachEpoch = func(run Run, epoch int, r *FitResult) error {
		steps = append(steps, len(r.Losses))
		if epoch != len(steps) || run.Seed != 5 || r.Accuracy == 0 {
			t.Errorf("epoch %d of %v has accuracy %g", epoch, run, r.Accuracy)
		}
		if epoch == last {
			return enough
		}
		return nil
	}
	got, err := fit()
	if !errors.Is(err, enough) || !slices.Equal(steps, []int{9, 18, 27, 31}) || done != 31 {
		t.Errorf("looked after %v steps, %v", steps, err)
	}
	if !floats.EqualApprox(got.Losses, want.Losses, 1e-6) || got.Accuracy != want.Accuracy {
		t.Errorf("looked at, the losses are %v, else %v", got.Losses, want.Losses)
	}
	steps, last = nil, 2
	if r, err := fit(); !errors.Is(err, enough) || len(r.Losses) != 18 {
		t.Errorf("ended after %d steps, %v", len(r.Losses), err)
	}

	// What ends a run in a later epoch ends it there.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Progress, c.EachEpoch = nil, func(_ Run, epoch int, _ *FitResult) error {
		if epoch == 2 {
			cancel()
		}
		return nil
	}
	f, err := NewFitter(backend.ForTest(t), c)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := f.Fit(ctx, nil, 5); !errors.Is(err, context.Canceled) || len(r.Losses) != 18 {
		t.Errorf("a context that ends gives %d steps, %v", len(r.Losses), err)
	}
	c.EachEpoch = func(_ Run, epoch int, _ *FitResult) error {
		if epoch > 1 {
			t.Errorf("epoch %d is told after the loss was no longer finite", epoch)
		}
		return nil
	}
	late := optim.Joined{Parts: []optim.Schedule{optim.Constant{By: 0.05}, optim.Constant{By: 1e30}}, Ends: []int64{14}}
	c.Optimizer = optim.Chain{optim.ScaleByLearningRate{Rate: 1, Schedule: late}}
	if f, err = NewFitter(backend.ForTest(t), c); err != nil {
		t.Fatal(err)
	}
	if r, err := f.Fit(t.Context(), nil, 5); !errors.Is(err, scan.ErrNonFinite) || len(r.Losses) < 14 || len(r.Losses) > 17 {
		t.Errorf("a rate that explodes gives %d losses, %v", len(r.Losses), err)
	}
}

func TestFitErrors(t *testing.T) {
	_, err := NewFitter(nil, FitConfig{Steps: -1, Epochs: -1, Test: &data.Dataset{}})
	if err == nil {
		t.Fatal("an empty configuration is accepted")
	}
	for _, want := range []string{"Model is empty", "Optimizer is nil", "Train must hold labelled examples", "Steps is -1 and Epochs -1", "Test must hold"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := NewFitter(nil, FitConfig{Train: clouds(10, 1), Batch: 11}); err == nil || !strings.Contains(err.Error(), "Batch is 11, must be between 1 and 10") {
		t.Errorf("error %v", err)
	}
	if n := (FitConfig{}).EpochSteps(); n != 0 {
		t.Errorf("an epoch of nothing has %d steps", n)
	}
}
