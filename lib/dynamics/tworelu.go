package dynamics

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// TwoLayerReLU is f(x) = Σ_j a_j·max(w_j·x, 0), without biases. At w_j·x = 0 the derivative of max is 0.
//
// For x uniform on the sphere of radius √d, E tr H = ½ Σ_j (‖w_j‖² + d·a_j²) ≥ √d·[TwoLayerReLU.PathNorm].
type TwoLayerReLU struct {
	A []float64  // of m neurons
	W *mat.Dense // m × d, a neuron a row
}

var _ ScalarNet = TwoLayerReLU{}

// NormalTwoLayerReLU draws m neurons on d inputs, normal of mean 0: a with variance 1, the entries of w with d^(−½).
func NormalTwoLayerReLU(d, m int, rng *rand.Rand) (TwoLayerReLU, error) {
	net, err := emptyReLU("NormalTwoLayerReLU", d, m, rng)
	if err != nil {
		return net, err
	}
	for j := range net.A {
		net.A[j] = rng.NormFloat64()
	}
	deviation, w := math.Pow(float64(d), -0.25), net.W.RawMatrix().Data
	for k := range w {
		w[k] = deviation * rng.NormFloat64()
	}
	return net, nil
}

// ReLUTeacher is a net of m neurons with w uniform on the unit sphere of R^d and a = 1: a function to be learned.
func ReLUTeacher(d, m int, rng *rand.Rand) (TwoLayerReLU, error) {
	net, err := emptyReLU("ReLUTeacher", d, m, rng)
	if err != nil {
		return net, err
	}
	for j := range net.A {
		net.A[j] = 1
		uniformOnSphere(net.W.RawRowView(j), 1, rng)
	}
	return net, nil
}

func emptyReLU(who string, d, m int, rng *rand.Rand) (TwoLayerReLU, error) {
	if d < 1 || m < 1 || rng == nil {
		return TwoLayerReLU{}, fmt.Errorf("dynamics: %s: d is %d and m %d, must be at least 1, and rng must not be nil", who, d, m)
	}
	return TwoLayerReLU{make([]float64, m), mat.NewDense(m, d, nil)}, nil
}

// SphereInputs draws n points uniformly from the sphere of radius √d in R^d.
func SphereInputs(n, d int, rng *rand.Rand) (*mat.Dense, error) {
	if n < 1 || d < 1 || rng == nil {
		return nil, fmt.Errorf("dynamics: SphereInputs: n is %d and d %d, must be at least 1, and rng must not be nil", n, d)
	}
	x := mat.NewDense(n, d, nil)
	for i := range n {
		uniformOnSphere(x.RawRowView(i), math.Sqrt(float64(d)), rng)
	}
	return x, nil
}

func uniformOnSphere(x []float64, radius float64, rng *rand.Rand) {
	for k := range x {
		x[k] = rng.NormFloat64()
	}
	floats.Scale(radius/floats.Norm(x, 2), x)
}

// PathNorm is Σ_j |a_j|·‖w_j‖.
func (n TwoLayerReLU) PathNorm() float64 {
	sum := 0.0
	for j, a := range n.A {
		sum += math.Abs(a) * floats.Norm(n.W.RawRowView(j), 2)
	}
	return sum
}

// Blocks implements [ScalarNet]: a, and w neuron by neuron.
func (n TwoLayerReLU) Blocks() [][]float64 { return [][]float64{n.A, n.W.RawMatrix().Data} }

// Validate implements [ScalarNet]. W must be a whole matrix, no view of one.
func (n TwoLayerReLU) Validate(inputs int) error {
	if n.W == nil || n.W.IsEmpty() {
		return fmt.Errorf("dynamics: TwoLayerReLU: W is empty, must be neurons × inputs")
	}
	m, d := n.W.Dims()
	if len(n.A) != m || d != inputs || n.W.RawMatrix().Stride != d {
		return fmt.Errorf("dynamics: TwoLayerReLU: there are %d outer weights and W is %d×%d, must have as many rows as these, the inputs' %d columns, and be no view", len(n.A), m, d, inputs)
	}
	return allFinite("TwoLayerReLU", n.Blocks())
}

// Gradient implements [ScalarNet].
func (n TwoLayerReLU) Gradient(g, x []float64) float64 {
	f, d := 0.0, len(x)
	w := n.W.RawMatrix().Data
	inner := g[len(n.A):]
	for j, a := range n.A {
		gradient := inner[j*d : (j+1)*d]
		h := floats.Dot(w[j*d:(j+1)*d], x)
		if h <= 0 {
			g[j] = 0
			clear(gradient)
			continue
		}
		g[j], f = h, f+a*h
		floats.ScaleTo(gradient, a, x)
	}
	return f
}

// Kernel implements [ScalarNet], in n²(m + d) multiply-adds.
func (n TwoLayerReLU) Kernel(x *mat.Dense) (*mat.SymDense, error) {
	rows, err := validInputs("TwoLayerReLU: Kernel", n, x)
	if err != nil {
		return nil, err
	}
	var active, gates mat.Dense
	active.Mul(x, n.W.T())
	gates.Apply(func(_, j int, v float64) float64 {
		if v > 0 {
			return n.A[j]
		}
		return 0
	}, &active)
	active.Apply(func(_, _ int, v float64) float64 { return max(v, 0) }, &active)
	var outer, inner, points mat.SymDense
	outer.SymOuterK(1/float64(rows), &active)
	inner.SymOuterK(1/float64(rows), &gates)
	points.SymOuterK(1, x)
	for i := range rows {
		for j := i; j < rows; j++ {
			outer.SetSym(i, j, outer.At(i, j)+inner.At(i, j)*points.At(i, j))
		}
	}
	return &outer, nil
}
