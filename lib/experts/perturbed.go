package experts

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/hindsight-go/hindsight/lib/online"
)

var _ online.Learner[online.None, []int, []float64] = (*FollowPerturbedLeader)(nil)

// PerturbedOptions of [FollowPerturbedLeader].
type PerturbedOptions struct {
	// Scale c of the noise c·√n·Z; ours: 1, which 0 means. Negative and infinite values are errors.
	Scale float64
	// Seed of the noise. Learners that play together need seeds of their own.
	Seed uint64
}

// FollowPerturbedLeader decides for a way through a set of edges: in its n-th round for the one that minimizes S − √n·Z,
// where S are the edges' losses so far and Z fresh noise, Exp(1) for each edge. The oracle is asked once a round. The action
// is the way's edges, the feedback the losses of all edges, each in [0, 1].
//
// Source: A. Kalai, S. Vempala (2005), Efficient algorithms for online decision problems, JCSS 71; the law and scale of
// the noise are ours, as the groupwise paper leaves them open.
type FollowPerturbedLeader struct {
	oracle  Oracle
	scale   float64
	rng     *rand.Rand
	losses  []float64 // S
	noise   []float64 // of this round
	drawn   bool      // an Act that is repeated must see the same noise
	weights []float64
	way     []int
	round   int
}

// NewFollowPerturbedLeader makes one.
func NewFollowPerturbedLeader(oracle Oracle, o PerturbedOptions) (*FollowPerturbedLeader, error) {
	if o.Scale == 0 {
		o.Scale = 1
	}
	var errs []error
	if oracle == nil || oracle.Edges() < 1 {
		errs = append(errs, errors.New("experts: NewFollowPerturbedLeader: oracle must have at least one edge"))
	}
	if !(o.Scale > 0 && o.Scale <= math.MaxFloat64) {
		errs = append(errs, fmt.Errorf("experts: NewFollowPerturbedLeader: Scale is %g, must be positive and finite, or 0 for 1", o.Scale))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	n := oracle.Edges()
	return &FollowPerturbedLeader{oracle: oracle, scale: o.Scale, rng: online.Seeded(o.Seed, "experts: perturbation"),
		losses: make([]float64, n), noise: make([]float64, n), weights: make([]float64, n), way: make([]int, 0, n), round: 1}, nil
}

// Act asks the oracle.
func (l *FollowPerturbedLeader) Act(online.None) ([]int, error) {
	if !l.drawn {
		for e := range l.noise {
			l.noise[e] = l.rng.ExpFloat64()
		}
		l.drawn = true
	}
	factor := l.scale * math.Sqrt(float64(l.round))
	for e, s := range l.losses {
		l.weights[e] = s - factor*l.noise[e]
	}
	l.way = l.oracle.Best(l.weights, l.way)
	return l.way, nil
}

// Learn takes the losses of all edges, each in [0, 1].
func (l *FollowPerturbedLeader) Learn(losses []float64) error {
	if !l.drawn {
		return fmt.Errorf("experts: FollowPerturbedLeader: round %d: %w", l.round, errActFirst)
	}
	if len(losses) != len(l.losses) {
		return fmt.Errorf("experts: FollowPerturbedLeader: round %d: there are %d losses, must be one an edge, %d", l.round, len(losses), len(l.losses))
	}
	for e, x := range losses {
		if !(x >= 0 && x <= 1) {
			return fmt.Errorf("experts: FollowPerturbedLeader: round %d: the loss of edge %d is %g, must be in [0, 1]", l.round, e, x)
		}
	}
	for e, x := range losses {
		l.losses[e] += x
	}
	l.drawn = false
	l.round++
	return nil
}
