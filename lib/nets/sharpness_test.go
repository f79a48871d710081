package nets

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
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
	var trainers []*SharpnessTrainer
	for method, want := range map[string]struct {
		passes Passes
		memory int64
	}{
		"sgd":  {Passes{1, 1}, 0},
		"saf":  {Passes{1, 1}, 4 * 3 * 100 * 3},
		"mesa": {Passes{2, 1}, 4 * (4*16 + 16 + 16*3 + 3)},
		"sam":  {Passes{2, 2}, 0},
	} {
		trainer, err := NewSharpnessTrainer(b, cloudConfig(t, method))
		if err != nil {
			t.Fatal(err)
		}
		if got := trainer.Passes(); got != want.passes {
			t.Errorf("%s: %+v a step, want %+v", method, got, want.passes)
		}
		if got := trainer.MemoryBytes(); got != want.memory {
			t.Errorf("%s remembers %d bytes, want %d", method, got, want.memory)
		}
		trainers = append(trainers, trainer)
		all, err := trainer.RunAll(ctx, []SharpnessRun{{Seed: 1, Noise: 0.2, Epochs: 4}, {Seed: 1, Noise: 0.2}})
		if err != nil {
			t.Fatal(err)
		}
		trained[method] = all[0].Params
		r := all[1]
		last := len(r.Accuracy) - 1
		if last != 8 || r.Accuracy[last] < 0.7 || r.TrainLoss[last] >= r.TrainLoss[0] {
			t.Errorf("%s: accuracies %.2f and losses %.3f: it does not learn", method, r.Accuracy, r.TrainLoss)
		}
		// What the run traced is what the landscape at its end measures.
		noisy, err := cloudConfig(t, method).Train.WithNoisyLabels(0.2, 501)
		if err != nil {
			t.Fatal(err)
		}
		s, err := trainer.config.Model.Landscape(r.Params, noisy).Sharpness(b, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		for what, pair := range map[string][2]float64{"loss": {s.Loss, r.TrainLoss[last]}, "R": {s.Sharpness, r.Sharpness[last]}, "‖∇L‖": {s.Gradient, r.Gradient[last]}} {
			if math.Abs(pair[0]-pair[1]) > 1e-5 {
				t.Errorf("%s: %s is %g, was traced as %g", method, what, pair[0], pair[1])
			}
		}
	}
	times, err := StepTimes(ctx, 2, trainers...)
	if err != nil || len(times) != 4 || times[0] != 1 || slices.Min(times) <= 0 {
		t.Errorf("times of a step in units of the first's: %v (%v)", times, err)
	}
	if _, err := StepTimes(ctx, 0, trainers...); err == nil {
		t.Error("no rounds gave no error")
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

// Training sees the augmented inputs, loss and sharpness are those of the first examples as they are.
func TestSharpnessTrainerProbe(t *testing.T) {
	b := backend.ForTest(t)
	c := cloudConfig(t, "saf")
	c.Probe, c.Epochs = 32, 5
	c.Augment = func(s *scan.Step, x *graph.Node) *graph.Node { return graph.Add(x, s.Normal(x.Shape())) }
	trainer, err := NewSharpnessTrainer(b, c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trainer.Run(context.Background(), SharpnessRun{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Train.First(32)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Model.Landscape(r.Params, first).Sharpness(b, 0.05)
	if err != nil || math.Abs(s.Loss-r.TrainLoss[4]) > 1e-5 || math.Abs(s.Sharpness-r.Sharpness[4]) > 1e-5 {
		t.Errorf("measured %+v (%v), traced the loss %g and R %g", s, err, r.TrainLoss[4], r.Sharpness[4])
	}
}

// A slider's value gives what a configuration with that value gives.
func TestSharpnessTrainerVary(t *testing.T) {
	ctx, b := context.Background(), backend.ForTest(t)
	compiled := func(c SharpnessConfig) *SharpnessTrainer {
		t.Helper()
		trainer, err := NewSharpnessTrainer(b, c)
		if err != nil {
			t.Fatal(err)
		}
		return trainer
	}
	run := func(trainer *SharpnessTrainer, hyper optim.Hyper) []float64 {
		t.Helper()
		r, err := trainer.Run(ctx, SharpnessRun{Hyper: hyper})
		if err != nil {
			t.Fatal(err)
		}
		return r.TrainLoss
	}
	fixed, slider := cloudConfig(t, "mesa"), cloudConfig(t, "mesa")
	fixed.Lambda, fixed.Beta = 2, 0.9
	slider.Vary = optim.Hyper{"trajectory_weight": {0.8}, "teacher_decay": {0.98}}
	want := run(compiled(fixed), nil)
	trainer := compiled(slider)
	got := run(trainer, optim.Hyper{"trajectory_weight": {2}, "teacher_decay": {0.9}})
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-5 {
			t.Fatalf("losses %v, want %v", got, want)
		}
	}
	if slices.Equal(run(trainer, nil), got) {
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
		"Probe is 101, must be between 1 and 100":             change(func(c *SharpnessConfig) { c.Probe = 101 }),
		"label 0 is 3, must be between 0 and 2": change(func(c *SharpnessConfig) {
			d := *c.Train
			d.Labels = append([]int32{3}, d.Labels[1:]...)
			c.Train = &d
		}),
		"Model's outputs are (Float32)[16, 4], must be a row of 3": change(func(c *SharpnessConfig) {
			m, err := MLP("relu", 4, 4)
			if err != nil {
				t.Fatal(err)
			}
			c.Model = m
		}),
		"Model is empty":                                change(func(c *SharpnessConfig) { c.Model = Model{} }),
		"Test must hold labelled examples":              change(func(c *SharpnessConfig) { c.Test = nil }),
		"SAF: Start is 1, must be at least Lookback, 2": change(func(c *SharpnessConfig) { c.Start = 1 }),
		`hyper-parameter "slider" is unknown`:           change(func(c *SharpnessConfig) { c.Vary = optim.Hyper{"slider": {1}} }),
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
