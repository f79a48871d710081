package bandit

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
)

// TsallisINFCB is [TsallisINF] with a context in an interval: the interval is cut into bins of equal width, and each has a
// learner of its own, which sees the rounds whose context is nearest to the bin's centre (the lower of two).
//
// Source: Khodak et al. (2024), Tsallis-INF-CB, learners/TsallisINFCB.m, which has 5 or 6 bins.
type TsallisINFCB struct {
	low, high float64
	bins      []*TsallisINF
	bin       int // of the last Act; -1 before
}

var _ online.Learner[float64, int, float64] = (*TsallisINFCB)(nil)

// NewTsallisINFCB makes a learner over a grid of at least one finite value, with at least one bin on [low, high].
func NewTsallisINFCB(grid []float64, bins int, low, high float64, seed uint64) (*TsallisINFCB, error) {
	err := errors.Join(tsallisGrid("NewTsallisINFCB", grid), tsallisInterval("NewTsallisINFCB", low, high))
	if bins < 1 {
		err = errors.Join(err, fmt.Errorf("bandit: NewTsallisINFCB: bins is %d, must be at least 1", bins))
	}
	if err != nil {
		return nil, err
	}
	l := &TsallisINFCB{low: low, high: high, bins: make([]*TsallisINF, bins), bin: -1}
	for i := range l.bins {
		l.bins[i] = tsallisNew(grid, online.Seeded(seed, fmt.Sprintf("bandit: Tsallis-INF, bin %d", i)))
	}
	return l, nil
}

func tsallisInterval(function string, low, high float64) error {
	if !(low < high) || math.IsInf(low, 0) || math.IsInf(high, 0) {
		return fmt.Errorf("bandit: %s: low and high are %g and %g, must be finite and low below high", function, low, high)
	}
	return nil
}

func tsallisContext(learner string, context, low, high float64) error {
	if !(context >= low && context <= high) {
		return fmt.Errorf("bandit: %s: context is %g, must be in [%g, %g]", learner, context, low, high)
	}
	return nil
}

// Grid is what the actions stand for; it belongs to the learner.
func (l *TsallisINFCB) Grid() []float64 { return slices.Clone(l.bins[0].grid) }

// Act draws an index on the grid. A context outside [low, high], or a second Act in a row, is an error.
func (l *TsallisINFCB) Act(context float64) (int, error) {
	if err := tsallisContext("TsallisINFCB", context, l.low, l.high); err != nil {
		return 0, err
	}
	if l.bin >= 0 {
		return 0, errors.New("bandit: TsallisINFCB: Act follows Act, must follow Learn")
	}
	// Bins meet halfway between their centres.
	m := float64(len(l.bins))
	l.bin = max(0, int(math.Ceil((context-l.low)/(l.high-l.low)*m))-1)
	return l.bins[l.bin].Act(online.None{})
}

// Learn takes the cost of what the last Act chose: finite, at least 1.
func (l *TsallisINFCB) Learn(cost float64) error {
	if l.bin < 0 {
		return errors.New("bandit: TsallisINFCB: Learn without Act")
	}
	if err := tsallisCost("TsallisINFCB", cost); err != nil {
		return err
	}
	bin := l.bin
	l.bin = -1
	return l.bins[bin].Learn(cost)
}
