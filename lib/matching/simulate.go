package matching

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Options of [Simulate].
type Options struct {
	Repetitions int    // at least 1; a standard error worth reporting wants 60 or more
	Seed        uint64 // repetition r of a seed always has the same coins or thresholds
	// Thresholds, instead of a coin an attempt, draws once for every offline vertex which attempt succeeds, from the
	// geometric distribution: the same law, but policies of one seed meet the same thresholds, so that their
	// difference has less noise. All edges must have the same probability.
	Thresholds bool
	Workers    int                   // repetitions at once; 0: as many as there are processors
	Progress   func(done, total int) // told of repetitions now and then; may be nil
}

// Simulate runs a policy on fresh random outcomes and estimates its expected reward. The time is that of the edges in each
// repetition; nothing is allocated in between. Cancelling ctx ends it with ctx's error.
func Simulate(ctx context.Context, in *Instance, policy Policy, o Options) (Estimate, error) {
	var p float64
	problems := []error{in.validate("Simulate"), policy.validate("Simulate"), atLeast("Simulate", "Repetitions", o.Repetitions, 1)}
	if o.Thresholds {
		var err error
		p, err = in.mustBeEqual("Simulate")
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return Estimate{}, err
	}
	workers := o.Workers
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, o.Repetitions)
	values, failures := make([]float64, o.Repetitions), make([]error, workers)
	var group sync.WaitGroup
	var next atomic.Int64
	var mutex sync.Mutex
	done := 0
	for i := range workers {
		group.Go(func() {
			w := worker{in: in, game: newGame(in.Weights, policy), p: p}
			if o.Thresholds {
				w.thresholds = make([]int, len(in.Weights))
			}
			for r := int(next.Add(1)) - 1; r < o.Repetitions; r = int(next.Add(1)) - 1 {
				reward, err := w.repeat(ctx, o.Seed, r)
				if err != nil {
					failures[i] = err
					return
				}
				values[r] = reward
				if o.Progress != nil {
					mutex.Lock()
					done++
					o.Progress(done, o.Repetitions)
					mutex.Unlock()
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		return Estimate{}, err
	}
	return NewEstimate(values)
}

// mustBeEqual is the probability of all edges; 1 where there is none.
func (in *Instance) mustBeEqual(who string) (float64, error) {
	p, ok := in.Equal()
	for _, edges := range in.Arrivals {
		if !ok && len(edges) > 0 {
			return 0, fmt.Errorf("matching: %s: the edges' probabilities differ, must be equal for thresholds in attempts", who)
		}
	}
	if !ok {
		p = 1
	}
	return p, nil
}

// worker is what is kept from one repetition to the next.
type worker struct {
	in         *Instance
	game       *game
	p          float64
	thresholds []int // nil: coins
}

// repeat is one repetition from its seeds.
func (w *worker) repeat(ctx context.Context, seed uint64, r int) (float64, error) {
	stream := func(purpose string) *rand.Rand {
		return online.Seeded(seed, fmt.Sprintf("matching: %s of repetition %d", purpose, r))
	}
	if w.thresholds != nil {
		theta := stream("thresholds")
		for u := range w.thresholds {
			w.thresholds[u] = geometric(theta.Float64(), w.p)
		}
	}
	if err := w.game.start(w.game.draws(stream("draws")), stream("ties")); err != nil {
		return 0, err
	}
	return w.game.play(ctx, w.in.Arrivals, w.thresholds, stream("coins"), nil)
}

// play runs through the arrivals. Without thresholds coins decide; choices, if not nil, gets each arrival's vertex or −1.
func (g *game) play(ctx context.Context, arrivals [][]Edge, thresholds []int, coins *rand.Rand, choices []int) (reward float64, err error) {
	const interval = 4096 // arrivals between looks at ctx
	for v, edges := range arrivals {
		if v%interval == 0 && ctx.Err() != nil {
			return 0, fmt.Errorf("matching: stopped before arrival %d: %w", v, ctx.Err())
		}
		at := g.choose(edges)
		if at < 0 {
			if choices != nil {
				choices[v] = -1
			}
			continue
		}
		e := edges[at]
		var success bool
		if thresholds != nil {
			success = g.attempts[e.U]+1 >= thresholds[e.U]
		} else {
			success = coins.Float64() < e.P
		}
		if err := g.attempt(e, success); err != nil {
			return 0, err
		}
		if success {
			reward += g.weights[e.U]
		}
		if choices != nil {
			choices[v] = e.U
		}
	}
	return reward, nil
}

// Coupling is the randomness of one run, fixed.
type Coupling struct {
	// Thresholds say which attempt on each offline vertex succeeds, counted from 1; 0 removes the vertex.
	Thresholds []int
	// Draws are the policy's, in [0, 1) and one an offline vertex; only for policies that draw.
	Draws []float64
}

// Replay runs a policy with its randomness fixed and returns what each arrival was matched to, −1 where it was to nobody. A
// policy with random ties is refused. Two couplings that differ in one threshold show what one offline vertex does to the others.
func Replay(in *Instance, policy Policy, c Coupling) ([]int, error) {
	problems := []error{in.validate("Replay"), policy.validate("Replay")}
	if policy.RandomTies {
		problems = append(problems, fmt.Errorf("matching: Replay: policy %q breaks ties at random, must have its randomness in draws", policy.Name))
	}
	if len(c.Thresholds) != len(in.Weights) {
		problems = append(problems, fmt.Errorf("matching: Replay: there are %d Thresholds, must be one an offline vertex, %d", len(c.Thresholds), len(in.Weights)))
	}
	if policy.Draws && len(c.Draws) != len(in.Weights) {
		problems = append(problems, fmt.Errorf("matching: Replay: there are %d Draws, must be one an offline vertex, %d", len(c.Draws), len(in.Weights)))
	}
	for u, theta := range c.Thresholds {
		if theta < 0 {
			problems = append(problems, fmt.Errorf("matching: Replay: Thresholds[%d] is %d, must be at least 0", u, theta))
		}
	}
	for u, y := range c.Draws {
		if !(y >= 0 && y < 1) {
			problems = append(problems, fmt.Errorf("matching: Replay: Draws[%d] is %g, must be in [0, 1)", u, y))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	g := newGame(in.Weights, policy)
	if err := g.start(c.Draws, nil); err != nil {
		return nil, err
	}
	for u, theta := range c.Thresholds {
		if theta == 0 {
			g.score[u] = math.Inf(-1)
		}
	}
	choices := make([]int, len(in.Arrivals))
	_, err := g.play(context.Background(), in.Arrivals, c.Thresholds, nil, choices)
	return choices, err
}

// Violations counts where counterfactual monotonicity fails: of two runs of a policy, the second with the threshold of offline
// vertex u lowered, it counts the arrivals after which some other vertex has had fewer attempts in the second. It is 0 for
// [LeastLoaded] and [Ranking] on every instance with equal probabilities: what happens to one offline vertex pushes attempts
// to all others, the joint view of a vertex and its neighbours on which the analyses by configuration programs build.
func Violations(in *Instance, policy Policy, c Coupling, u, lowered int) (int, error) {
	if u < 0 || u >= len(c.Thresholds) {
		return 0, fmt.Errorf("matching: Violations: u is %d, must be in [0, %d]", u, len(c.Thresholds)-1)
	}
	if lowered > c.Thresholds[u] {
		return 0, fmt.Errorf("matching: Violations: lowered is %d, must be at most the threshold, %d", lowered, c.Thresholds[u])
	}
	less := Coupling{Thresholds: slices.Clone(c.Thresholds), Draws: c.Draws}
	less.Thresholds[u] = lowered
	before, err := Replay(in, policy, c)
	if err != nil {
		return 0, err
	}
	after, err := Replay(in, policy, less)
	if err != nil {
		return 0, err
	}
	surplus, behind, violations := make([]int, len(in.Weights)), 0, 0
	move := func(w, by int) {
		if w < 0 || w == u {
			return
		}
		was := surplus[w]
		surplus[w] += by
		if was >= 0 && surplus[w] < 0 {
			behind++
		}
		if was < 0 && surplus[w] >= 0 {
			behind--
		}
	}
	for v := range before {
		move(after[v], 1)
		move(before[v], -1)
		if behind > 0 {
			violations++
		}
	}
	return violations, nil
}
