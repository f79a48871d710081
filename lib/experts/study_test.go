package experts

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/online"
)

// certified checks the theorem on one run.
func certified(t *testing.T, what string, c Certificate) {
	t.Helper()
	if c.MaxGap > 1 {
		t.Errorf("%s: a gap of %g, and the theorem says nothing", what, c.MaxGap)
	}
	for i, r := range c.Regret {
		if r > c.Bound[i]+1e-9 {
			t.Errorf("%s: regret against expert %d is %g, its bound %g", what, i, r, c.Bound[i])
		}
	}
}

// On every run: the bound holds, and the mean prediction loses no more than the expectation, on every group.
func TestRegressionTheorems(t *testing.T) {
	for _, rule := range Rules() {
		for seed := range uint64(4) {
			c, err := CompareRegression(t.Context(), synthetic(t, 1000, rule, seed), CompareOptions{Checkpoints: 20})
			if err != nil {
				t.Fatal(err)
			}
			certified(t, string(rule), c.Certificate)
			for g, curve := range c.Curves {
				if c.Loss(g, 2) > c.Loss(g, 1)+1e-9 {
					t.Errorf("%s, seed %d, %s: the mean loses %g, the expectation %g", rule, seed, curve.Group, c.Loss(g, 2), c.Loss(g, 1))
				}
				if len(curve.Rounds) != 20 || curve.Rounds[19] != curve.Size {
					t.Errorf("%s has %d rounds, its points are %v", curve.Group, curve.Size, curve.Rounds)
				}
			}
		}
	}
}

// The paper's effect at a twentieth of its rounds: less regret than one model on every group.
func TestGroupwiseBeatsOneModel(t *testing.T) {
	if testing.Short() {
		t.Skip("5000 rounds, four rules")
	}
	for _, rule := range Rules() {
		c, err := CompareRegression(t.Context(), synthetic(t, 5000, rule, 0), CompareOptions{Checkpoints: 1})
		if err != nil {
			t.Fatal(err)
		}
		var gain float64
		for g := range c.Curves {
			gain += c.Final(g, 0) - c.Final(g, 1)
		}
		if c.Final(5, 1) >= 0 || gain < 4 {
			t.Errorf("%s: regret on all is %g, must be negative; the gain over groups %g, must be 4", rule, c.Final(5, 1), gain)
		}
	}
}

// Final values of the curves are those of the environment's comparators, which are fitted with another account.
func TestCurvesEndAtTheComparators(t *testing.T) {
	table := synthetic(t, 700, MinLabel, 2)
	learner := func(uint64) (online.Learner[Context[[]float64], Mixture[float64], float64], error) {
		return NewGroupwiseRidge(25, 6, RidgeOptions{}, GroupwiseOptions[float64]{})
	}
	runs, err := online.Play(context.Background(), playing(table), learner, 700, []uint64{1}, online.Options{})
	if err != nil {
		t.Fatal(err)
	}
	curves, err := GroupRegret(table, 7, runs[0].Losses)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range curves {
		r := runs[0].Regret[c.Group]
		if len(r) != c.Size {
			t.Errorf("%s: %d rounds, size %d", c.Group, len(r), c.Size)
		}
		near(t, c.Group, c.Regret[0][len(c.Rounds)-1], r[len(r)-1], 1e-9)
	}
}

func TestPathsTheorems(t *testing.T) {
	graph, err := Grid(3)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(6) {
		c, err := ComparePaths(t.Context(), graph, PathsOptions{}, 600, seed)
		if err != nil {
			t.Fatal(err)
		}
		if c.Experts != [3]int{1, 6, 36} {
			t.Errorf("experts are %v", c.Experts)
		}
		certified(t, "groupwise", c.Certificates[0])
		certified(t, "enumeration", c.Certificates[1])
	}
}

// Means of ten orders near the paper's table of medical costs; the tolerance of 0.35 is ours, some six standard errors of
// a mean of ten orders.
func TestMedicalCosts(t *testing.T) {
	table, err := MedicalCosts(t.Context(), data.Options{Offline: true})
	if errors.Is(err, data.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Validate(); err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		size             int
		baseline, method float64
	}{"young": {574, .547, -1.583}, "underweight": {20, .157, .112}, "obese": {707, 3.420, 1.246}, "smoker": {274, 5.065, 1.474}, "female": {662, .593, -1.569}, "all": {1338, 1.129, -3.429}}
	final := map[string][2]float64{}
	for seed := range uint64(10) {
		c, err := CompareRegression(t.Context(), table.Shuffled(online.Seeded(seed, "order")), CompareOptions{Checkpoints: 1})
		if err != nil {
			t.Fatal(err)
		}
		for g, curve := range c.Curves {
			f := final[curve.Group]
			final[curve.Group] = [2]float64{f[0] + c.Final(g, 0)/10, f[1] + c.Final(g, 1)/10}
			if w, ok := want[curve.Group]; ok && w.size != curve.Size {
				t.Errorf("%s has %d people, want %d", curve.Group, curve.Size, w.size)
			}
		}
	}
	for name, w := range want {
		near(t, name+", one model", final[name][0], w.baseline, 0.35)
		near(t, name+", groupwise", final[name][1], w.method, 0.35)
	}
}

func TestDiabetes(t *testing.T) {
	table, err := Diabetes()
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Validate(); err != nil {
		t.Fatal(err)
	}
	sizes := table.Sizes()
	sum := func(from, to int) (n int) {
		for _, s := range sizes[from:to] {
			n += s
		}
		return n
	}
	if len(table.X) != 442 || table.Dim() != 17 || sum(0, 3) != 442 || sum(3, 5) != 442 || sum(5, 8) != 442 || sizes[8] != 442 {
		t.Errorf("%d×%d, groups of %v", len(table.X), table.Dim(), sizes)
	}
}

func TestAdultIncome(t *testing.T) {
	d := &data.Dataset{Name: "made", Shape: []int{12}, Columns: []string{"age", "education-num", "sex=Male", "sex=Female", "race=White", "race=Asian-Pac-Islander", "race=Amer-Indian-Eskimo", "race=Other", "race=Black", "education=HS-grad", "education=Masters", "hours"},
		X:       []float32{35, 9, 1, 0, 1, 0, 0, 0, 0, 1, 0, 10, 51, 10, 0, 1, 0, 0, 0, 0, 1, 0, 1, 20},
		Targets: []float32{100, 300}}
	table, err := adultIncome(d)
	if err != nil {
		t.Fatal(err)
	}
	if table.Dim() != 10+5 || table.Y[0] != 0 || table.Y[1] != 1 {
		t.Errorf("%d features, labels %v", table.Dim(), table.Y)
	}
	want := [2]map[string]bool{
		{"young": true, "high school or less": true, "Male": true, "White": true, "all": true},
		{"old": true, "college or more": true, "Female": true, "Black": true, "all": true},
	}
	for g, name := range table.Groups {
		for i := range want {
			if table.Active[i][g] != want[i][name] {
				t.Errorf("person %d in %s: %t", i, name, table.Active[i][g])
			}
		}
	}
	d.Columns[0] = "years"
	if _, err := adultIncome(d); err == nil {
		t.Error("a set without ages is taken")
	}
}

// A game of no rounds and of one.
func TestFewRounds(t *testing.T) {
	if curves, err := GroupRegret(synthetic(t, 0, MeanLabel, 1), 10, nil); err != nil || len(curves) != 6 || curves[0].Size != 0 || len(curves[0].Rounds) != 0 {
		t.Errorf("%v, %v", curves, err)
	}
	one := synthetic(t, 1, MeanLabel, 1)
	c, err := CompareRegression(t.Context(), one, CompareOptions{Checkpoints: 10})
	if err != nil {
		t.Fatal(err)
	}
	for g, curve := range c.Curves {
		if active := one.Active[0][g]; active != (curve.Size == 1) || notFinite(c.Final(g, 0)) || !active && (c.Final(g, 0) != 0 || c.Loss(g, 1) != 0) {
			t.Errorf("%+v", curve)
		}
	}
	if _, err := CompareRegression(t.Context(), synthetic(t, 0, MeanLabel, 1), CompareOptions{Checkpoints: 10}); err == nil {
		t.Error("a game of no rounds is played")
	}
	if math.IsNaN(one.Y[0]) {
		t.Error("a column that never varies becomes NaN")
	}
}

// A group that Groupwise is not told of changes nothing for the single model, and is measured all the same.
func TestUnknownGroups(t *testing.T) {
	table := synthetic(t, 400, Permutation, 1)
	all, err1 := CompareRegression(t.Context(), table, CompareOptions{})
	some, err2 := CompareRegression(t.Context(), table, CompareOptions{Known: []int{5}})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if len(some.Certificate.Bound) != 1 || len(some.Curves) != 6 {
		t.Errorf("%d learners, %d curves", len(some.Certificate.Bound), len(some.Curves))
	}
	for g := range some.Curves {
		near(t, "the single model", some.Final(g, 0), all.Final(g, 0), 0)
		near(t, "told of all rounds only, Groupwise", some.Final(g, 1), all.Final(g, 0), 0)
	}
	for _, known := range [][]int{{}, {6}, {-1}} {
		if _, err := CompareRegression(t.Context(), table, CompareOptions{Known: known}); err == nil {
			t.Errorf("%v of 6 groups are known", known)
		}
	}
}
