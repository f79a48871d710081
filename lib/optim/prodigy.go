package optim

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// ScaleByProdigy is Adam with a step size that it finds itself: d, an estimate from below of the distance to the minimum, by
// how well the gradients g_k have pointed from the start x₀ to where the run has been since:
//
//	m ← β₁m + (1−β₁)·d·g,  v ← β₂v + (1−β₂)·d²·g²
//	r ← β₃r + (d/d₀)·w·⟨g, x₀ − x⟩,  s ← β₃s + (d/d₀)·w·g,  w = γ·d
//	step: d·m/(√v + d⁺ε),  d⁺ = max(d, Coef·r/‖s‖₁) is the next d
//
// γ is the schedule's factor; a constant one cancels out of d. The learning rate behind it multiplies the steps: 1 is meant.
// d is one number for all parameters, one a run. State: 4 numbers a parameter, of which one is x₀, and 2.
//
// Hyper-parameters: "beta1", "beta2". Source: Mishchenko, Defazio (2024), Prodigy: An Expeditiously Adaptive Parameter-Free
// Learner, Algorithm 4, with the reference code's d⁺ in the denominator and d/d₀, which cancels, for range.
type ScaleByProdigy struct {
	Beta1 float64 // in [0, 1); default 0.9, none with [Zero]
	Beta2 float64 // in (0, 1); default 0.999
	Beta3 float64 // in [0, 1), of the sums r and s; default √Beta2, none with [Zero]
	Eps   float64 // at least 0; default 1e-8, none with [Zero]
	First float64 // d₀, positive and below the distance; default 1e-6
	Coef  float64 // positive: larger trusts larger distances; default 1
	Decay float64 // decoupled weight decay, at least 0: steps of d·Decay·x; default none
	// BiasCorrection multiplies steps and w by √(1−β₂ᵗ)/(1−β₁ᵗ), as optax always does; the reference code does not unless asked.
	BiasCorrection bool
	// SafeguardWarmUp leaves γ out of s, as the reference advises for a schedule that begins near 0.
	SafeguardWarmUp bool
	// Schedule is that of the learning rate behind it; nil: constant.
	Schedule Schedule
}

var _ Transform = ScaleByProdigy{}

func (p ScaleByProdigy) first() float64 { return or(p.First, 1e-6) }

// Init implements Transform.
func (p ScaleByProdigy) Init(params []Param) State {
	out := zeros(params, "m", "v", "s")
	for _, x := range params {
		out = append(out, Var{"start/" + x.Path, x.Value})
	}
	zero := params[0].reduce(graph.ConvertDType(graph.ZerosLike(params[0].Value), ratioDType(params)))
	return append(out, Var{"d", graph.AddScalar(zero, p.first())}, Var{"r", zero})
}

// Update implements Transform.
func (p ScaleByProdigy) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	n := len(updates)
	m, v, sums, start := state.get(0, n), state.get(1, n), state.get(2, n), state.get(3, n)
	d, r := state[4*n].Value, state[4*n+1].Value
	dtype := d.DType()
	beta1, beta2 := s.decay("beta1", or(p.Beta1, 0.9), dtype), s.decay("beta2", or(p.Beta2, 0.999), dtype)
	beta3 := or(p.Beta3, math.Sqrt(or(p.Beta2, 0.999)))
	step := d // what multiplies the direction, but for the learning rate
	if p.BiasCorrection {
		step = graph.Mul(step, graph.Div(graph.Sqrt(beta2.correction(s, 0)), beta1.correction(s, 0)))
	}
	weight := graph.MulScalar(graph.Mul(d, step), 1/p.first())
	trusted := weight
	if p.Schedule != nil {
		trusted = graph.Mul(weight, factor(p.Schedule, s.Count, dtype))
	}
	own := trusted
	if p.SafeguardWarmUp {
		own = graph.MulScalar(graph.Square(d), 1/p.first())
	}
	to := func(x *graph.Node, like *graph.Node) *graph.Node { return graph.ConvertDType(x, like.DType()) }
	inner, norm := graph.ZerosLike(d), graph.ZerosLike(d)
	for i, g := range updates {
		dg := scale(g, to(d, g))
		m[i] = decay{beta: to(beta1.beta, g), rest: to(beta1.rest, g)}.average(m[i], dg)
		v[i] = decay{beta: to(beta2.beta, g), rest: to(beta2.rest, g)}.average(v[i], graph.Square(dg))
		sums[i] = graph.Add(graph.MulScalar(sums[i], beta3), scale(g, to(own, g)))
		gap := graph.Sub(start[i], s.Params[i].Value)
		inner = graph.Add(inner, s.Params[i].reduce(to(graph.Mul(g, gap), d)))
		norm = graph.Add(norm, s.Params[i].reduce(to(graph.Abs(sums[i]), d)))
	}
	r = graph.Add(graph.MulScalar(r, beta3), graph.Mul(trusted, inner))
	// Gradients of zero tell nothing.
	some := graph.GreaterThan(norm, graph.ZerosLike(norm))
	estimate := graph.Where(some, graph.Div(graph.MulScalar(r, or(p.Coef, 1)), graph.Where(some, norm, graph.OnesLike(norm))), d)
	next := graph.Max(d, estimate)
	out := each(updates, func(i int, g *graph.Node) *graph.Node {
		// The divisor is 0 only where all of the entry's gradients were: then m is 0 too.
		divisor := graph.Add(graph.Sqrt(v[i]), along(graph.MulScalar(to(next, g), or(p.Eps, 1e-8)), g))
		still := graph.Equal(divisor, graph.ZerosLike(divisor))
		u := graph.Div(m[i], graph.Where(still, graph.OnesLike(divisor), divisor))
		if p.Decay > 0 {
			u = graph.Add(u, graph.MulScalar(s.Params[i].Value, p.Decay))
		}
		return scale(u, to(step, g))
	})
	return out, state.with(m, v, sums, start, []*graph.Node{next, r})
}

// Validate implements Transform.
func (p ScaleByProdigy) Validate() error {
	c := check("ScaleByProdigy")
	c.in("Beta1", or(p.Beta1, 0.9), 0, 1, false)
	if b := or(p.Beta2, 0.999); !(b > 0 && b < 1) {
		c.add("Beta2 is %g, must be in (0, 1)", p.Beta2)
	}
	c.in("Beta3", p.Beta3, 0, 1, false)
	c.least("Eps", p.Eps, 0)
	c.positive("First", p.first())
	c.positive("Coef", or(p.Coef, 1))
	c.least("Decay", p.Decay, 0)
	if p.Schedule != nil {
		c.errs = append(c.errs, p.Schedule.Validate())
	}
	return c.join()
}

// Prodigy finds its step size itself; rate is a factor on it, meant to be 1. See [ScaleByProdigy].
func Prodigy(rate float64) Chain { return ready(rate, ScaleByProdigy{}) }
