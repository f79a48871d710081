package experts

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
)

func ridge(t testing.TB, d int, o RidgeOptions) *OnlineRidge {
	t.Helper()
	r, err := NewOnlineRidge(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Worked by hand with λ = 1.
func TestRidgeFacts(t *testing.T) {
	r := ridge(t, 2, RidgeOptions{})
	rows, labels := [][]float64{{1, 0}, {1, 1}, {0, 1}, {1, 0}}, []float64{.5, 1, .25, .75}
	predictions := []float64{0, .25, .3, .40625}
	thetas := [][]float64{{.25, 0}, {.4, .3}, {.40625, .28125}, {.5, .25}}
	for i, x := range rows {
		p, err := r.Act(x)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "prediction", p, predictions[i], 1e-12)
		if err := r.Learn(labels[i]); err != nil {
			t.Fatal(err)
		}
		for j, v := range r.Theta() {
			near(t, "θ", v, thetas[i][j], 1e-12)
		}
	}
}

// table3 is the worked example of three groups.
func table3() *Table {
	b := func(a, b, c int) []bool { return []bool{a == 1, b == 1, c == 1} }
	return &Table{X: [][]float64{{1, .5}, {.2, 1}, {1, 1}, {.3, .9}, {.5, .5}}, Y: []float64{.9, .1, .6, .2, .4}, Groups: []string{"a", "b", "c"},
		Active: [][]bool{b(1, 0, 1), b(0, 1, 1), b(1, 1, 1), b(0, 1, 1), b(0, 0, 1)}}
}

func groupwise(t testing.TB, d, groups int, play Play) *Groupwise[[]float64, float64, float64] {
	t.Helper()
	g, err := NewGroupwiseRidge(d, groups, RidgeOptions{}, GroupwiseOptions[float64]{Play: play})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGroupwiseFacts(t *testing.T) {
	table := table3()
	env, err := NewRegression(table)
	if err != nil {
		t.Fatal(err)
	}
	g, mean := groupwise(t, 2, 3, Expected), groupwise(t, 2, 3, Mean)
	ps := [][]float64{{.5, .5}, {.5, .5}, {.3361930214, .3406290190, .3231779597}, {.3249970186, .6750029814}, {1}}
	losses := []float64{.81, .0212, .1014565406, .0014027436, .0157640174}
	for i := range table.X {
		c, _ := env.Context(i + 1)
		m, err := g.Act(c)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Weights) != len(ps[i]) {
			t.Fatalf("round %d: weights are %v", i+1, m.Weights)
		}
		for k, w := range m.Weights {
			near(t, "p", w, ps[i][k], 1e-9)
		}
		y, loss, err := env.Reveal(i+1, m)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "loss", loss, losses[i], 1e-9)
		m, err = mean.Act(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, l, _ := env.Reveal(i+1, m); i == 2 {
			near(t, "loss of the mean in round 3", l, .0431605222, 1e-9)
		}
		for _, l := range []*Groupwise[[]float64, float64, float64]{g, mean} {
			if err := l.Learn(y); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, want := range []float64{.1014565406, -.1788221556, .0843383008} {
		near(t, "R", g.Hedge().Regret(i), want, 1e-9)
	}
	for i, want := range []float64{.1014565406, .2040087078, .1080799559} {
		near(t, "C", g.Hedge().Absolute(i), want, 1e-9)
	}
}

func synthetic(t testing.TB, rounds int, rule Rule, seed uint64) *Table {
	t.Helper()
	table, err := Synthetic{Rounds: rounds, Rule: rule, Noise: PaperNoise, Seed: seed}.Table()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

type regressing = online.Environment[Context[[]float64], Mixture[float64], float64]

func playing(table *Table) func(uint64) (regressing, error) {
	return func(uint64) (regressing, error) { return NewRegression(table) }
}

func keep(m Mixture[float64]) Mixture[float64] {
	return Mixture[float64]{slices.Clone(m.Actions), slices.Clone(m.Weights)}
}

func TestGroupwiseRules(t *testing.T) {
	table := synthetic(t, 40, Permutation, 1)
	all := slices.Repeat([]bool{true}, 6)
	short, broken := table.X[0][:3], slices.Clone(table.X[0])
	broken[4] = math.NaN()
	for _, play := range []Play{Expected, Sampled, Mean} {
		onlinetest.Run(t, onlinetest.Case[Context[[]float64], Mixture[float64], float64]{
			New: func(seed uint64) (online.Learner[Context[[]float64], Mixture[float64], float64], error) {
				return NewGroupwiseRidge(25, 6, RidgeOptions{}, GroupwiseOptions[float64]{Play: play, Seed: seed})
			},
			Environment: playing(table),
			BadContexts: map[string]Context[[]float64]{"groups are missing": {table.X[0], all[:5]}, "too many groups": {table.X[0], append(all, true)},
				"no groups": {table.X[0], nil}, "features are missing": {short, all}, "no features": {nil, all}, "a feature is NaN": {broken, all}},
			BadFeedback: map[string]float64{"NaN": math.NaN(), "infinite": math.Inf(-1), "the square overflows": 1e200},
			Copy:        keep,
		})
	}
}

func TestRidgeRules(t *testing.T) {
	onlinetest.Run(t, onlinetest.Case[[]float64, float64, float64]{
		New: func(uint64) (online.Learner[[]float64, float64, float64], error) {
			return NewOnlineRidge(2, RidgeOptions{})
		},
		Environment: func(uint64) (online.Environment[[]float64, float64, float64], error) { return waves{}, nil },
		BadContexts: map[string][]float64{"short": {1}, "long": {1, 2, 3}, "NaN": {1, math.NaN()}, "infinite": {math.Inf(1), 0}},
		BadFeedback: map[string]float64{"NaN": math.NaN(), "infinite": math.Inf(1)},
	})
}

type waves struct{}

func (waves) Context(t int) ([]float64, error) { return []float64{math.Sin(float64(t)), 1}, nil }
func (waves) Reveal(t int, a float64) (float64, float64, error) {
	y := math.Cos(float64(t))
	return y, SquaredLoss(a, y), nil
}

// One group that is always active is its learner, in every way of playing.
func TestGroupwiseOfOneIsTheLearner(t *testing.T) {
	table, err := synthetic(t, 500, Permutation, 3).Keep(5)
	if err != nil {
		t.Fatal(err)
	}
	run := func(l online.Learner[Context[[]float64], Mixture[float64], float64]) []float64 {
		runs, err := online.Play(context.Background(), playing(table), func(uint64) (online.Learner[Context[[]float64], Mixture[float64], float64], error) { return l, nil }, 500, []uint64{1}, online.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return runs[0].Losses
	}
	want := run(Ungrouped(ridge(t, 25, RidgeOptions{})))
	for _, play := range []Play{Expected, Sampled, Mean} {
		g := groupwise(t, 25, 1, play)
		if !slices.Equal(run(g), want) {
			t.Errorf("play %d: losses differ from the learner's", play)
		}
		if g.Hedge().Regret(0) != 0 {
			t.Errorf("its regret against itself is %g", g.Hedge().Regret(0))
		}
	}
}

// A learner that sleeps learns nothing: what a group's learner knows is what it would know had there been only its rounds.
func TestSleepersLearnNothing(t *testing.T) {
	table := synthetic(t, 300, MeanLabel, 5)
	g := groupwise(t, 25, 6, Expected)
	alone := make([]*OnlineRidge, 6)
	for i := range alone {
		alone[i] = ridge(t, 25, RidgeOptions{})
	}
	for i, x := range table.X {
		m, err := g.Act(Context[[]float64]{x, table.Active[i]})
		if err != nil {
			t.Fatal(err)
		}
		k := 0
		for j, here := range table.Active[i] {
			if !here {
				continue
			}
			p, err := alone[j].Act(x)
			if err != nil {
				t.Fatal(err)
			}
			if p != m.Actions[k] {
				t.Fatalf("round %d: group %d predicts %g, its learner alone %g", i+1, j, m.Actions[k], p)
			}
			k++
			if err := alone[j].Learn(table.Y[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.Learn(table.Y[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// A round of no group has no action and leaves no trace, whatever is fed back.
func TestNoGroup(t *testing.T) {
	table := table3()
	with, without := groupwise(t, 2, 3, Sampled), groupwise(t, 2, 3, Sampled)
	for i, x := range table.X {
		m, err := with.Act(Context[[]float64]{x, []bool{false, false, false}})
		if err != nil || len(m.Actions) != 0 {
			t.Fatalf("%v, %v", m, err)
		}
		if err := with.Learn(math.NaN()); err != nil {
			t.Fatal(err)
		}
		a, err1 := with.Act(Context[[]float64]{x, table.Active[i]})
		b, err2 := without.Act(Context[[]float64]{x, table.Active[i]})
		if err1 != nil || err2 != nil || !slices.Equal(a.Actions, b.Actions) {
			t.Fatalf("round %d: %v and %v, %v, %v", i+1, a, b, err1, err2)
		}
		if err1, err2 := with.Learn(table.Y[i]), without.Learn(table.Y[i]); err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
	}
	env, err := NewRegression(table)
	if err != nil {
		t.Fatal(err)
	}
	if _, loss, err := env.Reveal(1, Mixture[float64]{}); loss != 0 || err != nil {
		t.Errorf("no action costs %g, %v", loss, err)
	}
}

// grumpy refuses every label.
type grumpy struct{ OnlineRidge }

func (*grumpy) Act([]float64) (float64, error) { return 0, nil }
func (*grumpy) Learn(float64) error            { return errActFirst }

// Where one learner refuses what another one took, nobody may go on as if nothing had happened.
func TestTorn(t *testing.T) {
	g, err := NewGroupwise([]online.Learner[[]float64, float64, float64]{ridge(t, 1, RidgeOptions{}), &grumpy{}}, SquaredLoss, GroupwiseOptions[float64]{})
	if err != nil {
		t.Fatal(err)
	}
	c := Context[[]float64]{[]float64{1}, []bool{true, true}}
	if _, err := g.Act(c); err != nil {
		t.Fatal(err)
	}
	if err := g.Learn(1); err == nil || !strings.Contains(err.Error(), "round 1: group 1") {
		t.Errorf("%v", err)
	}
	for _, err := range []error{g.Learn(1), func() error { _, err := g.Act(c); return err }()} {
		if err == nil || !strings.Contains(err.Error(), "of no more use") {
			t.Errorf("%v", err)
		}
	}
}

func TestGroupwiseBadArguments(t *testing.T) {
	one := []online.Learner[[]float64, float64, float64]{ridge(t, 1, RidgeOptions{})}
	for want, err := range map[string]error{
		"experts is empty": second(NewGroupwise[[]float64, float64, float64](nil, SquaredLoss, GroupwiseOptions[float64]{})),
		"expert 0 is nil":  second(NewGroupwise(make([]online.Learner[[]float64, float64, float64], 1), SquaredLoss, GroupwiseOptions[float64]{})),
		"loss is nil":      second(NewGroupwise(one, nil, GroupwiseOptions[float64]{})),
		"Combine is nil":   second(NewGroupwise(one, SquaredLoss, GroupwiseOptions[float64]{Play: Mean})),
		"Play is 9":        second(NewGroupwise(one, SquaredLoss, GroupwiseOptions[float64]{Play: 9})),
		"MaxLoss is -1":    second(NewGroupwise(one, SquaredLoss, GroupwiseOptions[float64]{MaxLoss: -1})),
		"d is 0":           second(NewOnlineRidge(0, RidgeOptions{})),
		"L2 is -1":         second(NewOnlineRidge(1, RidgeOptions{L2: -1})),
		"L2 is NaN":        second(NewGroupwiseRidge(1, 2, RidgeOptions{L2: math.NaN()}, GroupwiseOptions[float64]{})),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that holds %q", err, want)
		}
	}
	if _, err := NewGroupwise[[]float64, float64, float64](nil, nil, GroupwiseOptions[float64]{Play: 9}); err == nil || strings.Count(err.Error(), "experts: NewGroupwise") != 3 {
		t.Errorf("%v, want all three errors", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestClip(t *testing.T) {
	r := ridge(t, 1, RidgeOptions{Clip: true, L2: 1e-9})
	for _, c := range []struct{ x, want float64 }{{1, 0}, {2, 1}, {-1, 0}, {.5, .5}} {
		p, err := r.Act([]float64{c.x})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "prediction", p, c.want, 1e-6)
		if err := r.Learn(c.x); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGroupwiseAllocatesNothing(t *testing.T) {
	table := synthetic(t, 64, MeanLabel, 1)
	for _, play := range []Play{Expected, Sampled, Mean} {
		g := groupwise(t, 25, 6, play)
		i := 0
		if n := testing.AllocsPerRun(500, func() {
			if _, err := g.Act(Context[[]float64]{table.X[i%64], table.Active[i%64]}); err != nil {
				t.Fatal(err)
			}
			if err := g.Learn(table.Y[i%64]); err != nil {
				t.Fatal(err)
			}
			i++
		}); n != 0 {
			t.Errorf("play %d: %g allocations a round", play, n)
		}
	}
}

// BenchmarkGroupwiseRound is a round of the paper's synthetic data: 25 features, three of six groups active.
func BenchmarkGroupwiseRound(b *testing.B) {
	table := synthetic(b, 1000, MeanLabel, 1)
	g := groupwise(b, 25, 6, Expected)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := g.Act(Context[[]float64]{table.X[i], table.Active[i]}); err != nil {
			b.Fatal(err)
		}
		if err := g.Learn(table.Y[i]); err != nil {
			b.Fatal(err)
		}
		i = (i + 1) % 1000
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rounds/s")
}
