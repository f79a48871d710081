package oco

import (
	"math"
	"strings"
	"testing"
)

func rates(s StepSize, rounds int) (out []float64) {
	for t := 1; t <= rounds; t++ {
		out = append(out, s.Rate(t, 0))
	}
	return out
}

// Numeric fact 2 of the last iterate: schedules by hand.
func TestScheduleFacts(t *testing.T) {
	near(t, "linear decay", rates(PolynomialStep{Decay: LinearDecay, Horizon: 4}, 5), []float64{.5, .375, .25, .125, 0}, 1e-15)
	near(t, "linear decay, p = 1.5", rates(PolynomialStep{Decay: LinearDecay, Horizon: 4, Moment: 1.5}, 4), []float64{.396850263, .2976376972, .1984251315, .0992125657}, 1e-9)
	near(t, "single", rates(ConditionedStep{Convexity: 1, Smoothness: 4}, 3), []float64{1. / 9, .1, 1. / 11}, 1e-15)
	near(t, "double", rates(ConditionedStep{Convexity: 1, Smoothness: 4, Form: Double}, 3), []float64{1. / 9, .1052631579, .1}, 1e-9)
	// By hand from the table of schedules.
	near(t, "two phases", rates(ConditionedStep{Convexity: 2, Smoothness: 2, Form: TwoPhase, Horizon: 5}, 5), []float64{1. / 7, 1. / 7, 1. / 7, 1. / 7, 1. / 8}, 1e-15)
	near(t, "inverse root, capped", rates(PolynomialStep{Smoothness: 0.75}, 4), []float64{2. / 3, 2. / 3, 1 / math.Sqrt(3), .5}, 1e-15)
	near(t, "constant", rates(PolynomialStep{Decay: Const, Horizon: 4, Scale: 3}, 3), []float64{1.5, 1.5, 1.5}, 1e-15)
	near(t, "heavy tail", rates(PolynomialStep{Moment: 1.25}, 2), []float64{1, math.Pow(2, -0.8)}, 1e-15)
	// η_* = D^{(2−p)/p}/(2L): D^{1/3}/4 here.
	near(t, "heavy tail, capped", rates(PolynomialStep{Moment: 1.5, Smoothness: 2, Divergence: 8}, 2), []float64{.5, .5}, 1e-15)
	near(t, "a horizon of one", rates(PolynomialStep{Decay: LinearDecay, Horizon: 1}, 1), []float64{1}, 0)
}

// No schedule for smooth or strongly convex problems exceeds 1/(2L ∨ μ).
func TestSchedulesStayBelowTheCap(t *testing.T) {
	for _, l := range []float64{0, 0.1, 1, 10} {
		for _, mu := range []float64{0.01, 1, 5} {
			for _, form := range []Form{Single, Double, TwoPhase} {
				horizon := 0
				if form == TwoPhase {
					horizon = 9
				}
				for i, rate := range rates(ConditionedStep{Convexity: mu, Smoothness: l, Form: form, Horizon: horizon}, 9) {
					if rate > 1/math.Max(2*l, mu)*(1+1e-12) {
						t.Errorf("L = %g, μ = %g, form %d: step %d is %g", l, mu, form, i+1, rate)
					}
				}
			}
		}
	}
}

func TestScheduleBadArguments(t *testing.T) {
	for want, s := range map[string]StepSize{
		"Scale is -1":                    PolynomialStep{Scale: -1},
		"Scale is NaN":                   PolynomialStep{Scale: math.NaN()},
		"Horizon is 0, must be at least": PolynomialStep{Decay: LinearDecay},
		"Horizon is -1":                  PolynomialStep{Decay: Const, Horizon: -1},
		"must be 0 for InvSqrt":          PolynomialStep{Horizon: 3},
		"Smoothness is -1":               PolynomialStep{Smoothness: -1},
		"Moment is 1, must be in (1, 2]": PolynomialStep{Moment: 1},
		"Moment is 2.5":                  PolynomialStep{Moment: 2.5},
		"Divergence is -1":               PolynomialStep{Divergence: -1},
		"Decay is 7":                     PolynomialStep{Decay: 7},
		"Convexity is 0":                 ConditionedStep{},
		"Convexity is -1":                ConditionedStep{Convexity: -1},
		"Smoothness is +Inf":             ConditionedStep{Convexity: 1, Smoothness: math.Inf(1)},
		"must be 0 but for TwoPhase":     ConditionedStep{Convexity: 1, Horizon: 3},
		"Horizon is 0":                   ConditionedStep{Convexity: 1, Form: TwoPhase},
		"Form is 7":                      ConditionedStep{Convexity: 1, Form: 7},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	err := PolynomialStep{Decay: Const, Scale: -1, Moment: 3}.Validate()
	for _, want := range []string{"Scale", "Moment", "Horizon"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if InvSqrt.String() != "InvSqrt" || Decay(9).String() != "Decay(9)" {
		t.Errorf("names: %v, %v", InvSqrt, Decay(9))
	}
}
