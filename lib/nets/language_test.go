package nets

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// quickGPT is the model that the optimizer papers' quick runs share.
func quickGPT(t *testing.T, vocab int) Model {
	t.Helper()
	m, err := GPT(GPTConfig{Vocab: vocab, Context: 32, Width: 32, Layers: 2, Heads: 4, RMSNorm: true, NoBiases: true})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLanguageTrainer(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a transformer")
	}
	b := backend.ForTest(t)
	steps := 300
	if !scan.CanFuse(b) {
		steps = 10
	}
	method := optim.Chain{optim.ScaleByAdam{}, optim.ScaleByLearningRate{Rate: 6e-3, Schedule: optim.WarmUpCosine(steps/10, steps, 0.1)}}
	trainer, err := NewLanguageTrainer(b, LanguageConfig{
		Model: quickGPT(t, 16), Optimizer: method, Source: data.PAIR16(), Steps: steps, Hyper: optim.Hyper{"learning_rate": {6e-3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	results, err := trainer.TrainAll(context.Background(), []Run{{Seed: 0}, {Seed: 1}, {Seed: 0}, {Hyper: optim.Hyper{"learning_rate": {1e30}}}})
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Validation != results[2].Validation || results[0].Validation == results[1].Validation {
		t.Errorf("validation losses by seed 0, 1, 0: %g %g %g", results[0].Validation, results[1].Validation, results[2].Validation)
	}
	if r := results[3]; r.Diverged < 2 || !math.IsInf(r.Validation, 1) {
		t.Errorf("an absurd rate diverged at step %d with loss %g", r.Diverged, r.Validation)
	}
	if math.Abs(results[0].Losses[0]-math.Log(16)) > 0.05 {
		t.Errorf("the first loss is %g, want about log 16", results[0].Losses[0])
	}
	if steps < 300 {
		return
	}
	// Other programs reached 0.687 over three seeds, ±0.02 a seed.
	for _, r := range results[:2] {
		t.Logf("validation loss %.4f", r.Validation)
		if r.Validation < data.PAIR16().Bayes || r.Validation > 0.74 {
			t.Errorf("validation loss is %g, want about 0.69", r.Validation)
		}
	}
}

func TestLanguageTrainerErrors(t *testing.T) {
	_, err := NewLanguageTrainer(nil, LanguageConfig{Steps: -1})
	if err == nil {
		t.Fatal("an empty configuration is accepted")
	}
	for _, want := range []string{"Model is empty", "Optimizer is nil", "Source is nil", "Steps -1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
