package curvature

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// eliminate factors A + sI = L·diag(q)·Lᵀ without pivoting, for a batch of symmetric positive semi-definite matrices a,
// shaped [blocks, p, p], and a shift s > 0 each, shaped [blocks]. It returns L⁻¹, unit lower triangular, and
// U = diag(q)·Lᵀ, upper triangular. In the dynamic algorithm's names, for A = GGᵀ/λ and s = m: U = D + mI and L⁻¹ = λB.
//
// No pivot is needed, and no q_i is below s but by rounding: then it is set to s, which keeps the factors positive definite.
func eliminate(a, shift *Node) (inverse, upper *Node) {
	p := a.Shape().Dim(1)
	eye := ConvertDType(Diagonal(a.Graph(), p), a.DType())
	eye = BroadcastToDims(InsertAxes(eye, 0), a.Shape().Dimensions...)
	shift = InsertAxes(shift, -1, -1)
	both := Concatenate([]*Node{Add(a, Mul(eye, shift)), eye}, 2) // row operations that make the left U make the right L⁻¹
	left := AxisRange(0, p)
	if p > 1 {
		both = rowByRow(both, shift, func(k, both, floor *Node) *Node {
			row := Einsum("bij,i->bj", both, oneHot(k, p, both.DType()))
			beside := Slice(row, AxisRange(), left)
			pivot := Max(Einsum("bj,j->b", beside, oneHot(k, p, both.DType())), Squeeze(floor, 1, 2))
			below := Mul(beside, InsertAxes(after(k, p, both.DType()), 0))
			return Sub(both, Mul(InsertAxes(Div(below, InsertAxes(pivot, 1)), 2), InsertAxes(row, 1)))
		})
	}
	upper = TakeUpperTriangular(Slice(both, AxisRange(), AxisRange(), left), 0)
	upper = Where(NotEqual(eye, ZerosLike(eye)), Max(upper, BroadcastToDims(shift, upper.Shape().Dimensions...)), upper)
	return TakeLowerTriangular(Slice(both, AxisRange(), AxisRange(), AxisRange(p)), 0), upper
}

// pivots are the diagonal of such a U, shaped [blocks, p].
func pivots(upper *Node) *Node {
	eye := ConvertDType(Diagonal(upper.Graph(), upper.Shape().Dim(1)), upper.DType())
	return Einsum("bij,ij->bi", upper, eye)
}

// rowByRow runs step for i = 0 … p−1 on a state shaped [blocks, p, …], beside a constant. Everything the loop's body
// needs travels as its state: a constant made in one closure cannot be used in another.
func rowByRow(state, constant *Node, step func(i, state, constant *Node) *Node) *Node {
	g := state.Graph()
	p := state.Shape().Dimensions[1]
	if !g.Backend().Capabilities().Operations[compute.OpTypeDynamicSlice] {
		// The pure-Go backend: its closures mix up equal nodes of two loops (compute v0.1.2), so there is none here.
		for i := range p {
			state = step(Const(g, int32(i)), state, constant)
		}
		return state
	}
	index, of, beside := shapes.Make(dtypes.Int32), state.Shape(), constant.Shape()
	parameters := func(g *Graph) (i, one, end, state, constant *Node) {
		return Parameter(g, "i", index), Parameter(g, "one", index), Parameter(g, "end", index),
			Parameter(g, "state", of), Parameter(g, "constant", beside)
	}
	cond := NewClosure(g, func(g *Graph) []*Node {
		i, _, end, _, _ := parameters(g)
		return []*Node{LessThan(i, end)}
	})
	body := NewClosure(g, func(g *Graph) []*Node {
		i, one, end, state, constant := parameters(g)
		return []*Node{Add(i, one), one, end, step(i, state, constant), constant}
	})
	return While(cond, body, Const(g, int32(0)), Const(g, int32(1)), Const(g, int32(p)), state, constant)[3]
}

// oneHot and after are the vectors [j = i] and [j > i] of length n. Products with them, rather than dynamic slices, also
// run on the pure-Go backend. No arithmetic with a constant may stand here: GoMLX keeps constants, and one made in one
// closure cannot be used in the next.
func oneHot(i *Node, n int, dtype dtypes.DType) *Node { return compare(Equal, i, n, dtype) }
func after(i *Node, n int, dtype dtypes.DType) *Node  { return compare(GreaterThan, i, n, dtype) }

func compare(by func(a, b *Node) *Node, i *Node, n int, dtype dtypes.DType) *Node {
	positions := Iota(i.Graph(), shapes.Make(dtypes.Int32, n), 0)
	return ConvertDType(by(positions, BroadcastToDims(InsertAxes(i, 0), n)), dtype)
}
