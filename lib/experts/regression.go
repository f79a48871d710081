package experts

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
)

var (
	_ online.Environment[Context[[]float64], Mixture[float64], float64] = (*Regression)(nil)
	_ online.Comparing                                                  = (*Regression)(nil)
)

// Regression plays a [Table], row by row, and charges the squared loss, of a mixture its expectation; no action costs
// nothing. Each group is a comparator: the best linear model, without intercept or penalty, on the group's rounds.
type Regression struct{ table *Table }

// NewRegression checks the table, which must not change after.
func NewRegression(t *Table) (*Regression, error) {
	if t == nil {
		return nil, errors.New("experts: NewRegression: table is nil")
	}
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return &Regression{t}, nil
}

func (r *Regression) row(round int) (int, error) {
	if round < 1 || round > len(r.table.X) {
		return 0, fmt.Errorf("experts: Regression: round %d, must be between 1 and %d", round, len(r.table.X))
	}
	return round - 1, nil
}

// Context is the features and groups of a round.
func (r *Regression) Context(round int) (Context[[]float64], error) {
	i, err := r.row(round)
	if err != nil {
		return Context[[]float64]{}, err
	}
	return Context[[]float64]{Value: r.table.X[i], Active: r.table.Active[i]}, nil
}

// Reveal shows the label.
func (r *Regression) Reveal(round int, m Mixture[float64]) (label, loss float64, err error) {
	i, err := r.row(round)
	if err != nil {
		return 0, 0, err
	}
	label = r.table.Y[i]
	for k, a := range m.Actions {
		loss += m.Weights[k] * SquaredLoss(a, label)
	}
	return label, loss, nil
}

// Comparators fits every group. One that is never active has no rounds to compare.
func (r *Regression) Comparators() ([]online.Comparator, error) {
	out := make([]online.Comparator, len(r.table.Groups))
	for g, name := range r.table.Groups {
		c := online.Comparator{Name: name, Losses: make([]float64, len(r.table.X)), Active: make([]bool, len(r.table.X))}
		fit := newLeastSquares(r.table.Dim())
		for i, row := range r.table.Active {
			if c.Active[i] = row[g]; row[g] {
				fit.add(r.table.X[i], r.table.Y[i])
			}
		}
		theta, _, err := fit.fit()
		if err != nil {
			return nil, fmt.Errorf("experts: Regression: group %s: %w", name, err)
		}
		for i, x := range r.table.X {
			if c.Active[i] {
				c.Losses[i] = SquaredLoss(dot(theta, x), r.table.Y[i])
			}
		}
		out[g] = c
	}
	return out, nil
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// Curve is the regret on a group along its rounds: after Rounds[k] of them, Regret[j][k] of the j-th learner against the
// best linear model of just these, which lost Hindsight[k].
type Curve struct {
	Group     string
	Size      int // rounds of the group
	Rounds    []int
	Hindsight []float64
	Regret    [][]float64 // one curve a learner
}

// GroupRegret holds the losses of learners, each one a round, against the best linear model of each group, at up to
// checkpoints points of the group's rounds, evenly spaced with the last one among them. A group without rounds has size 0
// and no points.
//
// At each point the model is fitted to the rounds so far, as the paper's figures do; the last value is that of the
// comparators of [Regression].
func GroupRegret(t *Table, checkpoints int, losses ...[]float64) ([]Curve, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if checkpoints < 1 {
		return nil, fmt.Errorf("experts: GroupRegret: checkpoints is %d, must be at least 1", checkpoints)
	}
	for j, l := range losses {
		if len(l) != len(t.X) {
			return nil, fmt.Errorf("experts: GroupRegret: learner %d has %d losses, must have one a round, %d", j, len(l), len(t.X))
		}
		if i := slices.IndexFunc(l, notFinite); i >= 0 {
			return nil, fmt.Errorf("experts: GroupRegret: learner %d: the loss of round %d is %g, must be finite", j, i+1, l[i])
		}
	}
	sizes := t.Sizes()
	curves := make([]Curve, len(t.Groups))
	for g, name := range t.Groups {
		c := Curve{Group: name, Size: sizes[g], Regret: make([][]float64, len(losses))}
		points := min(checkpoints, c.Size)
		fit := newLeastSquares(t.Dim())
		suffered := make([]float64, len(losses))
		n := 0
		for i, row := range t.Active {
			if !row[g] {
				continue
			}
			n++
			fit.add(t.X[i], t.Y[i])
			for j, l := range losses {
				suffered[j] += l[i]
			}
			if n != (len(c.Rounds)+1)*c.Size/points {
				continue
			}
			_, best, err := fit.fit()
			if err != nil {
				return nil, fmt.Errorf("experts: GroupRegret: group %s: %w", name, err)
			}
			c.Rounds, c.Hindsight = append(c.Rounds, n), append(c.Hindsight, best)
			for j, s := range suffered {
				c.Regret[j] = append(c.Regret[j], s-best)
			}
		}
		curves[g] = c
	}
	return curves, nil
}

// NewGroupwiseRidge is the paper's learner for regression: [Groupwise] with an [OnlineRidge] of d features a group. Where
// the options leave them open, Combine is [Average] and MaxLoss +Inf: predictions that are not clipped may lose more than 1.
func NewGroupwiseRidge(d, groups int, ridge RidgeOptions, o GroupwiseOptions[float64]) (*Groupwise[[]float64, float64, float64], error) {
	var learners []online.Learner[[]float64, float64, float64]
	for range groups {
		r, err := NewOnlineRidge(d, ridge)
		if err != nil {
			return nil, err
		}
		learners = append(learners, r)
	}
	if o.Combine == nil {
		o.Combine = Average
	}
	if o.MaxLoss == 0 {
		o.MaxLoss = math.Inf(1)
	}
	return NewGroupwise(learners, SquaredLoss, o)
}
