package bandit_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/bandit"
	"github.com/hindsight-go/hindsight/lib/linsolve"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
	"gonum.org/v1/gonum/floats"
)

var relaxGrid = floats.Span(make([]float64, 20), 1, 1.95)

// relaxSystems is a sequence of systems of 100 unknowns.
func relaxSystems(grids linsolve.ShiftedGrids, rounds int, seed uint64) (*linsolve.Sequence, error) {
	instances, err := grids.Draw(rounds, seed)
	if err != nil {
		return nil, err
	}
	return linsolve.NewSequence(instances, relaxGrid, linsolve.WithSOR, linsolve.Options{})
}

type (
	relaxBlind   = online.Learner[online.None, int, float64]
	relaxSighted = online.Learner[float64, int, float64]
)

func relaxTsallis(seed uint64) (relaxBlind, error) { return bandit.NewTsallisINF(relaxGrid, seed) }
func relaxTsallisCB(seed uint64) (relaxSighted, error) {
	return bandit.NewTsallisINFCB(relaxGrid, 5, -0.15, 0.65, seed)
}
func relaxCheb(seed uint64) (relaxSighted, error) {
	return bandit.NewChebCB(relaxGrid, 6, -0.15, 0.65, seed)
}

func TestRelaxationRules(t *testing.T) {
	feedback := map[string]float64{"NaN": math.NaN(), "infinite": math.Inf(1), "below 1": 0.5}
	contexts := map[string]float64{"NaN": math.NaN(), "below": -0.2, "above": 0.66}
	t.Run("TsallisINF", func(t *testing.T) {
		onlinetest.Run(t, onlinetest.Case[online.None, int, float64]{New: relaxTsallis, BadFeedback: feedback,
			Environment: func(seed uint64) (online.Environment[online.None, int, float64], error) {
				s, err := relaxSystems(linsolve.LowVariance(), 40, seed)
				return linsolve.Unseen{Setting: s}, err
			}})
	})
	for name, learner := range map[string]func(uint64) (relaxSighted, error){"TsallisINFCB": relaxTsallisCB, "ChebCB": relaxCheb} {
		t.Run(name, func(t *testing.T) {
			onlinetest.Run(t, onlinetest.Case[float64, int, float64]{New: learner, BadContexts: contexts, BadFeedback: feedback,
				Environment: func(seed uint64) (online.Environment[float64, int, float64], error) {
					return relaxSystems(linsolve.LowVariance(), 40, seed)
				}})
		})
	}
}

func TestRelaxationTurns(t *testing.T) {
	for _, f := range []func(uint64) (relaxSighted, error){relaxTsallisCB, relaxCheb} {
		l, err := f(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Learn(3); err == nil {
			t.Error("Learn before Act")
		}
		if _, err := l.Act(0); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Act(0); err == nil {
			t.Error("Act after Act")
		}
		if err := l.Learn(3); err != nil {
			t.Error(err)
		}
	}
}

func TestRelaxationBadArguments(t *testing.T) {
	for want, build := range map[string]func() error{
		"NewTsallisINF: grid is empty":            func() error { _, err := bandit.NewTsallisINF(nil, 1); return err },
		"NewTsallisINF: grid[1] is NaN":           func() error { _, err := bandit.NewTsallisINF([]float64{1, math.NaN()}, 1); return err },
		"NewTsallisINFCB: bins is 0":              func() error { _, err := bandit.NewTsallisINFCB(relaxGrid, 0, 0, 1, 1); return err },
		"NewTsallisINFCB: low and high are 1 and": func() error { _, err := bandit.NewTsallisINFCB(relaxGrid, 1, 1, 1, 1); return err },
		"NewChebCB: features is 0":                func() error { _, err := bandit.NewChebCB(relaxGrid, 0, 0, 1, 1); return err },
		"NewChebCB: low and high are 0 and NaN":   func() error { _, err := bandit.NewChebCB(relaxGrid, 6, 0, math.NaN(), 1); return err },
	} {
		if err := build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, must be about %q", err, want)
		}
	}
}

// One value to choose from is chosen.
func TestRelaxationOfOneValue(t *testing.T) {
	tsallis, err := bandit.NewTsallisINF([]float64{1.5}, 1)
	if err != nil {
		t.Fatal(err)
	}
	cheb, err := bandit.NewChebCB([]float64{1.5}, 1, 0, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 20 {
		a, err := tsallis.Act(online.None{})
		if err != nil || a != 0 || math.Abs(tsallis.Probabilities()[0]-1) > 1e-12 {
			t.Fatalf("%d, %v, %v", a, tsallis.Probabilities(), err)
		}
		if a, err = cheb.Act(0.3); err != nil || a != 0 {
			t.Fatalf("%d, %v", a, err)
		}
		cost := float64(2 + round)
		if tsallis.Learn(cost) != nil || cheb.Learn(cost) != nil {
			t.Fatal("a cost is refused")
		}
	}
}

// What the experiments claim, with fewer systems: Tsallis-INF comes near the best fixed ω, and ChebCB, which sees the shift,
// is below it. The ratios of ten seeds are 1.30 ± 0.07 and 0.82 ± 0.03, so a fixed seed's being beyond the bounds is not chance.
func TestRelaxationLearns(t *testing.T) {
	const rounds = 1500
	s, err := relaxSystems(linsolve.HighVariance(), rounds, 1)
	if err != nil {
		t.Fatal(err)
	}
	ratio := func(runs []online.Run, err error) float64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		cost := floats.Sum(runs[0].Losses)
		return cost / (cost - runs[0].Regret[linsolve.BestFixed][rounds-1])
	}
	tsallis := ratio(online.Play(context.Background(), func(uint64) (online.Environment[online.None, int, float64], error) {
		return linsolve.Unseen{Setting: s}, nil
	}, relaxTsallis, rounds, []uint64{1}, online.Options{}))
	cheb := ratio(online.Play(context.Background(), func(uint64) (online.Environment[float64, int, float64], error) { return s, nil },
		relaxCheb, rounds, []uint64{1}, online.Options{}))
	if tsallis > 1.6 || tsallis < 1 {
		t.Errorf("Tsallis-INF costs %.3f of the best fixed ω", tsallis)
	}
	if cheb > 0.92 {
		t.Errorf("ChebCB costs %.3f of the best fixed ω", cheb)
	}
}

func BenchmarkRelaxationRound(b *testing.B) {
	rng := online.Seeded(1, "costs")
	b.Run("TsallisINF", func(b *testing.B) {
		l, _ := relaxTsallis(1)
		for b.Loop() {
			a, _ := l.Act(online.None{})
			_ = l.Learn(20 + 100*math.Abs(relaxGrid[a]-1.6) + 5*rng.Float64())
		}
	})
	b.Run("ChebCB", func(b *testing.B) {
		l, _ := relaxCheb(1)
		for b.Loop() {
			a, _ := l.Act(rng.Float64()/2 - 0.1)
			_ = l.Learn(20 + 100*math.Abs(relaxGrid[a]-1.6) + 5*rng.Float64())
		}
	})
}

func ExampleChebCB() {
	instances, err := linsolve.LowVariance().Draw(400, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	grid := floats.Span(make([]float64, 20), 1, 1.95)
	env, err := linsolve.NewSequence(instances, grid, linsolve.WithSOR, linsolve.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	learner, err := bandit.NewChebCB(grid, 6, -0.15, 0.65, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	runs, err := online.Play(context.Background(), func(uint64) (online.Environment[float64, int, float64], error) { return env, nil },
		func(uint64) (online.Learner[float64, int, float64], error) { return learner, nil }, len(instances), []uint64{1}, online.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	regret := runs[0].Regret
	fmt.Println("cheaper than an ω at random:", regret[linsolve.Uniform][399] < 0)
	// Output:
	// cheaper than an ω at random: true
}

func ExampleTsallisINF() {
	l, err := bandit.NewTsallisINF([]float64{1, 1.5, 1.9}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	cost := []float64{60, 25, 90}
	for range 2000 {
		action, err := l.Act(online.None{})
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := l.Learn(cost[action]); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("more often than not ω = 1.5:", l.Probabilities()[1] > 0.5)
	// Output:
	// more often than not ω = 1.5: true
}
