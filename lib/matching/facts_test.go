package matching

import (
	"math"
	"testing"
)

// table is an instance from probabilities.
func table(t testing.TB, p [][]float64, w ...float64) *Instance {
	t.Helper()
	in, err := New(p, w)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func triangle(t testing.TB, n int, p float64) *Instance {
	t.Helper()
	in, err := Triangle(n, p)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// values of an instance by name.
func values(t *testing.T, in *Instance) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	optimum, err := OfflineStochasticOptimum(in)
	if err != nil {
		t.Fatal(err)
	}
	out["S-OPT"] = optimum.Value
	for name, solve := range map[string]func(*Instance) (*Program, error){"SC-LP": StochasticConfigurationLP, "M-LP": MatchingLP} {
		program, err := solve(in)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = program.Value
		checkProgram(t, name, program)
	}
	return out
}

// checkProgram tests that primal and dual values agree and that the arrivals earn the value.
func checkProgram(t *testing.T, name string, p *Program) {
	t.Helper()
	var dual, rounds float64
	for _, x := range p.Alpha {
		dual += x
	}
	for _, x := range p.Beta {
		dual += x
	}
	for _, x := range p.Rounds {
		rounds += x
	}
	if scale := max(1, p.Value); !p.Optimal || math.Abs(p.Value-dual) > 1e-7*scale || math.Abs(p.Value-p.Bound) > 1e-7*scale || math.Abs(p.Value-rounds) > 1e-7*scale {
		t.Errorf("%s: value %.9g, dual %.9g, bound %.9g, rounds %.9g, optimal %t after %d pivots", name, p.Value, dual, p.Bound, rounds, p.Optimal, p.Pivots)
	}
}

// The numbers were computed by enumeration and by another LP solver.
func TestFacts(t *testing.T) {
	mixed := [][]float64{{.3, .6}, {.5, .2}, {.4, .4}, {.9, 0}}
	twenty := make([][]float64, 20)
	for v := range twenty {
		twenty[v] = []float64{.05}
	}
	single := 1 - math.Pow(.95, 20)
	for name, c := range map[string]struct {
		in       *Instance
		policies map[string]Policy
		want     map[string]float64
		within   float64 // half of the last digit; 0: 1e-9
	}{
		"1": {table(t, [][]float64{{.5, .5}, {.5, 0}, {0, .5}}), map[string]Policy{"least": LeastLoaded(), "ranking": Ranking()},
			map[string]float64{"S-OPT": 1.25, "SC-LP": 1.25, "M-LP": 1.5, "least": 1.25, "ranking": 1.25}, 0},
		"2": {table(t, [][]float64{{.5, .5}, {.5, .5}, {.5, .5}}), map[string]Policy{"least": LeastLoaded()},
			map[string]float64{"S-OPT": 1.375, "SC-LP": 1.5, "M-LP": 1.5, "least": 1.375}, 0},
		"3": {triangle(t, 3, .5), map[string]Policy{"least": LeastLoaded(), "ranking": Ranking()},
			map[string]float64{"S-OPT": 2.40625, "SC-LP": 2.421875, "M-LP": 3, "least": 2.15625, "ranking": 1.9947916667}, 0},
		"4": {table(t, mixed), map[string]Policy{"least": LeastLoaded(), "balance": StochasticBalance(nil)},
			map[string]float64{"S-OPT": 1.7532, "SC-LP": 1.7652, "M-LP": 2, "least": 1.4556, "balance": 1.65}, 5e-5},
		"4 weighted": {table(t, mixed, 2, 1), nil, map[string]float64{"S-OPT": 2.6984, "SC-LP": 2.7224, "M-LP": 3}, 5e-5},
		"5": {table(t, twenty), map[string]Policy{"least": LeastLoaded(), "ranking": Ranking(), "random": Random(), "greedy": Greedy(), "balance": StochasticBalance(nil), "highest": HighestFirst()},
			map[string]float64{"S-OPT": single, "SC-LP": single, "M-LP": 1, "least": single, "ranking": single, "random": single, "greedy": single, "balance": single, "highest": single}, 0},
		"6, n=4 p=.1": {triangle(t, 4, .1), nil, map[string]float64{"S-OPT": 2.9969, "M-LP": 4}, 5e-5},
		"6, n=8 p=.1": {triangle(t, 8, .1), nil, map[string]float64{"S-OPT": 6.4043, "SC-LP": 6.7456, "M-LP": 8}, 5e-5},
	} {
		t.Run(name, func(t *testing.T) {
			got := values(t, c.in)
			for name, policy := range c.policies {
				value, err := ExactValue(c.in, policy)
				if err != nil {
					t.Fatal(err)
				}
				got[name] = value
			}
			for name, want := range c.want {
				if math.Abs(got[name]-want) > max(c.within, 1e-9) {
					t.Errorf("%s is %.10g, must be %.10g", name, got[name], want)
				}
			}
		})
	}
	optimum, err := OfflineStochasticOptimum(triangle(t, 8, .05))
	if err != nil || math.Abs(optimum.Value-6.3601) > 5.1e-5 {
		t.Errorf("S-OPT of the triangle with n=8, p=.05 is %v, %v", optimum.Value, err)
	}
}
