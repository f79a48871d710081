package experts

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
)

func TestTableSaysWhatDoesNotFit(t *testing.T) {
	for want, spoil := range map[string]func(*Table){
		"Groups is empty":            func(x *Table) { x.Groups = nil },
		"Y 4 and Active 5":           func(x *Table) { x.Y = x.Y[:4] },
		"row 3 of X has 1 features":  func(x *Table) { x.X[3] = []float64{1} },
		"feature 1 of row 2 is NaN":  func(x *Table) { x.X[2] = []float64{1, math.NaN()} },
		"label 4 is +Inf":            func(x *Table) { x.Y[4] = math.Inf(1) },
		"row 0 of Active has 2 grou": func(x *Table) { x.Active[0] = x.Active[0][:2] },
	} {
		table := table3()
		spoil(table)
		err := table.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that holds %q", err, want)
		}
		if _, err := NewRegression(table); err == nil {
			t.Errorf("%s: played", want)
		}
	}
	if _, err := NewRegression(nil); err == nil {
		t.Error("nil is played")
	}
	both := &Table{X: [][]float64{{math.NaN()}}, Y: []float64{math.NaN()}, Active: [][]bool{{}}}
	if err := both.Validate(); err == nil || strings.Count(err.Error(), "experts: Table") != 3 {
		t.Errorf("%v, want all three errors", err)
	}
}

func TestScaled(t *testing.T) {
	table := &Table{X: [][]float64{{1, 7}, {3, 7}, {2, 7}}, Y: []float64{-1, 0, 3}, Groups: []string{"all"}, Active: [][]bool{{true}, {true}, {true}}}
	s := table.Scaled()
	if !slices.Equal(s.Y, []float64{0, .25, 1}) || !slices.Equal(s.X[0], []float64{0, 0}) || !slices.Equal(s.X[2], []float64{.5, 0}) {
		t.Errorf("%v %v", s.X, s.Y)
	}
	if table.X[0][0] != 1 || table.Y[0] != -1 {
		t.Error("the original is scaled")
	}
}

func TestShuffledAndKeep(t *testing.T) {
	table := synthetic(t, 50, MaxLabel, 3)
	s := table.Shuffled(online.Seeded(1, "order"))
	if !slices.Equal(s.Sizes(), table.Sizes()) || slices.Equal(s.Y, table.Y) {
		t.Error("not an order of the same rows")
	}
	k, err := table.Keep(4, 5)
	if err != nil || !slices.Equal(k.Sizes(), table.Sizes()[4:]) || k.Groups[0] != "red" {
		t.Errorf("%v %v", k.Groups, err)
	}
	if _, err := table.Keep(6); err == nil {
		t.Error("group 6 of 6 is kept")
	}
}

// Every label is what the rule says, seen without noise: a rule changes labels only.
func TestSynthetic(t *testing.T) {
	tables := map[Rule]*Table{}
	for _, r := range Rules() {
		tables[r] = synthetic(t, 20_000, r, 11)
	}
	mean := tables[MeanLabel]
	if mean.Dim() != 25 || len(mean.Groups) != 6 || mean.Validate() != nil {
		t.Errorf("%d features, groups %v, %v", mean.Dim(), mean.Groups, mean.Validate())
	}
	for _, table := range tables {
		if !slices.Equal(table.X[17], mean.X[17]) || slices.Min(table.Y) != 0 || slices.Max(table.Y) != 1 {
			t.Error("features depend on the rule, or labels do not fill [0, 1]")
		}
	}
	// Counts are binomial with a deviation of at most 71; 5 of these are exceeded with a chance below 1e-6.
	for g, p := range []float64{.5, .3, .2, .6, .4, 1} {
		near(t, mean.Groups[g], float64(mean.Sizes()[g]), 20_000*p, 355)
	}
	for i, x := range mean.X {
		for g := range 5 {
			if (x[20+g] == 1) != mean.Active[i][g] {
				t.Fatalf("row %d: the indicator of %s is %g", i, mean.Groups[g], x[20+g])
			}
		}
	}
	labels := [5]float64{10, 20, 30, 40, 50}
	for _, c := range []struct {
		rule         Rule
		shape, color int
		want         float64
	}{{MeanLabel, 0, 4, 30}, {MinLabel, 0, 4, 10}, {MaxLabel, 0, 4, 50}, {Permutation, 0, 4, 50}, {Permutation, 1, 4, 20}, {Permutation, 2, 4, 50}, {Permutation, 1, 3, 40}, {Permutation, 0, 3, 40}} {
		if got := c.rule.label(labels, c.shape, c.color); got != c.want {
			t.Errorf("%s of %d and %d is %g, want %g", c.rule, c.shape, c.color, got, c.want)
		}
	}
}

func TestSyntheticBadArguments(t *testing.T) {
	for want, s := range map[string]Synthetic{
		"Rounds is -1":             {Rounds: -1},
		"Dim is -2":                {Dim: -2},
		"Noise is NaN":             {Noise: math.NaN()},
		`Rule is "median"`:         {Rule: "median"},
		"probability 0 is -1":      {Shapes: [3]float64{-1, 1, 1}},
		"add up to 1.5, must be 1": {Colors: [2]float64{1, .5}},
	} {
		if _, err := s.Table(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that holds %q", err, want)
		}
	}
}

// Against numpy.linalg.lstsq and sklearn's Ridge: full rank, deficient, and fewer rows than columns.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		LeastSquares []struct {
			X     [][]float64
			Y     []float64
			Theta []float64
			Loss  float64
		}
		Ridge []struct {
			X           [][]float64
			Y           []float64
			L2          float64
			Predictions []float64
			Theta       []float64
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.LeastSquares {
		fit := newLeastSquares(len(c.X[0]))
		for i, x := range c.X {
			fit.add(x, c.Y[i])
		}
		theta, loss, err := fit.fit()
		if err != nil {
			t.Fatal(err)
		}
		near(t, "loss", loss, c.Loss, 1e-10)
		for j := range theta {
			near(t, "θ of least squares", theta[j], c.Theta[j], 1e-9)
		}
	}
	for _, c := range golden.Ridge {
		r := ridge(t, len(c.X[0]), RidgeOptions{L2: c.L2})
		for i, x := range c.X {
			p, err := r.Act(x)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "prediction", p, c.Predictions[i], 1e-9)
			if err := r.Learn(c.Y[i]); err != nil {
				t.Fatal(err)
			}
		}
		for j, v := range r.Theta() {
			near(t, "θ of ridge", v, c.Theta[j], 1e-9)
		}
	}
}

// Features that are all 0 have the model 0.
func TestLeastSquaresOfNothing(t *testing.T) {
	for _, rows := range []int{0, 1, 300} {
		fit := newLeastSquares(3)
		for range rows {
			fit.add([]float64{0, 0, 0}, 2)
		}
		theta, loss, err := fit.fit()
		if err != nil || !slices.Equal(theta, []float64{0, 0, 0}) {
			t.Errorf("%v %v", theta, err)
		}
		near(t, "loss", loss, 4*float64(rows), 1e-9)
	}
}

func TestRegressionRounds(t *testing.T) {
	env, err := NewRegression(table3())
	if err != nil {
		t.Fatal(err)
	}
	for _, round := range []int{0, 6, -1} {
		if _, err := env.Context(round); err == nil {
			t.Errorf("there is a round %d", round)
		}
		if _, _, err := env.Reveal(round, Mixture[float64]{}); err == nil {
			t.Errorf("round %d is revealed", round)
		}
	}
}

func TestGroupRegretBadArguments(t *testing.T) {
	table := table3()
	for want, err := range map[string]error{
		"learner 0 has 2 losses": second(GroupRegret(table, 1, make([]float64, 2))),
		"checkpoints is 0":       second(GroupRegret(table, 0)),
		"round 2 is NaN":         second(GroupRegret(table, 1, []float64{0, math.NaN(), 0, 0, 0})),
		"Groups is empty":        second(GroupRegret(&Table{}, 1)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that holds %q", err, want)
		}
	}
}
