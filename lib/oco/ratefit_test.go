package oco

import (
	"math"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
)

func TestFitRate(t *testing.T) {
	x := []float64{64, 128, 256, 512}
	y := make([]float64, 4)
	for i, v := range x {
		y[i] = 3 * math.Pow(v, -0.5)
	}
	f, err := FitRate(x, y, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "exact", []float64{f.Slope, f.Intercept, f.Low, f.High}, []float64{-0.5, math.Log(3), -0.5, -0.5}, 1e-9)
	if f, err := FitRate(x[:2], y[:2], 0.95); err != nil || !math.IsInf(f.Low, -1) || !math.IsInf(f.High, 1) {
		t.Errorf("two points: %+v, %v", f, err)
	}
	for want, args := range map[string][2][]float64{
		"1 numbers of rounds": {{1}, {1}}, "2 numbers of rounds and 1 gaps": {{1, 2}, {1}}, "gap 1 is 0": {{1, 2}, {1, 0}},
		"gap 0 is NaN": {{1, 2}, {math.NaN(), 1}}, "must differ": {{2, 2}, {1, 3}}, "number of rounds 0 is -1": {{-1, 2}, {1, 3}},
	} {
		if _, err := FitRate(args[0], args[1], 0.95); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := FitRate(x, y, 1); err == nil || !strings.Contains(err.Error(), "confidence is 1") {
		t.Error(err)
	}
}

// The interval covers the true slope as often as it says: 2000 fits with normal errors at a confidence of 0.9. The number that
// miss is binomial; ±70 about 200 is 5.2 deviations of 13.4, a false alarm of less than 1e-6.
func TestFitRateCoverage(t *testing.T) {
	rng := online.Seeded(3, "fits")
	x := []float64{10, 20, 40, 80, 160, 320}
	missed := 0
	for range 2000 {
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = math.Pow(v, -0.7) * math.Exp(0.2*rng.NormFloat64())
		}
		f, err := FitRate(x, y, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		if f.Low > -0.7 || f.High < -0.7 {
			missed++
		}
	}
	if missed < 130 || missed > 270 {
		t.Errorf("%d of 2000 intervals miss, must be about 200", missed)
	}
}
