package optim

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// PolarFactor is UVᵀ over the non-zero singular values of matrices g = UΣVᵀ, shaped [..., m, n]: the nearest matrix
// whose singular values are 1 or 0. Singular values below max(1e-6, max(m, n)·2⁻²³) of the largest count as zero, in
// float64 below 1e-12: what lies in such a direction is rounding, not a gradient.
//
// It is computed in the graph, by one-sided Jacobi rotations, which find small singular values to their own accuracy.
// There is no gradient through it. It panics, as all graph building does, unless g has two axes or more.
//
// Source: Hestenes (1958), Inversion of Matrices by Biorthogonalization; Brent, Luk (1985), for the order of rotations.
func PolarFactor(g *graph.Node) *graph.Node {
	d := g.Shape().Dimensions
	n := len(d)
	if n < 2 || g.Shape().Size() == 0 {
		panic(fmt.Errorf("optim: PolarFactor: G is %s, must be matrices", g.Shape()))
	}
	x := wide(graph.Reshape(g, g.Shape().Size()/(d[n-1]*d[n-2]), d[n-2], d[n-1]))
	x = graph.Reshape(polar(unitLargest(accumulated(graph.InsertAxes(x, 0)))), x.Shape().Dimensions...)
	if d[n-2] > d[n-1] {
		x = graph.TransposeAllAxes(x, 0, 2, 1)
	}
	return graph.ConvertDType(graph.Reshape(x, d...), g.DType())
}

// sweeps of rotations, each over all pairs of rows: convergence is quadratic after the first few, and about log₂ m are
// needed before.
const sweeps = 12

// polar is the polar factor of matrices [runs, matrices, m, n] with m ≤ n.
//
// Rotating pairs of rows until all are orthogonal gives Qx = ΣVᵀ, and so UVᵀ = Qᵀ·(rows of unit length).
func polar(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	m, n := d[2], d[3]
	x = graph.Reshape(x, d[0]*d[1], m, n)
	if m%2 == 1 && m > 1 { // a row of zeros makes the number of rows even, and is never rotated
		x = graph.Concatenate([]*graph.Node{x, graph.Zeros(x.Graph(), shapes.Make(x.DType(), d[0]*d[1], 1, n))}, 1)
	}
	rows := x.Shape().Dim(1)
	q := graph.ConvertDType(graph.Diagonal(x.Graph(), rows), x.DType())
	q = graph.BroadcastToDims(graph.InsertAxes(q, 0), d[0]*d[1], rows, rows)
	both := graph.Concatenate([]*graph.Node{x, q}, 2) // what rotates x rotates the identity too
	if rows > 1 {
		both = rotations(both, sweeps*(rows-1), func(both, one *graph.Node) *graph.Node { return rotatePairs(both, one, n) })
	}
	x = graph.Slice(both, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, n))
	q = graph.Slice(both, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(n))
	sigma := graph.Sqrt(graph.ReduceAndKeep(graph.Square(x), graph.ReduceSum, 2))
	floor := 1e-12
	if x.DType() != dtypes.Float64 {
		floor = max(1e-6, float64(n)*0x1p-23)
	}
	// Compared this way round, NaN passes on.
	null := graph.LessOrEqual(sigma, graph.MulScalar(graph.BroadcastToDims(graph.ReduceAndKeep(sigma, graph.ReduceMax, 1), sigma.Shape().Dimensions...), floor))
	sigma = graph.BroadcastToDims(graph.Where(null, graph.ZerosLike(sigma), sigma), x.Shape().Dimensions...)
	x = graph.Einsum("bki,bkj->bij", q, quotient(x, sigma))
	return graph.Reshape(graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, m)), d...)
}

// rotatePairs makes row i of the upper half orthogonal, in its first n entries, to row i of the lower half, and moves the
// rows on as in a round-robin tournament: after rows−1 times every pair has met once, and all are back at their places.
// one is ones shaped [batch, pairs, 1].
func rotatePairs(both, one *graph.Node, n int) *graph.Node {
	half := both.Shape().Dim(1) / 2
	part := func(from, to int) *graph.Node {
		return graph.Slice(both, graph.AxisRange(), graph.AxisRange(from, to))
	}
	p, q := part(0, half), part(half, 2*half)
	own := func(x *graph.Node) *graph.Node {
		return graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, n))
	}
	// Not ReduceSum: XLA's reductions share a function between a graph and its loops, which it then refuses.
	dot := func(x, y *graph.Node) *graph.Node {
		return graph.InsertAxes(graph.Einsum("bij,bij->bi", own(x), own(y)), -1)
	}
	a, b, c := dot(p, p), dot(q, q), dot(p, q)
	// The smaller root t of t² + t(b−a)/c − 1 = 0 is the tangent of the rotation.
	twice := graph.Add(c, c)
	gap := graph.Sub(b, a)
	sign := graph.Where(graph.GreaterOrEqual(b, a), one, graph.Neg(one))
	below := graph.Add(graph.Abs(gap), graph.Sqrt(graph.Add(graph.Square(gap), graph.Square(twice))))
	orthogonal := graph.Equal(below, graph.Sub(one, one)) // both 0, or equally long and orthogonal
	t := graph.Div(graph.Mul(sign, twice), graph.Where(orthogonal, one, below))
	cos := graph.Div(one, graph.Sqrt(graph.Add(one, graph.Square(t))))
	sin := graph.Mul(cos, t)
	p, q = graph.Sub(graph.Mul(cos, p), graph.Mul(sin, q)), graph.Add(graph.Mul(sin, p), graph.Mul(cos, q))
	return tournament([]*graph.Node{p, q}, 1)
}

// rotations applies step to x, shaped [batch, rows, …], a number of times in one loop. Step gets ones shaped
// [batch, rows/2, 1] too, and must make no constants: those of a graph are shared between it and its loops, which XLA
// refuses.
func rotations(x *graph.Node, times int, step func(x, one *graph.Node) *graph.Node) *graph.Node {
	g := x.Graph()
	d := x.Shape().Dimensions
	ones := graph.Ones(g, shapes.Make(x.DType(), d[0], d[1]/2, 1))
	if !g.Backend().Capabilities().Operations[compute.OpTypeDynamicSlice] {
		// The pure-Go backend mixes up equal nodes of two loops (compute v0.1.2), so there is none here.
		for range times {
			x = step(x, ones)
		}
		return x
	}
	on := graph.Const(g, true)
	return scan.Repeat(on, times, []*graph.Node{x}, []*graph.Node{on, ones}, func(changing, constants []*graph.Node) (*graph.Node, []*graph.Node) {
		return constants[0], []*graph.Node{step(changing[0], constants[1])}
	})[0]
}
