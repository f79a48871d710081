package curvature

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Landscape is a loss around given weights, on fixed data.
type Landscape struct {
	// Loss of the parameters, in the order of their sorted paths: a scalar. Where GoMLX cannot differentiate it twice,
	// Hessians take differences.
	Loss func(params, data []*graph.Node) *graph.Node
	// Params are the weights to stand at, all float32 or all float64.
	Params scan.Vars
	// Data of the loss, in its order; nil: none.
	Data []*tensors.Tensor
}

// SharpnessAt is what [Landscape.Sharpness] measures.
type SharpnessAt struct {
	Loss      float64
	Gradient  float64 // ‖∇L‖
	Sharpness float64 // R(θ); see [Sharpness]
}

// Sharpness measures R at radius rho, which must be positive.
func (l Landscape) Sharpness(b compute.Backend, rho float64) (SharpnessAt, error) {
	if !(rho > 0) || math.IsInf(rho, 0) {
		return SharpnessAt{}, fmt.Errorf("curvature: Landscape: Sharpness: rho is %g, must be positive and finite", rho)
	}
	out, err := l.measure(b, "Sharpness", nil, func(loss Loss, params, _ []*graph.Node) []*graph.Node {
		r, norm := Sharpness(loss, params, rho)
		return []*graph.Node{loss(params), norm, r}
	})
	if err != nil {
		return SharpnessAt{}, err
	}
	v, err := out()
	if err != nil {
		return SharpnessAt{}, err
	}
	return SharpnessAt{number(v[0]), number(v[1]), number(v[2])}, nil
}

// TopEigenvalue is [PowerIteration] with the Hessian, for exactly that many iterations, each one product, from a normal random
// vector of the seed. It is the eigenvalue of largest modulus that is found: early in training that may be a negative one.
func (l Landscape) TopEigenvalue(ctx context.Context, b compute.Backend, iterations int, seed uint64) (TopEigenvalue, error) {
	if iterations < 1 {
		return TopEigenvalue{}, fmt.Errorf("curvature: Landscape: TopEigenvalue: iterations is %d, must be at least 1", iterations)
	}
	op, err := l.Hessian(b, ProductConfig{})
	if err != nil {
		return TopEigenvalue{}, err
	}
	rng := rand.New(rand.NewPCG(seed, 0x746f70))
	start := make([]float64, op.Dim)
	for i := range start {
		start[i] = rng.NormFloat64()
	}
	return PowerIteration(ctx, op, PowerConfig{Tolerance: -1, Iterations: iterations, Start: start})
}

// Surface is the loss on a grid around the weights.
type Surface struct {
	At   []float64   // the grid's coordinates along either direction
	Loss [][]float64 // Loss[i][j] at θ + At[i]·d₁ + At[j]·d₂
}

// Surface measures the loss at points × points places θ + a·d₁ + b·d₂ with a and b from −span to span. The directions
// are normal random, each filter (the entries of a tensor that go to one output, its last axis) scaled to the length of
// the weights' own; tensors of fewer than two axes, biases and gains, stay. An odd number of points has θ in its middle.
//
// Source: Li et al. (2018), Visualizing the Loss Landscape of Neural Nets, section 4.
func (l Landscape) Surface(ctx context.Context, b compute.Backend, points int, span float64, seed uint64) (*Surface, error) {
	if points < 2 || !(span > 0) || math.IsInf(span, 0) {
		return nil, fmt.Errorf("curvature: Landscape: Surface: points is %d and span %g, must be at least 2 and positive", points, span)
	}
	paths := l.paths()
	rng := rand.New(rand.NewPCG(seed, 0x73757266))
	var args []any
	for range 2 {
		for _, path := range paths {
			args = append(args, filterDirection(l.Params[path], rng))
		}
	}
	n := len(paths)
	args = append(args, 0.0, 0.0)
	call, err := l.measure(b, "Surface", args, func(loss Loss, params, in []*graph.Node) []*graph.Node {
		there := make([]*graph.Node, n)
		for i, p := range params {
			move := func(k, at int) *graph.Node { return graph.Mul(in[k*n+i], graph.ConvertDType(in[at], p.DType())) }
			there[i] = graph.Add(p, graph.Add(move(0, 2*n), move(1, 2*n+1)))
		}
		return []*graph.Node{loss(there)}
	})
	if err != nil {
		return nil, err
	}
	out := &Surface{}
	for i := range points {
		out.At = append(out.At, span*(2*float64(i)/float64(points-1)-1))
	}
	for _, a := range out.At {
		var row []float64
		for _, c := range out.At {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			args[2*n], args[2*n+1] = a, c
			v, err := call(args...)
			if err != nil {
				return nil, err
			}
			row = append(row, number(v[0]))
		}
		out.Loss = append(out.Loss, row)
	}
	return out, nil
}

// filterDirection is random, and as long as w in each filter.
func filterDirection(w *tensors.Tensor, rng *rand.Rand) *tensors.Tensor {
	values := numbers(w)
	out := make([]float64, len(values))
	if w.Rank() < 2 {
		return like(w, out)
	}
	filters := w.Shape().Dim(-1)
	own, drawn := make([]float64, filters), make([]float64, filters)
	for j := range out {
		out[j] = rng.NormFloat64()
		own[j%filters] += values[j] * values[j]
		drawn[j%filters] += out[j] * out[j]
	}
	for j := range out {
		if f := j % filters; drawn[f] > 0 {
			out[j] *= math.Sqrt(own[f] / drawn[f])
		}
	}
	return like(w, out)
}

func (l Landscape) paths() []string { return slices.Sorted(maps.Keys(l.Params)) }

// of is the loss on given data.
func (l Landscape) of(data []*graph.Node) Loss {
	return func(params []*graph.Node) *graph.Node {
		v := l.Loss(params, data)
		if v.Rank() != 0 {
			panic(fmt.Errorf("the loss is %s, must be a scalar", v.Shape()))
		}
		return v
	}
}

// measure is [measure] of the loss.
func (l Landscape) measure(b compute.Backend, who string, further []any, build func(loss Loss, params, further []*graph.Node) []*graph.Node) (func(...any) ([]*tensors.Tensor, error), error) {
	who = "Landscape: " + who
	if l.Loss == nil {
		return nil, fmt.Errorf("curvature: %s: Loss must be set", who)
	}
	call, err := measure(b, who, l.Params, l.Data, further, func(params, data, further []*graph.Node) []*graph.Node {
		return build(l.of(data), params, further)
	})
	return func(further ...any) ([]*tensors.Tensor, error) { return call(l.Params, further...) }, err
}

// validParams returns the type of parameters that can be measured.
func validParams(who string, params scan.Vars) (dtypes.DType, error) {
	dtype, entries := dtypes.InvalidDType, 0
	for _, path := range slices.Sorted(maps.Keys(params)) {
		p := params[path]
		if p == nil || p.DType() != dtypes.Float32 && p.DType() != dtypes.Float64 || dtype != dtypes.InvalidDType && p.DType() != dtype {
			return dtype, fmt.Errorf("curvature: %s: parameter %q must be float32 or float64 like the others", who, path)
		}
		dtype, entries = p.DType(), entries+p.Shape().Size()
	}
	if entries == 0 {
		return dtype, fmt.Errorf("curvature: %s: Params must be set, with at least one entry", who)
	}
	return dtype, nil
}

// measure compiles build for weights, data and further arguments, and returns a function that calls it with other weights of
// these paths, shapes and type, and such arguments.
func measure(b compute.Backend, who string, params scan.Vars, data []*tensors.Tensor, further []any, build func(params, data, further []*graph.Node) []*graph.Node) (func(params scan.Vars, further ...any) ([]*tensors.Tensor, error), error) {
	if _, err := validParams(who, params); err != nil {
		return nil, err
	}
	var rest []any
	for i, d := range data {
		if d == nil {
			return nil, fmt.Errorf("curvature: %s: Data[%d] is nil", who, i)
		}
		rest = append(rest, d)
	}
	n, m := len(params), len(further)
	exec, err := graph.NewExec(b, func(in []*graph.Node) []*graph.Node {
		return build(in[:n], in[n+m:], in[n:n+m])
	})
	if err != nil {
		return nil, fmt.Errorf("curvature: %s: %w", who, err)
	}
	return func(params scan.Vars, further ...any) ([]*tensors.Tensor, error) {
		var weights []any
		for _, path := range slices.Sorted(maps.Keys(params)) {
			weights = append(weights, params[path])
		}
		out, err := exec.Call(slices.Concat(weights, further, rest)...)
		if err != nil {
			return nil, fmt.Errorf("curvature: %s: %w", who, err)
		}
		return out, nil
	}, nil
}

// number is a scalar as float64.
func number(t *tensors.Tensor) float64 { return numbers(t)[0] }

// numbers of a float32 or float64 tensor.
func numbers(t *tensors.Tensor) []float64 {
	if t.DType() == dtypes.Float64 {
		return tensors.MustCopyFlatData[float64](t)
	}
	var out []float64
	for _, v := range tensors.MustCopyFlatData[float32](t) {
		out = append(out, float64(v))
	}
	return out
}

// like makes a tensor of t's shape and type.
func like(t *tensors.Tensor, values []float64) *tensors.Tensor {
	if t.DType() == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(values, t.Shape().Dimensions...)
	}
	short := make([]float32, len(values))
	for i, v := range values {
		short[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(short, t.Shape().Dimensions...)
}
