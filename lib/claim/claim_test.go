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
		{"all", claim.All([]string{"a", "b"}, claim.AtMost([]float64{1}, 2), claim.AtMost([]float64{1}, 2)), true},
		{"all, one fails", claim.All([]string{"a", "b"}, claim.AtMost([]float64{1}, 2), claim.AtMost([]float64{3}, 2)), false},
		{"all of nothing", claim.All(nil), false},
	} {
		if c.got.Holds != c.want {
			t.Errorf("%s: holds is %v, want %v", c.name, c.got.Holds, c.want)
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
