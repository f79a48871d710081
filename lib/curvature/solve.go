package curvature

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// solvePanel is how many rows [solveShifted] eliminates one by one.
const solvePanel = 128

// solveShifted returns (A + sI)⁻¹ b for symmetric positive semi-definite matrices a, shaped [blocks, n, n], right sides b,
// shaped [blocks, n], and shifts s > 0, shaped [blocks]: Cholesky's elimination without roots, panel by panel, so that
// most of the work is matrix products.
func solveShifted(a, b, shift *Node) *Node {
	n := a.Shape().Dim(1)
	p := min(solvePanel, n)
	head, tail := AxisRange(0, p), AxisRange(p, n)
	inverse, upper := eliminate(Slice(a, AxisRange(), head, head), shift)
	q := pivots(upper)
	c := Einsum("bij,bj->bi", inverse, Slice(b, AxisRange(), head))
	if n == p {
		return Einsum("bji,bj->bi", inverse, Div(c, q))
	}
	beside := Einsum("bij,bjk->bik", inverse, Slice(a, AxisRange(), head, tail))
	weights := Div(beside, InsertAxes(q, 2))
	below := Sub(Slice(a, AxisRange(), tail, tail), Einsum("bik,bij->bkj", beside, weights))
	rest := solveShifted(below, Sub(Slice(b, AxisRange(), tail), Einsum("bik,bi->bk", weights, c)), shift)
	first := Einsum("bji,bj->bi", inverse, Sub(Div(c, q), Einsum("bik,bk->bi", weights, rest)))
	return Concatenate([]*Node{first, rest}, 1)
}
