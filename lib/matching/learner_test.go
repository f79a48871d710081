package matching

import (
	"math"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
)

type (
	learner  = online.Learner[[]Edge, int, bool]
	opponent = online.Environment[[]Edge, int, bool]
)

func TestLearnerRules(t *testing.T) {
	in := triangle(t, 5, .1)
	for name, policy := range policies(t) {
		t.Run(name, func(t *testing.T) {
			onlinetest.Run(t, onlinetest.Case[[]Edge, int, bool]{
				New:         func(seed uint64) (learner, error) { return NewMatcher(in.Weights, policy, seed) },
				Environment: func(seed uint64) (opponent, error) { return NewEnvironment(in, seed) },
				BadContexts: map[string][]Edge{"NaN": {{0, math.NaN()}}, "above 1": {{0, 1.5}}, "zero": {{0, 0}}, "descending": {{1, .5}, {0, .5}}, "twice": {{1, .5}, {1, .5}}, "unknown": {{5, .5}}, "negative": {{-1, .5}}},
			})
		})
	}
}

// Where somebody is matched to nobody, a success is bad feedback.
func TestLearnerOrder(t *testing.T) {
	m, err := NewMatcher([]float64{1, 2}, Greedy(), 1)
	if err != nil {
		t.Fatal(err)
	}
	fails := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, must say %q", err, want)
		}
	}
	fails(m.Learn(false), "Act comes first")
	if u, err := m.Act(nil); u != -1 || err != nil {
		t.Errorf("%d, %v", u, err)
	}
	fails(m.Learn(true), "must be false")
	_, err = m.Act(nil)
	fails(err, "Learn comes first")
	if err := m.Learn(false); err != nil {
		t.Error(err)
	}
	if u, err := m.Act([]Edge{{0, .5}, {1, .5}}); u != 1 || err != nil {
		t.Errorf("%d, %v", u, err)
	}
	if err := m.Learn(true); err != nil || m.Alive(1) || !m.Alive(0) || m.Load(1) != .5 {
		t.Errorf("%v, alive %t %t, load %g", err, m.Alive(0), m.Alive(1), m.Load(1))
	}
	if u, err := m.Act([]Edge{{0, .5}, {1, 1}}); u != 0 || err != nil {
		t.Errorf("%d, %v", u, err)
	}
	_, err = NewMatcher(nil, Greedy(), 1)
	fails(err, "0 offline vertices")
	_, err = NewMatcher([]float64{1}, Policy{}, 1)
	fails(err, "Score is nil")

	late := Policy{Name: "late", Score: func(o Offline) float64 { return 1 / (1 - float64(o.Attempts)) }}
	if m, err = NewMatcher([]float64{1}, late, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Act([]Edge{{0, .5}}); err != nil {
		t.Fatal(err)
	}
	fails(m.Learn(false), "must be finite")
	if m.Load(0) != 0 {
		t.Error("an error leaves a trace")
	}
	if err := m.Learn(true); err != nil {
		t.Error(err)
	}
}

// The learner in the environment earns what the policy does exactly, and its regret against the offline optimum is the
// difference: within 5.5 standard errors, which one of the 14 means misses with probability 6e-7.
func TestPlay(t *testing.T) {
	in := triangle(t, 4, .25)
	optimum, err := OfflineStochasticOptimum(in)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := StochasticConfigurationLP(in)
	if err != nil {
		t.Fatal(err)
	}
	seeds := make([]uint64, 4000)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	for name, policy := range policies(t) {
		exact, err := ExactValue(in, policy)
		if err != nil {
			t.Fatal(err)
		}
		runs, err := online.Play(t.Context(), func(seed uint64) (opponent, error) {
			return NewEnvironment(in, seed, Benchmark{"S-OPT", optimum.Rounds}, Benchmark{"SC-LP", bound.Rounds})
		}, func(seed uint64) (learner, error) { return NewMatcher(in.Weights, policy, seed) }, len(in.Arrivals), seeds, online.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for benchmark, value := range map[string]float64{"S-OPT": optimum.Value, "SC-LP": bound.Value} {
			regret, err := online.Final(runs, benchmark)
			if err != nil {
				t.Fatal(err)
			}
			e, err := NewEstimate(regret)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(e.Mean-(value-exact)) > 5.5*e.StdErr+1e-12 {
				t.Errorf("%s: regret against %s %.4f ± %.4f, exactly %.4f", name, benchmark, e.Mean, e.StdErr, value-exact)
			}
		}
	}
}

func TestEnvironmentErrors(t *testing.T) {
	in := triangle(t, 2, 1)
	if _, err := NewEnvironment(in, 1, Benchmark{"short", []float64{1}}); err == nil {
		t.Error("a benchmark of one round is taken")
	}
	if _, err := NewEnvironment(in, 1, Benchmark{"NaN", []float64{1, math.NaN()}}); err == nil {
		t.Error("a benchmark of NaN is taken")
	}
	e, err := NewEnvironment(in, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct{ round, action int }{{0, 0}, {2, 0}, {1, 2}, {1, -2}} {
		if _, _, err := e.Reveal(bad.round, bad.action); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	if success, loss, err := e.Reveal(1, 1); !success || loss != -1 || err != nil {
		t.Errorf("%t, %g, %v", success, loss, err)
	}
	if _, _, err := e.Reveal(2, 1); err == nil {
		t.Error("a finished vertex is attempted")
	}
	if _, _, err := e.Reveal(2, -1); err != nil {
		t.Error(err)
	}
	if _, err := e.Context(3); err == nil {
		t.Error("a third round of two")
	}
}
