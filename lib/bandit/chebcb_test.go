package bandit

import (
	"math"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
)

func TestChebCBFeatures(t *testing.T) {
	l, err := NewChebCB([]float64{1}, 6, -0.15, 0.65, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := make([]float64, 6)
	l.chebyshev(f, 0.45)
	for j := range f {
		if want := math.Cos(float64(j) * math.Acos(0.5)); math.Abs(f[j]-want) > 1e-12 {
			t.Errorf("T_%d(1/2) is %g, must be %g", j, f[j], want)
		}
	}
}

// The first round is uniform, and no action is ever without a chance.
func TestChebCBProbabilities(t *testing.T) {
	grid := floats.Span(make([]float64, 20), 1, 1.95)
	l, err := NewChebCB(grid, 6, 0, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	rng := online.Seeded(1, "test")
	for round := range 500 {
		a, err := l.Act(rng.Float64())
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range l.Probabilities() {
			if round == 0 && math.Abs(p-0.05) > 1e-15 || !(p > 0) {
				t.Fatalf("round %d: p[%d] is %g", round+1, i, p)
			}
		}
		if s := floats.Sum(l.p); math.Abs(s-1) > 1e-12 {
			t.Fatalf("p sums to 1%+g", s-1)
		}
		if err := l.Learn(1 + 50*math.Abs(grid[a]-1.6) + rng.Float64()); err != nil {
			t.Fatal(err)
		}
	}
}

// A cost that is a short Chebyshev series is predicted to rounding, and where rounds are few, with the least norm.
func TestChebCBFits(t *testing.T) {
	l, err := NewChebCB([]float64{1.5}, 4, -1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	cost := func(u float64) float64 { return 20 + 3*u + 2*(2*u*u-1) }
	learn := func(u float64) {
		t.Helper()
		if _, err := l.Act(u); err != nil {
			t.Fatal(err)
		}
		if err := l.Learn(cost(u)); err != nil {
			t.Fatal(err)
		}
	}
	learn(0.5)
	// One equation: the solution of least norm is a multiple of the feature.
	f := make([]float64, 4)
	l.chebyshev(f, 0.5)
	floats.Scale((cost(0.5)-1)/floats.Dot(f, f), f)
	if !floats.EqualApprox(l.fits[0].free, f, 1e-9) {
		t.Errorf("after a round: %v, must be %v", l.fits[0].free, f)
	}
	for _, u := range []float64{-1, -0.5, 0, 0.3, 1} {
		learn(u)
	}
	if want := []float64{19, 3, 2, 0}; !floats.EqualApprox(l.fits[0].theta, want, 1e-9) {
		t.Errorf("the series is %v, must be %v", l.fits[0].theta, want)
	}
	if y, err := l.Predict(0.7, 0); err != nil || math.Abs(y-cost(0.7)) > 1e-9 {
		t.Errorf("prediction %g, %v, must be %g", y, err, cost(0.7))
	}
}

// The bounded fit meets the conditions of a minimum in the box: a coordinate inside has no slope, one at its bound is pushed out.
func TestChebCBBounds(t *testing.T) {
	rng := online.Seeded(1, "test")
	for range 300 {
		m := 1 + rng.IntN(6)
		f := chebFit{gram: make([]float64, m*m), moment: make([]float64, m), free: make([]float64, m), theta: make([]float64, m)}
		feature := make([]float64, m)
		for range 1 + rng.IntN(20) {
			u := 2*rng.Float64() - 1
			for j := range feature {
				feature[j] = math.Cos(float64(j) * math.Acos(u))
			}
			f.add(feature, 100*rng.Float64())
		}
		const most, span = 30, 20.0
		bounded := f.bound(most, span)
		for j, x := range f.theta {
			c := float64(most)
			if j > 0 {
				c = 2 * span / float64(j)
			}
			slope := -f.moment[j]
			for k, y := range f.theta {
				slope += f.row(j)[k] * y
			}
			tolerance := 1e-7 * math.Sqrt(f.square)
			switch {
			case math.Abs(x) > c:
				t.Fatalf("θ_%d is %g, beyond %g", j, x, c)
			case !bounded && math.Abs(slope) > tolerance, x < c && slope < -tolerance, x > -c && slope > tolerance:
				t.Fatalf("θ = %v of %v (bounded: %t): slope %d is %g", f.theta, f.free, bounded, j, slope)
			}
		}
	}
}

// Costs that are all the same are predicted without error from the second round on, and η stays finite.
func TestChebCBOfEqualCosts(t *testing.T) {
	l, err := NewChebCB([]float64{1, 2}, 6, 0, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, cost := range []float64{1, 1, 1, 1, 1, 1} {
		if _, err := l.Act(0.5); err != nil {
			t.Fatal(err)
		}
		if err := l.Learn(cost); err != nil {
			t.Fatal(err)
		}
		if math.IsNaN(l.eta) || math.IsInf(l.eta, 0) {
			t.Fatalf("η is %g", l.eta)
		}
	}
}
