package oco

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Numeric facts 3 to 5 of the last iterate: single steps by hand.
func TestStepFacts(t *testing.T) {
	dst := make([]float64, 3)
	Euclidean{}.Step(dst, []float64{1, -.2, .05}, []float64{.5, -1, .1}, .2, L1{Weight: .5}, Free{})
	near(t, "prox", dst, []float64{.8, 0, 0}, 1e-15)
	Entropy{}.Step(dst, []float64{.2, .3, .5}, []float64{1, 0, -1}, .5, nil, Simplex{})
	near(t, "entropy", dst, []float64{.0973824903, .2408348748, .6617826348}, 1e-10)
	at := func(p float64) Power { return Power{Exponent: p / (p - 1)} }
	two := make([]float64, 2)
	at(1.6).Step(two, []float64{0, 1}, []float64{2, 1}, .25, nil, Free{})
	near(t, "power", two, []float64{-.3286168518, .8789850467}, 1e-10)
	at(1.5).Step(two, []float64{0, 0}, []float64{1, -2}, .3, nil, Free{})
	near(t, "power from 0", two, []float64{-.2590020064, .5180040128}, 1e-10)
	at(1.5).Step(two, []float64{0, 0}, []float64{0, 0}, .3, nil, Free{})
	near(t, "power from 0 to 0", two, []float64{0, 0}, 0)
	x := []float64{3, -6}
	SquaredL2{Weight: 2}.Prox(x, 1)
	near(t, "squared L2", x, []float64{1, -2}, 1e-15)
	L1{Weight: 2}.Subgradient(dst, []float64{-.1, 0, 5})
	near(t, "sub-gradient of L1", dst, []float64{-2, 0, 2}, 0)
}

// A prox is the minimum of h(z) + ‖z − x‖²/(2·rate): no point around it is better.
func TestProxIsTheMinimum(t *testing.T) {
	rng := online.Seeded(1, "prox")
	for range 200 {
		for _, h := range []Regularizer{L1{Weight: 0.7}, SquaredL2{Weight: 0.7}, L1{}, SquaredL2{}} {
			x, rate := []float64{rng.NormFloat64(), rng.NormFloat64()}, 0.1+rng.Float64()
			z := append([]float64(nil), x...)
			h.Prox(z, rate)
			cost := func(z []float64) float64 {
				d := floats.Distance(z, x, 2)
				return h.Value(z) + d*d/(2*rate)
			}
			for range 20 {
				if other := []float64{z[0] + 0.1*rng.NormFloat64(), z[1] + 0.1*rng.NormFloat64()}; cost(other) < cost(z)-1e-12 {
					t.Fatalf("%#v: prox of %v at rate %g is %v, but %v is better", h, x, rate, z, other)
				}
			}
		}
	}
}

func bregmanPower(q float64, x, y []float64) float64 {
	factor := math.Exp2(q - 2)
	nx, ny := floats.Norm(x, 2), floats.Norm(y, 2)
	inner := floats.Dot(y, x) - ny*ny
	return factor/q*(math.Pow(nx, q)-math.Pow(ny, q)) - factor*math.Pow(ny, q-2)*inner
}

// Uniform convexity, D_ψ(x, y) ≥ ‖x − y‖^q/q, on random pairs; for q = 2 with equality. Numeric fact 6: the smallest ratios of
// random pairs are near 1.49, 1.17, 1.06 and 1.00, never below 1. The pairs differ, so the smallest may lie lower here.
func TestPowerIsUniformlyConvex(t *testing.T) {
	rng := online.Seeded(1, "pairs")
	for p, fact := range map[float64]float64{1.25: 1.49, 1.5: 1.17, 1.75: 1.06, 2: 1} {
		q := p / (p - 1)
		least := math.Inf(1)
		for range 20000 {
			x, y := make([]float64, 3), make([]float64, 3)
			scale := math.Exp(rng.NormFloat64())
			for i := range x {
				x[i], y[i] = scale*rng.NormFloat64(), rng.NormFloat64()
			}
			least = math.Min(least, bregmanPower(q, x, y)/(math.Pow(floats.Distance(x, y, 2), q)/q))
		}
		if least < 1-1e-9 || least > fact*1.05 {
			t.Errorf("p = %g: smallest ratio %g, must be at least 1 and about %g", p, least, fact)
		}
	}
}

// q = 2 is plain gradient descent, point by point.
func TestPowerTwoIsEuclidean(t *testing.T) {
	steps := PolynomialStep{}
	gradient := func(round int, x []float64) []float64 { g, _, _ := pulled{}.Reveal(round, x); return g }
	for _, over := range []Domain{Free{}, Ball{Radius: 0.7}} {
		want := feed(t, MirrorDescent{Over: over, Steps: steps}, 3, gradient, 100)
		got := feed(t, MirrorDescent{Map: Power{Exponent: 2}, Over: over, Steps: steps}, 3, gradient, 100)
		for n := range want {
			near(t, "round", got[n], want[n], 1e-14)
		}
	}
}

// The step in a ball is the argmin that it stands for: no point of the ball around it is better.
func TestPowerStepIsTheMinimum(t *testing.T) {
	rng := online.Seeded(2, "power")
	for range 300 {
		q, rate := 2+3*rng.Float64(), 0.1+rng.Float64()
		y, g := []float64{rng.NormFloat64() / 3, rng.NormFloat64() / 3}, []float64{rng.NormFloat64(), rng.NormFloat64()}
		over := Ball{Radius: 0.6}
		over.Project(y)
		x := make([]float64, 2)
		Power{Exponent: q}.Step(x, y, g, rate, nil, over)
		cost := func(x []float64) float64 { return floats.Dot(g, x) + bregmanPower(q, x, y)/rate }
		for range 20 {
			other := []float64{x[0] + 0.1*rng.NormFloat64(), x[1] + 0.1*rng.NormFloat64()}
			if over.Project(other); cost(other) < cost(x)-1e-12 {
				t.Fatalf("q = %g: from %v against %v: %v is worse than %v", q, y, g, x, other)
			}
		}
	}
}

// An entry of 0 stays 0; one that is driven to the edge comes back.
func TestEntropyAtTheEdge(t *testing.T) {
	x := []float64{0, 0.5, 0.5}
	Entropy{}.Step(x, x, []float64{-1e6, 0, 2000}, 1, nil, Simplex{})
	near(t, "at the edge", x, []float64{0, 1, 0}, 1e-300)
	if x[0] != 0 || x[2] == 0 {
		t.Errorf("%v: the first must be 0, the last must not", x)
	}
	Entropy{}.Step(x, x, []float64{0, 0, -2000}, 1, nil, Simplex{})
	near(t, "back", x, []float64{0, 0, 1}, 1e-12)
}

func TestMapBadArguments(t *testing.T) {
	steps := ConstantStep{Size: 1}
	for want, rule := range map[string]Rule{
		"Entropy: the domain is oco.Free": MirrorDescent{Map: Entropy{}, Steps: steps},
		"Entropy: no closed form":         MirrorDescent{Map: Entropy{}, Over: Simplex{}, Regularizer: L1{Weight: 1}, Steps: steps},
		"Exponent is 1.5":                 MirrorDescent{Map: Power{Exponent: 1.5}, Steps: steps},
		"Exponent is NaN":                 MirrorDescent{Map: Power{Exponent: math.NaN()}, Steps: steps},
		"Power: the domain is oco.Box":    MirrorDescent{Map: Power{}, Over: Box{Low: []float64{0}, High: []float64{1}}, Steps: steps},
		"Power: no closed form":           MirrorDescent{Map: Power{}, Regularizer: L1{Weight: 1}, Steps: steps},
		"L1: Weight is -1":                MirrorDescent{Regularizer: L1{Weight: -1}, Steps: steps},
		"SquaredL2: Weight is NaN":        MirrorDescent{Regularizer: SquaredL2{Weight: math.NaN()}, Steps: steps},
		"on the domain oco.Ball":          MirrorDescent{Over: Ball{Radius: 1}, Regularizer: L1{Weight: 1}, Steps: steps},
		"Rule is nil":                     Clipped{Level: 1},
		"Level is 0":                      Clipped{Rule: MirrorDescent{Steps: steps}},
		"Steps is nil":                    Clipped{Rule: MirrorDescent{}, Level: 1},
	} {
		if _, err := rule.Start(3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// The projection to the simplex is the closest point: x − z is one number where z is positive, and no larger elsewhere.
func TestSimplexProjection(t *testing.T) {
	rng := online.Seeded(4, "simplex")
	for range 500 {
		x := make([]float64, 1+rng.IntN(20))
		scale := math.Exp(4 * rng.NormFloat64())
		for i := range x {
			x[i] = scale * rng.NormFloat64()
		}
		z := append([]float64(nil), x...)
		Simplex{}.Project(z)
		if !(Simplex{}).Contains(z, 1e-12) {
			t.Fatalf("%v goes to %v", x, z)
		}
		threshold := math.Inf(-1)
		for i := range x {
			threshold = math.Max(threshold, x[i]-z[i])
		}
		for i := range x {
			if z[i] > 0 && x[i]-z[i] < threshold-1e-12*(1+scale) {
				t.Fatalf("%v goes to %v: not the closest", x, z)
			}
		}
		again := append([]float64(nil), z...)
		Simplex{}.Project(again)
		near(t, "again", again, z, 1e-14)
	}
	for _, x := range [][]float64{{1e300, 0}, {5}, {0.5, 0.5}} {
		want := []float64{1, 0}[:len(x)]
		if x[0] == 0.5 {
			want = []float64{0.5, 0.5}
		}
		Simplex{}.Project(x)
		near(t, "edge", x, want, 0)
	}
}
