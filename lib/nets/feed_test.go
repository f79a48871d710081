package nets

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
)

// counting is a source of sequences of its own length, whose next token is the last plus one; it fails after a number.
type counting struct {
	length int
	after  int // 0: never
	held   int
}

var errCounting = errors.New("the source is broken")

func (c *counting) Length() int { return c.length }

func (c *counting) Stream(_ context.Context, seed uint64) iter.Seq2[[]int32, error] {
	return func(yield func([]int32, error) bool) {
		for i := 0; c.after == 0 || i < c.after; i++ {
			if !yield(c.sequence(i+int(seed)), nil) {
				return
			}
		}
		yield(nil, errCounting)
	}
}

func (c *counting) sequence(first int) (out []int32) {
	for t := range c.length {
		out = append(out, int32((first+t)%16))
	}
	return out
}

func (c *counting) HeldOut(context.Context) (out []int32, err error) {
	for i := range c.held {
		out = append(out, c.sequence(3*i)...)
	}
	return out, nil
}

func adam(rate float64) optim.Transform {
	return optim.Chain{optim.ScaleByAdam{}, optim.ScaleByLearningRate{Rate: rate}}
}

// A run in chunks, the last one shorter, of steps in two parts has the losses and the state of one as a whole.
func TestLanguageTrainerChunks(t *testing.T) {
	b := backend.ForTest(t)
	model, err := GPT(GPTConfig{Vocab: 16, Context: 32, Width: 8, Layers: 1, Heads: 2})
	if err != nil {
		t.Fatal(err)
	}
	train := func(chunk, pieces int) *LanguageResult {
		trainer, err := NewLanguageTrainer(b, LanguageConfig{Model: model, Optimizer: adam(1e-2), Source: data.PAIR16(), Batch: 4, Pieces: pieces, Steps: 7, Chunk: chunk})
		if err != nil {
			t.Fatal(err)
		}
		r, err := trainer.Train(t.Context(), Run{Seed: 5})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	whole := train(0, 0)
	pieces := train(3, 2)
	if len(pieces.Losses) != 7 || math.Abs(pieces.Validation-whole.Validation) > 1e-4 {
		t.Errorf("there are %d losses, and the validation loss is %g, not %g", len(pieces.Losses), pieces.Validation, whole.Validation)
	}
	if got, want := slices.Sorted(maps.Keys(pieces.State)), slices.Sorted(maps.Keys(whole.State)); !slices.Equal(got, want) {
		t.Errorf("the state is %v, not %v", got, want)
	}
	for i := range pieces.Losses {
		if math.Abs(pieces.Losses[i]-whole.Losses[i]) > 1e-4 {
			t.Errorf("the loss of step %d is %g, not %g", i+1, pieces.Losses[i], whole.Losses[i])
		}
	}
}

// A source of another length is learned, its held-out part is evaluated in pieces, and its errors are the run's.
func TestLanguageTrainerSources(t *testing.T) {
	b := backend.ForTest(t)
	model, err := GPT(GPTConfig{Vocab: 16, Context: 8, Width: 16, Layers: 1, Heads: 2})
	if err != nil {
		t.Fatal(err)
	}
	source := &counting{length: 9, held: heldTokens/9 + 50}
	c := LanguageConfig{Model: model, Optimizer: adam(1e-2), Source: source, Batch: 4, Steps: 60, Chunk: 25}
	trainer, err := NewLanguageTrainer(b, c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trainer.Train(t.Context(), Run{})
	if err != nil || len(trainer.held) != 2 {
		t.Fatalf("the held-out part has %d pieces, must have 2; %v", len(trainer.held), err)
	}
	if math.Abs(r.Losses[0]-math.Log(16)) > 0.2 || r.Validation > 0.5*math.Log(16) {
		t.Errorf("the loss goes from %g to %g", r.Losses[0], r.Validation)
	}
	for _, source.after = range []int{10, 40} { // before the first chunk is full, and after it
		if _, err := trainer.Train(t.Context(), Run{}); !errors.Is(err, errCounting) {
			t.Errorf("a source that fails after %d: the error is %v", source.after, err)
		}
	}
	c.Source = &counting{length: 9}
	if _, err := NewLanguageTrainer(b, c); err == nil || !strings.Contains(err.Error(), "holds out 0 tokens") {
		t.Errorf("nothing held out: the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := trainer.Train(ctx, Run{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// stripedFiles are pictures in two classes, with stripes across and down.
func stripedFiles(t *testing.T, each int) *data.Pictures {
	t.Helper()
	dir := t.TempDir()
	for class, name := range []string{"across", "down"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for k := range each {
			m := image.NewGray(image.Rect(0, 0, 40, 40))
			for y := range 40 {
				for x := range 40 {
					at := []int{y, x}[class] + k
					m.SetGray(x, y, color.Gray{uint8(128 + 100*math.Sin(float64(at)/2))})
				}
			}
			f, err := os.Create(filepath.Join(dir, name, fmt.Sprintf("%d.jpg", k)))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(jpeg.Encode(f, m, &jpeg.Options{Quality: 95}), f.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	p, err := data.ReadPictures(dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A tiny transformer learns to tell the stripes apart, from files, and again the same from the same seed.
func TestPictureTrainer(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a vision transformer")
	}
	b := backend.ForTest(t)
	model, err := ViT(ViTConfig{Side: 16, Patch: 8, Classes: 2, Width: 32, Layers: 1, Heads: 2, FusedQKV: true})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	trainer, err := NewPictureTrainer(b, PictureConfig{
		Model: model, Optimizer: adam(3e-3), Train: stripedFiles(t, 20), Test: stripedFiles(t, 9), Side: 16, Batch: 8, Pieces: 2, Epochs: 30,
		Progress: func(done, total int) {
			if told = done; total != 150 {
				t.Errorf("progress of %d steps, must be of 150", total)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := trainer.Train(t.Context(), Run{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("loss %.3f to %.3f, accuracy %.3f", r.Losses[0], r.Losses[149], r.Accuracy)
	if len(r.Losses) != 150 || told != 150 || math.Abs(r.Losses[0]-math.Log(2)) > 0.3 || r.Accuracy < 0.8 {
		t.Errorf("%d steps, %d told, from a loss of %g to an accuracy of %g", len(r.Losses), told, r.Losses[0], r.Accuracy)
	}
	again, err := trainer.Train(t.Context(), Run{Seed: 1})
	if err != nil || !alike(again.Losses[:20], r.Losses[:20]) {
		t.Errorf("the same seed gives the losses %v, not %v; %v", again.Losses[:20], r.Losses[:20], err)
	}
	if other, err := trainer.Train(t.Context(), Run{Seed: 2}); err != nil || alike(other.Losses[:20], r.Losses[:20]) {
		t.Errorf("another seed gives the same losses; %v", err)
	}
}

func alike(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) < 1e-3 })
}

func TestPictureTrainerErrors(t *testing.T) {
	_, err := NewPictureTrainer(nil, PictureConfig{Steps: -1, Mean: []float64{1}})
	for _, words := range []string{"Model is empty", "Optimizer is nil", "must hold pictures", "Steps -1", "Mean is [1]"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %v, must hold %q", err, words)
		}
	}
	b := backend.ForTest(t)
	model, err := ViT(ViTConfig{Side: 16, Patch: 8, Classes: 2, Width: 8, Layers: 1, Heads: 2})
	if err != nil {
		t.Fatal(err)
	}
	c := PictureConfig{Model: model, Optimizer: adam(1e-3), Train: stripedFiles(t, 4), Test: stripedFiles(t, 4), Side: 16, Batch: 9}
	if _, err := NewPictureTrainer(b, c); err == nil || !strings.Contains(err.Error(), "Batch is 9") {
		t.Errorf("the error is %v", err)
	}
	c.Batch = 4
	if err := os.WriteFile(c.Train.Files[0], []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	trainer, err := NewPictureTrainer(b, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trainer.Train(t.Context(), Run{}); err == nil || !strings.Contains(err.Error(), c.Train.Files[0]) {
		t.Errorf("the error is %v, must name the file", err)
	}
}
