// Package race compares optimizers fairly: each gets the same problem, the same number of trials to find its learning
// rate in a documented range, and the same fresh seeds at the best one.
//
//	problem, err := race.ByName(ctx, "logistic")
//	result, err := race.Run(ctx, backend, race.Config{Problem: problem})
//	for _, o := range result.Ranking() {
//		fmt.Println(o.Method, o.Rate, o.Final(), o.StateBytes)
//	}
//
// The problems are
//
//	| name        | parameters                      | data                           | compared                      |
//	|-------------|---------------------------------|--------------------------------|-------------------------------|
//	| quadratic   | a matrix of 8×8, float64        | none                           | f, condition 1 000            |
//	| logistic    | 64×10 weights and biases        | digits, minibatches of 64      | loss of all training examples |
//	| cnn         | [nets.SmallCNN], 9 098          | Fashion-MNIST, minibatches of 32 | loss of held-out pictures   |
//	| transformer | gpt-tiny of [nets.GPT], a byte a token | the Go library's source | loss of held-out text         |
//
// or any [Problem] of one's own. The entrants are all registered optimizers, see [Entrants] for the ranges.
//
// What is equal: first values, minibatches, steps, trials, where in its range each trial lies, and seeds. What is not
// tuned: everything but the rate, which stays constant through a run; other hyper-parameters are those of the registry.
// A method that diverges is a result; one that a problem cannot host is reported with the reason.
package race

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"golang.org/x/sync/errgroup"

	"github.com/hindsight-go/hindsight/lib/optim"
)

// Config says what to race. Zero fields take the defaults.
type Config struct {
	Problem *Problem
	Methods []string // of [optim.Names]; default: all
	Trials  int      // learning rates tried a method; default 8
	Seeds   int      // runs at the best rate; default 3
	Steps   int      // of every run, a multiple of Points; default the problem's
	Points  int      // how often a run's loss is measured, evenly, the last time at its end; default 20
	Seed    uint64   // of the trials' rates, first values and minibatches; the final runs have those after it
	// Timings is how often the time of each method's step is taken after the race, one method after the other; the
	// shortest counts, and steps of a millisecond and more are timed once on a problem with Lead 1. 0: not at all.
	Timings int
	// Progress is told how many of the runs are done.
	Progress func(done, total int)
}

func (c Config) complete() (Config, error) {
	if c.Problem == nil {
		return c, errors.New("race: Config: Problem is nil, must be one of ByName or your own")
	}
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&c.Trials, 8)
	set(&c.Seeds, 3)
	set(&c.Points, 20)
	set(&c.Steps, c.Problem.Steps)
	if len(c.Methods) == 0 {
		c.Methods = optim.Names()
	}
	errs := []error{c.Problem.validate()}
	for _, f := range []struct {
		name  string
		value int
	}{{"Trials", c.Trials}, {"Seeds", c.Seeds}, {"Steps", c.Steps}, {"Points", c.Points}} {
		if f.value < 1 {
			errs = append(errs, fmt.Errorf("race: Config: %s is %d, must be at least 1", f.name, f.value))
		}
	}
	if c.Points > 0 && c.Steps%c.Points != 0 {
		errs = append(errs, fmt.Errorf("race: Config: Steps is %d, must be a multiple of Points, %d", c.Steps, c.Points))
	}
	if c.Timings < 0 {
		errs = append(errs, fmt.Errorf("race: Config: Timings is %d, must not be negative", c.Timings))
	}
	seen := map[string]bool{}
	for _, name := range c.Methods {
		if _, err := ByMethod(name); err != nil {
			errs = append(errs, err)
		} else if seen[name] {
			errs = append(errs, fmt.Errorf("race: Config: Methods has %q twice", name))
		}
		seen[name] = true
	}
	return c, errors.Join(errs...)
}

// Result of a race, as plain data.
type Result struct {
	Problem  string
	Steps    []int // at which the losses were measured: after so many steps
	Outcomes []Outcome
}

// Outcome of one method.
type Outcome struct {
	Method     string
	Reason     string  // why it has no Runs: the problem cannot host it, or every trial diverged; else empty
	Rate       float64 // the trials' best
	AtEdge     bool    // Rate is the lowest or highest that was tried: a wider range might serve the method better
	Trials     []Curve // by rising rate
	Runs       []Curve // at Rate, one a seed
	StateBytes int64   // what the method remembers between two steps of one run, see [optim.StateBytes]
	// StepTime is the time of a step in those of a step of plain SGD, measured in this race; 0: not measured, or "sgd"
	// was not among the methods. On a problem with Lead 1 it is the step of all runs together.
	StepTime float64
}

// Curve is one run.
type Curve struct {
	Rate     float64
	Seed     uint64
	Losses   []float64 // at the result's Steps; those up to the last finite one where the run diverged
	Diverged bool
}

// Final is the loss at the end; +Inf where the run diverged.
func (c Curve) Final() float64 {
	if c.Diverged || len(c.Losses) == 0 {
		return math.Inf(1)
	}
	return c.Losses[len(c.Losses)-1]
}

// Final is the mean over seeds of the loss at the end; +Inf where one diverged or there are none.
func (o Outcome) Final() float64 {
	if len(o.Runs) == 0 {
		return math.Inf(1)
	}
	sum := 0.0
	for _, c := range o.Runs {
		sum += c.Final()
	}
	return sum / float64(len(o.Runs))
}

// Ranking is the outcomes by their final loss, the best first; ties and methods without one by name.
func (r *Result) Ranking() []Outcome {
	return slices.SortedFunc(slices.Values(r.Outcomes), func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.Final(), b.Final()), cmp.Compare(a.Method, b.Method))
	})
}

// Run holds the race. Several methods run at once, as many as there are processors. When the context ends, or a run fails
// for another reason than that it diverges, the result holds the methods that were done and comes with the error.
func Run(ctx context.Context, b compute.Backend, config Config) (*Result, error) {
	c, err := config.complete()
	if err != nil {
		return nil, err
	}
	if err := c.Problem.onDevice(b); err != nil {
		return nil, err
	}
	result := &Result{Problem: c.Problem.Name}
	for k := range c.Points {
		result.Steps = append(result.Steps, (k+1)*c.Steps/c.Points)
	}
	report := progress(c.Progress, len(c.Methods)*(c.Trials+c.Seeds))
	outcomes, runners := make([]*Outcome, len(c.Methods)), make([]*Runner, len(c.Methods))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, name := range c.Methods {
		group.Go(func() (err error) {
			outcomes[i], runners[i], err = c.race(inner, b, name, report)
			return err
		})
	}
	err = group.Wait()
	if err == nil && c.Timings > 0 {
		err = c.time(ctx, outcomes, runners)
	}
	for _, o := range outcomes {
		if o != nil {
			result.Outcomes = append(result.Outcomes, *o)
		}
	}
	return result, err
}

// progress counts runs for several goroutines.
func progress(tell func(done, total int), total int) func(n int) {
	var mu sync.Mutex
	done := 0
	return func(n int) {
		if tell == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		done += n
		tell(done, total)
	}
}

// race is one method's: trials, then seeds at the best rate. A nil outcome comes with an error.
func (c Config) race(ctx context.Context, b compute.Backend, name string, report func(n int)) (*Outcome, *Runner, error) {
	entrant, err := ByMethod(name)
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("race: %s on %s: %w", name, c.Problem.Name, err)
	}
	out := &Outcome{Method: name}
	runner, err := NewRunner(b, c.Problem, entrant.New(entrant.Low), c.Steps, c.Points, max(c.Trials, c.Seeds))
	if err == nil {
		out.StateBytes, err = optim.StateBytes(b, entrant.New(entrant.Low), c.Problem.Start(0))
	}
	if err != nil {
		out.Reason = err.Error()
		report(c.Trials + c.Seeds)
		return out, nil, nil
	}
	rates := entrant.Rates(c.Trials, c.Seed)
	if out.Trials, err = runner.Run(ctx, rates, slices.Repeat([]uint64{c.Seed}, c.Trials)); err != nil {
		return nil, nil, err
	}
	report(c.Trials)
	best := 0
	for i, t := range out.Trials {
		if t.Final() < out.Trials[best].Final() {
			best = i
		}
	}
	if math.IsInf(out.Trials[best].Final(), 1) {
		out.Reason = fmt.Sprintf("diverged at every rate from %.3g to %.3g", rates[0], rates[len(rates)-1])
		report(c.Seeds)
		return out, nil, nil
	}
	out.Rate, out.AtEdge = rates[best], c.Trials > 1 && (best == 0 || best == c.Trials-1)
	seeds := make([]uint64, c.Seeds)
	for i := range seeds {
		seeds[i] = c.Seed + 1 + uint64(i)
	}
	if out.Runs, err = runner.Run(ctx, slices.Repeat([]float64{out.Rate}, c.Seeds), seeds); err != nil {
		return nil, nil, err
	}
	report(c.Seeds)
	return out, runner, nil
}

// longStep is a step so long that its time need not be taken twice.
const longStep = time.Millisecond

// time takes the time of the methods' steps, in turns, so that a slow moment of the machine meets all alike.
func (c Config) time(ctx context.Context, outcomes []*Outcome, runners []*Runner) error {
	best := make([]time.Duration, len(runners))
	var sgd time.Duration
	for range c.Timings {
		for i, r := range runners {
			if r == nil || c.Problem.Lead == 1 && best[i] > longStep {
				continue
			}
			took, err := r.step(ctx, outcomes[i].Rate)
			if err != nil {
				return err
			}
			if best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	for i, o := range outcomes {
		if o.Method == "sgd" {
			sgd = best[i]
		}
	}
	for i, o := range outcomes {
		if sgd > 0 {
			o.StepTime = float64(best[i]) / float64(sgd)
		}
	}
	return nil
}

// Rates are n trials in the entrant's range by rising rate: one drawn evenly on the log scale from each n-th of it. Where
// in its range each lies depends on n and seed alone, so it is the same for all entrants.
func (e Entrant) Rates(n int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 41))
	out := make([]float64, n)
	for i := range out {
		u := (float64(i) + rng.Float64()) / float64(n)
		out[i] = e.Low * math.Pow(e.High/e.Low, u)
	}
	return out
}
