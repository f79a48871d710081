package curvature

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// eliminate factors A + mI without pivoting, for a batch of symmetric positive semi-definite matrices a, shaped
// [blocks, p, p]. It returns the upper triangle D of the elimination, without the m on its diagonal, and q_i = m + D_ii,
// shaped [blocks, p]. No pivot is needed: A + mI is positive definite.
func eliminate(a *Node, m float64) (d, q *Node) {
	g := a.Graph()
	p := a.Shape().Dimensions[1]
	d = rowByRow(a, Scalar(g, a.DType(), m), func(i, a, m *Node) *Node {
		row := Einsum("bij,i->bj", a, oneHot(i, a))
		pivot := Add(Einsum("bj,j->b", row, oneHot(i, a)), m)
		later := Einsum("bj,j->bj", row, after(i, a))
		return Sub(a, Einsum("bi,bj->bij", later, Div(later, InsertAxes(pivot, -1))))
	})
	d = TakeUpperTriangular(d, 0)
	q = AddScalar(Einsum("bij,ij->bi", d, ConvertDType(Diagonal(g, p), a.DType())), m)
	return d, q
}

// unitLowerInverse returns L⁻¹ of the unit lower triangular matrix L_ik = D_ki/q_k (k < i), row by row:
// (L⁻¹)_i = e_i − Σ_{k<i} L_ik (L⁻¹)_k. Doubling powers of L − I would need fewer steps, but loses every digit where
// the gradients are nearly equal.
func unitLowerInverse(d, q *Node) *Node {
	lower := TransposeAllAxes(Div(TakeUpperTriangular(d, 1), InsertAxes(q, -1)), 0, 2, 1)
	eye := ConvertDType(Diagonal(d.Graph(), d.Shape().Dimensions[1]), d.DType())
	eye = BroadcastToDims(InsertAxes(eye, 0), d.Shape().Dimensions...)
	return rowByRow(eye, lower, func(i, inverse, lower *Node) *Node { // rows from i on are still those of the identity
		row := Einsum("bik,i->bk", lower, oneHot(i, inverse))
		change := Einsum("bk,bkj->bj", row, inverse)
		return Sub(inverse, Einsum("i,bj->bij", oneHot(i, inverse), change))
	})
}

// rowByRow runs step for i = 0 … p−1 on a state shaped [blocks, p, p], beside a constant. Everything the loop's body
// needs travels as its state: a constant made in one closure cannot be used in another.
func rowByRow(state, constant *Node, step func(i, state, constant *Node) *Node) *Node {
	g := state.Graph()
	p := state.Shape().Dimensions[1]
	if p == 1 { // nothing stands below or beside
		return state
	}
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

// oneHot and after are the vectors [j = i] and [j > i] of a [blocks, p, p] matrix's row length and type. Products with
// them, rather than dynamic slices, also run on the pure-Go backend.
func oneHot(i, like *Node) *Node {
	return ConvertDType(Equal(positions(i, like), BroadcastToDims(InsertAxes(i, 0), like.Shape().Dimensions[1])), like.DType())
}

func after(i, like *Node) *Node {
	return ConvertDType(GreaterThan(positions(i, like), BroadcastToDims(InsertAxes(i, 0), like.Shape().Dimensions[1])), like.DType())
}

func positions(i, like *Node) *Node {
	return Iota(i.Graph(), shapes.Make(dtypes.Int32, like.Shape().Dimensions[1]), 0)
}
