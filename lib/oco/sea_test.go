package oco

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
)

// alternating is the adversary of most experiments: c_t = 0.3e_1 ± v·e_2 on the unit ball.
func alternating(swing, noise float64, dim int) Quadratic {
	center, aside := make([]float64, dim), make([]float64, dim)
	center[0], aside[1] = 0.3, swing
	path, err := AlternatingPath(center, aside)
	if err != nil {
		panic(err)
	}
	return Quadratic{Centers: path, Noise: noise, Radius: 1}
}

func adversaries(t *testing.T) map[string]SEA {
	t.Helper()
	drift, err := DriftingPath([]float64{-1, 0, 0.5}, []float64{1, 1, 1}, 300)
	if err != nil {
		t.Fatal(err)
	}
	corrupted, err := CorruptedPath([]float64{0.1, 0, 0}, []float64{-2, 2, 0}, 300, 20, 5)
	if err != nil {
		t.Fatal(err)
	}
	squares, err := NewLeastSquares(300, []float64{0.25, 0, 0.1}, 0.5, 0.5, 3)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]SEA{
		"alternating": alternating(0.4, 0.8, 3), "still": alternating(0, 0, 3), "drifting": Quadratic{Centers: drift, Radius: 1},
		"corrupted": Quadratic{Centers: corrupted, Noise: 0.5, Radius: 1}, "switching": Switching{Block: 7, Radius: 0.5, Dimension: 3},
		"switching with noise": Switching{Block: 3, Noise: 0.5, Radius: 0.5, Dimension: 3}, "least squares": squares,
	}
}

func TestPaths(t *testing.T) {
	blocks, err := BlockPath([][]float64{{1}, {2}, {3}}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(blocks); got != "[[1] [1] [1] [2] [2] [2] [3] [3] [3] [3]]" {
		t.Errorf("blocks %s", got)
	}
	list := [][]float64{{1}, {2}, {3}, {4}, {5}}
	shuffled := ShuffledPath(list, 1)
	var sum float64
	for _, p := range shuffled {
		sum += p[0]
	}
	if sum != 15 || fmt.Sprint(list) != "[[1] [2] [3] [4] [5]]" {
		t.Errorf("shuffled %v of %v", shuffled, list)
	}
	corrupted, err := CorruptedPath([]float64{0}, []float64{1}, 100, 30, 1)
	if err != nil {
		t.Fatal(err)
	}
	sum = 0
	for _, p := range corrupted {
		sum += p[0]
	}
	if sum != 30 {
		t.Errorf("%g rounds are corrupted, must be 30", sum)
	}
	for name, err := range map[string]error{
		"AlternatingPath": second(AlternatingPath([]float64{1}, nil)), "DriftingPath": second(DriftingPath([]float64{1}, []float64{2}, 1)),
		"BlockPath": second(BlockPath(list, 4)), "CorruptedPath": second(CorruptedPath(nil, nil, 3, 4, 0)),
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ Path, err error) error { return err }

// Gradients are those of the losses, in the mean: of 40000 draws at one point the mean is within 5.5 deviations of ∇F, in each of
// some 60 comparisons (false alarm below 1e-5 in all), and their variance is at most what is said.
func TestAdversariesAreAsTheySay(t *testing.T) {
	const draws = 40000
	for name, sea := range adversaries(t) {
		if _, data := sea.(*LeastSquares); data {
			continue
		}
		draw := rand.New(rand.NewPCG(1, 2))
		x, g := []float64{0.2, -0.1, 0.3}, make([]float64, 3)
		for _, round := range []int{1, 2, 5} {
			mean, square := make([]float64, 3), 0.0
			for range draws {
				if got := sea.Reveal(draw, round, x, g); got != sea.Loss(round, x) {
					t.Fatalf("%s: Reveal charges %g and Loss says %g", name, got, sea.Loss(round, x))
				}
				floats.AddScaled(mean, 1./draws, g)
				square += floats.Dot(g, g) / draws
			}
			variance := sea.CumVariance(1)
			for i := range x {
				const h = 1e-5
				moved := append([]float64(nil), x...)
				moved[i] += h
				up := sea.Loss(round, moved)
				moved[i] -= 2 * h
				slope := (up - sea.Loss(round, moved)) / (2 * h)
				if d := math.Abs(mean[i] - slope); d > 5.5*math.Sqrt(variance/draws)+1e-9 {
					t.Errorf("%s, round %d: mean gradient %v, entry %d should be %g", name, round, mean, i, slope)
				}
			}
			if v := square - floats.Dot(mean, mean); v > variance*1.05+1e-9 {
				t.Errorf("%s: variance %g, should be at most %g", name, v, variance)
			}
		}
	}
}

// Best is best: no other point of the ball has a smaller sum, and the sum is the sum of the losses.
func TestBestIsBest(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 4))
	horizons := []int{1, 2, 3, 10, 64, 300}
	for name, sea := range adversaries(t) {
		points, sums := sea.Best(horizons)
		total := func(n int, u []float64) (sum float64) {
			for round := 1; round <= n; round++ {
				sum += sea.Loss(round, u)
			}
			return sum
		}
		for i, n := range horizons {
			if !sea.Ball().Contains(points[i], 1e-9) {
				t.Errorf("%s: %v is outside of the ball", name, points[i])
			}
			if got := total(n, points[i]); math.Abs(got-sums[i]) > 1e-9*float64(n) {
				t.Errorf("%s: the sum at %v after %d rounds is %g, said %g", name, points[i], n, got, sums[i])
			}
			for range 200 {
				u := make([]float64, 3)
				sphere(draw, sea.Ball().Radius*draw.Float64(), u)
				if total(n, u) < sums[i]-1e-9 {
					t.Fatalf("%s: %v is better than %v", name, u, points[i])
				}
			}
		}
	}
}

// Variation counted by hand; and on the ball none is larger than what is said.
func TestVariation(t *testing.T) {
	for name, c := range map[string]struct{ got, want float64 }{
		"alternating": {alternating(0.4, 0.8, 5).CumVariation(5), 1.5*1.5 + 4*0.64},
		"still":       {alternating(0, 0, 5).CumVariation(500), 1.3 * 1.3},
		"switching":   {Switching{Block: 3, Radius: 1}.CumVariation(7), 1 + 2*4},
		"variance":    {alternating(0, 0.5, 5).CumVariance(8), 2},
		"coins":       {Switching{Block: 3, Noise: 0.5, Radius: 1}.CumVariance(8), 4},
		"path":        {PathLength(alternating(0.4, 0, 2), 4), 3 * 0.8},
	} {
		near(t, name, []float64{c.got}, []float64{c.want}, 1e-12)
	}
	squares, err := NewLeastSquares(10, []float64{0.3, 0.4}, 0.5, 0.5, 1)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "least squares", []float64{squares.CumVariation(10), squares.CumVariance(10)}, []float64{0.25, 10 * (0.25 + 0.25)}, 1e-12)
	squares.Weights = nil
	if !math.IsNaN(squares.CumVariance(1)) || !math.IsNaN(squares.CumVariation(1)) {
		t.Error("a data set's distribution is known")
	}
}

// The bounds that the theory gives for every run hold on every run, in both engines: nothing here is left to chance.
func TestBoundsHoldOnEveryRun(t *testing.T) {
	const rounds = 300
	learners := func(g float64, ball Ball) map[string]BoundedRule {
		return map[string]BoundedRule{
			"descent":      OptimisticDescent(ball, AdaptiveStep{Diameter: 2 * ball.Radius, Gradient: g, Smoothness: 1}),
			"descent, δ≈0": OptimisticDescent(ball, AdaptiveStep{Diameter: 2 * ball.Radius, Gradient: g}),
			"ftrl":         OptimisticFTRL{Over: ball, Gradient: g, Smoothness: 1},
			"ftrl, 2DG":    OptimisticFTRL{Over: ball, Nu: 4 * ball.Radius * g},
		}
	}
	for name, sea := range adversaries(t) {
		g := 5. // of the corrupted path, 1 + 2√2 + ½
		for method, rule := range learners(g, sea.Ball()) {
			runs, err := online.Play(context.Background(), func(seed uint64) (online.Environment[online.None, []float64, []float64], error) {
				return NewLinearEnvironment(sea, rounds, seed)
			}, func(uint64) (Learner, error) { return rule.Start(3) }, rounds, []uint64{1, 2, 3, 4}, online.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range runs {
				regret := r.Regret["static"]
				if last := regret[rounds-1]; !(last <= r.Bounds[rounds-1]+1e-9) || math.IsInf(r.Bounds[rounds-1], 0) {
					t.Errorf("%s on %s, seed %d: linearized regret %g, bound %g", method, name, r.Seed, last, r.Bounds[rounds-1])
				}
				if method == "ftrl, 2DG" { // and the bound in advance
					d := 2 * sea.Ball().Radius
					if most := 3*math.Sqrt2*d*g*math.Sqrt(rounds) + 4*d*g; regret[rounds-1] > most {
						t.Errorf("%s on %s: %g is above %g", method, name, regret[rounds-1], most)
					}
				}
			}
		}
	}
}

// Where nothing is random, an environment and a stream charge the same learner the same; where something is, both have the
// same distribution (judged by the regret after 2000 rounds of 40 runs each: 5.5 deviations of the difference of means).
func TestEnvironmentsAndStreamsAgree(t *testing.T) {
	b := backend.ForTest(t)
	all := adversaries(t)
	const runs = 40
	for name, c := range map[string]struct {
		sea    SEA
		rounds int
		stream func(sea SEA) (Stream, error)
	}{
		"drifting":             {all["drifting"], 300, nil},
		"alternating":          {all["alternating"], 2000, nil},
		"switching":            {all["switching"], 300, nil},
		"switching with noise": {all["switching with noise"], 2000, nil},
		"least squares":        {all["least squares"], 300, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rule := OptimisticDescent(c.sea.Ball(), AdaptiveStep{Diameter: 2 * c.sea.Ball().Radius, Gradient: 4, Smoothness: 1})
			var seeds []uint64
			var rules []Rule
			for i := range uint64(runs) {
				seeds, rules = append(seeds, i), append(rules, rule)
			}
			played, err := online.Play(context.Background(), func(seed uint64) (online.Environment[online.None, []float64, []float64], error) {
				return NewSEAEnvironment(c.sea, c.rounds, seed)
			}, func(uint64) (Learner, error) { return rule.Start(3) }, c.rounds, seeds, online.Options{})
			if err != nil {
				t.Fatal(err)
			}
			final, err := online.Final(played, "static")
			if err != nil {
				t.Fatal(err)
			}
			stream, against, err := streamOf(c.sea, runs)
			if err != nil {
				t.Fatal(err)
			}
			trace, err := Simulate(context.Background(), b, rules, stream, c.rounds, Options{Every: c.rounds, Linear: true})
			if err != nil {
				t.Fatal(err)
			}
			regrets, err := StaticRegret(trace, against)
			if err != nil {
				t.Fatal(err)
			}
			linear, err := trace.LinearRegret(c.sea.Ball())
			if err != nil {
				t.Fatal(err)
			}
			var compiled []float64
			for i, r := range regrets {
				compiled = append(compiled, r[0])
				if linear[i][0] > trace.Bounds[i][0] || math.IsInf(trace.Bounds[i][0], 0) {
					t.Errorf("run %d: linearized regret %g, bound %g", i, linear[i][0], trace.Bounds[i][0])
				}
			}
			if _, data := c.sea.(*LeastSquares); data || c.sea.CumVariance(1) == 0 {
				near(t, "regret", compiled, final, 1e-9)
				return
			}
			mean := func(x []float64) (m, v float64) {
				m = floats.Sum(x) / runs
				for _, y := range x {
					v += (y - m) * (y - m) / (runs - 1) / runs
				}
				return m, v
			}
			m1, v1 := mean(compiled)
			m2, v2 := mean(final)
			if math.Abs(m1-m2) > 5.5*math.Sqrt(v1+v2) {
				t.Errorf("regret is %g compiled and %g round by round, deviations %g and %g", m1, m2, math.Sqrt(v1), math.Sqrt(v2))
			}
		})
	}
}

// streamOf gives each run the same adversary.
func streamOf(sea SEA, runs int) (Stream, []SEA, error) {
	var against []SEA
	for range runs {
		against = append(against, sea)
	}
	var stream Stream
	var err error
	switch s := sea.(type) {
	case Quadratic:
		stream, err = QuadraticStream(repeated(s, runs))
	case Switching:
		stream, err = SwitchingStream(repeated(s, runs))
	case *LeastSquares:
		stream, err = LeastSquaresStream(repeated(s, runs))
	}
	return stream, against, err
}

func repeated[T any](x T, n int) (out []T) {
	for range n {
		out = append(out, x)
	}
	return out
}

// One round, and none.
func TestShortGames(t *testing.T) {
	for name, rule := range rules() {
		runs, err := online.Play(context.Background(), func(seed uint64) (online.Environment[online.None, []float64, []float64], error) {
			return NewSEAEnvironment(alternating(0.1, 0.5, 3), 1, seed)
		}, func(uint64) (Learner, error) { return rule.Start(3) }, 1, []uint64{1}, online.Options{})
		if err != nil || len(runs[0].Regret["static"]) != 1 || len(runs[0].Regret["dynamic"]) != 1 {
			t.Errorf("%s: one round: %v", name, err)
		}
	}
	if _, err := NewSEAEnvironment(alternating(0, 0, 2), 0, 1); err == nil {
		t.Error("no rounds gave no error")
	}
	if _, err := NewSEAEnvironment(nil, 1, 1); err == nil {
		t.Error("no adversary gave no error")
	}
	trace, err := Simulate(context.Background(), backend.ForTest(t), []Rule{OptimisticDescent(Ball{Radius: 1}, ConstantStep{Size: 1})}, must(QuadraticStream([]Quadratic{alternating(0, 0, 2)})), 1, Options{})
	if err != nil || len(trace.Rounds) != 1 {
		t.Errorf("one compiled round: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAdversariesBadArguments(t *testing.T) {
	for want, sea := range map[string]SEA{
		"Centers is empty":  Quadratic{Radius: 1},
		"center 2 is":       Quadratic{Radius: 1, Centers: Path{{1, 2}, {1}}},
		"center 1 is [NaN]": Quadratic{Radius: 1, Centers: Path{{math.NaN()}}},
		"Noise is -1":       Quadratic{Radius: 1, Centers: Path{{1}}, Noise: -1},
		"Quadratic: Radius": Quadratic{Centers: Path{{1}}},
		"Block is 0":        Switching{Radius: 1},
		"Switching: Radius": Switching{Block: 1},
		"A is nil":          &LeastSquares{Radius: 1},
	} {
		if _, err := NewSEAEnvironment(sea, 5, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	short := must(NewLeastSquares(3, []float64{1}, 0, 1, 1))
	if _, err := NewSEAEnvironment(short, 5, 1); err == nil || !strings.Contains(err.Error(), "at least as many as rounds, 5") {
		t.Errorf("three rows for five rounds: %v", err)
	}
	for name, err := range map[string]error{
		"no quadratics": err2(QuadraticStream(nil)), "paths of 2 and 3": err2(QuadraticStream([]Quadratic{{Radius: 1, Centers: Path{{1}, {2}}}, {Radius: 1, Centers: Path{{1}, {2}, {3}}}})),
		"no switches": err2(SwitchingStream(nil)), "two dimensions": err2(SwitchingStream([]Switching{{Block: 1, Radius: 1}, {Block: 1, Radius: 1, Dimension: 3}})),
		"no data": err2(LeastSquaresStream(nil)), "two lengths": err2(LeastSquaresStream([]*LeastSquares{short, must(NewLeastSquares(4, []float64{1}, 0, 1, 1))})),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func err2(_ Stream, err error) error { return err }

// Gradients above G are taken; but then no bound is known, in both engines.
func TestNoBoundAboveG(t *testing.T) {
	q := alternating(0.4, 0, 3)
	rule := OptimisticDescent(q.Ball(), AdaptiveStep{Diameter: 2, Gradient: 0.1, Smoothness: 1})
	l := must(rule.Start(3))
	if _, err := l.Act(online.None{}); err != nil {
		t.Fatal(err)
	}
	if b := l.(online.Bounded).Bound(); math.IsInf(b, 1) {
		t.Error("no bound before the first gradient")
	}
	if err := l.Learn([]float64{0.2, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if b := l.(online.Bounded).Bound(); !math.IsInf(b, 1) {
		t.Errorf("the bound is %g", b)
	}
	trace, err := Simulate(context.Background(), backend.ForTest(t), []Rule{rule}, must(QuadraticStream([]Quadratic{q})), 3, Options{Linear: true})
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsInf(trace.Bounds[0][0], 1) {
		t.Errorf("compiled, the bound is %g", trace.Bounds[0][0])
	}
	trace, err = Simulate(context.Background(), backend.ForTest(t), []Rule{GradientDescent(q.Ball(), RootStep{Scale: 1})}, must(QuadraticStream([]Quadratic{q})), 3, Options{Linear: true})
	if err != nil || trace.Bounds != nil {
		t.Errorf("plain gradient descent has the bound %v (%v)", trace.Bounds, err)
	}
	if _, err := (&Trace{}).LinearRegret(Ball{Radius: 1}); err == nil {
		t.Error("linearized regret without gradients")
	}
}

// One compilation serves other numbers, paths, noise and horizons.
func TestCompileOnce(t *testing.T) {
	b := backend.ForTest(t)
	make := func(swing, noise, gradient float64) ([]Rule, Stream) {
		q := alternating(swing, noise, 3)
		rule := OptimisticDescent(q.Ball(), AdaptiveStep{Diameter: 2, Gradient: gradient, Smoothness: 1})
		return []Rule{rule, rule}, must(QuadraticStream([]Quadratic{q, q}))
	}
	rules, stream := make(0.1, 0.1, 3)
	s := must(Compile(b, rules, stream, Options{Every: 10}))
	for _, c := range [][3]float64{{0.1, 0.1, 3}, {0.7, 1.5, 5}} {
		rules, stream := make(c[0], c[1], c[2])
		got := must(s.Run(context.Background(), rules, stream, 60, 4))
		want := must(Simulate(context.Background(), b, rules, stream, 60, Options{Every: 10, Seed: 4}))
		for i := range got.Sums {
			near(t, "sums", got.Sums[i], want.Sums[i], 1e-12)
		}
	}
	if _, err := s.Run(context.Background(), rules[:1], stream, 60, 1); err == nil {
		t.Error("one rule for two runs is taken")
	}
	if _, err := s.Run(context.Background(), []Rule{OptimisticFTL{Over: Ball{Radius: 1}, Convexity: 1}, OptimisticFTL{Over: Ball{Radius: 1}, Convexity: 1}}, stream, 60, 1); err == nil {
		t.Error("rules of another make are taken")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Run(ctx, rules, stream, 60, 1); err == nil || !strings.Contains(err.Error(), "stopped after") {
		t.Errorf("a game that was stopped: %v", err)
	}
}
