package recovering

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
)

// top selects the K arms with the largest keys, ties to the lowest arm, in O(N log K).
type top struct {
	key  []float64 // one an arm, set by the caller
	arms []int     // a heap with the worst arm on top
}

// best returns them in rising order, in the room of arms.
func (h *top) best(k int, arms []int) []int {
	h.arms = arms[:0]
	for i := range k {
		h.arms = append(h.arms, i)
	}
	for j := k/2 - 1; j >= 0; j-- {
		h.sink(j)
	}
	for i := k; i < len(h.key); i++ {
		if h.key[i] > h.key[h.arms[0]] { // a later arm loses a tie
			h.arms[0] = i
			h.sink(0)
		}
	}
	slices.Sort(h.arms)
	return h.arms
}

func (h *top) sink(j int) {
	for {
		child := 2*j + 1
		if child+1 < len(h.arms) && h.worse(child+1, child) {
			child++
		}
		if child >= len(h.arms) || !h.worse(child, j) {
			return
		}
		h.arms[j], h.arms[child] = h.arms[child], h.arms[j]
		j = child
	}
}

func (h *top) worse(i, j int) bool {
	a, b := h.arms[i], h.arms[j]
	return h.key[a] < h.key[b] || h.key[a] == h.key[b] && a > b
}

// GreedyUCB takes the K arms with the largest bound min(1, mean + √(c·ln T/n)) in this period, ties to the lowest arm. It
// plans nothing. With [NewUCB1] there is one bound an arm, as if rewards did not depend on idle times: the ordinary
// upper confidence bound, and what [PeriodicUCB] with phases of one period is where D = 1. With [NewCellUCB] there is one
// for each arm and idle time.
//
// Source: P. Auer, N. Cesa-Bianchi, P. Fischer (2002), Finite-time Analysis of the Multiarmed Bandit Problem, with the
// width of PeriodicUCB.
type GreedyUCB struct {
	turns
	cells cells
	top   top
}

// NewUCB1 makes a learner that ignores idle times. Exploration is c, positive; 0: 0.5.
func NewUCB1(s Setting, exploration float64) (*GreedyUCB, error) {
	return newGreedy("UCB1", s, exploration, 1)
}

// NewCellUCB makes a learner with a bound for each arm and idle time. Exploration is c, positive; 0: 0.5.
func NewCellUCB(s Setting, exploration float64) (*GreedyUCB, error) {
	return newGreedy("CellUCB", s, exploration, s.D)
}

func newGreedy(name string, s Setting, exploration float64, columns int) (*GreedyUCB, error) {
	exploration, err := checkExploration(name, exploration)
	t, invalid := newTurns(name, s)
	if err := errors.Join(invalid, err); err != nil {
		return nil, err
	}
	return &GreedyUCB{t, newCells(s, columns, exploration), top{key: make([]float64, s.N)}}, nil
}

// Act returns K arms, which belong to the learner.
func (l *GreedyUCB) Act(online.None) ([]int, error) {
	if err := l.begin(); err != nil {
		return nil, err
	}
	for i := range l.top.key {
		l.top.key[i] = l.cells.upper(i, l.rest(i))
	}
	return l.choose(l.top.best(l.s.K, l.arms)), nil
}

// Learn counts each reward.
func (l *GreedyUCB) Learn(rewards []float64) error {
	if err := l.check(rewards); err != nil {
		return err
	}
	for j, i := range l.arms {
		l.cells.add(i, l.rest(i), rewards[j])
	}
	l.finish()
	return nil
}

// Myopic knows R and takes the K arms with the largest expected reward in this period, ties to the lowest arm.
type Myopic struct {
	turns
	m   RecoveryModel
	top top
}

// NewMyopic makes a policy with at most k pulls a period.
func NewMyopic(m RecoveryModel, k int) (*Myopic, error) {
	if err := m.check("NewMyopic", k); err != nil {
		return nil, err
	}
	t, err := newTurns("Myopic", Setting{m.Arms(), k, m.Recovery(), 1})
	return &Myopic{t, m, top{key: make([]float64, m.Arms())}}, err
}

// Act returns K arms, which belong to the policy.
func (l *Myopic) Act(online.None) ([]int, error) {
	if err := l.begin(); err != nil {
		return nil, err
	}
	for i := range l.top.key {
		l.top.key[i] = l.m.At(i, l.idle(i))
	}
	return l.choose(l.top.best(l.s.K, l.arms)), nil
}

// RoundRobin takes the K arms that rest longest, ties to the lowest arm.
type RoundRobin struct {
	turns
	top top
}

// NewRoundRobin makes a policy.
func NewRoundRobin(s Setting) (*RoundRobin, error) {
	t, err := newTurns("RoundRobin", s)
	if err != nil {
		return nil, err
	}
	return &RoundRobin{t, top{key: make([]float64, s.N)}}, nil
}

// Act returns K arms, which belong to the policy.
func (l *RoundRobin) Act(online.None) ([]int, error) {
	if err := l.begin(); err != nil {
		return nil, err
	}
	for i := range l.top.key {
		l.top.key[i] = float64(l.rest(i))
	}
	return l.choose(l.top.best(l.s.K, l.arms)), nil
}

// Random takes K arms, all sets of this size being equally likely.
type Random struct {
	turns
	rng *rand.Rand
	all []int
}

// NewRandom makes a policy.
func NewRandom(s Setting, seed uint64) (*Random, error) {
	t, err := newTurns("Random", s)
	if err != nil {
		return nil, err
	}
	l := &Random{t, online.Seeded(seed, "recovering: Random"), make([]int, s.N)}
	for i := range l.all {
		l.all[i] = i
	}
	return l, nil
}

// Act returns K arms, which belong to the policy.
func (l *Random) Act(online.None) ([]int, error) {
	if err := l.begin(); err != nil {
		return nil, err
	}
	for j := range l.s.K {
		other := j + l.rng.IntN(l.s.N-j)
		l.all[j], l.all[other] = l.all[other], l.all[j]
	}
	return l.choose(append(l.arms[:0], l.all[:l.s.K]...)), nil
}

// Fixed plays a plan, such as one made with the true R.
type Fixed struct {
	turns
	player player
}

// NewFixed makes a policy that plays the plan from its time 0 on. Whether it keeps to K pulls is for the environment to say.
func NewFixed(p Plan) (*Fixed, error) {
	player, err := newPlayer(p)
	if err != nil {
		return nil, err
	}
	t, err := newTurns("Fixed", Setting{len(p.Period), len(p.Period), 1, 1})
	return &Fixed{t, player}, err
}

// Act returns the arms of the plan's next time, which belong to the policy.
func (l *Fixed) Act(online.None) ([]int, error) {
	if err := l.begin(); err != nil {
		return nil, err
	}
	return l.choose(l.player.due(l.now, l.arms[:0])), nil
}
