package experts

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/hindsight-go/hindsight/lib/online"
)

var (
	_ online.Environment[Context[online.None], Mixture[[]int], []float64] = (*Paths)(nil)
	_ online.Comparing                                                    = (*Paths)(nil)
)

// PathsOptions of [Paths]; the zero value is the experiment of the reproduction. Numbers that the paper does not give: ours.
type PathsOptions struct {
	// A and B are the probabilities of the two families of groups, of which each round belongs to one each.
	// nil: .5, .3, .2 and .6, .4.
	A, B []float64
	// Noise is the half width of the uniform noise on each edge's loss, at least 0. 0: 0.2; [Quiet]: none.
	Noise float64
}

// Quiet asks for no noise where 0 means the default.
const Quiet = -1

// Paths is the game of shortest paths with groups: every round belongs to one group of family a, one of family b, and to
// "all". Each group has a mean loss for each edge, uniform in [0, 1]; the loss of an edge is the average of the two active
// groups' means plus noise, cut to [0, 1]. A path loses [PathLoss]; a mixture its expectation; no path nothing.
//
// The comparators are the groups' best paths.
type Paths struct {
	graph  *DAG
	rng    *rand.Rand
	o      PathsOptions
	means  [][]float64 // by group, without "all"
	active [][]bool    // of the rounds so far
	sums   [][]float64 // of the edges' losses, by group
	losses [][]float64
}

// NewPaths makes the game on a graph. Everything random comes from the seed.
func NewPaths(graph *DAG, o PathsOptions, seed uint64) (*Paths, error) {
	if graph == nil {
		return nil, errors.New("experts: NewPaths: graph is nil")
	}
	if o.A == nil {
		o.A = []float64{.5, .3, .2}
	}
	if o.B == nil {
		o.B = []float64{.6, .4}
	}
	switch o.Noise {
	case 0:
		o.Noise = 0.2
	case Quiet:
		o.Noise = 0
	}
	errs := []error{distribution("NewPaths: A", o.A), distribution("NewPaths: B", o.B)}
	if !(o.Noise >= 0 && o.Noise <= math.MaxFloat64) {
		errs = append(errs, fmt.Errorf("experts: NewPaths: Noise is %g, must be at least 0 and finite, or Quiet", o.Noise))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p := &Paths{graph: graph, rng: online.Seeded(seed, "experts: paths"), o: o}
	for range len(o.A) + len(o.B) {
		mean := make([]float64, graph.Edges())
		for e := range mean {
			mean[e] = p.rng.Float64()
		}
		p.means = append(p.means, mean)
	}
	for range len(p.means) + 1 {
		p.sums = append(p.sums, make([]float64, graph.Edges()))
	}
	return p, nil
}

// distribution checks probabilities.
func distribution(name string, p []float64) error {
	var sum float64
	for i, x := range p {
		if !(x >= 0) {
			return fmt.Errorf("experts: %s: probability %d is %g, must be at least 0", name, i, x)
		}
		sum += x
	}
	if !(math.Abs(sum-1) < 1e-9) {
		return fmt.Errorf("experts: %s: the probabilities add up to %g, must be 1", name, sum)
	}
	return nil
}

// draw is a place, by probabilities that add up to 1.
func draw(rng *rand.Rand, p []float64) int {
	u := rng.Float64()
	for i, x := range p {
		if u -= x; u < 0 {
			return i
		}
	}
	return len(p) - 1
}

// Groups are the names of the groups, "a0" …, "b0" …, and "all".
func (p *Paths) Groups() []string {
	var names []string
	for i := range p.o.A {
		names = append(names, fmt.Sprintf("a%d", i))
	}
	for i := range p.o.B {
		names = append(names, fmt.Sprintf("b%d", i))
	}
	return append(names, "all")
}

// Context tells the groups of a round. Rounds come one after the other; the last one may be asked for again.
func (p *Paths) Context(round int) (Context[online.None], error) {
	if round < 1 || round < len(p.active) || round > len(p.active)+1 {
		return Context[online.None]{}, fmt.Errorf("experts: Paths: round %d, must be %d: rounds come one after the other", round, len(p.active)+1)
	}
	if round > len(p.active) {
		a, b := draw(p.rng, p.o.A), draw(p.rng, p.o.B)
		active := make([]bool, len(p.means)+1)
		active[a], active[len(p.o.A)+b], active[len(p.means)] = true, true, true
		losses := make([]float64, p.graph.Edges())
		for e := range losses {
			mean := (p.means[a][e] + p.means[len(p.o.A)+b][e]) / 2
			losses[e] = math.Min(math.Max(mean+p.o.Noise*(2*p.rng.Float64()-1), 0), 1)
		}
		for g, here := range active {
			if here {
				for e, x := range losses {
					p.sums[g][e] += x
				}
			}
		}
		p.active, p.losses = append(p.active, active), append(p.losses, losses)
	}
	return Context[online.None]{Active: p.active[round-1]}, nil
}

// Reveal shows the losses of all edges.
func (p *Paths) Reveal(round int, m Mixture[[]int]) (losses []float64, loss float64, err error) {
	if round < 1 || round != len(p.losses) {
		return nil, 0, fmt.Errorf("experts: Paths: round %d is revealed, must be the last one whose context was seen, %d", round, len(p.losses))
	}
	losses = p.losses[round-1]
	for k, path := range m.Actions {
		loss += m.Weights[k] * PathLoss(path, losses, p.graph.Longest())
	}
	return losses, loss, nil
}

// Comparators are the groups' best paths over their rounds so far.
func (p *Paths) Comparators() ([]online.Comparator, error) {
	oracle := p.graph.ShortestPath()
	out := make([]online.Comparator, len(p.sums))
	for g, name := range p.Groups() {
		best := oracle.Best(p.sums[g], nil)
		c := online.Comparator{Name: name, Losses: make([]float64, len(p.losses)), Active: make([]bool, len(p.losses))}
		for t, losses := range p.losses {
			c.Losses[t], c.Active[t] = PathLoss(best, losses, p.graph.Longest()), p.active[t][g]
		}
		out[g] = c
	}
	return out, nil
}

// NewGroupwisePaths is [Groupwise] with a [FollowPerturbedLeader] a group, each with its own noise from the seed.
func NewGroupwisePaths(graph *DAG, groups int, perturbed PerturbedOptions, o GroupwiseOptions[[]int]) (*Groupwise[online.None, []int, []float64], error) {
	var learners []online.Learner[online.None, []int, []float64]
	for g := range groups {
		l, err := NewFollowPerturbedLeader(graph.ShortestPath(), PerturbedOptions{Scale: perturbed.Scale, Seed: perturbed.Seed*uint64(groups) + uint64(g)})
		if err != nil {
			return nil, err
		}
		learners = append(learners, l)
	}
	return NewGroupwise(learners, func(path []int, losses []float64) float64 { return PathLoss(path, losses, graph.Longest()) }, o)
}

// EnumeratePaths is [Enumeration] over all paths of a graph of at most limit paths.
func EnumeratePaths(graph *DAG, groups, limit int) (*Enumeration[online.None, []int, []float64], error) {
	paths, err := graph.AllPaths(limit)
	if err != nil {
		return nil, err
	}
	var hypotheses []func(online.None) []int
	for _, path := range paths {
		hypotheses = append(hypotheses, func(online.None) []int { return path })
	}
	return NewEnumeration(groups, hypotheses, func(path []int, losses []float64) float64 { return PathLoss(path, losses, graph.Longest()) }, 1)
}
