package claim_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/claim"
)

func TestCriteria(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name string
		got  claim.Finding
		want bool
	}{
		{"at most, all", claim.AtMost([]float64{1, 2}, 2), true},
		{"at most, one over", claim.AtMost([]float64{1, 2.1}, 2), false},
		{"at most, nothing", claim.AtMost(nil, 2), false},
		{"at most, NaN", claim.AtMost([]float64{nan}, 2), false},
		{"at most, −∞", claim.AtMost([]float64{math.Inf(-1)}, 2), false},
		{"at least, all", claim.AtLeast([]float64{1, 2}, 1), true},
		{"at least, ∞", claim.AtLeast([]float64{inf}, 1), false},
		{"within", claim.Within([]float64{1, 2}, 1, 2), true},
		{"equal", claim.Equal([]float64{0.999, 1.001}, 1, 0.0011), true},
		{"equal, off", claim.Equal([]float64{0.9}, 1, 0.01), false},
		{"below by means", claim.Below([]float64{1, 3}, []float64{2, 2}, 0), true},
		{"below with a gap", claim.Below([]float64{1, 3}, []float64{2, 2}, -0.1), false},
		{"every below", claim.EveryBelow([]float64{1, 3}, []float64{2, 2}, 0), false},
		{"every below, other lengths", claim.EveryBelow([]float64{1}, []float64{2, 2}, 0), false},
		{"every below, nothing", claim.EveryBelow(nil, nil, 0), false},
		{"decreasing", claim.Decreasing([]float64{3, 2, 1}), true},
		{"decreasing, tie", claim.Decreasing([]float64{3, 3, 1}), false},
		{"decreasing, nothing", claim.Decreasing(nil), false},
		{"ratio", claim.Ratio([]float64{2, 4}, []float64{1, 2}, 1.9, 2.1), true},
		{"ratio by zero", claim.Ratio([]float64{2}, []float64{0}, 0, inf), false},
		{"slope ½", claim.Slope([]float64{1, 4, 16}, [][]float64{{1, 2, 4}, {3, 6, 12}}, 0.49, 0.51), true},
		{"slope of one point", claim.Slope([]float64{1}, [][]float64{{1}}, -9, 9), false},
		{"slope of nothing", claim.Slope(nil, nil, -9, 9), false},
		{"at most, one NaN among others", claim.AtMost([]float64{1, nan}, 2), false},
		{"at least, one under", claim.AtLeast([]float64{1, 0.9}, 1), false},
		{"within, below", claim.Within([]float64{0.9, 2}, 1, 2), false},
		{"within, above", claim.Within([]float64{1, 2.1}, 1, 2), false},
		{"below within a margin", claim.Below([]float64{2.4}, []float64{2}, 0.5), true},
		{"below, nothing", claim.Below(nil, []float64{2}, 0.5), false},
		{"every below with a margin", claim.EveryBelow([]float64{1, 2.4}, []float64{2, 2}, 0.5), true},
		{"every below, NaN", claim.EveryBelow([]float64{1, nan}, []float64{2, 2}, 0.5), false},
		{"ratio out of range", claim.Ratio([]float64{2, 5}, []float64{1, 2}, 1.9, 2.1), false},
		{"ratio, other lengths", claim.Ratio([]float64{2}, nil, 1.9, 2.1), false},
		{"slope of one curve out of the band", claim.Slope([]float64{1, 4, 16}, [][]float64{{1, 2, 4}, {1, 4, 16}}, 0.49, 0.51), false},
		{"all, labels missing", claim.All(nil, claim.AtMost([]float64{1}, 2)), false},
		{"all", claim.All([]string{"a", "b"}, claim.AtMost([]float64{1}, 2), claim.AtMost([]float64{1}, 2)), true},
		{"all, one fails", claim.All([]string{"a", "b"}, claim.AtMost([]float64{1}, 2), claim.AtMost([]float64{3}, 2)), false},
		{"all of nothing", claim.All(nil), false},
	} {
		if c.got.Holds != c.want {
			t.Errorf("%s: holds is %v, want %v", c.name, c.got.Holds, c.want)
		}
	}
}

// What a finding says: means of four digits, the range over seeds, the parts of a joint criterion.
func TestFindings(t *testing.T) {
	for _, c := range []struct {
		got              claim.Finding
		measured, spread string
	}{
		{claim.AtMost([]float64{1, 2}, 3), "1.5", "1 … 2"},
		{claim.Equal([]float64{1.0 / 3}, 0.3, 0.1), "0.3333", ""},
		{claim.Below([]float64{1, 3}, []float64{4, 6}, 0), "2 against 5", "1 … 3 against 4 … 6"},
		{claim.Decreasing([]float64{3, 2, 1}), "3, 2, 1", ""},
		{claim.Ratio([]float64{2, 6}, []float64{1, 2}, 2, 3), "2.5", "2 … 3"},
		{claim.Slope([]float64{1, 4}, [][]float64{{1, 2}}, 0, 1), "0.5", ""},
		{claim.AtMost(nil, 1), "NaN", ""},
		{claim.All([]string{"a", "b"}, claim.AtMost([]float64{1}, 2), claim.AtMost([]float64{3, 4}, 2)), "a 1; b 3.5", "b 3 … 4"},
	} {
		if c.got.Measured != c.measured || c.got.Spread != c.spread {
			t.Errorf("measured %q, spread %q, want %q and %q", c.got.Measured, c.got.Spread, c.measured, c.spread)
		}
	}
	if s := claim.LogLogSlope([]float64{1, 2, 4, 8}, []float64{3, 12, 48, 0}); math.Abs(s-2) > 1e-12 { // 3x²; zero has no logarithm
		t.Errorf("the slope is %g, want 2", s)
	}
	if s := claim.LogLogSlope([]float64{1}, []float64{1, 2}); !math.IsNaN(s) {
		t.Errorf("the slope of other lengths is %g", s)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                             "claim: Parse: json",
		`{"scale":"quick"}`:              "paper is empty",
		`{"paper":"p","scale":"medium"}`: `scale is "medium", must be quick or paper`,
		`{"paper":"p","scale":"quick","claims":[{"id":"K1"},{"id":"K1"}]}`: `claim 1 has the ID "K1", must not be empty nor repeat`,
		`{"paper":"p","scale":"quick","claims":[{}]}`:                      `claim 0 has the ID ""`,
	} {
		if _, err := claim.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want an error with %q", text, err, want)
		}
	}
}

func TestRecord(t *testing.T) {
	r := claim.Record{Paper: "02-diffgrad", Scale: "quick"}
	if err := r.Add(claim.Claim{ID: "K1", Claim: "F1"}, claim.AtMost([]float64{1, 2}, 3)); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(claim.Claim{ID: "K1"}, claim.Finding{}); err == nil || !strings.Contains(err.Error(), `"K1"`) {
		t.Errorf("a repeated ID: %v", err)
	}
	if err := r.Add(claim.Claim{}, claim.Finding{}); err == nil {
		t.Error("an empty ID gave no error")
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"paper":"02-diffgrad","scale":"quick","claims":[{"id":"K1","claim":"F1","metric":"","criterion":"","measured":"1.5","spread":"1 … 2","paper":"","holds":true}]}`
	if string(text) != want {
		t.Errorf("JSON %s, want %s", text, want)
	}
	back, err := claim.Parse(text)
	if err != nil || back.Holding() != 1 {
		t.Errorf("read back: %v, %v", back, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"paper":"p","scale":"quick","claims":[{"id":"K1","holds":true}]}`))
	f.Add([]byte(`{"paper":"","scale":"x","claims":[{"id":""},{"id":""}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := claim.Parse(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := claim.Parse(again); err != nil {
			t.Fatalf("a record that was read cannot be read again: %v", err)
		}
	})
}

func ExampleRecord() {
	r := claim.Record{Paper: "02-diffgrad", Scale: "quick"}
	slopes := []float64{0.24, 0.24, 0.21}
	if err := r.Add(claim.Claim{ID: "K8", Claim: "regret rate", Metric: "log-log slope", Criterion: "≤ 0.5 for every seed"},
		claim.AtMost(slopes, 0.5)); err != nil {
		fmt.Println(err)
	}
	fmt.Print(r)
	// Output:
	// 02-diffgrad at quick scale: 1 of 1 claims hold
	// id  claim        criterion             measured  spread       paper  verdict
	// K8  regret rate  ≤ 0.5 for every seed  0.23      0.21 … 0.24         holds
}
