package recovering

import (
	"context"
	"fmt"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Offline is what planners make of one model, as rewards a period.
type Offline struct {
	Kind          Kind
	N, K, D       int
	Seed          uint64
	Bound         float64 // UpperBound
	Best, Powers  float64 // PlanBest and PlanPeriodic with a = 1
	Myopic        float64 // mean of a run of the greedy policy
	Single        float64 // max_i max_d R_i(d)/d, the most that a single arm earns
	Pulls, Wrong  int     // of PlanBest's schedule: most pulls of a period, gaps that are not the arm's period
	Pulled, Never int     // arms of PlanBest
}

// RunOffline plans one model of the kind; the myopic policy plays the given number of periods, the schedule is audited for 2000.
func RunOffline(kind Kind, n, k, d, periods int, seed uint64) (Offline, error) {
	o := Offline{Kind: kind, N: n, K: k, D: d, Seed: seed}
	m, err := Generate(kind, n, d, seed)
	if err != nil {
		return o, err
	}
	if o.Bound, _, err = UpperBound(m, k); err != nil {
		return o, err
	}
	best, err := PlanBest(m, k)
	if err != nil {
		return o, err
	}
	powers, err := PlanPeriodic(m, k, 1)
	if err != nil {
		return o, err
	}
	o.Best, o.Powers = best.Value, powers.Value
	for i, p := range best.Period {
		if p > 0 {
			o.Pulled++
		} else {
			o.Never++
		}
		for d, r := range m.R[i] {
			o.Single = max(o.Single, r/float64(d+1))
		}
	}
	if o.Pulls, o.Wrong, err = best.Audit(2000); err != nil {
		return o, err
	}
	b, err := NewBandit(m, k, nil, seed)
	if err != nil {
		return o, err
	}
	_, err = online.Play(context.Background(), func(uint64) (Environment, error) { return b, nil },
		func(uint64) (Learner, error) { return NewMyopic(m, k) }, periods, []uint64{seed}, online.Options{})
	o.Myopic = b.Collected() / float64(periods)
	return o, err
}

// Small is a model that is small enough to know the best policy of all.
type Small struct {
	Kind Kind
	Seed uint64
	// Rewards a period: of OptimalAverage, UpperBound, UpperBoundLP, PlanExact, PlanBest, and the greedy policy.
	Optimum, Bound, LP, Exact, Best, Myopic float64
}

// RunSmall solves N = 3, K = 1, D = 4 in every way; the exact planner has L = 3.
func RunSmall(kind Kind, seed uint64) (Small, error) {
	const n, k, d = 3, 1, 4
	o, err := RunOffline(kind, n, k, d, 600, seed)
	if err != nil {
		return Small{}, err
	}
	m, err := Generate(kind, n, d, seed)
	if err != nil {
		return Small{}, err
	}
	exact, err := PlanExact(m, k, 3)
	if err != nil {
		return Small{}, err
	}
	linear, err := UpperBoundLP(m, k)
	if err != nil {
		return Small{}, err
	}
	optimum, err := OptimalAverage(m, k)
	return Small{kind, seed, optimum, o.Bound, linear, exact.Value, o.Best, o.Myopic}, err
}

// Game is a learning problem: a model of the kind for each seed, and how it is compared.
type Game struct {
	Kind    Kind
	Setting Setting
	Planner Planner // of the plan that is compared with, and of "periodic UCB"; nil: PlanBest
	// Exploration is c of all bounds; 0: 0.5.
	Exploration float64
}

// Methods are the names that [Game.Play] knows, in the order of the tables. "plan" and "myopic" know R; the LP planner is
// [PlanBest].
func Methods() []string {
	return []string{"plan", "myopic", "periodic UCB", "LP periodic UCB", "powers of two", "UCB1", "cell UCB", "round robin", "random"}
}

// Learner makes a method's learner for the game of this seed.
func (g Game) Learner(method string, seed uint64) (Learner, error) {
	s := g.Setting
	planners := map[string]Planner{"periodic UCB": g.Planner, "LP periodic UCB": PlanBest, "powers of two": Periodic(1)}
	switch method {
	case "plan", "myopic":
		m, err := Generate(g.Kind, s.N, s.D, seed)
		if err != nil {
			return nil, err
		}
		if method == "myopic" {
			return NewMyopic(m, s.K)
		}
		planner := g.Planner
		if planner == nil {
			planner = PlanBest
		}
		p, err := planner(m, s.K)
		if err != nil {
			return nil, err
		}
		return NewFixed(p)
	case "periodic UCB", "LP periodic UCB", "powers of two":
		return NewPeriodicUCB(s, UCBOptions{Exploration: g.Exploration, Planner: planners[method]})
	case "UCB1":
		return NewUCB1(s, g.Exploration)
	case "cell UCB":
		return NewCellUCB(s, g.Exploration)
	case "round robin":
		return NewRoundRobin(s)
	case "random":
		return NewRandom(s, seed)
	}
	return nil, fmt.Errorf("recovering: Game: Learner: method is %q, must be one of %q", method, Methods())
}

// Environment is the bandit of this seed.
func (g Game) Environment(seed uint64) (Environment, error) {
	m, err := Generate(g.Kind, g.Setting.N, g.Setting.D, seed)
	if err != nil {
		return nil, err
	}
	return NewBandit(m, g.Setting.K, g.Planner, seed)
}

// Played is what a method earned in T periods, one value a seed.
type Played struct {
	Regret   []float64 // against the planner's plan under the true R, in all
	Fraction []float64 // collected expected reward / (T·upper bound)
	Plan     []float64 // the plan's value / upper bound
}

// Play lets a method play T periods of each seed.
func (g Game) Play(ctx context.Context, method string, seeds []uint64, o online.Options) (Played, error) {
	runs, err := online.Play(ctx, g.Environment, func(seed uint64) (Learner, error) { return g.Learner(method, seed) }, g.Setting.T, seeds, o)
	if err != nil {
		return Played{}, err
	}
	var p Played
	if p.Regret, err = online.Final(runs, AgainstPlan); err != nil {
		return Played{}, err
	}
	beyond, err := online.Final(runs, AgainstBound)
	if err != nil {
		return Played{}, err
	}
	for i, r := range runs {
		collected := 0.
		for _, loss := range r.Losses {
			collected -= loss
		}
		bound := beyond[i] + collected // T·UB, as regret is what is missing to it
		p.Fraction = append(p.Fraction, collected/bound)
		p.Plan = append(p.Plan, (p.Regret[i]+collected)/bound)
	}
	return p, nil
}
