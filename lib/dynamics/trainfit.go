package dynamics

import (
	"errors"
	"fmt"
	"math"
)

// TrainToFit is SGD, w ← w − (LR/Batch)·Σ ∇ℓ over a batch of distinct points drawn anew each step, until every training
// point has its margin. The whole training set is looked at every CheckEvery steps, which is how exact the time is.
type TrainToFit struct {
	LR         float64 // η > 0
	Batch      int     // points a step, between 1 and the number of points
	MaxSteps   int     // at least 1
	CheckEvery int     // steps; default points/Batch, at least 1
}

// Stop is how a run to fit ended. Time is t* = LR·steps.
type Stop struct {
	End
	Time float64
}

// Temperature of SGD is T = lr/batch, which its noise depends on.
func Temperature(lr float64, batch int) float64 { return lr / float64(batch) }

// at is the training at a temperature.
func (t TrainToFit) at(temperature float64) TrainToFit {
	t.LR = temperature * float64(t.Batch)
	return t
}

// every is CheckEvery with its default.
func (t TrainToFit) every(points int) int {
	if t.CheckEvery == 0 {
		return max(1, points/t.Batch)
	}
	return t.CheckEvery
}

// check is about a training set of a number of points.
func (t TrainToFit) check(points int) error {
	return errors.Join(checkRate(t.LR), t.checkCounts(points))
}

func checkRate(lr float64) error {
	if !(lr > 0) || math.IsInf(lr, 0) {
		return fmt.Errorf("dynamics: TrainToFit: LR is %g, must be positive and finite", lr)
	}
	return nil
}

// checkCounts leaves LR out.
func (t TrainToFit) checkCounts(points int) error {
	var errs []error
	if t.Batch < 1 || t.Batch > points {
		errs = append(errs, fmt.Errorf("dynamics: TrainToFit: Batch is %d, must be between 1 and %d, the number of points", t.Batch, points))
	}
	if t.MaxSteps < 1 {
		errs = append(errs, fmt.Errorf("dynamics: TrainToFit: MaxSteps is %d, must be at least 1", t.MaxSteps))
	}
	if t.CheckEvery < 0 {
		errs = append(errs, fmt.Errorf("dynamics: TrainToFit: CheckEvery is %d, must be at least 0", t.CheckEvery))
	}
	return errors.Join(errs...)
}

// batches draws distinct points for each step: the head of a permutation that each draw shuffles on. What a run sees depends
// on its own seed alone, wherever and beside whatever it runs. No point is likelier by more than a factor 1 + points/2³².
type batches struct {
	state uint64 // of SplitMix64
	order []int32
}

func newBatches(points int, seed uint64) *batches {
	b := &batches{state: seed, order: make([]int32, points)}
	for i := range b.order {
		b.order[i] = int32(i)
	}
	return b
}

// next are the points of the next step, good until the call after.
func (b *batches) next(n int) []int32 {
	for j := range n {
		b.state += 0x9E3779B97F4A7C15
		z := b.state
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		k := j + int((z^z>>31)>>32*uint64(len(b.order)-j)>>32)
		b.order[j], b.order[k] = b.order[k], b.order[j]
	}
	return b.order[:n]
}
