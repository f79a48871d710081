package curvature

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// fixed gradients, whatever the weights.
func fixed(gradients ...float64) GradientSampler {
	return func(context.Context, []float64, int) ([]float64, error) { return gradients, nil }
}

// TestPruneOBSFact is fact 3 of the method's reference.
func TestPruneOBSFact(t *testing.T) {
	b := backend.ForTest(t)
	config := PruneConfig{Sparsity: 1. / 3, Rounds: 1, Gradients: 2, Damping: 0.1}
	// Weight 0 has the smallest score (0.0135); kept out of reach by a mask it leaves weight 2 (0.0422) to go.
	w, mask, err := PruneOBS(context.Background(), b, []float64{0.5, -1, 0.25}, nil, fixed(1, 2, 3, 0, 1, -1), config)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(mask, []bool{false, true, true}) || w[0] != 0 {
		t.Errorf("weights %v, mask %v: weight 0 must go first", w, mask)
	}
	// With the scores of the fact weight 2 alone is pruned when weight 0 is made large: w₀ = 5.
	w, mask, err = PruneOBS(context.Background(), b, []float64{5, -1, 0.25}, nil, fixed(1, 2, 3, 0, 1, -1), config)
	if err != nil || !slices.Equal(mask, []bool{true, true, false}) {
		t.Fatalf("mask %v, %v", mask, err)
	}
	near(t, "w + F⁻¹t", w, []float64{5.625, -1, 0}, 1e-12)
	// The same without the update.
	config.NoUpdate = true
	w, _, err = PruneOBS(context.Background(), b, []float64{5, -1, 0.25}, nil, fixed(1, 2, 3, 0, 1, -1), config)
	if err != nil || !slices.Equal(w, []float64{5, -1, 0}) {
		t.Errorf("without update: %v, %v", w, err)
	}
}

// A quadratic loss whose Hessian is the Fisher matrix: the surgeon must lose less than magnitude pruning.
func TestOBSBeatsMagnitude(t *testing.T) {
	b := backend.ForTest(t)
	const m, d = 200, 30
	rng := rand.New(rand.NewPCG(11, 12))
	base := gaussian(rng, m*5)
	mix := gaussian(rng, 5*d)
	gradients := make([]float64, m*d) // of rank 5 and noise: strongly dependent weights
	for i := range m {
		for k := range d {
			for r := range 5 {
				gradients[i*d+k] += base[i*5+r] * mix[r*d+k]
			}
			gradients[i*d+k] += 0.1 * rng.NormFloat64()
		}
	}
	optimum := gaussian(rng, d)
	loss := func(w []float64) float64 { // ½(w−w*)ᵀF(w−w*)
		var sum float64
		for i := range m {
			var dot float64
			for k := range d {
				dot += gradients[i*d+k] * (w[k] - optimum[k])
			}
			sum += dot * dot
		}
		return sum / (2 * m)
	}
	config := PruneConfig{Sparsity: 0.5, Rounds: 5, Gradients: m, Damping: 1e-6}
	surgeon, mask, err := PruneOBS(context.Background(), b, optimum, nil, fixed(gradients...), config)
	if err != nil {
		t.Fatal(err)
	}
	magnitude, _, err := PruneMagnitude(optimum, nil, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	diagonal, _, err := PruneDiagonalFisher(context.Background(), optimum, nil, fixed(gradients...), config)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string][]float64{"surgeon": surgeon, "magnitude": magnitude, "diagonal": diagonal} {
		zeros := 0
		for _, x := range w {
			if x == 0 {
				zeros++
			}
		}
		if zeros != d/2 {
			t.Errorf("%s left %d zeros, want %d", name, zeros, d/2)
		}
	}
	if s, g, f := loss(surgeon), loss(magnitude), loss(diagonal); s > g/10 || s > f/10 {
		t.Errorf("losses: surgeon %.4g, magnitude %.4g, diagonal %.4g; the surgeon's must be under a tenth", s, g, f)
	}
	// Pruning on never revives a weight.
	config.Sparsity = 0.8
	more, after, err := PruneOBS(context.Background(), b, surgeon, mask, fixed(gradients...), config)
	if err != nil {
		t.Fatal(err)
	}
	alive := 0
	for k := range after {
		if after[k] {
			alive++
		}
		if !mask[k] && (after[k] || more[k] != 0) {
			t.Errorf("weight %d was revived", k)
		}
	}
	if alive != 6 {
		t.Errorf("%d weights alive at sparsity 0.8, want 6 of 30", alive)
	}
}

func TestPruneTiesAndEnds(t *testing.T) {
	w, mask, err := PruneMagnitude([]float64{1, -1, 1, 1}, nil, 0.5)
	if err != nil || !slices.Equal(w, []float64{0, 0, 1, 1}) || !slices.Equal(mask, []bool{false, false, true, true}) {
		t.Errorf("ties: %v %v %v; the first ones must go", w, mask, err)
	}
	w, _, err = PruneMagnitude([]float64{1, 2}, nil, 0)
	if err != nil || !slices.Equal(w, []float64{1, 2}) {
		t.Errorf("sparsity 0: %v %v", w, err)
	}
	w, _, err = PruneMagnitude([]float64{1, 2}, nil, 1)
	if err != nil || !slices.Equal(w, []float64{0, 0}) {
		t.Errorf("sparsity 1: %v %v", w, err)
	}
}

func TestPruneBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	ctx := context.Background()
	for want, call := range map[string]func() error{
		"Sparsity is 1.5":  func() error { _, _, err := PruneMagnitude([]float64{1}, nil, 1.5); return err },
		"Sparsity is NaN":  func() error { _, _, err := PruneMagnitude([]float64{1}, nil, math.NaN()); return err },
		"weights is empty": func() error { _, _, err := PruneMagnitude(nil, nil, 0.5); return err },
		"mask has 2":       func() error { _, _, err := PruneMagnitude([]float64{1}, make([]bool, 2), 0.5); return err },
		"weight 1 is NaN":  func() error { _, _, err := PruneMagnitude([]float64{1, math.NaN()}, nil, 0.5); return err },
		"Rounds is -1": func() error {
			_, _, err := PruneOBS(ctx, b, []float64{1}, nil, fixed(1), PruneConfig{Rounds: -1})
			return err
		},
		"Inverse is for 1 gradients of 2 in Float64 in blocks of 0, must be for 1 of 1": func() error {
			f, err := NewInverseFisher(b, tensors.FromValue([][]float64{{1, 2}}), FisherConfig{Damping: 1})
			if err != nil {
				return err
			}
			_, _, err = PruneOBS(ctx, b, []float64{1}, nil, fixed(1), PruneConfig{Gradients: 1, Damping: 1, Inverse: f})
			return err
		},
		"the sampler returned 1": func() error {
			_, _, err := PruneDiagonalFisher(ctx, []float64{1, 2}, nil, fixed(1), PruneConfig{Gradients: 2})
			return err
		},
		"round 1 of 16": func() error {
			stopped, cancel := context.WithCancel(ctx)
			cancel()
			_, _, err := PruneDiagonalFisher(stopped, []float64{1}, nil, fixed(1), PruneConfig{Gradients: 1})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v must be the context's", err)
			}
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
