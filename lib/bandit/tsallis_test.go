package bandit

import (
	"math"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
)

// tsallisPlay lets the learner play an action as if it had drawn it.
func tsallisPlay(t *testing.T, l *TsallisINF, action int, cost float64) {
	t.Helper()
	if _, err := l.Act(online.None{}); err != nil {
		t.Fatal(err)
	}
	l.played, l.probability = action, l.p[action]
	if err := l.Learn(cost); err != nil {
		t.Fatal(err)
	}
}

// The probabilities are computed independently, with numpy.
func TestTsallisINFProbabilities(t *testing.T) {
	l, err := NewTsallisINF([]float64{1, 1.5, 1.9}, 1)
	if err != nil {
		t.Fatal(err)
	}
	check := func(want ...float64) {
		t.Helper()
		l.weigh()
		if !floats.EqualApprox(l.Probabilities(), want, 5e-9) {
			t.Errorf("p is %.8f, must be %.8f", l.Probabilities(), want)
		}
	}
	check(1./3, 1./3, 1./3)
	tsallisPlay(t, l, 1, 41)
	if !floats.EqualApprox(l.k, []float64{0, 120, 0}, 1e-6) || l.scale() != 40 {
		t.Errorf("k is %v, scale %g", l.k, l.scale())
	}
	check(0.46128407, 0.07743186, 0.46128407)
	tsallisPlay(t, l, 0, 21)
	if !floats.EqualApprox(l.k, []float64{43.35723086, 120, 0}, 1e-6) || l.scale() != 30 {
		t.Errorf("k is %v, scale %g", l.k, l.scale())
	}
	check(0.23875691, 0.08063711, 0.68060599)

	l.k, l.p, l.t, l.total = []float64{0, 2, 5, 1}, make([]float64, 4), 9, 8 // η = 2/3, scale 8/8
	check(0.41706403, 0.20380028, 0.09673979, 0.28239590)
}

// Whatever the importance-weighted costs, where Newton's method leaves its domain bisection must take over.
func TestTsallisINFSolvesForP(t *testing.T) {
	l, err := NewTsallisINF(make([]float64, 5), 1)
	if err != nil {
		t.Fatal(err)
	}
	l.total = 1
	rng := online.Seeded(1, "test: k")
	for range 10_000 {
		l.t = 1 + rng.IntN(100_000)
		l.total = float64(l.t) * math.Exp(20*rng.Float64()-10)
		for i := range l.k {
			l.k[i] = math.Exp(60*rng.Float64()-20) * float64(rng.IntN(2))
		}
		l.weigh()
		eta := 2 / math.Sqrt(float64(l.t))
		// 2/(η√p) = k/scale − x for one x, which the least k tells best.
		at := func(i int) float64 { return l.k[i]/l.scale() - 2/(eta*math.Sqrt(l.p[i])) }
		x := at(floats.MinIdx(l.k))
		for i, p := range l.p {
			if !(p > 0 && p <= 1) || math.Abs(at(i)-x) > 1e-6*math.Max(math.Abs(x), l.k[i]/l.scale()) {
				t.Fatalf("t = %d, k = %g, scale %g: p = %g", l.t, l.k, l.scale(), l.p)
			}
		}
		if s := floats.Sum(l.p); math.Abs(s-1) > 1e-12 {
			t.Fatalf("p sums to 1%+g", s-1)
		}
	}
}

// Costs of 1 leave nothing to learn, and no 0/0.
func TestTsallisINFOfCostsOne(t *testing.T) {
	l, err := NewTsallisINF([]float64{1, 2, 3}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		tsallisPlay(t, l, 2, 1)
		l.weigh()
		if !floats.EqualApprox(l.p, []float64{1. / 3, 1. / 3, 1. / 3}, 1e-12) {
			t.Fatalf("p is %v", l.p)
		}
	}
}

func TestTsallisINFAllocatesNothing(t *testing.T) {
	l, err := NewTsallisINF(floats.Span(make([]float64, 20), 1, 1.95), 1)
	if err != nil {
		t.Fatal(err)
	}
	cost := 1.0
	if n := testing.AllocsPerRun(100, func() {
		cost++
		_, _ = l.Act(online.None{})
		_ = l.Learn(cost)
	}); n != 0 {
		t.Errorf("%g allocations a round", n)
	}
}

// Contexts go to the bin with the nearest centre, the lower of two.
func TestTsallisINFCBBins(t *testing.T) {
	l, err := NewTsallisINFCB([]float64{1, 2}, 5, 0, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	for context, bin := range map[float64]int{0: 0, 1: 0, 2: 0, 2.1: 1, 5: 2, 8: 3, 8.01: 4, 10: 4} {
		if _, err := l.Act(context); err != nil {
			t.Fatal(err)
		}
		if l.bin != bin {
			t.Errorf("context %g is in bin %d, must be in %d", context, l.bin, bin)
		}
		if err := l.Learn(2); err != nil {
			t.Fatal(err)
		}
	}
	if l.bins[0].t != 4 || l.bins[4].t != 3 {
		t.Errorf("the bins saw %d and %d rounds", l.bins[0].t-1, l.bins[4].t-1)
	}
}
