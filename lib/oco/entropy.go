package oco

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// Entropy is the negative entropy ψ(x) = Σ xᵢ log xᵢ on the [Simplex], 1-strongly convex in ‖·‖₁: the step multiplies each
// entry by exp(−η·gᵢ). From the uniform point the divergence to any other is at most ln d, where a Euclidean method pays for
// d coordinates of noise.
//
// An entry of exactly 0 stays 0 for ever. No positive entry becomes 0: it stops at 2⁻¹⁰²², from where it may come back.
//
// Source: Kivinen, Warmuth (1997), Exponentiated gradient versus gradient descent for linear predictors; Beck, Teboulle
// (2003), Mirror descent and nonlinear projected subgradient methods for convex optimization, section 5.
type Entropy struct{}

var _ MirrorMap = Entropy{}

const smallestNormal = 0x1p-1022 // compiled code flushes what is smaller to 0

// Step is xᵢ ∝ yᵢ·exp(−ηgᵢ), computed from logarithms.
func (Entropy) Step(dst, y, g []float64, rate float64, _ Regularizer, _ Domain) {
	top := math.Inf(-1)
	for i, v := range y {
		dst[i] = math.Log(v) - rate*g[i]
		top = math.Max(top, dst[i])
	}
	var sum float64
	for _, v := range dst {
		sum += math.Exp(v - top)
	}
	for i, v := range dst {
		if math.IsInf(v, -1) {
			dst[i] = 0
		} else {
			dst[i] = math.Max(math.Exp(v-top)/sum, smallestNormal)
		}
	}
}

// StepNode is Step in a graph.
func (Entropy) StepNode(y, g, rate *graph.Node, _ Regularizer, _ Domain) *graph.Node {
	z := graph.Sub(graph.Log(y), graph.Mul(rate, g))
	e := graph.Exp(graph.Sub(z, graph.ReduceAndKeep(z, graph.ReduceMax, 1)))
	x := graph.MaxScalar(graph.Div(e, graph.ReduceAndKeep(e, graph.ReduceSum, 1)), smallestNormal)
	return graph.Where(graph.GreaterThan(y, graph.ZerosLike(y)), x, graph.ZerosLike(x))
}

// Dual is ‖g‖²_∞.
func (Entropy) Dual(g []float64) float64 {
	var most float64
	for _, v := range g {
		most = math.Max(most, math.Abs(v))
	}
	return most * most
}

// DualNode is Dual in a graph.
func (Entropy) DualNode(g *graph.Node) *graph.Node {
	return graph.Square(graph.ReduceAndKeep(graph.Abs(g), graph.ReduceMax, 1))
}

// Validate wants the simplex and no regularizer.
func (Entropy) Validate(_ int, h Regularizer, over Domain) error {
	if _, ok := over.(Simplex); !ok {
		return fmt.Errorf("oco: Entropy: the domain is %T, must be Simplex", over)
	}
	return noRegularizer("Entropy", h)
}

func noRegularizer(method string, h Regularizer) error {
	if h != nil {
		return fmt.Errorf("oco: %s: no closed form for the regularizer %T: use Euclidean, or no regularizer", method, h)
	}
	return nil
}
