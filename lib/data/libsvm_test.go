package data

import (
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func TestReadLIBSVM(t *testing.T) {
	rows, targets, err := ReadLIBSVM(strings.NewReader("+1 1:0.5 3:-2e1\n\n# all of it\n-1.5 2:1 # the rest\n0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !floats.Equal(targets, []float64{1, -1.5, 0}) || !mat.Equal(rows, mat.NewDense(3, 3, []float64{0.5, 0, -20, 0, 1, 0, 0, 0, 0})) {
		t.Errorf("%v\n%v", targets, mat.Formatted(rows))
	}
	for text, want := range map[string]string{
		"":                           "no entry",
		"x 1:1":                      "line 1: target",
		"1 1:1\n1 2:1 2:1":           "line 2: index",
		"1 0:1":                      "above 0",
		"1 1:NaN":                    "finite",
		"1 1":                        "value of",
		"1 qid:3 1:1":                "index of",
		"1 1:1\n1 9000000000000:1\n": "too large",
	} {
		if _, _, err := ReadLIBSVM(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q: %v", text, want, err)
		}
	}
}
