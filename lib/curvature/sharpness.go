package curvature

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// Loss of parameters, as a graph function: for measurements on fixed data, in evaluation mode.
type Loss func(params []*graph.Node) *graph.Node

// Sharpness builds how much the loss rises at distance ρ along its gradient,
//
//	R(θ) = L(θ + ρ·∇L/‖∇L‖) − L(θ) ≈ ρ‖∇L‖
//
// and ‖∇L‖; the norm is over all parameters. It takes two passes forward and one backward. Where the gradient vanishes
// R is 0. R is a property of the plain loss: leave the penalties of training out.
//
// Source: Foret et al. (2021), Sharpness-Aware Minimization, equation 2.
func Sharpness(loss Loss, params []*graph.Node, rho float64) (sharpness, norm *graph.Node) {
	here := loss(params)
	gradient := graph.Gradient(here, params...)
	norm = graph.Sqrt(dot(gradient, gradient))
	length := graph.Div(graph.Scalar(norm.Graph(), norm.DType(), rho), graph.MaxScalar(norm, 1e-12))
	there := make([]*graph.Node, len(params))
	for i, p := range params {
		there[i] = graph.Add(p, graph.Mul(gradient[i], length))
	}
	return graph.Sub(loss(there), here), norm
}

// HessianVector builds the product of the loss's Hessian and v, one tensor a parameter, by differentiating ∇L·v: about
// two gradients' cost. It panics, as graph functions do, where GoMLX has no second derivative: of convolutions, of windows'
// maxima, of slices ([Landscape.Hessian] then takes differences).
//
// Source: Pearlmutter (1994), Fast Exact Multiplication by the Hessian.
func HessianVector(loss Loss, params, v []*graph.Node) []*graph.Node {
	constant := make([]*graph.Node, len(v))
	for i := range v {
		constant[i] = graph.StopGradient(v[i])
	}
	gradient := differentiable(graph.Gradient(loss(params), params...))
	return graph.Gradient(dot(gradient, constant), params...)
}

// differentiable panics where GoMLX differentiates gradients wrongly: its derivative of a convolution takes the axes to be
// in the usual order, which they are not in a gradient by the kernel (v0.28.2), and what comes out may have the right shape.
func differentiable(gradient []*graph.Node) []*graph.Node {
	seen := map[graph.NodeId]bool{}
	for next := slices.Clone(gradient); len(next) > 0; {
		node := next[len(next)-1]
		next = next[:len(next)-1]
		if node.Type() == graph.NodeTypeConvGeneral {
			panic(fmt.Errorf("a convolution has no derivative of its derivative in GoMLX"))
		}
		for _, input := range node.Inputs() {
			if !seen[input.Id()] {
				seen[input.Id()] = true
				next = append(next, input)
			}
		}
	}
	return gradient
}

// dot is the inner product over all tensors.
func dot(a, b []*graph.Node) *graph.Node {
	var sum *graph.Node
	for i := range a {
		part := graph.ReduceAllSum(graph.Mul(a[i], b[i]))
		if sum == nil {
			sum = part
		} else {
			sum = graph.Add(sum, part)
		}
	}
	return sum
}
