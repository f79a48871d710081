package recovering_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/hindsight-go/hindsight/lib/bandit/recovering"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func game(kind recovering.Kind, rounds int) recovering.Game {
	return recovering.Game{Kind: kind, Setting: recovering.Setting{N: 8, K: 2, D: 8, T: rounds}, Planner: recovering.Exact(3)}
}

func TestRules(t *testing.T) {
	for _, method := range recovering.Methods() {
		t.Run(method, func(t *testing.T) {
			g := game(recovering.Logit, 400)
			onlinetest.Run(t, onlinetest.Case[online.None, []int, []float64]{
				New:         func(seed uint64) (recovering.Learner, error) { return g.Learner(method, seed) },
				Environment: g.Environment, Rounds: 100, Copy: slices.Clone[[]int],
				BadFeedback: map[string][]float64{"NaN": {math.NaN()}, "NaN of two": {0, math.NaN()}, "above 1": {2}, "negative": {-1, -1}, "too long": {0, 0, 0, 0}},
			})
		})
	}
}

// One round needs one Act and one Learn, in this order.
func TestTurns(t *testing.T) {
	for _, method := range recovering.Methods() {
		g := game(recovering.Step, 50)
		l, err := g.Learner(method, 1)
		require.NoError(t, err)
		assert.ErrorContains(t, l.Learn(nil), "Act must come first", method)
		arms, err := l.Act(online.None{})
		require.NoError(t, err)
		_, err = l.Act(online.None{})
		assert.ErrorContains(t, err, "Learn must come first", method)
		require.NoError(t, l.Learn(make([]float64, len(arms))))
	}
}

// play returns all actions of a learner.
func play(t testing.TB, env recovering.Environment, l recovering.Learner, rounds int) (actions [][]int) {
	for round := 1; round <= rounds; round++ {
		arms, err := l.Act(online.None{})
		require.NoError(t, err)
		actions = append(actions, slices.Clone(arms))
		rewards, _, err := env.Reveal(round, arms)
		require.NoError(t, err)
		require.NoError(t, l.Learn(rewards))
	}
	return actions
}

// sameActions names the first round that differs.
func sameActions(t *testing.T, name string, want, got [][]int) {
	for round := range want {
		require.Equal(t, want[round], got[round], "%s: round %d", name, round+1)
	}
}

// With D = 1 nothing recovers: planning with bounds in phases of one period is the ordinary UCB, action by action.
func TestInstantRecoveryIsUCB1(t *testing.T) {
	m := recovering.RecoveryModel{R: [][]float64{{.2}, {.8}, {.5}, {.6}, {.55}}}
	s := recovering.Setting{N: 5, K: 2, D: 1, T: 2000}
	bandit := func() recovering.Environment {
		b, err := recovering.NewBandit(m, 2, nil, 7)
		require.NoError(t, err)
		return b
	}
	ucb, err := recovering.NewUCB1(s, 0)
	require.NoError(t, err)
	want := play(t, bandit(), ucb, s.T)
	cell, err := recovering.NewCellUCB(s, 0)
	require.NoError(t, err)
	sameActions(t, "cells", want, play(t, bandit(), cell, s.T))
	for name, planner := range map[string]recovering.Planner{"best": nil, "exact": recovering.Exact(1), "powers": recovering.Periodic(1)} {
		l, err := recovering.NewPeriodicUCB(s, recovering.UCBOptions{Phase: 1, Planner: planner})
		require.NoError(t, err)
		sameActions(t, name, want, play(t, bandit(), l, s.T))
	}
	assert.Equal(t, []int{1, 3}, want[s.T-1])

	s.K = 5 // all arms, every period
	l, err := recovering.NewPeriodicUCB(s, recovering.UCBOptions{})
	require.NoError(t, err)
	b, err := recovering.NewBandit(m, 5, nil, 7)
	require.NoError(t, err)
	for _, arms := range play(t, b, l, 300) {
		require.Equal(t, []int{0, 1, 2, 3, 4}, arms)
	}
}

// With flat curves the comparators are those of an ordinary bandit, and a learner with K = N that knows R pulls everything.
func TestFlatCurvesAreAnOrdinaryBandit(t *testing.T) {
	m := recovering.RecoveryModel{R: [][]float64{{.7, .7, .7}, {.4, .4, .4}, {.6, .6, .6}}}
	for k, want := range map[int]float64{1: .7, 2: 1.3, 3: 1.7} {
		p, err := recovering.PlanBest(m, k)
		require.NoError(t, err)
		ub, _, err := recovering.UpperBound(m, k)
		require.NoError(t, err)
		assert.InDelta(t, want, p.Value, 1e-12)
		assert.InDelta(t, want, ub, 1e-12)
	}
	p, err := recovering.PlanBest(m, 3)
	require.NoError(t, err)
	l, err := recovering.NewFixed(p)
	require.NoError(t, err)
	b, err := recovering.NewBandit(m, 3, nil, 1)
	require.NoError(t, err)
	for _, arms := range play(t, b, l, 50) {
		assert.Equal(t, []int{0, 1, 2}, arms)
	}
}

// The upper bounds never fall with idle time, and every pull is counted at its true idle time.
func TestPeriodicUCBCountsIdleTimes(t *testing.T) {
	g := game(recovering.Logit, 500)
	l, err := recovering.NewPeriodicUCB(g.Setting, recovering.UCBOptions{Phase: 7, Planner: func(m recovering.RecoveryModel, k int) (recovering.Plan, error) {
		require.NoError(t, m.Validate())
		return recovering.PlanExact(m, k, 3)
	}})
	require.NoError(t, err)
	env, err := g.Environment(3)
	require.NoError(t, err)
	want, last := make([][]int, 8), make([]int, 8)
	for i := range want {
		want[i], last[i] = make([]int, 8), -7
	}
	for round, arms := range play(t, env, l, 500) {
		for _, i := range arms {
			want[i][min(round+1-last[i], 8)-1]++
			last[i] = round + 1
		}
	}
	assert.Equal(t, want, l.Pulls())
	assert.Len(t, l.Plan().Period, 8)
}

// With many periods the bounds close in on R, and the plan is the true model's: its regret a period is small.
func TestPeriodicUCBLearnsThePlan(t *testing.T) {
	for _, kind := range recovering.Kinds() {
		g := game(kind, 60000)
		p, err := g.Play(context.Background(), "periodic UCB", []uint64{11}, online.Options{})
		require.NoError(t, err)
		assert.Less(t, p.Regret[0]/60000, .05, kind)
		assert.Greater(t, p.Fraction[0], .85, kind)
	}
}

func TestBaselines(t *testing.T) {
	s := recovering.Setting{N: 5, K: 2, D: 3, T: 100}
	m := model(t, recovering.Exp, 5, 3, 2)
	bandit := func() recovering.Environment {
		b, err := recovering.NewBandit(m, 2, nil, 7)
		require.NoError(t, err)
		return b
	}
	robin, err := recovering.NewRoundRobin(s)
	require.NoError(t, err)
	assert.Equal(t, [][]int{{0, 1}, {2, 3}, {0, 4}, {1, 2}, {0, 3}, {1, 4}}, play(t, bandit(), robin, 6))
	// All sets of two have one probability: each arm is in 2/5. Hoeffding's bound for 20 000 rounds fails with 1e-6.
	random, err := recovering.NewRandom(s, 3)
	require.NoError(t, err)
	const rounds = 20000
	count := make([]float64, 5)
	for _, arms := range play(t, bandit(), random, rounds) {
		assert.Len(t, arms, 2)
		for _, i := range arms {
			count[i]++
		}
	}
	for _, c := range count {
		assert.InDelta(t, .4, c/rounds, math.Sqrt(math.Log(2*5/1e-6)/(2*rounds)))
	}
	// Equal arms: the lowest, unless another has rested.
	same, err := recovering.NewMyopic(recovering.RecoveryModel{R: [][]float64{{.1, .5}, {.1, .5}, {.1, .5}}}, 1)
	require.NoError(t, err)
	b, err := recovering.NewBandit(recovering.RecoveryModel{R: [][]float64{{.1, .5}, {.1, .5}, {.1, .5}}}, 1, nil, 1)
	require.NoError(t, err)
	assert.Equal(t, [][]int{{0}, {1}, {0}, {1}}, play(t, b, same, 4))
}

// The frequency of rewards is R at the idle time: Hoeffding, false alarm below 1e-6.
func TestBandit(t *testing.T) {
	m := recovering.RecoveryModel{R: [][]float64{{.2, .7}, {.5, .9}}}
	b, err := recovering.NewBandit(m, 2, nil, 5)
	require.NoError(t, err)
	const rounds = 20000
	sum := make([]float64, 2)
	for round := 1; round <= 2*rounds; round++ { // arm 0 rests every second period
		arms := []int{1, 0}
		if round%2 == 0 {
			arms = arms[:1]
			assert.Equal(t, 1, b.Idle(0))
		}
		rewards, loss, err := b.Reveal(round, arms)
		require.NoError(t, err)
		want := -.5
		if round == 1 {
			want -= .4 // recovered at the start
		}
		if len(arms) == 2 {
			want -= .7
			sum[0] += rewards[1]
		}
		assert.InDelta(t, want, loss, 1e-12)
		sum[1] += rewards[0]
	}
	assert.InDelta(t, .7, sum[0]/rounds, math.Sqrt(math.Log(2*2/1e-6)/(2*rounds)))
	assert.InDelta(t, .5, sum[1]/(2*rounds), math.Sqrt(math.Log(2*2/1e-6)/(4*rounds)))
	assert.InDelta(t, .4+2*rounds*.5+rounds*.7, b.Collected(), 1e-6)

	for name, arms := range map[string][]int{"negative": {-1}, "too high": {2}, "twice": {1, 1}, "too many": {0, 1, 0}} {
		_, _, err = b.Reveal(2*rounds+1, arms)
		assert.Error(t, err, name)
	}
	_, _, err = b.Reveal(3, []int{0})
	assert.ErrorContains(t, err, "must be the next")
	_, _, err = b.Reveal(2*rounds+1, []int{1, 0}) // what was refused left no trace
	require.NoError(t, err)
	comparators, err := b.Comparators()
	require.NoError(t, err)
	assert.Len(t, comparators, 2)
	assert.Len(t, comparators[0].Losses, 2*rounds+1)
}

// A plan that is played earns its value: every arm's first pull is recovered, all others are at its period.
func TestFixedEarnsTheValue(t *testing.T) {
	for _, kind := range recovering.Kinds() {
		g := game(kind, 4800)
		p, err := g.Play(context.Background(), "plan", []uint64{0, 1, 2}, online.Options{})
		require.NoError(t, err)
		for _, r := range p.Regret {
			assert.LessOrEqual(t, r, 8.)     // cut-off pulls at the end, at most one an arm
			assert.GreaterOrEqual(t, r, -8.) // recovery at the start, at most 1 an arm
		}
	}
}

func TestNothingIsAllocatedInARound(t *testing.T) {
	for _, method := range recovering.Methods() {
		g := recovering.Game{Kind: recovering.Logit, Setting: recovering.Setting{N: 50, K: 5, D: 10, T: 1000000}}
		l, err := g.Learner(method, 1)
		require.NoError(t, err)
		env, err := g.Environment(1)
		require.NoError(t, err)
		round := 0
		one := func() {
			round++
			arms, err := l.Act(online.None{})
			if err != nil {
				t.Fatal(err)
			}
			rewards, _, err := env.Reveal(round, arms)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Learn(rewards); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 { // a phase is of 1000 periods
			one()
		}
		assert.Zero(t, testing.AllocsPerRun(500, one), method)
	}
}

func TestLearnerErrors(t *testing.T) {
	good := recovering.Setting{N: 3, K: 2, D: 2, T: 10}
	calls := map[string]func(s recovering.Setting, c float64) error{
		"PeriodicUCB": func(s recovering.Setting, c float64) error {
			_, err := recovering.NewPeriodicUCB(s, recovering.UCBOptions{Exploration: c})
			return err
		},
		"UCB1":       func(s recovering.Setting, c float64) error { _, err := recovering.NewUCB1(s, c); return err },
		"CellUCB":    func(s recovering.Setting, c float64) error { _, err := recovering.NewCellUCB(s, c); return err },
		"RoundRobin": func(s recovering.Setting, _ float64) error { _, err := recovering.NewRoundRobin(s); return err },
		"Random":     func(s recovering.Setting, _ float64) error { _, err := recovering.NewRandom(s, 1); return err },
	}
	for name, call := range calls {
		assert.NoError(t, call(good, 0), name)
		assert.NoError(t, call(recovering.Setting{N: 1, K: 1, D: 1, T: 1}, 0), name)
		for _, bad := range []recovering.Setting{{N: 0, K: 1, D: 1, T: 1}, {N: 2, K: 3, D: 1, T: 1}, {N: 2, K: 0, D: 1, T: 1}, {N: 2, K: 1, D: 0, T: 1}, {N: 2, K: 1, D: 1, T: 0}, {N: -1, K: -1, D: -1, T: -1}} {
			assert.ErrorContains(t, call(bad, 0), name)
		}
		if name == "RoundRobin" || name == "Random" {
			continue
		}
		for _, c := range []float64{-1, math.NaN(), math.Inf(1)} {
			assert.ErrorContains(t, call(good, c), "Exploration is")
			assert.ErrorContains(t, call(recovering.Setting{}, c), "T is 0") // all are named
		}
	}
	_, err := recovering.NewPeriodicUCB(good, recovering.UCBOptions{Phase: -1})
	assert.ErrorContains(t, err, "Phase is -1")
	_, err = recovering.Game{Setting: good, Kind: recovering.Exp}.Learner("oracle", 1)
	assert.ErrorContains(t, err, "method is")
}

// A planner's failure, or a plan that is none, leaves the learner where it was.
func TestPlannerFails(t *testing.T) {
	failing := errors.New("no plan today")
	for name, planner := range map[string]recovering.Planner{
		"error":      func(recovering.RecoveryModel, int) (recovering.Plan, error) { return recovering.Plan{}, failing },
		"other arms": func(recovering.RecoveryModel, int) (recovering.Plan, error) { return recovering.Plan{}, nil },
		"no offsets": func(recovering.RecoveryModel, int) (recovering.Plan, error) {
			return recovering.Plan{Period: []int{1, 1}}, nil
		},
	} {
		fail := true
		l, err := recovering.NewPeriodicUCB(recovering.Setting{N: 2, K: 1, D: 2, T: 9}, recovering.UCBOptions{Planner: func(m recovering.RecoveryModel, k int) (recovering.Plan, error) {
			if fail {
				return planner(m, k)
			}
			return recovering.PlanBest(m, k)
		}})
		require.NoError(t, err)
		_, err = l.Act(online.None{})
		assert.ErrorContains(t, err, "planner", name)
		fail = false
		_, err = l.Act(online.None{})
		require.NoError(t, err, name)
	}
}

// Regret depends on the seed alone, not on how many games run at once.
func TestGamesAreRepeatable(t *testing.T) {
	g := game(recovering.Exp, 300)
	a, err := g.Play(context.Background(), "periodic UCB", []uint64{1, 2, 3}, online.Options{})
	require.NoError(t, err)
	b, err := g.Play(context.Background(), "periodic UCB", []uint64{3}, online.Options{})
	require.NoError(t, err)
	assert.Equal(t, a.Regret[2], b.Regret[0])
	assert.Equal(t, a.Fraction[2], b.Fraction[0])
}
