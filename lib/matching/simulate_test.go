package matching

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// all policies of the package, by name.
func policies(t testing.TB) map[string]Policy {
	t.Helper()
	lowest, err := FixedOrder(nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Policy{}
	for _, p := range []Policy{StochasticBalance(nil), LeastLoaded(), Ranking(), Greedy(), lowest, HighestFirst(), Random()} {
		out[p.Name] = p
	}
	return out
}

// A mean is off by more than 5.5 standard errors with probability 4e-8, so that one of the 28 comparisons fails with 1e-6.
func TestSimulateAgainstExactValue(t *testing.T) {
	for name, in := range map[string]*Instance{"triangle": triangle(t, 4, .5), "equal": table(t, [][]float64{{.3, .3, 0}, {0, .3, .3}, {.3, 0, .3}, {.3, .3, .3}})} {
		for _, policy := range policies(t) {
			want, err := ExactValue(in, policy)
			if err != nil {
				t.Fatal(err)
			}
			for _, thresholds := range []bool{false, true} {
				e, err := Simulate(t.Context(), in, policy, Options{Repetitions: 20_000, Seed: 7, Thresholds: thresholds})
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(e.Mean-want) > 5.5*e.StdErr {
					t.Errorf("%s on %s, thresholds %t: %.4f ± %.4f, exactly %.4f", policy.Name, name, thresholds, e.Mean, e.StdErr, want)
				}
			}
		}
	}
}

func TestSimulateIsDeterministic(t *testing.T) {
	in := triangle(t, 6, .1)
	for name, policy := range policies(t) {
		var first []float64
		for _, workers := range []int{1, 3, 0} {
			told := 0
			e, err := Simulate(t.Context(), in, policy, Options{Repetitions: 50, Seed: 3, Workers: workers, Progress: func(done, total int) {
				if done != told+1 || total != 50 {
					t.Errorf("%d of %d after %d", done, total, told)
				}
				told = done
			}})
			if err != nil || told != 50 {
				t.Fatal(told, err)
			}
			if first == nil {
				first = e.Values
			}
			if !slices.Equal(first, e.Values) {
				t.Errorf("%s: %d workers change the values", name, workers)
			}
		}
		other, err := Simulate(t.Context(), in, policy, Options{Repetitions: 50, Seed: 4})
		if err != nil || slices.Equal(first, other.Values) {
			t.Errorf("%s: another seed gives the same values, %v", name, err)
		}
	}
}

func TestNothingIsAllocatedInBetween(t *testing.T) {
	in := triangle(t, 30, .1)
	for name, policy := range policies(t) {
		g := newGame(in.Weights, policy)
		rng := rand.New(rand.NewPCG(1, 2))
		if n := testing.AllocsPerRun(10, func() {
			if err := g.start(g.draws(rng), rng); err != nil {
				t.Fatal(err)
			}
			if _, err := g.play(t.Context(), in.Arrivals, nil, rng, nil); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %g allocations a repetition of %d arrivals", name, n, len(in.Arrivals))
		}
	}
}

func TestSimulateBadArguments(t *testing.T) {
	in := triangle(t, 2, .5)
	unequal := table(t, [][]float64{{.1, .2}})
	nan := Policy{Name: "broken", Score: func(Offline) float64 { return math.NaN() }}
	for want, simulate := range map[string]func() (Estimate, error){
		"Repetitions is 0, must be at least 1": func() (Estimate, error) { return Simulate(t.Context(), in, Greedy(), Options{}) },
		"Score is nil, must be a function":     func() (Estimate, error) { return Simulate(t.Context(), in, Policy{}, Options{Repetitions: 1}) },
		"the edges' probabilities differ": func() (Estimate, error) {
			return Simulate(t.Context(), unequal, Greedy(), Options{Repetitions: 1, Thresholds: true})
		},
		"there are 0 offline vertices":            func() (Estimate, error) { return Simulate(t.Context(), &Instance{}, Greedy(), Options{Repetitions: 1}) },
		"at load 0 is NaN, must be finite":        func() (Estimate, error) { return Simulate(t.Context(), in, nan, Options{Repetitions: 1}) },
		"stopped before arrival 0: context cance": func() (Estimate, error) { return Simulate(canceled(t), in, Greedy(), Options{Repetitions: 1}) },
	} {
		if _, err := simulate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, must say %q", err, want)
		}
	}
	if _, err := Simulate(canceled(t), in, Greedy(), Options{Repetitions: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// Loads are sums of floating-point numbers, and still are equal exactly where the numbers of attempts are.
func TestEqualProbabilitiesTieByAttempts(t *testing.T) {
	byAttempts := Policy{Name: "by attempts", Score: func(o Offline) float64 { return -float64(o.Attempts) }}
	rng := rand.New(rand.NewPCG(5, 5))
	for k := range 200 {
		p := []float64{.05, .1, .3, 1. / 3, .7}[k%5]
		in, err := RandomBipartite(6, 60, rng.Float64(), p, uint64(k))
		if err != nil {
			t.Fatal(err)
		}
		thresholds := make([]int, 6)
		for u := range thresholds {
			thresholds[u] = geometric(rng.Float64(), p)
		}
		want, err := Replay(in, byAttempts, Coupling{Thresholds: thresholds})
		if err != nil {
			t.Fatal(err)
		}
		for _, policy := range []Policy{LeastLoaded(), StochasticBalance(nil)} {
			got, err := Replay(in, policy, Coupling{Thresholds: thresholds})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("instance %d, p=%g: %s attempts %v, must %v", k, p, policy.Name, got, want)
			}
		}
	}
}

// Counting successes, or going by the load of finished vertices, is another algorithm: what a run looks like step by step.
func TestReplay(t *testing.T) {
	in := triangle(t, 3, .5)
	got, err := Replay(in, LeastLoaded(), Coupling{Thresholds: []int{9, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	// 0 fails, 1 succeeds, 2 fails as the only neighbour that is alive, then succeeds: nobody is left for the last group.
	if want := []int{0, 1, 2, 2, -1, -1}; !slices.Equal(got, want) {
		t.Errorf("%v, must be %v", got, want)
	}
	for name, c := range map[string]Coupling{"too few": {Thresholds: []int{1}}, "negative": {Thresholds: []int{1, -1, 1}}, "draw of 1": {Thresholds: []int{1, 1, 1}, Draws: []float64{0, 1, 0}},
		"NaN": {Thresholds: []int{1, 1, 1}, Draws: []float64{0, math.NaN(), 0}}, "no draws": {Thresholds: []int{1, 1, 1}}} {
		if _, err := Replay(in, Ranking(), c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := Replay(in, Random(), Coupling{Thresholds: []int{1, 1, 1}}); err == nil {
		t.Error("random ties are taken")
	}
}

// K10: counterfactual monotonicity, 3000 random runs; with a policy for which it fails, so that the check is one.
func TestMonotonicity(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 1))
	failing := 0
	backwards := Policy{Name: "most loaded", Score: func(o Offline) float64 { return o.Load }}
	for k := range 3000 {
		in, err := RandomBipartite(5, 40, .5, .15, uint64(k))
		if err != nil {
			t.Fatal(err)
		}
		c := Coupling{Thresholds: make([]int, 5), Draws: make([]float64, 5)}
		for u := range 5 {
			c.Thresholds[u], c.Draws[u] = geometric(rng.Float64(), .15), rng.Float64()
		}
		u := rng.IntN(5)
		lowered := rng.IntN(c.Thresholds[u]) // 0 removes it
		for _, policy := range []Policy{LeastLoaded(), StochasticBalance(nil), Ranking()} {
			n, err := Violations(in, policy, c, u, lowered)
			if err != nil || n != 0 {
				t.Fatalf("run %d, %s: %d violations, %v", k, policy.Name, n, err)
			}
		}
		n, err := Violations(in, backwards, c, u, lowered)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			failing++
		}
	}
	if failing == 0 {
		t.Error("the check finds no violation of a policy that is not monotone")
	}
	in := triangle(t, 2, .5)
	for _, bad := range []struct{ u, lowered int }{{-1, 0}, {2, 0}, {0, 5}, {0, -1}} {
		if _, err := Violations(in, LeastLoaded(), Coupling{Thresholds: []int{3, 3}}, bad.u, bad.lowered); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

// K11. Two means of 4000 runs each differ by more than 5 standard errors with probability 6e-7.
func TestCoinsAndThresholdsHaveOneLaw(t *testing.T) {
	in := triangle(t, 8, .05)
	var e [2]Estimate
	for i := range e {
		var err error
		if e[i], err = Simulate(t.Context(), in, LeastLoaded(), Options{Repetitions: 4000, Seed: 11, Thresholds: i == 1}); err != nil {
			t.Fatal(err)
		}
	}
	if gap, tolerance := math.Abs(e[0].Mean-e[1].Mean), 5*math.Hypot(e[0].StdErr, e[1].StdErr); gap > tolerance {
		t.Errorf("coins %.4f, thresholds %.4f, apart by more than %.4f", e[0].Mean, e[1].Mean, tolerance)
	}
}

func TestRatio(t *testing.T) {
	a, err := NewEstimate([]float64{1, 2, 3, 4})
	if err != nil {
		t.Fatal(err)
	}
	if r := a.Over(5); math.Abs(r.Mean-.5) > 1e-15 || math.Abs(r.StdErr-a.StdErr/5) > 1e-15 || r.Values[3] != .8 {
		t.Errorf("%+v", r)
	}
	// What the two share cancels.
	if r, se, err := Ratio(a, a.Over(2)); err != nil || math.Abs(r-2) > 1e-15 || se > 1e-15 {
		t.Errorf("%g ± %g, %v", r, se, err)
	}
	low, high := a.Interval(1.96)
	if math.Abs(high+low-5) > 1e-12 || math.Abs(high-low-2*1.96*math.Sqrt(5./12)) > 1e-12 {
		t.Errorf("[%g, %g]", low, high)
	}
	for _, b := range []Estimate{{}, {Mean: 1, Values: []float64{1}}, {Values: []float64{0, 0, 0, 0}}} {
		if _, _, err := Ratio(a, b); err == nil {
			t.Errorf("a ratio to %v", b)
		}
	}
	if _, err := NewEstimate(nil); err == nil {
		t.Error("an estimate of nothing")
	}
}

func TestExactValueLimits(t *testing.T) {
	if _, err := ExactValue(triangle(t, 9, 1), Ranking()); err == nil || !strings.Contains(err.Error(), "at most 8 of equal weight") {
		t.Errorf("%v", err)
	}
	if _, err := ExactValue(table(t, [][]float64{{.5, .5}}, 1, 2), Ranking()); err == nil {
		t.Error("Ranking with weights has an exact value")
	}
	in, err := UnequalTriangle(12, .2, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ExactValue(in, Random()); err == nil || !strings.Contains(err.Error(), "simulate instead") {
		t.Errorf("%v", err)
	}
}

func TestOrder(t *testing.T) {
	rising := []float64{math.Inf(-1), -math.MaxFloat64, -1, -math.SmallestNonzeroFloat64, 0, math.SmallestNonzeroFloat64, 1, math.MaxFloat64, math.Inf(1)}
	for i, x := range rising {
		for j, y := range rising {
			if (order(x) < order(y)) != (i < j) {
				t.Errorf("%g and %g", x, y)
			}
		}
	}
	if order(math.Copysign(0, -1)) != order(0) {
		t.Error("there are two zeros")
	}
}
