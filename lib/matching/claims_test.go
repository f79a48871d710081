package matching

import (
	"math"
	"testing"
)

// measure simulates on thresholds where all probabilities are equal, else with coins.
func measure(t *testing.T, in *Instance, policy Policy, repetitions int) Estimate {
	t.Helper()
	_, equal := in.Equal()
	e, err := Simulate(t.Context(), in, policy, Options{Repetitions: repetitions, Seed: 1, Thresholds: equal})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// K3 and K5 on triangles and random graphs of small equal probabilities; the theorem is for infinitesimal ones.
func TestBalanceAgainstPrograms(t *testing.T) {
	type instance struct {
		name string
		in   *Instance
	}
	var all []instance
	for _, n := range []int{2, 4, 6, 8} {
		all = append(all, instance{"triangle", triangle(t, n, .1)})
	}
	all = append(all, instance{"triangle", triangle(t, 4, .05)})
	for k := range 12 {
		in, err := RandomBipartite(3+k%4, 20+5*(k%9), .2+.7*float64(k)/11, .05, uint64(k))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, instance{"random", in})
	}
	for k, c := range all {
		e := measure(t, c.in, StochasticBalance(nil), 4000)
		sc, err := StochasticConfigurationLP(c.in)
		if err != nil {
			t.Fatal(err)
		}
		m, err := MatchingLP(c.in)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %d: SC-LP %.3f ± %.3f, M-LP %.3f", c.name, k, e.Over(sc.Value).Mean, e.Over(sc.Value).StdErr, e.Over(m.Value).Mean)
		if e.Over(sc.Value).Mean < .613-.01 {
			t.Errorf("%s %d: %.4f of SC-LP", c.name, k, e.Over(sc.Value).Mean)
		}
		if p, _ := c.in.Equal(); p <= .05 && e.Over(m.Value).Mean < .576-.01 {
			t.Errorf("%s %d: %.4f of M-LP", c.name, k, e.Over(m.Value).Mean)
		}
	}
}

// K4 and K9 on triangles with unequal probabilities, or weights.
func TestBalanceAgainstOptimum(t *testing.T) {
	ratio := func(in *Instance, policy Policy) float64 {
		o, err := OfflineStochasticOptimum(in)
		if err != nil {
			t.Fatal(err)
		}
		return measure(t, in, policy, 4000).Over(o.Value).Mean
	}
	var gap float64
	for seed := range uint64(4) {
		in, err := UnequalTriangle(6, .05, 1, seed)
		if err != nil {
			t.Fatal(err)
		}
		balance, least := ratio(in, StochasticBalance(nil)), ratio(in, LeastLoaded())
		t.Logf("unequal: Balance %.3f, least loaded %.3f", balance, least)
		if balance < .611-.01 {
			t.Errorf("unequal %d: %.4f", seed, balance)
		}
		gap += (balance - least) / 4
	}
	if gap < .08 {
		t.Errorf("weighing by probability gains %.4f, must gain 0.08", gap)
	}
	for seed := range uint64(5) {
		in, err := RandomWeights(triangle(t, 6, .05), .25, 2, seed)
		if err != nil {
			t.Fatal(err)
		}
		balance := ratio(in, StochasticBalance(nil))
		t.Logf("weighted: Balance %.3f", balance)
		if balance < .611-.01 {
			t.Errorf("weighted %d: %.4f", seed, balance)
		}
	}
}

// K6, K7 and K8 on large triangles.
func TestFluidLimit(t *testing.T) {
	lowest, err := FixedOrder(nil)
	if err != nil {
		t.Fatal(err)
	}
	e := measure(t, triangle(t, 128, .02), LeastLoaded(), 120).Over(128)
	t.Logf("Balance, n=128, p=.02: %.4f ± %.4f; the limit is %.4f", e.Mean, e.StdErr, 1-1/math.E)
	if e.Mean < .61 || e.Mean > .66 {
		t.Errorf("%.4f, must be in [0.61, 0.66]", e.Mean)
	}
	e = measure(t, triangle(t, 32, .05), HighestFirst(), 300).Over(32)
	t.Logf("highest first: %.4f", e.Mean)
	if e.Mean > .54 {
		t.Errorf("highest first: %.4f, must be at most 0.54", e.Mean)
	}
	for n, within := range map[int][2]float64{8: {.75, .84}, 32: {.69, .76}, 128: {.64, .73}} {
		in := triangle(t, n, .05)
		r, se, err := Ratio(measure(t, in, LeastLoaded(), 300), measure(t, in, lowest, 300))
		t.Logf("n=%d: %.4f ± %.4f of lowest first", n, r, se)
		if err != nil || r < within[0] || r > within[1] {
			t.Errorf("n=%d: %.4f, %v, must be in %v", n, r, err, within)
		}
	}
}
