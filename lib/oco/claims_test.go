package oco

import (
	"context"
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/hindsight-go/hindsight/lib/online"
)

// regretAt plays an adversary round by round and returns the regret after each of the rising horizons, each held against its
// own best point.
func regretAt(t *testing.T, sea SEA, rule Rule, seed uint64, horizons ...int) []float64 {
	t.Helper()
	last := horizons[len(horizons)-1]
	runs, err := online.Play(context.Background(), func(seed uint64) (online.Environment[online.None, []float64, []float64], error) {
		return NewSEAEnvironment(sea, last, seed)
	}, func(uint64) (Learner, error) { return rule.Start(sea.Dim()) }, last, []uint64{seed}, online.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, best := sea.Best(horizons)
	var out []float64
	var sum float64
	for n, loss := range runs[0].Losses {
		if sum += loss; n+1 == horizons[len(out)] {
			out = append(out, sum-best[len(out)])
		}
	}
	return out
}

// slope of log y against log x.
func slope(x, y []float64) float64 {
	var lx, ly []float64
	for i := range x {
		lx, ly = append(lx, math.Log(x[i])), append(ly, math.Log(y[i]))
	}
	_, b := stat.LinearRegression(lx, ly, nil, false)
	return b
}

// What the theory says of streams without noise, where nothing is left to chance: regret is in proportion to the variation,
// grows like √T where the means move and not at all where they rest, and with the strongly convex step a rest costs nothing.
// Ranges are those of the specification of the experiments.
func TestRatesWithoutNoise(t *testing.T) {
	rule := func(q Quadratic) Rule {
		return OptimisticDescent(q.Ball(), AdaptiveStep{Diameter: 2, Gradient: 1.3 + q.Centers[1][1] + q.Noise, Smoothness: 1})
	}
	var swings, regrets []float64
	for _, v := range []float64{0.1, 0.2, 0.4, 0.8} {
		q := alternating(v, 0, 5)
		swings, regrets = append(swings, v), append(regrets, regretAt(t, q, rule(q), 1, 20_000)[0])
	}
	if s := slope(swings, regrets); s < 0.85 || s > 1.2 {
		t.Errorf("slope of regret in the swing is %g, must be in [0.85, 1.2]", s)
	}
	horizons, ns := []int{1250, 2500, 5000, 10_000, 20_000, 40_000}, []float64{1250, 2500, 5000, 10_000, 20_000, 40_000}
	for v, limits := range map[float64][2]float64{0: {-0.02, 0.02}, 0.4: {0.42, 0.62}} {
		q := alternating(v, 0, 5)
		if s := slope(ns, regretAt(t, q, rule(q), 1, horizons...)); s < limits[0] || s > limits[1] {
			t.Errorf("swing %g: slope of regret in T is %g, must be in %v", v, s, limits)
		}
	}
	q := alternating(0, 0, 5)
	r := regretAt(t, q, OptimisticDescent(q.Ball(), StronglyConvexStep{Convexity: 1}), 1, 1000, 16_000)
	if r[1]-r[0] > 1e-6 || math.Abs(r[0]-0.657) > 1e-3 {
		t.Errorf("strongly convex: regret is %g after 1000 rounds and %g after 16000, must stay at 0.657", r[0], r[1])
	}
}

// A guess that is mostly right gains, one that is always wrong loses.
func TestSwitchingLosses(t *testing.T) {
	ball := Ball{Radius: 0.5}
	optimist, plain := OptimisticDescent(ball, AdaptiveStep{Diameter: 1, Gradient: 1}), GradientDescent(ball, RootStep{Scale: 1})
	after := func(block int, rule Rule) float64 {
		return regretAt(t, Switching{Block: block, Radius: 0.5}, rule, 1, 20_000)[0]
	}
	near(t, "blocks of 8", []float64{after(8, optimist), after(8, plain)}, []float64{-115, 126.6}, 1)
	near(t, "blocks of 1", []float64{after(1, optimist), after(1, plain)}, []float64{210, 140}, 1)
}

// The bounds in the mean are some twenty times what is measured, so that five seeds decide.
func TestExpectedBounds(t *testing.T) {
	for _, c := range [][2]float64{{0, 0}, {0.8, 0}, {0, 0.4}, {0.8, 0.4}} {
		q := alternating(c[1], c[0], 5)
		const rounds = 5000
		step := AdaptiveStep{Diameter: 2, Gradient: 1.3 + c[0] + c[1], Smoothness: 1}
		leader := OptimisticFTRL{Over: q.Ball(), Gradient: 1.3 + c[0] + c[1], Smoothness: 1}
		var descent, ftrl float64
		for seed := range uint64(5) {
			descent += regretAt(t, q, OptimisticDescent(q.Ball(), step), seed, rounds)[0] / 5
			ftrl += regretAt(t, q, leader, seed, rounds)[0] / 5
		}
		if most := step.ExpectedBound(q.CumVariance(rounds), q.CumVariation(rounds)); descent > most {
			t.Errorf("σ = %g, v = %g: mirror descent's regret is %g, above %g", c[0], c[1], descent, most)
		}
		if most := leader.ExpectedBound(5, q.CumVariance(rounds), q.CumVariation(rounds)); ftrl > most {
			t.Errorf("σ = %g, v = %g: FTRL's regret is %g, above %g", c[0], c[1], ftrl, most)
		}
	}
	// At σ = 0.8 and T = 20000 the paper's constants give 1687.
	if b := (AdaptiveStep{Diameter: 2, Gradient: 2.1, Smoothness: 1}).ExpectedBound(20_000*0.64, 1.3*1.3); math.Abs(b-1700) > 20 {
		t.Errorf("bound %g", b)
	}
}
