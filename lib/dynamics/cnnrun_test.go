package dynamics_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/dynamics"
)

var (
	benign    = dynamics.FeatureNoiseData{N: 20, Dim: 200, WeakNorm: .2, StrongNorm: 1, NoiseNorm: 1, StrongFraction: .8}
	benignRun = dynamics.CNNRun{Data: benign, Filters: 10, Steps: 20000}
)

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func TestFeatureNoise(t *testing.T) {
	d := benign
	d.StrongFraction = 0.43 // of 20: 8.6, rounded to 9
	set, err := d.Training(3)
	if err != nil {
		t.Fatal(err)
	}
	u, v, err := d.Features()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "κ", d.Kappa(), 0.04, 1e-15)
	near(t, "u·v", floats.Dot(u, v), 0, 0)
	near(t, "‖u‖", floats.Norm(u, 2), d.WeakNorm, 0)
	near(t, "‖v‖", floats.Norm(v, 2), d.StrongNorm, 0)
	squares := 0.0
	for i, x := range set.Patches {
		y := set.Labels[i]
		if y != []float64{1, -1}[i%2] || set.Strong[i] != (i < 9) || len(x) != 3 {
			t.Fatalf("sample %d has label %g, strong %t", i, y, set.Strong[i])
		}
		near(t, "the weak patch along u", floats.Dot(x[0], u), y*.04, 1e-16)
		near(t, "its length", floats.Norm(x[0], 2), .2, 0)
		near(t, "the strong patch along v", floats.Dot(x[1], v), y*oneIf(i < 9), 0)
		near(t, "its length", floats.Norm(x[1], 2), oneIf(i < 9), 0)
		near(t, "noise along u and v", math.Abs(floats.Dot(x[2], u))+math.Abs(floats.Dot(x[2], v)), 0, 0)
		squares += floats.Dot(x[2], x[2])
	}
	// 198·squares has the χ² distribution of 3960 degrees, of relative deviation √(2/3960): 5 of them, false alarm below 1e-6.
	near(t, "mean ‖ξ‖²", squares/20, 1, 5*math.Sqrt(2./3960))

	test, err := d.WeakOnly(6, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range test.Patches {
		if test.Strong[i] || floats.Norm(x[1], 1) != 0 || !slices.Equal(x[0], set.Patches[i][0]) || slices.Equal(x[2], set.Patches[i][2]) {
			t.Errorf("test sample %d holds the strong feature, another weak one, or the noise of a training sample", i)
		}
	}
	again, err := d.Training(3)
	other, err2 := d.Training(4)
	if err != nil || err2 != nil || !reflect.DeepEqual(again, set) || reflect.DeepEqual(other.Patches[0], set.Patches[0]) {
		t.Error("the same seed must draw the same samples, another one others")
	}
	d.NoiseNorm = 0
	if set, err := d.Training(1); err != nil || floats.Norm(set.Patches[0][2], 1) != 0 {
		t.Errorf("without noise: %v", err)
	}
}

// What the claims judge, on other seeds than the notebook's.
func TestBenignOscillation(t *testing.T) {
	var runs []dynamics.CNNRun
	rates := []float64{0.1, 1.1, 1.2}
	for seed := range uint64(3) {
		for _, a := range rates {
			run := benignRun.WithScaledRate(a)
			run.Seed = 10 + seed
			runs = append(runs, run)
		}
	}
	calls, last := 0, 0
	traces, err := dynamics.RunCNNs(t.Context(), runs, func(done, total int) {
		if calls++; done < last || total != 9*20000 {
			t.Errorf("progress of %d after %d, of %d", done, last, total)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if last != 9*20000 || calls < 9 {
		t.Errorf("progress was told %d times, at last %d", calls, last)
	}
	for i, r := range traces {
		a := rates[i%3]
		bound, err := dynamics.StableWeakStrength(a, benign.Kappa())
		if err != nil {
			t.Fatal(err)
		}
		near(t, "the scaled rate", runs[i].ScaledRate(), a, 1e-14)
		sums, end := r.CumulativeResidual(), r.WeakStrength[20000]
		sum, sharp := sums[2000]-sums[500], runs[i].LR*r.Sharpness[0]
		within := func(what string, x, low, high float64) {
			t.Helper()
			if !(x >= low && x <= high) {
				t.Errorf("a = %g, seed %d: %s is %g, must be between %g and %g", a, runs[i].Seed, what, x, low, high)
			}
		}
		within("training accuracy", r.TrainAccuracy, 1, 1)
		within("training loss", r.TrainLoss, 0, 1e-3)
		if a < 1 {
			within("test error", r.TestError, .35, 1)
			within("weak strength", max(end[0], end[1]), 0, .005)
			within("residual", sum, -1, 1)
			within("oscillation", r.Oscillation(500, 2000), 0, .03)
			within("sharpness", sharp, 0, .4)
		} else {
			within("test error", r.TestError, 0, .02)
			within("weak strength", min(end[0], end[1]), bound-.01, 2)
		}
		if a == 1.2 {
			within("residual", sum, 30, 500)
			within("oscillation", r.Oscillation(500, 2000), .15, 1)
			within("sharpness", sharp, 1.6, 2.1)
		}
	}
}

// Gradient descent at the large rate does not oscillate, and fails as SGD at a small rate does.
func TestFullBatchFails(t *testing.T) {
	run := benignRun.WithScaledRate(1.2)
	run.FullBatch, run.Steps, run.Seed = true, 2000, 10
	r, err := run.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.TestError < 0.35 || r.TrainLoss > 1e-3 || r.Oscillation(500, 2000) > 0.03 || len(r.YF) != 20*2000 || r.Draws != 20 {
		t.Errorf("test error %g, training loss %g, oscillation %g, %d values of y·f", r.TestError, r.TrainLoss, r.Oscillation(500, 2000), len(r.YF))
	}
}

// A run is what its parts make step by step.
func TestRunIsGradientSteps(t *testing.T) {
	for _, full := range []bool{false, true} {
		run := dynamics.CNNRun{Data: benign, Filters: 4, Steps: 60, FullBatch: full, MeasureEvery: 25, Test: 50, Seed: 2}.WithScaledRate(1.1)
		r, err := run.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		net := dynamics.ReLU2CNN{Filters: 4, Dim: 200}
		w, err := net.Init(2)
		if err != nil {
			t.Fatal(err)
		}
		set, err := benign.Training(2)
		if err != nil {
			t.Fatal(err)
		}
		u, v, err := benign.Features()
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for step := range 61 {
			if k := slices.Index(r.MeasuredAt, step); k >= 0 {
				s, err := net.Sharpness(w, set.Patches)
				if err != nil {
					t.Fatal(err)
				}
				near(t, "the sharpness", r.Sharpness[k], floats.Max(s), 1e-12)
			}
			for _, c := range []struct {
				feature []float64
				got     [2]float64
			}{{u, r.WeakStrength[step]}, {v, r.StrongStrength[step]}} {
				plus, minus, err := net.Strengths(w, c.feature)
				if err != nil {
					t.Fatal(err)
				}
				near(t, "a strength", c.got[0], plus, 1e-12)
				near(t, "a strength", c.got[1], minus, 1e-12)
			}
			near(t, "the cumulative residual", r.CumulativeResidual()[step], sum, 1e-12)
			if step == 60 {
				break
			}
			samples := r.Sample[step*r.Draws : (step+1)*r.Draws]
			var x [][][]float64
			var y []float64
			for k, i := range samples {
				x, y = append(x, set.Patches[i]), append(y, set.Labels[i])
				f, err := net.Forward(w, x[k:])
				if err != nil {
					t.Fatal(err)
				}
				near(t, "y·f", r.YF[step*r.Draws+k], f[0]*y[k], 1e-12)
				sum += (1 - f[0]*y[k]) * oneIf(set.Strong[i])
			}
			_, g, err := net.Gradient(w, x, y)
			if err != nil {
				t.Fatal(err)
			}
			floats.AddScaled(w, -run.LR, g)
		}
		if !floats.EqualApprox(w, r.Weights, 1e-12) || !slices.Equal(r.MeasuredAt, []int{0, 25, 50, 60}) || r.End.Step != 60 {
			t.Errorf("full batch %t: the weights differ, or measured at %v; %s", full, r.MeasuredAt, r.End)
		}
	}
}

// A filter along a feature grows by 1 + aκ(1 − y·f), or 1 + a(1 − y·f), with each sample of its sign that holds it.
func TestGrowthIdentity(t *testing.T) {
	run := benignRun.WithScaledRate(1.1)
	run.Steps, run.Seed = 4000, 1
	r, err := run.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	start, err := dynamics.ReLU2CNN{Filters: 10, Dim: 200}.Init(1)
	if err != nil {
		t.Fatal(err)
	}
	for j, sign := range []float64{1, -1} {
		var weak, strong float64
		for draw, i := range r.Sample {
			if i%2 == j {
				weak += math.Log1p(1.1 * benign.Kappa() * r.Residual(draw))
				if r.Strong[i] {
					strong += math.Log1p(1.1 * r.Residual(draw))
				}
			}
		}
		grown := 0
		for k := 10 * j; k < 10*(j+1); k++ {
			for coordinate, want := range []float64{weak, strong} {
				if from, to := start[200*k+coordinate], r.Weights[200*k+coordinate]; from*sign > 0 {
					near(t, "ln of a filter's growth", math.Log(to/from), want, 1e-9)
					grown++
				}
			}
		}
		if grown < 4 {
			t.Errorf("only %d filters of sign %g grew", grown, sign)
		}
	}
}

func TestRunsAreTheirSeeds(t *testing.T) {
	var runs []dynamics.CNNRun
	for seed := range uint64(4) {
		r := dynamics.CNNRun{Data: benign, Filters: 3, Steps: 300, Seed: seed, Test: 20}.WithScaledRate(1.1)
		runs = append(runs, r)
	}
	first, err := dynamics.RunCNNs(t.Context(), runs, nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(runs)
	second, err := dynamics.RunCNNs(t.Context(), runs, nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(second)
	if !reflect.DeepEqual(first, second) || reflect.DeepEqual(first[0].YF, first[1].YF) {
		t.Error("runs must hang on their seeds alone, and on these")
	}
	one, err := runs[3].Run(t.Context())
	if err != nil || !reflect.DeepEqual(one, first[0]) {
		t.Errorf("a run alone differs from the same among others (%v)", err)
	}
	if none, err := dynamics.RunCNNs(t.Context(), nil, nil); len(none) != 0 || err != nil {
		t.Errorf("no runs give %v (%v)", none, err)
	}
}

func TestRunDiverges(t *testing.T) {
	for _, full := range []bool{false, true} {
		run := benignRun.WithScaledRate(40)
		run.FullBatch = full
		traces, err := dynamics.RunCNNs(t.Context(), []dynamics.CNNRun{run}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := traces[0]
		if r.End.How != dynamics.Diverged || r.End.Step < 1 || len(r.YF) != r.End.Step*r.Draws || len(r.WeakStrength) != r.End.Step || !math.IsNaN(r.TestError) || !math.IsNaN(r.TrainLoss) {
			t.Errorf("full batch %t: %s with %d values, test error %g", full, r.End, len(r.YF), r.TestError)
		}
		for _, y := range r.YF {
			if !(math.Abs(y) <= 1e6) {
				t.Errorf("the trace holds %g", y)
			}
		}
		// The step whose weights are bad may be the last.
		run.Steps = r.End.Step
		if short, err := run.Run(t.Context()); err != nil || !full && short.End.How != dynamics.Diverged || short.End.Step != run.Steps {
			t.Errorf("with %d steps it %s (%v)", run.Steps, short.End, err)
		}
	}
	run := benignRun
	run.LR, run.Steps = 1e300, 50
	if r, err := run.Run(t.Context()); err != nil || r.End.How != dynamics.Diverged {
		t.Errorf("at η = 1e300: %v (%v)", r.End, err)
	}
}

func TestOneStep(t *testing.T) {
	run := dynamics.CNNRun{Data: dynamics.FeatureNoiseData{N: 2, Dim: 3, WeakNorm: 1, StrongNorm: 1}, Filters: 1, LR: .1, Steps: 1}
	r, err := run.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.YF) != 1 || len(r.WeakStrength) != 2 || r.End != (dynamics.End{Step: 1}) || !slices.Equal(r.CumulativeResidual(), []float64{0, 0}) {
		t.Errorf("one step without a strong sample: %+v", r)
	}
	if o := r.Oscillation(0, 1); !math.IsNaN(o) {
		t.Errorf("oscillation of no draw is %g", o)
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	run := benignRun.WithScaledRate(0.1)
	run.Steps = 1 << 30
	traces, err := dynamics.RunCNNs(ctx, []dynamics.CNNRun{run}, func(done, _ int) {
		if done > 3000 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(traces[0].YF) < 3000 || len(traces[0].YF) > 10000 || traces[0].End.Step != len(traces[0].YF) {
		t.Errorf("%d steps, %v", len(traces[0].YF), err)
	}
}

func TestRunErrors(t *testing.T) {
	for want, change := range map[string]func(r *dynamics.CNNRun){
		"N is 1":                   func(r *dynamics.CNNRun) { r.Data.N = 1 },
		"Dim is 2":                 func(r *dynamics.CNNRun) { r.Data.Dim = 2 },
		"WeakNorm is 0":            func(r *dynamics.CNNRun) { r.Data.WeakNorm = 0 },
		"WeakNorm is NaN":          func(r *dynamics.CNNRun) { r.Data.WeakNorm = math.NaN() },
		"StrongNorm is -1":         func(r *dynamics.CNNRun) { r.Data.StrongNorm = -1 },
		"StrongNorm is +Inf":       func(r *dynamics.CNNRun) { r.Data.StrongNorm = math.Inf(1) },
		"NoiseNorm is -1":          func(r *dynamics.CNNRun) { r.Data.NoiseNorm = -1 },
		"StrongFraction is 1.01":   func(r *dynamics.CNNRun) { r.Data.StrongFraction = 1.01 },
		"StrongFraction is NaN":    func(r *dynamics.CNNRun) { r.Data.StrongFraction = math.NaN() },
		"Filters is 0":             func(r *dynamics.CNNRun) { r.Filters = 0 },
		"LR is 0":                  func(r *dynamics.CNNRun) { r.LR = 0 },
		"LR is NaN":                func(r *dynamics.CNNRun) { r.LR = math.NaN() },
		"Steps is 0":               func(r *dynamics.CNNRun) { r.Steps = 0 },
		"MeasureEvery is -1":       func(r *dynamics.CNNRun) { r.MeasureEvery = -1 },
		"Test is 1":                func(r *dynamics.CNNRun) { r.Test = 1 },
		"run 0: dynamics: CNNRun:": func(r *dynamics.CNNRun) { r.Steps = -1 },
	} {
		run := benignRun.WithScaledRate(1)
		change(&run)
		_, err := run.Run(t.Context())
		if _, all := dynamics.RunCNNs(t.Context(), []dynamics.CNNRun{run}, nil); all == nil || !strings.Contains(all.Error(), want) {
			t.Errorf("RunCNNs: %v, must say %q", all, want)
		}
		if err == nil || !strings.HasPrefix(want, "run") && !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, must say %q", err, want)
		}
	}
	d := benign
	d.N = 0
	_, err := d.Training(1)
	_, _, err2 := d.Features()
	_, err3 := benign.WeakOnly(1, 1)
	for _, err := range []error{err, err2, err3} {
		if err == nil || !strings.Contains(err.Error(), "must be at least 2") {
			t.Errorf("the error is %v", err)
		}
	}
	if _, err := benign.WeakOnly(2, 1); err != nil {
		t.Error(err)
	}
}

func TestDrawsAreUniform(t *testing.T) {
	run := benignRun.WithScaledRate(0.1)
	r, err := run.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, 20)
	for _, i := range r.Sample {
		counts[i]++
	}
	chi := 0.0
	for _, n := range counts {
		chi += (n - 1000) * (n - 1000) / 1000
	}
	if chi > 60 { // χ² of 19 degrees: false alarm below 1e-5
		t.Errorf("χ² of the draws is %g", chi)
	}
}

// One step.
func BenchmarkCNNRun(b *testing.B) {
	run := benignRun.WithScaledRate(1.2)
	run.Steps = max(1, b.N)
	if _, err := run.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
}
