package matching

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// golden.json is made by testdata/golden.py with HiGHS and by recursion over all outcomes.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Small, Large []json.RawMessage }
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Small) != 24 || len(golden.Large) != 6 {
		t.Fatalf("%d and %d instances", len(golden.Small), len(golden.Large))
	}
	programs := map[string]func(*Instance) (*Program, error){"SC-LP": StochasticConfigurationLP, "C-LP": ConfigurationLP, "M-LP": MatchingLP}
	policies := map[string]Policy{"balance": StochasticBalance(nil), "least loaded": LeastLoaded(), "greedy": Greedy()}
	for i, raw := range append(golden.Small, golden.Large...) {
		var table struct {
			P       [][]float64
			Weights []float64
		}
		want := map[string]any{}
		if err := json.Unmarshal(raw, &table); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		in, err := New(table.P, table.Weights)
		if err != nil {
			t.Fatal(err)
		}
		for name, wanted := range want {
			expected, ok := wanted.(float64)
			if !ok {
				continue
			}
			var got float64
			switch {
			case name == "S-OPT":
				var o *Optimum
				if o, err = OfflineStochasticOptimum(in); err == nil {
					got = o.Value
					var rounds float64
					for _, x := range o.Rounds {
						rounds += x
					}
					if math.Abs(rounds-got) > 1e-9 {
						t.Errorf("instance %d: the optimum's rounds earn %.9g, its value is %.9g", i, rounds, got)
					}
				}
			case programs[name] != nil:
				var p *Program
				if p, err = programs[name](in); err == nil {
					got = p.Value
					checkProgram(t, name, p)
				}
			default:
				got, err = ExactValue(in, policies[name])
			}
			if err != nil {
				t.Fatalf("instance %d: %s: %v", i, name, err)
			}
			if math.Abs(got-expected) > 1e-7 {
				t.Errorf("instance %d: %s is %.9g, must be %.9g", i, name, got, expected)
			}
		}
	}
}

// randomTable has equal or unequal probabilities and sometimes weights.
func randomTable(t testing.TB, rng *rand.Rand, equal bool, offline, arrivals int) *Instance {
	t.Helper()
	density, all := 0.2+0.8*rng.Float64(), rng.Float64()
	p := make([][]float64, arrivals)
	for v := range p {
		p[v] = make([]float64, offline)
		for u := range p[v] {
			if rng.Float64() < density {
				if p[v][u] = all; !equal {
					p[v][u] = rng.Float64()
				}
			}
		}
	}
	w := make([]float64, offline)
	for u := range w {
		if w[u] = 1; rng.IntN(2) == 0 {
			w[u] = 0.1 + 5*rng.Float64()
		}
	}
	return table(t, p, w...)
}

// K1 and K2: the chain of benchmarks, strong duality, and dual feasibility for random plans.
func TestChainOfBenchmarks(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 1))
	for k := range 60 {
		in := randomTable(t, rng, k%2 == 0, 1+rng.IntN(5), rng.IntN(13))
		optimum, err := OfflineStochasticOptimum(in)
		if err != nil {
			t.Fatal(err)
		}
		solved := map[string]*Program{}
		for name, solve := range map[string]func(*Instance) (*Program, error){"SC-LP": StochasticConfigurationLP, "C-LP": ConfigurationLP, "M-LP": MatchingLP} {
			if solved[name], err = solve(in); err != nil {
				t.Fatal(err)
			}
			checkProgram(t, name, solved[name])
		}
		sc, c, m := solved["SC-LP"].Value, solved["C-LP"].Value, solved["M-LP"].Value
		if optimum.Value > sc+1e-7 || sc > m+1e-7 || c > m+1e-7 {
			t.Errorf("instance %d: S-OPT %.9g, SC-LP %.9g, C-LP %.9g, M-LP %.9g", k, optimum.Value, sc, c, m)
		}
		for _, policy := range []Policy{StochasticBalance(nil), LeastLoaded(), Greedy(), Random()} {
			if policy.RandomTies && len(in.Arrivals) > 7 {
				continue // too many states
			}
			value, err := ExactValue(in, policy)
			if err != nil {
				t.Fatal(err)
			}
			if value > optimum.Value+1e-9 {
				t.Errorf("instance %d: %s earns %.9g, more than the optimum, %.9g", k, policy.Name, value, optimum.Value)
			}
		}
		if worst := infeasibility(in, solved["SC-LP"], rng, 1000); worst > 1e-7 {
			t.Errorf("instance %d: a plan exceeds the dual prices by %g", k, worst)
		}
	}
}

// infeasibility is the most by which random plans exceed the dual prices.
func infeasibility(in *Instance, p *Program, rng *rand.Rand, plans int) (worst float64) {
	near := in.neighbours()
	for range plans {
		u := rng.IntN(len(in.Weights))
		price, earned, reached := p.Alpha[u], 0.0, 1.0
		for _, e := range near[u] {
			if rng.IntN(2) == 0 {
				price += reached * p.Beta[e.v]
				earned += reached * e.p * in.Weights[u]
				reached *= 1 - e.p
			}
		}
		worst = max(worst, earned-price)
	}
	return worst
}

// The matching program of small instances by gonum's simplex method.
func TestMatchingLPAgainstGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 2))
	for k := range 20 {
		in := randomTable(t, rng, k%2 == 0, 1+rng.IntN(4), 1+rng.IntN(10))
		n, rows := len(in.Weights), len(in.Weights)+len(in.Arrivals)
		var c []float64
		columns := mat.NewDense(rows, rows+n*len(in.Arrivals), nil)
		for v, edges := range in.Arrivals {
			for _, e := range edges {
				columns.Set(e.U, len(c), e.P)
				columns.Set(n+v, len(c), 1)
				c = append(c, -in.Weights[e.U]*e.P)
			}
		}
		basis, ones := make([]int, rows), make([]float64, rows)
		for i := range rows {
			columns.Set(i, len(c), 1)
			basis[i], ones[i] = len(c), 1
			c = append(c, 0)
		}
		if len(c) == rows {
			continue // no edge
		}
		want, _, err := lp.Simplex(c, columns.Slice(0, rows, 0, len(c)), ones, 1e-10, basis)
		if err != nil {
			t.Fatal(err)
		}
		got, err := MatchingLP(in)
		if err != nil || math.Abs(got.Value+want) > 1e-7 {
			t.Errorf("instance %d: %v, %v; gonum has %g", k, got, err, -want)
		}
	}
}

// Where the pivots run out the bound is still one, and the value that of a feasible solution.
func TestPivotLimit(t *testing.T) {
	in := triangle(t, 6, .1)
	whole, err := StochasticConfigurationLP(in)
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for limit := range whole.Pivots {
		p, err := stochasticConfiguration(in, limit)
		if err != nil {
			t.Fatal(err)
		}
		if p.Optimal || p.Pivots != limit || p.Value > whole.Value+1e-9 || p.Bound < whole.Value-1e-9 || p.Value < last-1e-9 {
			t.Fatalf("%d pivots of %d: value %g, bound %g, optimal %t; the value is %g", limit, whole.Pivots, p.Value, p.Bound, p.Optimal, whole.Value)
		}
		last = p.Value
	}
}

func TestProgramsScaleWithWeights(t *testing.T) {
	in := table(t, [][]float64{{.3, .6}, {.5, .2}, {.4, .4}, {.9, 0}}, 2, 1)
	large := table(t, [][]float64{{.3, .6}, {.5, .2}, {.4, .4}, {.9, 0}}, 2e9, 1e9)
	for name, solve := range map[string]func(*Instance) (*Program, error){"SC-LP": StochasticConfigurationLP, "C-LP": ConfigurationLP, "M-LP": MatchingLP} {
		a, err := solve(in)
		if err != nil {
			t.Fatal(err)
		}
		b, err := solve(large)
		if err != nil || math.Abs(b.Value/a.Value-1e9) > 1 {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}

func TestBenchmarksOfNothing(t *testing.T) {
	for name, in := range map[string]*Instance{"no arrival": {Weights: []float64{1, 2}}, "no edge": {Weights: []float64{1}, Arrivals: [][]Edge{nil, {}}}} {
		optimum, err := OfflineStochasticOptimum(in)
		if err != nil || optimum.Value != 0 {
			t.Errorf("%s: %v, %v", name, optimum, err)
		}
		for _, solve := range []func(*Instance) (*Program, error){StochasticConfigurationLP, ConfigurationLP, MatchingLP} {
			if p, err := solve(in); err != nil || p.Value != 0 || p.Bound != 0 || len(p.Plans) != 0 {
				t.Errorf("%s: %v, %v", name, p, err)
			}
		}
		if value, err := ExactValue(in, StochasticBalance(nil)); err != nil || value != 0 {
			t.Errorf("%s: %g, %v", name, value, err)
		}
		if e, err := Simulate(t.Context(), in, Ranking(), Options{Repetitions: 3, Thresholds: true}); err != nil || e.Mean != 0 || e.StdErr != 0 {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}

// With p = 1 it is classical online matching.
func TestCertainSuccess(t *testing.T) {
	got := values(t, triangle(t, 5, 1))
	for name, value := range got {
		if math.Abs(value-5) > 1e-9 {
			t.Errorf("%s is %g, must be 5", name, value)
		}
	}
}

func TestBenchmarkLimits(t *testing.T) {
	if _, err := OfflineStochasticOptimum(triangle(t, 17, 1)); err == nil || !strings.Contains(err.Error(), "17 offline vertices") {
		t.Errorf("%v", err)
	}
	if _, err := ConfigurationLP(triangle(t, 2, 1./8)); err == nil || !strings.Contains(err.Error(), "offline vertex 1 has 16 neighbours, must be at most 15") {
		t.Errorf("%v", err)
	}
	bad := &Instance{Weights: []float64{1}, Arrivals: [][]Edge{{{0, math.NaN()}}}}
	if _, err := OfflineStochasticOptimum(bad); err == nil {
		t.Error("S-OPT takes NaN")
	}
	for _, solve := range []func(*Instance) (*Program, error){StochasticConfigurationLP, ConfigurationLP, MatchingLP} {
		if _, err := solve(bad); err == nil || !strings.Contains(err.Error(), "probability NaN, must be in (0, 1]") {
			t.Errorf("%v", err)
		}
	}
	o, err := OfflineStochasticOptimum(triangle(t, 3, 1))
	if err != nil {
		t.Fatal(err)
	}
	if u, err := o.Choice(0, 7); err != nil || u != 0 {
		t.Errorf("the optimum begins with %d, %v", u, err)
	}
	for _, c := range []struct {
		v     int
		alive uint
	}{{-1, 7}, {3, 7}, {0, 8}} {
		if _, err := o.Choice(c.v, c.alive); err == nil {
			t.Errorf("a choice at %v", c)
		}
	}
}
