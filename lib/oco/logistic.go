package oco

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Logistic is a stream of logistic losses f_t(w) = log(1 + exp(−y_t ⟨a_t, w⟩)).
type Logistic struct {
	A *mat.Dense // T×d, one round a row
	Y []float64  // T labels, −1 or +1
}

// NewLogistic draws a stream of rounds rounds in dim dimensions: a_t ~ N(0, I)/√dim, w* ~ N(0, 4·I), and y_t = +1 with
// probability σ(⟨a_t, w*⟩), else −1. The same seed gives the same stream on every machine.
func NewLogistic(rounds, dim int, seed uint64) (*Logistic, error) {
	var errs []error
	if rounds < 1 {
		errs = append(errs, fmt.Errorf("oco: NewLogistic: rounds is %d, must be at least 1", rounds))
	}
	if dim < 1 {
		errs = append(errs, fmt.Errorf("oco: NewLogistic: dim is %d, must be at least 1", dim))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	rng := rand.New(rand.NewPCG(seed, 0x6c6f67697374)) // the stream is this generator's only purpose
	star := make([]float64, dim)
	for i := range star {
		star[i] = 2 * rng.NormFloat64()
	}
	l := &Logistic{A: mat.NewDense(rounds, dim, nil), Y: make([]float64, rounds)}
	scale := 1 / math.Sqrt(float64(dim))
	for t := range rounds {
		row := l.A.RawRowView(t)
		for i := range row {
			row[i] = scale * rng.NormFloat64()
		}
		l.Y[t] = -1
		if rng.Float64() < sigmoid(floats.Dot(row, star)) {
			l.Y[t] = 1
		}
	}
	return l, nil
}

// Rounds is T, the number of losses.
func (l *Logistic) Rounds() int { return len(l.Y) }

// Dim is d, the dimension of w.
func (l *Logistic) Dim() int { _, d := l.A.Dims(); return d }

// Losses returns f_1(w) … f_T(w) at one point.
func (l *Logistic) Losses(w []float64) ([]float64, error) {
	if len(w) != l.Dim() {
		return nil, fmt.Errorf("oco: Logistic.Losses: w has %d entries, must have %d", len(w), l.Dim())
	}
	out := make([]float64, l.Rounds())
	for t := range out {
		out[t] = softplus(-l.Y[t] * floats.Dot(l.A.RawRowView(t), w))
	}
	return out, nil
}

// Minimizer returns the best fixed point in hindsight, argmin_w Σ_t f_t(w), by Newton's method with backtracking, to a
// gradient norm below 1e-9·T. It fails with [ErrNoMinimizer] where the labels are separable, so that none exists.
func (l *Logistic) Minimizer() ([]float64, error) {
	d := l.Dim()
	w := make([]float64, d)
	grad := mat.NewVecDense(d, nil)
	hess := mat.NewSymDense(d, nil)
	var chol mat.Cholesky
	step := mat.NewVecDense(d, nil)
	value := l.derivatives(w, grad, hess)
	trial := make([]float64, d)
	for range 100 {
		if mat.Norm(grad, 2) <= 1e-9*float64(l.Rounds()) {
			return l.finite(w)
		}
		if floats.Norm(w, 2) > 1e4 || !chol.Factorize(hess) {
			return nil, ErrNoMinimizer
		}
		if err := chol.SolveVecTo(step, grad); err != nil {
			return nil, fmt.Errorf("%w (%w)", ErrNoMinimizer, err)
		}
		decrease := mat.Dot(step, grad)
		for size := 1.0; ; size /= 2 {
			if size < 1e-12 { // no decrease left in float64: as good as it gets
				return l.finite(w)
			}
			copy(trial, w)
			floats.AddScaled(trial, -size, step.RawVector().Data)
			if next := l.value(trial); next <= value-1e-4*size*decrease {
				copy(w, trial)
				break
			}
		}
		value = l.derivatives(w, grad, hess)
	}
	return nil, fmt.Errorf("oco: Logistic.Minimizer: no convergence in 100 Newton steps: %w", ErrNoMinimizer)
}

// ErrNoMinimizer says that a stream of losses has no finite best point in hindsight.
var ErrNoMinimizer = errors.New("oco: the losses have no finite minimizer in hindsight: the labels are separable or the features dependent; use more rounds")

// finite refuses a point that separates the labels: moving further along it lowers every loss, for ever.
func (l *Logistic) finite(w []float64) ([]float64, error) {
	for t, y := range l.Y {
		if y*floats.Dot(l.A.RawRowView(t), w) <= 0 {
			return w, nil
		}
	}
	return nil, ErrNoMinimizer
}

func (l *Logistic) value(w []float64) float64 {
	var sum float64
	for t, y := range l.Y {
		sum += softplus(-y * floats.Dot(l.A.RawRowView(t), w))
	}
	return sum
}

// derivatives fills the gradient and Hessian of Σ_t f_t at w and returns the value.
func (l *Logistic) derivatives(w []float64, grad *mat.VecDense, hess *mat.SymDense) float64 {
	grad.Zero()
	hess.Zero()
	var sum float64
	for t, y := range l.Y {
		row := mat.NewVecDense(l.Dim(), l.A.RawRowView(t))
		z := -y * mat.Dot(row, mat.NewVecDense(len(w), w))
		p := sigmoid(z)
		sum += softplus(z)
		grad.AddScaledVec(grad, -y*p, row)
		hess.SymRankOne(hess, p*(1-p), row)
	}
	return sum
}

func sigmoid(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

// softplus is log(1 + eˣ) without overflow.
func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
