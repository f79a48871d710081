package oco

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

const noiseDim = 3

// draws returns n draws of a noise from each engine.
func draws(t *testing.T, noise Noise, n int) map[string][][]float64 {
	t.Helper()
	rng := online.Seeded(5, "noise")
	out := map[string][][]float64{}
	for range n {
		x := make([]float64, noiseDim)
		noise.Draw(x, rng)
		out["Go"] = append(out["Go"], x)
	}
	loop := scan.Loop{Step: func(s *scan.Step) { s.Set("x", noise.DrawNode(s, n, noiseDim)) }}
	r, err := scan.Run(context.Background(), backend.ForTest(t), loop, scan.Vars{"x": zeros(n, noiseDim)}, nil, 1, 7)
	if err != nil {
		t.Fatal(err)
	}
	for x := tensors.MustCopyFlatData[float64](r.State["x"]); len(x) > 0; x = x[noiseDim:] {
		out["compiled"] = append(out["compiled"], x[:noiseDim])
	}
	return out
}

// The draws' lengths have the distribution functions that they should, and their first coordinates are as often positive as
// not. Kolmogorov's distance of n = 20000 draws exceeds 2.7/√n with a probability of 2·exp(−2·2.7²) < 1e-6, and of so many
// coins the heads lie 5.2 deviations off with one of 2e-7: 10 tests of each, all together a false alarm of 1e-5 at most.
func TestNoiseDistributions(t *testing.T) {
	const n = 20000
	for name, c := range map[string]struct {
		noise Noise
		below func(r float64) float64 // distribution function of the length
	}{
		// In three dimensions (d/σ²)‖ξ‖² is χ² with 3 degrees of freedom.
		"gaussian": {Gaussian{Deviation: 2}, func(r float64) float64 {
			z := r * math.Sqrt(3) / 2
			return math.Erf(z/math.Sqrt2) - math.Sqrt(2/math.Pi)*z*math.Exp(-z*z/2)
		}},
		"pareto": {Pareto{Tail: 1.35, Scale: 0.3}, func(r float64) float64 {
			return math.Max(0, 1-math.Pow(r/0.3, -1.35))
		}},
		"sub-weibull": {SubWeibull{Shape: 0.5, Scale: 2}, func(r float64) float64 { return -math.Expm1(-math.Sqrt(r / 2)) }},
	} {
		for engine, xs := range draws(t, c.noise, n) {
			var lengths []float64
			positive := 0
			for _, x := range xs {
				lengths = append(lengths, floats.Norm(x, 2))
				if x[0] > 0 {
					positive++
				}
			}
			floats.Argsort(lengths, make([]int, n))
			var distance float64
			for i, r := range lengths {
				at := c.below(r)
				distance = math.Max(distance, math.Max(math.Abs(at-float64(i)/n), math.Abs(at-float64(i+1)/n)))
			}
			if distance > 2.7/math.Sqrt(n) {
				t.Errorf("%s, %s: Kolmogorov's distance is %g", name, engine, distance)
			}
			if off := math.Abs(float64(positive) - n/2); off > 5.2*math.Sqrt(n)/2 {
				t.Errorf("%s, %s: %d of %d are positive", name, engine, positive, n)
			}
		}
	}
	for engine, xs := range draws(t, Signs{Scale: 0.5}, n) {
		sums := make([]float64, noiseDim)
		for _, x := range xs {
			for _, v := range x {
				if math.Abs(v) != 0.5 {
					t.Fatalf("signs, %s: %v", engine, x)
				}
			}
			floats.Add(sums, x)
		}
		for _, sum := range sums {
			if math.Abs(sum) > 5.2*math.Sqrt(n)/2 {
				t.Errorf("signs, %s: sums are %v", engine, sums)
			}
		}
	}
}

func TestNoNoise(t *testing.T) {
	for _, noise := range []Noise{Gaussian{}, Pareto{Tail: 2}, SubWeibull{Shape: 1}, Signs{}} {
		if err := noise.Validate(); err != nil {
			t.Error(err)
		}
		for engine, xs := range draws(t, noise, 10) {
			for _, x := range xs {
				if floats.Norm(x, 1) != 0 {
					t.Errorf("%T, %s: %v, must be 0", noise, engine, x)
				}
			}
		}
	}
}

func TestNoiseBadArguments(t *testing.T) {
	for want, noise := range map[string]Noise{
		"Gaussian: Deviation is -1": Gaussian{Deviation: -1}, "Gaussian: Deviation is NaN": Gaussian{Deviation: math.NaN()},
		"Pareto: Tail is 1,": Pareto{Tail: 1}, "Pareto: Scale is -1": Pareto{Tail: 2, Scale: -1},
		"SubWeibull: Shape is 0": SubWeibull{}, "SubWeibull: Shape is 3": SubWeibull{Shape: 3}, "SubWeibull: Scale is -1": SubWeibull{Shape: 1, Scale: -1},
		"Signs: Scale is +Inf": Signs{Scale: math.Inf(1)},
	} {
		if err := noise.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestNoiseDoesNotAllocate(t *testing.T) {
	rng, x := online.Seeded(1, "noise"), make([]float64, 100)
	for _, noise := range []Noise{Gaussian{Deviation: 1}, Pareto{Tail: 2, Scale: 1}, SubWeibull{Shape: 1, Scale: 1}, Signs{Scale: 1}} {
		if n := testing.AllocsPerRun(20, func() { noise.Draw(x, rng) }); n != 0 {
			t.Errorf("%T: %g allocations a draw", noise, n)
		}
	}
}

// Objectives: the compiled value and sub-gradient are the plain ones, and the sub-gradient's inequality holds.
func TestObjectives(t *testing.T) {
	const runs = 50
	rng := online.Seeded(6, "objectives")
	data, err := NewLogistic(20, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Objective{
		LogisticRisk{Data: data},
		DistanceTo{1, 0, -1}, DiagonalQuadratic{Curvature: []float64{0, 1, 2}, Center: []float64{1, 2, 3}}, LinearCost{0.5, 0, -1}, LowerBound{Rounds: 3},
	} {
		if err := f.Validate(); err != nil {
			t.Fatal(err)
		}
		var points []float64
		for range runs {
			x := make([]float64, 3)
			direction(x, rng)
			points = append(points, x...)
		}
		copy(points, []float64{1, 0, -1, 0, 0, 0}) // the kink of the distance, and ties of the lower bound
		loop := scan.Loop{Step: func(s *scan.Step) {
			x := s.Get("x")
			s.Set("value", f.ValueNode(x))
			s.Set("x", f.SubgradientNode(x))
		}}
		if _, ok := f.(LowerBound); ok {
			copy(points, []float64{0.6, 0, -0.8})
		}
		r, err := scan.Run(context.Background(), backend.ForTest(t), loop, scan.Vars{"x": tensors.FromFlatDataAndDimensions(points, runs, 3), "value": zeros(runs)}, nil, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		values, gradients := tensors.MustCopyFlatData[float64](r.State["value"]), tensors.MustCopyFlatData[float64](r.State["x"])
		for i := range runs {
			x, g := points[3*i:3*i+3], make([]float64, 3)
			f.Subgradient(g, x)
			near(t, "value", values[i:i+1], []float64{f.Value(x)}, 1e-14)
			near(t, "sub-gradient", gradients[3*i:3*i+3], g, 1e-14)
			for j := range runs {
				y := points[3*j : 3*j+3]
				if linear := f.Value(x) + floats.Dot(g, y) - floats.Dot(g, x); f.Value(y) < linear-1e-12 {
					t.Fatalf("%T: f(%v) = %g is below the line %g from %v", f, y, f.Value(y), linear, x)
				}
			}
		}
	}
	for want, f := range map[string]Objective{
		"Data is empty": LogisticRisk{}, "labels must be": LogisticRisk{Data: &Logistic{A: mat.NewDense(1, 1, []float64{1}), Y: []float64{2}}},
		"features must be":     LogisticRisk{Data: &Logistic{A: mat.NewDense(1, 1, []float64{math.NaN()}), Y: []float64{1}}},
		"as many labels":       LogisticRisk{Data: &Logistic{A: mat.NewDense(2, 1, nil), Y: []float64{1}}},
		"DistanceTo: To is []": DistanceTo{}, "LinearCost: c is [NaN]": LinearCost{math.NaN()}, "Curvature has 1": DiagonalQuadratic{Curvature: []float64{1}},
		"Curvature[0] is -1": DiagonalQuadratic{Curvature: []float64{-1}, Center: []float64{0}},
	} {
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
