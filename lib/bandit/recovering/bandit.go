package recovering

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/hindsight-go/hindsight/lib/online"
)

// The learners of this package: they see nothing, choose at most K arms, and learn the rewards in the order of the arms.
type (
	// Learner plays recovering bandits.
	Learner = online.Learner[online.None, []int, []float64]
	// Environment is what it plays in.
	Environment = online.Environment[online.None, []int, []float64]
)

// Names of the comparators of [Bandit].
const (
	// AgainstPlan is the value of the planner's plan under the true model, in every period.
	AgainstPlan = "plan"
	// AgainstBound is [UpperBound], in every period.
	AgainstBound = "upper bound"
)

// Bandit is the environment: a reward is 1 with probability R_i(idle) and else 0; the loss charged is minus the sum of
// the expected rewards, so that regret is pseudo-regret. It is a [online.Comparing].
type Bandit struct {
	m           RecoveryModel
	k           int
	plan, bound float64
	rng         *rand.Rand
	round       int   // of the last Reveal
	last        []int // round of the last pull
	stamp       []int // the call of Reveal that named the arm last
	calls       int
	rewards     []float64
	collected   float64
}

var (
	_ Environment      = (*Bandit)(nil)
	_ online.Comparing = (*Bandit)(nil)
)

// NewBandit makes an environment with at most k pulls a period, in which all arms are recovered. The planner makes the
// plan that is compared with; nil is [PlanBest].
func NewBandit(m RecoveryModel, k int, planner Planner, seed uint64) (*Bandit, error) {
	bound, _, err := UpperBound(m, k)
	if err != nil {
		return nil, fmt.Errorf("recovering: NewBandit: %w", err)
	}
	if planner == nil {
		planner = PlanBest
	}
	p, err := planner(m, k)
	if err != nil {
		return nil, fmt.Errorf("recovering: NewBandit: planner: %w", err)
	}
	b := &Bandit{m: m, k: k, bound: bound, rng: online.Seeded(seed, "recovering: Bandit"), last: make([]int, m.Arms()), stamp: make([]int, m.Arms())}
	if b.plan, err = p.ValueUnder(m); err != nil {
		return nil, fmt.Errorf("recovering: NewBandit: planner: %w", err)
	}
	for i := range b.last {
		b.last[i] = 1 - m.Recovery()
	}
	return b, nil
}

// Context shows nothing.
func (b *Bandit) Context(int) (online.None, error) { return online.None{}, nil }

// Idle is the idle time of an arm in the next round, at most D.
func (b *Bandit) Idle(arm int) int { return min(b.round+1-b.last[arm], b.m.Recovery()) }

// Collected is the sum of the expected rewards of all pulls so far.
func (b *Bandit) Collected() float64 { return b.collected }

// Reveal pulls the arms, which must be different ones, at most K. The rewards belong to the environment and are good
// until the next call. Rounds must be 1, 2, 3, …
func (b *Bandit) Reveal(round int, arms []int) (rewards []float64, loss float64, err error) {
	if round != b.round+1 {
		return nil, 0, fmt.Errorf("recovering: Bandit: Reveal: round is %d, must be the next, %d", round, b.round+1)
	}
	if len(arms) > b.k {
		return nil, 0, fmt.Errorf("recovering: Bandit: Reveal: %d arms, must be at most K = %d", len(arms), b.k)
	}
	b.calls++
	for _, i := range arms {
		if i < 0 || i >= b.m.Arms() {
			return nil, 0, fmt.Errorf("recovering: Bandit: Reveal: arm %d, must be between 0 and %d", i, b.m.Arms()-1)
		}
		if b.stamp[i] == b.calls {
			return nil, 0, fmt.Errorf("recovering: Bandit: Reveal: arm %d twice, must be different arms", i)
		}
		b.stamp[i] = b.calls
	}
	b.rewards = b.rewards[:0]
	for _, i := range arms {
		mean := b.m.At(i, b.Idle(i))
		reward := 0.
		if b.rng.Float64() < mean {
			reward = 1
		}
		b.rewards = append(b.rewards, reward)
		loss -= mean
	}
	b.round, b.collected = round, b.collected-loss
	for _, i := range arms {
		b.last[i] = round
	}
	return b.rewards, loss, nil
}

// Comparators are [AgainstPlan] and [AgainstBound].
func (b *Bandit) Comparators() ([]online.Comparator, error) {
	constant := func(name string, reward float64) online.Comparator {
		c := online.Comparator{Name: name, Losses: make([]float64, b.round)}
		for t := range c.Losses {
			c.Losses[t] = -reward
		}
		return c
	}
	return []online.Comparator{constant(AgainstPlan, b.plan), constant(AgainstBound, b.bound)}, nil
}

// Setting is what a learner knows of the game.
type Setting struct {
	N int // arms, at least 1
	K int // pulls a period at most, between 1 and N
	D int // idle time of full recovery, at least 1
	T int // periods, at least 1; only the width of confidence bounds and the length of phases depend on it
}

// Validate says which sizes are out of range.
func (s Setting) Validate() error {
	var all []error
	bad := func(name string, value int, allowed string) {
		all = append(all, fmt.Errorf("recovering: Setting: %s is %d, must be %s", name, value, allowed))
	}
	if s.N < 1 {
		bad("N", s.N, "at least 1")
	}
	if s.K < 1 || s.K > max(1, s.N) {
		bad("K", s.K, fmt.Sprintf("between 1 and N = %d", s.N))
	}
	if s.D < 1 {
		bad("D", s.D, "at least 1")
	}
	if s.T < 1 {
		bad("T", s.T, "at least 1")
	}
	return errors.Join(all...)
}

// turns is what all learners keep: whose turn it is, and when each arm was pulled last.
type turns struct {
	name string
	s    Setting
	now  int   // rounds that were learnt
	last []int // round of the last pull
	arms []int // of the open round, or of the last one
	open bool
}

func newTurns(name string, s Setting) (turns, error) {
	if err := s.Validate(); err != nil {
		return turns{}, fmt.Errorf("recovering: New%s: %w", name, err)
	}
	t := turns{name: name, s: s, last: make([]int, s.N), arms: make([]int, 0, s.N)}
	for i := range t.last {
		t.last[i] = 1 - s.D
	}
	return t, nil
}

// rest is the number of periods since the arm's last pull.
func (t *turns) rest(arm int) int { return t.now + 1 - t.last[arm] }

// idle is rest up to D.
func (t *turns) idle(arm int) int { return min(t.rest(arm), t.s.D) }

// begin opens a round.
func (t *turns) begin() error {
	if t.open {
		return fmt.Errorf("recovering: %s: Act: the rewards of round %d are missing, Learn must come first", t.name, t.now+1)
	}
	return nil
}

// choose closes Act with these arms.
func (t *turns) choose(arms []int) []int {
	t.arms, t.open = arms, true
	return arms
}

// check looks at feedback and changes nothing.
func (t *turns) check(rewards []float64) error {
	if !t.open {
		return fmt.Errorf("recovering: %s: Learn: no arms were chosen, Act must come first", t.name)
	}
	if len(rewards) != len(t.arms) {
		return fmt.Errorf("recovering: %s: Learn: %d rewards, must be one for each of the %d arms", t.name, len(rewards), len(t.arms))
	}
	for j, r := range rewards {
		if !(r >= 0 && r <= 1) {
			return fmt.Errorf("recovering: %s: Learn: the reward of arm %d is %g, must be in [0, 1]", t.name, t.arms[j], r)
		}
	}
	return nil
}

// finish closes a round whose rewards are good.
func (t *turns) finish() {
	t.now++
	for _, i := range t.arms {
		t.last[i] = t.now
	}
	t.open = false
}

// Learn of learners that learn nothing.
func (t *turns) Learn(rewards []float64) error {
	if err := t.check(rewards); err != nil {
		return err
	}
	t.finish()
	return nil
}
