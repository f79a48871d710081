package experts

import (
	"context"
	"errors"
	"fmt"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Certificate is the theory's bound on the aggregation beside what it bounds, at the end of a run.
type Certificate struct {
	Regret []float64 // R of each expert
	Bound  []float64 // on it
	MaxGap float64   // the bound's condition is that it is at most 1
}

// Certify reads it off.
func Certify(h *AdaNormalHedge) Certificate {
	c := Certificate{MaxGap: h.MaxGap()}
	for i := range h.N() {
		c.Regret, c.Bound = append(c.Regret, h.Regret(i)), append(c.Bound, h.BoundOf(i))
	}
	return c
}

// RegressionComparison is one table, played by three learners.
type RegressionComparison struct {
	// Curves of the groups; Regret[0] of one [OnlineRidge] that is always on, Regret[1] of [Groupwise] in expectation, and
	// Regret[2] of its mean prediction.
	Curves      []Curve
	Certificate Certificate
}

// Loss is the cumulative loss of a learner, as numbered in Curves, on a group.
func (c RegressionComparison) Loss(group, learner int) float64 {
	curve := c.Curves[group]
	if curve.Size == 0 {
		return 0
	}
	last := len(curve.Rounds) - 1
	return curve.Regret[learner][last] + curve.Hindsight[last]
}

// Final is the regret of a learner, as numbered in Curves, on a group at the end.
func (c RegressionComparison) Final(group, learner int) float64 {
	if c.Curves[group].Size == 0 {
		return 0
	}
	return c.Curves[group].Regret[learner][len(c.Curves[group].Rounds)-1]
}

// CompareOptions of [CompareRegression]; the zero value is fine.
type CompareOptions struct {
	Ridge       RidgeOptions
	Checkpoints int   // along each group's rounds; 0: 100
	Known       []int // the groups that Groupwise is told of, by place; the rest is only measured. nil: all
}

// CompareRegression plays a table of at least one round.
func CompareRegression(ctx context.Context, t *Table, o CompareOptions) (RegressionComparison, error) {
	if o.Checkpoints == 0 {
		o.Checkpoints = 100
	}
	if err := t.Validate(); err != nil {
		return RegressionComparison{}, err
	}
	single, err := NewOnlineRidge(max(t.Dim(), 1), o.Ridge)
	if err != nil {
		return RegressionComparison{}, err
	}
	told := t
	if o.Known != nil {
		if told, err = t.Keep(o.Known...); err != nil {
			return RegressionComparison{}, err
		}
	}
	var grouped [2]*Groupwise[[]float64, float64, float64]
	for i, play := range []Play{Expected, Mean} {
		if grouped[i], err = NewGroupwiseRidge(max(t.Dim(), 1), len(told.Groups), o.Ridge, GroupwiseOptions[float64]{Play: play}); err != nil {
			return RegressionComparison{}, err
		}
	}
	var all [3][]float64
	for i, l := range []online.Learner[Context[[]float64], Mixture[float64], float64]{Ungrouped(single), grouped[0], grouped[1]} {
		if all[i], err = suffered(ctx, told, l); err != nil {
			return RegressionComparison{}, err
		}
	}
	curves, err := GroupRegret(t, o.Checkpoints, all[:]...)
	return RegressionComparison{curves, Certify(grouped[0].Hedge())}, err
}

// suffered are the losses of a learner on a table, without a comparison in hindsight.
func suffered(ctx context.Context, t *Table, l online.Learner[Context[[]float64], Mixture[float64], float64]) ([]float64, error) {
	type game = online.Environment[Context[[]float64], Mixture[float64], float64]
	env, err := NewRegression(t)
	if err != nil {
		return nil, err
	}
	runs, err := online.Play(ctx, func(uint64) (game, error) { return struct{ game }{env}, nil },
		func(uint64) (online.Learner[Context[[]float64], Mixture[float64], float64], error) { return l, nil }, len(t.X), []uint64{0}, online.Options{})
	if err != nil {
		return nil, err
	}
	return runs[0].Losses, nil
}

// PathsComparison is a game of shortest paths, played by three learners with the same losses.
type PathsComparison struct {
	Groups []string
	// Regret[learner][group] is the cumulative regret along the group's rounds, of one [FollowPerturbedLeader] that is always
	// on, of [Groupwise], and of [Enumeration].
	Regret       [3][][]float64
	Experts      [3]int // that are weighed
	Certificates [2]Certificate
}

// Final is the regret of a learner on a group at the end; 0 where the group never came.
func (c PathsComparison) Final(learner, group int) float64 {
	r := c.Regret[learner][group]
	if len(r) == 0 {
		return 0
	}
	return r[len(r)-1]
}

// PathLearners makes the three learners of [PathsComparison], in its order, for a graph of at most 10 000 paths.
func PathLearners(graph *DAG, groups int, seed uint64) (learners [3]online.Learner[Context[online.None], Mixture[[]int], []float64], hedges [2]*AdaNormalHedge, err error) {
	single, err1 := NewFollowPerturbedLeader(graph.ShortestPath(), PerturbedOptions{Seed: seed})
	grouped, err2 := NewGroupwisePaths(graph, groups, PerturbedOptions{Seed: seed}, GroupwiseOptions[[]int]{})
	enumerated, err3 := EnumeratePaths(graph, groups, 10_000)
	if err := errors.Join(err1, err2, err3); err != nil {
		return learners, hedges, err
	}
	learners[0], learners[1], learners[2] = Ungrouped(single), grouped, enumerated
	return learners, [2]*AdaNormalHedge{grouped.Hedge(), enumerated.Hedge()}, nil
}

// ComparePaths plays [Paths] on a graph.
func ComparePaths(ctx context.Context, graph *DAG, o PathsOptions, rounds int, seed uint64) (PathsComparison, error) {
	env, err := NewPaths(graph, o, seed)
	if err != nil {
		return PathsComparison{}, err
	}
	c := PathsComparison{Groups: env.Groups()}
	learners, hedges, err := PathLearners(graph, len(c.Groups), seed)
	if err != nil {
		return PathsComparison{}, err
	}
	c.Experts = [3]int{1, hedges[0].N(), hedges[1].N()}
	for i, l := range learners {
		type game = online.Environment[Context[online.None], Mixture[[]int], []float64]
		runs, err := online.Play(ctx, func(seed uint64) (game, error) { return NewPaths(graph, o, seed) },
			func(uint64) (online.Learner[Context[online.None], Mixture[[]int], []float64], error) { return l, nil }, rounds, []uint64{seed}, online.Options{})
		if err != nil {
			return PathsComparison{}, fmt.Errorf("learner %d: %w", i, err)
		}
		for _, name := range c.Groups {
			c.Regret[i] = append(c.Regret[i], runs[0].Regret[name])
		}
	}
	for i, h := range hedges {
		c.Certificates[i] = Certify(h)
	}
	return c, nil
}
