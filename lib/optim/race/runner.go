package race

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Runner is a method on a problem under one compiled program, for any learning rates and seeds.
type Runner struct {
	problem       *Problem
	program       *optim.Program
	steps, points int
	runs          int // at once; 1 without a leading axis
}

const rateName = "learning_rate"

// compared is the trace of the loss that methods are compared by.
const compared = "compared"

// NewRunner compiles a method for a problem: runs of steps steps, whose loss is measured points times. On a problem with
// Lead 1 up to runs of them go together; on others runs is not used. The method must have the hyper-parameter
// "learning_rate", as all registered ones have.
func NewRunner(b compute.Backend, p *Problem, t optim.Transform, steps, points, runs int) (*Runner, error) {
	if p == nil {
		return nil, errors.New("race: NewRunner: the problem is nil")
	}
	if err := p.validate(); err != nil {
		return nil, err
	}
	if points < 1 || steps < points || steps%points != 0 || runs < 1 {
		return nil, fmt.Errorf("race: NewRunner: steps is %d, points %d and runs %d, must be a multiple of points, at least 1, and at least 1", steps, points, runs)
	}
	if p.Lead == 0 {
		runs = 1
	}
	r := &Runner{problem: p, steps: steps, points: points, runs: runs}
	loop := scan.Loop{Name: p.Name, TraceEvery: steps / points}
	if p.Lead == 1 {
		loop.Runs = runs
	}
	problem := optim.Problem{Lead: p.Lead, Loss: p.Objective, Data: p.Data, Loop: loop, Observe: func(s *scan.Step, o optim.Observation) {
		after := make([]*graph.Node, len(o.Params))
		for i, param := range o.Params {
			after[i] = graph.Add(param.Value, graph.ConvertDType(o.Updates[i], param.Value.DType()))
		}
		s.Trace(compared, graph.ConvertDType(p.Compare(s, after), dtypes.Float64))
	}}
	var err error
	r.program, err = optim.Compile(b, t, problem, r.start(make([]uint64, runs)), p.Inputs, optim.Hyper{rateName: make([]float64, runs)})
	return r, err
}

// start stacks the first values of the seeds.
func (r *Runner) start(seeds []uint64) scan.Vars {
	if r.problem.Lead == 0 {
		return r.problem.Start(seeds[0])
	}
	each := make([]scan.Vars, len(seeds))
	for i, seed := range seeds {
		each[i] = r.problem.Start(seed)
	}
	out := scan.Vars{}
	for path, first := range each[0] {
		dims := append([]int{len(seeds)}, first.Shape().Dimensions...)
		if first.DType() == dtypes.Float64 {
			out[path] = stack[float64](each, path, dims)
		} else {
			out[path] = stack[float32](each, path, dims)
		}
	}
	return out
}

func stack[T float32 | float64](each []scan.Vars, path string, dims []int) *tensors.Tensor {
	var flat []T
	for _, vars := range each {
		flat = append(flat, tensors.MustCopyFlatData[T](vars[path])...)
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...)
}

// Run does one run for each rate, from the first values of its seed, and returns their curves in order. With Lead 1 all go
// together, and the minibatches of the k-th are those of the seed k after the first's. A run that diverges is a curve; a
// context that ends is an error.
func (r *Runner) Run(ctx context.Context, rates []float64, seeds []uint64) ([]Curve, error) {
	if len(rates) == 0 || len(rates) != len(seeds) || r.problem.Lead == 1 && len(rates) > r.runs {
		return nil, fmt.Errorf("race: %s: %d rates and %d seeds, must be as many, at least 1, and with Lead 1 at most the %d compiled for", r.problem.Name, len(rates), len(seeds), r.runs)
	}
	for i, rate := range rates {
		if !(rate > 0) || math.IsInf(rate, 0) {
			return nil, fmt.Errorf("race: %s: rate %d is %g, must be positive and finite", r.problem.Name, i, rate)
		}
	}
	if r.problem.Lead == 1 {
		curves, err := r.once(ctx, padded(rates, r.runs), padded(seeds, r.runs))
		if err != nil {
			return nil, err
		}
		return curves[:len(rates)], nil
	}
	var out []Curve
	for i := range rates {
		curves, err := r.once(ctx, rates[i:i+1], seeds[i:i+1])
		if err != nil {
			return nil, err
		}
		out = append(out, curves...)
	}
	return out, nil
}

// padded repeats the last value.
func padded[T any](values []T, n int) []T {
	out := slices.Clone(values)
	for len(out) < n {
		out = append(out, values[len(values)-1])
	}
	return out
}

// once runs the program once.
func (r *Runner) once(ctx context.Context, rates []float64, seeds []uint64) ([]Curve, error) {
	result, err := r.program.Run(ctx, r.start(seeds), r.problem.Inputs, optim.Hyper{rateName: rates}, r.steps, int64(seeds[0]))
	switch {
	case err != nil && !errors.Is(err, scan.ErrNonFinite):
		return nil, err
	case result.Status == scan.Interrupted:
		return nil, fmt.Errorf("race: %s: stopped after %d of %d steps: %w", r.problem.Name, result.Steps, r.steps, ctx.Err())
	}
	curves := make([]Curve, len(rates))
	for i := range curves {
		curves[i] = Curve{Rate: rates[i], Seed: seeds[i], Diverged: err != nil}
	}
	var losses []float64
	if trace := result.Traces[compared]; trace != nil && trace.Size() > 0 {
		losses = tensors.MustCopyFlatData[float64](trace)
	}
	for k, loss := range losses {
		curve := &curves[k%len(curves)]
		curve.Diverged = curve.Diverged || math.IsNaN(loss) || math.IsInf(loss, 0)
		if !curve.Diverged || err != nil && !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			curve.Losses = append(curve.Losses, loss)
		}
	}
	return curves, nil
}

// step measures the mean time of a step: with Lead 1 over a whole run, else over steps between two measurements of the
// loss, which on a network would count for more than the method.
func (r *Runner) step(ctx context.Context, rate float64) (time.Duration, error) {
	steps := r.steps
	if every := r.steps / r.points; r.problem.Lead == 0 && every > 1 {
		steps = every - 1
	}
	seeds, rates := make([]uint64, r.runs), slices.Repeat([]float64{rate}, r.runs)
	start := r.start(seeds)
	begin := time.Now()
	_, err := r.program.Run(ctx, start, r.problem.Inputs, optim.Hyper{rateName: rates}, steps, 0)
	if errors.Is(err, scan.ErrNonFinite) {
		err = nil
	}
	return time.Since(begin) / time.Duration(steps), errors.Join(err, ctx.Err())
}
