package dynamics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/curvature"
)

// ScalarNet is a model of one output with its gradient in closed form: [DiagonalLinearNet], [TwoLayerReLU].
type ScalarNet interface {
	// Blocks are the parameters in their order, not copied: to change them is to change the net.
	Blocks() [][]float64
	// Validate says what does not fit, or is not finite, for points of that many inputs. The other methods need not check.
	Validate(inputs int) error
	// Gradient writes ∇f(x) to g, the blocks joined, and returns f(x).
	Gradient(g, x []float64) float64
	// Kernel is K_ij = ∇f(x_i)·∇f(x_j)/n for the n rows of x: its nonzero eigenvalues are those of the Gauss–Newton matrix
	// G = (1/n) Σ ∇f_i∇f_iᵀ, which at an interpolating minimum is the Hessian of half the mean square loss.
	Kernel(x *mat.Dense) (*mat.SymDense, error)
}

// ScalarJacobian has the gradients of the net at the rows of x, and its outputs.
func ScalarJacobian(net ScalarNet, x *mat.Dense) (*curvature.Jacobian, error) {
	n, err := validInputs("ScalarJacobian", net, x)
	if err != nil {
		return nil, err
	}
	j := &curvature.Jacobian{Rows: mat.NewDense(n, parameters(net), nil), Values: make([]float64, n), Examples: n, Outputs: 1}
	for i := range n {
		j.Values[i] = net.Gradient(j.Rows.RawRowView(i), x.RawRowView(i))
	}
	return j, nil
}

// SquareLoss is L = (1/2n) Σ (f(x_i) − y_i)².
func SquareLoss(net ScalarNet, x *mat.Dense, y []float64) (float64, error) {
	if err := validExamples("SquareLoss", net, x, y); err != nil {
		return 0, err
	}
	return squareLoss(net, x, y, make([]float64, parameters(net))), nil
}

func squareLoss(net ScalarNet, x *mat.Dense, y, scratch []float64) float64 {
	sum := 0.0
	for i, want := range y {
		r := net.Gradient(scratch, x.RawRowView(i)) - want
		sum += r * r
	}
	return sum / float64(2*len(y))
}

// SharpnessReport is how sharp the loss is around a net, by the Gauss–Newton matrix G.
type SharpnessReport struct {
	Step      int     // of a run; 0 before the first
	Loss      float64 // half the mean square error
	Trace     float64 // tr G: batch size 1 is unstable above 2/η
	Frobenius float64 // ‖G‖_F
	Top       float64 // λ_max(G): gradient descent is unstable above 2/η
}

// SharpnessOf measures a net at n examples, from the eigenvalues of its kernel.
func SharpnessOf(net ScalarNet, x *mat.Dense, y []float64) (SharpnessReport, error) {
	loss, err := SquareLoss(net, x, y)
	if err != nil {
		return SharpnessReport{}, err
	}
	kernel, err := net.Kernel(x)
	if err != nil {
		return SharpnessReport{}, err
	}
	s, err := curvature.SpectrumOf(kernel)
	if err != nil {
		return SharpnessReport{}, err
	}
	return SharpnessReport{Loss: loss, Trace: s.Trace, Frobenius: s.Frobenius, Top: s.Eigenvalues[0]}, nil
}

// parameters counts them.
func parameters(net ScalarNet) (p int) {
	for _, block := range net.Blocks() {
		p += len(block)
	}
	return p
}

func validInputs(who string, net ScalarNet, x *mat.Dense) (n int, err error) {
	if net == nil || x == nil || x.IsEmpty() {
		return 0, fmt.Errorf("dynamics: %s: the net and x must not be nil or empty", who)
	}
	n, d := x.Dims()
	if err := net.Validate(d); err != nil {
		return 0, err
	}
	for i := range n {
		if s := floats.Sum(x.RawRowView(i)); math.IsNaN(s) || math.IsInf(s, 0) {
			return 0, fmt.Errorf("dynamics: %s: row %d of x sums to %g, must be finite", who, i, s)
		}
	}
	return n, nil
}

func validExamples(who string, net ScalarNet, x *mat.Dense, y []float64) error {
	n, err := validInputs(who, net, x)
	if err != nil {
		return err
	}
	if len(y) != n {
		return fmt.Errorf("dynamics: %s: y has %d values, must have as many as x has rows, %d", who, len(y), n)
	}
	for i, v := range y {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("dynamics: %s: y[%d] is %g, must be finite", who, i, v)
		}
	}
	return nil
}

func allFinite(who string, blocks [][]float64) error {
	for _, block := range blocks {
		for k, v := range block {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("dynamics: %s: a parameter is %g, at %d of its block, must be finite", who, v, k)
			}
		}
	}
	return nil
}
