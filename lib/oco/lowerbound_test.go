package oco

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/backend"
)

func lowerBoundRule(decay Decay, rounds int) Rule {
	s := PolynomialStep{Decay: decay, Horizon: rounds}
	if decay == InvSqrt {
		s.Horizon = 0
	}
	return GradientDescent(Ball{Radius: 1}, s)
}

// Numeric fact 1 of the last iterate: f(x^{T+1}) with 1/√t and with the linear decay, in both engines.
func TestLowerBoundFacts(t *testing.T) {
	b := backend.ForTest(t)
	for rounds, want := range map[int][2]float64{
		4: {0.0595380081, 0.0221371004}, 8: {0.0527222391, 0.0141000791}, 16: {0.0449488847, 0.0093162991},
		64: {0.0303442786, 0.0043620994}, 256: {0.0191871557, 0.0021350003},
	} {
		problem := Stochastic{Loss: LowerBound{Rounds: rounds}}
		for i, decay := range []Decay{InvSqrt, LinearDecay} {
			rule := lowerBoundRule(decay, rounds)
			r, err := problem.Descend(rule, rounds, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			near(t, fmt.Sprint(decay, ", T = ", rounds), []float64{problem.Gap(r.Last)}, []float64{want[i]}, 1e-10)
			if rounds > 64 {
				continue // the interpreted backend takes its time
			}
			d, err := CompileDescents(b, []Rule{rule}, problem, 0)
			if err != nil {
				t.Fatal(err)
			}
			runs, err := d.Run(context.Background(), []Rule{rule}, rounds, 0)
			if err != nil {
				t.Fatal(err)
			}
			near(t, fmt.Sprint("compiled, ", decay, ", T = ", rounds), runs[0].Last, r.Last, 1e-12)
		}
	}
}

// The instance's theorem, on every run: with 1/√t the last iterate is at least ln T/(32√T) high, as the t-th step goes along H_t.
func TestLowerBoundTheorem(t *testing.T) {
	for _, rounds := range []int{1, 2, 3, 5, 33, 100, 700} {
		problem := Stochastic{Loss: LowerBound{Rounds: rounds}}
		r, err := problem.Descend(lowerBoundRule(InvSqrt, rounds), rounds, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got, least := problem.Gap(r.Last), math.Log(float64(rounds))/(32*math.Sqrt(float64(rounds))); got < least {
			t.Errorf("T = %d: %g, must be at least %g", rounds, got, least)
		}
	}
}

// Exact ties go to the first: at the origin all T+1 values are 0, and after t steps all from t+1 on are equal.
func TestLowerBoundTies(t *testing.T) {
	l := LowerBound{Rounds: 5}
	g := make([]float64, 5)
	l.Subgradient(g, make([]float64, 5))
	near(t, "at the origin", g, []float64{-1 / (2 * math.Sqrt(5)), 0, 0, 0, 0}, 1e-16)
	if _, first := l.largest([]float64{0.1, 0.3, 0, 0, 0}); first != 3 {
		t.Errorf("first of the maxima is %d, must be 3", first)
	}
	if err := (LowerBound{}).Validate(); err == nil || !strings.Contains(err.Error(), "Rounds is 0") {
		t.Error(err)
	}
}
