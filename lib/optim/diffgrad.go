package optim

import (
	"github.com/gomlx/gomlx/core/graph"
)

// ScaleByDiffGrad is Adam's direction times a friction coefficient ξ made of the change between the last two gradients:
// ξ = 1/(1 + exp(−|g₋₁ − g|)) in [½, 1), a full step where the gradient changes much and half a step where it does not.
// State: 3 numbers a parameter.
//
// Adam does not care how the loss is scaled, diffGrad does: scaled up it becomes Adam, scaled down Adam at half the
// rate. ξ at step 1 depends on |g₁|, since g₀ = 0. NaN gradients stay NaN. Weight decay in front of it ([AddL2]) changes
// the gradient that ξ sees, decay behind it does not.
//
// Hyper-parameters: "beta1", "beta2". Source: Dubey et al. (2020), diffGrad, Algorithm 1; versions 1 and 2 as in public
// ports of the paper's variants.
type ScaleByDiffGrad struct {
	Beta1 float64 // in [0, 1); default 0.9
	Beta2 float64 // in [0, 1); default 0.999
	Eps   float64 // at least 0; default 1e-8
	// Placement of ε; [DiffGrad] takes the reference's, EpsUncorrected.
	Placement EpsPlacement
	// Version of the friction coefficient, see [FrictionCoefficient].
	Version int
	// AliasedPreviousGradient repeats an error of the first published code, where the stored gradient was overwritten
	// before it was used: ξ is ½ from step 2 on, so that the method is Adam at half the rate.
	AliasedPreviousGradient bool
}

var _ Transform = ScaleByDiffGrad{}

func (d ScaleByDiffGrad) adam() ScaleByAdam {
	return ScaleByAdam{Beta1: d.Beta1, Beta2: d.Beta2, Eps: d.Eps, Placement: d.Placement}
}

// Init implements Transform.
func (d ScaleByDiffGrad) Init(params []Param) State { return zeros(params, "m", "v", "previous") }

// Update implements Transform.
func (d ScaleByDiffGrad) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	n := len(updates)
	m, v := d.adam().moments(s, updates, state.get(0, n), state.get(1, n))
	previous := state.get(2, n)
	return each(updates, func(i int, g *graph.Node) *graph.Node {
		before := previous[i]
		if d.AliasedPreviousGradient {
			first := graph.Equal(s.Count, graph.OnesLike(s.Count))
			before = graph.Where(graph.BroadcastToDims(first, g.Shape().Dimensions...), before, g)
		}
		return graph.Mul(FrictionCoefficient(before, g, d.Version), d.adam().direction(s, g, m[i], v[i]))
	}), state.with(m, v, updates)
}

// Validate implements Transform.
func (d ScaleByDiffGrad) Validate() error {
	c := check("ScaleByDiffGrad")
	c.errs = append(c.errs, d.adam().validate("ScaleByDiffGrad"))
	if d.Version < 0 || d.Version > 2 {
		c.add("Version is %d, must be 0, 1 or 2", d.Version)
	}
	return c.join()
}

// DiffGrad is Adam's step times a friction coefficient, with the reference's defaults; see [ScaleByDiffGrad].
func DiffGrad(rate float64) Chain { return ready(rate, ScaleByDiffGrad{Placement: EpsUncorrected}) }

// FrictionCoefficient is diffGrad's ξ of two gradients in a row, entry by entry, of a version:
//
//	0: 1/(1 + exp(−|previous − current|)), in [½, 1): the paper's
//	1: 1/(1 + exp(−(previous − current))), in (0, 1)
//	2: 9/(1 + exp(−½|previous − current|)) − 4, in [½, 5)
func FrictionCoefficient(previous, current *graph.Node, version int) *graph.Node {
	change := graph.Sub(previous, current)
	switch version {
	case 1:
		return graph.Sigmoid(change)
	case 2:
		return graph.AddScalar(graph.MulScalar(graph.Sigmoid(graph.MulScalar(graph.Abs(change), 0.5)), 9), -4)
	}
	return graph.Sigmoid(graph.Abs(change))
}
