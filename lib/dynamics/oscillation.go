package dynamics

import (
	"errors"
	"fmt"
	"math"
)

// Scaled learning rates a at which the oscillation of a strong feature alone changes; see [ScalarOscillation].
const (
	OscillationStart = 1                   // f = 1 is stable below, and the orbit of [PeriodTwo] above
	PeriodDoubling   = 1.23606797749978970 // √5 − 1: up to here, where orbits of period 4, 8, … and chaos begin
	OscillationEnd   = 1.59807621135331594 // √(27/4) − 1: up to here f stays bounded and p keeps its sign
)

// Orbit is a run of [ScalarOscillation]: one value more than there were steps, the first being the start.
type Orbit struct {
	F, P, Q []float64
	End     End
}

// ScalarOscillation is gradient descent on one sample that holds a strong feature, of strength p², and a weak one, of q², with
// the scaled learning rate a and the squared ratio κ of the features' norms:
//
//	f = p² + q²,   p ← p·(1 + a(1 − f)),   q ← q·(1 + aκ(1 − f))
//
// Hence ln(q_T/q_0) = Σ ln(1 + aκ(1 − f_t)), and likewise for p. For a < 1 f converges and the sum of 1 − f_t stays
// bounded: q has hardly moved. For 1 < a < [OscillationEnd] f oscillates about a mean below 1, the sum grows steadily and q
// with it, until q² is [StableWeakStrength], where the oscillation dies out.
//
// a must be positive, κ in [0, 1], p0 and q0 finite and not negative. The run ends as diverged where |f| > 10⁶. An orbit has
// the same bits on every machine.
//
// Source: the single training point of Lu, Wu, Yang, Zou (2024), Benign Oscillation of Stochastic Gradient Descent with Large
// Learning Rates; the thresholds in a are derived here.
func ScalarOscillation(p0, q0, a, kappa float64, steps int) (*Orbit, error) {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("dynamics: ScalarOscillation: "+format, args...))
	}
	if !(p0 >= 0 && q0 >= 0) || math.IsInf(p0, 0) || math.IsInf(q0, 0) {
		bad("p0 is %g and q0 %g, must be finite and not negative", p0, q0)
	}
	if !(a > 0) || math.IsInf(a, 0) {
		bad("a is %g, must be positive and finite", a)
	}
	if !(kappa >= 0 && kappa <= 1) {
		bad("kappa is %g, must be between 0 and 1", kappa)
	}
	if steps < 0 {
		bad("steps is %d, must not be negative", steps)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	o := &Orbit{}
	p, q := p0, q0
	for t := range steps + 1 {
		f := float64(p*p) + float64(q*q) // the conversions keep machines from fusing product and sum
		if !(math.Abs(f) <= divergedAt) {
			o.End = End{Diverged, t}
			return o, nil
		}
		o.F, o.P, o.Q = append(o.F, f), append(o.P, p), append(o.Q, q)
		e := float64(a * (1 - f))
		p, q = p*(1+e), q*(1+float64(kappa*e))
	}
	o.End = End{StepLimit, steps}
	return o, nil
}

// CumulativeResidual is Σ_{s<t} (1 − f_s), one value for each t.
func (o *Orbit) CumulativeResidual() []float64 {
	out := make([]float64, len(o.F))
	for t := 1; t < len(out); t++ {
		out[t] = out[t-1] + 1 - o.F[t-1]
	}
	return out
}

// PeriodTwo returns the two values between which f alternates at the scaled learning rate a ≥ 1 without a weak feature:
// 1 + (1 − s)/a for the two s with s + 1/s = 1 + a. Their mean is (1 + 1/a)/2, so that 1 − f is (1 − 1/a)/2 on average, which
// is what feeds a weak feature. The orbit attracts up to [PeriodDoubling].
func PeriodTwo(a float64) (low, high float64, err error) {
	if !(a >= 1) || math.IsInf(a, 0) {
		return 0, 0, fmt.Errorf("dynamics: PeriodTwo: a is %g, must be finite and at least 1", a)
	}
	s := (1 + a + math.Sqrt((1+a)*(1+a)-4)) / 2
	return 1 + (1-s)/a, 1 + (1-1/s)/a, nil
}

// StableWeakStrength is the least strength q² of the weak feature at which f = 1 is stable at the scaled learning rate a:
// (1 − 1/a)/(1 − κ), and 0 for a ≤ 1. a must be positive, κ at least 0 and below 1. For aκ > 1 no strength is enough, and the
// value exceeds 1.
func StableWeakStrength(a, kappa float64) (float64, error) {
	if !(a > 0) || math.IsInf(a, 0) || !(kappa >= 0 && kappa < 1) {
		return 0, fmt.Errorf("dynamics: StableWeakStrength: a is %g and kappa %g, must be positive and finite, and between 0 and 1 (left out)", a, kappa)
	}
	return max(0, (1-1/a)/(1-kappa)), nil
}

// divergedAt is the |f| beyond which a run has diverged.
const divergedAt = 1e6
