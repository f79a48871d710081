package curvature

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// staticVectors returns v_i = F_{i−1}⁻¹ g_i, shaped [blocks, m, d], and q_i = m + g_iᵀ v_i, shaped [blocks, m], of m
// gradients shaped [blocks, m, d].
//
// Page by page, the contribution of all earlier vectors is taken off by two matrix products; within a page the D and B
// of the dynamic algorithm finish the recursion. With pages of one gradient that is the paper's recursion, and
// d·m·(m+1) multiply-adds; with pages of p it is d·m·(m+p), at the speed of matrix products.
func staticVectors(c *count, gradients *Node, lambda float64, page int) (v, q *Node) {
	m := gradients.Shape().Dimensions[1]
	var vs, qs []*Node
	for from := 0; from < m; from += page {
		to := min(from+page, m)
		rows := Slice(gradients, AxisRange(), AxisRange(from, to), AxisRange())
		h := MulScalar(rows, 1/lambda) // F_{from}⁻¹ of the page's gradients
		if from > 0 {
			before, qBefore := Concatenate(vs, 1), Concatenate(qs, 1)
			weights := Div(c.einsum("bid,bkd->bik", rows, before), InsertAxes(qBefore, 1))
			h = Sub(h, c.einsum("bik,bkd->bid", weights, before))
		}
		products := c.einsum("bid,bkd->bik", rows, h)
		inverse, upper := eliminate(products, BroadcastToDims(Scalar(h.Graph(), h.DType(), m), h.Shape().Dim(0)))
		vs = append(vs, c.einsum("bik,bkd->bid", inverse, h))
		qs = append(qs, pivots(upper))
	}
	return Concatenate(vs, 1), Concatenate(qs, 1)
}

// staticMul returns F⁻¹x = x/λ − Σ_i v_i (v_i·x)/q_i for x shaped [blocks, d].
func staticMul(c *count, v, q, x *Node, lambda float64) *Node {
	weights := Div(c.einsum("bid,bd->bi", v, x), q)
	return Sub(MulScalar(x, 1/lambda), c.einsum("bi,bid->bd", weights, v))
}

// staticDiag returns the diagonal of F⁻¹, 1/λ − Σ_i v_i²/q_i, shaped [blocks, d].
func staticDiag(c *count, v, q *Node, lambda float64) *Node {
	return AddScalar(Neg(c.einsum("bi,bid->bd", Reciprocal(q), Square(v))), 1/lambda)
}
