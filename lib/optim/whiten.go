package optim

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// GradWhiten whitens matrices: G becomes (GGᵀ)^(−1/2)·G, the polar factor, whose singular values are 1. It is the same
// whichever way the matrix lies. No state; GGᵀ of the smaller side is all it makes for a moment.
//
// The inverse root comes from the Newton–Schulz iteration, see [NewtonSchulzInvSqrt]: singular values that are small
// against the largest stay below 1 until there are enough iterations. Exact takes the polar factor itself, see
// [PolarFactor]; directions without a gradient then get none, as with the iteration.
//
// Chain{Trace{Momentum: 0.95}, GradWhiten{}, NormalizeRMS{}} is Muon as the paper's comparison writes it; [ScaleByMuon] is
// optax's form.
//
// Matrices of equal size are whitened in one batch. Parameters of other than two axes are an error. Zero stays zero.
// Hyper-parameter: "beta". Source: Ma et al. (2025), SWAN, section 3 and its algorithm of Newton–Schulz whitening; the
// scaling by ‖GGᵀ‖, without which it diverges, is not in that listing.
type GradWhiten struct {
	Iterations int     // k, at least 1; default 10
	Beta       float64 // step size β in (0, 1); default ½, which converges; 0.8 lifts small singular values faster and leaves them in about [0.5, 1.6]
	// Exact takes singular vectors in place of the iteration. It costs several times as much.
	Exact bool
}

var _ Transform = GradWhiten{}

// Init implements Transform.
func (w GradWhiten) Init(params []Param) State {
	c := check("GradWhiten")
	for _, p := range params {
		c.matrix(p)
	}
	if err := c.join(); err != nil {
		panic(err)
	}
	return nil
}

// Update implements Transform.
func (w GradWhiten) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return batched(s.Params, updates, func(x *graph.Node) *graph.Node {
		if w.Exact {
			return polar(x)
		}
		return newtonSchulz(x, w.iterations(), s.Hyper("beta", or(w.Beta, 0.5), x.DType()))
	}), nil
}

func (w GradWhiten) iterations() int {
	if w.Iterations == 0 {
		return 10
	}
	return w.Iterations
}

// Validate implements Transform.
func (w GradWhiten) Validate() error {
	c := check("GradWhiten")
	if w.Iterations < 0 {
		c.add("Iterations is %d, must be at least 1 (0 means 10)", w.Iterations)
	}
	c.fraction("Beta", or(w.Beta, 0.5))
	return c.join()
}

// fraction demands 0 < v < 1.
func (c *checks) fraction(field string, v float64) {
	if !(v > 0 && v < 1) {
		c.add("%s is %g, must be in (0, 1)", field, v)
	}
}

// NewtonSchulzSpectrum returns what [GradWhiten] with k iterations makes of a matrix's singular values, computed on the
// host: singular vectors stay as they are. It is an error unless values are finite and not negative, one of them
// positive, k ≥ 1 and β in (0, 1).
func NewtonSchulzSpectrum(values []float64, k int, beta float64) ([]float64, error) {
	c := check("NewtonSchulzSpectrum")
	var sum, largest float64
	for i, v := range values {
		c.least(fmt.Sprintf("values[%d]", i), v, 0)
		largest = max(largest, v)
	}
	c.positive("the largest value", largest)
	if k < 1 {
		c.add("k is %d, must be at least 1", k)
	}
	c.fraction("beta", beta)
	if err := c.join(); err != nil {
		return nil, err
	}
	for _, v := range values {
		sum += math.Pow(v/largest, 4)
	}
	size := math.Sqrt(sum) // ‖GGᵀ‖ over the largest value's square
	out := make([]float64, len(values))
	for i, v := range values {
		y, z := v/largest*v/largest/size, 1.
		for range k {
			r := 3 - z*y
			y, z = beta*y*r, beta*r*z
		}
		out[i] = z * v / largest / math.Sqrt(size)
	}
	return out, nil
}

// batched applies f to all matrices of one size together: x is [runs, matrices, m, n] with m ≤ n, in float32 at least,
// and its largest entries by size are 1.
func batched(params []Param, updates []*graph.Node, f func(x *graph.Node) *graph.Node) []*graph.Node {
	out := make([]*graph.Node, len(updates))
	groups := map[string][]int{}
	var order []string
	for i, u := range updates {
		d := params[i].Shape().Dimensions
		key := fmt.Sprint(u.DType(), min(d[0], d[1]), max(d[0], d[1]))
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], i)
	}
	for _, key := range order {
		var parts []*graph.Node
		for _, i := range groups[key] {
			x := updates[i]
			if params[i].Lead == 0 {
				x = graph.InsertAxes(x, 0)
			}
			parts = append(parts, graph.InsertAxes(wide(x), 1))
		}
		x := f(unitLargest(accumulated(graph.Concatenate(parts, 1))))
		for k, i := range groups[key] {
			y := graph.Slice(x, graph.AxisRange(), graph.AxisRange(k, k+1))
			y = graph.Reshape(y, y.Shape().Dim(0), y.Shape().Dim(2), y.Shape().Dim(3))
			if d := params[i].Shape().Dimensions; d[0] > d[1] {
				y = graph.TransposeAllAxes(y, 0, 2, 1)
			}
			out[i] = graph.ConvertDType(graph.Reshape(y, updates[i].Shape().Dimensions...), updates[i].DType())
		}
	}
	return out
}

// wide lays matrices of a batch, [batch, rows, columns], on their longer side.
func wide(x *graph.Node) *graph.Node {
	if x.Shape().Dim(1) > x.Shape().Dim(2) {
		return graph.TransposeAllAxes(x, 0, 2, 1)
	}
	return x
}

// unitLargest divides each matrix by its largest entry, so that squares neither vanish nor overflow.
func unitLargest(x *graph.Node) *graph.Node {
	largest := graph.ReduceAndKeep(graph.Abs(x), graph.ReduceMax, -2, -1)
	return quotient(x, graph.BroadcastToDims(largest, x.Shape().Dimensions...))
}

// newtonSchulz is (xxᵀ)^(−1/2)·x of matrices [runs, matrices, m, n]; β is a scalar, or one value a run.
func newtonSchulz(x *graph.Node, iterations int, beta *graph.Node) *graph.Node {
	root, size := inverseRoot(graph.Einsum("abij,abkj->abik", x, x), iterations, beta)
	return graph.Mul(graph.Einsum("abij,abjk->abik", root, x), reciprocalRoot(size))
}

// reciprocalRoot is 1/√c, and 0 where c is 0.
func reciprocalRoot(c *graph.Node) *graph.Node {
	return quotient(graph.OnesLike(c), graph.Sqrt(c))
}

// inverseRoot runs the iteration on symmetric matrices [runs, matrices, m, m]. It returns (a/c)^(−1/2) and c = ‖a‖,
// shaped [runs, matrices, 1, 1].
func inverseRoot(a *graph.Node, iterations int, beta *graph.Node) (z, c *graph.Node) {
	d := a.Shape().Dimensions
	c = graph.Sqrt(graph.ReduceAndKeep(graph.Square(a), graph.ReduceSum, -2, -1))
	y := quotient(a, graph.BroadcastToDims(c, d...))
	eye := graph.ConvertDType(graph.Diagonal(a.Graph(), d[2]), a.DType())
	eye = graph.BroadcastToDims(graph.InsertAxes(eye, 0, 0), d...)
	z = eye
	for range iterations {
		r := graph.Sub(graph.MulScalar(eye, 3), graph.Einsum("abij,abjk->abik", z, y))
		y, z = scale(graph.Einsum("abij,abjk->abik", y, r), beta), scale(graph.Einsum("abij,abjk->abik", r, z), beta)
	}
	return z, c
}

// NewtonSchulzInvSqrt is A^(−1/2) of symmetric positive semi-definite matrices a, shaped [..., m, m], by the coupled
// Newton–Schulz iteration with k iterations:
//
//	Y ← A/‖A‖, Z ← I;  R = 3I − ZY, Y ← βYR, Z ← βRZ;  A^(−1/2) ≈ Z/√‖A‖
//
// With β = ½ an eigenvalue p of A/‖A‖ has p·z² = 1 in the end, quadratically once there and by a factor 9/4 an iteration
// before: small eigenvalues need more of them, and zero has no inverse but (3/2)^k. With other β it does not converge but
// keeps p·z² around 1. It panics, as all graph building does, unless the last two axes are equal, k ≥ 1 and β in (0, 1).
//
// Source: Higham (2008), Functions of Matrices, equation 6.35; Ma et al. (2025), SWAN, for β.
func NewtonSchulzInvSqrt(a *graph.Node, k int, beta float64) *graph.Node {
	d := a.Shape().Dimensions
	n := len(d)
	c := check("NewtonSchulzInvSqrt")
	if n < 2 || d[n-1] != d[n-2] || d[n-1] == 0 {
		c.add("A is %s, must be square matrices", a.Shape())
	}
	if k < 1 {
		c.add("k is %d, must be at least 1", k)
	}
	c.fraction("beta", beta)
	if err := c.join(); err != nil {
		panic(err)
	}
	x := graph.Reshape(a, 1, a.Shape().Size()/(d[n-1]*d[n-1]), d[n-1], d[n-1])
	z, size := inverseRoot(x, k, graph.Scalar(a.Graph(), a.DType(), beta))
	return graph.Reshape(graph.Mul(z, reciprocalRoot(size)), d...)
}
