package optim

import (
	"errors"

	"github.com/gomlx/gomlx/core/graph"
)

// SharpnessAware replaces the gradient g at θ by the one at θ + ρ·g/‖g‖, the worst place nearby to first order; the norm
// is over all parameters of a run together. θ itself is not touched, so nothing has to be restored. No state; one more
// pass forward and backward on the same minibatch, which the host must offer (see [Step].Again).
//
// It stands first in a chain, where the updates are gradients: [SAM] puts it there. A gradient shorter than 1e-12 moves
// nothing far. Hyper-parameter: "rho". Source: Foret et al. (2021), Sharpness-Aware Minimization, Algorithm 1, with
// p = 2.
type SharpnessAware struct {
	stateless
	Rho float64 // ρ ≥ 0; default 0.05, off with [Zero]; larger for vision transformers
}

var _ Transform = SharpnessAware{}

// SAM makes any method sharpness-aware: [SharpnessAware] in front of it. Weight decay, momentum and the like in base
// see the gradient of the perturbed weights.
func SAM(rho float64, base Transform) Transform {
	if rho == 0 {
		rho = Zero
	}
	return Chain{SharpnessAware{Rho: rho}, base}
}

// Update implements Transform.
func (p SharpnessAware) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	if s.Again == nil {
		panic(errors.New("optim: SharpnessAware: this host cannot give the loss at other weights (Step.Again); use Compile or Minimize, and no Accumulate around it"))
	}
	norm := GlobalNorm(s.Params, updates)
	length := graph.Div(s.Hyper("rho", or(p.Rho, 0.05), norm.DType()), graph.MaxScalar(norm, 1e-12))
	worst := each(updates, func(i int, u *graph.Node) *graph.Node {
		v := s.Params[i].Value
		return graph.Add(v, graph.ConvertDType(scale(u, graph.ConvertDType(length, u.DType())), v.DType()))
	})
	return graph.Gradient(graph.ReduceAllSum(s.Again(worst)), worst...), nil
}

// Validate implements Transform.
func (p SharpnessAware) Validate() error {
	c := check("SharpnessAware")
	c.least("Rho", p.Rho, 0)
	return c.join()
}

// UsesAgain says that the loss at other weights is asked for.
func (SharpnessAware) UsesAgain() bool { return true }
