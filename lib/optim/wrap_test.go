package optim

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

var nan = math.NaN()

// Accumulating over three minibatches is Adam on the means of three gradients, by a loop by hand; the two steps that are
// left over do nothing.
func TestAccumulate(t *testing.T) {
	gradients := [][]float64{{1, -2}, {3, 0}, {-1, 5}, {0, 0}, {2, 2}, {4, 1}, {7, 7}, {8, 8}}
	got := follow(t, Accumulate{Every: 3, Inner: Adam(0.1)}, tensors.FromValue([]float64{1, 2}), tensors.FromValue(gradients))
	w, m, v := []float64{1, 2}, make([]float64, 2), make([]float64, 2)
	var want []float64
	for t, step := 0, 0; t < len(gradients); t++ {
		if t%3 == 2 {
			step++
			for i := range w {
				g := (gradients[t][i] + gradients[t-1][i] + gradients[t-2][i]) / 3
				m[i] = 0.9*m[i] + 0.1*g
				v[i] = 0.999*v[i] + 0.001*g*g
				mHat, vHat := m[i]/(1-math.Pow(0.9, float64(step))), v[i]/(1-math.Pow(0.999, float64(step)))
				w[i] -= 0.1 * mHat / (math.Sqrt(vHat) + 1e-8)
			}
		}
		want = append(want, w...)
	}
	close(t, "w", got, want, 1e-12)

	once := follow(t, Accumulate{Every: 1, Inner: Adam(0.1)}, tensors.FromValue([]float64{1, 2}), tensors.FromValue(gradients))
	close(t, "every step", once, follow(t, Adam(0.1), tensors.FromValue([]float64{1, 2}), tensors.FromValue(gradients)), 1e-15)
}

func TestAccumulateErrors(t *testing.T) {
	for want, a := range map[string]Accumulate{
		"Every is 0":      {Inner: SGD(1)},
		"Inner is nil":    {Every: 2},
		"Inner asks for":  {Every: 2, Inner: SAM(0.05, SGD(1))},
		"Rate is -1, mus": {Every: 2, Inner: SGD(-1)},
	} {
		if err := a.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// L2 regularization decays what the method sees, decoupled decay what it does.
func TestDecayBeforeAndAfter(t *testing.T) {
	start, zero := tensors.FromValue([]float64{4, -2}), tensors.FromValue([][]float64{{0, 0}})
	close(t, "L2", follow(t, Chain{AddL2(0.5), ScaleBySign{}, ScaleByLearningRate{Rate: 0.1}}, start, zero), []float64{3.9, -1.9}, 1e-15)
	close(t, "decoupled", follow(t, Chain{ScaleBySign{}, AddDecayedWeights{Decay: 0.5}, ScaleByLearningRate{Rate: 0.1}}, start, zero), []float64{3.8, -1.9}, 1e-15)
	none := func(Param) bool { return false }
	close(t, "masked", follow(t, Chain{AddDecayedWeights{Decay: 0.5, Where: none}, ScaleByLearningRate{Rate: 0.1}}, start, zero), []float64{4, -2}, 0)
	close(t, "scaled", follow(t, Chain{AddDecayedWeights{Decay: 0.5}, Scale{By: -1}}, start, zero), []float64{2, -1}, 1e-15)
}

// A step with NaN or infinity changes nothing but the count of such steps.
func TestSkipNonFinite(t *testing.T) {
	good := [][]float64{{1, 2}, {3, -1}}
	bad := [][]float64{{1, 2}, {nan, 1}, {1, math.Inf(-1)}, {3, -1}}
	inner := Momentum(0.1, 0.9)
	b := backend.ForTest(t)
	problem := feed(0)
	problem.Loop.StopNonFinite = "-"
	r, err := Minimize(context.Background(), b, SkipNonFinite{Inner: inner}, problem, scan.Vars{"w": tensors.FromValue([]float64{1, 1})}, scan.Vars{"g": tensors.FromValue(bad)}, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := follow(t, inner, tensors.FromValue([]float64{1, 1}), tensors.FromValue(good))
	w := tensors.MustCopyFlatData[float64](r.Traces["w"])
	close(t, "w", slices.Concat(w[:2], w[6:]), want, 1e-15)
	close(t, "w in between", w[2:6], slices.Concat(w[:2], w[:2]), 0)
	if skipped := r.State["skipped"].Value().(int64); skipped != 2 {
		t.Errorf("%d steps were skipped, want 2", skipped)
	}
}

// Half a run, and the other half from its result, is the whole; other values for the inputs do not get in.
func TestProgramResume(t *testing.T) {
	b := backend.ForTest(t)
	gradients := tensors.FromValue([][]float64{{1}, {-3}, {2}, {0.5}})
	start, inputs := scan.Vars{"w": tensors.FromValue([]float64{1})}, scan.Vars{"g": gradients}
	hyper := Hyper{"learning_rate": {0.2}}
	program, err := Compile(b, Adam(0.1), feed(0), start, inputs, hyper)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	whole, err := program.Run(ctx, start, inputs, hyper, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	half, err := program.Run(ctx, start, inputs, hyper, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	both, err := program.Resume(ctx, half, inputs, hyper, 2)
	if err != nil {
		t.Fatal(err)
	}
	if both.Steps != 4 {
		t.Errorf("%d steps in all, want 4", both.Steps)
	}
	close(t, "w", tensors.MustCopyFlatData[float64](both.Traces["w"]), tensors.MustCopyFlatData[float64](whole.Traces["w"]), 0)
	if mode, why := program.Mode(); mode != whole.Mode || why == "" {
		t.Errorf("the program's mode is %s (%s), the run's %s", mode, why, whole.Mode)
	}

	for want, call := range map[string]func() error{
		"Resume: from is nil":                          func() error { _, err := program.Resume(ctx, nil, inputs, hyper, 1); return err },
		`"learning_rate" has 0 values, must have 1 as`: func() error { _, err := program.Resume(ctx, half, inputs, nil, 1); return err },
		`"learning_rate" has 2 values`: func() error {
			_, err := program.Run(ctx, start, inputs, Hyper{"learning_rate": {1, 2}}, 1, 0)
			return err
		},
		`"beta1" was not given to Compile`: func() error {
			_, err := program.Run(ctx, start, inputs, Hyper{"learning_rate": {1}, "beta1": {0.5}}, 1, 0)
			return err
		},
		`parameter "w" is missing`: func() error { _, err := program.Run(ctx, nil, inputs, hyper, 1, 0); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	b := backend.ForTest(t)
	loss := func(params, _ []*graph.Node) *graph.Node { return graph.ReduceAllSum(params[0]) }
	w := scan.Vars{"w": tensors.FromValue([]float64{1})}
	for want, call := range map[string]func() (*Program, error){
		"the transform is nil": func() (*Program, error) { return Compile(b, nil, Problem{Loss: loss}, w, nil, nil) },
		"Problem.Loss is nil":  func() (*Program, error) { return Compile(b, SGD(1), Problem{}, w, nil, nil) },
		"Problem.Lead is 2":    func() (*Program, error) { return Compile(b, SGD(1), Problem{Loss: loss, Lead: 2}, w, nil, nil) },
		"params is empty":      func() (*Program, error) { return Compile(b, SGD(1), Problem{Loss: loss}, nil, nil, nil) },
		`"w" must be a float tensor`: func() (*Program, error) {
			return Compile(b, SGD(1), Problem{Loss: loss}, scan.Vars{"w": tensors.FromValue([]int32{1})}, nil, nil)
		},
		"must have the runs as its first axis": func() (*Program, error) {
			p := scan.Vars{"v": tensors.FromValue([]float64{1, 2}), "w": tensors.FromValue([]float64{1})}
			return Compile(b, SGD(1), Problem{Loss: loss, Lead: 1}, p, nil, nil)
		},
		`hyper-parameter "momentum" is unknown, this method has learning_rate`: func() (*Program, error) {
			return Compile(b, SGD(1), Problem{Loss: loss}, w, nil, Hyper{"momentum": {1}})
		},
		"has 3 values, must have one of [1]": func() (*Program, error) {
			return Compile(b, SGD(1), Problem{Loss: loss}, w, nil, Hyper{"learning_rate": {1, 2, 3}})
		},
		"Rate is NaN": func() (*Program, error) { return Compile(b, SGD(nan), Problem{Loss: loss}, w, nil, nil) },
	} {
		if _, err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestByName(t *testing.T) {
	names := Names()
	if !slices.IsSorted(names) || !slices.Contains(names, "diffgrad") {
		t.Errorf("names are %v", names)
	}
	for _, name := range names {
		if _, err := ByName(strings.ToUpper(name), 0.1); err != nil {
			t.Error(err)
		}
	}
	if _, err := ByName("adam", -1); err == nil {
		t.Error("a negative rate is accepted")
	}
	if _, err := ByName("adamm", 1); err == nil || !strings.Contains(err.Error(), "must be one of adadelta, ") {
		t.Errorf("error %v", err)
	}
}

// The friction that is traced is the coefficient's closed form 1/(1+exp(−|g_{t−1} − g_t|)).
func TestTraceFriction(t *testing.T) {
	problem := feed(0)
	problem.Observe = TraceFriction
	gradients := [][]float64{{1, -2}, {3, -2}, {3, 4}}
	r, err := Minimize(context.Background(), backend.ForTest(t), DiffGrad(0.1), problem, scan.Vars{"w": tensors.FromValue([]float64{0, 0})}, scan.Vars{"g": tensors.FromValue(gradients)}, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	previous := []float64{0, 0}
	var mean, least, most, first []float64
	for _, g := range gradients {
		var xi [2]float64
		var off float64
		for i := range g {
			xi[i] = 1 / (1 + math.Exp(-math.Abs(previous[i]-g[i])))
			off = math.Max(off, math.Abs(xi[i]-1/(1+math.Exp(-math.Abs(g[i])))))
		}
		previous = g
		mean, least, most, first = append(mean, (xi[0]+xi[1])/2), append(least, min(xi[0], xi[1])), append(most, max(xi[0], xi[1])), append(first, off)
	}
	for name, want := range map[string][]float64{"friction mean": mean, "friction mean w": mean, "friction min": least, "friction max": most, "friction q95": most, "friction first": first} {
		close(t, name, tensors.MustCopyFlatData[float64](r.Traces[name]), want, 1e-12)
	}
	if _, err := Compile(backend.ForTest(t), SGD(1), problem, scan.Vars{"w": tensors.FromValue([]float64{0, 0})}, scan.Vars{"g": tensors.FromValue(gradients)}, nil); err == nil || !strings.Contains(err.Error(), "must be diffGrad") {
		t.Errorf("error %v", err)
	}
}
