package game

import (
	"errors"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func refuses(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one of %q", words)
		return
	}
	for _, w := range append(words, "game: ") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
}

func TestBadBounds(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		b     GameBounds
		words []string
	}{
		{GameBounds{}, []string{"Mu has 0 players, must have at least 2"}},
		{GameBounds{[]float64{1}, [][]float64{{0}}}, []string{"Mu has 1 players"}},
		{GameBounds{[]float64{-.25, 1}, [][]float64{{0, 1}, {1, 0}}}, []string{"Mu[0] is -0.25, must be positive"}},
		{GameBounds{[]float64{0, nan}, [][]float64{{0, 1}, {1, 0}}}, []string{"Mu[0] is 0", "Mu[1] is NaN"}},
		{GameBounds{[]float64{1, inf}, [][]float64{{0, -1}, {nan, 2}}}, []string{"Mu[1] is +Inf", "L[0][1] is -1", "L[1][0] is NaN", "L[1][1] is 2, must be 0"}},
		{GameBounds{[]float64{1, 1}, [][]float64{{0, 1}}}, []string{"L has 1 rows, must have 2"}},
		{GameBounds{[]float64{1, 1}, [][]float64{{0}, {1, 0}}}, []string{"L[0] has 1 values"}},
	} {
		refuses(t, c.b.Validate(), c.words...)
		_, err := Margin(c.b, []float64{1, 1})
		refuses(t, err, c.words...)
		_, _, err = BestWeights(c.b)
		refuses(t, err, c.words...)
		_, err = c.b.SpectralRadius()
		refuses(t, err, c.words...)
		_, _, err = SearchWeights(c.b, 1, 0)
		refuses(t, err, c.words...)
	}
	good := GameBounds{[]float64{1, 1}, [][]float64{{0, .1}, {.1, 0}}}
	for _, w := range [][]float64{nil, {1}, {1, 0}, {1, -1}, {nan, 1}, {inf, 1}, {1, 1, 1}} {
		_, err := Margin(good, w)
		refuses(t, err, "weights")
	}
	_, _, err := SearchWeights(good, 0, 0)
	refuses(t, err, "starts is 0")
	_, err = Band(1, -1, 1, 1, 0)
	refuses(t, err, "Mu[1] is -1")
	_, err = Band(1, 1, 1, 1, nan)
	refuses(t, err, "target is NaN")
	_, err = ScanRatio(GameBounds{[]float64{1, 1, 1}, [][]float64{{0, 0, 0}, {0, 0, 0}, {0, 0, 0}}}, nil, 7, nil)
	refuses(t, err, "3 players", "grid is empty", "objective is 7")
	_, err = ScanRatio(good, []float64{1}, LargestEuler, nil)
	refuses(t, err, "beta is nil")
	_, err = ScanRatio(good, []float64{-1}, LargestMargin, nil)
	refuses(t, err, "w[1] is -1")
	_, err = LogGrid(1, 1, 5)
	refuses(t, err, "LogGrid")
}

// A game without a certificate is a value; who insists gets the number that fails.
func TestInfeasible(t *testing.T) {
	c := must[Certificate](t)(CertifyQuadratic(MiniToy(10, .2), nil))
	if c.Certified || c.EulerStep != 0 || c.RK4Step != 0 || c.Alpha > 0 || c.Check() != nil {
		t.Errorf("%+v: %v", c, c.Check())
	}
	near(t, "α", c.Alpha, 1-math.Sqrt2, 1e-12)
	err := c.Require()
	refuses(t, err, "infeasible: the spectral radius of diag(1/μ)L is 1.41421", "must be below 1")
	if !errors.Is(err, ErrUncertified) {
		t.Error("the error is not ErrUncertified")
	}
	ones := must[Certificate](t)(CertifyQuadratic(MiniToy(10, .05), []float64{1, 1}))
	refuses(t, ones.Require(), "weights [1 1] is -4.025", "spectral radius of diag(1/μ)L is 0.707")
	_, err = ProjectedEuler{Step: .1, Within: &c}.Run(MiniToy(10, .2), []float64{1, 1}, 1)
	refuses(t, err, "spectral radius")
	_, err = CertifyQuadratic(QuadraticGame{H: mat.NewDense(2, 2, []float64{-.5, 0, 0, 1}), Blocks: []int{1, 1}}, nil)
	refuses(t, err, "Mu[0] is -0.5, must be positive")
	_, err = CertifyRegion(Coordination(1), [][]float64{make([]float64, 8)}, nil)
	refuses(t, err, "Mu[0] is ", "must be positive")
}

func TestStepsOutsideTheInterval(t *testing.T) {
	g, start := MiniToy(10, .05), []float64{.15, -.15}
	c := must[Certificate](t)(CertifyQuadratic(g, nil))
	for _, h := range []float64{0, -1, .2011, c.EulerStep, math.NaN(), math.Inf(1)} {
		_, err := ProjectedEuler{Step: h, Within: &c}.Run(g, start, 1)
		refuses(t, err, "must be between 0 and 0.20101")
	}
	for _, h := range []float64{0, -1, 1.47, math.NaN()} {
		_, err := RK4{Step: h, Within: &c}.Run(g, start, 1)
		refuses(t, err, "at most 1.46446")
	}
	if _, err := (RK4{Step: c.RK4Step, Within: &c}).Run(g, start, 1); err != nil {
		t.Error(err)
	}
	_, err := NPG(Coordination(1), make([]float64, 8), PolicyGradient{Step: .3, Within: &c})
	refuses(t, err, "must be between 0 and 0.20101")
	_, err = EPG(Coordination(1), make([]float64, 8), PolicyGradient{Step: .1, Within: &c})
	refuses(t, err, "Within is given")
}

func TestBadRuns(t *testing.T) {
	g, start := MiniToy(10, .05), []float64{.15, -.15}
	for _, h := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		_, err := ProjectedEuler{Step: h}.Run(g, start, 1)
		refuses(t, err, "Step is")
		_, err = RK4{Step: h}.Run(g, start, 1)
		refuses(t, err, "Step is")
		_, err = NPG(Coordination(1), make([]float64, 8), PolicyGradient{Step: h, MaxSteps: -1, Tolerance: -1})
		refuses(t, err, "Step is", "MaxSteps is -1", "Tolerance is -1")
	}
	_, err := ProjectedEuler{Step: 1}.Run(g, []float64{1}, -1)
	refuses(t, err, "start has 1 values, must have 2", "steps is -1")
	_, err = RK4{Step: 1}.Run(g, []float64{1, math.NaN()}, 1)
	refuses(t, err, "must be finite")
	_, err = ProjectedEuler{Step: 1, Weights: []float64{1, 0}}.Run(g, start, 1)
	refuses(t, err, "w[1] is 0")
	_, err = ProjectedEuler{Step: 1, Onto: Box{Low: []float64{0}}}.Run(g, start, 1)
	refuses(t, err, "Box")
	_, err = ProjectedEuler{Step: 1, Onto: Box{Low: []float64{1, 1}, High: []float64{0, 2}}}.Run(g, start, 1)
	refuses(t, err, "Low[0] is 1, must be at most High, 0")
	_, err = ProjectedEuler{Step: 1, Onto: HalfSpace{Normal: []float64{0, 0}}}.Run(g, start, 1)
	refuses(t, err, "must not be 0")
	still := must[Trajectory](t)(RK4{Step: 1}.Run(g, start, 0))
	if len(still.X) != 1 || still.X[0][0] != start[0] {
		t.Errorf("no steps give %v", still.X)
	}
	burst, err := ProjectedEuler{Step: 1e200}.Run(g, start, 50)
	refuses(t, err, "step ", "not finite")
	if !errors.Is(err, ErrNonFinite) || len(burst.X) < 2 || !finite(burst.X[len(burst.X)-1]) {
		t.Errorf("%v, after %d points", err, len(burst.X))
	}
	_, err = burst.Norms(g, nil, []float64{0})
	refuses(t, err, "from has 1 values")
}

func TestBadGames(t *testing.T) {
	eye := mat.NewDense(2, 2, []float64{1, 0, 0, 1})
	for _, c := range []struct {
		g    QuadraticGame
		word string
	}{
		{QuadraticGame{Blocks: []int{1, 1}}, "H is nil"},
		{QuadraticGame{H: eye}, "0 players, must be at least 2"},
		{QuadraticGame{H: eye, Blocks: []int{2}}, "1 players"},
		{QuadraticGame{H: eye, Blocks: []int{2, 0}}, "size 0 of player 2"},
		{QuadraticGame{H: eye, Blocks: []int{1, 2}}, "H is 2×2, must be 3×3"},
		{QuadraticGame{H: eye, Blocks: []int{1, 1}, Offset: []float64{1}}, "Offset has 1 values"},
		{QuadraticGame{H: mat.NewDense(2, 2, []float64{1, math.NaN(), 0, 1}), Blocks: []int{1, 1}}, "H[0][1] is NaN"},
	} {
		_, err := CertifyQuadratic(c.g, nil)
		refuses(t, err, c.word)
		_, err = CertifyRegion(c.g, [][]float64{{0, 0}}, nil)
		refuses(t, err, c.word)
		_, _, err = StabilityLimits(c.g)
		refuses(t, err, c.word)
	}
	_, err := CertifyQuadratic(MiniToy(10, .05), []float64{1})
	refuses(t, err, "weights: there are 1, must be 2")
	_, err = CertifyRegion(MiniToy(1, 1), nil, nil)
	refuses(t, err, "no points")
	_, err = Coupled(eye, eye, mat.NewDense(1, 2, nil), eye)
	refuses(t, err, "do not fit")
	_, err = Vertices(nil, 1)
	refuses(t, err, "0 coordinates")
	_, err = Vertices([]float64{0}, math.NaN())
	refuses(t, err, "radius is NaN")
	_, err = Pseudospectrum(mat.NewDense(1, 2, nil), []float64{0}, []float64{0})
	refuses(t, err, "1×2")
	_, err = Pseudospectrum(eye, nil, []float64{0})
	refuses(t, err, "1×0")
	_, err = RandomFamily(0, 1, 1, nil)
	refuses(t, err, "d is 0")
	_, err = RandomFamily(2, 1, 1, nil)
	refuses(t, err, "rng is nil")
	_, err = LinearQuadratic(2, 1, 1, 1.5, nil)
	refuses(t, err, "noise is 1.5")
	_, err = Coupled(eye, nil, eye, eye)
	refuses(t, err, "nil")
	_, err = Family{}.At(1)
	refuses(t, err, "nil")
	_, err = Pseudospectrum(nil, nil, nil)
	refuses(t, err, "nil")
	for _, g := range []Game{nil, Natural{}, QuadraticGame{}, (*MarkovGame)(nil)} {
		_, err = CertifyRegion(g, [][]float64{{0, 0}}, nil)
		refuses(t, err)
		_, err = ProjectedEuler{Step: 1}.Run(g, []float64{0, 0}, 1)
		refuses(t, err)
		_, err = RK4{Step: 1}.Run(g, []float64{0, 0}, 1)
		refuses(t, err)
		_, err = Trajectory{}.Norms(g, nil, nil)
		refuses(t, err)
	}
	_, err = NPG(nil, nil, PolicyGradient{Step: 1})
	refuses(t, err, "nil")
}

func TestBadMarkovGames(t *testing.T) {
	for word, spoil := range map[string]func(g *MarkovGame){
		"Discount is 1":               func(g *MarkovGame) { g.Discount = 1 },
		"Entropy is NaN":              func(g *MarkovGame) { g.Entropy = math.NaN() },
		"Start is [0.5 0]":            func(g *MarkovGame) { g.Start = []float64{.5, 0} },
		"and an action each":          func(g *MarkovGame) { g.Start = nil },
		"Transition[0][0][0] is [1 1": func(g *MarkovGame) { g.Transition[0][0][0] = []float64{1, 1} },
		"Reward at [0][0][0] is NaN":  func(g *MarkovGame) { g.Reward[0][0][0][0] = math.NaN() },
		"actions of player 1":         func(g *MarkovGame) { g.Transition[1] = g.Transition[1][:1] },
		"actions of player 2":         func(g *MarkovGame) { g.Transition[1][0] = g.Transition[1][0][:1] },
	} {
		g := Coordination(1)
		spoil(g)
		refuses(t, g.Validate(), word)
		refuses(t, g.PseudoGradient(make([]float64, 8), make([]float64, 8)), word)
		_, err := g.Natural().Linearise(make([]float64, 8))
		refuses(t, err, word)
	}
	g := Coordination(1)
	refuses(t, g.PseudoGradient(make([]float64, 8), make([]float64, 7)), "dst has 8")
	_, err := g.Losses(make([]float64, 7))
	refuses(t, err, "θ has 7 values, must have 8")
	_, err = g.Losses([]float64{0, 0, 0, 0, 0, 0, 0, math.Inf(1)})
	refuses(t, err, "must be finite")
	_, err = g.Fisher(make([]float64, 8), 2)
	refuses(t, err, "player is 2")
	_, err = g.Natural().Linearise([]float64{200, 0, 0, 0, 0, 0, 0, 0})
	refuses(t, err, "deterministic")
	_, err = g.Divergence(make([]float64, 8), make([]float64, 8), []float64{1})
	refuses(t, err, "weights")
	var empty MarkovGame
	_, err = NPG(&empty, nil, PolicyGradient{Step: 1})
	refuses(t, err, "an action each")
	// Extreme logits that underflow are no error of the losses.
	l := must[[2]float64](t)(g.Losses([]float64{2000, 0, 0, 0, 0, 0, 0, 0}))
	if !finite(l[:]) {
		t.Errorf("losses are %v", l)
	}
	single := &MarkovGame{Transition: [][][][]float64{{{{1}}}}, Reward: [2][][][]float64{{{{1}}}, {{{1}}}}, Start: []float64{1}}
	_, err = single.Natural().Linearise([]float64{0, 0})
	refuses(t, err, "single action")
}
