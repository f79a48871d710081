package curvature

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Operator is a symmetric linear map of Dim-dimensional vectors that is known by its products alone: the Hessian of a loss
// ([Landscape.Hessian]), a Gauss–Newton matrix ([Network.GaussNewton]), a covariance ([GradientNoise.Covariance]), a matrix
// ([DenseOperator]), or any other function.
type Operator struct {
	Dim int
	// Apply writes A·x to y, both of Dim entries; it changes x as little as it keeps either.
	Apply func(y, x []float64) error
	// Note says how the products are made where that limits their precision; "" else.
	Note string
}

func (o Operator) valid(who string) error {
	if o.Dim < 1 || o.Apply == nil {
		return fmt.Errorf("curvature: %s: the operator has dimension %d, must be at least 1 and have Apply", who, o.Dim)
	}
	return nil
}

// apply is Apply with a finite product, for who asks.
func (o Operator) apply(who string, y, x []float64) error {
	if err := o.Apply(y, x); err != nil {
		return fmt.Errorf("curvature: %s: %w", who, err)
	}
	if i := notFinite(y); i >= 0 {
		return fmt.Errorf("curvature: %s: entry %d of a product is %g, must be finite", who, i, y[i])
	}
	return nil
}

// notFinite is where the first entry that is NaN or infinite stands, or −1.
func notFinite(v []float64) int {
	for i, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return i
		}
	}
	return -1
}

// DenseOperator is a matrix, copied, as an operator.
func DenseOperator(matrix mat.Symmetric) Operator {
	n := matrix.SymmetricDim()
	if n == 0 {
		return Operator{}
	}
	a := mat.NewSymDense(n, nil)
	a.CopySym(matrix)
	return Operator{Dim: n, Apply: func(y, x []float64) error {
		mat.NewVecDense(n, y).MulVec(a, mat.NewVecDense(n, x))
		return nil
	}}
}

// Shifted is A + shift·I: its eigenvector of largest modulus is A's of largest value where shift ≥ −λ_min, and A's of
// smallest value where shift ≤ −λ_max.
func (o Operator) Shifted(shift float64) Operator {
	apply := o.Apply
	o.Apply = func(y, x []float64) error {
		if err := apply(y, x); err != nil {
			return err
		}
		floats.AddScaled(y, shift, x)
		return nil
	}
	return o
}

// largestDense is the dimension whose matrix takes 2 GiB.
const largestDense = 1 << 14

// Dense is the operator's matrix: Dim products with unit vectors, and half the sum with its transpose. Dim must not exceed
// 16384.
func (o Operator) Dense(ctx context.Context) (*mat.SymDense, error) {
	if err := o.valid("Dense"); err != nil {
		return nil, err
	}
	if o.Dim > largestDense {
		return nil, fmt.Errorf("curvature: Dense: the operator has dimension %d, must be at most %d", o.Dim, largestDense)
	}
	out := mat.NewSymDense(o.Dim, nil)
	x, y := make([]float64, o.Dim), make([]float64, o.Dim)
	for i := range o.Dim {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x[i] = 1
		if err := o.apply("Dense", y, x); err != nil {
			return nil, err
		}
		x[i] = 0
		for j, v := range y {
			if j < i {
				v = (v + out.At(j, i)) / 2
			}
			out.SetSym(min(i, j), max(i, j), v)
		}
	}
	return out, nil
}

// Asymmetry is |uᵀAv − vᵀAu| / √(‖Au‖·‖Av‖·‖u‖·‖v‖) for two normal random vectors of the seed: 0 to rounding where the
// operator is symmetric. It takes two products.
func (o Operator) Asymmetry(seed uint64) (float64, error) {
	if err := o.valid("Asymmetry"); err != nil {
		return 0, err
	}
	probes := Probes{Count: 2, Gaussian: true, Seed: seed}
	u, v := probes.vector(0, o.Dim), probes.vector(1, o.Dim)
	au, av := make([]float64, o.Dim), make([]float64, o.Dim)
	for _, p := range [][2][]float64{{au, u}, {av, v}} {
		if err := o.apply("Asymmetry", p[0], p[1]); err != nil {
			return 0, err
		}
	}
	difference := math.Abs(floats.Dot(u, av) - floats.Dot(v, au))
	if difference == 0 {
		return 0, nil
	}
	return difference / math.Sqrt(floats.Norm(au, 2)*floats.Norm(av, 2)*floats.Norm(u, 2)*floats.Norm(v, 2)), nil
}

// Probes are the random vectors that a trace or a density is estimated from: independent, of mean zero and covariance I.
type Probes struct {
	Count int // default 30
	// Gaussian draws normal entries; else each is ±1 with probability ½ (Rademacher), whose estimates vary less.
	Gaussian bool
	Seed     uint64
	// Vectors, where given, are the probes themselves.
	Vectors [][]float64
}

func (p Probes) count() int {
	switch {
	case p.Vectors != nil:
		return len(p.Vectors)
	case p.Count == 0:
		return 30
	}
	return p.Count
}

func (p Probes) valid(who string, dim int) error {
	if p.count() < 1 {
		return fmt.Errorf("curvature: %s: Probes: Count is %d, must be at least 1", who, p.count())
	}
	for i, v := range p.Vectors {
		if err := validStart(fmt.Sprintf("%s: Probes: vector %d", who, i), v, dim); err != nil {
			return err
		}
	}
	return nil
}

// vector is the probe of a number, the same whatever the others are.
func (p Probes) vector(i, dim int) []float64 {
	if p.Vectors != nil {
		return p.Vectors[i]
	}
	rng := online.Seeded(p.Seed, fmt.Sprintf("curvature/probe/%d", i))
	out := make([]float64, dim)
	if p.Gaussian {
		for j := range out {
			out[j] = rng.NormFloat64()
		}
		return out
	}
	var bits uint64
	for j := range out {
		if j%64 == 0 {
			bits = rng.Uint64()
		}
		out[j] = 1 - 2*float64(bits&1)
		bits >>= 1
	}
	return out
}

// validStart says what is wrong with a vector that must have a direction.
func validStart(who string, v []float64, dim int) error {
	if len(v) != dim {
		return fmt.Errorf("curvature: %s: has %d entries, must have the operator's %d", who, len(v), dim)
	}
	if i := notFinite(v); i >= 0 {
		return fmt.Errorf("curvature: %s: entry %d is %g, must be finite", who, i, v[i])
	}
	if floats.Norm(v, 2) == 0 {
		return fmt.Errorf("curvature: %s: is the zero vector, must have a direction", who)
	}
	return nil
}
