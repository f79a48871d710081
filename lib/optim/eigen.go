package optim

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// eye is the identity matrix in float64.
func eye(g *graph.Graph, n int) *graph.Node {
	shape := shapes.Make(dtypes.Int32, n, n)
	return graph.ConvertDType(graph.Equal(graph.Iota(g, shape, 0), graph.Iota(g, shape, 1)), dtypes.Float64)
}

// squareSum of all entries, without a reduction, which loops of go-xla cannot share with the graph around them.
func squareSum(x *graph.Node) *graph.Node {
	return graph.DotGeneral(x, []int{0, 1, 2}, nil, x, []int{0, 1, 2}, nil)
}

// eigenTolerance is on what is left off the diagonal, squared, of matrices of trace 1.
const eigenTolerance = 1e-26

// eigen returns the eigenvalues [batch, n] and as rows the unit eigenvectors [batch, n, n] of positive semidefinite float64
// matrices, in no order. Where now, a scalar, is false it does not compute, and the result means nothing.
//
// It is Jacobi's method with n/2 rotations at a time, in the order of a round-robin tournament: a round is a few operations
// on whole matrices. It ends, after some six to ten times n rounds, when 1e-13 of the trace is left off the diagonal;
// eigenvectors are then right to that over the gap to the next eigenvalue.
//
// Source: Golub, Van Loan (2013), Matrix Computations, section 8.5.
func eigen(now, a *graph.Node) (values, vectors *graph.Node) {
	g, n := a.Graph(), a.Shape().Dim(1)
	if n == 1 {
		return graph.Reshape(a, -1, 1), graph.OnesLike(a)
	}
	trace := graph.ReduceSum(graph.Mul(a, graph.BroadcastToShape(graph.InsertAxes(eye(g, n), 0), a.Shape())), 1, 2)
	trace = graph.Where(graph.GreaterThan(trace, graph.ZerosLike(trace)), trace, graph.OnesLike(trace))
	scaled := shrink(a, trace)
	if n%2 == 1 {
		scaled = bordered(scaled)
	}
	size := scaled.Shape().Dim(1)
	identity := eye(g, size)
	start := graph.BroadcastToShape(graph.InsertAxes(identity, 0), scaled.Shape())
	off := graph.BroadcastToShape(graph.InsertAxes(graph.OneMinus(identity), 0), scaled.Shape())
	again := func(a, off, tolerance *graph.Node) *graph.Node {
		return graph.GreaterThan(squareSum(graph.Mul(a, off)), graph.Reshape(tolerance))
	}
	tolerance := graph.Const(g, []float64{eigenTolerance})
	number := func(v float64) *graph.Node {
		return graph.BroadcastToDims(graph.Const(g, [][]float64{{v}}), scaled.Shape().Dim(0), size/2)
	}
	out := scan.Repeat(graph.LogicalAnd(now, again(scaled, off, tolerance)), 40*size,
		[]*graph.Node{scaled, start}, []*graph.Node{off, tolerance, eye(g, size/2), number(0), number(1), number(1e-300)},
		func(v, constants []*graph.Node) (*graph.Node, []*graph.Node) {
			next, vectors := jacobiRound(v[0], v[1], constants[2], constants[3], constants[4], constants[5])
			return again(next, constants[0], constants[1]), []*graph.Node{next, vectors}
		})
	values = graph.Einsum("bij,ij->bi", out[0], identity)
	vectors = out[1]
	if n%2 == 1 { // the border's own vector, whose value is −1, may be anywhere: behind the others it is cut off
		values, vectors = ordered(values, vectors, n)
	}
	return scale(values, trace), graph.Slice(vectors, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, n))
}

// bordered adds a row and a column of zeros that end in −1. No rotation mixes them with the rest.
func bordered(a *graph.Node) *graph.Node {
	g, batch, n := a.Graph(), a.Shape().Dim(0), a.Shape().Dim(1)
	column := graph.Zeros(g, shapes.Make(dtypes.Float64, batch, n, 1))
	corner := graph.BroadcastToDims(graph.Const(g, [][][]float64{{{-1}}}), batch, 1, 1)
	row := graph.Concatenate([]*graph.Node{graph.Zeros(g, shapes.Make(dtypes.Float64, batch, 1, n)), corner}, 2)
	return graph.Concatenate([]*graph.Node{graph.Concatenate([]*graph.Node{a, column}, 2), row}, 1)
}

// ordered returns the r largest eigenvalues, falling, and their vectors. Places are counted, not sorted: n is small here, and
// a sort would need its turn, see after.
func ordered(values, vectors *graph.Node, r int) (*graph.Node, *graph.Node) {
	g, batch, n := values.Graph(), values.Shape().Dim(0), values.Shape().Dim(1)
	square := shapes.Make(dtypes.Float64, batch, n, n)
	own := graph.BroadcastToShape(graph.InsertAxes(values, 2), square)
	other := graph.BroadcastToShape(graph.InsertAxes(values, 1), square)
	place := shapes.Make(dtypes.Int32, batch, n, n)
	first := graph.LessThan(graph.Iota(g, place, 2), graph.Iota(g, place, 1))
	ahead := graph.LogicalOr(graph.GreaterThan(other, own), graph.LogicalAnd(graph.Equal(other, own), first))
	rank := graph.ReduceSum(graph.ConvertDType(ahead, dtypes.Int32), 2)

	grid := shapes.Make(dtypes.Int32, batch, r, n)
	chosen := graph.Equal(graph.BroadcastToShape(graph.InsertAxes(rank, 1), grid), graph.Iota(g, grid, 1))
	chosen = graph.ConvertDType(chosen, dtypes.Float64)
	return graph.Einsum("brn,bn->br", chosen, values), graph.Einsum("brn,bnd->brd", chosen, vectors)
}

// after makes x wait for what is computed earlier, if anything. Sorts and loops must take turns: the pure-Go backend gives
// each of them a worker and then waits for another, for ever where all have one. There an optimization barrier does not
// hold, so x gets a zero that is made of it; XLA removes that.
func after(x, earlier *graph.Node) *graph.Node {
	if earlier == nil {
		return x
	}
	axes := make([]graph.SliceAxisSpec, earlier.Rank())
	for a := range axes {
		axes[a] = graph.AxisElem(0)
	}
	some := graph.Reshape(graph.Slice(earlier, axes...))
	return graph.Add(x, graph.ConvertDType(graph.GreaterThan(some, some), x.DType()))
}

// jacobiRound rotates rows and columns i and i+n/2 of a, for all i at once, so that their common entries vanish, and the
// rows of vectors with them; then it moves all but the first to the next place of the tournament.
func jacobiRound(a, vectors, eyeHalf, zero, one, tiny *graph.Node) (nextA, nextVectors *graph.Node) {
	h := a.Shape().Dim(1) / 2
	diagonal := func(row, column int) *graph.Node {
		part := graph.Slice(a, graph.AxisRange(), graph.AxisRange(row, row+h), graph.AxisRange(column, column+h))
		return graph.Einsum("bij,ij->bi", part, eyeHalf)
	}
	upper, lower, common := diagonal(0, 0), diagonal(h, h), diagonal(0, h)
	gap, twice := graph.Sub(lower, upper), graph.Add(common, common)
	sign := graph.Where(graph.GreaterOrEqual(gap, zero), one, graph.Neg(one))
	hypotenuse := graph.Sqrt(graph.Add(graph.Mul(gap, gap), graph.Mul(twice, twice)))
	tangent := graph.Div(graph.Mul(twice, sign), graph.Add(graph.Add(graph.Abs(gap), hypotenuse), tiny))
	cosine := graph.Rsqrt(graph.Add(one, graph.Mul(tangent, tangent)))
	sine := graph.Mul(tangent, cosine)

	rotated := func(x *graph.Node, axis int) *graph.Node {
		half := func(from int) *graph.Node {
			axes := []graph.SliceAxisSpec{graph.AxisRange(), graph.AxisRange(), graph.AxisRange()}
			axes[axis] = graph.AxisRange(from, from+h)
			return graph.Slice(x, axes...)
		}
		// By einsum, because the pure-Go backend loses broadcasts in loops.
		equation := []string{"", "bi,bij->bij", "bj,bij->bij"}[axis]
		times := func(factor, x *graph.Node) *graph.Node { return graph.Einsum(equation, factor, x) }
		p, q := half(0), half(h)
		return tournament([]*graph.Node{graph.Sub(times(cosine, p), times(sine, q)), graph.Add(times(sine, p), times(cosine, q))}, axis)
	}
	return rotated(rotated(a, 1), 2), rotated(vectors, 1)
}

// tournament joins the two halves along an axis, each in its order of the next round: the first of the upper half stays and
// all others move one place around.
func tournament(halves []*graph.Node, axis int) *graph.Node {
	h := halves[0].Shape().Dim(axis)
	if h == 1 {
		return graph.Concatenate(halves, axis)
	}
	part := func(half, from, to int) *graph.Node {
		axes := []graph.SliceAxisSpec{graph.AxisRange(), graph.AxisRange(), graph.AxisRange()}
		axes[axis] = graph.AxisRange(from, to)
		return graph.Slice(halves[half], axes...)
	}
	parts := []*graph.Node{part(0, 0, 1), part(1, 0, 1)}
	if h > 2 {
		parts = append(parts, part(0, 1, h-1))
	}
	return graph.Concatenate(append(parts, part(1, 1, h), part(0, h-1, h)), axis)
}

// orthonormal returns the orthonormal polar factor X(XᵀX)^(−½) of float64 matrices [batch, n, r], r ≤ n, of full rank: of a
// Gaussian X it has, like QR's factor, the uniform distribution over r-frames. Where now is false it does not compute.
//
// It is the Newton–Schulz iteration to its end: the smallest singular value grows by a half a step until it is near 1, and
// then quadratically. Source: Higham (2008), Functions of Matrices, section 8.3.
func orthonormal(now, x *graph.Node) *graph.Node {
	g, r := x.Graph(), x.Shape().Dim(2)
	x = shrink(x, graph.Sqrt(graph.ReduceSum(graph.Square(x), 1, 2)))
	one := graph.BroadcastToDims(graph.InsertAxes(eye(g, r), 0), x.Shape().Dim(0), r, r)
	half := graph.MulScalar(graph.OnesLike(one), 0.5)
	tolerance := graph.Const(g, []float64{1e-24})
	return scan.Repeat(now, 100, []*graph.Node{x}, []*graph.Node{one, half, tolerance},
		func(v, constants []*graph.Node) (*graph.Node, []*graph.Node) {
			x, one := v[0], constants[0]
			rest := graph.Sub(one, graph.Einsum("bij,bik->bjk", x, x))
			correction := graph.Einsum("bij,bjk->bik", x, graph.Mul(rest, constants[1]))
			return graph.GreaterThan(squareSum(rest), graph.Reshape(constants[2])), []*graph.Node{graph.Add(x, correction)}
		})[0]
}
