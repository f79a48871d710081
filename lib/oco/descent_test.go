package oco

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// feed gives a learner gradients and returns the points it played.
func feed(t *testing.T, rule Rule, dim int, gradient func(round int, x []float64) []float64, rounds int) [][]float64 {
	t.Helper()
	l, err := rule.Start(dim)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]float64
	for n := 1; n <= rounds; n++ {
		x, err := l.Act(online.None{})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, append([]float64(nil), x...))
		if err := l.Learn(gradient(n, x)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func near(t *testing.T, name string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", name, got, want)
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance) {
			t.Errorf("%s: %v, want %v", name, got, want)
			return
		}
	}
}

// listed returns fixed gradients.
func listed(gs ...[]float64) func(int, []float64) []float64 {
	return func(round int, _ []float64) []float64 { return gs[round-1] }
}

// toward is the gradient of ½‖x − c_t‖².
func toward(cs ...[]float64) func(int, []float64) []float64 {
	return func(round int, x []float64) []float64 {
		g := make([]float64, len(x))
		for i := range x {
			g[i] = x[i] - cs[round-1][i]
		}
		return g
	}
}

// Numeric facts 1 to 3 of optimistic mirror descent: computed by hand for the convex and the strongly convex variant.
func TestOptimisticDescentFacts(t *testing.T) {
	box := OptimisticDescent(Box{Low: []float64{-1}, High: []float64{1}}, AdaptiveStep{Diameter: 2, Gradient: 1, Delta: 1})
	for i, want := range []float64{0, -1, -1, 0.448952113} {
		got := feed(t, box, 1, listed([]float64{1}, []float64{1}, []float64{-1}, []float64{1}), 4)
		near(t, fmt.Sprint("interval, round ", i+1), got[i], []float64{want}, 1e-9)
	}
	disc := OptimisticDescent(Ball{Radius: 1}, AdaptiveStep{Diameter: 2, Gradient: 3, Delta: 1e-300})
	got := feed(t, disc, 2, toward([]float64{2, 0}, []float64{0, 2}, []float64{2, 0}), 3)
	for i, want := range [][]float64{{0, 0}, {1, 0}, {0.0639335035, 0.9979541608}} {
		near(t, fmt.Sprint("disc, round ", i+1), got[i], want, 1e-9)
	}
	strong := OptimisticDescent(Ball{Radius: 1}, StronglyConvexStep{Convexity: 1})
	got = feed(t, strong, 2, toward([]float64{.5, 0}, []float64{0, .5}, []float64{.5, 0}), 3)
	near(t, "strongly convex, round 3", got[2], []float64{-0.6246950476, 0.7808688094}, 1e-9)
}

// rules are of every make: for the tests of what all promise. Regularized and other maps have tests of their own.
func rules() map[string]Rule {
	return map[string]Rule{
		"optimistic, ball, adaptive":       OptimisticDescent(Ball{Radius: 1}, AdaptiveStep{Diameter: 2, Gradient: 3, Smoothness: 1}),
		"optimistic, box, strongly convex": OptimisticDescent(Box{Low: []float64{-1}, High: []float64{.5}}, StronglyConvexStep{Convexity: 1}),
		"plain, simplex, root":             GradientDescent(Simplex{}, RootStep{Scale: 1}),
		"mean hint, free, constant":        MirrorDescent{Hint: MeanGradient{}, Steps: ConstantStep{Size: 0.1}, From: []float64{1, 0, 0}},
		"newton, ball":                     OptimisticNewton(Ball{Radius: 0.5}, 1.5, 0.4),
		"newton, box":                      OptimisticNewton(Box{Low: []float64{-0.3, -0.5, 0}, High: []float64{0.2, 0.4, 0.1}}, 1.5, 0.4),
		"newton, plain":                    OnlineNewton{Over: Ball{Radius: 0.5}, Gradient: 1.5, Concavity: 0.4, From: []float64{0.1, 0, 0}},
		"newton, free":                     OnlineNewton{Over: Free{}, Gradient: 1.5, Concavity: 0.4, Diameter: 2, Hint: MeanGradient{}},
		"ftrl, ball":                       OptimisticFTRL{Over: Ball{Radius: 1}, Gradient: 3, Smoothness: 1},
		"ftrl, box":                        OptimisticFTRL{Over: Box{Low: []float64{-1}, High: []float64{.5}}, Nu: 2, Hint: NoHint{}},
		"ftl, ball":                        OptimisticFTL{Over: Ball{Radius: 1}, Convexity: 1},
		"ensemble":                         DynamicEnsemble{Over: Ball{Radius: 1}, Gradient: 3, Smoothness: 1, Rounds: 1000},
		"ensemble, uncorrected, L = 0":     DynamicEnsemble{Over: Box{Low: []float64{-1}, High: []float64{.5}}, Gradient: 3, Rounds: 50, Uncorrected: true},
		// Parts for the last iterate.
		"entropy, linear decay":      MirrorDescent{Map: Entropy{}, Over: Simplex{}, Steps: PolynomialStep{Decay: LinearDecay, Horizon: 250}, From: []float64{0.5, 0, 0.5}},
		"power, ball, p = 1.5":       MirrorDescent{Map: Power{Exponent: 3}, Over: Ball{Radius: 0.8}, Steps: PolynomialStep{Moment: 1.5, Smoothness: 1}},
		"power, free, q = 2, const":  MirrorDescent{Map: Power{}, Steps: PolynomialStep{Decay: Const, Horizon: 50}},
		"L1, box, strongly convex":   MirrorDescent{Over: Box{Low: []float64{-1}, High: []float64{0.5}}, Regularizer: L1{Weight: 0.2}, Steps: ConditionedStep{Convexity: 1, Smoothness: 1}},
		"squared L2, free, 2 phases": MirrorDescent{Regularizer: SquaredL2{Weight: 0.5}, Steps: ConditionedStep{Convexity: 0.5, Smoothness: 1, Form: TwoPhase, Horizon: 50}},
		"clipped, hint, box":         Clipped{Level: 0.5, Rule: OptimisticDescent(Box{Low: []float64{-1}, High: []float64{0.5}}, StronglyConvexStep{Convexity: 1})},
	}
}

// pull is the quadratic loss ½‖x − c_t‖² with c_t = (cos t, sin t, 0.3).
func pull(round int) []float64 {
	return []float64{math.Cos(float64(round)), math.Sin(float64(round)), 0.3}
}

type pulled struct{}

func (pulled) Context(int) (online.None, error) { return online.None{}, nil }

func (pulled) Reveal(round int, x []float64) ([]float64, float64, error) {
	g := make([]float64, len(x))
	var loss float64
	for i, c := range pull(round) {
		g[i] = x[i] - c
		loss += g[i] * g[i] / 2
	}
	return g, loss, nil
}

func TestLearnersKeepTheRules(t *testing.T) {
	for name, rule := range rules() {
		t.Run(name, func(t *testing.T) {
			onlinetest.Run(t, onlinetest.Case[online.None, []float64, []float64]{
				New:         func(uint64) (online.Learner[online.None, []float64, []float64], error) { return rule.Start(3) },
				Environment: func(uint64) (online.Environment[online.None, []float64, []float64], error) { return pulled{}, nil },
				BadFeedback: map[string][]float64{"NaN": {0, math.NaN(), 0}, "infinite": {0, 0, math.Inf(-1)}, "too short": {1, 2}, "empty": nil},
				Copy:        func(x []float64) []float64 { return append([]float64(nil), x...) },
			})
		})
	}
}

// Both engines play the same points, here to 1e-12 over 200 rounds.
func TestEnginesAgree(t *testing.T) {
	b := backend.ForTest(t)
	const rounds = 200
	var centers []float64
	for n := 1; n <= rounds; n++ {
		centers = append(centers, pull(n)...)
	}
	stream := Stream{Name: "pull", Dim: 3, Inputs: scan.Vars{"centers": tensors.FromFlatDataAndDimensions(centers, rounds, 1, 3)},
		Reveal: func(s *scan.Step, x *graph.Node) (gradient, loss *graph.Node) {
			g := graph.Sub(x, s.Row("centers"))
			return g, graph.MulScalar(graph.ReduceSum(graph.Square(g), 1), 0.5)
		}}
	for name, rule := range rules() {
		t.Run(name, func(t *testing.T) {
			want := feed(t, rule, 3, func(round int, x []float64) []float64 { g, _, _ := pulled{}.Reveal(round, x); return g }, rounds)
			trace, err := Simulate(context.Background(), b, []Rule{rule, rule}, stream, rounds, Options{Points: true})
			if err != nil {
				t.Fatal(err)
			}
			var sum float64
			for n := range rounds {
				near(t, fmt.Sprint("round ", n+1), trace.Points[1][n], want[n], 1e-12)
				_, loss, _ := pulled{}.Reveal(n+1, want[n])
				sum += loss
				near(t, "losses so far", []float64{trace.Sums[0][n]}, []float64{sum}, 1e-9)
			}
		})
	}
}

func TestRoundsDoNotAllocate(t *testing.T) {
	for name, rule := range rules() {
		l, err := rule.Start(3)
		if err != nil {
			t.Fatal(err)
		}
		g := []float64{1, -1, 0.5}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := l.Act(online.None{}); err != nil {
				t.Fatal(err)
			}
			if err := l.Learn(g); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %g allocations a round", name, n)
		}
	}
}

func TestMirrorDescentBadArguments(t *testing.T) {
	ball := Ball{Radius: 1}
	for want, rule := range map[string]Rule{
		"Steps is nil":         MirrorDescent{},
		"Radius is 0":          GradientDescent(Ball{}, ConstantStep{Size: 1}),
		"Size is NaN":          GradientDescent(ball, ConstantStep{Size: math.NaN()}),
		"Diameter is -1":       OptimisticDescent(ball, AdaptiveStep{Diameter: -1, Gradient: 1}),
		"Gradient is 0":        OptimisticDescent(ball, AdaptiveStep{Diameter: 1}),
		"Delta is -1":          OptimisticDescent(ball, AdaptiveStep{Diameter: 1, Gradient: 1, Delta: -1}),
		"Convexity is 0":       OptimisticDescent(ball, StronglyConvexStep{}),
		"From has 1 entries":   MirrorDescent{Over: ball, Steps: ConstantStep{Size: 1}, From: []float64{0}},
		"must be a point of":   MirrorDescent{Over: ball, Steps: ConstantStep{Size: 1}, From: []float64{1, 1, 1}},
		"Low has 2 entries":    GradientDescent(Box{Low: []float64{0, 0}, High: []float64{1}}, ConstantStep{Size: 1}),
		"coordinate 0 is from": GradientDescent(Box{Low: []float64{2}, High: []float64{1}}, ConstantStep{Size: 1}),
	} {
		if _, err := rule.Start(3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := GradientDescent(ball, ConstantStep{Size: 1}).Start(0); err == nil {
		t.Error("points of no entries are taken")
	}
}

func BenchmarkOptimisticRound(b *testing.B) {
	l, err := OptimisticDescent(Ball{Radius: 1}, AdaptiveStep{Diameter: 2, Gradient: 3, Smoothness: 1}).Start(10)
	if err != nil {
		b.Fatal(err)
	}
	g := []float64{1, 2, 3, 4, 5, -5, -4, -3, -2, -1}
	for b.Loop() {
		_, _ = l.Act(online.None{})
		_ = l.Learn(g)
	}
}
