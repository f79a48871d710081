package game

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// ErrNonFinite is wrapped where a run stopped because a value was no longer finite.
var ErrNonFinite = errors.New("not finite")

// Trajectory is the start of a run and the point after each of its steps.
type Trajectory struct{ X [][]float64 }

// Norms are the distances to a point in the metric of one weight a coordinate's player; weights nil: Euclidean.
func (t Trajectory) Norms(g Game, weights, from []float64) ([]float64, error) {
	blocks, err := blocksOf(g)
	if err != nil {
		return nil, err
	}
	if weights == nil {
		weights = make([]float64, len(blocks))
		floats.AddConst(1, weights)
	}
	if err := validWeights(weights, len(blocks)); err != nil {
		return nil, err
	}
	w := spread(weights, blocks)
	d := len(w)
	if len(from) != d {
		return nil, fmt.Errorf("game: Norms: from has %d values, must have %d", len(from), d)
	}
	out := make([]float64, len(t.X))
	for k, x := range t.X {
		if len(x) != d {
			return nil, fmt.Errorf("game: Norms: point %d has %d values, must have %d", k, len(x), d)
		}
		sum := 0.0
		for i, v := range x {
			sum += w[i] * (v - from[i]) * (v - from[i])
		}
		out[k] = math.Sqrt(sum)
	}
	return out, nil
}

// Set is a closed convex set of points.
type Set interface {
	// Project moves x to the nearest point of the set in the metric of one weight a coordinate.
	Project(x, weights []float64) error
}

// Box is a product of intervals, whose projection is the same for all weights. A nil side is open.
type Box struct{ Low, High []float64 }

// Project implements [Set].
func (b Box) Project(x, _ []float64) error {
	if b.Low != nil && len(b.Low) != len(x) || b.High != nil && len(b.High) != len(x) {
		return fmt.Errorf("game: Box: Low and High have %d and %d values, must have %d or be nil", len(b.Low), len(b.High), len(x))
	}
	for i := range x {
		if b.Low != nil && b.High != nil && !(b.Low[i] <= b.High[i]) {
			return fmt.Errorf("game: Box: Low[%d] is %g, must be at most High, %g", i, b.Low[i], b.High[i])
		}
		if b.Low != nil {
			x[i] = math.Max(x[i], b.Low[i])
		}
		if b.High != nil {
			x[i] = math.Min(x[i], b.High[i])
		}
	}
	return nil
}

// HalfSpace is the points with ⟨Normal, x⟩ ≤ Offset: a constraint that players share. Its projection depends on the weights.
type HalfSpace struct {
	Normal []float64 // not 0
	Offset float64
}

// Project implements [Set].
func (h HalfSpace) Project(x, weights []float64) error {
	if len(h.Normal) != len(x) || len(weights) != len(x) {
		return fmt.Errorf("game: HalfSpace: Normal has %d values for %d coordinates and %d weights, must be as many", len(h.Normal), len(x), len(weights))
	}
	over, size := floats.Dot(h.Normal, x)-h.Offset, 0.0
	for i, n := range h.Normal {
		size += n * n / weights[i]
	}
	if !(size > 0) {
		return fmt.Errorf("game: HalfSpace: Normal is %v, must not be 0", h.Normal)
	}
	if over > 0 {
		for i, n := range h.Normal {
			x[i] -= over / size * n / weights[i]
		}
	}
	return nil
}

// ProjectedEuler is x ← Π(x − h F(x)). With a certificate the distance to the equilibrium shrinks at each step by
// [Certificate.Contraction] at least, for every h in (0, 2α/β²).
type ProjectedEuler struct {
	Step float64 // h > 0
	Onto Set     // nil: all points. Where it is no product over the players, it is projected on in the metric of Weights
	// Weights of that metric, one a player; nil: those of Within, or else ones.
	Weights []float64
	Within  *Certificate // where given, a step that it does not certify is an error
}

// Run takes a number of steps. A step to a point that is not finite ends the run with [ErrNonFinite], and the trajectory so far.
func (e ProjectedEuler) Run(g Game, start []float64, steps int) (Trajectory, error) {
	if err := e.Within.admitsEuler(e.Step); err != nil {
		return Trajectory{}, err
	}
	blocks, err := blocksOf(g)
	if err != nil {
		return Trajectory{}, err
	}
	weights := e.Weights
	if weights == nil && e.Within != nil {
		weights = e.Within.Weights
	}
	if weights == nil {
		weights = make([]float64, len(blocks))
		floats.AddConst(1, weights)
	}
	if err := validWeights(weights, len(blocks)); err != nil {
		return Trajectory{}, err
	}
	w, f := spread(weights, blocks), make([]float64, len(start))
	return iterate("ProjectedEuler", g, e.Step, start, steps, func(next, x []float64) error {
		if err := g.PseudoGradient(f, x); err != nil {
			return err
		}
		floats.AddScaledTo(next, x, -e.Step, f)
		if e.Onto == nil {
			return nil
		}
		return e.Onto.Project(next, w)
	})
}

// RK4 is the classical Runge–Kutta method on the flow ẋ = −F(x).
type RK4 struct {
	Step   float64      // h > 0
	Within *Certificate // where given, a step above 2.5/β is an error
}

// Run takes a number of steps; errors as of [ProjectedEuler.Run].
func (r RK4) Run(g Game, start []float64, steps int) (Trajectory, error) {
	if err := r.Within.admitsRK4(r.Step); err != nil {
		return Trajectory{}, err
	}
	slopes, at := make([][]float64, 4), make([]float64, len(start))
	for k := range slopes {
		slopes[k] = make([]float64, len(start))
	}
	return iterate("RK4", g, r.Step, start, steps, func(next, x []float64) error {
		copy(next, x)
		copy(at, x)
		for k, f := range slopes {
			if err := g.PseudoGradient(f, at); err != nil {
				return err
			}
			floats.AddScaled(next, -r.Step*[4]float64{1, 2, 2, 1}[k]/6, f)
			if k < 3 {
				floats.AddScaledTo(at, x, -r.Step*[3]float64{0.5, 0.5, 1}[k], f)
			}
		}
		return nil
	})
}

// iterate runs a map from a start; the points are rows of one allocation.
func iterate(method string, g Game, step float64, start []float64, steps int, advance func(next, x []float64) error) (Trajectory, error) {
	blocks, err := blocksOf(g)
	if err != nil {
		return Trajectory{}, err
	}
	d, err := dimension(blocks)
	if len(start) != d {
		err = fmt.Errorf("game: %s: the start has %d values, must have %d", method, len(start), d)
	}
	if !(step > 0) || math.IsInf(step, 0) {
		err = errors.Join(err, fmt.Errorf("game: %s: Step is %g, must be positive and finite", method, step))
	}
	if steps < 0 {
		err = errors.Join(err, fmt.Errorf("game: %s: steps is %d, must be at least 0", method, steps))
	}
	if !finite(start) {
		err = errors.Join(err, fmt.Errorf("game: %s: the start is %v, must be finite", method, start))
	}
	if err != nil {
		return Trajectory{}, err
	}
	all := make([]float64, (steps+1)*d)
	t := Trajectory{X: make([][]float64, 1, steps+1)}
	t.X[0] = all[:d:d]
	copy(t.X[0], start)
	for k := range steps {
		next := all[(k+1)*d : (k+2)*d : (k+2)*d]
		if err := advance(next, t.X[k]); err != nil {
			return t, fmt.Errorf("game: %s: step %d: %w", method, k+1, err)
		}
		if !finite(next) {
			return t, fmt.Errorf("game: %s: step %d: the point is %w", method, k+1, ErrNonFinite)
		}
		t.X = append(t.X, next)
	}
	return t, nil
}

func finite(x []float64) bool {
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
