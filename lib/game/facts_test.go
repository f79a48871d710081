package game

import (
	"math"
	"math/cmplx"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.12g, want %.12g ± %g", what, got, want, tolerance)
	}
}

// The numbers of these tests were computed with the paper's code or, where it has no such function, with NumPy in double precision.

func TestMiniToy(t *testing.T) {
	g, f := MiniToy(10, 0.05), must[float64](t)
	values := must[[]complex128](t)(g.Eigenvalues())
	slices.SortFunc(values, func(a, b complex128) int { return int(math.Copysign(1, real(a)-real(b))) })
	near(t, "eigenvalue", real(values[0]), 0.292893218813, 1e-12)
	near(t, "eigenvalue", real(values[1]), 1.707106781187, 1e-12)
	near(t, "Euclidean margin", f(g.TrueMargin(nil)), -4.025, 1e-12)
	for _, c := range []struct{ r, alpha, beta float64 }{
		{1, -4.025, 10.099507365}, {35, 0.006943751, 2.212138164}, {100, 0.25, 1.780776406}, {200, 0.292893219, 1.707106781},
		{500, 0.217376208, 1.837374948}, {1165, 0.000207908, 2.224367213}, {1200, -0.010362971, 2.243583687},
	} {
		w := []float64{1, c.r}
		near(t, "α", f(Margin(must[GameBounds](t)(g.Bounds()), w)), c.alpha, 1e-9)
		near(t, "true α", f(g.TrueMargin(w)), c.alpha, 1e-9)
		near(t, "β", f(g.Lipschitz(w)), c.beta, 1e-9)
	}
	c := must[Certificate](t)(CertifyQuadratic(g, nil))
	near(t, "best ratio", c.Weights[1], 200, 1e-9)
	near(t, "Euler step", c.EulerStep, 0.2010101268, 1e-10)
	near(t, "factor", c.Contraction(c.EulerStep/2), 0.9851714310, 1e-10)
	near(t, "RK4 step", c.RK4Step, 1.464466, 1e-6)
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}

func TestTrajectoriesOfMiniToy(t *testing.T) {
	g := MiniToy(10, 0.05)
	c := must[Certificate](t)(CertifyQuadratic(g, nil))
	start, origin := []float64{.15, -.15}, []float64{0, 0}
	euler := must[Trajectory](t)(ProjectedEuler{Step: c.EulerStep / 2, Within: &c}.Run(g, start, 3))
	for k, x := range [][]float64{{0.285681835574, -0.135678028467}, {0.393332653096, -0.123477323165}, {0.477901691781, -0.113043823135}} {
		near(t, "x1", euler.X[k+1][0], x[0], 1e-11)
		near(t, "x2", euler.X[k+1][1], x[1], 1e-11)
	}
	norms := must[[]float64](t)(euler.Norms(g, c.Weights, origin))
	for k, ratio := range []float64{0.912213012, 0.841704612, 0.784618749} {
		near(t, "‖x‖_M", norms[k+1]/norms[0], ratio, 1e-9)
	}
	rk4 := must[Trajectory](t)(RK4{Step: 1, Within: &c}.Run(g, start, 2))
	for k, x := range [][]float64{{0.5765625, -0.0790625}, {0.557828776042, -0.049964192708}} {
		near(t, "x1", rk4.X[k+1][0], x[0], 1e-11)
		near(t, "x2", rk4.X[k+1][1], x[1], 1e-11)
	}
	flow := must[Trajectory](t)(ProjectedEuler{Step: 0.0005}.Run(g, start, 3000))
	euclid, metric := must[[]float64](t)(flow.Norms(g, nil, origin)), must[[]float64](t)(flow.Norms(g, c.Weights, origin))
	near(t, "largest Euclidean ratio", floats.Max(euclid)/euclid[0], 3.1865464194, 1e-9)
	near(t, "‖x‖_M at 1.5", metric[3000]/metric[0], 0.489316870, 1e-9)
	near(t, "bound at 1.5", math.Exp(-1.5*c.Alpha), 0.644461736, 1e-9)
	for k := range 3000 {
		if metric[k+1] >= metric[k] {
			t.Fatalf("‖x‖_M rises at step %d", k+1)
		}
	}
}

func TestBand(t *testing.T) {
	band := must[Ratios](t)
	for _, c := range []struct{ mu1, mu2, l12, l21, target, low, high, tolerance float64 }{
		{1, 1, 10, .05, 0, 34.31457505, 1165.68542495, 1e-8}, {1, 1, 10, .05, .2, 72.53392725, 551.46607275, 1e-8}, {1, 2, 1.5, .8, 0, 0.422152925, 8.327847075, 1e-9},
	} {
		b := band(Band(c.mu1, c.mu2, c.l12, c.l21, c.target))
		if !b.Feasible {
			t.Errorf("%+v: not feasible", c)
		}
		near(t, "low", b.Low, c.low, c.tolerance)
		near(t, "high", b.High, c.high, c.tolerance)
		bounds := GameBounds{[]float64{c.mu1, c.mu2}, [][]float64{{0, c.l12}, {c.l21, 0}}}
		for _, r := range []struct {
			at     float64
			inside bool
		}{{b.Low * (1 - 1e-6), false}, {b.Low * (1 + 1e-6), true}, {b.High * (1 - 1e-6), true}, {b.High * (1 + 1e-6), false}} {
			if m := must[float64](t)(Margin(bounds, []float64{1, r.at})); (m > c.target) != r.inside || b.Contains(r.at) != r.inside {
				t.Errorf("%+v: margin %g at ratio %g", c, m, r.at)
			}
		}
	}
	for name, c := range map[string]struct {
		l12, l21, target float64
		want             Ratios
	}{
		"no L21":                   {1, 0, 0, Ratios{.25, math.Inf(1), true}},
		"no L12":                   {0, 1, 0, Ratios{0, 4, true}},
		"no coupling":              {0, 0, .5, Ratios{0, math.Inf(1), true}},
		"determinant":              {2, 1, 0, Ratios{}},
		"equality":                 {1, 1, 0, Ratios{}},
		"target at curvature":      {.1, .1, 1, Ratios{}},
		"target over it":           {.1, .1, 1.5, Ratios{}},
		"target without couplings": {0, 0, 1, Ratios{}},
	} {
		if got := band(Band(1, 1, c.l12, c.l21, c.target)); !(got.Feasible == c.want.Feasible && (got.Low == c.want.Low || math.Abs(got.Low-c.want.Low) < 1e-15) && (got.High == c.want.High || math.Abs(got.High-c.want.High) < 1e-14)) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// Weights whose coupling runs one way only: the supremum of the margin is the smallest curvature.
func TestOneWayCoupling(t *testing.T) {
	for _, l := range [][][]float64{{{0, 10}, {0, 0}}, {{0, 0}, {10, 0}}, {{0, 0}, {0, 0}}} {
		b := GameBounds{[]float64{1, 2}, l}
		w, margin, err := BestWeights(b)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "margin", margin, 1, 1e-9)
		near(t, "its weights'", must[float64](t)(Margin(b, w)), margin, 0)
		g := QuadraticGame{H: mat.NewDense(2, 2, []float64{1, l[0][1], l[1][0], 2}), Blocks: []int{1, 1}}
		c := must[Certificate](t)(CertifyQuadratic(g, nil))
		if err := c.Check(); err != nil || !c.Certified {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestThreePlayers(t *testing.T) {
	b := GameBounds{[]float64{1, 2, 1.5}, [][]float64{{0, .8, .3}, {.5, 0, .9}, {.4, .6, 0}}}
	w, margin, err := BestWeights(b)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "τ(A)", margin, 0.2960321397, 1e-10)
	near(t, "w2", w[1], 1.188350712, 1e-9)
	near(t, "w3", w[2], 1.254285333, 1e-9)
	f := must[float64](t)
	near(t, "w = 1", f(Margin(b, []float64{1, 1, 1})), 0.2925569117, 1e-10)
	near(t, "spectral radius", f(b.SpectralRadius()), 0.7874121258, 1e-10)
	cyclic := GameBounds{[]float64{1, 1, 1}, [][]float64{{0, 4, 0}, {0, 0, .2}, {.5, 0, 0}}}
	w, margin, err = BestWeights(cyclic)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "τ(A)", margin, 1-math.Cbrt(.4), 1e-12)
	near(t, "w2", w[1], 29.472251989, 1e-8)
	near(t, "w3", w[2], 2.171534093, 1e-9)
	near(t, "w = 1", f(Margin(cyclic, []float64{1, 1, 1})), -1.0302108188, 1e-10)
}

func TestCoordination(t *testing.T) {
	g, zero := Coordination(1), make([]float64, 8)
	for _, l := range must[[2]float64](t)(g.Losses(zero)) {
		near(t, "loss", l, -2*math.Ln2, 1e-12)
	}
	f := make([]float64, 8)
	if err := g.PseudoGradient(f, zero); err != nil || floats.Norm(f, 2) > 1e-15 {
		t.Errorf("F is %v at the equilibrium: %v", f, err)
	}
	j := must[*mat.Dense](t)(g.Jacobian(zero))
	for i := range 4 {
		for k := range 4 {
			own, cross := 0., 0.
			if i/2 == k/2 {
				sign := 1 - 2*math.Abs(float64(i-k))
				own, cross = .25*sign, -[]float64{.1375, .1125}[i/2]*sign
			}
			near(t, "J11", j.At(i, k), own, 1e-15)
			near(t, "J12", j.At(i, 4+k), cross, 1e-15)
		}
	}
	local := must[QuadraticGame](t)(g.Natural().Linearise(zero))
	b := must[GameBounds](t)(local.Bounds())
	for i := range 2 {
		near(t, "μ", b.Mu[i], 1, 1e-12)
		near(t, "L", b.L[i][1-i], .55, 1e-12)
	}
	limit, _, err := StabilityLimits(local)
	near(t, "NPG limit", limit, 2/1.55, 1e-12)
	if err != nil {
		t.Error(err)
	}
	raw, _, _ := StabilityLimits(QuadraticGame{H: mat.NewDense(2, 2, []float64{.5, -.275, -.275, .5}), Blocks: []int{1, 1}})
	near(t, "EPG limit", raw, 2/.775, 1e-12)
	for _, c := range []struct{ scale, radius, alpha, beta float64 }{
		{.25, .1, .8184, 1.1414}, {.5, .1, .6568, 1.2828}, {1, .1, .3334, 1.5718}, {1.5, .1, .0101, 1.8677}, {2, .1, -.3132, 2.1636}, {.5, .2, .547271, 1.289952},
	} {
		c1 := must[Certificate](t)(CertifyRegion(Coordination(c.scale).Natural(), must[[][]float64](t)(Vertices(zero, c.radius)), nil))
		near(t, "α", c1.Alpha, c.alpha, 2e-4) // the reference's is the best of a grid
		near(t, "β", c1.Beta, c.beta, 2e-4)
		if err := c1.Check(); err != nil || c1.Certified != (c.alpha > 0) {
			t.Errorf("%+v: %v", c1, err)
		}
	}
	c := must[Certificate](t)(CertifyRegion(g.Natural(), must[[][]float64](t)(Vertices(zero, .1)), nil))
	near(t, "μ", c.Mu[0], 0.934394, 1e-6)
	near(t, "L", c.L[0][1], 0.600919, 1e-6)
	scan := must[Scan](t)(ScanRatio(c.GameBounds, must[[]float64](t)(LogGrid(.01, 100, 200)), LargestMargin, nil))
	near(t, "α on the grid", scan.Alpha[scan.Best], 0.333435, 1e-6)
	if r := scan.Ratios[scan.Best]; math.Abs(r-.977) > 1e-3 && math.Abs(r-1.023) > 1e-3 {
		t.Errorf("best ratio of the grid is %g", r)
	}
}

// The fractions of the reference's grid of 321×321; real part ±1.5 beyond the eigenvalues, imaginary ±1.2.
func TestPseudospectrum(t *testing.T) {
	g := MiniToy(10, .05)
	re, im := make([]float64, 321), make([]float64, 321)
	floats.Span(re, 1-math.Sqrt(.5)-1.5, 1+math.Sqrt(.5)+1.5)
	floats.Span(im, -1.2, 1.2)
	for _, c := range []struct {
		weights []float64
		want    [3]float64
	}{{nil, [3]float64{.796, .278, .031}}, {[]float64{1, 200}, [3]float64{.059, .006, .0006}}} {
		z := must[[][]float64](t)(Pseudospectrum(must[*mat.Dense](t)(g.InMetric(c.weights)), re, im))
		for k, level := range []float64{.5, 1, 1.5} {
			count := 0
			for _, row := range z {
				for _, v := range row {
					count += int(is(v >= level))
				}
			}
			near(t, "fraction", float64(count)/321/321, c.want[k], []float64{5e-4, 5e-5}[int(is(c.want[k] < .001))])
		}
	}
	if z := must[[][]float64](t)(Pseudospectrum(mat.NewDense(1, 1, []float64{2}), []float64{2, 12}, []float64{0})); !math.IsInf(z[0][0], 1) || z[0][1] != -1 {
		t.Errorf("resolvent norms of 2 are %v", z)
	}
}

// The limits are where the spectral radii pass 1.
func TestStabilityLimits(t *testing.T) {
	for _, h := range []*mat.Dense{mat.NewDense(2, 2, []float64{1, 10, .05, 1}), mat.NewDense(2, 2, []float64{1, 10, -2, 1}), mat.NewDense(2, 2, []float64{3, 1, 0, 1})} {
		g := QuadraticGame{H: h, Blocks: []int{1, 1}}
		values := must[[]complex128](t)(g.Eigenvalues())
		euler, rk4, err := StabilityLimits(g)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "radius at Euler's limit", EulerRadius(values, euler), 1, 1e-12)
		near(t, "radius at RK4's limit", RK4Radius(values, rk4), 1, 1e-12)
	}
	if euler, rk4, err := StabilityLimits(MiniToy(1, 2)); euler != 0 || rk4 != 0 || err != nil {
		t.Errorf("an unstable flow has limits %g and %g: %v", euler, rk4, err)
	}
}

// The half disc of radius 2.616 is within the stability region of RK4, and none that is larger.
func TestRK4Region(t *testing.T) {
	worst := math.Inf(1)
	for k := range 20001 {
		angle := math.Pi / 2 * (float64(k)/10000 - 1)
		worst = math.Min(worst, firstExit(cmplx.Exp(complex(0, angle))))
	}
	near(t, "radius", worst, 2.616, 1e-3)
}
