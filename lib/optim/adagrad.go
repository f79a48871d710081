package optim

import "github.com/gomlx/gomlx/core/graph"

// ScaleByAdaGrad divides by the root of the sum of all squared gradients: s ← s + g², g/(√s + ε). State: 1 number a
// parameter. Where s is 0 the update is 0.
//
// The defaults are the paper's and nearly PyTorch's (ε there is 1e-10); optax starts s at 0.1 and puts ε = 1e-7 under the
// root: Initial and EpsInside. Source: Duchi, Hazan, Singer (2011), Adaptive Subgradient Methods.
type ScaleByAdaGrad struct {
	Initial   float64 // value of s before the first step, at least 0
	Eps       float64 // at least 0; default 1e-8
	EpsInside bool    // g/√(s + ε)
}

var _ Transform = ScaleByAdaGrad{}

// Init implements Transform.
func (a ScaleByAdaGrad) Init(params []Param) State {
	out := zeros(params, "sum")
	for i := range out {
		out[i].Value = graph.AddScalar(out[i].Value, a.Initial)
	}
	return out
}

// Update implements Transform.
func (a ScaleByAdaGrad) Update(_ *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	old := state.get(0, len(updates))
	sums := each(updates, func(i int, g *graph.Node) *graph.Node { return graph.Add(old[i], graph.Square(g)) })
	eps := or(a.Eps, 1e-8)
	return each(updates, func(i int, g *graph.Node) *graph.Node {
		if a.EpsInside {
			return quotient(g, graph.Sqrt(graph.AddScalar(sums[i], eps)))
		}
		return quotient(g, graph.AddScalar(graph.Sqrt(sums[i]), eps))
	}), state.with(sums)
}

// quotient is a/b, and 0 where b is 0.
func quotient(a, b *graph.Node) *graph.Node {
	zero := graph.ZerosLike(b)
	isZero := graph.Equal(b, zero)
	return graph.Where(isZero, zero, graph.Div(a, graph.Where(isZero, graph.OnesLike(b), b)))
}

// Validate implements Transform.
func (a ScaleByAdaGrad) Validate() error {
	c := check("ScaleByAdaGrad")
	c.least("Initial", a.Initial, 0)
	c.least("Eps", a.Eps, 0)
	return c.join()
}

// AdaGrad divides by the root of the sum of squares; see [ScaleByAdaGrad].
func AdaGrad(rate float64) Chain { return ready(rate, ScaleByAdaGrad{}) }

// ScaleByAdaDelta scales the gradient by the ratio of two running roots: E ← ρE + (1−ρ)g², Δ = g·√(D+ε)/√(E+ε),
// D ← ρD + (1−ρ)Δ². It has units of the parameters, so a learning rate of 1 fits. State: 2 numbers a parameter.
//
// Hyper-parameter: "rho". Source: Zeiler (2012), ADADELTA, Algorithm 1.
type ScaleByAdaDelta struct {
	Rho float64 // in [0, 1); default 0.9
	Eps float64 // above 0; default 1e-6
}

var _ Transform = ScaleByAdaDelta{}

// Init implements Transform.
func (a ScaleByAdaDelta) Init(params []Param) State { return zeros(params, "gradients", "steps") }

// Update implements Transform.
func (a ScaleByAdaDelta) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	n := len(updates)
	gradients, steps := state.get(0, n), state.get(1, n)
	eps := or(a.Eps, 1e-6)
	average := func(old, x *graph.Node) *graph.Node {
		return s.decay("rho", or(a.Rho, 0.9), x.DType()).average(old, graph.Square(x))
	}
	gradients = each(updates, func(i int, g *graph.Node) *graph.Node { return average(gradients[i], g) })
	out := each(updates, func(i int, g *graph.Node) *graph.Node {
		return graph.Mul(g, graph.Div(graph.Sqrt(graph.AddScalar(steps[i], eps)), graph.Sqrt(graph.AddScalar(gradients[i], eps))))
	})
	steps = each(out, func(i int, u *graph.Node) *graph.Node { return average(steps[i], u) })
	return out, state.with(gradients, steps)
}

// Validate implements Transform.
func (a ScaleByAdaDelta) Validate() error {
	c := check("ScaleByAdaDelta")
	c.in("Rho", a.Rho, 0, 1, false)
	c.positive("Eps", or(a.Eps, 1e-6))
	return c.join()
}

// AdaDelta has rate 1 in its paper; see [ScaleByAdaDelta].
func AdaDelta(rate float64) Chain { return ready(rate, ScaleByAdaDelta{}) }

// ScaleByRMS divides by the root of a running average of squared gradients: v ← γv + (1−γ)g², g/(√v + ε). Centered
// subtracts the square of the running mean of g from v first. State: 1 number a parameter, 2 if centered.
//
// γ = 0.99 and ε after the root are PyTorch's; optax has γ = 0.9 and ε under the root: EpsInside. Hyper-parameter:
// "decay". Source: Tieleman, Hinton (2012), Lecture 6.5; centered: Graves (2013), Generating Sequences.
type ScaleByRMS struct {
	Decay     float64 // γ in [0, 1); default 0.99
	Eps       float64 // at least 0; default 1e-8
	EpsInside bool    // g/√(v + ε)
	Centered  bool
}

var _ Transform = ScaleByRMS{}

// Init implements Transform.
func (r ScaleByRMS) Init(params []Param) State {
	if r.Centered {
		return zeros(params, "v", "mean")
	}
	return zeros(params, "v")
}

// Update implements Transform.
func (r ScaleByRMS) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	n := len(updates)
	average := func(old, x *graph.Node) *graph.Node {
		return s.decay("decay", or(r.Decay, 0.99), x.DType()).average(old, x)
	}
	old := state.get(0, n)
	v := each(updates, func(i int, g *graph.Node) *graph.Node { return average(old[i], graph.Square(g)) })
	groups, spread := [][]*graph.Node{v}, v
	if r.Centered {
		mean := state.get(1, n)
		mean = each(updates, func(i int, g *graph.Node) *graph.Node { return average(mean[i], g) })
		groups = append(groups, mean)
		// Rounding can make a variance of zero negative.
		spread = each(v, func(i int, v *graph.Node) *graph.Node {
			return graph.MaxScalar(graph.Sub(v, graph.Square(mean[i])), 0)
		})
	}
	eps := or(r.Eps, 1e-8)
	return each(updates, func(i int, g *graph.Node) *graph.Node {
		if r.EpsInside {
			return quotient(g, graph.Sqrt(graph.AddScalar(spread[i], eps)))
		}
		return quotient(g, graph.AddScalar(graph.Sqrt(spread[i]), eps))
	}), state.with(groups...)
}

// Validate implements Transform.
func (r ScaleByRMS) Validate() error {
	c := check("ScaleByRMS")
	c.in("Decay", r.Decay, 0, 1, false)
	c.least("Eps", r.Eps, 0)
	return c.join()
}

// RMSProp is with PyTorch's constants; see [ScaleByRMS].
func RMSProp(rate float64) Chain { return ready(rate, ScaleByRMS{}) }

// CenteredRMSProp divides by the standard deviation instead of the root mean square; see [ScaleByRMS].
func CenteredRMSProp(rate float64) Chain { return ready(rate, ScaleByRMS{Centered: true}) }
