package oco

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Stochastic is the problem min F = f + h with a noisy oracle for f: ĝ = f'(x) + ξ. The domain is the method's to know, and
// h too, unless it is linearized. A [Rule] solves it by descending for T rounds, alone ([Stochastic.Descend]) or in many
// independent runs at once ([CompileDescents]); composite stochastic mirror descent is [MirrorDescent] without a hint.
type Stochastic struct {
	Loss        Objective   // f; required
	Regularizer Regularizer // h; nil: none
	// Linearize adds a sub-gradient of h to the oracle's answers, for methods that know no prox.
	Linearize bool
	// Full has the oracle answer with the whole gradient of a [Sampled] objective, not with that of an example.
	Full  bool
	Noise Noise   // ξ; nil: none
	Best  float64 // F(x*), for the gaps
}

// Subdifferentiable is a regularizer with a sub-gradient.
type Subdifferentiable interface {
	Regularizer
	// Subgradient writes h'(x) to dst.
	Subgradient(dst, x []float64)
	SubgradientNode(x *graph.Node) *graph.Node // [runs, dim] → [runs, dim]
}

// Iterates are where a descent of T rounds from x¹ went.
type Iterates struct {
	Last    []float64 // x^{T+1}
	Average []float64 // of x¹, …, x^T
	Suffix  []float64 // of the last ⌈T/2⌉ of those
	// Gaps are F(x^n) − F(x*) at n = every, 2·every, …, up to T+1.
	Gaps []float64
}

// Value is F(x).
func (s Stochastic) Value(x []float64) float64 {
	if s.Regularizer == nil {
		return s.Loss.Value(x)
	}
	return s.Loss.Value(x) + s.Regularizer.Value(x)
}

// Gap is F(x) − F(x*).
func (s Stochastic) Gap(x []float64) float64 { return s.Value(x) - s.Best }

func (s Stochastic) validate() error {
	if s.Loss == nil {
		return errors.New("oco: Stochastic: Loss is nil, must be an objective, e.g. DistanceTo")
	}
	errs := []error{s.Loss.Validate()}
	if s.Regularizer != nil {
		errs = append(errs, s.Regularizer.Validate())
	}
	if s.Linearize {
		if _, ok := s.Regularizer.(Subdifferentiable); !ok {
			errs = append(errs, fmt.Errorf("oco: Stochastic: Linearize: the regularizer is %T, must be Subdifferentiable", s.Regularizer))
		}
	}
	if s.Noise != nil {
		errs = append(errs, s.Noise.Validate())
	}
	if math.IsNaN(s.Best) || math.IsInf(s.Best, 0) {
		errs = append(errs, fmt.Errorf("oco: Stochastic: Best is %g, must be finite", s.Best))
	}
	return errors.Join(errs...)
}

// oracle writes ĝ at x to dst; extra is as long.
func (s Stochastic) oracle(dst, extra, x []float64, rng *rand.Rand) {
	if f, ok := s.Loss.(Sampled); ok && !s.Full {
		f.Sample(dst, x, rng)
	} else {
		s.Loss.Subgradient(dst, x)
	}
	if s.Linearize {
		s.Regularizer.(Subdifferentiable).Subgradient(extra, x)
		floats.Add(dst, extra)
	}
	if s.Noise != nil {
		s.Noise.Draw(extra, rng)
		floats.Add(dst, extra)
	}
}

func (s Stochastic) oracleNode(step *scan.Step, x *graph.Node) *graph.Node {
	var g *graph.Node
	if f, ok := s.Loss.(Sampled); ok && !s.Full {
		g = f.SampleNode(step, x)
	} else {
		g = s.Loss.SubgradientNode(x)
	}
	if s.Linearize {
		g = graph.Add(g, s.Regularizer.(Subdifferentiable).SubgradientNode(x))
	}
	if s.Noise != nil {
		g = graph.Add(g, s.Noise.DrawNode(step, x.Shape().Dim(0), x.Shape().Dim(1)))
	}
	return g
}

func (s Stochastic) gapNode(x *graph.Node) *graph.Node {
	v := s.Loss.ValueNode(x)
	if s.Regularizer != nil {
		v = graph.Add(v, s.Regularizer.ValueNode(x))
	}
	return graph.AddScalar(v, -s.Best)
}

// Descend lets a rule descend for rounds rounds in plain Go, with the noise of a seed, and records the gap at every every-th
// iterate; 0 records none. Rounds do not allocate.
func (s Stochastic) Descend(rule Rule, rounds, every int, seed uint64) (*Iterates, error) {
	if err := errors.Join(s.validate(), checkDescent("Descend", rounds, every)); err != nil {
		return nil, err
	}
	dim := s.Loss.Dim()
	l, err := rule.Start(dim)
	if err != nil {
		return nil, err
	}
	rng := online.Seeded(seed, "oco: gradient noise")
	g, extra := make([]float64, dim), make([]float64, dim)
	out := &Iterates{Last: make([]float64, dim), Average: make([]float64, dim), Suffix: make([]float64, dim)}
	half := (rounds + 1) / 2
	for n := 1; ; n++ {
		x, err := l.Act(online.None{})
		if err != nil {
			return nil, fmt.Errorf("oco: Descend: round %d: %w", n, err)
		}
		if every > 0 && n%every == 0 {
			out.Gaps = append(out.Gaps, s.Gap(x))
		}
		if n > rounds {
			copy(out.Last, x)
			return out, nil
		}
		mean(out.Average, x, n)
		if k := n - (rounds - half); k > 0 {
			mean(out.Suffix, x, k)
		}
		s.oracle(g, extra, x, rng)
		if err := l.Learn(g); err != nil {
			return nil, fmt.Errorf("oco: Descend: %w", err)
		}
	}
}

// mean takes the n-th value into a mean.
func mean(m, x []float64, n int) {
	for i, v := range x {
		m[i] += (v - m[i]) / float64(n)
	}
}

func checkDescent(method string, rounds, every int) error {
	errs := []error{atLeast1(method, "rounds", rounds)}
	if every < 0 {
		errs = append(errs, fmt.Errorf("oco: %s: every is %d, must be at least 0", method, every))
	}
	return errors.Join(errs...)
}

// Descents is a compiled program for many independent descents at once. It serves any number of rounds, and all rules that
// differ in their Numbers only.
type Descents struct {
	problem Stochastic
	every   int
	runs    int
	numbers int
	program *scan.Program
}

// CompileDescents compiles for as many runs as there are rules; these must be of one make, as in [Simulate]. The gap is
// recorded at every every-th iterate; 0 records none.
func CompileDescents(b compute.Backend, rules []Rule, problem Stochastic, every int) (*Descents, error) {
	if len(rules) == 0 {
		return nil, errors.New("oco: CompileDescents: there are no rules, must be at least one")
	}
	if err := errors.Join(problem.validate(), checkDescent("CompileDescents", 1, every)); err != nil {
		return nil, err
	}
	d := &Descents{problem: problem, every: every, runs: len(rules), numbers: len(rules[0].Numbers())}
	state, inputs, err := d.vars(rules, 1)
	if err != nil {
		return nil, err
	}
	d.program, err = scan.Compile(b, scan.Loop{
		Name: "descent", TraceEvery: max(every, 1), StopNonFinite: "last",
		Step: func(s *scan.Step) { d.step(s, rules[0]) },
	}, state, inputs)
	if err != nil {
		return nil, fmt.Errorf("oco: CompileDescents: %w", err)
	}
	return d, nil
}

// vars are the program's state and inputs.
func (d *Descents) vars(rules []Rule, rounds int) (state, inputs scan.Vars, err error) {
	dim := d.problem.Loss.Dim()
	if state, inputs, err = stackRules(rules, dim); err != nil {
		return nil, nil, err
	}
	for _, name := range []string{"last", "average", "suffix"} {
		state[name] = zeros(d.runs, dim)
	}
	inputs["rounds"] = tensors.FromScalar(float64(rounds))
	return state, inputs, nil
}

// step is a round; the last one, T+1, only asks where the rule is.
func (d *Descents) step(s *scan.Step, rule Rule) {
	r := &Round{step: s}
	for i := range d.numbers {
		r.numbers = append(r.numbers, s.Input(fmt.Sprint(memory, i)))
	}
	x := rule.ActNode(r)
	s.Set("last", x)
	if d.every > 0 {
		s.Trace("gap", d.problem.gapNode(x))
	}
	n, rounds := r.Count(), s.Input("rounds")
	average := func(name string, k *graph.Node) {
		taken := graph.LogicalAnd(graph.GreaterThan(k, graph.ZerosLike(k)), graph.LessOrEqual(n, rounds))
		weight := graph.Where(taken, graph.Reciprocal(graph.MaxScalar(k, 1)), graph.ZerosLike(k))
		m := s.Get(name)
		s.Set(name, graph.Add(m, graph.Mul(graph.Sub(x, m), weight)))
	}
	average("average", n)
	average("suffix", graph.Sub(n, graph.Floor(graph.MulScalar(rounds, 0.5))))
	rule.LearnNode(r, d.problem.oracleNode(s, x))
}

// Run descends for rounds rounds, run i by rules[i]. All runs' noise is independent, drawn from one generator of the seed: that
// compiles to faster code than one for each. When ctx ends first, the error is ctx's.
func (d *Descents) Run(ctx context.Context, rules []Rule, rounds int, seed uint64) ([]Iterates, error) {
	if err := checkDescent("Descents.Run", rounds, 0); err != nil {
		return nil, err
	}
	if len(rules) != d.runs {
		return nil, fmt.Errorf("oco: Descents.Run: there are %d rules, must be %d as compiled", len(rules), d.runs)
	}
	state, inputs, err := d.vars(rules, rounds)
	if err != nil {
		return nil, err
	}
	result, err := d.program.Run(ctx, state, inputs, rounds+1, int64(seed))
	if err != nil {
		return nil, fmt.Errorf("oco: Descents.Run: %w", err)
	}
	if result.Status != scan.Done {
		return nil, fmt.Errorf("oco: Descents.Run: stopped after %d of %d rounds: %w", result.Steps, rounds, ctx.Err())
	}
	out := make([]Iterates, d.runs)
	dim := d.problem.Loss.Dim()
	last, average, suffix := flat(result, "last"), flat(result, "average"), flat(result, "suffix")
	for i := range out {
		from, to := i*dim, (i+1)*dim
		out[i] = Iterates{Last: last[from:to:to], Average: average[from:to:to], Suffix: suffix[from:to:to]}
	}
	if gaps, ok := result.Traces["gap"]; ok {
		for i, g := range byRun(gaps) {
			out[i].Gaps = g
		}
	}
	return out, nil
}

func flat(r *scan.Result, name string) []float64 {
	return tensors.MustCopyFlatData[float64](r.State[name])
}

// Gaps of the runs' last iterates, averages and averages of the last half, in this order.
func (s Stochastic) Gaps(runs []Iterates) (last, average, suffix []float64) {
	for _, r := range runs {
		last, average, suffix = append(last, s.Gap(r.Last)), append(average, s.Gap(r.Average)), append(suffix, s.Gap(r.Suffix))
	}
	return last, average, suffix
}
