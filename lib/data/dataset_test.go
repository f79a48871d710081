package data

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// numbered is a set whose row r has the features 2r and 2r+1, and the class r modulo classes (0: the target r).
func numbered(rows, classes int) *Dataset {
	d := &Dataset{Name: "numbered", Shape: []int{2}, Classes: make([]string, classes)}
	for r := range rows {
		d.X = append(d.X, float32(2*r), float32(2*r+1))
		if classes > 0 {
			d.Labels = append(d.Labels, int32(r%classes))
		} else {
			d.Targets = append(d.Targets, float32(r))
		}
	}
	return d
}

// rows of a set made by numbered, by their features; each must have kept its class or target.
func rowsOf(t *testing.T, d *Dataset, classes int) []int {
	t.Helper()
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	var out []int
	for i := range d.Rows() {
		r := int(d.X[2*i]) / 2
		if d.X[2*i] != float32(2*r) || d.X[2*i+1] != float32(2*r+1) {
			t.Fatalf("row %d has the features %v", i, d.X[2*i:2*i+2])
		}
		if classes > 0 && d.Labels[i] != int32(r%classes) || classes == 0 && d.Targets[i] != float32(r) {
			t.Fatalf("row %d has lost its class or target", r)
		}
		out = append(out, r)
	}
	return out
}

// A split is disjoint and complete, the same for the same seed, another for another, and stratified by class.
func TestSplit(t *testing.T) {
	for _, classes := range []int{0, 1, 3} {
		d := numbered(90, classes)
		for _, seed := range []uint64{1, 2} {
			train, held, err := d.Split(0.2, seed)
			if err != nil {
				t.Fatal(err)
			}
			a, b := rowsOf(t, train, classes), rowsOf(t, held, classes)
			all := slices.Sorted(slices.Values(append(slices.Clone(a), b...)))
			if len(b) != 18 || len(all) != 90 || all[0] != 0 || all[89] != 89 || len(slices.Compact(all)) != 90 {
				t.Errorf("%d classes: %d and %d rows are no partition of 90", classes, len(a), len(b))
			}
			if classes == 3 {
				counts := make([]int, 3)
				for _, l := range held.Labels {
					counts[l]++
				}
				if !slices.Equal(counts, []int{6, 6, 6}) {
					t.Errorf("the classes have %v rows of the second part, want 6 each", counts)
				}
			}
		}
		first, _, _ := d.Split(0.2, 1)
		second, _, _ := d.Split(0.2, 2)
		again, _, _ := d.Split(0.2, 2)
		if slices.Equal(first.X, second.X) || !slices.Equal(second.X, again.X) {
			t.Errorf("%d classes: seeds 1 and 2 give the same split, or seed 2 two of them", classes)
		}
	}
}

func TestSplitErrors(t *testing.T) {
	for _, test := range []float64{0, 1, -0.1, 1.1, math.NaN(), math.Inf(1)} {
		if _, _, err := numbered(9, 3).Split(test, 0); err == nil || !strings.Contains(err.Error(), "test is") {
			t.Errorf("%g gave %v", test, err)
		}
	}
	for _, rows := range []int{0, 1} {
		if _, _, err := numbered(rows, 0).Split(0.5, 0); err == nil {
			t.Errorf("%d rows gave no error", rows)
		}
	}
	if _, _, err := numbered(9, 3).Split(0.01, 0); err == nil || !strings.Contains(err.Error(), "leaves a part empty") {
		t.Errorf("got %v", err)
	}
}

func TestTake(t *testing.T) {
	d := numbered(5, 0)
	got, err := d.Take([]int{3, 0, 3})
	if err != nil || !slices.Equal(rowsOf(t, got, 0), []int{3, 0, 3}) {
		t.Errorf("got %v (%v), want rows 3 0 3", got, err)
	}
	got.X[0] = 99 // a copy
	if d.X[6] != 6 {
		t.Error("Take shares the features")
	}
	if first, err := d.First(2); err != nil || !slices.Equal(rowsOf(t, first, 0), []int{0, 1}) {
		t.Errorf("First(2) is %v (%v)", first, err)
	}
	for _, n := range []int{-1, 0, 6} {
		if _, err := d.First(n); err == nil || !strings.Contains(err.Error(), "must be between 1 and 5") {
			t.Errorf("First(%d) gave %v", n, err)
		}
	}
	for _, r := range []int{-1, 5} {
		if _, err := d.Take([]int{0, r}); err == nil || !strings.Contains(err.Error(), "must be between 0 and 4") {
			t.Errorf("row %d gave %v", r, err)
		}
	}
}

// Scaled features have mean 0 and deviation 1; constant ones become 0; what was fitted on one part applies to another.
func TestScaling(t *testing.T) {
	d := &Dataset{Name: "table", Shape: []int{3}, Targets: make([]float32, 1000)}
	rng := NewSplitMix64(4)
	for range 1000 {
		d.X = append(d.X, 1e6+float32(rng.Float64()), 0.1, float32(rng.Float64()-3)*1e-20)
	}
	s, err := FitScaling(d)
	if err != nil {
		t.Fatal(err)
	}
	scaled, err := s.Apply(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := FitScaling(scaled)
	if err != nil {
		t.Fatal(err)
	}
	for j := range 3 {
		if math.Abs(got.Mean[j]) > 1e-6 || math.Abs(got.Deviation[j]-1) > 1e-6 {
			t.Errorf("column %d has mean %g and deviation %g, want 0 and 1", j, got.Mean[j], got.Deviation[j])
		}
	}
	for r := range 1000 {
		if scaled.X[3*r+1] != 0 {
			t.Fatalf("a constant column became %g, want 0", scaled.X[3*r+1])
		}
	}
	one, err := s.Apply(&Dataset{Name: "one", Shape: []int{3}, X: []float32{1e6 + 1, 7, 0}, Targets: []float32{0}})
	if want := (1e6 + 1 - s.Mean[0]) / s.Deviation[0]; err != nil || math.Abs(float64(one.X[0])-want) > 1e-5 || one.X[1] != float32(7-float64(float32(0.1))) {
		t.Errorf("one row became %v (%v), want %g first and 6.9 second", one, err, want)
	}
}

func TestScalingErrors(t *testing.T) {
	bad := func(x ...float32) *Dataset {
		return &Dataset{Name: "bad", Shape: []int{2}, X: x, Targets: make([]float32, len(x)/2)}
	}
	for want, d := range map[string]*Dataset{
		"there are no examples":                          {Name: "empty", Shape: []int{2}, Targets: []float32{}},
		"feature 1 of row 1 is NaN, must be finite":      bad(1, 2, 3, float32(math.NaN())),
		"feature 0 of row 0 is -Inf, must be finite":     bad(float32(math.Inf(-1)), 2),
		"X holds 3 features, must hold 2":                bad(1, 2, 3),
		"there are 0 labels and 0 targets, must be one":  {Name: "neither", Shape: []int{2}},
		"Shape is [2 0], must hold lengths of at least ": {Name: "flat", Shape: []int{2, 0}, Targets: []float32{1}},
	} {
		if _, err := FitScaling(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
	if _, err := (Scaling{Mean: []float64{1}, Deviation: []float64{1}}).Apply(bad(1, 2)); err == nil || !strings.Contains(err.Error(), "has 1 features, must have 2") {
		t.Errorf("got %v", err)
	}
	// One row has no spread: it keeps its distance from its own mean, zero.
	s, err := FitScaling(bad(3, 4))
	if err != nil || s.Deviation[0] != 1 || s.Mean[1] != 4 {
		t.Errorf("one row: %+v %v", s, err)
	}
}

func TestValidate(t *testing.T) {
	labelled := numbered(4, 2)
	labelled.Labels[2] = 2
	if err := labelled.Validate(); err == nil || !strings.Contains(err.Error(), "label 2 is 2, must be between 0 and 1") {
		t.Errorf("got %v", err)
	}
	if _, err := labelled.Take([]int{0}); err == nil {
		t.Error("Take of a set that is not valid gave no error")
	}
	both := numbered(4, 2)
	both.Targets = make([]float32, 4)
	if err := both.Validate(); err == nil || !strings.Contains(err.Error(), "4 labels and 4 targets") {
		t.Errorf("got %v", err)
	}
}

func TestNormalize(t *testing.T) {
	d := &Dataset{Name: "pictures", Shape: []int{1, 2, 3}, X: []float32{1, 2, 3, 4, 5, 6}, Labels: []int32{0}, Classes: []string{"a"}}
	same, err := d.Normalize(2, 0.5)
	if err != nil || !slices.Equal(same.X, []float32{-2, 0, 2, 4, 6, 8}) {
		t.Errorf("got %v %v", same, err)
	}
	each, err := d.NormalizeChannels([]float32{1, 2, 3}, []float32{1, 0.5, 0.25})
	if err != nil || !slices.Equal(each.X, []float32{0, 0, 0, 3, 6, 12}) {
		t.Errorf("got %v %v", each, err)
	}
	nan := float32(math.NaN())
	for _, c := range [][2][]float32{{{0}, {0}}, {{0}, {-1}}, {{0}, {nan}}, {{nan}, {1}}, {{0, 0}, {1, 1}}, {{0, 0, 0}, {1}}, {nil, nil}} {
		if _, err := d.NormalizeChannels(c[0], c[1]); err == nil {
			t.Errorf("means %v and deviations %v gave no error", c[0], c[1])
		}
	}
}

func TestOneHot(t *testing.T) {
	got, err := OneHot([]int32{1, 0}, 3)
	if err != nil || !slices.Equal(got, []float32{0, 1, 0, 1, 0, 0}) {
		t.Errorf("got %v %v", got, err)
	}
	for _, c := range []struct {
		labels  []int32
		classes int
	}{{[]int32{3}, 3}, {[]int32{-1}, 3}, {nil, 0}, {nil, -1}} {
		if _, err := OneHot(c.labels, c.classes); err == nil {
			t.Errorf("%v of %d classes gave no error", c.labels, c.classes)
		}
	}
}

func TestGoSource(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"src/b/b.go": "package b\n", "src/a/a.go": "package a\n", "src/a/a_test.go": "package a // test\n",
		"src/a/testdata/x.go": "no\n", "src/vendor/v.go": "no\n", "src/a/readme.md": "no\n",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int]string{0: "package a\npackage b\n", 5: "packa", 12: "package a\npa", 99: "package a\npackage b\n"} {
		if got, err := GoSource(root, limit); err != nil || string(got) != want {
			t.Errorf("limit %d: %q (%v), want %q", limit, got, err, want)
		}
	}
	if _, err := GoSource(t.TempDir(), 0); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "name Go's folder in GOROOT") {
		t.Errorf("no Go: %v", err)
	}
	if _, err := GoSource(root, -1); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("limit -1: %v", err)
	}
}

func TestPartNames(t *testing.T) {
	if Train.String() != "train" || Test.String() != "test" {
		t.Errorf("got %s and %s", Train, Test)
	}
}
