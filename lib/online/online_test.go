package online_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
)

// leader follows the leader of two experts: a learner of a few lines.
type leader struct{ losses [2]float64 }

func (l *leader) Act(online.None) (int, error) {
	if l.losses[1] < l.losses[0] {
		return 1, nil
	}
	return 0, nil
}

func (l *leader) Learn(losses [2]float64) error {
	for i, x := range losses {
		if !(x >= 0 && x <= 1) {
			return fmt.Errorf("leader: loss of expert %d is %g, must be in [0, 1]", i, x)
		}
	}
	l.losses[0], l.losses[1] = l.losses[0]+losses[0], l.losses[1]+losses[1]
	return nil
}

func (l *leader) Bound() float64 { return l.losses[0] + l.losses[1] }

// coins charges 1 to one of two experts, by chance or at a fault's round NaN.
type coins struct {
	draw  func() float64
	seen  [2][]float64
	fault int
}

func (c *coins) Context(int) (online.None, error) { return online.None{}, nil }

func (c *coins) Reveal(round int, action int) ([2]float64, float64, error) {
	losses := [2]float64{0, 1}
	if c.draw() < 0.4 {
		losses = [2]float64{1, 0}
	}
	if round == c.fault {
		losses[0] = math.NaN()
		return losses, 0, nil
	}
	c.seen[0], c.seen[1] = append(c.seen[0], losses[0]), append(c.seen[1], losses[1])
	return losses, losses[action], nil
}

func (c *coins) Comparators() ([]online.Comparator, error) {
	odd := make([]bool, len(c.seen[0]))
	for t := range odd {
		odd[t] = t%2 == 0
	}
	return []online.Comparator{{Name: "expert 0", Losses: c.seen[0]}, {Name: "expert 1 in odd rounds", Losses: c.seen[1], Active: odd},
		{Name: "never", Losses: c.seen[1], Active: make([]bool, len(odd))}}, nil
}

type (
	environment = online.Environment[online.None, int, [2]float64]
	learner     = online.Learner[online.None, int, [2]float64]
)

func toss(fault int) func(uint64) (environment, error) {
	return func(seed uint64) (environment, error) {
		return &coins{draw: online.Seeded(seed, "coins").Float64, fault: fault}, nil
	}
}

func fresh(uint64) (learner, error) { return &leader{}, nil }

func TestPlay(t *testing.T) {
	seeds := []uint64{3, 1, 2, 9}
	told := 0
	runs, err := online.Play(context.Background(), toss(0), fresh, 1000, seeds, online.Options{Progress: func(done, total int) {
		if total != 4000 || done > total {
			t.Errorf("%d of %d rounds", done, total)
		}
		told = max(told, done)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if told != 4000 {
		t.Errorf("progress ends at %d", told)
	}
	for i, r := range runs {
		var suffered float64
		for _, x := range r.Losses {
			suffered += x
		}
		if r.Seed != seeds[i] || len(r.Losses) != 1000 || len(r.Regret["expert 0"]) != 1000 || len(r.Regret["expert 1 in odd rounds"]) != 500 || len(r.Regret["never"]) != 0 {
			t.Errorf("run %d: seed %d, %d losses, regret of %d and %d rounds", i, r.Seed, len(r.Losses), len(r.Regret["expert 0"]), len(r.Regret["expert 1 in odd rounds"]))
		}
		if !slices.IsSorted(r.Bounds) || r.Bounds[999] != 1000 {
			t.Errorf("bounds end at %g, one expert loses 1 a round", r.Bounds[999])
		}
	}
	one, err := online.Play(context.Background(), toss(0), fresh, 1000, []uint64{2}, online.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(one[0].Losses, runs[2].Losses) {
		t.Error("seed 2 alone plays another game than among others")
	}
	final, err := online.Final(runs, "never")
	if err != nil || !slices.Equal(final, make([]float64, 4)) {
		t.Errorf("final %v, %v", final, err)
	}
	if _, err := online.Final(runs, "expert 7"); err == nil {
		t.Error("regret against a comparator that is not there")
	}
}

func TestPlayNamesTheRound(t *testing.T) {
	runs, err := online.Play(context.Background(), toss(17), fresh, 40, []uint64{5}, online.Options{})
	if err == nil || !strings.Contains(err.Error(), "seed 5: round 17: leader: loss of expert 0 is NaN") {
		t.Errorf("%v", err)
	}
	if len(runs) != 1 || runs[0].Losses != nil {
		t.Errorf("%v", runs)
	}
}

func TestPlayStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := online.Play(ctx, toss(0), fresh, 100_000, []uint64{1}, online.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestPlayBadArguments(t *testing.T) {
	for name, play := range map[string]func() ([]online.Run, error){
		"nil": func() ([]online.Run, error) {
			return online.Play(context.Background(), nil, fresh, 1, []uint64{1}, online.Options{})
		},
		"rounds": func() ([]online.Run, error) {
			return online.Play(context.Background(), toss(0), fresh, 0, []uint64{1}, online.Options{})
		},
		"seeds": func() ([]online.Run, error) {
			return online.Play(context.Background(), toss(0), fresh, 1, nil, online.Options{})
		},
	} {
		if _, err := play(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRegretBadArguments(t *testing.T) {
	for _, c := range []online.Comparator{{Losses: []float64{1}}, {Losses: []float64{1, 2}, Active: []bool{true}}, {Losses: []float64{1, math.Inf(1)}}} {
		if _, err := online.Regret([]float64{1, 2}, c); err == nil {
			t.Errorf("%v is taken", c)
		}
	}
}

func TestRules(t *testing.T) {
	onlinetest.Run(t, onlinetest.Case[online.None, int, [2]float64]{New: fresh, Environment: toss(0),
		BadFeedback: map[string][2]float64{"NaN": {math.NaN(), 0}, "above 1": {0, 2}}})
}

func ExamplePlay() {
	environment := func(seed uint64) (online.Environment[online.None, int, [2]float64], error) {
		return &coins{draw: online.Seeded(seed, "coins").Float64}, nil
	}
	learner := func(uint64) (online.Learner[online.None, int, [2]float64], error) { return &leader{}, nil }
	runs, err := online.Play(context.Background(), environment, learner, 2000, []uint64{1, 2, 3}, online.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	regret, _ := online.Final(runs, "expert 0")
	for i, r := range runs {
		fmt.Printf("seed %d: regret below 5 %% of the rounds: %t\n", r.Seed, regret[i] < 100)
	}
	// Output:
	// seed 1: regret below 5 % of the rounds: true
	// seed 2: regret below 5 % of the rounds: true
	// seed 3: regret below 5 % of the rounds: true
}
