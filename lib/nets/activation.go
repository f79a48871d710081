package nets

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// activations by name.
var activations = map[string]func(x *graph.Node) *graph.Node{
	"relu":      func(x *graph.Node) *graph.Node { return graph.Max(x, graph.ZerosLike(x)) },
	"leakyrelu": func(x *graph.Node) *graph.Node { return graph.Max(x, graph.MulScalar(x, 0.01)) },
	"elu":       func(x *graph.Node) *graph.Node { return elu(x, 1) },
	"selu": func(x *graph.Node) *graph.Node {
		return graph.MulScalar(elu(x, 1.6732632423543772), 1.0507009873554805) // Klambauer et al. (2017), equation 14
	},
	"gelu": func(x *graph.Node) *graph.Node {
		return graph.Mul(x, graph.MulScalar(graph.AddScalar(graph.Erf(graph.MulScalar(x, math.Sqrt2/2)), 1), 0.5))
	},
	"tanh":     graph.Tanh,
	"sigmoid":  graph.Sigmoid,
	"softplus": softplus,
	"silu":     func(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Sigmoid(x)) },
	"identity": func(x *graph.Node) *graph.Node { return x },
}

// elu is x for x > 0, else α(eˣ − 1). The exponential never sees a positive number, whose overflow would spoil the
// gradient; it is kept from it by Where, since the gradient of Min at a tie is 0, and the slope at 0 is α.
func elu(x *graph.Node, alpha float64) *graph.Node {
	zero := graph.ZerosLike(x)
	above := graph.GreaterThan(x, zero)
	below := graph.MulScalar(graph.AddScalar(graph.Exp(graph.Where(above, zero, x)), -1), alpha) // Expm1 has no gradient in GoMLX
	return graph.Where(above, x, below)
}

func softplus(x *graph.Node) *graph.Node {
	return graph.Add(graph.Max(x, graph.ZerosLike(x)), graph.Log1p(graph.Exp(graph.Neg(graph.Abs(x)))))
}

// Activation returns an activation function by name: relu, leakyrelu (slope 0.01), elu, selu, gelu (exact), tanh,
// sigmoid, softplus, silu, identity. At 0 the slope of relu and leakyrelu is 1 (PyTorch's is 0 and 0.01). An unknown name
// is an error that lists these.
func Activation(name string) (func(x *graph.Node) *graph.Node, error) {
	f, ok := activations[strings.ToLower(name)]
	if !ok {
		return nil, fmt.Errorf("nets: activation %q is unknown, must be one of %s", name, strings.Join(slices.Sorted(maps.Keys(activations)), ", "))
	}
	return f, nil
}
