package linsolve

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
	"golang.org/x/sync/errgroup"
)

// Method is a solver with a parameter ω.
type Method int

// The solvers that a [Sequence] runs.
const (
	WithSOR     Method = iota // [SOR]
	WithSSORPCG               // [SSORPCG]
)

// Names of the comparators of [Sequence] and [HeatSequence].
const (
	BestFixed       = "best fixed ω"     // the ω of the grid with the least total cost
	InstanceOptimal = "instance-optimal" // each round's own ω
	Uniform         = "uniform ω"        // the mean over the grid: the expectation of an ω drawn at random
	PlainCG         = "plain CG"         // without preconditioner
)

// Sequence is the environment in which a learner sets ω for a sequence of systems, each solved from x = 0: the context is that
// of the instance, the action the index of an ω on the grid, feedback and loss the number of iterations, at least 1. A solve
// that does not converge costs MaxIterations; Capped counts them. [Unseen] hides the contexts.
//
// A system is solved once for each ω that anyone asks for; later askers get the number. So several learners may play one
// Sequence, one after the other. Comparators are [BestFixed], [InstanceOptimal] and [Uniform], for which all systems of the
// rounds played are solved at all ω of the grid, on all processors. Instance-optimal is [OptimalOmega] for SOR, and the best ω
// of the grid for SSORPCG.
type Sequence struct {
	instances []Instance
	grid      []float64
	method    Method
	options   Options
	costs     [][]int // by round and action; negative where capped, 0 where not solved yet
	played    int
	optimal   []float64 // of the rounds for which it was asked so far
}

var _ online.Environment[float64, int, float64] = (*Sequence)(nil)

// NewSequence makes the environment of these instances. grid holds the values of ω, in (0, 2).
func NewSequence(instances []Instance, grid []float64, method Method, o Options) (*Sequence, error) {
	bad := checkGrid("NewSequence", grid)
	if len(instances) == 0 {
		bad = append(bad, errors.New("linsolve: NewSequence: instances is empty, must hold at least one"))
	}
	if method != WithSOR && method != WithSSORPCG {
		bad = append(bad, fmt.Errorf("linsolve: NewSequence: method is %d, must be WithSOR or WithSSORPCG", method))
	}
	o.Work = &Work{}
	for t, i := range instances {
		// Whoever finds a bad instance only in the middle of a game cannot go on.
		if _, err := setUp("NewSequence", i.A, i.B, nil, o); err != nil {
			bad = append(bad, fmt.Errorf("instance %d: %w", t, err))
		}
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	s := &Sequence{instances: instances, grid: slices.Clone(grid), method: method, options: o, costs: make([][]int, len(instances))}
	for t := range s.costs {
		s.costs[t] = make([]int, len(grid))
	}
	return s, nil
}

func checkGrid(function string, grid []float64) (bad []error) {
	if len(grid) == 0 {
		bad = append(bad, fmt.Errorf("linsolve: %s: grid is empty, must hold at least one ω", function))
	}
	for i, omega := range grid {
		if err := checkOmega(function, omega); err != nil {
			bad = append(bad, fmt.Errorf("grid[%d]: %w", i, err))
		}
	}
	return bad
}

// Context is the context of a round's instance.
func (s *Sequence) Context(round int) (float64, error) {
	if round < 1 || round > len(s.instances) {
		return 0, fmt.Errorf("linsolve: Sequence: round is %d, must be in 1, …, %d", round, len(s.instances))
	}
	return s.instances[round-1].Context, nil
}

// Reveal solves a round's instance with the ω that was chosen.
func (s *Sequence) Reveal(round, action int) (cost, loss float64, err error) {
	if _, err := s.Context(round); err != nil {
		return 0, 0, err
	}
	if action < 0 || action >= len(s.grid) {
		return 0, 0, fmt.Errorf("linsolve: Sequence: action is %d, must be in 0, …, %d", action, len(s.grid)-1)
	}
	if err := s.solve(round-1, action, s.options); err != nil {
		return 0, 0, err
	}
	s.played = round
	c := float64(magnitude(s.costs[round-1][action]))
	return c, c, nil
}

// solve fills in one cost.
func (s *Sequence) solve(t, action int, o Options) error {
	if s.costs[t][action] != 0 {
		return nil
	}
	c, err := s.run(t, s.grid[action], o)
	s.costs[t][action] = c
	return err
}

// run is the cost of an instance at any ω, negative where capped.
func (s *Sequence) run(t int, omega float64, o Options) (int, error) {
	i := s.instances[t]
	solver := SOR
	if s.method == WithSSORPCG {
		solver = SSORPCG
	}
	r, err := solver(i.A, i.B, nil, omega, o)
	if err != nil {
		return 0, fmt.Errorf("round %d: %w", t+1, err)
	}
	if !r.Converged {
		return -r.Iterations, nil
	}
	return max(1, r.Iterations), nil
}

func magnitude(c int) int { return max(c, -c) }

// Costs solves the first so many rounds at all ω of the grid, on all processors, and returns the costs by round and action.
func (s *Sequence) Costs(ctx context.Context, rounds int) ([][]float64, error) {
	if rounds < 1 || rounds > len(s.instances) {
		return nil, fmt.Errorf("linsolve: Sequence.Costs: rounds is %d, must be in 1, …, %d", rounds, len(s.instances))
	}
	err := s.each(ctx, rounds, func(t int, o Options) error {
		for a := range s.grid {
			if err := s.solve(t, a, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([][]float64, rounds)
	for t := range out {
		out[t] = make([]float64, len(s.grid))
		for a, c := range s.costs[t] {
			out[t][a] = float64(magnitude(c))
		}
	}
	return out, nil
}

// each calls f for rounds 0, 1, …, several at once, each with memory of its own.
func (s *Sequence) each(ctx context.Context, rounds int, f func(t int, o Options) error) error {
	group, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		o := s.options
		o.Work = &Work{}
		group.Go(func() error {
			for t := w; t < rounds; t += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := f(t, o); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// Optimal is the cost of the first so many rounds when each has its own ω.
func (s *Sequence) Optimal(ctx context.Context, rounds int) ([]float64, error) {
	if s.method == WithSSORPCG {
		costs, err := s.Costs(ctx, rounds)
		out := make([]float64, len(costs))
		for t, c := range costs {
			out[t] = slices.Min(c)
		}
		return out, err
	}
	if rounds < 1 || rounds > len(s.instances) {
		return nil, fmt.Errorf("linsolve: Sequence.Optimal: rounds is %d, must be in 1, …, %d", rounds, len(s.instances))
	}
	if rounds > len(s.optimal) {
		out := make([]float64, rounds)
		if err := s.each(ctx, rounds, func(t int, o Options) error {
			beta, err := JacobiRadius(s.instances[t].A)
			if err != nil {
				return err
			}
			omega, err := OptimalOmega(beta)
			if err != nil {
				return err
			}
			c, err := s.run(t, omega, o)
			out[t] = float64(magnitude(c))
			return err
		}); err != nil {
			return nil, err
		}
		s.optimal = out
	}
	return slices.Clone(s.optimal[:rounds]), nil
}

// Capped counts the solves so far that did not converge.
func (s *Sequence) Capped() (count int) {
	for _, row := range s.costs {
		for _, c := range row {
			if c < 0 {
				count++
			}
		}
	}
	return count
}

// Comparators of the rounds played last.
func (s *Sequence) Comparators() ([]online.Comparator, error) {
	costs, err := s.Costs(context.Background(), s.played)
	if err != nil {
		return nil, err
	}
	optimal, err := s.Optimal(context.Background(), s.played)
	if err != nil {
		return nil, err
	}
	return []online.Comparator{{Name: BestFixed, Losses: bestColumn(costs)}, {Name: InstanceOptimal, Losses: optimal}, {Name: Uniform, Losses: means(costs)}}, nil
}

// bestColumn is the column with the least sum.
func bestColumn(costs [][]float64) []float64 {
	totals := make([]float64, len(costs[0]))
	for _, row := range costs {
		for a, c := range row {
			totals[a] += c
		}
	}
	best := slices.Index(totals, slices.Min(totals))
	out := make([]float64, len(costs))
	for t, row := range costs {
		out[t] = row[best]
	}
	return out
}

// means are the means of the rows.
func means(costs [][]float64) []float64 {
	out := make([]float64, len(costs))
	for t, row := range costs {
		for _, c := range row {
			out[t] += c / float64(len(row))
		}
	}
	return out
}

// Unseen is a [Sequence] or [HeatSequence] for learners that see no context.
type Unseen struct {
	Setting
}

// Setting is an environment whose contexts are numbers, with comparators.
type Setting interface {
	online.Environment[float64, int, float64]
	online.Comparing
}

// Context is nothing.
func (u Unseen) Context(round int) (online.None, error) {
	_, err := u.Setting.Context(round)
	return online.None{}, err
}
