package bandit

import (
	"errors"
	"fmt"
	"math"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Choice is what a contextual learner decides in a round.
type Choice struct {
	// Arm played, from 0.
	Arm int
	// P is what the arm was drawn from, one probability an arm. Of Thompson sampling, whose probabilities nobody knows, it
	// is 1 at the arm. It belongs to the learner and is good until its next call.
	P []float64
}

// ContextualLearner sees the contexts of a round, plays an arm and learns its loss. The contexts are either one row for each
// arm, or a single row that all arms share: then arm a's context is the row at block a and zeros elsewhere, so that each arm
// has weights of its own ("disjoint").
type ContextualLearner = online.Learner[[][]float64, Choice, float64]

// ContextualEnvironment is the other side of the table.
type ContextualEnvironment = online.Environment[[][]float64, Choice, float64]

// UnitRow is a copy of the features with a constant 1 appended, scaled to unit length: the bias of a network without biases.
func UnitRow(features []float64) []float64 {
	row := append(append(make([]float64, 0, len(features)+1), features...), 1)
	var square float64
	for _, x := range row {
		square += x * x
	}
	for i := range row {
		row[i] /= math.Sqrt(square)
	}
	return row
}

// BlockContexts writes a row that all arms share as one context an arm: the row at block a of arm a's context, zeros
// elsewhere, arms × (arms·len(row)).
func BlockContexts(row []float64, arms int) [][]float64 {
	out := make([][]float64, arms)
	for a := range out {
		out[a] = make([]float64, arms*len(row))
		copy(out[a][a*len(row):], row)
	}
	return out
}

// shape of the contexts that a learner takes.
type shape struct{ rows, features int }

// check says what is wrong with contexts; who names the method.
func (s shape) check(who string, contexts [][]float64) error {
	if len(contexts) != s.rows {
		return fmt.Errorf("bandit: %s: contexts has %d rows, must have %d", who, len(contexts), s.rows)
	}
	var errs []error
	for k, row := range contexts {
		if len(row) != s.features {
			errs = append(errs, fmt.Errorf("bandit: %s: row %d of contexts has %d features, must have %d", who, k, len(row), s.features))
			continue
		}
		for i, x := range row {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				errs = append(errs, fmt.Errorf("bandit: %s: feature %d of row %d of contexts is %g, must be finite", who, i, k, x))
				break
			}
		}
	}
	return errors.Join(errs...)
}

// checkLoss says whether a loss is one.
func checkLoss(who string, loss float64) error {
	if !(loss >= 0 && loss <= 1) {
		return fmt.Errorf("bandit: %s: loss is %g, must be in [0, 1]", who, loss)
	}
	return nil
}

// armAt is the arm at the place u, in [0, 1), of the distribution p.
func armAt(p []float64, u float64) int {
	var sum float64
	last := 0
	for a, q := range p {
		if q == 0 {
			continue
		}
		if sum += q; u < sum {
			return a
		}
		last = a
	}
	return last // the sum may fall short of 1 by rounding
}

// one puts all probability on an arm.
func one(p []float64, arm int) {
	clear(p)
	p[arm] = 1
}
