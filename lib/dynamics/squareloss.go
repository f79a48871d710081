package dynamics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/online"
)

// SquareLossSGD is stochastic gradient descent on half the mean square loss, L(θ) = (1/2n) Σ (f(x_i) − y_i)²: a step is
//
//	θ ← θ − η (1/B) Σ (f(x_i) − y_i)∇f(x_i)   over a batch of B fresh draws, not over a permutation's next B
type SquareLossSGD struct {
	Rate float64 // η > 0
	// Batch is B; 0: all examples, which is gradient descent.
	Batch       int
	Replacement bool // draws a batch with it; without, a batch holds no example twice
	// Clip is the length that longer gradients are cut to; 0: none. From large first weights SGD overshoots before it
	// finds a region that is stable for it: a long run clips early only, see [SquareLossRun].
	Clip      float64
	Steps     int     // at most
	Tolerance float64 // the run ends where L is below; default 1e-9
	// Check is how many steps there are between two looks at L; default n/B, rounded up: as many as see n examples.
	Check int
	// Limit ends a run as diverged whose batch has a larger loss; default 1e12.
	Limit float64
	// Every records the sharpness before the first step and after each so many; 0: never.
	Every int
	Seed  uint64 // of the batches
}

// SquareLossRun is a run of [SquareLossSGD].
type SquareLossRun struct {
	End
	// LastClipped is the last step whose gradient was clipped, from 1; 0: none was. What stability says of the end needs it to
	// be long before.
	LastClipped int
	Record      []SharpnessReport
}

// Run changes the net, whose parameters stay finite: those of a run that diverged are from before the bad step. An ended
// context ends the run with its error.
func (s SquareLossSGD) Run(ctx context.Context, net ScalarNet, x *mat.Dense, y []float64) (SquareLossRun, error) {
	if err := errors.Join(validExamples("SquareLossSGD", net, x, y), s.validate(len(y))); err != nil {
		return SquareLossRun{}, err
	}
	s = s.complete(len(y))
	var run SquareLossRun
	draw, p := s.batches(len(y)), parameters(net)
	gradient, scratch := make([]float64, p), make([]float64, p)
	for {
		if s.Every > 0 && run.Step%s.Every == 0 {
			report, err := SharpnessOf(net, x, y)
			if err != nil {
				return run, err
			}
			report.Step = run.Step
			run.Record = append(run.Record, report)
		}
		if run.Step%s.Check == 0 && squareLoss(net, x, y, scratch) < s.Tolerance {
			run.How = Fitted
			return run, nil
		}
		if run.Step == s.Steps {
			return run, nil
		}
		if run.Step%128 == 0 && ctx.Err() != nil {
			return run, ctx.Err()
		}
		run.Step++
		clipped, ok := s.step(net, x, y, draw(), gradient, scratch)
		if !ok {
			run.How = Diverged
			return run, nil
		}
		if clipped {
			run.LastClipped = run.Step
		}
	}
}

// step is false, and changes nothing, where the batch's loss or gradient is out of bounds.
func (s SquareLossSGD) step(net ScalarNet, x *mat.Dense, y []float64, batch []int, gradient, scratch []float64) (clipped, ok bool) {
	loss, each := 0.0, 1/float64(len(batch))
	for k, i := range batch {
		r := net.Gradient(scratch, x.RawRowView(i)) - y[i]
		loss += r * r * each / 2
		if k == 0 {
			floats.ScaleTo(gradient, r*each, scratch)
		} else {
			floats.AddScaled(gradient, r*each, scratch)
		}
	}
	length := math.Sqrt(floats.Dot(gradient, gradient))
	if !(loss <= s.Limit) || math.IsNaN(length) || math.IsInf(length, 0) {
		return false, false
	}
	rate := s.Rate
	if clipped = s.Clip > 0 && length > s.Clip; clipped {
		rate *= s.Clip / length
	}
	for _, block := range net.Blocks() {
		floats.AddScaled(block, -rate, gradient[:len(block)])
		gradient = gradient[len(block):]
	}
	return clipped, true
}

// batches returns a function that draws one; its slice is used again.
func (s SquareLossSGD) batches(n int) func() []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	if s.Batch == 0 || s.Batch == n && !s.Replacement {
		return func() []int { return rows }
	}
	rng := online.Seeded(s.Seed, "batches of SGD on the square loss")
	if s.Replacement || s.Batch == 1 {
		batch := make([]int, s.Batch)
		return func() []int {
			for k := range batch {
				batch[k] = rng.IntN(n)
			}
			return batch
		}
	}
	return func() []int { return firstShuffled(rows, s.Batch, rng) }
}

// firstShuffled moves k values drawn without replacement to the front.
func firstShuffled(rows []int, k int, rng *rand.Rand) []int {
	for i := range k {
		j := i + rng.IntN(len(rows)-i)
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows[:k]
}

func (s SquareLossSGD) complete(n int) SquareLossSGD {
	if s.Tolerance == 0 {
		s.Tolerance = 1e-9
	}
	if s.Limit == 0 {
		s.Limit = 1e12
	}
	if s.Check == 0 {
		s.Check = 1
		if s.Batch > 0 {
			s.Check = (n + s.Batch - 1) / s.Batch
		}
	}
	return s
}

func (s SquareLossSGD) validate(n int) error {
	var errs []error
	check := func(ok bool, name string, value any, allowed string) {
		if !ok {
			errs = append(errs, fmt.Errorf("dynamics: SquareLossSGD: %s is %v, must be %s", name, value, allowed))
		}
	}
	check(s.Rate > 0 && !math.IsInf(s.Rate, 0), "Rate", s.Rate, "positive and finite")
	check(s.Batch >= 0 && (s.Replacement || s.Batch <= n), "Batch", s.Batch, fmt.Sprintf("at least 0, and without replacement at most %d, the number of examples", n))
	check(s.Clip >= 0 && !math.IsInf(s.Clip, 0), "Clip", s.Clip, "at least 0 and finite")
	check(s.Steps >= 0, "Steps", s.Steps, "at least 0")
	check(s.Tolerance >= 0 && !math.IsInf(s.Tolerance, 0), "Tolerance", s.Tolerance, "at least 0 and finite")
	check(s.Check >= 0, "Check", s.Check, "at least 0")
	check(s.Limit >= 0, "Limit", s.Limit, "at least 0")
	check(s.Every >= 0, "Every", s.Every, "at least 0")
	return errors.Join(errs...)
}
