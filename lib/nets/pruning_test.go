package nets

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
)

// wines are a small classification task: 13 features, three classes.
func wines(t *testing.T) (train, test *data.Dataset) {
	t.Helper()
	all, err := data.Wine()
	if err != nil {
		t.Fatal(err)
	}
	scaling, err := data.FitScaling(all)
	if err != nil {
		t.Fatal(err)
	}
	if all, err = scaling.Apply(all); err != nil {
		t.Fatal(err)
	}
	train, test, err = all.Split(0.3, 0)
	if err != nil {
		t.Fatal(err)
	}
	return train, test
}

// The gradients of the sampler are those of finite differences, one example each, and others at each call.
func TestPrunerGradients(t *testing.T) {
	b := backend.ForTest(t)
	train, _ := wines(t)
	model, err := MLP("tanh", 13, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPruner(b, PrunerConfig{Model: model, Train: train})
	if err != nil {
		t.Fatal(err)
	}
	if p.Size() != 13*4+4*3 {
		t.Fatalf("%d weights may be pruned, must be %d", p.Size(), 13*4+4*3)
	}
	params := model.Init(1)
	w := p.Weights(params)
	n := train.Rows()
	whole, err := p.Sampler(Pruned{Params: params}, 5)(context.Background(), w, n) // an epoch: every example once
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEvaluator(b, model, train)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{0, 20, 55, 63} {
		var mean float64
		for i := range n {
			mean += whole[i*len(w)+k] / float64(n)
		}
		const h = 1e-2
		var ends [2]float64
		for i, sign := range []float64{-1, 1} {
			moved := slices.Clone(w)
			moved[k] += sign * h
			if ends[i], _, err = e.Measure(p.with(params, moved), nil); err != nil {
				t.Fatal(err)
			}
		}
		if want := (ends[1] - ends[0]) / (2 * h); math.Abs(mean-want) > 2e-4 {
			t.Errorf("weight %d: mean gradient %g, by differences %g", k, mean, want)
		}
	}
	sample := p.Sampler(Pruned{Params: params}, 5)
	one, _ := sample(context.Background(), w, 1)
	two, _ := sample(context.Background(), w, 1)
	if !slices.Equal(one, whole[:len(w)]) || slices.Equal(one, two) {
		t.Error("the first example must be the same for a seed, and the second call's another")
	}
}

// Pruning step by step with training between keeps the pruned weights at 0 and ends at the sparsity asked for.
func TestGradual(t *testing.T) {
	b := backend.ForTest(t)
	train, test := wines(t)
	model, err := MLP("relu", 13, 8, 3)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFitter(b, FitConfig{Model: model, Optimizer: optim.Momentum(0.05, 0.9), Train: train, Test: test, Batch: 16, Steps: 80})
	if err != nil {
		t.Fatal(err)
	}
	fit, err := f.Fit(context.Background(), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPruner(b, PrunerConfig{Model: model, Train: train})
	if err != nil {
		t.Fatal(err)
	}
	config := GradualConfig{
		Method: "m-fac", Sparsities: []float64{0.5, 0.75, 0.9}, Prune: curvature.PruneConfig{Rounds: 2, Gradients: 32},
		Optimizer: optim.Momentum(0.05, 0.9), Test: test, Batch: 16, Steps: 40,
	}
	pruned, steps, err := p.Gradual(context.Background(), config, Pruned{Params: fit.Params}, 0)
	if err != nil {
		t.Fatal(err)
	}
	zeros := 0
	for i, w := range p.Weights(pruned.Params) {
		if w == 0 {
			zeros++
		}
		if (w != 0) != pruned.Alive[i] {
			t.Errorf("weight %d is %g, alive %v", i, w, pruned.Alive[i])
		}
	}
	if want := int(math.Round(0.9 * float64(p.Size()))); zeros != want || len(steps) != 3 {
		t.Errorf("%d zeros after %d steps, want %d after 3", zeros, len(steps), want)
	}
	if last := steps[2]; last.Trained < 0.85 || fit.Accuracy < 0.9 {
		t.Errorf("accuracy %.3f, pruned and trained %.3f", fit.Accuracy, last.Trained)
	}
}

func TestPrunerBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	train, test := wines(t)
	model, err := MLP("relu", 13, 3)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPruner(b, PrunerConfig{Model: model, Train: train})
	if err != nil {
		t.Fatal(err)
	}
	from := Pruned{Params: model.Init(0)}
	ctx := context.Background()
	gradual := func(c GradualConfig) error { _, _, err := p.Gradual(ctx, c, from, 0); return err }
	for want, call := range map[string]func() error{
		"Model is empty":           func() error { _, err := NewPruner(b, PrunerConfig{Train: train}); return err },
		"Train must hold labelled": func() error { _, err := NewPruner(b, PrunerConfig{Model: model}); return err },
		"Batch is 1000": func() error {
			_, err := NewPruner(b, PrunerConfig{Model: model, Train: train, Batch: 1000})
			return err
		},
		"Where chooses no parameter": func() error {
			_, err := NewPruner(b, PrunerConfig{Model: model, Train: train, Where: func(ParamSpec) bool { return false }})
			return err
		},
		`method is "luck"`:   func() error { _, err := p.Prune(ctx, "luck", from, curvature.PruneConfig{}, 0); return err },
		"is missing":         func() error { _, err := p.Prune(ctx, "m-fac", Pruned{}, curvature.PruneConfig{}, 0); return err },
		"Sparsities are []":  func() error { return gradual(GradualConfig{Optimizer: optim.SGD(1), Test: test}) },
		"Optimizer is nil":   func() error { return gradual(GradualConfig{Sparsities: []float64{0.5}, Test: test}) },
		"Test is nil":        func() error { return gradual(GradualConfig{Sparsities: []float64{0.5}, Optimizer: optim.SGD(1)}) },
		"the model is empty": func() error { _, err := NewEvaluator(b, Model{}, train); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
