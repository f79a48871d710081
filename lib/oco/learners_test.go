package oco

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Numeric facts 1 to 3 go on: anchors, step sizes and variation, which the points alone do not show.
func TestMirrorDescentInside(t *testing.T) {
	play := func(rule MirrorDescent, dim int, gradient func(int, []float64) []float64, rounds int) *descent {
		l, err := rule.Start(dim)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= rounds; n++ {
			x, _ := l.Act(online.None{})
			if err := l.Learn(gradient(n, x)); err != nil {
				t.Fatal(err)
			}
		}
		return l.(*descent)
	}
	interval := OptimisticDescent(Box{Low: []float64{-1}, High: []float64{1}}, AdaptiveStep{Diameter: 2, Gradient: 1, Delta: 1})
	gs := listed([]float64{1}, []float64{1}, []float64{-1}, []float64{1})
	var rates []float64
	for n := range 4 {
		rates = append(rates, play(interval, 1, gs, n).rate())
	}
	near(t, "rates", rates, []float64{0.894427191, 0.816496581, 0.816496581, 0.632455532}, 1e-9)
	for n, want := range []float64{-0.894427191, -1, -0.183503419, -0.815958951} {
		d := play(interval, 1, gs, n+1)
		near(t, "anchor", d.anchor, []float64{want}, 1e-9)
		near(t, "variation", []float64{d.variation}, []float64{[]float64{1, 1, 5, 9}[n]}, 1e-12)
	}
	disc := OptimisticDescent(Ball{Radius: 1}, AdaptiveStep{Diameter: 2, Gradient: 3, Delta: 1e-300})
	cs := toward([]float64{2, 0}, []float64{0, 2}, []float64{2, 0})
	near(t, "first rate", []float64{play(disc, 2, cs, 0).rate()}, []float64{1. / 3}, 1e-12)
	near(t, "disc", play(disc, 2, cs, 1).anchor, []float64{2. / 3, 0}, 1e-10)
	second := play(disc, 2, cs, 2)
	near(t, "disc", second.anchor, []float64{0.3504389006, 0.6324555320}, 1e-9)
	near(t, "disc", []float64{second.variation}, []float64{17}, 1e-12)
	strong := OptimisticDescent(Ball{Radius: 1}, StronglyConvexStep{Convexity: 1})
	cs = toward([]float64{.5, 0}, []float64{0, .5}, []float64{.5, 0})
	for n, want := range [][]float64{{1, 0}, {0, .5}, {0.7497966984, -0.0205792063}} {
		near(t, "strongly convex", play(strong, 2, cs, n+1).anchor, want, 1e-9)
	}
}

// Numeric fact 5: β, H_1, H_4 and points of the optimistic Newton step.
func TestOptimisticNewtonFacts(t *testing.T) {
	rule := OptimisticNewton(Ball{Radius: 1}, 1, 1)
	near(t, "β", []float64{rule.beta(2)}, []float64{0.0625}, 0)
	l, err := rule.Start(2)
	if err != nil {
		t.Fatal(err)
	}
	n := l.(*newton)
	near(t, "H_1", n.metric.H.Data, []float64{1.03125, 0, 0, 1.03125}, 1e-15)
	gs := [][]float64{{1, 0}, {0, -1}, {0.6, 0.8}}
	for round, want := range [][]float64{{0, 0}, {-1, 0}, {-0.3961712588, 0.9181766354}} {
		x, err := l.Act(online.None{})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "point", x, want, 1e-9)
		if err := l.Learn(gs[round]); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			near(t, "anchor", n.anchor, []float64{-0.9696969697, 0}, 1e-9)
		}
	}
	h := n.metric.H.Data
	near(t, "H_4", []float64{h[0], h[1], h[3]}, []float64{1.07375, 0.015, 1.0825}, 1e-12)
	if err := l.Learn([]float64{1e200, 0}); err == nil {
		t.Error("a gradient whose square is infinite is taken")
	}
}

// Numeric fact 6.
func TestOptimisticFTRLFacts(t *testing.T) {
	rule := OptimisticFTRL{Over: Ball{Radius: 1}, Nu: 1}
	l, err := rule.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	f := l.(*ftrl)
	for i, g := range []float64{1, 1, -1, 1} {
		x, _ := l.Act(online.None{})
		near(t, "point", x, []float64{[]float64{0, -0.8, -1, 0}[i]}, 1e-12)
		near(t, "rate", []float64{f.square / f.weight}, []float64{[]float64{4, 0.8, 0.8, 0.4878048780}[i]}, 1e-9)
		if err := l.Learn([]float64{g}); err != nil {
			t.Fatal(err)
		}
	}
	if nu := (OptimisticFTRL{Over: Ball{Radius: 1}, Gradient: 3, Smoothness: 2}).nu(2); nu != 14 {
		t.Errorf("default ν is %g, must be LD² + DG = 14", nu)
	}
}

// The leader of the quadratic lower bounds, found anew each round, is what OptimisticFTL plays.
func TestOptimisticFTLIsTheLeader(t *testing.T) {
	const convexity = 0.7
	ball := Ball{Radius: 0.4}
	gradient := func(n int, x []float64) []float64 { g, _, _ := pulled{}.Reveal(n, x); return g }
	got := feed(t, OptimisticFTL{Over: ball, Convexity: convexity}, 3, gradient, 30)
	for n := 2; n <= 30; n++ {
		last := gradient(n-1, got[n-2])
		m := newMetric(3)
		b := make([]float64, 3)
		for s := 1; s < n; s++ {
			floats.AddScaled(b, convexity, got[s-1])
			floats.Sub(b, gradient(s, got[s-1]))
		}
		for i := range 3 {
			m.H.Data[4*i] = convexity * float64(n-1)
		}
		floats.Sub(b, last)
		want := make([]float64, 3)
		ball.Minimize(want, b, m)
		near(t, "leader", got[n-1], want, 1e-12)
	}
}

// Numeric fact 7, and the pool's ends.
func TestEnsemblePool(t *testing.T) {
	rule := DynamicEnsemble{Over: Ball{Radius: 1}, Gradient: 2, Smoothness: 1, Rounds: 1000}
	pool, err := rule.Pool(3)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "pool", pool, []float64{0.0111803399, 0.0223606798, 0.0447213595, 0.0894427191, 0.125}, 1e-9)
	l, _ := rule.Start(3)
	if _, err := l.Act(online.None{}); err != nil {
		t.Fatal(err)
	}
	near(t, "first weights", l.(Weighted).Weights(), []float64{.2, .2, .2, .2, .2}, 1e-15)
	for rounds, want := range map[int]int{1: 1, 2: 2, 1000: 6} {
		rule := DynamicEnsemble{Over: Ball{Radius: 1}, Gradient: 2, Rounds: rounds}
		if pool, err := rule.Pool(1); err != nil || len(pool) != want {
			t.Errorf("L = 0, T = %d: %v (%v), must be %d step sizes", rounds, pool, err, want)
		}
	}
	if pool, err := (DynamicEnsemble{Over: Ball{Radius: 1}, Gradient: 1, Smoothness: 10, Rounds: 5}).Pool(1); err != nil || len(pool) != 1 || pool[0] != 1./80 {
		t.Errorf("a smooth and short game: %v (%v), must be 1/(8L) alone", pool, err)
	}
}

// An ensemble of one is its base learner.
func TestEnsembleOfOne(t *testing.T) {
	gradient := func(n int, x []float64) []float64 { g, _, _ := pulled{}.Reveal(n, x); return g }
	one := DynamicEnsemble{Over: Ball{Radius: 1}, Gradient: 1, Smoothness: 10, Rounds: 5}
	got := feed(t, one, 3, gradient, 50)
	want := feed(t, OptimisticDescent(Ball{Radius: 1}, ConstantStep{Size: 1. / 80}), 3, gradient, 50)
	for n := range got {
		near(t, "point", got[n], want[n], 1e-15)
	}
}

// With the losses known beforehand, the weights are those of the formula in logarithms.
func TestEnsembleWeightsOfLargeLosses(t *testing.T) {
	l, err := DynamicEnsemble{Over: Ball{Radius: 1e4}, Gradient: 1e4, Smoothness: 1e-8, Rounds: 1 << 20}.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		if _, err := l.Act(online.None{}); err != nil {
			t.Fatal(err)
		}
		if err := l.Learn([]float64{1e4}); err != nil {
			t.Fatal(err)
		}
	}
	if w := l.(Weighted).Weights(); math.Abs(floats.Sum(w)-1) > 1e-12 || !finite(w) {
		t.Errorf("weights %v", w)
	}
}

func optimistic() map[string][2]Rule { // with a hint and the same without
	ball := Ball{Radius: 1}
	adaptive := AdaptiveStep{Diameter: 2, Gradient: 3, Smoothness: 1}
	box := Box{Low: []float64{-0.3}, High: []float64{0.2}}
	return map[string][2]Rule{
		"descent":         {OptimisticDescent(ball, adaptive), GradientDescent(ball, adaptive)},
		"strongly convex": {OptimisticDescent(box, StronglyConvexStep{Convexity: 1}), GradientDescent(box, StronglyConvexStep{Convexity: 1})},
		"newton":          {OptimisticNewton(ball, 3, 0.1), OnlineNewton{Over: ball, Gradient: 3, Concavity: 0.1}},
		"ftrl":            {OptimisticFTRL{Over: ball, Gradient: 3, Smoothness: 1}, OptimisticFTRL{Over: ball, Hint: NoHint{}, Gradient: 3, Smoothness: 1}},
		"ftl":             {OptimisticFTL{Over: ball, Convexity: 1}, OptimisticFTL{Over: ball, Convexity: 1, Hint: NoHint{}}},
	}
}

// zeroHint guesses 0 as any hint would, without the shortcut of NoHint.
type zeroHint struct{ MeanGradient }

func (zeroHint) Guess([]float64, []float64, int) {}

// A hint of zeros is the plain method.
func TestZeroHintIsPlain(t *testing.T) {
	gradient := func(n int, x []float64) []float64 { g, _, _ := pulled{}.Reveal(n, x); return g }
	for name, pair := range optimistic() {
		var zero Rule
		switch r := pair[0].(type) {
		case MirrorDescent:
			r.Hint = zeroHint{}
			zero = r
		case OnlineNewton:
			r.Hint = zeroHint{}
			zero = r
		case OptimisticFTRL:
			r.Hint = zeroHint{}
			zero = r
		case OptimisticFTL:
			r.Hint = zeroHint{}
			zero = r
		}
		got, want := feed(t, zero, 3, gradient, 60), feed(t, pair[1], 3, gradient, 60)
		for n := range got {
			near(t, name, got[n], want[n], 1e-13)
		}
	}
}

// With hints that are right from the second round on, the regret does not grow: linear losses that do not change.
func TestRightHintsHaveConstantRegret(t *testing.T) {
	g := []float64{1, -1, 0.5}
	gradient := func(int, []float64) []float64 { return g }
	for name, pair := range optimistic() {
		if name == "strongly convex" || name == "ftl" {
			continue // the losses are not
		}
		regret := func(rounds int) (sum float64) {
			for _, x := range feed(t, pair[0], 3, gradient, rounds) {
				sum += floats.Dot(g, x) + floats.Norm(g, 2)
			}
			return sum
		}
		if short, long := regret(200), regret(5000); long-short > 1e-9 {
			t.Errorf("%s: the regret is %g after 200 rounds and %g after 5000", name, short, long)
		}
	}
}

// Gradients of zero move nothing, ever: but for a regularizer, which pulls all the same.
func TestZeroGradientsStay(t *testing.T) {
	from := []float64{0.1, -0.2, 0.3}
	all := rules()
	all["descent from elsewhere"] = MirrorDescent{Over: Ball{Radius: 1}, Hint: LastGradient{}, Steps: AdaptiveStep{Diameter: 2, Gradient: 1}, From: from}
	all["newton from elsewhere"] = OnlineNewton{Over: Ball{Radius: 1}, Hint: LastGradient{}, Gradient: 1, Concavity: 1, From: from}
	for name, rule := range all {
		if m, ok := rule.(MirrorDescent); ok && m.Regularizer != nil {
			continue
		}
		points := feed(t, rule, 3, func(int, []float64) []float64 { return make([]float64, 3) }, 100)
		for n := range points {
			near(t, name, points[n], points[0], 1e-15)
		}
		if strings.HasSuffix(name, "elsewhere") {
			near(t, name, points[99], from, 1e-15)
		}
	}
}

func TestLearnersBadArguments(t *testing.T) {
	ball := Ball{Radius: 1}
	for want, rule := range map[string]Rule{
		"OnlineNewton: Over is nil":         OnlineNewton{},
		"OnlineNewton: Gradient is 0":       OnlineNewton{Over: ball, Concavity: 1},
		"Concavity is -1":                   OptimisticNewton(ball, 1, -1),
		"OnlineNewton: Diameter is NaN":     OnlineNewton{Over: ball, Gradient: 1, Concavity: 1, Diameter: math.NaN()},
		"is 0 with G = 1,":                  OptimisticNewton(Free{}, 1, 1), // β
		"OnlineNewton: From has 1":          OnlineNewton{Over: ball, Gradient: 1, Concavity: 1, From: []float64{0}},
		"OptimisticFTRL: Over is nil":       OptimisticFTRL{},
		"OptimisticFTRL: Gradient is 0":     OptimisticFTRL{Over: ball},
		"Nu is -1":                          OptimisticFTRL{Over: ball, Nu: -1},
		"the diameter of oco.Free":          OptimisticFTRL{Over: Free{}, Nu: 1},
		"OptimisticFTL: Over is nil":        OptimisticFTL{},
		"OptimisticFTL: Convexity is 0":     OptimisticFTL{Over: ball},
		"DynamicEnsemble: Over is nil":      DynamicEnsemble{},
		"DynamicEnsemble: Rounds is 0":      DynamicEnsemble{Over: ball, Gradient: 1, Smoothness: 1},
		"DynamicEnsemble: Gradient is 0":    DynamicEnsemble{Over: ball, Rounds: 1},
		"Smoothness is -1":                  DynamicEnsemble{Over: ball, Gradient: 1, Smoothness: -1, Rounds: 1},
		"DynamicEnsemble: the diameter of":  DynamicEnsemble{Over: Free{}, Gradient: 1, Rounds: 1},
		"DynamicEnsemble: Correction is -2": DynamicEnsemble{Over: ball, Gradient: 1, Rounds: 1, Correction: -2},
	} {
		if _, err := rule.Start(3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
		if _, err := rule.Start(0); err == nil {
			t.Errorf("%T: points of no entries are taken", rule)
		}
	}
}
