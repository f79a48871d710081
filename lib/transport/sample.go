package transport

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// SamplePlan draws y ~ π(·|x) for each row of x, exactly and in one shot: a component k ~ w(x), then N(r_k + S_k x, ε S_k).
func (b *Bridge) SamplePlan(x *mat.Dense, rng *rand.Rand) (*mat.Dense, error) {
	if err := errors.Join(b.checkSamples("SamplePlan", "x", x), checkRand("SamplePlan", rng)); err != nil {
		return nil, err
	}
	n, _ := x.Dims()
	y, w, noise := mat.NewDense(n, b.dim, nil), b.workspace(), make([]float64, b.dim)
	for i := range n {
		b.normalizer(w, x.RawRowView(i))
		p := &b.parts[choose(w.logits, rng.Float64())]
		p.conditionalMean(y.RawRowView(i), w.turned, x.RawRowView(i))
		for d := range noise {
			noise[d] = math.Sqrt(b.eps*p.s[d]) * rng.NormFloat64()
		}
		p.addBack(y.RawRowView(i), 1, noise)
	}
	return y, nil
}

// choose takes the place at which the weights of the logits, added up, pass u in [0, 1).
func choose(logits []float64, u float64) int {
	total, sum, last := floats.LogSumExp(logits), 0.0, 0
	for k, v := range logits {
		weight := math.Exp(v - total)
		if weight > 0 {
			last = k
		}
		if sum += weight; u < sum {
			return k
		}
	}
	return last // rounding left the sum below u
}

// SampleAt draws the process at time t in [0, 1] from x at time 0: (1−t)x + ty + √(εt(1−t))·z with y from the plan, which
// is exact.
func (b *Bridge) SampleAt(x *mat.Dense, t float64, rng *rand.Rand) (*mat.Dense, error) {
	if !(t >= 0 && t <= 1) {
		return nil, fmt.Errorf("transport: SampleAt: t is %g, must be in [0, 1]", t)
	}
	y, err := b.SamplePlan(x, rng)
	if err != nil {
		return nil, err
	}
	deviation := math.Sqrt(b.eps * t * (1 - t))
	y.Apply(func(i, j int, v float64) float64 { return (1-t)*x.At(i, j) + t*v + deviation*rng.NormFloat64() }, y)
	return y, nil
}

// SampleBridge draws whole paths from x: the end from the plan, then a Brownian bridge to it, at times 0, 1/steps, …, 1. It
// is the process itself, whatever the number of steps. The result has steps+1 matrices shaped like x.
func (b *Bridge) SampleBridge(x *mat.Dense, steps int, rng *rand.Rand) ([]*mat.Dense, error) {
	if err := checkSteps("SampleBridge", steps); err != nil {
		return nil, err
	}
	y, err := b.SamplePlan(x, rng)
	if err != nil {
		return nil, err
	}
	path := []*mat.Dense{mat.DenseCopyOf(x)}
	for i := range steps - 1 {
		left := float64(steps - i) // steps to the end, each 1/steps long
		deviation := math.Sqrt(b.eps * (left - 1) / left / float64(steps))
		next := mat.DenseCopyOf(path[i])
		next.Apply(func(i, j int, v float64) float64 { return v + (y.At(i, j)-v)/left + deviation*rng.NormFloat64() }, next)
		path = append(path, next)
	}
	return append(path, y), nil
}

// Drift is g(x, t) of dX = g dt + √ε dW for each row of x, t in [0, 1): at t = 1 it is singular.
//
//	g(x, t) = (Σ_k ω_k (S_k⁻¹ + uI)⁻¹(x/(1−t) + S_k⁻¹r_k) − x)/(1−t),  u = t/(1−t)
//
// with ω the components' weights given X_t = x. At t = 0 it is E[y|x] − x.
//
// Source: Korotin, Gushchin, Burnaev (2024), Light Schrödinger Bridge.
func (b *Bridge) Drift(x *mat.Dense, t float64) (*mat.Dense, error) {
	err := b.checkSamples("Drift", "x", x)
	if !(t >= 0 && t < 1) {
		err = errors.Join(err, fmt.Errorf("transport: Drift: t is %g, must be in [0, 1)", t))
	}
	if err != nil {
		return nil, err
	}
	n, _ := x.Dims()
	g, m := mat.NewDense(n, b.dim, nil), b.moment(t)
	inParallel(n, func(from, to int) {
		w := b.workspace()
		for i := from; i < to; i++ {
			b.drift(g.RawRowView(i), w, x.RawRowView(i), m)
		}
	})
	return g, nil
}

// moment is what the drift at a time has in common for all x. In the basis of S, with z = x/(1−t) and u = t/(1−t), a
// component's log-weight is, but for what all share,
//
//	log α + Σ_d (s z² + 2ρz − uρ²)/(2ε(1+us)) − ½ log(1+us)
//
// in which no terms in 1/s, which may be huge, cancel.
type moment struct {
	left   float64   // 1−t
	shrink []float64 // 1/(1+us), K×D
	bias   []float64 // of the log-weights, without x
}

func (b *Bridge) moment(t float64) moment {
	u := t / (1 - t)
	m := moment{1 - t, make([]float64, 0, len(b.parts)*b.dim), make([]float64, len(b.parts))}
	for k, p := range b.parts {
		m.bias[k] = p.LogAlpha
		for d, s := range p.s {
			m.shrink = append(m.shrink, 1/(1+u*s))
			m.bias[k] -= u*p.rho[d]*p.rho[d]/(2*b.eps*(1+u*s)) + math.Log1p(u*s)/2
		}
	}
	return m
}

// drift puts g(x, t) into dst.
func (b *Bridge) drift(dst []float64, w *workspace, x []float64, m moment) {
	for k := range b.parts {
		p, shrink := &b.parts[k], m.shrink[k*b.dim:]
		p.rotate(w.turned, x)
		e := 0.0
		for d, v := range w.turned {
			z := v / m.left
			e += z * (p.s[d]*z + 2*p.rho[d]) * shrink[d]
		}
		w.logits[k] = m.bias[k] + e/(2*b.eps)
	}
	weights(w.logits)
	for d, v := range x {
		dst[d] = -v
	}
	for k, weight := range w.logits {
		if weight == 0 {
			continue
		}
		p, shrink := &b.parts[k], m.shrink[k*b.dim:]
		p.rotate(w.turned, x)
		for d, v := range w.turned {
			w.moved[d] = (p.s[d]*v/m.left + p.rho[d]) * shrink[d]
		}
		p.addBack(dst, weight, w.moved)
	}
	floats.Scale(1/m.left, dst)
}

// SampleSDE simulates the equation from x by Euler and Maruyama's scheme, x ← x + g dt + √(ε dt)·z at t = 0, dt, …, 1−dt
// with dt = 1/steps. The result has steps+1 matrices shaped like x, the first is x.
func (b *Bridge) SampleSDE(x *mat.Dense, steps int, rng *rand.Rand) ([]*mat.Dense, error) {
	if err := errors.Join(b.checkSamples("SampleSDE", "x", x), checkSteps("SampleSDE", steps), checkRand("SampleSDE", rng)); err != nil {
		return nil, err
	}
	path := []*mat.Dense{mat.DenseCopyOf(x)}
	dt := 1 / float64(steps)
	for i := range steps {
		g, err := b.Drift(path[i], float64(i)*dt)
		if err != nil {
			return nil, err
		}
		g.Apply(func(r, c int, v float64) float64 {
			return path[i].At(r, c) + v*dt + math.Sqrt(b.eps*dt)*rng.NormFloat64()
		}, g)
		path = append(path, g)
	}
	return path, nil
}

func checkSteps(where string, steps int) error {
	if steps < 1 {
		return fmt.Errorf("transport: %s: steps is %d, must be at least 1", where, steps)
	}
	return nil
}

func checkRand(where string, rng *rand.Rand) error {
	if rng == nil {
		return fmt.Errorf("transport: %s: rng is nil, must be a generator", where)
	}
	return nil
}
