package bandit

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// Orthonormal contexts have a closed form: 2 on the diagonal, 1/π off it.
func TestEffectiveLogDet(t *testing.T) {
	for rounds, want := range map[int]float64{50: 51.2589247208, 200: 200.4978481253, 800: 793.7216987041} {
		if testing.Short() && rounds > 200 {
			continue
		}
		x := make([][]float64, rounds)
		for i := range x {
			x[i] = make([]float64, rounds)
			x[i][i] = 1
		}
		h, err := NTKGram(x)
		if err != nil {
			t.Fatal(err)
		}
		got, err := EffectiveLogDet(h, 1)
		if err != nil || math.Abs(got-want) > 1e-8 {
			t.Errorf("T = %d: %.10f, %v, must be %.10f", rounds, got, err, want)
		}
	}
}

func TestNTKernel(t *testing.T) {
	for u, want := range map[float64]float64{1: 2, 0: 1 / math.Pi, -1: 0, 1 + 1e-12: 2} {
		if got := NTKernel(u); math.Abs(got-want) > 1e-15 {
			t.Errorf("k(%g) is %g, must be %g", u, got, want)
		}
	}
}

func TestNTKBadArguments(t *testing.T) {
	for name, x := range map[string][][]float64{"none": nil, "long": {{1, 1}}, "ragged": {{1}, {0, 1}}, "NaN": {{math.NaN()}}} {
		if _, err := NTKGram(x); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := EffectiveLogDet(mat.NewSymDense(1, []float64{1}), 0); err == nil {
		t.Error("λ = 0 is taken")
	}
	if _, err := EffectiveLogDet(mat.NewSymDense(1, []float64{-2}), 1); err == nil {
		t.Error("an indefinite matrix is taken")
	}
}
