package oco

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"
)

// Power is ψ(x) = (2^{q−2}/q)·‖x‖^q, which is uniformly convex: D_ψ(x, y) ≥ ‖x − y‖^q/q. With q = p/(p−1) mirror descent
// bears gradient noise that has a finite p-th moment only, 1 < p < 2, without clipping: far from the origin its steps are
// short. q = 2 is [Euclidean].
//
// Source: Liu, Zhou (2024), Revisiting the last-iterate convergence of stochastic gradient methods, section on heavy tails;
// the factor 2^{q−2} is ours, it makes the inequality hold with the constant 1/q.
type Power struct {
	Exponent float64 // q; at least 2 and finite, 0 means 2
}

var _ MirrorMap = Power{}

func (p Power) exponent() float64 {
	if p.Exponent == 0 {
		return 2
	}
	return p.Exponent
}

// Step solves ∇ψ(x) = v = ∇ψ(y) − ηg, and shortens x to the ball where there is one: ψ knows lengths only.
func (p Power) Step(dst, y, g []float64, rate float64, _ Regularizer, over Domain) {
	q := p.exponent()
	factor := math.Exp2(q - 2)
	slope := factor * math.Pow(floats.Norm(y, 2), q-2)
	for i, v := range y {
		dst[i] = slope*v - rate*g[i]
	}
	norm := floats.Norm(dst, 2)
	if norm == 0 {
		return
	}
	floats.Scale(math.Pow(norm/factor, 1/(q-1))/norm, dst)
	over.Project(dst)
}

// StepNode is Step in a graph.
func (p Power) StepNode(y, g, rate *graph.Node, _ Regularizer, over Domain) *graph.Node {
	q := p.exponent()
	factor := math.Exp2(q - 2)
	if q > 2 {
		y = graph.Mul(y, graph.MulScalar(graph.PowScalar(norm2(y), q-2), factor))
	}
	v := graph.Sub(y, graph.Mul(rate, g))
	norm := norm2(v)
	norm = graph.Where(graph.GreaterThan(norm, graph.ZerosLike(norm)), norm, graph.OnesLike(norm)) // v = 0 goes to 0
	return over.ProjectNode(graph.Mul(v, graph.Div(graph.PowScalar(graph.DivScalar(norm, factor), 1/(q-1)), norm)))
}

// Dual is ‖g‖².
func (Power) Dual(g []float64) float64 { return floats.Dot(g, g) }

// DualNode is Dual in a graph.
func (Power) DualNode(g *graph.Node) *graph.Node { return squares(g) }

// Validate wants q ≥ 2, all of space or a ball, and no regularizer.
func (p Power) Validate(_ int, h Regularizer, over Domain) error {
	if q := p.exponent(); !(q >= 2) || math.IsInf(q, 1) {
		return fmt.Errorf("oco: Power: Exponent is %g, must be at least 2 and finite", q)
	}
	switch over.(type) {
	case Free, Ball:
		return noRegularizer("Power", h)
	}
	return fmt.Errorf("oco: Power: the domain is %T, must be Free or Ball", over)
}
