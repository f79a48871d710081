package optim

import "github.com/gomlx/gomlx/core/graph"

// Trace is momentum: b ← μ·b + g, and b is the new direction. State: 1 number a parameter.
//
// Average takes b ← μ·b + (1−μ)·g instead, the moving-average form, whose steps are 1−μ times as long. It begins at zero,
// so its first b is (1−μ)·g₁; with FirstGradient it begins at g₁ itself, as in SGD-SaI.
// Hyper-parameter: "momentum". Source: Polyak (1964); Nesterov (1983), in the form of Sutskever et al. (2013).
type Trace struct {
	Momentum float64 // μ in [0, 1); default 0.9, none with [Zero]
	Nesterov bool    // the direction is μ·b + g (or its average form) with the new b: one step ahead
	Average  bool
	// FirstGradient takes the first gradient itself for the first b, without the factor 1−μ, so that no bias has to be
	// corrected. Without Average it is so anyway.
	FirstGradient bool
}

var _ Transform = Trace{}

// Init implements Transform.
func (m Trace) Init(params []Param) State { return zeros(params, "momentum") }

// Update implements Transform.
func (m Trace) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	mu := func(g *graph.Node) decay { return s.decay("momentum", or(m.Momentum, 0.9), g.DType()) }
	mix := func(mu decay, buffer, g *graph.Node) *graph.Node {
		if m.Average {
			return mu.average(buffer, g)
		}
		return graph.Add(scale(buffer, mu.beta), g)
	}
	old := state.get(0, len(updates))
	buffers := each(updates, func(i int, g *graph.Node) *graph.Node {
		into := mu(g)
		if m.FirstGradient { // the buffer is zero at step 1, so the gradient's weight is all that matters there
			first := graph.Equal(s.Count, graph.OnesLike(s.Count))
			into.rest = pick(first, graph.OnesLike(into.rest), into.rest)
		}
		return mix(into, old[i], g)
	})
	out := buffers
	if m.Nesterov {
		out = each(updates, func(i int, g *graph.Node) *graph.Node { return mix(mu(g), buffers[i], g) })
	}
	return out, state.with(buffers)
}

// Validate implements Transform.
func (m Trace) Validate() error {
	c := check("Trace")
	c.in("Momentum", m.Momentum, 0, 1, false)
	return c.join()
}

// Momentum is SGD with Polyak's momentum: b ← momentum·b + g, θ ← θ − rate·b.
func Momentum(rate, momentum float64) Chain { return ready(rate, Trace{Momentum: explicit(momentum)}) }

// Nesterov is SGD with Nesterov's momentum: b ← momentum·b + g, θ ← θ − rate·(g + momentum·b).
func Nesterov(rate, momentum float64) Chain {
	return ready(rate, Trace{Momentum: explicit(momentum), Nesterov: true})
}

// ScaleBySign replaces each entry by its sign; 0 stays 0. No state.
//
// Source: Bernstein et al. (2018), signSGD.
type ScaleBySign struct{ stateless }

var _ Transform = ScaleBySign{}

// Update implements Transform.
func (ScaleBySign) Update(_ *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(_ int, g *graph.Node) *graph.Node { return graph.Sign(g) }), nil
}

// Validate implements Transform.
func (ScaleBySign) Validate() error { return nil }

// SignSGD steps by the gradient's signs; see [ScaleBySign].
func SignSGD(rate float64) Chain { return ready(rate, ScaleBySign{}) }

// ScaleByLion is sign(β₁m + (1−β₁)g), and then m ← β₂m + (1−β₂)g. State: 1 number a parameter. Its learning rate is 3 to
// 10 times smaller than Adam's, its decay as much larger.
//
// Hyper-parameters: "beta1", "beta2", the latter above 0. Source: Chen et al. (2023), Symbolic Discovery of Optimization
// Algorithms, Algorithm 2.
type ScaleByLion struct {
	Beta1 float64 // in [0, 1); default 0.9
	Beta2 float64 // in [0, 1); default 0.99
}

var _ Transform = ScaleByLion{}

// Init implements Transform.
func (l ScaleByLion) Init(params []Param) State { return zeros(params, "m") }

// Update implements Transform.
func (l ScaleByLion) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	m := state.get(0, len(updates))
	beta1 := func(g *graph.Node) decay { return s.decay("beta1", or(l.Beta1, 0.9), g.DType()) }
	beta2 := func(g *graph.Node) decay { return s.decay("beta2", or(l.Beta2, 0.99), g.DType()) }
	next := each(updates, func(i int, g *graph.Node) *graph.Node { return beta2(g).average(m[i], g) })
	return each(updates, func(i int, g *graph.Node) *graph.Node {
		// Of the new m, as β₂·(β₁m + (1−β₁)g) = β₁·new + (β₂−β₁)·g: a step that reads the old one keeps XLA from
		// updating m in place, and takes three times as long.
		return graph.Sign(graph.Add(scale(next[i], beta1(g).beta), scale(g, graph.Sub(beta1(g).rest, beta2(g).rest))))
	}), state.with(next)
}

// Validate implements Transform.
func (l ScaleByLion) Validate() error {
	c := check("ScaleByLion")
	c.in("Beta1", l.Beta1, 0, 1, false)
	c.in("Beta2", l.Beta2, 0, 1, false)
	return c.join()
}

// Lion steps by signs, with decoupled weight decay; see [ScaleByLion].
func Lion(rate, decay float64) Chain {
	return ready(rate, ScaleByLion{}, AddDecayedWeights{Decay: decay})
}
