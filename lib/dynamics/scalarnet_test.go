package dynamics

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
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// smallDiagonal and smallReLU are nets whose numbers are known from numpy.
func smallDiagonal() (DiagonalLinearNet, *mat.Dense, []float64) {
	return DiagonalLinearNet{[]float64{1, -2, 0.5}, []float64{0.5, 1, -1}}, mat.NewDense(2, 3, []float64{1, 0, 0.5, -0.5, 1, 1}), []float64{1, 0}
}

func smallReLU() (TwoLayerReLU, *mat.Dense) {
	return TwoLayerReLU{[]float64{1, -0.5}, mat.NewDense(2, 2, []float64{0.6, -0.8, 1, 2})}, mat.NewDense(3, 2, []float64{1, 1, 1, -1, -1, 0.5})
}

func jacobian(t *testing.T, net ScalarNet, x *mat.Dense) *curvature.Jacobian {
	t.Helper()
	j, err := ScalarJacobian(net, x)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func sharpness(t *testing.T, net ScalarNet, x *mat.Dense, y []float64) SharpnessReport {
	t.Helper()
	s, err := SharpnessOf(net, x, y)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func vector(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) || !floats.EqualApprox(got, want, tolerance) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

func TestDiagonalLinearNet(t *testing.T) {
	net, x, y := smallDiagonal()
	vector(t, "f", jacobian(t, net, x).Values, []float64{0.25, -2.75}, 1e-15)
	s := sharpness(t, net, x, y)
	near(t, "tr G", s.Trace, 4.0625, 1e-12)
	near(t, "λ_max", s.Top, 3.28125, 1e-12)
	near(t, "‖G‖_F", s.Frobenius, 3.3729739288942, 1e-12)
	near(t, "‖β‖₁", net.L1Norm(), 3, 1e-15)
	balance, err := net.Balance()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the balance", balance, 1.25, 1e-15)

	// Three steps of batch 1, on points 0, 1, 0.
	sgd := SquareLossSGD{Rate: 0.1}.complete(2)
	gradient, scratch := make([]float64, 6), make([]float64, 6)
	for k, want := range []struct {
		point int
		a, b  []float64
		loss  float64
	}{
		{0, []float64{1.0375, -2, 0.4625}, []float64{0.575, 1, -0.98125}, 1.9928622760772703},
		{1, []float64{0.958376855469, -1.7247890625, 0.192449267578}, []float64{0.432234326172, 0.449578125, -0.853964941406}, 0.440373806123775},
		{0, []float64{0.987247043458, -1.7247890625, 0.163929866293}, []float64{0.496247104211, 0.449578125, -0.847537818204}, 0.41997722795372455},
	} {
		if clipped, ok := sgd.step(net, x, y, []int{want.point}, gradient, scratch); clipped || !ok {
			t.Fatalf("step %d: clipped %t, ok %t", k+1, clipped, ok)
		}
		vector(t, "a", net.A, want.a, 1e-12)
		vector(t, "b", net.B, want.b, 1e-12)
		loss, err := SquareLoss(net, x, y)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "the loss", loss, want.loss, 1e-14)
	}
}

func TestTwoLayerReLU(t *testing.T) {
	net, x := smallReLU()
	vector(t, "f", jacobian(t, net, x).Values, []float64{-1.5, 1.4, 0}, 1e-15)
	kernel, err := net.Kernel(x)
	if err != nil {
		t.Fatal(err)
	}
	if want := mat.NewDiagDense(3, []float64{19. / 6, 1.32, 0}); !mat.EqualApprox(kernel, want, 1e-12) {
		t.Errorf("the kernel is\n%v", mat.Formatted(kernel))
	}
	s := sharpness(t, net, x, []float64{0, 0, 0})
	near(t, "tr G", s.Trace, 4.4866667, 1e-7)
	near(t, "λ_max", s.Top, 3.1666667, 1e-7)
	near(t, "‖G‖_F", s.Frobenius, 3.4307693, 1e-7)
	near(t, "the path norm", net.PathNorm(), 2.118033989, 1e-9)
	w := net.W.RawMatrix().Data
	near(t, "½(‖W‖² + d‖a‖²)", (floats.Dot(w, w)+2*floats.Dot(net.A, net.A))/2, 4.25, 1e-12)
}

// drawn are nets and points at random, a ReLU net among them with a neuron that is off everywhere.
func drawn(t *testing.T, seed uint64) map[string]StabilityTrial {
	t.Helper()
	linear, err1 := SparseLinearProblem{N: 7, D: 5, Test: 10}.Trial(seed, SquareLossSGD{})
	relu, err2 := ReLUTeacherProblem{N: 7, D: 5, M: 6, K: 2, Test: 10}.Trial(seed, SquareLossSGD{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	clear(relu.Net.(TwoLayerReLU).W.RawRowView(2)) // w·x = 0: the derivative is 0
	return map[string]StabilityTrial{"diagonal": linear, "ReLU": relu}
}

// The closed kernel is that of the gradients.
func TestKernelIsTheJacobians(t *testing.T) {
	for seed := range uint64(20) {
		for name, trial := range drawn(t, seed) {
			kernel, err := trial.Net.Kernel(trial.X)
			if err != nil {
				t.Fatal(err)
			}
			if !mat.EqualApprox(kernel, jacobian(t, trial.Net, trial.X).Kernel(), 1e-12) {
				t.Errorf("%s: the kernel is not JJᵀ/n", name)
			}
		}
	}
}

// Outputs and gradients are those of GoMLX's differentiation. Off the kink: GoMLX's slope there is another.
func TestGradientsByAutodiff(t *testing.T) {
	b := backend.ForTest(t)
	for name, trial := range drawn(t, 3) {
		n, d := trial.X.Dims()
		blocks := trial.Net.Blocks()
		network := curvature.Network{
			Params: scan.Vars{"1": tensors.FromFlatDataAndDimensions(blocks[0], len(blocks[0])), "2": tensors.FromFlatDataAndDimensions(blocks[1], len(blocks[1])/d, d)},
			Data:   []*tensors.Tensor{tensors.FromFlatDataAndDimensions(trial.X.RawMatrix().Data, n, d)},
			Outputs: func(p, data []*graph.Node) *graph.Node {
				return graph.Einsum("bd,d->b", data[0], graph.Mul(p[0], graph.Reshape(p[1], d)))
			},
		}
		if name == "ReLU" {
			network.Outputs = func(p, data []*graph.Node) *graph.Node {
				inner := graph.Einsum("bd,md->bm", data[0], p[1])
				active := graph.ConvertDType(graph.GreaterThan(inner, graph.ZerosLike(inner)), inner.DType())
				return graph.Einsum("bm,m->b", graph.Mul(inner, graph.StopGradient(active)), p[0])
			}
		}
		want, err := network.Jacobian(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		got := jacobian(t, trial.Net, trial.X)
		if !mat.EqualApprox(got.Rows, want.Rows, 1e-12) {
			t.Errorf("%s: the gradients are\n%.4g\nby differentiation\n%.4g", name, mat.Formatted(got.Rows), mat.Formatted(want.Rows))
		}
		vector(t, name+": f", got.Values, want.Values, 1e-12)
	}
}

// The norms' inequalities: tr G ≥ 2 min mean(x²)‖β‖₁ always, and E‖∇f‖² = ½Σ(‖w‖² + d·a²) ≥ √d·path norm over the sphere.
func TestTraceBoundsNorms(t *testing.T) {
	for seed := range uint64(200) {
		trial, err := SparseLinearProblem{N: 10, D: 6, Test: 1, Balance: 1 + float64(seed%5)}.Trial(seed, SquareLossSGD{})
		if err != nil {
			t.Fatal(err)
		}
		net, least := trial.Net.(DiagonalLinearNet), math.Inf(1)
		for k := range 6 {
			column := mat.Col(nil, k, trial.X)
			least = math.Min(least, floats.Dot(column, column)/10)
		}
		if s := sharpness(t, net, trial.X, trial.Y); s.Trace < 2*least*net.L1Norm()*(1-1e-12) {
			t.Errorf("tr G is %g, 2 min mean(x²)‖β‖₁ %g", s.Trace, 2*least*net.L1Norm())
		}
		balance, err := net.Balance()
		if err != nil {
			t.Fatal(err)
		}
		near(t, "the balance of first weights", balance, 1+float64(seed%5), 1e-12)
	}
	const d, n = 10, 20000
	net, err1 := NormalTwoLayerReLU(d, 15, online.Seeded(1, "net"))
	x, err2 := SphereInputs(n, d, online.Seeded(1, "points"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	g := make([]float64, parameters(net))
	mean, squares := 0.0, 0.0
	for i := range n {
		near(t, "‖x‖", floats.Norm(x.RawRowView(i), 2), math.Sqrt(d), 1e-12)
		net.Gradient(g, x.RawRowView(i))
		v := floats.Dot(g, g)
		mean, squares = mean+v/n, squares+v*v/n
	}
	w := net.W.RawMatrix().Data
	want := (floats.Dot(w, w) + d*floats.Dot(net.A, net.A)) / 2
	if off := math.Abs(mean - want); off > 4.9*math.Sqrt((squares-mean*mean)/n) { // a false alarm in 10⁶
		t.Errorf("E‖∇f‖² is %g, by the norms %g", mean, want)
	}
	if want < math.Sqrt(d)*net.PathNorm() {
		t.Errorf("½Σ(‖w‖² + d·a²) is %g, √d·path norm %g", want, math.Sqrt(d)*net.PathNorm())
	}
}

func runSGD(t *testing.T, s SquareLossSGD, trial StabilityTrial) SquareLossRun {
	t.Helper()
	run, err := s.Run(t.Context(), trial.Net, trial.X, trial.Y)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// Gradient descent is what the batch of all examples is, with their order of no matter but rounding.
func TestDescentIsTheFullBatch(t *testing.T) {
	for name := range drawn(t, 1) {
		one, two := drawn(t, 1)[name], drawn(t, 1)[name]
		runSGD(t, SquareLossSGD{Rate: 0.05, Steps: 50}, one)
		runSGD(t, SquareLossSGD{Rate: 0.05, Steps: 50, Batch: 7, Seed: 4}, two)
		for k, block := range one.Net.Blocks() {
			vector(t, name, two.Net.Blocks()[k], block, 1e-12)
		}
	}
}

// With all flows small, gradient descent keeps a² − b² of a diagonal net.
func TestDescentKeepsTheImbalance(t *testing.T) {
	trial := drawn(t, 2)["diagonal"]
	net := trial.Net.(DiagonalLinearNet)
	imbalance := func() (out []float64) {
		for k, a := range net.A {
			out = append(out, a*a-net.B[k]*net.B[k])
		}
		return out
	}
	before, first := imbalance(), sharpness(t, net, trial.X, trial.Y).Loss
	runSGD(t, SquareLossSGD{Rate: 1e-3, Steps: 20000}, trial)
	if last := sharpness(t, net, trial.X, trial.Y).Loss; last > first/100 {
		t.Errorf("the loss is %g of %g", last, first)
	}
	vector(t, "a² − b²", imbalance(), before, 1e-2)
}

// Batches without replacement hold no example twice and every example as often; a false alarm in 10⁶.
func TestBatches(t *testing.T) {
	for _, replacement := range []bool{true, false} {
		const n, size, draws = 6, 4, 30000
		draw := SquareLossSGD{Batch: size, Replacement: replacement, Seed: 5}.batches(n)
		counts, repeats := make([]float64, n), 0
		for range draws {
			batch := slices.Clone(draw())
			for _, i := range batch {
				counts[i]++
			}
			slices.Sort(batch)
			if len(batch) != size {
				t.Fatalf("a batch has %d examples", len(batch))
			}
			if len(slices.Compact(batch)) < size {
				repeats++
			}
		}
		if replacement == (repeats == 0) {
			t.Errorf("replacement %t: %d batches with repeats", replacement, repeats)
		}
		for i, c := range counts {
			if mean := draws * size / float64(n); math.Abs(c-mean) > 5.3*math.Sqrt(mean) {
				t.Errorf("replacement %t: example %d came %g times, %g expected", replacement, i, c, mean)
			}
		}
	}
}

// The same seed gives the same run, whatever else runs and in what order.
func TestTrialsAreDeterministic(t *testing.T) {
	make4 := func(seeds ...uint64) (trials []StabilityTrial) {
		for _, seed := range seeds {
			for _, name := range []string{"diagonal", "ReLU"} {
				trial := drawn(t, seed)[name]
				trial.SGD = SquareLossSGD{Rate: 0.02, Batch: 2, Steps: 300, Seed: seed, Clip: 5}
				trials = append(trials, trial)
			}
		}
		return trials
	}
	done := 0
	one, err1 := RunStabilityTrials(t.Context(), make4(1, 2), func(int, int) {})
	two, err2 := RunStabilityTrials(t.Context(), make4(2, 1), nil)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for k := range one {
		a, b := one[k], two[(k+2)%4]
		if a.Sharpness != b.Sharpness || a.TestLoss != b.TestLoss || a.Run.LastClipped != b.Run.LastClipped {
			t.Errorf("trial %d: %+v and %+v", k, a, b)
		}
		if a.Sharpness.Loss > 0 && a.TestLoss > 0 {
			done++
		}
	}
	if done != 4 {
		t.Errorf("%d of 4 trials have losses", done)
	}
	if other := make4(1)[0]; runSGD(t, SquareLossSGD{Rate: 0.02, Batch: 2, Steps: 300, Seed: 9, Clip: 5}, other).How == StepLimit {
		if sharpness(t, other.Net, other.X, other.Y).Loss == one[0].Sharpness.Loss {
			t.Error("another seed gives the same run")
		}
	}
}

// How runs end: at once, in time, not at all, or beyond all bounds.
func TestSquareLossEnds(t *testing.T) {
	trial := drawn(t, 1)["diagonal"]
	if run := runSGD(t, SquareLossSGD{Rate: 0.1}, trial); run.End != (End{}) {
		t.Errorf("a run of no steps: %v", run.End)
	}
	run := runSGD(t, SquareLossSGD{Rate: 0.02, Batch: 1, Steps: 5, Every: 2, Clip: 1e-3}, trial)
	if run.How != StepLimit || run.Step != 5 || run.LastClipped != 5 || len(run.Record) != 3 || run.Record[2].Step != 4 || run.Record[0].Trace == run.Record[2].Trace {
		t.Errorf("five clipped steps: %+v", run)
	}
	if run = runSGD(t, SquareLossSGD{Rate: 0.1, Steps: 100000, Tolerance: 1e-12}, trial); run.How != Fitted || run.LastClipped != 0 {
		t.Errorf("gradient descent: %+v", run)
	}
	if run = runSGD(t, SquareLossSGD{Rate: 0.1, Steps: 100}, trial); run.End != (End{Fitted, 0}) {
		t.Errorf("from a minimum: %v", run.End)
	}
	trial = drawn(t, 1)["diagonal"]
	if run = runSGD(t, SquareLossSGD{Rate: 50, Steps: 1000}, trial); run.How != Diverged || run.Step < 1 || run.Step > 100 {
		t.Errorf("with a large rate: %v", run.End)
	}
	if err := trial.Net.Validate(5); err != nil {
		t.Errorf("after a run that diverged: %v", err)
	}
	trial = drawn(t, 1)["diagonal"]
	trial.SGD = SquareLossSGD{Rate: 50, Steps: 1000, Limit: math.Inf(1)}
	out, err := RunStabilityTrials(t.Context(), []StabilityTrial{trial}, nil)
	if err != nil || out[0].Run.How != Diverged || out[0].Sharpness != (SharpnessReport{}) {
		t.Errorf("without a limit: %+v, %v", out, err)
	}
	if err := trial.Net.Validate(5); err != nil {
		t.Errorf("after a run without a limit: %v", err)
	}
	zero := DiagonalLinearNet{make([]float64, 5), make([]float64, 5)} // a saddle: the gradient is 0
	if run, err := (SquareLossSGD{Rate: 0.1, Batch: 1, Steps: 10, Clip: 1}).Run(t.Context(), zero, trial.X, trial.Y); err != nil || run.How != StepLimit || run.LastClipped != 0 {
		t.Errorf("from a saddle: %+v, %v", run, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (SquareLossSGD{Rate: 0.1, Steps: 10}).Run(ended, drawn(t, 1)["ReLU"].Net, trial.X, trial.Y); !errors.Is(err, context.Canceled) {
		t.Errorf("of an ended context: %v", err)
	}
	if _, err := RunStabilityTrials(ended, []StabilityTrial{trial}, nil); err == nil {
		t.Error("trials of an ended context have no error")
	}
}

func TestScalarNetErrors(t *testing.T) {
	net, x, y := smallDiagonal()
	relu, points := smallReLU()
	nan := math.NaN()
	var view mat.Dense
	view.CloneFrom(mat.NewDense(2, 3, []float64{1, 2, 3, 4, 5, 6}))
	rng := online.Seeded(1, "errors")
	second := func(_ any, err error) error { return err }
	run := func(s SquareLossSGD) error { return second(s.Run(t.Context(), net, x, y)) }
	third := func(_, _ any, err error) error { return err }
	for want, err := range map[string]error{
		"Rate is 0":   run(SquareLossSGD{}),
		"Rate is NaN": run(SquareLossSGD{Rate: nan}),
		"Rate is -1":  run(SquareLossSGD{Rate: -1}),
		"Batch is 3, must be at least 0, and without": run(SquareLossSGD{Rate: 1, Batch: 3}),
		"Batch is -1":                           run(SquareLossSGD{Rate: 1, Batch: -1}),
		"Clip is -1":                            run(SquareLossSGD{Rate: 1, Clip: -1}),
		"Steps is -1":                           run(SquareLossSGD{Rate: 1, Steps: -1}),
		"Tolerance is NaN":                      run(SquareLossSGD{Rate: 1, Tolerance: nan}),
		"Check is -1":                           run(SquareLossSGD{Rate: 1, Check: -1}),
		"Limit is NaN":                          run(SquareLossSGD{Rate: 1, Limit: nan}),
		"Every is -1":                           run(SquareLossSGD{Rate: 1, Every: -1}),
		"y has 1 values":                        second(SquareLoss(net, x, y[:1])),
		"y[1] is NaN":                           second(SharpnessOf(net, x, []float64{1, nan})),
		"must not be nil or empty":              second(SquareLoss(net, nil, y)),
		"SquareLoss: the net and x":             second(SquareLoss(nil, x, y)),
		"row 0 of x sums to NaN":                second(ScalarJacobian(net, mat.NewDense(1, 3, []float64{1, nan, 0}))),
		"A and B have 3 and 3 values":           second(net.Kernel(points)),
		"A and B have 0 and 0 values":           second(ScalarJacobian(DiagonalLinearNet{}, x)),
		"DiagonalLinearNet: a parameter is NaN": second(net2(nan, 1).Balance()),
		"‖a ⊙ b‖₁ is 0":                         second(net2(0, 1).Balance()),
		"W is 2×2":                              second(relu.Kernel(x)),
		"W is empty":                            second(ScalarJacobian(TwoLayerReLU{}, x)),
		"W is 2×2, must have as many rows as these, t": TwoLayerReLU{relu.A, view.Slice(0, 2, 0, 2).(*mat.Dense)}.Validate(2),
		"TwoLayerReLU: a parameter is NaN":             TwoLayerReLU{[]float64{nan, 1}, relu.W}.Validate(2),
		"NormalDiagonalLinearNet: d is 0":              second(NormalDiagonalLinearNet(0, rng)),
		"UnbalancedDiagonalLinearNet: the variance is": second(UnbalancedDiagonalLinearNet(2, 0, 1, rng)),
		"balance 0.5":                              second(UnbalancedDiagonalLinearNet(2, 1, 0.5, rng)),
		"and nonzeros 4":                           third(SparseLinear(2, 3, 4, rng)),
		"NormalTwoLayerReLU: d is 2 and m 0":       second(NormalTwoLayerReLU(2, 0, rng)),
		"ReLUTeacher: d is 0":                      second(ReLUTeacher(0, 1, rng)),
		"SphereInputs: n is 0":                     second(SphereInputs(0, 1, rng)),
		"and rng must not be nil":                  second(SphereInputs(1, 1, nil)),
		"SparseLinear: n is 0":                     second(SparseLinearProblem{D: 3}.Trial(1, SquareLossSGD{})),
		"ReLUTeacher: d is 3 and m 0":              second(ReLUTeacherProblem{N: 3, D: 3, M: 2}.Trial(1, SquareLossSGD{})),
		"trial 0: dynamics: StabilityTrial: TestX": second(RunStabilityTrials(t.Context(), []StabilityTrial{{SGD: SquareLossSGD{Rate: 1}, Net: net, X: x, Y: y, TestX: x}}, nil)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
	if err := (SquareLossSGD{Rate: 0.01, Batch: 5, Replacement: true, Steps: 1}).validate(2); err != nil {
		t.Errorf("a batch of more than all, with replacement: %v", err)
	}
}

func net2(a, b float64) DiagonalLinearNet { return DiagonalLinearNet{[]float64{a}, []float64{b}} }
