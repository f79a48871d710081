package game

import (
	"errors"
	"math"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func structured(t *testing.T, d int) Family {
	t.Helper()
	return must[Family](t)(LinearQuadratic(d, 10, .05, 0, online.Seeded(1, "structured")))
}

// suite is the random suite: the games, and all λ of each.
func suite(t *testing.T, visit func(lambda float64, g QuadraticGame)) {
	t.Helper()
	for seed := range uint64(30) {
		f := must[Family](t)(RandomFamily(8, 10, .05, online.Seeded(seed, "suite")))
		for k := range 7 {
			lambda := 2.5 * float64(k) / 6
			visit(lambda, must[QuadraticGame](t)(f.At(lambda)))
		}
	}
}

// certified are the games of K5 and K7: 120 of the suite and 4 structured ones.
func certified(t *testing.T, visit func(g QuadraticGame, c Certificate)) {
	t.Helper()
	count := 0
	keep := func(g QuadraticGame) {
		if c := must[Certificate](t)(CertifyQuadratic(g, nil)); c.Certified {
			count++
			visit(g, c)
		}
	}
	suite(t, func(_ float64, g QuadraticGame) { keep(g) })
	f := structured(t, 8)
	for _, lambda := range []float64{.1, .5, 1, 1.25} {
		keep(must[QuadraticGame](t)(f.At(lambda)))
	}
	if count < 100 {
		t.Errorf("only %d games are certified", count)
	}
	t.Logf("%d certified games", count)
}

// K1, at the facts of λ = 1, and K6.
func TestLinearQuadratic(t *testing.T) {
	f, margin := structured(t, 16), must[float64](t)
	lastEuclid, lastSGN := -1., -1.
	for k := range 61 {
		lambda := 2.5 * float64(k) / 60
		g := must[QuadraticGame](t)(f.At(lambda))
		if margin(g.TrueMargin(nil)) > 0 {
			lastEuclid = lambda
		}
		w := []float64{.005, 1}
		if margin(Margin(must[GameBounds](t)(g.Bounds()), w)) > 0 {
			lastSGN = lambda
		}
	}
	near(t, "last λ of Euclid", lastEuclid, 10./60, 1e-12)
	near(t, "last λ of SGN", lastSGN, 1.375, 1e-12)
	for lambda, ratio := range map[float64]float64{.1: .868, .5: .478, 1: .172, 1.25: .0616} {
		g := must[QuadraticGame](t)(f.At(lambda))
		c := must[Certificate](t)(CertifyQuadratic(g, nil))
		euler, rk4, err := StabilityLimits(g)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "certified over true Euler", c.EulerStep/euler, ratio, 1e-3)
		if lambda == 1 {
			near(t, "γ", margin(g.TrueMargin(nil)), -4.025, 1e-9)
			near(t, "α", c.Alpha, .292893, 1e-6)
			near(t, "β", c.Beta, 1.707107, 1e-6)
			near(t, "true Euler", euler, 1.171573, 1e-6)
			near(t, "true RK4", rk4, 1.6316, 1e-4)
			near(t, "ratio", c.Weights[1], 200, 1e-8)
		}
	}
}

// K2 and K3.
func TestRandomSuite(t *testing.T) {
	rng := online.Seeded(1, "weights")
	margin := must[float64](t)
	games, euclid, small, unstable, rk4Ratio := map[float64]int{}, map[float64]int{}, map[float64]int{}, 0, []float64{}
	suite(t, func(lambda float64, g QuadraticGame) {
		c := must[Certificate](t)(CertifyQuadratic(g, nil))
		games[lambda]++
		euclid[lambda] += int(is(margin(g.TrueMargin(nil)) > 0))
		small[lambda] += int(is(c.Certified))
		for k := range 21 {
			w := c.Weights
			if k > 0 {
				w = []float64{1, math.Pow(10, 6*rng.Float64()-2)}
			}
			if a, b := margin(Margin(c.GameBounds, w)), margin(g.TrueMargin(w)); a > b+1e-9 {
				t.Errorf("λ = %g, w = %v: α* is %g, the true margin %g", lambda, w, a, b)
			} else if k == 0 && !(b > 0) {
				unstable++
			}
		}
		if c.Certified {
			_, rk4, err := StabilityLimits(g)
			if err != nil {
				t.Fatal(err)
			}
			rk4Ratio = append(rk4Ratio, c.RK4Step/rk4)
		}
	})
	if l := 1.25; small[l] != 30 || euclid[l] != 0 {
		t.Errorf("at λ = 1.25 SGN certifies %d of 30 and Euclid %d, want all and none", small[l], euclid[l])
	}
	if unstable > 0 {
		t.Errorf("%d true margins are not positive", unstable)
	}
	near(t, "RK4 ratio", floats.Sum(rk4Ratio)/float64(len(rk4Ratio)), .898, 2e-3)
	t.Logf("SGN %v Euclid %v", small, euclid)
}

// K4.
func TestFlow(t *testing.T) {
	run := func(g QuadraticGame, start []float64) float64 {
		c := must[Certificate](t)(CertifyQuadratic(g, nil))
		flow := must[Trajectory](t)(RK4{Step: 1e-3}.Run(g, start, 5000))
		origin := make([]float64, len(start))
		metric, euclid := must[[]float64](t)(flow.Norms(g, c.Weights, origin)), must[[]float64](t)(flow.Norms(g, nil, origin))
		for k, m := range metric {
			if m > math.Exp(-c.Alpha*float64(k)*1e-3)*metric[0]*(1+1e-6) {
				t.Fatalf("‖x‖_M is %g at step %d", m, k)
			}
		}
		return floats.Max(euclid) / euclid[0]
	}
	near(t, "largest Euclidean ratio", run(MiniToy(10, .05), []float64{.15, -.15}), 3.1861, 1e-3)
	rng := online.Seeded(2, "starts")
	for _, lambda := range []float64{.5, 1.25} {
		start := make([]float64, 16)
		for i := range start {
			start[i] = rng.NormFloat64()
		}
		run(must[QuadraticGame](t)(structured(t, 8).At(lambda)), start)
	}
}

// K5 and K7.
func TestCertifiedSteps(t *testing.T) {
	certified(t, func(g QuadraticGame, c Certificate) {
		a := must[*mat.Dense](t)(g.InMetric(c.Weights))
		d, _ := a.Dims()
		for k := range 20 {
			h := c.EulerStep * (float64(k) + .5) / 20
			step := mat.NewDense(d, d, nil)
			step.Apply(func(i, j int, v float64) float64 { return is(i == j) - h*v }, a)
			if norm := must[float64](t)(spectralNorm(step)); norm > c.Contraction(h)+1e-10 || norm >= 1 {
				t.Errorf("h = %g: ‖I − hH‖_M is %g, the bound %g", h, norm, c.Contraction(h))
			}
		}
		if r := RK4Radius(must[[]complex128](t)(g.Eigenvalues()), c.RK4Step); !(r < 1) {
			t.Errorf("ρ(P(−hH)) is %g at h = %g", r, c.RK4Step)
		}
	})
}

// K9: the closed form is the numerical optimum, and no weights do better.
func TestPerronWeights(t *testing.T) {
	rng := online.Seeded(9, "games")
	for k := range 30 {
		n := 3 + k%3
		b := GameBounds{make([]float64, n), make([][]float64, n)}
		for i := range n {
			b.Mu[i] = .5 + 2*rng.Float64()
			b.L[i] = make([]float64, n)
			for j := range n {
				if i != j {
					b.L[i][j] = math.Exp(2*rng.NormFloat64()) / float64(n)
				}
			}
		}
		_, best, err := BestWeights(b)
		if err != nil {
			t.Fatal(err)
		}
		_, found, err := SearchWeights(b, 3, uint64(k))
		if err != nil {
			t.Fatal(err)
		}
		if found > best+1e-9 || found < best-1e-6 {
			t.Errorf("game %d of %d players: τ(A) is %g, the search finds %g", k, n, best, found)
		}
		if r := must[float64](t)(b.SpectralRadius()); (r < 1) != (best > 0) {
			t.Errorf("game %d: spectral radius %g at margin %g", k, r, best)
		}
	}
}

// K10, K11 and K12.
func TestPolicyGradients(t *testing.T) {
	g := Coordination(1)
	c := must[Certificate](t)(CertifyRegion(g.Natural(), must[[][]float64](t)(Vertices(make([]float64, 8), .1)), nil))
	if !(c.Alpha >= .3330 && c.Alpha <= .3336 && c.Beta >= 1.571 && c.Beta <= 1.573 && math.Abs(c.EulerStep-.2699) <= .001) {
		t.Errorf("certificate %+v", c)
	}
	for seed := range uint64(5) {
		start, rng := make([]float64, 8), online.Seeded(seed, "logits")
		for i := range start {
			start[i] = .01 * rng.NormFloat64()
		}
		for _, m := range []float64{.5, 1, 2, 4, 6, 10} {
			d, err := NPG(g, start, PolicyGradient{Step: m * c.EulerStep})
			if err != nil && !errors.Is(err, ErrNonFinite) {
				t.Fatal(err)
			}
			if d.Converged != (m <= 4) {
				t.Errorf("seed %d, multiplier %g: converged %t after %d steps", seed, m, d.Converged, d.Steps())
			}
			if m == 1 {
				e := must[Descent](t)(EPG(g, start, PolicyGradient{Step: c.EulerStep}))
				if r := float64(e.Steps()) / float64(d.Steps()); !(r >= 1.8 && r <= 2.3) {
					t.Errorf("seed %d: EPG takes %g times as many steps", seed, r)
				}
			}
		}
	}
}

// The noise experiment: the bound loosens as structure is lost.
func TestNoise(t *testing.T) {
	for noise, want := range map[float64]float64{0: 1, .5: 1.2, 1: 1.71} {
		sum := 0.
		for seed := range uint64(5) {
			f := must[Family](t)(LinearQuadratic(32, 10, .05, noise, online.Seeded(seed, "noise")))
			g := must[QuadraticGame](t)(f.At(1))
			c := must[Certificate](t)(CertifyQuadratic(g, nil))
			sum += must[float64](t)(g.TrueMargin(c.Weights)) / c.Alpha / 5
		}
		near(t, "mean of α_true/α*", sum, want, .06) // ours: five draws; their means spread by 0.01
	}
}
