package experts

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

// The values are those of the weight's formula.
func TestWeight(t *testing.T) {
	for _, c := range []struct{ r, c, want float64 }{
		{0, 0, 0.1978062125}, {-1, 0, 0}, {0.5, 1, 0.2274957073}, {2, 3, 0.5150479835}, {10, 10, 13.7400715399}, {-3, 8, 0},
	} {
		exponent, factor := weight(c.r, c.c)
		near(t, "w", factor*math.Exp(exponent), c.want, 1e-10)
	}
}

func hedge(t testing.TB, n int, o HedgeOptions) *AdaNormalHedge {
	t.Helper()
	h, err := NewAdaNormalHedge(n, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// With regrets of thousands the plain formula overflows; ratios of weights must not.
func TestHedgeDoesNotOverflow(t *testing.T) {
	h := hedge(t, 3, HedgeOptions{})
	copy(h.regret, []float64{5000, 4000, 3})
	copy(h.absolute, []float64{5000, 4000, 100})
	p, err := h.Act([]bool{true, true, true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "p of the best", p[0], 1, 1e-12)
	for _, x := range p {
		if notFinite(x) {
			t.Errorf("p is %v", p)
		}
	}
}

// Where everybody awake is far behind, all weights are 0, and the awake share alike.
func TestHedgeFallsBackToTheAwake(t *testing.T) {
	h := hedge(t, 3, HedgeOptions{})
	copy(h.regret, []float64{-2, 0, -1})
	copy(h.absolute, []float64{2, 0, 1})
	p, err := h.Act([]bool{true, false, true})
	if err != nil || !slices.Equal(p, []float64{.5, 0, .5}) {
		t.Errorf("p is %v, %v", p, err)
	}
	p, err = h.Act([]bool{false, false, false})
	if err != nil || !slices.Equal(p, []float64{1. / 3, 1. / 3, 1. / 3}) {
		t.Errorf("nobody is awake: p is %v, %v", p, err)
	}
	if err := h.Learn([]float64{math.NaN(), -1, 7}); err != nil {
		t.Errorf("nobody is awake, so no loss is looked at: %v", err)
	}
	if !slices.Equal(h.regret, []float64{-2, 0, -1}) {
		t.Errorf("nobody was awake, and R became %v", h.regret)
	}
}

// sleepers are random losses in [0, 1], and who is awake; some rounds wake nobody.
type sleepers struct {
	awake  []bool
	losses []float64
	next   func() float64
}

func (s *sleepers) Context(int) ([]bool, error) {
	for i := range s.awake {
		s.awake[i] = s.next() < 0.4
	}
	return s.awake, nil
}

func (s *sleepers) Reveal(_ int, p []float64) ([]float64, float64, error) {
	var loss float64
	for i := range s.losses {
		s.losses[i] = math.Pow(s.next(), 1+float64(i)/2)
		if s.awake[i] {
			loss += p[i] * s.losses[i]
		}
	}
	return s.losses, loss, nil
}

type hedging = online.Environment[[]bool, []float64, []float64]

func sleeping(n int) func(uint64) (hedging, error) {
	return func(seed uint64) (hedging, error) {
		return &sleepers{make([]bool, n), make([]float64, n), online.Seeded(seed, "sleepers").Float64}, nil
	}
}

func TestHedgeRules(t *testing.T) {
	onlinetest.Run(t, onlinetest.Case[[]bool, []float64, []float64]{
		New: func(uint64) (online.Learner[[]bool, []float64, []float64], error) {
			return NewAdaNormalHedge(2, HedgeOptions{})
		},
		Environment: func(uint64) (hedging, error) { return awake{}, nil },
		BadContexts: map[string][]bool{"short": {true}, "long": {true, true, true}, "nil": nil},
		BadFeedback: map[string][]float64{"short": {0}, "long": {0, 0, 0}, "nil": nil, "NaN": {0, math.NaN()}, "above the range": {0, 1.001}, "negative": {-1e-9, 0}, "infinite": {math.Inf(1), 0}},
		Copy:        slices.Clone[[]float64],
	})
}

// awake has two experts that are always awake.
type awake struct{}

func (awake) Context(int) ([]bool, error) { return []bool{true, true}, nil }
func (awake) Reveal(t int, p []float64) ([]float64, float64, error) {
	losses := []float64{float64(t%3) / 2, float64(t%2) / 3}
	return losses, p[0]*losses[0] + p[1]*losses[1], nil
}

// The bound is a theorem about every run, not about averages.
func TestHedgeBound(t *testing.T) {
	for _, n := range []int{1, 2, 5, 40} {
		for seed := range uint64(25) {
			env, _ := sleeping(n)(seed)
			h := hedge(t, n, HedgeOptions{})
			for round := 1; round <= 400; round++ {
				context, _ := env.Context(round)
				p, err := h.Act(context)
				if err != nil {
					t.Fatal(err)
				}
				losses, _, _ := env.Reveal(round, p)
				if seed%2 == 1 { // worst case: whoever has the most weight loses
					for i := range losses {
						losses[i] = 0
						if p[i] == slices.Max(p) {
							losses[i] = 1
						}
					}
				}
				if err := h.Learn(losses); err != nil {
					t.Fatal(err)
				}
				for i := range n {
					if h.Regret(i) > h.BoundOf(i)+1e-9 || h.BoundOf(i) > h.Bound()+1e-9 {
						t.Fatalf("n %d, seed %d, round %d: R of expert %d is %g, its bound %g, the largest %g", n, seed, round, i, h.Regret(i), h.BoundOf(i), h.Bound())
					}
				}
			}
			if h.MaxGap() > 1 {
				t.Errorf("a gap of %g of losses in [0, 1]", h.MaxGap())
			}
		}
	}
}

func TestHedgeNamesTheRound(t *testing.T) {
	h := hedge(t, 1, HedgeOptions{})
	for range 3 {
		if _, err := h.Act([]bool{true}); err != nil {
			t.Fatal(err)
		}
		if err := h.Learn([]float64{0.5}); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Learn([]float64{0.5}); err == nil || !strings.Contains(err.Error(), "round 4: Learn without Act") {
		t.Errorf("%v", err)
	}
	if _, err := h.Act([]bool{true}); err != nil {
		t.Fatal(err)
	}
	if err := h.Learn([]float64{2}); err == nil || !strings.Contains(err.Error(), "round 4: the loss of expert 0 is 2, must be in [0, 1]") {
		t.Errorf("%v", err)
	}
	wide := hedge(t, 1, HedgeOptions{MaxLoss: math.Inf(1)})
	if _, err := wide.Act([]bool{true}); err != nil {
		t.Fatal(err)
	}
	if err := wide.Learn([]float64{math.Inf(1)}); err == nil {
		t.Error("an infinite loss is taken")
	}
	if err := wide.Learn([]float64{7}); err != nil {
		t.Error(err)
	}
}

func TestHedgeBadArguments(t *testing.T) {
	for n, want := range map[int]string{0: "n is 0, must be at least 1", -3: "n is -3"} {
		if _, err := NewAdaNormalHedge(n, HedgeOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
	for _, m := range []float64{-1, math.NaN(), math.Inf(-1)} {
		if _, err := NewAdaNormalHedge(1, HedgeOptions{MaxLoss: m}); err == nil || !strings.Contains(err.Error(), "MaxLoss is") {
			t.Errorf("%v", err)
		}
	}
}

func TestHedgeAllocatesNothing(t *testing.T) {
	h := hedge(t, 6, HedgeOptions{})
	awake, losses := []bool{true, false, true, false, true, true}, []float64{.1, .2, .3, .4, .5, .6}
	if n := testing.AllocsPerRun(200, func() {
		if _, err := h.Act(awake); err != nil {
			t.Fatal(err)
		}
		if err := h.Learn(losses); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations a round", n)
	}
}
