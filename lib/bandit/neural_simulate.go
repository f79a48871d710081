package bandit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Game is a neural learner against a table.
type Game struct {
	Learner Neural
	Table   Table
	Seed    uint64 // of weights, signs and draws: those of a [NeuralLearner] of this seed
	Arms    []int  // to be played, one a round, instead of what the rule draws; nil: the rule's
}

// Lesson is a regression along a table: in every round it predicts, and learns the loss of an arm.
type Lesson struct {
	Regression Regression
	Table      Table
	Seed       uint64
	Arms       []int // whose loss is learned, one a round; nil: the first
}

// Trace is what happened in a game or lesson, a row a round.
type Trace struct {
	Arms      []int
	Predicted [][]float64 // losses, one an arm
	P         [][]float64 // what the arm was drawn from; nil for a lesson
	Run       online.Run  // charged by the table's means, and regret against [BestArm]
}

// Simulator plays whole games in one compiled program: every round of every game, all games side by side. It compiles once for
// each structure and goes on for other numbers: rates, schedules, levels, scales, seeds, contexts and losses. It may be used by
// several goroutines at once.
type Simulator struct {
	backend  compute.Backend
	mutex    sync.Mutex
	programs map[structure]*entry
}

// entry is a program being compiled or done.
type entry struct {
	once    sync.Once
	program *scan.Program
	err     error
}

// structure is all that a program depends on.
type structure struct {
	arms, features, width, signs int
	own, redraw, given, explores bool
	loss                         Loss
	radiusW, radiusV             float64
	dtype                        dtypes.DType
	rule                         Rule
	rounds, runs                 int
}

// NewSimulator makes one on a backend.
func NewSimulator(b compute.Backend) *Simulator {
	return &Simulator{backend: b, programs: map[structure]*entry{}}
}

// job is a game or a lesson.
type job struct {
	Regression
	*Exploration // nil: a lesson
	table        Table
	seed         uint64
	arms         []int
}

func (j job) structure(runs int) structure {
	s := structure{arms: j.Arms, features: j.Features, width: j.Width, signs: j.Signs, own: j.OwnContexts, redraw: j.Signs > 0 && j.Redraw,
		given: j.arms != nil, loss: j.Loss, radiusW: j.RadiusW, radiusV: j.RadiusV, dtype: j.DType, rounds: j.table.Rounds(), runs: runs}
	if j.Exploration != nil {
		s.explores, s.rule = true, j.Rule
	}
	return s
}

// Run plays games of one structure: they may differ in numbers, schedules, tables and seeds, not in sizes, loss, rule, signs,
// radii or the number of rounds. Where a prediction is not finite it fails with [scan.ErrNonFinite] and names the round.
func (s *Simulator) Run(ctx context.Context, games []Game) ([]Trace, error) {
	var jobs []job
	var errs []error
	for i, g := range games {
		n, err := g.Learner.complete(fmt.Sprintf("Simulator.Run: game %d", i))
		errs = append(errs, err)
		jobs = append(jobs, job{n.Regression, &n.Exploration, g.Table, g.Seed, g.Arms})
	}
	return s.run(ctx, "Simulator.Run", jobs, errs)
}

// Follow runs regressions of one structure along tables; see Run.
func (s *Simulator) Follow(ctx context.Context, lessons []Lesson) ([]Trace, error) {
	var jobs []job
	var errs []error
	for i, l := range lessons {
		n, err := l.Regression.complete(fmt.Sprintf("Simulator.Follow: lesson %d", i))
		errs = append(errs, err)
		arms := l.Arms
		if arms == nil {
			arms = make([]int, l.Table.Rounds())
		}
		jobs = append(jobs, job{n, nil, l.Table, l.Seed, arms})
	}
	return s.run(ctx, "Simulator.Follow", jobs, errs)
}

func (s *Simulator) run(ctx context.Context, who string, jobs []job, errs []error) ([]Trace, error) {
	if len(jobs) == 0 {
		return nil, fmt.Errorf("bandit: %s: there is nothing to play, must be at least 1", who)
	}
	for i, j := range jobs {
		errs = append(errs, j.check(who, i))
		if j.structure(len(jobs)) != jobs[0].structure(len(jobs)) {
			errs = append(errs, fmt.Errorf("bandit: %s: number %d is of another structure than number 0, must be the same", who, i))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	state, inputs := start(jobs)
	program, err := s.program(jobs, state, inputs)
	if err != nil {
		return nil, err
	}
	rounds := jobs[0].table.Rounds()
	result, err := program.Run(ctx, state, inputs, rounds, 0)
	if err != nil {
		return nil, fmt.Errorf("bandit: %s: %w", who, err)
	}
	if result.Status == scan.Interrupted {
		return nil, fmt.Errorf("bandit: %s: stopped after round %d: %w", who, result.Steps, context.Cause(ctx))
	}
	return traces(jobs, result.Traces)
}

func (j job) check(who string, i int) error {
	if err := j.table.Validate(); err != nil {
		return fmt.Errorf("bandit: %s: number %d: %w", who, i, err)
	}
	if got, want := j.table.shape(), j.shape(); got != want || j.table.Arms() != j.Arms {
		return fmt.Errorf("bandit: %s: number %d: the table has %d arms and %d×%d contexts, must have %d and %d×%d", who, i, j.table.Arms(), got.rows, got.features, j.Arms, want.rows, want.features)
	}
	if j.arms == nil {
		return nil
	}
	if len(j.arms) != j.table.Rounds() {
		return fmt.Errorf("bandit: %s: number %d: Arms has %d rounds, must have %d as the table", who, i, len(j.arms), j.table.Rounds())
	}
	for t, a := range j.arms {
		if a < 0 || a >= j.Arms {
			return fmt.Errorf("bandit: %s: number %d: Arms[%d] is %d, must be between 0 and %d", who, i, t, a, j.Arms-1)
		}
	}
	return nil
}

// program compiled for the structure of the jobs.
func (s *Simulator) program(jobs []job, state, inputs scan.Vars) (*scan.Program, error) {
	key := jobs[0].structure(len(jobs))
	s.mutex.Lock()
	e := s.programs[key]
	if e == nil {
		e = new(entry)
		s.programs[key] = e
	}
	s.mutex.Unlock()
	e.once.Do(func() {
		e.program, e.err = scan.Compile(s.backend, scan.Loop{Name: "bandit", Step: jobs[0].round, StopNonFinite: "predictions"}, state, inputs)
	})
	return e.program, e.err
}

// start are the state and inputs of the jobs, their games side by side.
func start(jobs []job) (state, inputs scan.Vars) {
	runs, seeds := make([]Regression, len(jobs)), make([]uint64, len(jobs))
	coins := make([]*draws, len(jobs))
	for i, j := range jobs {
		runs[i], seeds[i], coins[i] = j.Regression, j.seed, newDraws(j.seed)
	}
	first := jobs[0]
	explores := first.Exploration != nil
	state, inputs = initial(runs, seeds, explores && first.widths())
	var contexts, losses, rate, level, uniform, normal []float64
	var arms []int32
	rounds := first.table.Rounds()
	for t := range rounds {
		for i, j := range jobs {
			for _, row := range j.table.Contexts[t] {
				contexts = append(contexts, row...)
			}
			losses, rate = append(losses, j.table.Losses[t]...), append(rate, j.rate(t+1))
			if j.arms != nil {
				arms = append(arms, int32(j.arms[t]))
			}
			if !explores {
				continue
			}
			level, uniform = append(level, j.level(t+1)), append(uniform, coins[i].uniform())
			if first.Rule == Thompson {
				for range j.Arms {
					normal = append(normal, coins[i].normal())
				}
			}
		}
	}
	r, k, s := len(jobs), first.Arms, first.shape()
	inputs["contexts"] = tensorOf(first.DType, contexts, rounds, r, s.rows, s.features)
	inputs["losses"] = tensorOf(first.DType, losses, rounds, r, k)
	inputs["rate"] = tensorOf(first.DType, rate, rounds, r)
	if arms != nil {
		inputs["arms"] = tensors.FromFlatDataAndDimensions(arms, rounds, r)
	}
	if explores {
		inputs["level"] = tensorOf(first.DType, level, rounds, r)
		if arms == nil {
			inputs["uniform"] = tensorOf(first.DType, uniform, rounds, r)
		}
	}
	if normal != nil {
		inputs["normal"] = tensorOf(first.DType, normal, rounds, r, k)
	}
	return state, inputs
}

// round is one of every game, in a graph.
func (j job) round(s *scan.Step) {
	get := func(name string) *Node {
		switch {
		case s.Has(name):
			return s.Get(name)
		case name == "time" && s.HasInput(name):
			return Add(s.Input(name), s.Count())
		case s.HasInput(name):
			return s.Input(name)
		}
		return nil
	}
	m, x := j.model(get), s.Row("contexts")
	hidden, f := m.forward(x)
	predicted := m.predictions(f)
	s.Trace("predicted", predicted)
	s.Trace("predictions", ReduceAllSum(predicted)) // watched
	var played *Node
	if j.Exploration != nil {
		var width, noise *Node
		if j.widths() {
			width = Sqrt(m.variances(x, hidden, get("zw"), get("zv")))
		}
		if s.HasInput("normal") {
			noise = s.Row("normal")
		}
		p := j.probabilities(predicted, s.Row("level"), width, noise)
		s.Trace("p", p)
		if j.arms == nil {
			played = drawn(p, ExpandAxes(s.Row("uniform"), -1))
		}
	}
	if played == nil {
		played = OneHot(s.Row("arms"), j.Arms, j.DType)
	}
	s.Trace("arm", ArgMax(played, -1, dtypes.Int32))
	next := m.update(x, f, played, ReduceSum(Mul(s.Row("losses"), played), -1), s.Row("rate"))
	for name, value := range next.after(get) {
		s.Set(name, value)
	}
}

// traces of the jobs, apart.
func traces(jobs []job, vars scan.Vars) ([]Trace, error) {
	arms, err := tensors.CopyFlatData[int32](vars["arm"])
	if err != nil {
		return nil, err
	}
	predicted, err := numbersOf(vars["predicted"])
	if err != nil {
		return nil, err
	}
	var p []float64
	if vars["p"] != nil {
		if p, err = numbersOf(vars["p"]); err != nil {
			return nil, err
		}
	}
	out := make([]Trace, len(jobs))
	for i, j := range jobs {
		tr, k := &out[i], j.Arms
		tr.Run = online.Run{Seed: j.seed}
		for t := range j.table.Rounds() {
			at := t*len(jobs) + i
			arm := int(arms[at])
			tr.Arms = append(tr.Arms, arm)
			tr.Predicted = append(tr.Predicted, predicted[at*k:(at+1)*k])
			if p != nil {
				tr.P = append(tr.P, p[at*k:(at+1)*k])
			}
			tr.Run.Losses = append(tr.Run.Losses, j.table.means()[t][arm])
		}
		regret, err := online.Regret(tr.Run.Losses, online.Comparator{Name: BestArm, Losses: j.table.best()})
		if err != nil {
			return nil, err
		}
		tr.Run.Regret = map[string][]float64{BestArm: regret}
	}
	return out, nil
}
