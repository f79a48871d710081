package dynamics_test

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/dynamics"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.15g, want %.15g ± %g", what, got, want, tolerance)
	}
}

func orbit(t *testing.T, p0, q0, a, kappa float64, steps int) *dynamics.Orbit {
	t.Helper()
	o, err := dynamics.ScalarOscillation(p0, q0, a, kappa, steps)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The first values, by an independent program.
func TestScalarOscillationStart(t *testing.T) {
	for a, want := range map[float64][]float64{
		0.5: {0.0104, 0.022760260689, 0.049947070106, 0.10817819663, 0.225690104254},
		1.2: {0.0104, 0.048291340674, 0.220045080433, 0.823421839207, 1.209115297111},
	} {
		o := orbit(t, 0.1, 0.02, a, 0.04, 5)
		for k, f := range want {
			near(t, "f", o.F[k], f, 6e-13)
		}
		if a == 1.2 {
			near(t, "p", o.P[5], 0.8234875800102871, 1e-15)
			near(t, "q", o.Q[5], 0.022689779204408678, 1e-15)
		}
	}
}

// Ends after 2000 steps, by an independent program.
func TestScalarOscillationEnd(t *testing.T) {
	for _, c := range []struct{ a, weak, sum float64 }{
		{0.5, 0.000497639, 5.50611}, {1.1, 0.0883122, 63.9176}, {1.2, 0.175301, 66.1502}, {1.5, 0.350600, math.NaN()},
	} {
		o := orbit(t, 0.1, 0.02, c.a, 0.04, 2000)
		near(t, "q²", o.Q[2000]*o.Q[2000], c.weak, 5e-7)
		if sum := o.CumulativeResidual(); !math.IsNaN(c.sum) {
			near(t, "the sum of residuals", sum[2000], c.sum, 5e-5)
		}
		bound, err := dynamics.StableWeakStrength(c.a, 0.04)
		if err != nil {
			t.Fatal(err)
		}
		if c.a > 1.15 && o.Q[2000]*o.Q[2000] < bound {
			t.Errorf("a = %g: q² is %g, below the bound %g", c.a, o.Q[2000]*o.Q[2000], bound)
		}
	}
	o := orbit(t, 0.1, 0.02, 1.2, 0.04, 2000)
	near(t, "p²", o.P[2000]*o.P[2000], 0.827852, 5e-7)
	// A small rate: q² grows as p^(2κ) does, to first order in a.
	o = orbit(t, 0.1, 0.02, 1e-3, 0.04, 40000)
	near(t, "growth of q²", (o.Q[40000]/o.Q[0])*(o.Q[40000]/o.Q[0]), 1.2023, 1e-3)
}

func TestStableWeakStrength(t *testing.T) {
	for a, want := range map[float64]float64{1.1: 0.094697, 1.2: 0.173611, 1.5: 0.347222, 1: 0, 0.5: 0} {
		got, err := dynamics.StableWeakStrength(a, 0.04)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "the stable strength", got, want, 5e-7)
	}
	// There the derivative of the map along f is −1: 2a(p² + κq²) = 2.
	q, err := dynamics.StableWeakStrength(1.3, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "a(p² + κq²)", 1.3*(1-q+0.1*q), 1, 1e-14)
}

// Growth and residuals are two sides of one identity, on every orbit that keeps its signs.
func TestScalarOscillationIdentity(t *testing.T) {
	for _, a := range []float64{0.05, 0.3, 0.99, 1, 1.01, 1.2, 1.3, 1.45, 1.59} {
		for _, kappa := range []float64{0, 0.01, 0.04, 0.3} {
			o := orbit(t, 0.13, 0.05, a, kappa, 700)
			var q, p, sum float64
			for _, f := range o.F[:700] {
				q += math.Log1p(a * kappa * (1 - f))
				p += math.Log1p(a * (1 - f))
				sum += 1 - f
			}
			near(t, "ln q", math.Log(o.Q[700]/o.Q[0]), q, 1e-10)
			near(t, "ln p", math.Log(o.P[700]/o.P[0]), p, 1e-10)
			near(t, "the sum", o.CumulativeResidual()[700], sum, 1e-10)
			if floats.Min(o.P) <= 0 || floats.Max(o.F) >= 2 {
				t.Errorf("a = %g, κ = %g: the orbit leaves its bounds", a, kappa)
			}
		}
	}
}

func TestPeriodTwo(t *testing.T) {
	for a, want := range map[float64][2]float64{1.1: {0.663494352844, 1.245596556247}, 1.2: {0.534785358754, 1.29854797458}, 1: {1, 1}} {
		low, high, err := dynamics.PeriodTwo(a)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "low", low, want[0], 6e-13)
		near(t, "high", high, want[1], 6e-13)
	}
	for _, a := range []float64{1.05, 1.2, 1.23, 1.3, 1.5} {
		low, high, err := dynamics.PeriodTwo(a)
		if err != nil {
			t.Fatal(err)
		}
		step := func(f float64) float64 { return f * (1 + a*(1-f)) * (1 + a*(1-f)) }
		near(t, "after low", step(low), high, 1e-12)
		near(t, "after high", step(high), low, 1e-12)
		near(t, "the mean", (low+high)/2, (1+1/a)/2, 1e-14)
		near(t, "the product", low*high, 1/(a*a), 1e-14)
		// It attracts below the doubling of the period, and not above.
		o := orbit(t, math.Sqrt(low+1e-4), 0, a, 0.04, 2000)
		gap := math.Min(math.Abs(o.F[2000]-low), math.Abs(o.F[2000]-high))
		if attracted := gap < 1e-6; attracted != (a < dynamics.PeriodDoubling) {
			t.Errorf("a = %g: an orbit from nearby ends %g away", a, gap)
		}
	}
	near(t, "the doubling", dynamics.PeriodDoubling, math.Sqrt(5)-1, 1e-15)
	near(t, "the end", dynamics.OscillationEnd, math.Sqrt(27./4)-1, 1e-15)
}

// Without a weak feature f converges below the start of the oscillation, alternates above, and flips p's sign or diverges
// beyond its end from some starts.
func TestThresholds(t *testing.T) {
	for _, a := range []float64{0.2, 0.9, 0.999} {
		o := orbit(t, 0.1, 0, a, 0, 20000)
		near(t, "f", o.F[20000], 1, 1e-9)
	}
	o := orbit(t, 0.1, 0, 1.002, 0, 20000)
	if gap := math.Abs(o.F[20000] - 1); gap < 0.01 {
		t.Errorf("just above the threshold f is %g from 1", gap)
	}
	top := func(a float64) float64 { return (1 + a) / (3 * a) } // where f(1 + a(1 − f))² is largest
	for a, stays := range map[float64]bool{dynamics.OscillationEnd - 1e-6: true, dynamics.OscillationEnd + 1e-6: false} {
		o := orbit(t, math.Sqrt(top(a)), 0, a, 0, 2)
		if got := o.P[2] > 0; got != stays {
			t.Errorf("a = %.8f: p keeps its sign: %t", a, got)
		}
	}
	o = orbit(t, 0.1, 0.02, 3, 0.04, 1000)
	if o.End.How != dynamics.Diverged || len(o.F) != o.End.Step || len(o.Q) != len(o.F) {
		t.Errorf("at a = 3 the orbit %s with %d values", o.End, len(o.F))
	}
	for _, f := range o.F {
		if !(f <= 1e6) {
			t.Errorf("the orbit holds %g", f)
		}
	}
}

func TestScalarOscillationAtRest(t *testing.T) {
	o := orbit(t, 0, 0, 1.2, 0.04, 3)
	if floats.Sum(o.F) != 0 || len(o.F) != 4 {
		t.Errorf("from 0 f is %v", o.F)
	}
	o = orbit(t, 0.5, 0.5, 1.2, 0.04, 0)
	if len(o.F) != 1 || o.F[0] != 0.5 || o.End != (dynamics.End{}) || o.CumulativeResidual()[0] != 0 {
		t.Errorf("no step: %+v", o)
	}
}

func TestOscillationErrors(t *testing.T) {
	nan := math.NaN()
	scalar := func(p, q, a, kappa float64, steps int) error {
		_, err := dynamics.ScalarOscillation(p, q, a, kappa, steps)
		return err
	}
	strength := func(a, kappa float64) error { _, err := dynamics.StableWeakStrength(a, kappa); return err }
	two := func(a float64) error { _, _, err := dynamics.PeriodTwo(a); return err }
	for _, c := range []struct {
		err  error
		want string
	}{
		{scalar(nan, .1, 1, .1, 1), "p0 is NaN"}, {scalar(.1, -1, 1, .1, 1), "q0 -1"}, {scalar(.1, .1, 0, .1, 1), "a is 0"},
		{scalar(.1, .1, math.Inf(1), .1, 1), "a is +Inf"}, {scalar(.1, .1, 1, 1.1, 1), "kappa is 1.1"}, {scalar(.1, .1, 1, nan, 1), "kappa is NaN"},
		{scalar(.1, .1, 1, .1, -1), "steps is -1"},
		{strength(0, 0), "a is 0"}, {strength(nan, 0), "a is NaN"}, {strength(1, 1), "kappa 1"}, {strength(1, -.1), "kappa -0.1"},
		{two(.9), "a is 0.9"}, {two(nan), "a is NaN"}, {two(math.Inf(1)), "a is +Inf"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("the error is %v, must say %q", c.err, c.want)
		}
	}
}
