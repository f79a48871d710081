package recovering

import (
	"errors"
	"fmt"
	"math"

	"github.com/hindsight-go/hindsight/lib/online"
)

// cells counts pulls and sums rewards by arm and idle time, from the last column on together.
type cells struct {
	columns int
	n       []int
	sum     []float64
	width   float64 // c·ln T
}

func checkExploration(name string, c float64) (float64, error) {
	if c == 0 {
		c = 0.5
	}
	if !(c > 0) || math.IsInf(c, 1) {
		return 0, fmt.Errorf("recovering: New%s: Exploration is %g, must be positive and finite, or 0 for 0.5", name, c)
	}
	return c, nil
}

func newCells(s Setting, columns int, exploration float64) cells {
	return cells{columns, make([]int, s.N*columns), make([]float64, s.N*columns), exploration * math.Log(float64(s.T))}
}

func (c *cells) at(arm, idle int) int { return arm*c.columns + min(idle, c.columns) - 1 }

func (c *cells) add(arm, idle int, reward float64) {
	at := c.at(arm, idle)
	c.n[at]++
	c.sum[at] += reward
}

// upper is min(1, mean + √(c·ln T/n)), and 1 without a pull.
func (c *cells) upper(arm, idle int) float64 {
	at := c.at(arm, idle)
	n := float64(c.n[at])
	if n == 0 {
		return 1
	}
	return min(1, c.sum[at]/n+math.Sqrt(c.width/n))
}

// UCBOptions of [NewPeriodicUCB]; the zero value is fine.
type UCBOptions struct {
	// Exploration is c in the bound mean + √(c·ln T/n), positive; 0: 0.5, this library's choice.
	Exploration float64
	// Phase is the number of periods that a plan is played for, at least 1; 0: max(2D, ⌊√T⌋), this library's choice.
	Phase int
	// Planner makes the plans; nil: [PlanBest]. With [Exact] the plan found is the best for the bounds, and regret
	// against the same planner's plan vanishes; the value of a rounded plan is not monotone in the bounds, so with it a
	// part of the regret may stay.
	Planner Planner
}

// PeriodicUCB learns recovery curves while it plays. At the start of each phase it takes for every arm and idle time the
// upper confidence bound
//
//	U_i(d) = min_{d' ≥ d} min(1, mean_i(d') + √(c·ln T/n_i(d'))),   1 where n_i(d') = 0,
//
// plans with U as if it were R, and plays the plan for a phase. The minimum over longer idle times uses that rewards do
// not fall, and keeps U from falling. Every pull counts at its true idle time, so also the first of a phase.
//
// Source: Simchi-Levi, Zheng, Zhu (2021); phases and constants are this library's.
type PeriodicUCB struct {
	turns
	cells   cells
	phase   int
	planner Planner
	plan    Plan
	player  player
	upper   RecoveryModel
	round   int // of the phase, from 0
}

var _ Learner = (*PeriodicUCB)(nil)

// NewPeriodicUCB makes a learner. It needs memory for 3ND numbers.
func NewPeriodicUCB(s Setting, o UCBOptions) (*PeriodicUCB, error) {
	const name = "PeriodicUCB"
	t, err := newTurns(name, s)
	c, invalid := checkExploration(name, o.Exploration)
	err = errors.Join(err, invalid)
	if o.Phase < 0 {
		err = errors.Join(err, fmt.Errorf("recovering: New%s: Phase is %d, must be at least 1, or 0 for max(2D, ⌊√T⌋)", name, o.Phase))
	}
	if err != nil {
		return nil, err
	}
	if o.Phase == 0 {
		o.Phase = max(2*s.D, int(math.Sqrt(float64(s.T))))
	}
	if o.Planner == nil {
		o.Planner = PlanBest
	}
	l := &PeriodicUCB{turns: t, cells: newCells(s, s.D, c), phase: o.Phase, planner: o.Planner, upper: RecoveryModel{R: make([][]float64, s.N)}}
	for i := range l.upper.R {
		l.upper.R[i] = make([]float64, s.D)
	}
	return l, nil
}

// Act returns the arms of the plan, of a new one at the start of a phase. They belong to the learner.
func (l *PeriodicUCB) Act(online.None) ([]int, error) {
	if err := l.begin(); err != nil {
		return nil, err
	}
	if l.round == 0 {
		if err := l.replan(); err != nil {
			return nil, err
		}
	}
	return l.choose(l.player.due(l.round, l.arms[:0])), nil
}

func (l *PeriodicUCB) replan() error {
	for i, row := range l.upper.R {
		least := 1.
		for d := l.s.D; d >= 1; d-- {
			least = min(least, l.cells.upper(i, d))
			row[d-1] = least
		}
	}
	plan, err := l.planner(l.upper, l.s.K)
	if err != nil {
		return fmt.Errorf("recovering: PeriodicUCB: Act: planner: %w", err)
	}
	player, err := newPlayer(plan)
	if err != nil {
		return fmt.Errorf("recovering: PeriodicUCB: Act: planner: %w", err)
	}
	if len(plan.Period) != l.s.N {
		return fmt.Errorf("recovering: PeriodicUCB: Act: planner: the plan has %d arms, must have N = %d", len(plan.Period), l.s.N)
	}
	l.plan, l.player = plan, player
	return nil
}

// Learn counts each reward at its arm's idle time.
func (l *PeriodicUCB) Learn(rewards []float64) error {
	if err := l.check(rewards); err != nil {
		return err
	}
	for j, i := range l.arms {
		l.cells.add(i, l.rest(i), rewards[j])
	}
	l.finish()
	l.round = (l.round + 1) % l.phase
	return nil
}

// Plan is the plan of the current phase; it belongs to the learner.
func (l *PeriodicUCB) Plan() Plan { return l.plan }

// Pulls is n_i(d), by arm and idle time d−1.
func (l *PeriodicUCB) Pulls() [][]int {
	out := make([][]int, l.s.N)
	for i := range out {
		out[i] = append(out[i], l.cells.n[i*l.s.D:(i+1)*l.s.D]...)
	}
	return out
}
