package nets

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// clouds are three classes of points in four dimensions that overlap.
func clouds(n int, seed uint64) *data.Dataset {
	rng := rand.New(rand.NewPCG(seed, 4))
	d := &data.Dataset{Name: "clouds", Shape: []int{4}, Classes: []string{"a", "b", "c"}}
	for i := range n {
		d.Labels = append(d.Labels, int32(i%3))
		for j := range 4 {
			x := rng.NormFloat64()
			if j == i%3 {
				x += 2
			}
			d.X = append(d.X, float32(x))
		}
	}
	return d
}

func cloudConfig(t *testing.T, method string) SharpnessConfig {
	t.Helper()
	m, err := MLP("relu", 4, 16, 3)
	if err != nil {
		t.Fatal(err)
	}
	return SharpnessConfig{Model: m, Train: clouds(100, 1), Test: clouds(60, 2), Method: method, Batch: 16, Epochs: 9, Lookback: 2, Start: 4}
}

// Claims K4, K5 and K6: passes a step, memory, and nothing changed before the term begins.
func TestSharpnessTrainer(t *testing.T) {
	ctx, b := context.Background(), backend.ForTest(t)
	trained := map[string]scan.Vars{}
	for method, want := range map[string]struct {
		products int
		memory   int64
	}{
		"sgd":  {2 + 4, 0},
		"saf":  {2 + 4, 4 * 3 * 100 * 3},
		"mesa": {2*2 + 4, 4 * (4*16 + 16 + 16*3 + 3)},
		"sam":  {2*2 + 2*4, 0},
	} {
		trainer, err := NewSharpnessTrainer(b, cloudConfig(t, method))
		if err != nil {
			t.Fatal(err)
		}
		if got := trainer.MatrixProducts(); got != want.products {
			t.Errorf("%s: %d products of matrices a step, want %d", method, got, want.products)
		}
		if got := trainer.MemoryBytes(); got != want.memory {
			t.Errorf("%s remembers %d bytes, want %d", method, got, want.memory)
		}
		r, err := trainer.Run(ctx, SharpnessRun{Seed: 1, Noise: 0.2, Epochs: 4})
		if err != nil {
			t.Fatal(err)
		}
		trained[method] = r.Params
		if r, err = trainer.Run(ctx, SharpnessRun{Seed: 1, Noise: 0.2}); err != nil {
			t.Fatal(err)
		}
		last := len(r.Accuracy) - 1
		if last != 8 || r.Accuracy[last] < 0.7 || r.TrainLoss[last] >= r.TrainLoss[0] {
			t.Errorf("%s: accuracies %.2f and losses %.3f: it does not learn", method, r.Accuracy, r.TrainLoss)
		}
		// What the run traced is what the landscape at its end measures.
		s, err := r.Landscape.Sharpness(b, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		for what, pair := range map[string][2]float64{"loss": {s.Loss, r.TrainLoss[last]}, "R": {s.Sharpness, r.Sharpness[last]}, "‖∇L‖": {s.Gradient, r.Gradient[last]}} {
			if math.Abs(pair[0]-pair[1]) > 1e-5 {
				t.Errorf("%s: %s is %g, was traced as %g", method, what, pair[0], pair[1])
			}
		}
	}
	differ := func(method string) (most float64) {
		for path, v := range trained["sgd"] {
			a, c := tensors.MustCopyFlatData[float32](v), tensors.MustCopyFlatData[float32](trained[method][path])
			for i := range a {
				most = max(most, math.Abs(float64(a[i]-c[i])))
			}
		}
		return most
	}
	for _, method := range []string{"saf", "mesa"} {
		if d := differ(method); d > 1e-6 {
			t.Errorf("%s: weights before the term begins differ by %g from SGD's", method, d)
		}
	}
	if d := differ("sam"); d < 1e-4 {
		t.Errorf("SAM's weights differ by %g from SGD's", d)
	}
}

// A slider's value gives what a configuration with that value gives.
func TestSharpnessTrainerVary(t *testing.T) {
	ctx, b := context.Background(), backend.ForTest(t)
	run := func(c SharpnessConfig, hyper optim.Hyper) []float64 {
		t.Helper()
		trainer, err := NewSharpnessTrainer(b, c)
		if err != nil {
			t.Fatal(err)
		}
		r, err := trainer.Run(ctx, SharpnessRun{Hyper: hyper})
		if err != nil {
			t.Fatal(err)
		}
		return r.TrainLoss
	}
	fixed, slider := cloudConfig(t, "mesa"), cloudConfig(t, "mesa")
	fixed.Lambda, fixed.Beta = 2, 0.9
	slider.Vary = optim.Hyper{"trajectory_weight": {0.8}, "teacher_decay": {0.98}}
	want := run(fixed, nil)
	got := run(slider, optim.Hyper{"trajectory_weight": {2}, "teacher_decay": {0.9}})
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-5 {
			t.Fatalf("losses %v, want %v", got, want)
		}
	}
	if slices.Equal(run(slider, nil), got) {
		t.Error("the slider changes nothing")
	}
}

func TestSharpnessErrors(t *testing.T) {
	b := backend.ForTest(t)
	change := func(f func(c *SharpnessConfig)) SharpnessConfig { c := cloudConfig(t, "saf"); f(&c); return c }
	for want, c := range map[string]SharpnessConfig{
		`Method is "asam", must be one of [sgd sam saf mesa]`: change(func(c *SharpnessConfig) { c.Method = "asam" }),
		"Batch is 101, must be between 1 and 100":             change(func(c *SharpnessConfig) { c.Batch = 101 }),
		"Epochs is -1, must be at least 1":                    change(func(c *SharpnessConfig) { c.Epochs = -1 }),
		"Rho is -1, must be positive":                         change(func(c *SharpnessConfig) { c.Rho = -1 }),
		"Model is empty":                                      change(func(c *SharpnessConfig) { c.Model = Model{} }),
		"Test must hold labelled examples":                    change(func(c *SharpnessConfig) { c.Test = nil }),
		"SAF: Start is 1, must be at least Lookback, 2":       change(func(c *SharpnessConfig) { c.Start = 1 }),
		`hyper-parameter "slider" is unknown`:                 change(func(c *SharpnessConfig) { c.Vary = optim.Hyper{"slider": {1}} }),
	} {
		if _, err := NewSharpnessTrainer(b, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
	trainer, err := NewSharpnessTrainer(b, cloudConfig(t, "sgd"))
	if err != nil {
		t.Fatal(err)
	}
	for want, run := range map[string]SharpnessRun{
		"Epochs is 10, must be between 1 and 9": {Epochs: 10},
		"rate is 2, must be in [0, 1]":          {Noise: 2},
	} {
		if _, err := trainer.Run(context.Background(), run); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := trainer.Run(ended, SharpnessRun{}); err == nil || !strings.Contains(err.Error(), "stopped after 0 of 54 steps") {
		t.Errorf("a context that ended gave %v", err)
	}
}
