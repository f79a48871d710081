package optim

import (
	"github.com/gomlx/gomlx/core/graph"
)

// EpsPlacement says where ε stands in the denominator of an Adam-like method. v is the average of squared gradients.
type EpsPlacement int

const (
	// EpsOutside is √(v/(1−β₂ᵗ)) + ε: after bias correction, as in Adam's paper, PyTorch and optax.
	EpsOutside EpsPlacement = iota
	// EpsUncorrected is (√v + ε)/√(1−β₂ᵗ): before bias correction, as in diffGrad's reference.
	EpsUncorrected
	// EpsInside is √(v/(1−β₂ᵗ) + ε): under the root.
	EpsInside
)

// ScaleByAdam is Adam's direction m̂/(√v̂ + ε), with m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², and both divided by
// 1 − βᵗ. State: 2 numbers a parameter.
//
// Hyper-parameters: "beta1", "beta2". Source: Kingma, Ba (2015), Adam, Algorithm 1.
type ScaleByAdam struct {
	Beta1 float64 // in [0, 1); default 0.9, none with [Zero]
	Beta2 float64 // in [0, 1); default 0.999, none with [Zero]
	Eps   float64 // at least 0; default 1e-8, none with [Zero]
	// Placement of ε; default outside the root, after bias correction.
	Placement EpsPlacement
	// Nesterov looks one step ahead: the direction is NAdam's (β₁m/(1−β₁ᵗ⁺¹) + (1−β₁)g/(1−β₁ᵗ)), as in optax. NAdam's
	// paper multiplies v̂ by β₂ besides, and PyTorch schedules β₁: neither is done here.
	// Source: Dozat (2016), Incorporating Nesterov Momentum into Adam.
	Nesterov bool
}

var _ Transform = ScaleByAdam{}

// Init implements Transform.
func (a ScaleByAdam) Init(params []Param) State { return zeros(params, "m", "v") }

// Update implements Transform.
func (a ScaleByAdam) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	n := len(updates)
	m, v := a.moments(s, updates, state.get(0, n), state.get(1, n))
	return each(updates, func(i int, g *graph.Node) *graph.Node {
		return a.direction(s, g, m[i], v[i])
	}), state.with(m, v)
}

// moments averages gradients and their squares.
func (a ScaleByAdam) moments(s *Step, updates, m, v []*graph.Node) (newM, newV []*graph.Node) {
	newM = each(updates, func(i int, g *graph.Node) *graph.Node {
		return s.decay("beta1", or(a.Beta1, 0.9), g.DType()).average(m[i], g)
	})
	newV = each(updates, func(i int, g *graph.Node) *graph.Node {
		return s.decay("beta2", or(a.Beta2, 0.999), g.DType()).average(v[i], graph.Square(g))
	})
	return newM, newV
}

// direction is the quotient of the corrected averages.
func (a ScaleByAdam) direction(s *Step, g, m, v *graph.Node) *graph.Node {
	beta1 := s.decay("beta1", or(a.Beta1, 0.9), g.DType())
	beta2 := s.decay("beta2", or(a.Beta2, 0.999), g.DType())
	mean := shrink(m, beta1.correction(s, 0))
	if a.Nesterov {
		mean = graph.Add(scale(shrink(m, beta1.correction(s, 1)), beta1.beta), scale(shrink(g, beta1.correction(s, 0)), beta1.rest))
	}
	eps := or(a.Eps, 1e-8)
	correction := beta2.correction(s, 0)
	switch a.Placement {
	case EpsUncorrected:
		return graph.Div(scale(mean, graph.Sqrt(correction)), graph.AddScalar(graph.Sqrt(v), eps))
	case EpsInside:
		return graph.Div(mean, graph.Sqrt(graph.AddScalar(shrink(v, correction), eps)))
	}
	return graph.Div(mean, graph.AddScalar(graph.Sqrt(shrink(v, correction)), eps))
}

// Validate implements Transform.
func (a ScaleByAdam) Validate() error { return a.validate("ScaleByAdam") }

func (a ScaleByAdam) validate(method string) error {
	c := check(method)
	c.in("Beta1", a.Beta1, 0, 1, false)
	c.in("Beta2", a.Beta2, 0, 1, false)
	c.least("Eps", a.Eps, 0)
	if a.Placement < EpsOutside || a.Placement > EpsInside {
		c.add("Placement is %d, must be EpsOutside, EpsUncorrected or EpsInside", a.Placement)
	}
	return c.join()
}

// Adam is with β = (0.9, 0.999), ε = 1e-8; see [ScaleByAdam].
func Adam(rate float64) Chain { return ready(rate, ScaleByAdam{}) }

// AdamW is Adam with decoupled weight decay, which the learning rate scales: θ ← θ − rate·(direction + decay·θ). PyTorch's
// default decay is 0.01, optax's 1e-4.
func AdamW(rate, decay float64) Chain {
	return ready(rate, ScaleByAdam{}, AddDecayedWeights{Decay: decay})
}

// NAdam is Adam with Nesterov's look-ahead; see [ScaleByAdam].Nesterov.
func NAdam(rate float64) Chain { return ready(rate, ScaleByAdam{Nesterov: true}) }

// ScaleByAMSGrad is Adam with the running maximum of v in the denominator, so that the step never grows again. State: 3
// numbers a parameter.
//
// The maximum is taken before bias correction, as in PyTorch; Corrected takes it after, as in optax. The paper has no
// bias correction at all. Hyper-parameters: "beta1", "beta2". Source: Reddi, Kale, Kumar (2018), On the Convergence of
// Adam and Beyond, Algorithm 2.
type ScaleByAMSGrad struct {
	Beta1     float64 // in [0, 1); default 0.9
	Beta2     float64 // in [0, 1); default 0.999
	Eps       float64 // at least 0; default 1e-8
	Corrected bool
}

var _ Transform = ScaleByAMSGrad{}

func (a ScaleByAMSGrad) adam() ScaleByAdam {
	return ScaleByAdam{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps}
}

// Init implements Transform.
func (a ScaleByAMSGrad) Init(params []Param) State { return zeros(params, "m", "v", "vmax") }

// Update implements Transform.
func (a ScaleByAMSGrad) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	n := len(updates)
	m, v := a.adam().moments(s, updates, state.get(0, n), state.get(1, n))
	largest := each(state.get(2, n), func(i int, old *graph.Node) *graph.Node {
		if a.Corrected {
			return graph.Max(old, shrink(v[i], s.decay("beta2", or(a.Beta2, 0.999), old.DType()).correction(s, 0)))
		}
		return graph.Max(old, v[i])
	})
	return each(updates, func(i int, g *graph.Node) *graph.Node {
		second := largest[i]
		if a.Corrected { // the direction corrects it again
			second = scale(second, s.decay("beta2", or(a.Beta2, 0.999), g.DType()).correction(s, 0))
		}
		return a.adam().direction(s, g, m[i], second)
	}), state.with(m, v, largest)
}

// Validate implements Transform.
func (a ScaleByAMSGrad) Validate() error { return a.adam().validate("ScaleByAMSGrad") }

// AMSGrad never lets the denominator fall; see [ScaleByAMSGrad].
func AMSGrad(rate float64) Chain { return ready(rate, ScaleByAMSGrad{}) }

// ScaleByRAdam is Adam whose adaptive part is rectified by its variance in the first steps, and left out while that is
// unknown. State: 2 numbers a parameter.
//
// Hyper-parameters: "beta1", "beta2". Source: Liu et al. (2020), On the Variance of the Adaptive Learning Rate and
// Beyond, Algorithm 2; threshold 5 as in optax and PyTorch (the paper: 4).
type ScaleByRAdam struct {
	Beta1     float64 // in [0, 1); default 0.9
	Beta2     float64 // in (0, 1); default 0.999
	Eps       float64 // at least 0; default 1e-8
	Threshold float64 // on the length of the average; default 5
}

var _ Transform = ScaleByRAdam{}

func (r ScaleByRAdam) adam() ScaleByAdam {
	return ScaleByAdam{Beta1: r.Beta1, Beta2: r.Beta2, Eps: r.Eps}
}

// Init implements Transform.
func (r ScaleByRAdam) Init(params []Param) State { return zeros(params, "m", "v") }

// Update implements Transform.
func (r ScaleByRAdam) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	n := len(updates)
	m, v := r.adam().moments(s, updates, state.get(0, n), state.get(1, n))
	return each(updates, func(i int, g *graph.Node) *graph.Node {
		dtype := g.DType()
		beta2 := s.decay("beta2", or(r.Beta2, 0.999), dtype)
		t := graph.ConvertDType(s.Count, dtype)
		longest := graph.AddScalar(graph.MulScalar(graph.Reciprocal(beta2.rest), 2), -1)
		power := graph.Exp(graph.Mul(t, beta2.log))
		length := graph.Sub(longest, graph.Div(graph.MulScalar(graph.Mul(t, power), 2), beta2.correction(s, 0)))
		// Kept away from the poles at 4 and 2, where the plain average is taken anyway.
		threshold := or(r.Threshold, 5)
		safe := graph.MaxScalar(length, threshold)
		product := func(x *graph.Node) *graph.Node {
			return graph.Mul(graph.AddScalar(x, -4), graph.AddScalar(x, -2))
		}
		rectified := graph.Sqrt(graph.Div(graph.Mul(product(safe), longest), graph.Mul(product(longest), safe)))
		plain := shrink(m[i], s.decay("beta1", or(r.Beta1, 0.9), dtype).correction(s, 0))
		adaptive := scale(r.adam().direction(s, g, m[i], v[i]), rectified)
		enough := graph.GreaterOrEqual(length, graph.Scalar(length.Graph(), dtype, threshold))
		return graph.Where(graph.BroadcastToDims(along(enough, g), g.Shape().Dimensions...), adaptive, plain)
	}), state.with(m, v)
}

// Validate implements Transform.
func (r ScaleByRAdam) Validate() error {
	c := check("ScaleByRAdam")
	c.errs = append(c.errs, r.adam().validate("ScaleByRAdam"))
	if or(r.Beta2, 0.999) == 0 {
		c.add("Beta2 is 0, must be in (0, 1)")
	}
	c.in("Threshold", or(r.Threshold, 5), 4, 1e300, false)
	return c.join()
}

// RAdam is Adam with a rectified start; see [ScaleByRAdam].
func RAdam(rate float64) Chain { return ready(rate, ScaleByRAdam{}) }
