package experts

import (
	"errors"
	"fmt"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Enumeration is the way without an oracle: [AdaNormalHedge] over every pair of a group and a hypothesis, awake with the
// group. A hypothesis is a fixed rule from contexts to actions. A round costs N·hypotheses, so it is for small classes.
//
// It answers with the distribution over the hypotheses' actions, in their order. A round of no group is answered with the
// empty [Mixture] and changes nothing.
//
// Source: A. Blum, T. Lykouris (2020), Advancing Subgroup Fairness via Sleeping Experts, ITCS; with AdaNormalHedge in the
// place of their algorithm.
type Enumeration[C, A, F any] struct {
	hypotheses []func(C) A
	loss       func(action A, feedback F) float64
	hedge      *AdaNormalHedge // expert g·len(hypotheses) + h
	groups     int
	awake      []bool
	actions    []A
	weights    []float64
	losses     []float64 // of the hypotheses
	pairs      []float64
	anyone     bool
	acted      bool
	round      int
}

// NewEnumeration makes one. Loss is as in [NewGroupwise], maxLoss as in [HedgeOptions].
func NewEnumeration[C, A, F any](groups int, hypotheses []func(C) A, loss func(action A, feedback F) float64, maxLoss float64) (*Enumeration[C, A, F], error) {
	var errs []error
	if groups < 1 {
		errs = append(errs, fmt.Errorf("experts: NewEnumeration: groups is %d, must be at least 1", groups))
	}
	if len(hypotheses) == 0 {
		errs = append(errs, errors.New("experts: NewEnumeration: hypotheses is empty, must hold at least one"))
	}
	for h, f := range hypotheses {
		if f == nil {
			errs = append(errs, fmt.Errorf("experts: NewEnumeration: hypothesis %d is nil, must be a function", h))
		}
	}
	if loss == nil {
		errs = append(errs, errors.New("experts: NewEnumeration: loss is nil, must be a function"))
	}
	size := len(hypotheses)
	hedge, err := NewAdaNormalHedge(max(groups*size, 1), HedgeOptions{MaxLoss: maxLoss})
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return &Enumeration[C, A, F]{hypotheses: append([]func(C) A(nil), hypotheses...), loss: loss, hedge: hedge, groups: groups,
		awake: make([]bool, groups*size), actions: make([]A, size), weights: make([]float64, size),
		losses: make([]float64, size), pairs: make([]float64, groups*size), round: 1}, nil
}

// Hedge is the aggregation; expert g·|hypotheses| + h is hypothesis h for group g.
func (e *Enumeration[C, A, F]) Hedge() *AdaNormalHedge { return e.hedge }

// Experts is the number of experts that are weighed: one a pair.
func (e *Enumeration[C, A, F]) Experts() int { return e.hedge.N() }

// Act asks all hypotheses.
func (e *Enumeration[C, A, F]) Act(c Context[C]) (Mixture[A], error) {
	if len(c.Active) != e.groups {
		return Mixture[A]{}, fmt.Errorf("experts: Enumeration: round %d: the context has %d groups, must have %d", e.round, len(c.Active), e.groups)
	}
	size := len(e.hypotheses)
	e.anyone = false
	for g, a := range c.Active {
		e.anyone = e.anyone || a
		for h := range size {
			e.awake[g*size+h] = a
		}
	}
	p, err := e.hedge.Act(e.awake)
	if err != nil {
		return Mixture[A]{}, err
	}
	e.acted = true
	if !e.anyone {
		return Mixture[A]{}, nil
	}
	clear(e.weights)
	for g, a := range c.Active {
		if a {
			for h := range size {
				e.weights[h] += p[g*size+h]
			}
		}
	}
	for h, f := range e.hypotheses {
		e.actions[h] = f(c.Value)
	}
	return Mixture[A]{Actions: e.actions, Weights: e.weights}, nil
}

// Learn charges every hypothesis. In a round of no group the feedback is not looked at.
func (e *Enumeration[C, A, F]) Learn(feedback F) error {
	if !e.acted {
		return fmt.Errorf("experts: Enumeration: round %d: %w", e.round, errActFirst)
	}
	if e.anyone {
		for h, a := range e.actions {
			e.losses[h] = e.loss(a, feedback)
		}
		for g := range e.groups {
			copy(e.pairs[g*len(e.losses):], e.losses)
		}
	}
	if err := e.hedge.Learn(e.pairs); err != nil {
		return fmt.Errorf("experts: Enumeration: round %d: %w", e.round, err)
	}
	e.acted = false
	e.round++
	return nil
}

var _ online.Learner[Context[online.None], Mixture[[]int], []float64] = (*Enumeration[online.None, []int, []float64])(nil)
