package dynamics

import (
	"fmt"
	"math"
)

// HingeMargin is the hinge loss with margin κ on the centered output y·(f − f0): the mean over the batch, the fitted points
// included, of max(0, κ − y·(f − f0)). It is the loss (1/α)·max(0, 1 − y·α·(f − f0)) with κ = 1/α, whose gradient does not
// grow with α.
type HingeMargin float64

// MarginOf is the margin 1/α of an output scale.
func MarginOf(alpha float64) HingeMargin { return HingeMargin(1 / alpha) }

// Loss is the mean over the margins y·(f − f0) of points; NaN of none.
func (k HingeMargin) Loss(margins []float64) float64 {
	sum := 0.0
	for _, m := range margins {
		sum += max(0, float64(k)-m)
	}
	return sum / float64(len(margins))
}

// Unfitted says whether a margin y·(f − f0) has a gradient: whether it is less than κ.
func (k HingeMargin) Unfitted(margin float64) bool { return margin < float64(k) }

func (k HingeMargin) check(where string) error {
	if !(k > 0) || math.IsInf(float64(k), 0) {
		return fmt.Errorf("dynamics: %s: the hinge's margin is %g, must be positive and finite", where, float64(k))
	}
	return nil
}
