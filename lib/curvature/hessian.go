package curvature

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Way is how an operator's products come about.
type Way int

const (
	// Automatic differentiates where the backend and GoMLX can, else takes differences, and [Operator.Note] says why.
	Automatic Way = iota
	// Autodiff differentiates, or fails: exact to rounding.
	Autodiff
	// Differences are central ones: of the gradient for a Hessian, of the outputs for a Gauss–Newton matrix. They are right
	// to about 1e-7: they are taken in float64, whatever the weights' type, unless the loss cannot be. Where a kink, as
	// ReLU's, lies between the two points they are wrong.
	Differences
)

// ProductConfig says how an operator makes its products.
type ProductConfig struct {
	Way Way
	// Step is c of the differences' step h = c·(1 + ‖θ‖)/‖v‖; default 1e-8 in float64, 3e-3 in float32.
	Step float64
}

// Hessian is the loss's Hessian at the weights. A vector's entries are those of the parameters in the order of their sorted
// paths, each row by row. It costs two to four gradients a product, in one compiled graph.
//
// The loss must be the same function at each product: no dropout, a fixed batch. Weights at which a product is not finite are
// an error here.
//
// Source: Pearlmutter (1994), Fast Exact Multiplication by the Hessian.
func (l Landscape) Hessian(b compute.Backend, c ProductConfig) (Operator, error) {
	at, err := l.Hessians(b, c)
	if err != nil {
		return Operator{}, err
	}
	return at(l.Params)
}

// Hessians compiles once and returns the Hessian at any weights of the same paths, shapes and type: for measuring along a
// training run.
func (l Landscape) Hessians(b compute.Backend, c ProductConfig) (func(params scan.Vars) (Operator, error), error) {
	const who = "Landscape: Hessian"
	if l.Loss == nil {
		return nil, fmt.Errorf("curvature: %s: Loss must be set", who)
	}
	return products(b, who, l.Params, l.Data, c, func(params, data []*graph.Node, v *graph.Node) *graph.Node {
		return join(HessianVector(l.of(data), params, split(v, params)))
	}, func(params scan.Vars, data []*tensors.Tensor) (differing, error) {
		gradient, err := Landscape{Loss: l.Loss, Params: params, Data: data}.Gradient(b)
		return func(params scan.Vars, step float64) (Operator, error) {
			return FiniteDifferenceHessian(func(g, theta []float64) error {
				_, err := gradient(g, theta)
				return err
			}, Flat(params), step)
		}, err
	})
}

// differing makes an operator by differences of a relative step.
type differing func(params scan.Vars, step float64) (Operator, error)

// products makes operators of what build returns for a flat v, or of differences.
func products(b compute.Backend, who string, params scan.Vars, data []*tensors.Tensor, c ProductConfig, build func(params, data []*graph.Node, v *graph.Node) *graph.Node, differences func(params scan.Vars, data []*tensors.Tensor) (differing, error)) (func(params scan.Vars) (Operator, error), error) {
	if c.Way < Automatic || c.Way > Differences || !(c.Step >= 0) || math.IsInf(c.Step, 0) {
		return nil, fmt.Errorf("curvature: %s: Way is %d and Step %g, must be Automatic, Autodiff or Differences, and not negative", who, c.Way, c.Step)
	}
	dtype, err := validParams(who, params)
	if err != nil {
		return nil, err
	}
	dim := len(Flat(params))
	y, probe := make([]float64, dim), Probes{}.vector(0, dim)
	// standing is an operator at weights at which it is finite.
	standing := func(at scan.Vars, make func(at scan.Vars) (Operator, error)) (Operator, error) {
		if err := sameParams(who, at, params); err != nil {
			return Operator{}, err
		}
		op, err := make(at)
		if err != nil {
			return Operator{}, err
		}
		if err := op.Apply(y, probe); err != nil {
			return Operator{}, err
		}
		if i := notFinite(y); i >= 0 {
			return Operator{}, fmt.Errorf("curvature: %s: it is not finite at these weights: entry %d of a product is %g", who, i, y[i])
		}
		return op, nil
	}
	note := "by differences"
	if c.Way != Differences {
		call, err := measure(b, who, params, data, []any{flatTensor(dtype, y)}, func(params, data, further []*graph.Node) []*graph.Node {
			return []*graph.Node{build(params, data, further[0])}
		})
		if err != nil {
			return nil, err
		}
		exact := func(at scan.Vars) (Operator, error) {
			return Operator{Dim: dim, Apply: func(y, x []float64) error {
				out, err := call(at, flatTensor(dtype, x))
				if err != nil {
					return err
				}
				return take(y, out[0])
			}}, nil
		}
		op, _ := exact(params)
		if err = op.Apply(y, probe); err == nil { // now the graph is built
			return func(at scan.Vars) (Operator, error) { return standing(at, exact) }, nil
		}
		if c.Way == Autodiff {
			return nil, fmt.Errorf("%w (Differences need no derivative of a derivative)", err)
		}
		for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
			err = inner // GoMLX's own words, without where they were said
		}
		note = fmt.Sprintf("by differences, since %v", err)
	}
	// differing in a precision, at the weights it is given in any.
	differ := func(convert func(scan.Vars) scan.Vars, data []*tensors.Tensor, step float64) (func(at scan.Vars) (Operator, error), error) {
		if c.Step > 0 {
			step = c.Step
		}
		make, err := differences(convert(params), data)
		if err != nil {
			return nil, err
		}
		by := func(at scan.Vars) (Operator, error) {
			op, err := make(convert(at), step)
			op.Note = note
			return op, err
		}
		op, err := by(params)
		if err == nil {
			err = op.Apply(y, probe)
		}
		return func(at scan.Vars) (Operator, error) { return standing(at, by) }, err
	}
	at, err := differ(doubled, doubledData(data), defaultStep)
	if err != nil && dtype == dtypes.Float32 {
		note += "; in float32"
		at, err = differ(func(at scan.Vars) scan.Vars { return at }, data, 3e-3)
	}
	return at, err
}

// doubled and doubledData are the same in float64, in which differences are taken wherever the loss can be: their step can
// then be so short that hardly a kink lies within.
func doubled(params scan.Vars) scan.Vars {
	out := scan.Vars{}
	for path, p := range params {
		out[path] = double(p)
	}
	return out
}

func doubledData(data []*tensors.Tensor) []*tensors.Tensor {
	var out []*tensors.Tensor
	for _, d := range data {
		if d != nil && d.DType() == dtypes.Float32 {
			d = double(d)
		}
		out = append(out, d)
	}
	return out
}

func double(t *tensors.Tensor) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(numbers(t), t.Shape().Dimensions...)
}

// sameParams says where weights are not like those that were compiled for, or not finite.
func sameParams(who string, params, like scan.Vars) error {
	if len(params) != len(like) {
		return fmt.Errorf("curvature: %s: there are %d parameters, must be %d", who, len(params), len(like))
	}
	for _, path := range slices.Sorted(maps.Keys(like)) {
		p := params[path]
		if p == nil || !p.Shape().Equal(like[path].Shape()) {
			return fmt.Errorf("curvature: %s: parameter %q must be there and %s", who, path, like[path].Shape())
		}
		if i := notFinite(numbers(p)); i >= 0 {
			return fmt.Errorf("curvature: %s: entry %d of parameter %q is not finite", who, i, path)
		}
	}
	return nil
}

// Gradient returns a function that writes the loss's gradient at other weights theta, flat as in [Landscape.Hessian], and
// returns the loss.
func (l Landscape) Gradient(b compute.Backend) (func(gradient, theta []float64) (loss float64, err error), error) {
	const who = "Landscape: Gradient"
	if l.Loss == nil {
		return nil, fmt.Errorf("curvature: %s: Loss must be set", who)
	}
	dtype, err := validParams(who, l.Params)
	if err != nil {
		return nil, err
	}
	dim := len(Flat(l.Params))
	call, err := measure(b, who, l.Params, l.Data, []any{flatTensor(dtype, make([]float64, dim))}, func(params, data, further []*graph.Node) []*graph.Node {
		there := split(further[0], params)
		loss := l.of(data)(there)
		return []*graph.Node{loss, join(graph.Gradient(loss, there...))}
	})
	if err != nil {
		return nil, err
	}
	return func(gradient, theta []float64) (float64, error) {
		if len(gradient) != dim || len(theta) != dim {
			return 0, fmt.Errorf("curvature: %s: gradient and theta have %d and %d entries, must have %d", who, len(gradient), len(theta), dim)
		}
		out, err := call(l.Params, flatTensor(dtype, theta))
		if err != nil {
			return 0, err
		}
		return number(out[0]), take(gradient, out[1])
	}, nil
}

// defaultStep of central differences in float64. Of a smooth loss 6e-6, the cube root of the rounding error, would be right
// to 1e-10; but each of ReLU's kinks between the two points is an error that grows as 1/h, and of a convolutional network's
// 10⁵ activations some change sign over a step that long. This one is right to about 1e-7.
const defaultStep = 1e-8

// FiniteDifferenceHessian is the Hessian of a loss that is known by its gradient:
//
//	Hv ≈ (∇L(θ + hv) − ∇L(θ − hv))/2h,   h = step·(1 + ‖θ‖)/‖v‖
//
// for what cannot be differentiated twice. A step of 0 is 1e-8, short for the sake of kinks; of a gradient in float32 3e-3 is best. Each product takes two
// gradients.
func FiniteDifferenceHessian(gradient func(g, theta []float64) error, theta []float64, step float64) (Operator, error) {
	const who = "FiniteDifferenceHessian"
	if step == 0 {
		step = defaultStep
	}
	if gradient == nil || len(theta) == 0 || !(step > 0) || math.IsInf(step, 0) {
		return Operator{}, fmt.Errorf("curvature: %s: step is %g and theta has %d entries, must be positive and not empty, with a gradient", who, step, len(theta))
	}
	if i := notFinite(theta); i >= 0 {
		return Operator{}, fmt.Errorf("curvature: %s: entry %d of theta is %g, must be finite", who, i, theta[i])
	}
	theta = slices.Clone(theta)
	step *= 1 + floats.Norm(theta, 2)
	there, behind := make([]float64, len(theta)), make([]float64, len(theta))
	return Operator{Dim: len(theta), Note: "by differences", Apply: func(y, x []float64) error {
		clear(y)
		length := floats.Norm(x, 2)
		if length == 0 {
			return nil
		}
		h := step / length
		floats.AddScaledTo(there, theta, -h, x)
		if err := gradient(behind, there); err != nil {
			return err
		}
		floats.AddScaledTo(there, theta, h, x)
		if err := gradient(y, there); err != nil {
			return err
		}
		floats.Sub(y, behind)
		floats.Scale(1/(2*h), y)
		return nil
	}}, nil
}

// Flat joins parameters in the order of their sorted paths, each row by row: the order of an operator's entries.
func Flat(params scan.Vars) []float64 {
	var out []float64
	for _, path := range slices.Sorted(maps.Keys(params)) {
		out = append(out, numbers(params[path])...)
	}
	return out
}

// Unflat parts a flat vector into tensors of the parameters' paths, shapes and types, e.g. to step along an eigenvector.
func Unflat(flat []float64, params scan.Vars) (scan.Vars, error) {
	if n := len(Flat(params)); n != len(flat) {
		return nil, fmt.Errorf("curvature: Unflat: flat has %d entries, must have the parameters' %d", len(flat), n)
	}
	out := scan.Vars{}
	for _, path := range slices.Sorted(maps.Keys(params)) {
		n := params[path].Shape().Size()
		out[path] = like(params[path], slices.Clone(flat[:n]))
		flat = flat[n:]
	}
	return out, nil
}

// flatTensor is a vector of a type.
func flatTensor(dtype dtypes.DType, v []float64) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(v, len(v))
	}
	short := make([]float32, len(v))
	for i, x := range v {
		short[i] = float32(x)
	}
	return tensors.FromFlatDataAndDimensions(short, len(v))
}

// take copies a tensor's numbers to y and frees it.
func take(y []float64, t *tensors.Tensor) error {
	err := t.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			copy(y, flat)
		case []float32:
			for i, x := range flat {
				y[i] = float64(x)
			}
		}
	})
	if err != nil {
		return err
	}
	return t.FinalizeAll()
}

// split parts a flat node into the parameters' shapes; join is its inverse.
func split(flat *graph.Node, params []*graph.Node) []*graph.Node {
	out := make([]*graph.Node, len(params))
	at := 0
	for i, p := range params {
		n := p.Shape().Size()
		out[i] = graph.Reshape(graph.Slice(flat, graph.AxisRange(at, at+n)), p.Shape().Dimensions...)
		at += n
	}
	return out
}

func join(parts []*graph.Node) *graph.Node {
	flat := make([]*graph.Node, len(parts))
	for i, p := range parts {
		flat[i] = graph.Reshape(p, p.Shape().Size())
	}
	// What XLA fuses into a concatenation is computed along its whole length, masked: a sum of ten entries took as long as
	// the Hessian product around it.
	return graph.Concatenate(graph.OptimizationBarriers(flat...), 0)
}
