package curvature

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// GradientSampler returns n gradients of a model's loss at flat weights, one a row: n·len(weights) numbers. Each is the
// gradient of one minibatch (or one example), taken in evaluation mode with the true labels. Biases and other weights
// that must not be pruned are left out of the flat vector.
type GradientSampler func(ctx context.Context, weights []float64, n int) ([]float64, error)

// PruneConfig configures [PruneOBS] and [PruneDiagonalFisher].
type PruneConfig struct {
	// Sparsity is the fraction of weights that are zero afterwards, between 0 and 1.
	Sparsity float64
	// Rounds is in how many rounds to get there, with fresh gradients each: after round j a fraction
	// (1−Sparsity)^(j/Rounds) is alive. 0: 16, as in the paper's script. 1: one shot.
	Rounds int
	// Gradients is m, how many gradients a round collects. 0: 64.
	Gradients int
	// Damping is λ > 0. 0: 1e-5.
	Damping float64
	// Block is the block size of the Fisher matrix. 0: one block; the paper's script uses 128.
	Block int
	// NoUpdate leaves the surviving weights as they are instead of correcting them for the pruned ones.
	NoUpdate bool
	// Inverse is used again where one prunes often: an inverse of Gradients × weights in float64 with this Block, whose
	// gradients and damping are replaced. nil: a new one is compiled.
	Inverse *InverseFisher
}

func (c PruneConfig) withDefaults() PruneConfig {
	c.Rounds = cmp.Or(c.Rounds, 16)
	c.Gradients = cmp.Or(c.Gradients, 64)
	c.Damping = cmp.Or(c.Damping, 1e-5)
	return c
}

func (c PruneConfig) validate(weights []float64, mask []bool) error {
	errs := []error{checkPrune("PruneConfig", weights, mask, c.Sparsity)}
	if c.Rounds < 1 {
		errs = append(errs, fmt.Errorf("curvature: PruneConfig: Rounds is %d, must be at least 1 (0 means 16)", c.Rounds))
	}
	if c.Gradients < 1 {
		errs = append(errs, fmt.Errorf("curvature: PruneConfig: Gradients is %d, must be at least 1 (0 means 64)", c.Gradients))
	}
	errs = append(errs, FisherConfig{Damping: c.Damping, Block: c.Block}.validate(len(weights)))
	if f := c.Inverse; f != nil && (f.dtype != dtypes.Float64 || f.m != c.Gradients || f.d != len(weights) || f.config.Block != c.Block) {
		errs = append(errs, fmt.Errorf("curvature: PruneConfig: Inverse is for %d gradients of %d in %s in blocks of %d, must be for %d of %d in Float64 in blocks of %d",
			f.m, f.d, f.dtype, f.config.Block, c.Gradients, len(weights), c.Block))
	}
	return errors.Join(errs...)
}

func checkPrune(what string, weights []float64, mask []bool, sparsity float64) error {
	var errs []error
	if len(weights) == 0 {
		errs = append(errs, fmt.Errorf("curvature: %s: weights is empty", what))
	}
	if mask != nil && len(mask) != len(weights) {
		errs = append(errs, fmt.Errorf("curvature: %s: mask has %d entries, must be nil or have one a weight, %d", what, len(mask), len(weights)))
	}
	if !(sparsity >= 0 && sparsity <= 1) {
		errs = append(errs, fmt.Errorf("curvature: %s: Sparsity is %g, must be between 0 and 1", what, sparsity))
	}
	for i, w := range weights {
		if math.IsNaN(w) || math.IsInf(w, 0) {
			errs = append(errs, fmt.Errorf("curvature: %s: weight %d is %g, must be finite", what, i, w))
			break
		}
	}
	return errors.Join(errs...)
}

// PruneOBS prunes by Optimal Brain Surgeon with M-FAC's inverse: the weights with the smallest w²/(2[F⁻¹]_kk) go, and the
// others take on F⁻¹t with t_k = −w_k/[F⁻¹]_kk on the pruned ones, the sum of the single-weight updates. mask says which
// weights are alive (nil: all); a pruned weight never comes back.
//
// It returns new weights and a new mask. Source: Frantar et al. (2021), Section 3.1 and Algorithm 1.
func PruneOBS(ctx context.Context, b compute.Backend, weights []float64, mask []bool, sample GradientSampler, config PruneConfig) ([]float64, []bool, error) {
	config = config.withDefaults()
	if err := config.validate(weights, mask); err != nil {
		return nil, nil, err
	}
	d := len(weights)
	inverse := config.Inverse
	return inRounds(ctx, weights, mask, sample, config, func(w []float64, _ []bool, gradients []float64) ([]float64, func([]int) error, error) {
		// A dead coordinate has no gradient: F is λ on it and couples it with nothing, as if it were not there.
		g := tensors.FromFlatDataAndDimensions(gradients, config.Gradients, d)
		var err error
		if inverse == nil {
			inverse, err = NewInverseFisher(b, g, FisherConfig{Damping: config.Damping, Block: config.Block})
		} else {
			err = inverse.Refresh(g, config.Damping)
		}
		if err != nil {
			return nil, nil, err
		}
		diagonal, err := inverse.Diag()
		if err != nil {
			return nil, nil, err
		}
		h := tensors.MustCopyFlatData[float64](diagonal)
		scores := make([]float64, d)
		for k := range scores {
			scores[k] = w[k] * w[k] / (2 * h[k])
		}
		return scores, func(pruned []int) error {
			if config.NoUpdate {
				return nil
			}
			t := make([]float64, d)
			for _, k := range pruned {
				t[k] = -w[k] / h[k]
			}
			change, err := inverse.Mul(tensors.FromFlatDataAndDimensions(t, d))
			if err != nil {
				return err
			}
			for k, dw := range tensors.MustCopyFlatData[float64](change) {
				w[k] += dw
			}
			return nil
		}, nil
	})
}

// PruneDiagonalFisher prunes the weights with the smallest w²·(λ + mean g²)/2, and changes no other: the baseline that
// ignores how weights depend on each other. Block and NoUpdate are not used.
func PruneDiagonalFisher(ctx context.Context, weights []float64, mask []bool, sample GradientSampler, config PruneConfig) ([]float64, []bool, error) {
	config = config.withDefaults()
	if err := config.validate(weights, mask); err != nil {
		return nil, nil, err
	}
	d := len(weights)
	return inRounds(ctx, weights, mask, sample, config, func(w []float64, _ []bool, gradients []float64) ([]float64, func([]int) error, error) {
		scores := make([]float64, d)
		for i, g := range gradients {
			scores[i%d] += g * g
		}
		for k := range scores {
			scores[k] = w[k] * w[k] * (config.Damping + scores[k]/float64(config.Gradients)) / 2
		}
		return scores, func([]int) error { return nil }, nil
	})
}

// PruneMagnitude prunes the smallest weights, to a sparsity between 0 and 1.
func PruneMagnitude(weights []float64, mask []bool, sparsity float64) ([]float64, []bool, error) {
	if err := checkPrune("PruneMagnitude", weights, mask, sparsity); err != nil {
		return nil, nil, err
	}
	w, alive := slices.Clone(weights), cloneMask(mask, len(weights))
	scores := make([]float64, len(w))
	for k := range w {
		scores[k] = math.Abs(w[k])
	}
	for _, k := range smallest(scores, alive, 1-sparsity) {
		alive[k] = false
	}
	bury(w, alive)
	return w, alive, nil
}

// inRounds prunes round by round: score looks at fresh gradients and returns a score for each weight, and what corrects
// the weights once it is known which ones go.
func inRounds(ctx context.Context, weights []float64, mask []bool, sample GradientSampler, config PruneConfig,
	score func(w []float64, alive []bool, gradients []float64) (scores []float64, correct func(pruned []int) error, err error),
) ([]float64, []bool, error) {
	w, alive := slices.Clone(weights), cloneMask(mask, len(weights))
	bury(w, alive)
	for round := 1; round <= config.Rounds; round++ {
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("curvature: pruning stopped in round %d of %d: %w", round, config.Rounds, err)
		}
		gradients, err := sample(ctx, slices.Clone(w), config.Gradients)
		if err != nil {
			return nil, nil, fmt.Errorf("curvature: pruning round %d: %w", round, err)
		}
		if len(gradients) != config.Gradients*len(w) {
			return nil, nil, fmt.Errorf("curvature: pruning round %d: the sampler returned %d numbers, must be %d gradients of %d", round, len(gradients), config.Gradients, len(w))
		}
		gradients = slices.Clone(gradients)
		for i := range gradients {
			if !alive[i%len(w)] {
				gradients[i] = 0
			}
		}
		scores, correct, err := score(w, alive, gradients)
		if err != nil {
			return nil, nil, fmt.Errorf("curvature: pruning round %d: %w", round, err)
		}
		pruned := smallest(scores, alive, math.Pow(1-config.Sparsity, float64(round)/float64(config.Rounds)))
		if err := correct(pruned); err != nil {
			return nil, nil, fmt.Errorf("curvature: pruning round %d: %w", round, err)
		}
		for _, k := range pruned {
			alive[k] = false
		}
		bury(w, alive)
	}
	return w, alive, nil
}

// smallest returns the alive weights that must go to leave a fraction of all weights alive: those of the smallest
// scores, the first ones where scores are equal.
func smallest(scores []float64, alive []bool, fraction float64) []int {
	var order []int
	for k := range alive {
		if alive[k] {
			order = append(order, k)
		}
	}
	dead := len(alive) - len(order)
	n := int(math.Round(float64(len(alive))*(1-fraction))) - dead
	if n <= 0 {
		return nil
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scores[i], scores[j]) })
	return order[:n]
}

// bury sets the weights that are not alive to exactly zero.
func bury(w []float64, alive []bool) {
	for k := range w {
		if !alive[k] {
			w[k] = 0
		}
	}
}

func cloneMask(mask []bool, n int) []bool {
	if mask != nil {
		return slices.Clone(mask)
	}
	alive := make([]bool, n)
	for k := range alive {
		alive[k] = true
	}
	return alive
}
