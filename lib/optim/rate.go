package optim

import "github.com/gomlx/gomlx/core/graph"

// ScaleByLearningRate ends a chain: it turns a direction into the step that is added, −rate·schedule(t)·direction.
//
// Hyper-parameter: "learning_rate".
type ScaleByLearningRate struct {
	stateless
	// Rate is the learning rate, at least 0.
	Rate float64
	// Schedule is the factor on it at each step; nil: constant.
	Schedule Schedule
}

var _ Transform = ScaleByLearningRate{}

// Update implements Transform.
func (r ScaleByLearningRate) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(_ int, u *graph.Node) *graph.Node {
		rate := graph.Neg(s.Hyper("learning_rate", r.Rate, u.DType()))
		if r.Schedule != nil {
			rate = graph.Mul(rate, factor(r.Schedule, s.Count, u.DType()))
		}
		return scale(u, rate)
	}), nil
}

// Validate implements Transform.
func (r ScaleByLearningRate) Validate() error {
	c := check("ScaleByLearningRate")
	c.least("Rate", r.Rate, 0)
	if r.Schedule != nil {
		c.errs = append(c.errs, r.Schedule.Validate())
	}
	return c.join()
}

// ready ends a chain of parts in a learning rate: what X(rate) of a method X returns, with its paper's defaults. For other
// values write the chain: Chain{ScaleByAdam{Beta1: 0.95}, ScaleByLearningRate{Rate: 1e-3}}.
func ready(rate float64, parts ...Transform) Chain {
	return append(Chain(parts), ScaleByLearningRate{Rate: rate})
}

// SGD is θ ← θ − rate·g. No decay of the rate, unlike GoMLX's. State: none.
func SGD(rate float64) Chain { return ready(rate, Keep{}) }

// Scale multiplies every update by a constant. Hyper-parameter: "scale".
type Scale struct {
	stateless
	By float64 // any finite number
}

var _ Transform = Scale{}

// Update implements Transform.
func (f Scale) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(_ int, u *graph.Node) *graph.Node { return scale(u, s.Hyper("scale", f.By, u.DType())) }), nil
}

// Validate implements Transform.
func (f Scale) Validate() error {
	c := check("Scale")
	if f.By-f.By != 0 {
		c.add("By is %g, must be finite", f.By)
	}
	return c.join()
}
