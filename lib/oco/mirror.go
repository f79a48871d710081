package oco

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"
)

// MirrorMap is a distance-generating function ψ, with the Bregman divergence D_ψ(x, y) = ψ(x) − ψ(y) − ⟨∇ψ(y), x − y⟩ and
// the step that mirror descent takes in it:
//
//	Step(y, g, η) = argmin_{x ∈ X} ⟨g, x⟩ + h(x) + D_ψ(x, y)/η
type MirrorMap interface {
	// Step writes the step from y to dst, which may be y itself. It does not allocate.
	Step(dst, y, g []float64, rate float64, h Regularizer, over Domain)
	// StepNode is Step in a graph: y and g are shaped [runs, dim], rate [runs, 1].
	StepNode(y, g, rate *graph.Node, h Regularizer, over Domain) *graph.Node
	// Dual is the squared dual norm ‖g‖²_* of the norm in which ψ is strongly convex; DualNode gives it as [runs, 1].
	Dual(g []float64) float64
	DualNode(g *graph.Node) *graph.Node
	// Validate refuses domains and regularizers that Step has no closed form for.
	Validate(dim int, h Regularizer, over Domain) error
}

// Regularizer is the part h of a composite loss f + h that the learner knows and steps through exactly.
type Regularizer interface {
	// Value is h(x).
	Value(x []float64) float64
	ValueNode(x *graph.Node) *graph.Node // [runs, dim] → [runs]
	// Prox moves x to argmin_z h(z) + ‖z − x‖²/(2·rate), in place; ProxNode does so with x shaped [runs, dim], rate [runs, 1].
	Prox(x []float64, rate float64)
	ProxNode(x, rate *graph.Node) *graph.Node
	// Separable says whether h is a sum over coordinates, so that its prox and clipping to a box can follow one another.
	Separable() bool
	Validate() error
}

// Euclidean is ψ(x) = ½‖x‖²: a step against the gradient, then the prox of h, then the projection.
type Euclidean struct{}

var _ MirrorMap = Euclidean{}

// Step is Π_X(prox_{ηh}(y − ηg)).
func (Euclidean) Step(dst, y, g []float64, rate float64, h Regularizer, over Domain) {
	floats.AddScaledTo(dst, y, -rate, g)
	if h != nil {
		h.Prox(dst, rate)
	}
	over.Project(dst)
}

// StepNode is Step in a graph.
func (Euclidean) StepNode(y, g, rate *graph.Node, h Regularizer, over Domain) *graph.Node {
	x := graph.Sub(y, graph.Mul(rate, g))
	if h != nil {
		x = h.ProxNode(x, rate)
	}
	return over.ProjectNode(x)
}

// Dual is ‖g‖².
func (Euclidean) Dual(g []float64) float64 { return floats.Dot(g, g) }

// DualNode is Dual in a graph.
func (Euclidean) DualNode(g *graph.Node) *graph.Node { return squares(g) }

// Validate wants either no regularizer, or all of space, or a box and a regularizer that is a sum over coordinates: else the
// prox and the projection do not follow one another.
func (Euclidean) Validate(_ int, h Regularizer, over Domain) error {
	if h == nil {
		return nil
	}
	switch over.(type) {
	case Free:
		return nil
	case Box:
		if h.Separable() {
			return nil
		}
	}
	return fmt.Errorf("oco: Euclidean: no closed form for the regularizer %T on the domain %T: use Free, or a Box with a separable regularizer", h, over)
}
