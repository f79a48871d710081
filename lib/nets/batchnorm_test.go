package nets

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// normalized is a small residual network with batch normalization, for [stripes].
func normalized(t *testing.T) Model {
	t.Helper()
	m, err := ResNet(ResNetConfig{Channels: 1, Classes: 2, Blocks: []int{1}, Widths: []int{4}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// follow moves running statistics by those of the pictures at the parameters, on the host.
func follow(t *testing.T, m Model, params, running scan.Vars, x *tensors.Tensor) scan.Vars {
	t.Helper()
	exec, err := graph.NewExec(backend.ForTest(t), func(in []*graph.Node) []*graph.Node {
		_, s := m.Norm.Train(in[:len(in)-1], in[len(in)-1])
		return s
	})
	if err != nil {
		t.Fatal(err)
	}
	var args []any
	for _, p := range m.Params {
		args = append(args, params[p.Path])
	}
	seen, err := exec.Call(append(args, x)...)
	if err != nil {
		t.Fatal(err)
	}
	out := scan.Vars{}
	for i, s := range m.Norm.Statistics {
		old, batch := tensors.MustCopyFlatData[float32](running[s.Path]), tensors.MustCopyFlatData[float32](seen[i])
		for k := range old {
			old[k] = 0.9*old[k] + 0.1*batch[k]
		}
		out[s.Path] = tensors.FromFlatDataAndDimensions(old, s.Shape...)
	}
	return out
}

// The running statistics move once a step with every method, by the minibatch at the step's own weights: SAM's second pass
// and MESA's teacher leave them. What is measured goes by them.
func TestSharpnessRunningStatistics(t *testing.T) {
	ctx, b, m := context.Background(), backend.ForTest(t), normalized(t)
	train, test := stripes(16, 1), stripes(30, 2)
	for _, method := range SharpnessMethods {
		trainer, err := NewSharpnessTrainer(b, SharpnessConfig{
			Model: m, Train: train, Test: test, Method: method, Batch: 16, Epochs: 3, Rho: 0.5, Lookback: 1, Start: 1, Beta: 0.5,
		})
		if err != nil {
			t.Fatal(err)
		}
		params, running := m.Init(3), m.Norm.start()
		for epochs := 1; epochs <= 3; epochs++ { // of one step, on the whole set
			running = follow(t, m, params, running, train.Features())
			r, err := trainer.Run(ctx, SharpnessRun{Seed: 3, Epochs: epochs})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Statistics) != len(m.Norm.Statistics) {
				t.Fatalf("%s: %d statistics, want %d", method, len(r.Statistics), len(m.Norm.Statistics))
			}
			for path, want := range running {
				if !r.Statistics[path].InDelta(want, 1e-4) {
					t.Errorf("%s: after %d steps %s is %v, want %v", method, epochs, path, r.Statistics[path], want)
				}
			}
			params = r.Params
			if epochs < 3 || method != "sam" {
				continue
			}
			evaluated, err := m.Evaluated(r.Statistics)
			if err != nil {
				t.Fatal(err)
			}
			s, err := evaluated.Landscape(r.Params, train).Sharpness(b, 0.5)
			if err != nil {
				t.Fatal(err)
			}
			for what, pair := range map[string][2]float64{"loss": {s.Loss, r.TrainLoss[2]}, "R": {s.Sharpness, r.Sharpness[2]}, "‖∇L‖": {s.Gradient, r.Gradient[2]}} {
				if !(math.Abs(pair[0]-pair[1]) <= 1e-4*(1+math.Abs(pair[0]))) {
					t.Errorf("%s: %s is %g, was traced as %g", method, what, pair[0], pair[1])
				}
			}
			if trained, err := m.Landscape(r.Params, train).Sharpness(b, 0.5); err != nil || math.Abs(trained.Loss-s.Loss) < 1e-3 {
				t.Errorf("%s: the loss is %g in training and %g in evaluation (%v)", method, trained.Loss, s.Loss, err)
			}
			e, err := NewEvaluator(b, m, test)
			if err != nil {
				t.Fatal(err)
			}
			if _, accuracy, err := e.Measure(r.Params, r.Statistics); err != nil || math.Abs(accuracy-r.Accuracy[2]) > 1e-6 {
				t.Errorf("%s: the accuracy is %g (%v), was traced as %g", method, accuracy, err, r.Accuracy[2])
			}
		}
	}
}

// A residual network learns with every method, at the passes of a step and the memory that the method asks for.
func TestSharpnessOfResNet(t *testing.T) {
	b := backend.ForTest(t)
	epochs := 6
	if !scan.CanFuse(b) {
		epochs = 3
	}
	m, err := ResNet(ResNetConfig{Channels: 1, Classes: 2, Blocks: []int{1, 1}, Widths: []int{4, 8}, PaddedShortcuts: true})
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]struct {
		passes Passes
		memory int
	}{
		"sgd": {Passes{1, 1}, 0}, "sam": {Passes{2, 2}, 0}, "saf": {Passes{1, 1}, 4 * 3 * 64 * 2}, "mesa": {Passes{2, 1}, 4 * (m.Size() + m.Norm.Size())},
	} {
		trainer, err := NewSharpnessTrainer(b, SharpnessConfig{
			Model: m, Train: stripes(64, 1), Test: stripes(40, 2), Method: method, Batch: 16, Epochs: epochs, Rate: 0.05,
			Lookback: 2, Start: 2, Beta: 0.9, Augment: CropAndFlip(1),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := trainer.Passes(); got != want.passes {
			t.Errorf("%s: %+v a step, want %+v", method, got, want.passes)
		}
		if got := trainer.MemoryBytes(); got != int64(want.memory) {
			t.Errorf("%s remembers %d bytes, want %d", method, got, want.memory)
		}
		r, err := trainer.Run(context.Background(), SharpnessRun{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		last := epochs - 1
		for _, v := range slices.Concat(r.TrainLoss, r.Sharpness, r.Gradient) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s: losses %v, R %v, ‖∇L‖ %v", method, r.TrainLoss, r.Sharpness, r.Gradient)
			}
		}
		if scan.CanFuse(b) && (r.TrainLoss[last] > 0.5*r.TrainLoss[0] || r.Accuracy[last] < 0.9) {
			t.Errorf("%s: losses %.3f and accuracies %.2f: it does not learn", method, r.TrainLoss, r.Accuracy)
		}
	}
}

// Statistics that nothing reads change nothing: a network with buffers trains as one without.
func TestSharpnessWithoutNormalization(t *testing.T) {
	ctx, b := context.Background(), backend.ForTest(t)
	for _, method := range SharpnessMethods {
		curves := func(change func(m *Model)) *SharpnessCurves {
			t.Helper()
			c := cloudConfig(t, method)
			change(&c.Model)
			trainer, err := NewSharpnessTrainer(b, c)
			if err != nil {
				t.Fatal(err)
			}
			r, err := trainer.Run(ctx, SharpnessRun{Seed: 2, Noise: 0.2})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		plain := curves(func(*Model) {})
		with := curves(func(m *Model) {
			apply := m.Apply
			m.Norm = &BatchNorm{
				Statistics: []ParamSpec{{Path: "inputs/mean", Shape: []int{4}}},
				Train: func(p []*graph.Node, x *graph.Node) (*graph.Node, []*graph.Node) {
					return apply(p, x), []*graph.Node{graph.ReduceMean(x, 0)}
				},
				Evaluate: func(p, _ []*graph.Node, x *graph.Node) *graph.Node { return apply(p, x) },
			}
		})
		for what, pair := range map[string][2][]float64{"loss": {plain.TrainLoss, with.TrainLoss}, "accuracy": {plain.Accuracy, with.Accuracy}, "R": {plain.Sharpness, with.Sharpness}} {
			for i, v := range pair[0] {
				if math.Abs(v-pair[1][i]) > 1e-6 {
					t.Errorf("%s: %s %v, with buffers %v", method, what, pair[0], pair[1])
					break
				}
			}
		}
		if len(plain.Statistics) != 0 || with.Statistics["inputs/mean"] == nil {
			t.Errorf("%s: statistics %v, and with buffers %v", method, plain.Statistics, with.Statistics)
		}
	}
}

// A pruner's gradients are the evaluated network's; pruning leaves the statistics, training after it measures them anew.
func TestPrunerBatchNorm(t *testing.T) {
	ctx, b, m := context.Background(), backend.ForTest(t), normalized(t)
	train, test := stripes(32, 1), stripes(20, 2)
	f, err := NewFitter(b, FitConfig{Model: m, Optimizer: optim.Adam(0.01), Train: train, Test: test, Batch: 16, Steps: 12})
	if err != nil {
		t.Fatal(err)
	}
	fit, err := f.Fit(ctx, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPruner(b, PrunerConfig{Model: m, Train: train, Batch: 8})
	if err != nil {
		t.Fatal(err)
	}
	from := Pruned{Params: fit.Params, Statistics: fit.Statistics}
	w := p.Weights(from.Params)
	epoch, err := p.Sampler(from, 5)(ctx, w, 4) // every example once
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEvaluator(b, m, train)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{3, 50, 200, len(w) - 1} {
		var mean float64
		for i := range 4 {
			mean += epoch[i*len(w)+k] / 4
		}
		const h = 3e-3
		var ends [2]float64
		for i, sign := range []float64{-1, 1} {
			moved := slices.Clone(w)
			moved[k] += sign * h
			if ends[i], _, err = e.Measure(p.with(from.Params, moved), from.Statistics); err != nil {
				t.Fatal(err)
			}
		}
		if want := (ends[1] - ends[0]) / (2 * h); math.Abs(mean-want) > 1e-3*(1+math.Abs(want)) {
			t.Errorf("weight %d: mean gradient %g, by differences %g", k, mean, want)
		}
	}

	settings := curvature.PruneConfig{Rounds: 2, Gradients: 8, Block: 128, Damping: 1e-3, Sparsity: 0.5}
	for _, method := range PruneMethods {
		pruned, err := p.Prune(ctx, method, from, settings, 0)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(pruned.Sparsity()-0.5) > 1e-3 || !maps.Equal(pruned.Statistics, from.Statistics) {
			t.Errorf("%s: sparsity %g, statistics %v", method, pruned.Sparsity(), pruned.Statistics)
		}
		if _, err := p.Prune(ctx, method, Pruned{Params: from.Params}, settings, 0); err == nil || !strings.Contains(err.Error(), "of batch normalization is missing") {
			t.Errorf("%s without statistics gives %v", method, err)
		}
	}
	config := GradualConfig{Method: "m-fac", Sparsities: []float64{0.3, 0.6}, Prune: settings, Optimizer: optim.Momentum(0.01, 0.9), Test: test, Batch: 16, Steps: 4}
	trained, steps, err := p.Gradual(ctx, config, from, 0)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := NewEvaluator(b, m, test)
	if err != nil {
		t.Fatal(err)
	}
	if _, accuracy, err := whole.Measure(trained.Params, trained.Statistics); err != nil || accuracy != steps[1].Trained {
		t.Errorf("the accuracy is %g (%v), %g was reported", accuracy, err, steps[1].Trained)
	}
	if maps.Equal(trained.Statistics, from.Statistics) {
		t.Error("training left the statistics as they were")
	}
}

// Evaluated needs all statistics, and is a function of the weights that curvature can be measured of.
func TestEvaluated(t *testing.T) {
	ctx, b, m := context.Background(), backend.ForTest(t), normalized(t)
	set := stripes(8, 1)
	evaluated, err := m.Evaluated(m.Norm.start())
	if err != nil || evaluated.Norm != nil {
		t.Fatalf("normalization %v, error %v", evaluated.Norm, err)
	}
	l := evaluated.Landscape(m.Init(1), set)
	if top, err := l.TopEigenvalue(ctx, b, 2, 1); err != nil || math.IsNaN(top.Value) {
		t.Errorf("eigenvalue %g, %v", top.Value, err)
	}
	if s, err := l.Surface(ctx, b, 3, 0.5, 1); err != nil || math.IsNaN(s.Loss[0][0]) {
		t.Errorf("surface %v, %v", s, err)
	}
	few := m.Norm.start()
	delete(few, "stem/norm/variance")
	wrong := m.Norm.start()
	wrong["stem/norm/mean"] = tensors.FromValue([]float32{1})
	e, err := NewEvaluator(b, m, set)
	if err != nil {
		t.Fatal(err)
	}
	for want, statistics := range map[string]scan.Vars{
		`the statistic "stem/norm/variance" of batch normalization is missing`:                 few,
		`the statistic "stem/norm/mean" of batch normalization is missing or not of shape [4]`: wrong,
		"of batch normalization is missing or not":                                             nil,
	} {
		_, err := m.Evaluated(statistics)
		_, _, measured := e.Measure(m.Init(1), statistics)
		for _, err := range []error{err, measured} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error that holds %q", err, want)
			}
		}
	}
	if plain, err := cloudConfig(t, "sgd").Model.Evaluated(nil); err != nil || plain.Apply == nil || plain.Norm.Size() != 0 {
		t.Errorf("a network without batch normalization gives %v", err)
	}
}

// M-FAC, whose window holds gradients of gains and biases too, trains a network with batch normalization.
func TestMFACOfResNet(t *testing.T) {
	b := backend.ForTest(t)
	const m = 16
	c := FitConfig{Model: normalized(t), Optimizer: optim.MFAC(0.1/m, m, 1e-3), Train: stripes(64, 1), Test: stripes(40, 2), Batch: 16, Steps: 60}
	f, err := NewFitter(b, c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Fit(context.Background(), nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	mean := func(losses []float64) (sum float64) {
		for _, v := range losses {
			sum += v / float64(len(losses))
		}
		return sum
	}
	if first, last := mean(r.Losses[:4]), mean(r.Losses[56:]); !(last < 0.7*first) || r.Accuracy < 0.8 {
		t.Errorf("the loss goes from %g to %g, the accuracy is %g", first, last, r.Accuracy)
	}
}
