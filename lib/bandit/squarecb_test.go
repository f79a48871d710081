package bandit

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
)

func near(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) || !floats.EqualApprox(got, want, tolerance) {
		t.Errorf("%s is %v, must be %v", what, got, want)
	}
}

// The specification's worked numbers.
func TestRules(t *testing.T) {
	type rule func(p, predicted []float64, gamma float64) error
	third := 1. / 3
	for _, c := range []struct {
		name      string
		rule      rule
		predicted []float64
		gamma     float64
		want      []float64
	}{
		{"SquareCB", SquareCB, []float64{.2, .5, .2, .9}, 10, []float64{.5162337662, .1428571429, .25, .0909090909}},
		{"SquareCB, γ = 0", SquareCB, []float64{.9, .1, .5}, 0, []float64{third, third, third}},
		{"FastCB", FastCB, []float64{.2, .5, .2, .9}, 10, []float64{.6717273954, .0526315789, .25, .0256410256}},
		{"FastCB, small", FastCB, []float64{.01, .5, .6}, 20, []float64{.9981373975, .0010172940, .0008453085}},
		{"FastCB, least 0", FastCB, []float64{0, .5, .6}, 20, []float64{1, 0, 0}},
		{"FastCB, tie at 0", FastCB, []float64{0, .5, 0, 0}, 20, []float64{.5, 0, .25, .25}},
		{"FastCB, γ = 0", FastCB, []float64{0, .5, 1}, 0, []float64{third, third, third}},
	} {
		p := make([]float64, len(c.predicted))
		if err := c.rule(p, c.predicted, c.gamma); err != nil {
			t.Fatal(err)
		}
		near(t, c.name, p, c.want, 1e-10)
	}
}

func TestRulesBadArguments(t *testing.T) {
	p := make([]float64, 2)
	for want, err := range map[string]error{
		"SquareCB: predicted has 1 arms":        SquareCB(p[:1], p[:1], 1),
		"SquareCB: gamma is -1":                 SquareCB(p, p, -1),
		"SquareCB: gamma is NaN":                SquareCB(p, p, math.NaN()),
		"SquareCB: predicted[1] is NaN":         SquareCB(p, []float64{0, math.NaN()}, 1),
		"SquareCB: predicted[0] is -Inf":        SquareCB(p, []float64{math.Inf(-1), 0}, 1),
		"SquareCB: p has 2 entries":             SquareCB(p, make([]float64, 3), 1),
		"predicted[1] is 1.5, must be in [0, 1": FastCB(p, []float64{0, 1.5}, 1),
		"FastCB: gamma is +Inf":                 FastCB(p, p, math.Inf(1)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, must say %q", err, want)
		}
	}
	if _, err := SquareCBGamma(1, 10, 1); err == nil {
		t.Error("SquareCBGamma takes one arm")
	}
	if _, err := FastCBGamma(2, 10, 0); err == nil {
		t.Error("FastCBGamma takes a regret of 0")
	}
	if g, err := SquareCBGamma(4, 100, 25); err != nil || g != 4 {
		t.Errorf("SquareCBGamma is %g, %v, must be √(4·100/25)", g, err)
	}
	if g, err := FastCBGamma(2, 1e6, 20); err != nil || math.Abs(g-math.Sqrt(1e5)) > 1e-9 {
		t.Errorf("FastCBGamma is %g, %v, must be √(2·10⁶/20)", g, err)
	}
}

// Both inequalities behind the regret bounds, and what makes p a rule's: the theorems are deterministic, so every round holds.
func TestRulesInequalities(t *testing.T) {
	rng := online.Seeded(1, "inequalities")
	worstGreedy, worstTight := math.Inf(-1), math.Inf(-1)
	for range 20_000 {
		k := 2 + rng.IntN(9)
		predicted, truth, p := make([]float64, k), make([]float64, k), make([]float64, k)
		for a := range k {
			predicted[a], truth[a] = rng.Float64(), rng.Float64()
		}
		gamma := math.Pow(1000, rng.Float64())
		if err := SquareCB(p, predicted, gamma); err != nil {
			t.Fatal(err)
		}
		checkDistribution(t, p, predicted)
		if s := SquareCBSlack(p, predicted, truth, gamma); s > 0 {
			t.Fatalf("SquareCB: %g above the bound at ŷ %v, f %v, γ %g", s, predicted, truth, gamma)
		} else {
			worstTight = max(worstTight, s+float64(k)/gamma)
		}
		one(p, floats.MinIdx(predicted))
		worstGreedy = max(worstGreedy, SquareCBSlack(p, predicted, truth, gamma))
		gamma = 2 * float64(k) * math.Pow(500, rng.Float64())
		if err := FastCB(p, predicted, gamma); err != nil {
			t.Fatal(err)
		}
		checkDistribution(t, p, predicted)
		if s := FastCBSlack(p, predicted, truth, gamma); s > 0 {
			t.Fatalf("FastCB: %g above the bound at ŷ %v, f %v, γ %g", s, predicted, truth, gamma)
		}
	}
	if worstGreedy < 0.3 || worstTight <= 0 {
		t.Errorf("greedy play is at most %g above the bound, and K/γ missed by %g: the check cannot fail", worstGreedy, worstTight)
	}
}

func checkDistribution(t *testing.T, p, predicted []float64) {
	t.Helper()
	k, b := float64(len(p)), floats.MinIdx(predicted)
	if math.Abs(floats.Sum(p)-1) > 1e-14 || p[b] < 1/k-1e-15 {
		t.Fatalf("p = %v of ŷ = %v: the sum is %g, p_b %g", p, predicted, floats.Sum(p), p[b])
	}
	for a, q := range p {
		if q < 0 || a != b && q > 1/k+1e-15 {
			t.Fatalf("p = %v of ŷ = %v: p[%d] is above 1/K or negative", p, predicted, a)
		}
	}
}

// The probabilities of Vowpal Wabbit for the gaps between its costs; testdata/squarecb.py made them.
func TestSquareCBGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/squarecb.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			Gamma    float64
			Costs, P []float64
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) < 10 {
		t.Fatalf("%d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		p := make([]float64, len(c.Costs))
		if err := SquareCB(p, c.Costs, c.Gamma); err != nil {
			t.Fatal(err)
		}
		near(t, "p", p, c.P, 1e-5) // theirs is float32, and so are the probabilities that the gaps come from
	}
}

func TestRulesDoNotAllocate(t *testing.T) {
	p, predicted := make([]float64, 10), make([]float64, 10)
	if n := testing.AllocsPerRun(100, func() { _ = SquareCB(p, predicted, 3) }); n > 0 {
		t.Errorf("SquareCB allocates %g times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = FastCB(p, predicted, 3) }); n > 0 {
		t.Errorf("FastCB allocates %g times", n)
	}
}
