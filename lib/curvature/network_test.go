package curvature

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

func smallJacobian(t *testing.T) *Jacobian {
	t.Helper()
	j, err := smallNetwork(graph.Tanh).Jacobian(context.Background(), backend.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestGaussNewton(t *testing.T) {
	b, n := backend.ForTest(t), smallNetwork(graph.Tanh)
	op, err := n.GaussNewton(b, ProductConfig{Way: Autodiff})
	if err != nil {
		t.Fatal(err)
	}
	g := dense(t, op)
	s := spectrum(t, g)
	want := []float64{0.8219352163, 0.2735366819, 0.001202381, 0.0003863349, 0, 0, 0, 0, 0}
	all(t, "eigenvalue", s.Eigenvalues, want, 1e-10)
	within(t, "trace", s.Trace, 1.0970606141261865, 1e-14)
	within(t, "Frobenius norm", s.Frobenius, 0.8662571275746096, 1e-14)

	j := smallJacobian(t)
	all(t, "output", j.Values, []float64{0.4042433351, 0.3369237539, -0.4071042339, -0.170982875}, 1e-10)
	if r, c := j.Rows.Dims(); r != 4 || c != 9 || j.Examples != 4 || j.Outputs != 1 {
		t.Fatalf("the Jacobian is %d×%d for %d examples of %d outputs", r, c, j.Examples, j.Outputs)
	}
	k := spectrum(t, j.Kernel())
	all(t, "the kernel's eigenvalue", k.Eigenvalues, want[:4], 1e-10)
	within(t, "the kernel's trace", k.Trace, s.Trace, 1e-14)
	within(t, "the kernel's Frobenius norm", k.Frobenius, s.Frobenius, 1e-14)

	n.Loss = nil // half the square by default
	for what, c := range map[string]ProductConfig{"default loss": {}, "differences": {Way: Differences}} {
		other, err := n.GaussNewton(b, c)
		if err != nil {
			t.Fatal(err)
		}
		all(t, what, product(t, other, smallV), product(t, op, smallV), 1e-7)
		all(t, what+" of zero", product(t, other, make([]float64, 9)), make([]float64, 9), 0)
	}
}

// classifier is logits of three classes, shaped [examples, 3], with cross-entropy.
func classifier() Network {
	return Network{
		Outputs: func(p, data []*graph.Node) *graph.Node {
			return graph.MatMul(graph.Tanh(graph.MatMul(data[0], p[0])), p[1])
		},
		Loss: func(z *graph.Node, data []*graph.Node) *graph.Node {
			return graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(data[1], graph.LogSoftmax(z)), -1)))
		},
		Params: scan.Vars{
			"w1": tensors.FromValue([][]float64{{.3, -.2, .5}, {.1, .4, -.6}}),
			"w2": tensors.FromValue([][]float64{{.7, .1, -.3}, {-.5, .2, .6}, {.2, -.9, .4}}),
		},
		Data: []*tensors.Tensor{
			tensors.FromValue([][]float64{{.5, -1}, {1, .25}, {-.75, .5}, {.1, .9}}),
			tensors.FromValue([][]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 1, 0}}),
		},
	}
}

// For cross-entropy G is (1/n) Σ Jᵀ(diag(p) − ppᵀ)J, put together here from the Jacobian.
func TestGaussNewtonOfCrossEntropy(t *testing.T) {
	b, n := backend.ForTest(t), classifier()
	op, err := n.GaussNewton(b, ProductConfig{})
	if err != nil || op.Note != "" {
		t.Fatal(op.Note, err)
	}
	j, err := n.Jacobian(context.Background(), b)
	if err != nil || j.Outputs != 3 {
		t.Fatal(err)
	}
	want := mat.NewDense(op.Dim, op.Dim, nil)
	for i := range j.Examples {
		z := j.Values[3*i : 3*i+3]
		p := make([]float64, 3)
		total := floats.LogSumExp(z)
		a := mat.NewDense(3, 3, nil)
		for k := range p {
			p[k] = math.Exp(z[k] - total)
		}
		for k := range p {
			for l := range p {
				a.Set(k, l, -p[k]*p[l])
			}
			a.Set(k, k, p[k]-p[k]*p[k])
		}
		rows := j.Rows.Slice(3*i, 3*i+3, 0, op.Dim)
		var part mat.Dense
		part.Product(rows.T(), a, rows)
		part.Scale(0.25, &part)
		want.Add(want, &part)
	}
	g := dense(t, op)
	for i := range op.Dim {
		for k := range op.Dim {
			within(t, "entry of G", g.At(i, k), want.At(i, k), 1e-14)
		}
	}
	// And the Hessian's symmetric, with another matrix.
	h, err := n.Landscape().Hessian(b, ProductConfig{Way: Autodiff})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := h.Asymmetry(3); err != nil || a > 1e-14 {
		t.Errorf("asymmetry %g (%v)", a, err)
	}
}

func smallNoise(t *testing.T) *GradientNoise {
	t.Helper()
	g, err := small().PerExampleGradients(context.Background(), backend.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewGradientNoise(g)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestGradientNoise(t *testing.T) {
	ctx, n := context.Background(), smallNoise(t)
	all(t, "gradient", n.Gradient, smallG, 1e-10)
	within(t, "tr S", n.TraceS.Mean, 0.7733547624628428, 1e-14)
	within(t, "tr C", n.TraceC.Mean, 0.5997132529274112, 1e-14)
	within(t, "n − 1 form", n.TraceC.Mean*4/3, 0.7996176705698815, 1e-14)
	within(t, "tr S − tr C", n.TraceS.Mean-n.TraceC.Mean, n.Squared, 1e-14)
	s, err := n.Spectrum()
	if err != nil {
		t.Fatal(err)
	}
	all(t, "eigenvalue of C", s.Eigenvalues[:3], []float64{0.4590630496, 0.1404869872, 0.0001632161}, 1e-10)
	within(t, "fourth", s.Eigenvalues[3], 0, 1e-14)
	r := ritz(t, n.Covariance(), LanczosConfig{})
	within(t, "largest by Lanczos", r.Values[len(r.Values)-1], 0.4590630496, 1e-10)
	within(t, "trace of S", mat.Trace(dense(t, n.SecondMoment())), n.TraceS.Mean, 1e-14)
	along, err := n.Along(ctx, smallHessian(t), smallFrobenius)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "tr(CH)", along.TraceCH.Mean, 0.454906536705, 1e-12)
	within(t, "tr(SH)", along.TraceSH.Mean, 0.5676969778919471, 1e-13)
	within(t, "cosine", along.Cosine, 0.454906536705/(s.Frobenius*smallFrobenius), 1e-12)
	itself, err := n.Along(ctx, n.Covariance(), s.Frobenius)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "C's cosine with itself", itself.Cosine, 1, 1e-12)

	j := smallJacobian(t)
	residuals := make([]float64, 4)
	floats.SubTo(residuals, j.Values, numbers(small().Data[1]))
	mu1, mu2, err := NoiseAlignment(residuals, j.Rows)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "μ1", mu1, 0.9416803035829742, 1e-14)
	within(t, "μ2", mu2, 0.8164840676633508, 1e-14)
}

// Claim K8: the covariance of batches by drawing them, and from the lengths of two sizes. The variance of a squared length's
// mean over 20 000 batches is below 1 %, so that 5 % are more than five deviations.
func TestBatchNoise(t *testing.T) {
	n := smallNoise(t)
	rng := online.Seeded(1, "batches")
	const draws = 20_000
	lengths := map[int][]float64{}
	for _, batch := range []int{1, 2, 3, 4} {
		for _, replacement := range []bool{true, false} {
			sum := 0.0
			g := make([]float64, 9)
			for range draws {
				clear(g)
				order := rng.Perm(4)
				for k := range batch {
					i := order[k]
					if replacement {
						i = rng.IntN(4)
					}
					floats.AddScaled(g, 1/float64(batch), n.gradients.RawRowView(i))
				}
				if replacement {
					lengths[batch] = append(lengths[batch], floats.Dot(g, g))
				}
				off := floats.Distance(g, n.Gradient, 2)
				sum += off * off / draws
			}
			want, err := BatchNoise(n.TraceC.Mean, 4, batch, replacement)
			if err != nil {
				t.Fatal(err)
			}
			within(t, "covariance's trace", sum, want, 0.05*want+1e-14)
		}
	}
	for _, c := range []struct {
		batch       int
		replacement bool
		want        float64
	}{{2, true, 0.299856626464}, {2, false, 0.199904417642}, {4, true, 0.149928313232}, {4, false, 0}} {
		got, err := BatchNoise(n.TraceC.Mean, 4, c.batch, c.replacement)
		if err != nil {
			t.Fatal(err)
		}
		within(t, "batch noise", got, c.want, 1e-12)
	}
	traceC, squared, err := NoiseFromTwoBatches(1, lengths[1], 4, lengths[4])
	if err != nil {
		t.Fatal(err)
	}
	within(t, "tr C from two sizes", traceC.Mean, n.TraceC.Mean, 5*traceC.StdErr)
	within(t, "‖g‖² from two sizes", squared.Mean, n.Squared, 5*squared.StdErr)
	if traceC.StdErr > 0.05 {
		t.Errorf("the error is %g", traceC.StdErr)
	}
}

func TestNoiseErrors(t *testing.T) {
	ctx, b := context.Background(), backend.ForTest(t)
	n := smallNoise(t)
	sum := small()
	of := sum.Loss
	sum.Loss = func(p, data []*graph.Node) *graph.Node {
		return graph.MulScalar(of(p, data), float64(data[0].Shape().Dim(0)))
	}
	bare := small()
	bare.Data = nil
	uneven := small()
	uneven.Data = []*tensors.Tensor{uneven.Data[0], tensors.FromValue([][]float64{{1}})}
	missing := small()
	missing.Data = []*tensors.Tensor{uneven.Data[0], nil}
	rows := mat.NewDense(2, 2, []float64{1, 2, 3, 4})
	for want, f := range map[string]func() error{
		"the loss must be a mean over the examples": func() error { _, err := sum.PerExampleGradients(ctx, b); return err },
		"there are no examples in Data": func() error {
			_, _, err := perExample(b, "test", bare.Params, nil, nil)
			return err
		},
		"Data[1] must have a first axis": func() error {
			_, _, err := perExample(b, "test", uneven.Params, uneven.Data, nil)
			return err
		},
		"Data[1] is nil":         func() error { _, err := missing.PerExampleGradients(ctx, b); return err },
		"there are no gradients": func() error { _, err := NewGradientNoise(&mat.Dense{}); return err },
		"entry 1 of gradient 0 is NaN": func() error {
			_, err := NewGradientNoise(mat.NewDense(1, 2, []float64{0, math.NaN()}))
			return err
		},
		"the operator has dimension 2": func() error {
			_, err := n.Along(ctx, DenseOperator(mat.NewDiagDense(2, nil)), 0)
			return err
		},
		"there are 1 residuals, must be as many as gradients, 2": func() error { _, _, err := NoiseAlignment([]float64{1}, rows); return err },
		"the loss is 0":                       func() error { _, _, err := NoiseAlignment([]float64{0, 0}, rows); return err },
		"NoiseAlignment: there are no":        func() error { _, _, err := NoiseAlignment(nil, nil); return err },
		"the batch 5; must":                   func() error { _, err := BatchNoise(1, 4, 5, false); return err },
		"tr C is NaN":                         func() error { _, err := BatchNoise(math.NaN(), 4, 5, true); return err },
		"the batches are 2 and 2":             func() error { _, _, err := NoiseFromTwoBatches(2, nil, 2, nil); return err },
		"there are 0 and 1 squared lengths":   func() error { _, _, err := NoiseFromTwoBatches(1, nil, 2, []float64{1}); return err },
		"entry (1, 0) is NaN, must be finite": func() error { _, err := SpectrumOf(mat.NewSymDense(2, []float64{1, math.NaN(), 0, 1})); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
	if got, err := BatchNoise(1, 1, 1, false); err != nil || got != 0 {
		t.Errorf("the whole of one example has noise %g (%v)", got, err)
	}
}
