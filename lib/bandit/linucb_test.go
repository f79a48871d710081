package bandit

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
)

func contextual(t *testing.T, learner func(uint64) (ContextualLearner, error), context bool) onlinetest.Case[[][]float64, Choice, float64] {
	c := onlinetest.Case[[][]float64, Choice, float64]{
		New:         learner,
		Environment: func(seed uint64) (ContextualEnvironment, error) { return small(t, 40, seed).Environment() },
		BadFeedback: map[string]float64{"NaN": math.NaN(), "above 1": 2},
		Copy:        func(c Choice) Choice { return Choice{c.Arm, slices.Clone(c.P)} },
	}
	if context {
		c.BadContexts = map[string][][]float64{"none": nil, "Inf": {{0, 0, math.Inf(1), 0, 0}}}
	}
	return c
}

func TestLinUCBAndUniformRules(t *testing.T) {
	onlinetest.Run(t, contextual(t, func(uint64) (ContextualLearner, error) { return LinUCB{Arms: 3, Features: 5, Shared: true}.New() }, true))
	onlinetest.Run(t, contextual(t, func(seed uint64) (ContextualLearner, error) { return NewUniform(3, seed) }, false))
	if _, err := NewUniform(1, 0); err == nil {
		t.Error("one arm is taken")
	}
	for _, l := range []LinUCB{{Arms: 1, Features: 1}, {Arms: 2}, {Arms: 2, Features: 1, Ridge: -1}, {Arms: 2, Features: 1, Nu: math.NaN()}} {
		if _, err := l.New(); err == nil {
			t.Errorf("%+v is taken", l)
		}
	}
}

// The inverse stays the inverse.
func TestLinUCBInverse(t *testing.T) {
	l, err := LinUCB{Arms: 3, Features: 5, Shared: true, Ridge: 2}.New()
	if err != nil {
		t.Fatal(err)
	}
	direct := make([]*mat.SymDense, 3)
	for a := range direct {
		direct[a] = mat.NewSymDense(5, nil)
		for i := range 5 {
			direct[a].SetSym(i, i, 2)
		}
	}
	table := small(t, 300, 1)
	for i, contexts := range table.Contexts {
		c, err := l.Act(contexts)
		if err != nil {
			t.Fatal(err)
		}
		x := mat.NewVecDense(5, contexts[0])
		direct[c.Arm].SymRankOne(direct[c.Arm], 1, x)
		if err := l.Learn(table.Losses[i][c.Arm]); err != nil {
			t.Fatal(err)
		}
	}
	for a := range direct {
		var product mat.Dense
		product.Mul(direct[a], l.inverse[a])
		for i := range 5 {
			product.Set(i, i, product.At(i, i)-1)
		}
		if e := mat.Norm(&product, 1); e > 1e-10 {
			t.Errorf("arm %d: A·A⁻¹ is off by %g", a, e)
		}
	}
}

// Uniform's mistakes on digits are binomial with mean 0.9 a round: 1617.3 ± 12.72; six deviations leave a false alarm of 2e-9.
func TestDigitsAsABandit(t *testing.T) {
	d, err := data.Digits()
	if err != nil {
		t.Fatal(err)
	}
	table, err := FromDataset(d, 1)
	if err != nil {
		t.Fatal(err)
	}
	if table.Rounds() != 1797 || table.Arms() != 10 || table.shape() != (shape{1, 65}) {
		t.Fatalf("%d rounds, %d arms, %v", table.Rounds(), table.Arms(), table.shape())
	}
	env := func(uint64) (ContextualEnvironment, error) { return table.Environment() }
	runs, err := online.Play(context.Background(), env, func(seed uint64) (ContextualLearner, error) { return NewUniform(10, seed) }, 1797, []uint64{1}, online.Options{})
	if err != nil {
		t.Fatal(err)
	}
	final, err := online.Final(runs, BestArm)
	if err != nil || math.Abs(final[0]-1617.3) > 6*12.72 {
		t.Errorf("uniform makes %v mistakes, %v", final, err)
	}
}

func TestTables(t *testing.T) {
	for name, table := range map[string]Table{
		"empty":   {},
		"ragged":  {Contexts: [][][]float64{{{1}}, {{1, 2}}}, Losses: [][]float64{{0, 1}, {0, 1}}},
		"losses":  {Contexts: [][][]float64{{{1}}}, Losses: [][]float64{{0, 2}}},
		"rows":    {Contexts: [][][]float64{{{1}, {1}}}, Losses: [][]float64{{0, 1, 1}}},
		"means":   {Contexts: [][][]float64{{{1}}}, Losses: [][]float64{{0, 1}}, Means: [][]float64{}},
		"shorter": {Contexts: [][][]float64{{{1}}, {{1}}}, Losses: [][]float64{{0, 1}}},
	} {
		if _, err := table.Environment(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, err := range map[string]error{
		"one class":      second(Classification([][]float64{{1}}, []int32{0}, 1)),
		"label too high": second(Classification([][]float64{{1}}, []int32{2}, 2)),
		"no labels":      second(Classification([][]float64{{1}}, nil, 2)),
		"q":              second(NoisyClasses(2, 2, 2, math.NaN(), 0)),
		"no rounds":      second(LogisticStream(2, 0, true, 0)),
		"no points":      second(SphereRows(0, 1, 0)),
		"first":          second(small(t, 3, 1).First(4)),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	e, err := small(t, 3, 1).Environment()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Context(4); err == nil {
		t.Error("round 4 of 3 is there")
	}
	if _, _, err := e.Reveal(1, Choice{Arm: 3}); err == nil {
		t.Error("arm 3 of 3 is there")
	}
	near(t, "the unit row", UnitRow([]float64{2, 2}), []float64{2. / 3, 2. / 3, 1. / 3}, 1e-15)
	near(t, "the unit row of nothing", UnitRow([]float64{0}), []float64{0, 1}, 0)
}

func second[T any](_ T, err error) error { return err }

// Losses have the mean that regret is charged with: 3·4000 coins, five deviations leave a false alarm of 6e-7.
func TestNoisyClassesMeans(t *testing.T) {
	table, err := NoisyClasses(4, 3, 4000, 0.25, 1)
	if err != nil {
		t.Fatal(err)
	}
	var off float64
	for i, losses := range table.Losses {
		for a := range losses {
			off += losses[a] - table.Means[i][a]
		}
	}
	if limit := 5 * math.Sqrt(12_000*0.25*0.75); math.Abs(off) > limit {
		t.Errorf("the losses are %g above their means in sum, must be within %g", off, limit)
	}
}

// Forty rounds of contextualbandits' LinUCB: the same arms, and the same bounds of all arms.
func TestLinUCBContextualbanditsParity(t *testing.T) {
	text, err := os.ReadFile("testdata/linucb.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Warm, Contexts, Losses, Bounds [][]float64
		Arms                           []int
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	l, err := LinUCB{Arms: 3, Features: 4, Shared: true, Ridge: 2, Nu: 0.7}.New()
	if err != nil {
		t.Fatal(err)
	}
	for arm, x := range golden.Warm { // one round an arm, at the loss of 1, whatever Act would choose
		l.arm = arm
		l.x.CopyVec(mat.NewVecDense(4, x))
		if err := l.Learn(1); err != nil {
			t.Fatal(err)
		}
	}
	for round, x := range golden.Contexts {
		choice, err := l.Act([][]float64{x})
		if err != nil {
			t.Fatal(err)
		}
		for a, want := range golden.Bounds[round] {
			if math.Abs(l.scores[a]-want) > 1e-9 {
				t.Fatalf("round %d: the bound of arm %d is %.12g, want %.12g", round+1, a, l.scores[a], want)
			}
		}
		if choice.Arm != golden.Arms[round] {
			t.Fatalf("round %d: arm %d, want %d", round+1, choice.Arm, golden.Arms[round])
		}
		if err := l.Learn(golden.Losses[round][choice.Arm]); err != nil {
			t.Fatal(err)
		}
	}
}
