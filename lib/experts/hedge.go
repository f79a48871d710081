package experts

import (
	"fmt"
	"math"

	"github.com/hindsight-go/hindsight/lib/online"
)

var (
	_ online.Learner[[]bool, []float64, []float64] = (*AdaNormalHedge)(nil)
	_ online.Bounded                               = (*AdaNormalHedge)(nil)
)

// HedgeOptions of [AdaNormalHedge].
type HedgeOptions struct {
	// MaxLoss is the upper end of the losses' range, which begins at 0; a loss beyond it is an error. 0: 1, what the bound
	// assumes. +Inf: any loss that is finite; [AdaNormalHedge.MaxGap] then tells whether the bound's condition held.
	MaxLoss float64
}

// AdaNormalHedge weighs experts of which some sleep, without a learning rate. With the regret R and the absolute regret C
// of each expert over the rounds in which it was awake, p ∝ w(R, C) over the awake ones, where
//
//	w(R, C) = ½·(exp((R+1)₊²/(3(C+1))) − exp((R−1)₊²/(3(C+1)))),
//
// and uniform over the awake ones where all weights are 0. The prior is uniform.
//
// The context says who is awake, the action is p with one weight an expert, and the feedback their losses; what stands
// in a sleeping expert's place is not looked at. A round in which all sleep has p = 1/N and changes nothing.
//
// Source: H. Luo, R. Schapire (2015), Achieving All with No Parameters: AdaNormalHedge, COLT, section 5.1.
type AdaNormalHedge struct {
	maxLoss   float64
	regret    []float64 // R
	absolute  []float64 // C
	p         []float64
	exponents []float64 // of the weights, before the largest is taken off
	awake     []bool
	anyone    bool
	acted     bool
	round     int
	gap       float64
}

// NewAdaNormalHedge makes one for n experts, n at least 1.
func NewAdaNormalHedge(n int, o HedgeOptions) (*AdaNormalHedge, error) {
	if n < 1 {
		return nil, fmt.Errorf("experts: NewAdaNormalHedge: n is %d, must be at least 1", n)
	}
	if o.MaxLoss == 0 {
		o.MaxLoss = 1
	}
	if !(o.MaxLoss > 0) {
		return nil, fmt.Errorf("experts: NewAdaNormalHedge: MaxLoss is %g, must be positive, or 0 for 1", o.MaxLoss)
	}
	return &AdaNormalHedge{maxLoss: o.MaxLoss, regret: make([]float64, n), absolute: make([]float64, n),
		p: make([]float64, n), exponents: make([]float64, n), awake: make([]bool, n), round: 1}, nil
}

// N is the number of experts.
func (h *AdaNormalHedge) N() int { return len(h.regret) }

// Regret is R of expert i: Σ (the p-average of the losses − its own) over the rounds in which it was awake.
func (h *AdaNormalHedge) Regret(i int) float64 { return h.regret[i] }

// Absolute is C of expert i: the same sum of absolute values.
func (h *AdaNormalHedge) Absolute(i int) float64 { return h.absolute[i] }

// MaxGap is the largest |p-average − loss| of an awake expert so far. The bound holds while it is at most 1.
func (h *AdaNormalHedge) MaxGap() float64 { return h.gap }

// BoundOf is the theory's bound on [AdaNormalHedge.Regret] of expert i, √(3·C·ln(N·B)) with B = 1 + 3/(2N)·Σ (1 + ln(1+C)).
// It holds on every run whose [AdaNormalHedge.MaxGap] is at most 1.
//
// Source: Luo, Schapire (2015), theorem 1 and its proof, with the uniform prior.
func (h *AdaNormalHedge) BoundOf(i int) float64 {
	return math.Sqrt(3 * h.absolute[i] * h.logPotential())
}

// Bound is the largest of the experts' bounds, against each expert over the rounds in which it is awake.
func (h *AdaNormalHedge) Bound() float64 {
	var largest float64
	for _, c := range h.absolute {
		largest = math.Max(largest, c)
	}
	return math.Sqrt(3 * largest * h.logPotential())
}

// logPotential is ln(N·B).
func (h *AdaNormalHedge) logPotential() float64 {
	var sum float64
	for _, c := range h.absolute {
		sum += 1 + math.Log1p(c)
	}
	return math.Log(float64(h.N()) + 1.5*sum)
}

// Act returns p, one weight an expert, for those that are awake.
func (h *AdaNormalHedge) Act(awake []bool) ([]float64, error) {
	if len(awake) != h.N() {
		return nil, fmt.Errorf("experts: AdaNormalHedge: round %d: the context has %d experts, must have %d", h.round, len(awake), h.N())
	}
	copy(h.awake, awake)
	h.acted = true
	count, largest := 0, math.Inf(-1)
	for i, a := range awake {
		h.p[i], h.exponents[i] = 0, math.Inf(-1)
		if !a {
			continue
		}
		count++
		exponent, factor := weight(h.regret[i], h.absolute[i])
		if factor > 0 {
			h.p[i], h.exponents[i] = factor, exponent
			largest = math.Max(largest, exponent)
		}
	}
	h.anyone = count > 0
	var sum float64
	for i, factor := range h.p {
		if factor > 0 {
			h.p[i] = factor * math.Exp(h.exponents[i]-largest)
			sum += h.p[i]
		}
	}
	for i, a := range awake {
		switch {
		case count == 0:
			h.p[i] = 1 / float64(h.N())
		case a && sum == 0:
			h.p[i] = 1 / float64(count)
		case a:
			h.p[i] /= sum
		}
	}
	return h.p, nil
}

// weight is w(R, C) as factor·exp(exponent): the exponent grows with R and overflows where R is some thousands.
func weight(regret, absolute float64) (exponent, factor float64) {
	up, down := math.Max(regret+1, 0), math.Max(regret-1, 0)
	scale := 3 * (absolute + 1)
	exponent = up * up / scale
	return exponent, -0.5 * math.Expm1(down*down/scale-exponent)
}

// Learn takes the losses, one an expert; those of the awake must be in [0, MaxLoss].
func (h *AdaNormalHedge) Learn(losses []float64) error {
	if err := h.check(losses); err != nil {
		return fmt.Errorf("experts: AdaNormalHedge: round %d: %w", h.round, err)
	}
	h.learn(losses)
	return nil
}

// check says what is wrong with losses, and changes nothing.
func (h *AdaNormalHedge) check(losses []float64) error {
	if !h.acted {
		return errActFirst
	}
	if len(losses) != h.N() {
		return fmt.Errorf("there are %d losses, must be one an expert, %d", len(losses), h.N())
	}
	for i, l := range losses {
		if h.awake[i] && !(l >= 0 && l <= h.maxLoss && l <= math.MaxFloat64) {
			return fmt.Errorf("the loss of expert %d is %g, must be in [0, %g] and finite", i, l, h.maxLoss)
		}
	}
	return nil
}

// learn takes losses that are checked.
func (h *AdaNormalHedge) learn(losses []float64) {
	h.acted = false
	h.round++
	if !h.anyone {
		return
	}
	var mean float64
	for i, p := range h.p {
		if h.awake[i] {
			mean += p * losses[i]
		}
	}
	for i, l := range losses {
		if !h.awake[i] {
			continue
		}
		r := mean - l
		h.regret[i] += r
		h.absolute[i] += math.Abs(r)
		h.gap = math.Max(h.gap, math.Abs(r))
	}
}
