package oco

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

func repeat(rule Rule, n int) []Rule { return slices.Repeat([]Rule{rule}, n) }

// compiled descends in the compiled engine.
func compiled(t *testing.T, p Stochastic, rules []Rule, rounds, every int, seed uint64) []Iterates {
	t.Helper()
	d, err := CompileDescents(backend.ForTest(t), rules, p, every)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := d.Run(context.Background(), rules, rounds, seed)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// Without noise both engines give the same last iterate, averages and gaps, for every make of rule and objective.
func TestDescentsAgree(t *testing.T) {
	for name, c := range map[string]struct {
		problem Stochastic
		rule    Rule
	}{
		"hint":       {Stochastic{Loss: DiagonalQuadratic{[]float64{1, 2, 3}, []float64{1, 0.1, -1}}}, OptimisticDescent(Ball{Radius: 1}, RootStep{Scale: 1})},
		"composite":  {Stochastic{Loss: DiagonalQuadratic{[]float64{1, 2, 3}, []float64{1, 0.1, -1}}, Regularizer: L1{Weight: 0.3}, Best: 0.1}, MirrorDescent{Regularizer: L1{Weight: 0.3}, Steps: PolynomialStep{Smoothness: 3}}},
		"linearized": {Stochastic{Loss: DiagonalQuadratic{[]float64{1, 2, 3}, []float64{1, 0.1, -1}}, Regularizer: SquaredL2{Weight: 0.3}, Linearize: true}, MirrorDescent{Steps: PolynomialStep{Smoothness: 3}}},
		"simplex":    {Stochastic{Loss: LinearCost{0, .5, .5}}, MirrorDescent{Map: Entropy{}, Over: Simplex{}, Steps: PolynomialStep{Decay: LinearDecay, Horizon: 33}}},
		"power":      {Stochastic{Loss: DistanceTo{1, 0, 0}}, MirrorDescent{Map: Power{Exponent: 5}, Steps: PolynomialStep{Moment: 1.25}}},
	} {
		rules := repeat(c.rule, 2)
		d, err := CompileDescents(backend.ForTest(t), rules, c.problem, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, rounds := range []int{1, 2, 33} {
			want, err := c.problem.Descend(c.rule, rounds, 4, 0)
			if err != nil {
				t.Fatal(err)
			}
			runs, err := d.Run(context.Background(), rules, rounds, 0)
			if err != nil {
				t.Fatal(err)
			}
			got := runs[1]
			label := fmt.Sprint(name, ", T = ", rounds)
			near(t, label+", last", got.Last, want.Last, 1e-12)
			near(t, label+", average", got.Average, want.Average, 1e-12)
			near(t, label+", suffix", got.Suffix, want.Suffix, 1e-12)
			near(t, label+", gaps", got.Gaps, want.Gaps, 1e-12)
		}
	}
}

// On a quadratic the last iterate has a closed form, x^{T+1} − x* = Π(1 − η_t a)·(x¹ − x*), and so have the averages.
func TestLastIterateOfQuadratic(t *testing.T) {
	q := DiagonalQuadratic{Curvature: []float64{1, 0.3}, Center: []float64{2, -1}}
	for _, rounds := range []int{1, 2, 7, 40} {
		for _, steps := range []StepSize{PolynomialStep{Smoothness: 1}, PolynomialStep{Decay: LinearDecay, Horizon: rounds}, ConditionedStep{Convexity: 0.3, Smoothness: 1}} {
			r, err := Stochastic{Loss: q}.Descend(MirrorDescent{Steps: steps}, rounds, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range q.Curvature {
				left, average, suffix := 1.0, 0.0, 0.0
				for n := 1; n <= rounds; n++ {
					average += left / float64(rounds)
					if n > rounds/2 {
						suffix += left / float64(rounds-rounds/2)
					}
					left *= 1 - steps.Rate(n, 0)*a
				}
				at := func(left float64) float64 { return q.Center[i] * (1 - left) }
				near(t, fmt.Sprint("T = ", rounds), []float64{r.Last[i], r.Average[i], r.Suffix[i]}, []float64{at(left), at(average), at(suffix)}, 1e-13)
			}
			if len(r.Gaps) != rounds+1 || r.Gaps[rounds] != (Stochastic{Loss: q}).Gap(r.Last) {
				t.Errorf("%d gaps, the last %v", len(r.Gaps), r.Gaps)
			}
		}
	}
}

// With noise the last iterate on ½‖x‖² is Gaussian, its variance v ← (1 − η_t)²v + η_t²σ²/d: the sum of squares of 400 runs in 5
// dimensions over v is χ² with 2000 degrees of freedom. Two engines, each outside of two quantiles of 2.5e-7: a false alarm of
// 1e-6.
func TestLastIterateVariance(t *testing.T) {
	const runs, dim, rounds, sigma = 400, 5, 30, 1.5
	p := Stochastic{Loss: DiagonalQuadratic{Curvature: slices.Repeat([]float64{1}, dim), Center: make([]float64, dim)}, Noise: Gaussian{Deviation: sigma}}
	steps := PolynomialStep{Decay: LinearDecay, Horizon: rounds}
	var v float64
	for n := 1; n <= rounds; n++ {
		rate := steps.Rate(n, 0)
		v = (1-rate)*(1-rate)*v + rate*rate*sigma*sigma/dim
	}
	rule := MirrorDescent{Steps: steps}
	engines := map[string][]Iterates{"compiled": compiled(t, p, repeat(rule, runs), rounds, 0, 11)}
	for seed := range uint64(runs) {
		r, err := p.Descend(rule, rounds, 0, seed)
		if err != nil {
			t.Fatal(err)
		}
		engines["Go"] = append(engines["Go"], *r)
	}
	chi := distuv.ChiSquared{K: runs * dim}
	for name, all := range engines {
		var sum float64
		for _, r := range all {
			sum += floats.Dot(r.Last, r.Last) / v
		}
		if sum < chi.Quantile(2.5e-7) || sum > chi.Quantile(1-2.5e-7) {
			t.Errorf("%s: sum of squares is %g, must be about %d", name, sum, runs*dim)
		}
	}
}

// The smooth theorem without noise, with η = 1/(2L): F(x^{T+1}) − F(x*) ≤ L‖x* − x¹‖²/T on every run, here over random quadratics;
// and the gap never rises.
func TestSmoothTheorem(t *testing.T) {
	rng := online.Seeded(8, "quadratics")
	for range 100 {
		q := DiagonalQuadratic{Curvature: make([]float64, 6), Center: make([]float64, 6)}
		for i := range q.Center {
			q.Curvature[i], q.Center[i] = math.Exp(3*rng.NormFloat64()), rng.NormFloat64()
		}
		rounds, l := 1+rng.IntN(60), floats.Max(q.Curvature)
		r, err := Stochastic{Loss: q}.Descend(MirrorDescent{Steps: ConstantStep{Size: 1 / (2 * l)}}, rounds, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if bound := l * floats.Dot(q.Center, q.Center) / float64(rounds); r.Gaps[rounds] > bound {
			t.Errorf("T = %d: gap %g, must be at most %g", rounds, r.Gaps[rounds], bound)
		}
		for n := 1; n <= rounds; n++ {
			if r.Gaps[n] > r.Gaps[n-1]*(1+1e-12) {
				t.Errorf("the gap rises from %g to %g", r.Gaps[n-1], r.Gaps[n])
			}
		}
	}
}

// The mean of many examples' gradients is the full one, in both engines. Of n draws the mean lies within 6 standard errors in each
// of three coordinates: a false alarm of less than 2e-8, for summands as short as these.
func TestSampledGradients(t *testing.T) {
	const n = 20000
	data, err := NewLogistic(25, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	f := LogisticRisk{Data: data}
	p := Stochastic{Loss: f}
	// One step of size 1 from a point goes against one example's gradient.
	from := []float64{1, -1, 0.5}
	rule := MirrorDescent{Steps: ConstantStep{Size: 1}, From: from}
	engines := map[string][]Iterates{"compiled": compiled(t, p, repeat(rule, n), 1, 0, 3)}
	for seed := range uint64(n) {
		r, err := p.Descend(rule, 1, 0, seed)
		if err != nil {
			t.Fatal(err)
		}
		engines["Go"] = append(engines["Go"], *r)
	}
	want := make([]float64, 3)
	f.Subgradient(want, from)
	for name, runs := range engines {
		for i := range want {
			var sum, squares float64
			for _, r := range runs {
				g := from[i] - r.Last[i]
				sum, squares = sum+g, squares+g*g
			}
			mean := sum / n
			if off := math.Abs(mean - want[i]); off > 6*math.Sqrt((squares/n-mean*mean)/n) {
				t.Errorf("%s: coordinate %d is %g on average, must be %g", name, i, mean, want[i])
			}
		}
	}
	p.Full = true
	r, err := p.Descend(rule, 1, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "full", r.Last, []float64{from[0] - want[0], from[1] - want[1], from[2] - want[2]}, 1e-15)
	near(t, "full, compiled", compiled(t, p, []Rule{rule}, 1, 0, 0)[0].Last, r.Last, 1e-14)
}

// The rounds of a descent do not allocate: as many allocations for 10 as for 1000.
func TestDescendDoesNotAllocateByRound(t *testing.T) {
	h := L1{Weight: 0.1}
	p := Stochastic{Loss: DistanceTo{1, 0, 0}, Regularizer: h, Linearize: true, Noise: Pareto{Tail: 1.5, Scale: 0.3}}
	count := func(rounds int) float64 {
		return testing.AllocsPerRun(5, func() {
			if _, err := p.Descend(MirrorDescent{Steps: PolynomialStep{}}, rounds, 0, 1); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := count(10), count(1000); few != many {
		t.Errorf("%g allocations in 10 rounds, %g in 1000", few, many)
	}
}

// A program serves other numbers of rounds and other step sizes, and gives the same as one compiled for them. Seeds differ.
func TestDescentsRunAgain(t *testing.T) {
	p := Stochastic{Loss: DistanceTo{1, 0}, Noise: Pareto{Tail: 1.5, Scale: 0.3}}
	step := func(d Decay, rounds int) Rule { return MirrorDescent{Steps: PolynomialStep{Decay: d, Horizon: rounds}} }
	first := []Rule{step(Const, 5), step(LinearDecay, 5)}
	second := []Rule{step(LinearDecay, 9), MirrorDescent{Steps: PolynomialStep{}}}
	d, err := CompileDescents(backend.ForTest(t), first, p, 0)
	if err != nil {
		t.Fatal(err)
	}
	run := func(rules []Rule, rounds int, seed uint64) []Iterates {
		r, err := d.Run(context.Background(), rules, rounds, seed)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b := run(first, 5, 1), run(second, 9, 1)
	for i, want := range compiled(t, p, second, 9, 0, 1) {
		near(t, "run again", b[i].Last, want.Last, 1e-13)
	}
	if again := run(first, 5, 1); !slices.Equal(again[0].Last, a[0].Last) {
		t.Errorf("the same seed: %v, was %v", again[0].Last, a[0].Last)
	}
	if other := run(first, 5, 77); slices.Equal(other[0].Last, a[0].Last) {
		t.Error("another seed gives the same")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Run(ctx, first, 5, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

func TestStochasticBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	good := Stochastic{Loss: DistanceTo{1, 0}}
	rule := MirrorDescent{Steps: PolynomialStep{}}
	for want, c := range map[string]struct {
		p             Stochastic
		rule          Rule
		rounds, every int
	}{
		"Loss is nil":        {Stochastic{}, rule, 1, 0},
		"rounds is 0":        {good, rule, 0, 0},
		"every is -1":        {good, rule, 1, -1},
		"Scale is -2":        {good, MirrorDescent{Steps: PolynomialStep{Scale: -2}}, 1, 0},
		"must be a point of": {good, MirrorDescent{Over: Ball{Radius: 1}, From: []float64{2, 0}, Steps: PolynomialStep{}}, 1, 0},
		"Deviation is -1":    {Stochastic{Loss: good.Loss, Noise: Gaussian{Deviation: -1}}, rule, 1, 0},
		"Subdifferentiable":  {Stochastic{Loss: good.Loss, Linearize: true}, rule, 1, 0},
		"L1: Weight is -1":   {Stochastic{Loss: good.Loss, Regularizer: L1{Weight: -1}}, rule, 1, 0},
		"Best is NaN":        {Stochastic{Loss: good.Loss, Best: math.NaN()}, rule, 1, 0},
		"To is []":           {Stochastic{Loss: DistanceTo{}}, rule, 1, 0},
	} {
		_, err := c.p.Descend(c.rule, c.rounds, c.every, 0)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Descend: want %q: %v", want, err)
		}
		if c.rounds < 1 {
			continue // the compiled program learns it when it runs
		}
		if _, err := CompileDescents(b, []Rule{c.rule}, c.p, c.every); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CompileDescents: want %q: %v", want, err)
		}
	}
	if _, err := CompileDescents(b, nil, good, 0); err == nil || !strings.Contains(err.Error(), "no rules") {
		t.Error(err)
	}
	d, err := CompileDescents(b, []Rule{rule}, good, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Run(context.Background(), []Rule{rule}, 0, 0); err == nil || !strings.Contains(err.Error(), "rounds is 0") {
		t.Error(err)
	}
	if _, err := d.Run(context.Background(), repeat(rule, 2), 1, 0); err == nil || !strings.Contains(err.Error(), "2 rules, must be 1") {
		t.Error(err)
	}
	// A step far too long overflows: both engines say so.
	wild := Stochastic{Loss: DiagonalQuadratic{Curvature: []float64{1}, Center: []float64{1}}}
	far := MirrorDescent{Steps: ConstantStep{Size: 1e200}}
	if _, err := wild.Descend(far, 20, 0, 0); err == nil || !strings.Contains(err.Error(), "must be finite") {
		t.Errorf("Descend: %v", err)
	}
	d, err = CompileDescents(b, []Rule{far}, wild, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Run(context.Background(), []Rule{far}, 20, 0); !errors.Is(err, scan.ErrNonFinite) {
		t.Errorf("Descents: %v", err)
	}
}

// Clipping lets short gradients pass and shortens long ones.
func TestClipped(t *testing.T) {
	rule := Clipped{Level: 1, Rule: MirrorDescent{Steps: ConstantStep{Size: 1}}}
	got := feed(t, rule, 2, listed([]float64{0.6, 0}, []float64{3, 4}, []float64{0, 0}), 3)
	near(t, "short", got[1], []float64{-0.6, 0}, 1e-15)
	near(t, "long", got[2], []float64{-1.2, -0.8}, 1e-15)
}

func ExampleStochastic_Descend() {
	// Composite mirror descent on a quadratic with an ℓ1 regularizer, without noise: small coordinates end at exactly 0.
	h := L1{Weight: 0.5}
	problem := Stochastic{Loss: DiagonalQuadratic{Curvature: []float64{1, 1}, Center: []float64{2, 0.3}}, Regularizer: h}
	r, err := problem.Descend(MirrorDescent{Regularizer: h, Steps: PolynomialStep{Decay: LinearDecay, Horizon: 100}}, 100, 0, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f\n", r.Last)
	// Output: [1.492 0.000]
}

func ExampleFitRate() {
	f, err := FitRate([]float64{100, 200, 400, 800}, []float64{0.1, 0.0717, 0.0499, 0.0352}, 0.95)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f, from %.2f to %.2f\n", f.Slope, f.Low, f.High)
	// Output: -0.50, from -0.53 to -0.48
}
