package data

import (
	"math"
	"slices"
	"testing"
)

func TestNoisyLabels(t *testing.T) {
	d := &Dataset{Name: "made up", Labels: make([]int32, 100_000), Classes: make([]string, 10)}
	for i := range d.Labels {
		d.Labels[i] = 10 // no draw gives this one
	}
	noisy, err := d.WithNoisyLabels(0.2, 500)
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, 11)
	for _, l := range noisy.Labels {
		counts[l]++
	}
	// Binomial: five deviations of 10⁵ draws, a false alarm in 10⁶ seeds each.
	if dev := 5 * math.Sqrt(1e5*0.2*0.8); math.Abs(counts[10]-8e4) > dev {
		t.Errorf("%g labels stayed, want 80000 ± %.0f", counts[10], dev)
	}
	for c := range 10 {
		if dev := 5 * math.Sqrt(1e5*0.02*0.98); math.Abs(counts[c]-2e3) > dev {
			t.Errorf("label %d was drawn %g times, want 2000 ± %.0f", c, counts[c], dev)
		}
	}
	// The definition, at seed 1: u = 0.567 stays; 0.971, 0.… would be the second pair.
	few := &Dataset{Labels: []int32{3, 3}, Classes: make([]string, 10)}
	rng := NewSplitMix64(1)
	a, b := rng.Float64(), rng.Float64()
	noisy, _ = few.WithNoisyLabels(a+1e-9, 1)
	if noisy.Labels[0] != int32(10*b) || few.Labels[0] != 3 {
		t.Errorf("label %d, want %d; the original holds %v", noisy.Labels[0], int32(10*b), few.Labels)
	}
	if same, _ := d.WithNoisyLabels(0, 1); !slices.Equal(same.Labels, d.Labels) {
		t.Error("rate 0 changed labels")
	}
	for _, rate := range []float64{-0.1, 1.1, math.NaN()} {
		if _, err := d.WithNoisyLabels(rate, 1); err == nil {
			t.Errorf("rate %g gave no error", rate)
		}
	}
}
