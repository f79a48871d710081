package linsolve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
	"golang.org/x/sync/errgroup"
)

// HeatSequence is the environment in which a learner sets the ω of [SSORPCG] for each step of a heat simulation: the context
// is κ at the start of the step, the solve starts at the last step's temperature, and the next system is made of its solution.
// Action, feedback, loss and a capped solve are as for a [Sequence].
type HeatSequence struct {
	heat      *Heat2D
	grid      []float64
	options   Options
	capped    int
	played    int
	baselines *HeatBaselines
}

var _ online.Environment[float64, int, float64] = (*HeatSequence)(nil)

// NewHeatSequence starts a simulation in which ω comes from grid. baselines, of the same problem, grid and options, are its
// comparators; nil: none.
func NewHeatSequence(p HeatProblem, grid []float64, o Options, baselines *HeatBaselines) (*HeatSequence, error) {
	heat, err := NewHeat2D(p)
	if err = errors.Join(append(checkGrid("NewHeatSequence", grid), err)...); err != nil {
		return nil, err
	}
	o.Work = &Work{}
	return &HeatSequence{heat: heat, grid: slices.Clone(grid), options: o, baselines: baselines}, nil
}

// Context is κ at the start of a step.
func (h *HeatSequence) Context(round int) (float64, error) {
	if round != h.played+1 {
		return 0, fmt.Errorf("linsolve: HeatSequence: round is %d, must be the next step, %d", round, h.played+1)
	}
	return h.heat.Diffusion(), nil
}

// Reveal does a step of the simulation with the ω that was chosen.
func (h *HeatSequence) Reveal(round, action int) (cost, loss float64, err error) {
	if _, err := h.Context(round); err != nil {
		return 0, 0, err
	}
	if action < 0 || action >= len(h.grid) {
		return 0, 0, fmt.Errorf("linsolve: HeatSequence: action is %d, must be in 0, …, %d", action, len(h.grid)-1)
	}
	a, b, err := h.heat.System()
	if err != nil {
		return 0, 0, err
	}
	r, err := SSORPCG(a, b, h.heat.U(), h.grid[action], h.options)
	if err != nil {
		return 0, 0, err
	}
	if err := h.heat.Advance(r.X); err != nil {
		return 0, 0, err
	}
	h.played = round
	if !r.Converged {
		h.capped++
	}
	c := math.Max(1, float64(r.Iterations))
	return c, c, nil
}

// Heat is the simulation.
func (h *HeatSequence) Heat() *Heat2D { return h.heat }

// Capped counts the solves so far that did not converge.
func (h *HeatSequence) Capped() int { return h.capped }

// Comparators are [BestFixed], [InstanceOptimal], [Uniform] and [PlainCG] from the baselines, none without baselines. It
// fails where these have fewer steps than were played.
func (h *HeatSequence) Comparators() ([]online.Comparator, error) {
	if h.baselines == nil {
		return nil, nil
	}
	b := h.baselines
	if len(b.CG) < h.played {
		return nil, fmt.Errorf("linsolve: HeatSequence: the baselines have %d steps, must have at least %d", len(b.CG), h.played)
	}
	rows := make([][]float64, h.played)
	for t := range rows {
		for _, costs := range b.Fixed {
			rows[t] = append(rows[t], costs[t])
		}
	}
	return []online.Comparator{{Name: BestFixed, Losses: bestColumn(rows)}, {Name: InstanceOptimal, Losses: b.Least[:h.played]},
		{Name: Uniform, Losses: means(rows)}, {Name: PlainCG, Losses: b.CG[:h.played]}}, nil
}

// HeatBaselines are what a simulation costs without learning, step by step.
type HeatBaselines struct {
	CG    []float64   // plain conjugate gradients
	Fixed [][]float64 // by ω of the grid: a simulation with this ω all along
	Least []float64   // the least over the grid, the simulation going on with the best
	Best  []float64   // the ω that gave Least; the middle one of several
}

// NewHeatBaselines runs all of these simulations, several at once.
func NewHeatBaselines(ctx context.Context, p HeatProblem, grid []float64, steps int, o Options) (*HeatBaselines, error) {
	bad := checkGrid("NewHeatBaselines", grid)
	if steps < 1 {
		bad = append(bad, fmt.Errorf("linsolve: NewHeatBaselines: steps is %d, must be at least 1", steps))
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	out := &HeatBaselines{Fixed: make([][]float64, len(grid))}
	group, ctx := errgroup.WithContext(ctx)
	// simulate records the cost of each step.
	simulate := func(into *[]float64, choose func(a FivePoint, b, u []float64, o Options) (Result, error)) {
		group.Go(func() error {
			heat, err := NewHeat2D(p)
			if err != nil {
				return err
			}
			o := o
			o.Work = &Work{}
			costs := make([]float64, steps)
			for t := range costs {
				if err := ctx.Err(); err != nil {
					return err
				}
				a, b, err := heat.System()
				if err != nil {
					return err
				}
				r, err := choose(a, b, heat.U(), o)
				if err != nil {
					return err
				}
				if err := heat.Advance(r.X); err != nil {
					return err
				}
				costs[t] = math.Max(1, float64(r.Iterations))
			}
			*into = costs
			return nil
		})
	}
	simulate(&out.CG, func(a FivePoint, b, u []float64, o Options) (Result, error) { return CG(a, b, u, o) })
	simulate(&out.Least, func(a FivePoint, b, u []float64, o Options) (Result, error) {
		costs := make([]int, len(grid))
		for i, omega := range grid {
			r, err := SSORPCG(a, b, u, omega, o)
			if err != nil {
				return r, err
			}
			costs[i] = r.Iterations
		}
		var least []float64
		for i, c := range costs {
			if c == slices.Min(costs) {
				least = append(least, grid[i])
			}
		}
		best := least[len(least)/2]
		out.Best = append(out.Best, best)
		return SSORPCG(a, b, u, best, o)
	})
	for i, omega := range grid {
		simulate(&out.Fixed[i], func(a FivePoint, b, u []float64, o Options) (Result, error) { return SSORPCG(a, b, u, omega, o) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}
