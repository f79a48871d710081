package experts

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Context is what a learner with groups sees: the round's context, and which groups the round belongs to.
type Context[C any] struct {
	Value  C
	Active []bool
}

// Mixture is a random action: Actions[k] with probability Weights[k]. An environment charges its expected loss. Without
// actions it is no action at all, the answer to a round of no group. It belongs to the learner and is good until the next call.
type Mixture[A any] struct {
	Actions []A
	Weights []float64
}

// Draw is the action at u in [0, 1) of the distribution; ok is false where there is none.
func (m Mixture[A]) Draw(u float64) (action A, ok bool) {
	for k, w := range m.Weights {
		if u -= w; u < 0 || k == len(m.Weights)-1 {
			return m.Actions[k], true
		}
	}
	return action, false
}

// Play says how [Groupwise] answers. It does not change what is learned.
type Play int

const (
	// Expected answers with the whole distribution: what the paper's figures charge for.
	Expected Play = iota
	// Sampled answers with one action that is drawn from it.
	Sampled
	// Mean answers with the average action, whose loss is no larger where losses are convex (Jensen). Needs Combine.
	Mean
)

// GroupwiseOptions of [Groupwise].
type GroupwiseOptions[A any] struct {
	// Play is how to answer; default Expected.
	Play Play
	// Combine averages actions, for Mean; see [Average] for numbers.
	Combine func(actions []A, weights []float64) A
	// MaxLoss as in [HedgeOptions].
	MaxLoss float64
	// Seed of the draws, for Sampled.
	Seed uint64
}

// Groupwise has one learner for each group, which learns only in the rounds of its group, and lets [AdaNormalHedge] weigh
// those that are awake. On each group's rounds, whichever they are and however groups overlap, its regret is at most that
// learner's own plus [AdaNormalHedge.BoundOf].
//
//	p = weights of the active groups;  play action a_g with probability p_g
//	loss = Σ p_g·ℓ_g;  R_g += loss − ℓ_g,  C_g += |loss − ℓ_g|,  learner g learns, for each active group g
//
// A round of no group is answered with the empty [Mixture] and changes nothing.
//
// All learners see the same feedback and must refuse the same: where one refuses what another one took already, the
// state is torn and every later call returns that error.
//
// Source: Acharya et al. (2024), algorithm 1; baseline for comparison: A. Blum, T. Lykouris (2020), see [Enumeration].
type Groupwise[C, A, F any] struct {
	options GroupwiseOptions[A]
	experts []online.Learner[C, A, F]
	loss    func(action A, feedback F) float64
	hedge   *AdaNormalHedge
	rng     *rand.Rand
	u       float64 // of this round's draw
	drawn   bool
	active  []int // groups
	actions []A
	weights []float64
	losses  []float64
	one     [1]A
	acted   bool
	round   int
	torn    error
}

// NewGroupwise makes one with an expert a group. Loss is of an action given the feedback, in [0, MaxLoss]; it must not
// keep or change its arguments.
func NewGroupwise[C, A, F any](experts []online.Learner[C, A, F], loss func(action A, feedback F) float64, o GroupwiseOptions[A]) (*Groupwise[C, A, F], error) {
	var errs []error
	if len(experts) == 0 {
		errs = append(errs, errors.New("experts: NewGroupwise: experts is empty, must hold one a group"))
	}
	for i, e := range experts {
		if e == nil {
			errs = append(errs, fmt.Errorf("experts: NewGroupwise: expert %d is nil", i))
		}
	}
	if loss == nil {
		errs = append(errs, errors.New("experts: NewGroupwise: loss is nil, must be a function"))
	}
	if o.Play < Expected || o.Play > Mean {
		errs = append(errs, fmt.Errorf("experts: NewGroupwise: Play is %d, must be Expected, Sampled or Mean", o.Play))
	}
	if o.Play == Mean && o.Combine == nil {
		errs = append(errs, errors.New("experts: NewGroupwise: Combine is nil, must be a function where Play is Mean"))
	}
	n := len(experts)
	hedge, err := NewAdaNormalHedge(max(n, 1), HedgeOptions{MaxLoss: o.MaxLoss})
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return &Groupwise[C, A, F]{options: o, experts: append([]online.Learner[C, A, F](nil), experts...), loss: loss, hedge: hedge,
		rng: online.Seeded(o.Seed, "experts: groupwise"), active: make([]int, 0, n), actions: make([]A, 0, n),
		weights: make([]float64, 0, n), losses: make([]float64, n), round: 1}, nil
}

// Hedge is the aggregation, to look at: regret, absolute regret and bound of each group.
func (g *Groupwise[C, A, F]) Hedge() *AdaNormalHedge { return g.hedge }

// Experts is the number of experts that are weighed: one a group.
func (g *Groupwise[C, A, F]) Experts() int { return len(g.experts) }

// Act asks the learners of the active groups.
func (g *Groupwise[C, A, F]) Act(c Context[C]) (Mixture[A], error) {
	if g.torn != nil {
		return Mixture[A]{}, g.torn
	}
	if len(c.Active) != len(g.experts) {
		return Mixture[A]{}, fmt.Errorf("experts: Groupwise: round %d: the context has %d groups, must have %d", g.round, len(c.Active), len(g.experts))
	}
	g.acted = false
	g.active, g.actions, g.weights = g.active[:0], g.actions[:0], g.weights[:0]
	for i, a := range c.Active {
		if !a {
			continue
		}
		action, err := g.experts[i].Act(c.Value)
		if err != nil {
			return Mixture[A]{}, fmt.Errorf("experts: Groupwise: round %d: group %d: %w", g.round, i, err)
		}
		g.active, g.actions = append(g.active, i), append(g.actions, action)
	}
	p, err := g.hedge.Act(c.Active)
	if err != nil {
		return Mixture[A]{}, err
	}
	g.acted = true
	for _, i := range g.active {
		g.weights = append(g.weights, p[i])
	}
	return g.answer(), nil
}

// answer is what the options ask for.
func (g *Groupwise[C, A, F]) answer() Mixture[A] {
	all := Mixture[A]{Actions: g.actions, Weights: g.weights}
	if g.options.Play == Expected || len(g.active) == 0 {
		return all
	}
	if g.options.Play == Mean {
		g.one[0] = g.options.Combine(g.actions, g.weights)
	} else {
		if !g.drawn {
			g.u, g.drawn = g.rng.Float64(), true
		}
		g.one[0], _ = all.Draw(g.u)
	}
	return Mixture[A]{Actions: g.one[:], Weights: certain}
}

// certain are the weights of a single action. It is shared, and must not be written to.
var certain = []float64{1}

// Learn tells the active groups' learners, and weighs them anew. In a round of no group the feedback is not looked at.
func (g *Groupwise[C, A, F]) Learn(feedback F) error {
	if g.torn != nil {
		return g.torn
	}
	if !g.acted {
		return fmt.Errorf("experts: Groupwise: round %d: %w", g.round, errActFirst)
	}
	for k, i := range g.active {
		g.losses[i] = g.loss(g.actions[k], feedback)
	}
	if err := g.hedge.check(g.losses); err != nil {
		return fmt.Errorf("experts: Groupwise: round %d: %w", g.round, err)
	}
	for k, i := range g.active {
		if err := g.experts[i].Learn(feedback); err != nil {
			err = fmt.Errorf("experts: Groupwise: round %d: group %d: %w", g.round, i, err)
			if k > 0 {
				g.torn = fmt.Errorf("%w; groups before it had learned already, so this learner is of no more use", err)
			}
			return err
		}
	}
	g.hedge.learn(g.losses)
	g.acted, g.drawn = false, false
	g.round++
	return nil
}

// Ungrouped plays a learner that knows of no groups where groups are: it acts and learns in every round.
func Ungrouped[C, A, F any](l online.Learner[C, A, F]) online.Learner[Context[C], Mixture[A], F] {
	return &ungrouped[C, A, F]{learner: l}
}

type ungrouped[C, A, F any] struct {
	learner online.Learner[C, A, F]
	one     [1]A
}

func (u *ungrouped[C, A, F]) Act(c Context[C]) (Mixture[A], error) {
	action, err := u.learner.Act(c.Value)
	if err != nil {
		return Mixture[A]{}, err
	}
	u.one[0] = action
	return Mixture[A]{Actions: u.one[:], Weights: certain}, nil
}

func (u *ungrouped[C, A, F]) Learn(feedback F) error { return u.learner.Learn(feedback) }

// Average is Σ weights[k]·actions[k].
func Average(actions, weights []float64) float64 {
	var sum float64
	for k, a := range actions {
		sum += weights[k] * a
	}
	return sum
}

// SquaredLoss is (prediction − label)².
func SquaredLoss(prediction, label float64) float64 {
	return (prediction - label) * (prediction - label)
}
