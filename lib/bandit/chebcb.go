package bandit

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// ChebCB chooses among d values of a parameter with a context in an interval [low, high]. For each value it fits the cost as a
// Chebyshev series of the context, by least squares over the rounds in which it played that value, with bounds on the
// coefficients that a Lipschitz cost obeys; it draws by inverse-gap weighting, the more greedily the better the fits were:
//
//	p_i = 1/(d + η(ŷ_i − ŷ_*)) for all i but the best, which has the rest;   η = 2t√(dt/(R − r + 2α²t)),
//
// where R are the squared errors of the predictions that it made, r is the residual of the round's last bounded fit, and α
// bounds the error of the series. Range and slope of the cost need not be known: they are those of the costs so far, and the
// bounds follow them. The action is an index on the grid, the feedback a cost of at least 1.
//
// With m features a round takes O(dm) time, O(dm³) where the range of the costs grows, and the learner O(dm²) memory: the fits
// need the Gram matrix of each value's features, not the rounds.
//
// Source: Khodak et al. (2024), ChebCB, learners/ChebCB.m, which has m = 6. There the least of the costs counts rounds still to
// come as 0; here it is the least of the costs so far.
type ChebCB struct {
	grid      []float64
	rng       *rand.Rand
	low, high float64
	fits      []chebFit
	feature   []float64 // of the last context
	p, y      []float64
	played    int // -1 before Act
	t         int // rounds so far
	eta       float64

	least, most, scale float64 // of the costs so far; scale divides costs where the analysis wants them small
	// Sums over the rounds of the squared prediction, of prediction times cost, and of the squared cost. Predictions are of
	// (cost−1)/scale at the scale of their round.
	predicted, cross, squared float64
	prediction                float64 // of the last Act
}

var _ online.Learner[float64, int, float64] = (*ChebCB)(nil)

// chebFit is the regression for one value, of m features.
type chebFit struct {
	rounds int
	gram   []float64 // Σ f fᵀ, m×m
	moment []float64 // Σ f·(cost − 1)
	square float64   // Σ (cost − 1)²
	free   []float64 // least squares without bounds, of least norm
	theta  []float64 // within the bounds
}

// NewChebCB makes a learner over a grid of at least one finite value, with the given number of features, at least 1, on
// [low, high].
func NewChebCB(grid []float64, features int, low, high float64, seed uint64) (*ChebCB, error) {
	err := errors.Join(tsallisGrid("NewChebCB", grid), tsallisInterval("NewChebCB", low, high))
	if features < 1 {
		err = errors.Join(err, fmt.Errorf("bandit: NewChebCB: features is %d, must be at least 1", features))
	}
	if err != nil {
		return nil, err
	}
	d := len(grid)
	l := &ChebCB{grid: slices.Clone(grid), rng: online.Seeded(seed, "bandit: ChebCB"), low: low, high: high, fits: make([]chebFit, d),
		feature: make([]float64, features), p: make([]float64, d), y: make([]float64, d), played: -1, least: math.Inf(1)}
	for i := range l.fits {
		l.fits[i] = chebFit{gram: make([]float64, features*features), moment: make([]float64, features), free: make([]float64, features), theta: make([]float64, features)}
	}
	return l, nil
}

// Grid is what the actions stand for; it belongs to the learner.
func (l *ChebCB) Grid() []float64 { return l.grid }

// Probabilities are those of the last Act; they belong to the learner and are good until the next.
func (l *ChebCB) Probabilities() []float64 { return l.p }

// Predict is the cost that the learner expects of an action in a context: 1 for an action that it never played.
func (l *ChebCB) Predict(context float64, action int) (float64, error) {
	if err := tsallisContext("ChebCB", context, l.low, l.high); err != nil {
		return 0, err
	}
	if action < 0 || action >= len(l.grid) {
		return 0, fmt.Errorf("bandit: ChebCB: action is %d, must be in 0, …, %d", action, len(l.grid)-1)
	}
	f := make([]float64, len(l.feature))
	l.chebyshev(f, context)
	return 1 + floats.Dot(l.fits[action].theta, f), nil
}

// chebyshev sets f to T_0(u), T_1(u), … at the context's place u in [−1, 1].
func (l *ChebCB) chebyshev(f []float64, context float64) {
	u := 2*(context-l.low)/(l.high-l.low) - 1
	f[0] = 1
	if len(f) > 1 {
		f[1] = u
	}
	for j := 2; j < len(f); j++ {
		f[j] = 2*u*f[j-1] - f[j-2]
	}
}

// Act draws an index on the grid; the first round is uniform. A context outside [low, high], or a second Act in a row, is an
// error.
func (l *ChebCB) Act(context float64) (int, error) {
	if err := tsallisContext("ChebCB", context, l.low, l.high); err != nil {
		return 0, err
	}
	if l.played >= 0 {
		return 0, errors.New("bandit: ChebCB: Act follows Act, must follow Learn")
	}
	l.chebyshev(l.feature, context)
	scale := l.scale
	if l.t == 0 {
		scale = 1
	}
	for i := range l.fits {
		l.y[i] = floats.Dot(l.fits[i].theta, l.feature) / scale
	}
	best := floats.MinIdx(l.y)
	rest := 1.0
	for i, y := range l.y {
		if i != best {
			l.p[i] = 1 / (float64(len(l.y)) + l.eta*(y-l.y[best]))
			rest -= l.p[i]
		}
	}
	l.p[best] = rest
	l.played = tsallisDraw(l.p, l.rng)
	l.prediction = l.y[l.played]
	return l.played, nil
}

// Learn takes the cost of what the last Act chose: finite, at least 1.
func (l *ChebCB) Learn(cost float64) error {
	if l.played < 0 {
		return errors.New("bandit: ChebCB: Learn without Act")
	}
	if err := tsallisCost("ChebCB", cost); err != nil {
		return err
	}
	d, m := float64(len(l.grid)), float64(len(l.feature))
	played := &l.fits[l.played]
	played.add(l.feature, cost-1)
	l.played = -1
	l.t++
	l.least, l.most = math.Min(l.least, cost), math.Max(l.most, cost)
	// With K the largest cost and Lip the slope, (high − low)·Lip is the range; the scale is K·N with
	// N = 2 + 4(high − low)(Lip/K)(1 + ln m). The bounds 1/N and 2(high − low)Lip/(scale·j) on the coefficients of
	// (cost−1)/scale are K and 2·range/j on those of the cost itself, which is what is fitted.
	span := l.most - l.least
	scale := 2*l.most + 4*span*(1+math.Log(m))
	residual := 0.0
	for i := range l.fits {
		f := &l.fits[i]
		if f.rounds > 0 && (f == played || scale != l.scale) {
			if f.bound(l.most, span) {
				residual = f.residual() / (scale * scale)
			}
		}
	}
	l.scale = scale
	l.predicted += l.prediction * l.prediction
	l.cross += l.prediction * cost
	l.squared += cost * cost
	errorsSquared := l.predicted - 2*l.cross/scale + l.squared/(scale*scale)
	alpha := (math.Pi + 2/math.Pi*math.Log(2*m+1)) / (2 * scale * (m + 1)) * span
	t := float64(l.t)
	// Costs that are all the same leave nothing below the root: then η is large, not infinite.
	l.eta = 2 * t * math.Sqrt(d*t/math.Max(1e-300, errorsSquared-residual+2*alpha*alpha*t))
	return nil
}

// row is a row of the Gram matrix.
func (f *chebFit) row(j int) []float64 { return f.gram[j*len(f.theta):][:len(f.theta)] }

// add takes a round into the regression and solves it without bounds.
func (f *chebFit) add(feature []float64, y float64) {
	f.rounds++
	for j, x := range feature {
		floats.AddScaled(f.row(j), x, feature)
	}
	floats.AddScaled(f.moment, y, feature)
	f.square += y * y
	// The Gram matrix's inverse, with no part where it is 0 up to rounding: the solution of least norm.
	var e mat.EigenSym
	if !e.Factorize(mat.NewSymDense(len(feature), f.gram), true) {
		return // a finite symmetric matrix has its decomposition; if it were not found, the last fit stands
	}
	clear(f.free)
	values := e.Values(nil)
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	column := make([]float64, len(feature))
	for k, v := range values {
		if v <= 1e-10*values[len(values)-1] {
			continue
		}
		mat.Col(column, k, &vectors)
		floats.AddScaled(f.free, floats.Dot(column, f.moment)/v, column)
	}
}

// bound sets theta to the least-squares solution within |θ_0| ≤ most and |θ_j| ≤ 2·span/j, neither of which ever shrinks, and
// says whether the bounds had to be put to work.
func (f *chebFit) bound(most, span float64) bool {
	limit := func(j int) float64 {
		if j == 0 {
			return most
		}
		return 2 * span / float64(j)
	}
	outside := false
	for j, v := range f.free {
		outside = outside || math.Abs(v) > limit(j)
	}
	if !outside {
		copy(f.theta, f.free)
		return false
	}
	f.activeSet(limit)
	return true
}

// activeSet moves theta, which is within the limits, to the least squares there: to the minimum with the held coordinates where
// they are, as far as the first limit, which is then held too; at a minimum the held coordinate that pulls inwards most is let go.
func (f *chebFit) activeSet(limit func(j int) float64) {
	m := len(f.theta)
	// The ridge makes the solution unique where the rounds do not, and is too small to be seen elsewhere.
	var ridge float64
	for j := range m {
		ridge += 1e-12 * f.row(j)[j]
	}
	held := make([]float64, m) // the side, -1 or 1; 0: free
	for j, x := range f.theta {
		if c := limit(j); math.Abs(x) >= c {
			held[j] = math.Copysign(1, x)
		}
	}
	slope := func(j int) float64 { return floats.Dot(f.row(j), f.theta) + ridge*f.theta[j] - f.moment[j] }
	for range 50 * m { // a few times m do; ties could go round in circles
		step, first := f.newton(held, ridge, slope), -1
		part := 1.0
		for j, s := range step {
			if c := limit(j); s != 0 && math.Abs(f.theta[j]+s) > c {
				if p := math.Max(0, (math.Copysign(c, s)-f.theta[j])/s); p <= part {
					part, first = p, j
				}
			}
		}
		floats.AddScaled(f.theta, part, step)
		if first >= 0 {
			held[first] = math.Copysign(1, step[first])
			f.theta[first] = held[first] * limit(first)
			continue
		}
		worst, release := 0.0, -1
		for j, side := range held {
			pull := side * slope(j)
			if side != 0 && limit(j) > 0 && pull > worst && pull > 1e-9*math.Sqrt(f.row(j)[j]*f.square) {
				worst, release = pull, j
			}
		}
		if release < 0 {
			return
		}
		held[release] = 0
	}
}

// newton is the step to the minimum over the free coordinates.
func (f *chebFit) newton(held []float64, ridge float64, slope func(int) float64) []float64 {
	step := make([]float64, len(held))
	var free []int
	for j, side := range held {
		if side == 0 {
			free = append(free, j)
		}
	}
	if len(free) == 0 {
		return step
	}
	gram, right := mat.NewSymDense(len(free), nil), mat.NewVecDense(len(free), nil)
	for a, j := range free {
		for b, k := range free[a:] {
			gram.SetSym(a, a+b, f.row(j)[k])
		}
		gram.SetSym(a, a, f.row(j)[j]+ridge)
		right.SetVec(a, -slope(j))
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(gram) {
		return step // the ridge is above rounding: it does not happen, and theta stays within its limits if it did
	}
	_ = cholesky.SolveVecTo(right, right) // its error is a warning of the condition, which the ridge bounds
	for a, j := range free {
		step[j] = right.AtVec(a)
	}
	return step
}

// residual is the squared error of the fit over its rounds.
func (f *chebFit) residual() float64 {
	r := f.square
	for j, x := range f.theta {
		r += x * (floats.Dot(f.row(j), f.theta) - 2*f.moment[j])
	}
	return math.Max(0, r)
}
