package curvature

import (
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
// two gradients' cost.
//
// Source: Pearlmutter (1994), Fast Exact Multiplication by the Hessian.
func HessianVector(loss Loss, params, v []*graph.Node) []*graph.Node {
	constant := make([]*graph.Node, len(v))
	for i := range v {
		constant[i] = graph.StopGradient(v[i])
	}
	return graph.Gradient(dot(graph.Gradient(loss(params), params...), constant), params...)
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
