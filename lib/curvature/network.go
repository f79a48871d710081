package curvature

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Network is a model's outputs around given weights, on fixed examples: what Gauss–Newton matrices and Jacobian kernels are made
// of.
type Network struct {
	// Outputs of the parameters, in the order of their sorted paths: shaped [examples, …]. Each example's must be its own: no
	// batch statistics.
	Outputs func(params, data []*graph.Node) *graph.Node
	// Loss of the outputs: a scalar, the mean over the examples. nil: half the square of the error, ‖f − y‖²/2, of whose
	// derivatives only the second is needed, I.
	Loss func(outputs *graph.Node, data []*graph.Node) *graph.Node
	// Params are the weights to stand at, all float32 or all float64.
	Params scan.Vars
	// Data of the model and its loss; the first axis of each tensor goes through the examples.
	Data []*tensors.Tensor
}

// Landscape is the loss of the outputs.
func (n Network) Landscape() Landscape {
	l := Landscape{Params: n.Params, Data: n.Data}
	if n.Outputs != nil && n.Loss != nil {
		l.Loss = func(params, data []*graph.Node) *graph.Node { return n.Loss(n.Outputs(params, data), data) }
	}
	return l
}

// GaussNewton is the matrix (1/n) Σ J_iᵀ A_i J_i over the n examples, with the Jacobian J_i of an example's outputs and the
// Hessian A_i of its loss in them: the Hessian without the outputs' own second derivatives, which at zero residuals is the
// Hessian itself. It is positive semi-definite where the loss is convex in the outputs. For cross-entropy of logits,
// A = diag(p) − ppᵀ, it is the Fisher information matrix.
//
// Jv is the derivative by u of uᵀJ·v: four gradients' cost a product.
//
// Source: Schraudolph (2002), Fast Curvature Matrix-Vector Products for Second-Order Gradient Descent.
func (n Network) GaussNewton(b compute.Backend, c ProductConfig) (Operator, error) {
	at, err := n.GaussNewtons(b, c)
	if err != nil {
		return Operator{}, err
	}
	return at(n.Params)
}

// GaussNewtons compiles once and returns the matrix at any weights of the same paths, shapes and type.
func (n Network) GaussNewtons(b compute.Backend, c ProductConfig) (func(params scan.Vars) (Operator, error), error) {
	const who = "Network: GaussNewton"
	if n.Outputs == nil {
		return nil, fmt.Errorf("curvature: %s: Outputs must be set", who)
	}
	// back is Jᵀ A along, for along = Jv.
	back := func(params, data []*graph.Node, outputs, along *graph.Node) *graph.Node {
		along = graph.StopGradient(along)
		if n.Loss == nil {
			along = graph.DivScalar(along, float64(outputs.Shape().Dim(0)))
		} else {
			here := graph.Identity(graph.StopGradient(outputs)) // no gradient goes to a stop itself
			loss := func(at []*graph.Node) *graph.Node { return n.Loss(at[0], data) }
			along = graph.StopGradient(HessianVector(loss, []*graph.Node{here}, []*graph.Node{along})[0])
		}
		return join(graph.Gradient(graph.ReduceAllSum(graph.Mul(outputs, along)), params...))
	}
	return products(b, who, n.Params, n.Data, c, func(params, data []*graph.Node, v *graph.Node) *graph.Node {
		outputs := n.of(params, data)
		u := graph.ZerosLike(outputs)
		pulled := differentiable(graph.Gradient(graph.ReduceAllSum(graph.Mul(outputs, u)), params...))
		return back(params, data, outputs, graph.Gradient(dot(pulled, split(graph.StopGradient(v), params)), u)[0])
	}, func(params scan.Vars, data []*tensors.Tensor) (differing, error) {
		dtype, err := validParams(who, params)
		if err != nil {
			return nil, err
		}
		call, err := measure(b, who, params, data, []any{flatTensor(dtype, Flat(params)), 1.0}, func(params, data, further []*graph.Node) []*graph.Node {
			v, h := split(further[0], params), graph.ConvertDType(further[1], dtype)
			at := func(h *graph.Node) *graph.Node {
				there := make([]*graph.Node, len(params))
				for i, p := range params {
					there[i] = graph.Add(p, graph.Mul(v[i], h))
				}
				return n.of(there, data)
			}
			along := graph.Div(graph.Sub(at(h), at(graph.Neg(h))), graph.MulScalar(h, 2))
			return []*graph.Node{back(params, data, n.of(params, data), along)}
		})
		return func(params scan.Vars, step float64) (Operator, error) {
			theta := Flat(params)
			step *= 1 + floats.Norm(theta, 2)
			return Operator{Dim: len(theta), Apply: func(y, x []float64) error {
				length := floats.Norm(x, 2)
				if length == 0 {
					clear(y)
					return nil
				}
				out, err := call(params, flatTensor(dtype, x), step/length)
				if err != nil {
					return err
				}
				return take(y, out[0])
			}}, nil
		}, err
	})
}

// of are the outputs, [examples, …].
func (n Network) of(params, data []*graph.Node) *graph.Node {
	out := n.Outputs(params, data)
	if out.Rank() < 1 {
		panic(fmt.Errorf("the outputs are %s, must have an axis of examples", out.Shape()))
	}
	return out
}

// Jacobian of a model's outputs in its parameters.
type Jacobian struct {
	// Rows are the gradients of the outputs, one a row: the outputs of the first example, then those of the next. Columns are
	// the parameters, as in [Flat].
	Rows     *mat.Dense
	Values   []float64 // the outputs themselves
	Examples int
	Outputs  int // of each example
}

// Jacobian takes one gradient of one example a row, and Rows' memory.
func (n Network) Jacobian(ctx context.Context, b compute.Backend) (*Jacobian, error) {
	const who = "Network: Jacobian"
	if n.Outputs == nil {
		return nil, fmt.Errorf("curvature: %s: Outputs must be set", who)
	}
	outputs := 0
	one, examples, err := perExample(b, who, n.Params, n.Data, func(params, data []*graph.Node, k *graph.Node) []*graph.Node {
		out := n.of(params, data)
		outputs = out.Shape().Size()
		out = graph.Reshape(out, outputs)
		own := graph.ReduceAllSum(graph.Mul(out, compare(graph.Equal, k, outputs, out.DType())))
		return []*graph.Node{own, join(graph.Gradient(own, params...))}
	})
	if err != nil {
		return nil, err
	}
	if err := sameParams(who, n.Params, n.Params); err != nil {
		return nil, err
	}
	dim := len(Flat(n.Params))
	row := make([]float64, dim)
	if _, err := one(row, 0, 0); err != nil { // the graph is built, and outputs is known
		return nil, err
	}
	out := &Jacobian{Rows: mat.NewDense(examples*outputs, dim, nil), Examples: examples, Outputs: outputs}
	for i := range examples * outputs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row := out.Rows.RawRowView(i)
		value, err := one(row, i/outputs, i%outputs)
		if err != nil {
			return nil, err
		}
		if j := notFinite(row); j >= 0 {
			return nil, fmt.Errorf("curvature: %s: entry %d of the gradient of example %d is %g, must be finite", who, j, i/outputs, row[j])
		}
		out.Values = append(out.Values, value)
	}
	return out, nil
}

// Kernel is K = JJᵀ/n over the n examples, with as many rows as J: the n-th part of the neural tangent kernel. Its nonzero
// eigenvalues are those of the Gauss–Newton matrix JᵀJ/n of half the square loss, and so are its trace and Frobenius norm.
//
// Source: Jacot, Gabriel, Hongler (2018), Neural Tangent Kernel.
func (j *Jacobian) Kernel() *mat.SymDense {
	var k mat.SymDense
	k.SymOuterK(1/float64(j.Examples), j.Rows)
	return &k
}

// Spectrum sums a symmetric matrix up.
type Spectrum struct {
	Trace       float64
	Frobenius   float64
	Eigenvalues []float64 // falling
}

// SpectrumOf finds all eigenvalues, of a kernel or of what [Operator.Dense] gives.
func SpectrumOf(a mat.Symmetric) (Spectrum, error) {
	n := a.SymmetricDim()
	for i := range n {
		for j := range i + 1 {
			if v := a.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return Spectrum{}, fmt.Errorf("curvature: SpectrumOf: entry (%d, %d) is %g, must be finite", i, j, v)
			}
		}
	}
	var eigen mat.EigenSym
	if n == 0 || !eigen.Factorize(a, false) {
		return Spectrum{}, fmt.Errorf("curvature: SpectrumOf: the eigenvalues of a %d×%d matrix did not converge", n, n)
	}
	values := eigen.Values(nil)
	slices.Reverse(values)
	return Spectrum{Trace: mat.Trace(a), Frobenius: mat.Norm(a, 2), Eigenvalues: values}, nil
}

// PerExampleGradients are the gradients of each example's own loss, one a row: those of the loss on data of that example
// alone. The loss must be a mean over the examples, whose number is the first axis of each tensor of Data, and none may see the
// others: that the rows' mean is the gradient is tested.
func (l Landscape) PerExampleGradients(ctx context.Context, b compute.Backend) (*mat.Dense, error) {
	const who = "Landscape: PerExampleGradients"
	gradient, err := l.Gradient(b)
	if err != nil {
		return nil, err
	}
	one, examples, err := perExample(b, who, l.Params, l.Data, func(params, data []*graph.Node, _ *graph.Node) []*graph.Node {
		loss := l.of(data)(params)
		return []*graph.Node{loss, join(graph.Gradient(loss, params...))}
	})
	if err != nil {
		return nil, err
	}
	theta := Flat(l.Params)
	whole, mean := make([]float64, len(theta)), make([]float64, len(theta))
	if _, err := gradient(whole, theta); err != nil {
		return nil, err
	}
	out := mat.NewDense(examples, len(theta), nil)
	length := 0.0
	for i := range examples {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row := out.RawRowView(i)
		if _, err := one(row, i, 0); err != nil {
			return nil, err
		}
		if j := notFinite(row); j >= 0 {
			return nil, fmt.Errorf("curvature: %s: entry %d of the gradient of example %d is %g, must be finite", who, j, i, row[j])
		}
		floats.AddScaled(mean, 1/float64(examples), row)
		length += floats.Norm(row, 2) / float64(examples)
	}
	if off := floats.Distance(mean, whole, 2); !(off <= 1e-3*length) {
		return nil, fmt.Errorf("curvature: %s: the examples' gradients differ in the mean by %.3g from the gradient, of their mean length %.3g: the loss must be a mean over the examples, each by itself", who, off, length)
	}
	return out, nil
}

// perExample compiles a value and its flat gradient for one example, and an index of an output.
func perExample(b compute.Backend, who string, params scan.Vars, data []*tensors.Tensor, build func(params, data []*graph.Node, k *graph.Node) []*graph.Node) (one func(gradient []float64, example, k int) (float64, error), examples int, err error) {
	for i, d := range data {
		if d == nil || d.Rank() < 1 || i > 0 && d.Shape().Dim(0) != examples {
			return nil, 0, fmt.Errorf("curvature: %s: Data[%d] must have a first axis of examples, as long as the others'", who, i)
		}
		examples = d.Shape().Dim(0)
	}
	if examples == 0 {
		return nil, 0, fmt.Errorf("curvature: %s: there are no examples in Data", who)
	}
	call, err := measure(b, who, params, data, []any{int32(0), int32(0)}, func(params, data, further []*graph.Node) []*graph.Node {
		alone := make([]*graph.Node, len(data))
		for i, d := range data {
			alone[i] = graph.Gather(d, graph.Reshape(further[0], 1, 1))
		}
		return build(params, alone, further[1])
	})
	if err != nil {
		return nil, 0, err
	}
	return func(gradient []float64, example, k int) (float64, error) {
		out, err := call(params, int32(example), int32(k))
		if err != nil {
			return 0, err
		}
		return number(out[0]), take(gradient, out[1])
	}, examples, nil
}
