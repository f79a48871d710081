package online

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// Run is one game of one seed.
type Run struct {
	Seed   uint64
	Losses []float64            // charged, one a round
	Regret map[string][]float64 // by comparator: cumulative, over the comparator's rounds only
	Bounds []float64            // the learner's bound after each round; nil if it has none
}

// Options of [Play]; the zero value is fine.
type Options struct {
	Workers  int                   // games at once; 0: as many as there are processors
	Progress func(done, total int) // told of rounds, of all seeds together, now and then; may be nil
}

// Play lets a fresh learner play a fresh environment for the given number of rounds, once for each seed, several seeds at
// once. Both are made from the seed; the learner must not draw the same numbers as the environment, so mix another
// constant into each (see [Seeded]).
//
// The runs come in the order of the seeds. Where a game fails, the error names seed and round and joins all failures; the
// runs that are complete are returned all the same, the others have no Losses. Cancelling ctx ends all games.
func Play[C, A, F any](ctx context.Context, environment func(seed uint64) (Environment[C, A, F], error),
	learner func(seed uint64) (Learner[C, A, F], error), rounds int, seeds []uint64, o Options) ([]Run, error) {
	if environment == nil || learner == nil {
		return nil, errors.New("online: Play: environment and learner must be functions, one is nil")
	}
	if rounds < 1 {
		return nil, fmt.Errorf("online: Play: rounds is %d, must be at least 1", rounds)
	}
	if len(seeds) == 0 {
		return nil, errors.New("online: Play: seeds is empty, must hold at least one")
	}
	workers := o.Workers
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	runs, failures := make([]Run, len(seeds)), make([]error, len(seeds))
	report := progress(o.Progress, rounds*len(seeds))
	var group sync.WaitGroup
	slots := make(chan struct{}, workers)
	for i, seed := range seeds {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			run, err := play(ctx, environment, learner, rounds, seed, report)
			if err != nil {
				runs[i], failures[i] = Run{Seed: seed}, fmt.Errorf("online: Play: seed %d: %w", seed, err)
				return
			}
			runs[i] = run
		})
	}
	group.Wait()
	return runs, errors.Join(failures...)
}

func play[C, A, F any](ctx context.Context, environment func(uint64) (Environment[C, A, F], error),
	learner func(uint64) (Learner[C, A, F], error), rounds int, seed uint64, report func(rounds int)) (Run, error) {
	env, err := environment(seed)
	if err != nil {
		return Run{}, fmt.Errorf("environment: %w", err)
	}
	l, err := learner(seed)
	if err != nil {
		return Run{}, fmt.Errorf("learner: %w", err)
	}
	run := Run{Seed: seed, Losses: make([]float64, rounds), Regret: map[string][]float64{}}
	bounded, _ := l.(Bounded)
	if bounded != nil {
		run.Bounds = make([]float64, rounds)
	}
	const interval = 256 // rounds between looks at ctx
	for t := 1; t <= rounds; t++ {
		if t%interval == 0 {
			if err := ctx.Err(); err != nil {
				return Run{}, fmt.Errorf("stopped before round %d: %w", t, err)
			}
			report(interval)
		}
		loss, err := round(env, l, t)
		if err != nil {
			return Run{}, fmt.Errorf("round %d: %w", t, err)
		}
		run.Losses[t-1] = loss
		if bounded != nil {
			run.Bounds[t-1] = bounded.Bound()
		}
	}
	report(rounds % interval)
	comparing, ok := env.(Comparing)
	if !ok {
		return run, nil
	}
	comparators, err := comparing.Comparators()
	if err != nil {
		return Run{}, fmt.Errorf("comparators: %w", err)
	}
	for _, c := range comparators {
		if run.Regret[c.Name], err = Regret(run.Losses, c); err != nil {
			return Run{}, err
		}
	}
	return run, nil
}

// round plays one.
func round[C, A, F any](env Environment[C, A, F], l Learner[C, A, F], t int) (float64, error) {
	context, err := env.Context(t)
	if err != nil {
		return 0, fmt.Errorf("environment: %w", err)
	}
	action, err := l.Act(context)
	if err != nil {
		return 0, err
	}
	feedback, loss, err := env.Reveal(t, action)
	if err != nil {
		return 0, fmt.Errorf("environment: %w", err)
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, fmt.Errorf("environment: the loss is %g, must be finite", loss)
	}
	return loss, l.Learn(feedback)
}

// progress adds up the rounds of all games, one caller at a time.
func progress(f func(done, total int), total int) func(rounds int) {
	if f == nil {
		return func(int) {}
	}
	var done atomic.Int64
	var mutex sync.Mutex
	return func(rounds int) {
		n := done.Add(int64(rounds))
		mutex.Lock()
		defer mutex.Unlock()
		f(int(n), total)
	}
}

// Regret is the cumulative regret against a comparator, over the comparator's active rounds only:
// R(n) = Σ_{first n active t} (suffered[t] − c.Losses[t]). A comparator without an active round has an empty one.
func Regret(suffered []float64, c Comparator) ([]float64, error) {
	if len(c.Losses) != len(suffered) {
		return nil, fmt.Errorf("online: Regret: comparator %q has %d losses, must have one a round, %d", c.Name, len(c.Losses), len(suffered))
	}
	if c.Active != nil && len(c.Active) != len(suffered) {
		return nil, fmt.Errorf("online: Regret: comparator %q has Active of %d rounds, must have %d", c.Name, len(c.Active), len(suffered))
	}
	regret := make([]float64, 0, len(suffered))
	// Compensated summation: many differences of nearly equal losses.
	var sum, lost float64
	for t := range suffered {
		if c.Active != nil && !c.Active[t] {
			continue
		}
		d := suffered[t] - c.Losses[t]
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return nil, fmt.Errorf("online: Regret: round %d: suffered is %g and comparator %q %g, must be finite", t+1, suffered[t], c.Name, c.Losses[t])
		}
		y := d - lost
		next := sum + y
		lost = (next - sum) - y
		sum = next
		regret = append(regret, sum)
	}
	return regret, nil
}

// Final is the last value of the regret against a comparator in each run: what criteria judge. It fails where a run is
// incomplete or has no such comparator; an empty regret, of a group that was never active, counts as 0.
func Final(runs []Run, comparator string) ([]float64, error) {
	out := make([]float64, len(runs))
	for i, r := range runs {
		regret, ok := r.Regret[comparator]
		if !ok {
			return nil, fmt.Errorf("online: Final: seed %d has no regret against %q", r.Seed, comparator)
		}
		if len(regret) > 0 {
			out[i] = regret[len(regret)-1]
		}
	}
	return out, nil
}
