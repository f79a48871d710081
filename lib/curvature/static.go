package curvature

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// The static algorithm finds v_i = F_{i−1}⁻¹ g_i and q_i = m + g_iᵀ v_i page by page. For a page of p gradients, shaped
// [blocks, p, d], it begins at g/λ, takes off the contribution of each earlier page by two matrix products, and within the
// page the B of the dynamic algorithm finishes the recursion. With pages of one gradient that is the paper's recursion, and
// d·m·(m+1) multiply-adds; with pages of p it is d·m·(m+p), at the speed of matrix products.

// reducePage takes an earlier page's vectors v and their q off h, the products of rows so far.
func reducePage(c *count, rows, h, v, q *Node) *Node {
	weights := Div(c.einsum("bid,bkd->bik", rows, v), InsertAxes(q, 1))
	return Sub(h, c.einsum("bik,bkd->bid", weights, v))
}

// finishPage returns a page's v and q from its gradients and their products with F⁻¹ of all earlier pages.
func finishPage(c *count, rows, h *Node, m int) (v, q *Node) {
	products := c.einsum("bid,bkd->bik", rows, h)
	inverse, upper := eliminate(products, BroadcastToDims(Scalar(h.Graph(), h.DType(), m), h.Shape().Dim(0)))
	return c.einsum("bik,bkd->bid", inverse, h), pivots(upper)
}

// mulPage returns y − Σ_i v_i (v_i·x)/q_i over a page, for x and y shaped [blocks, d].
func mulPage(c *count, v, q, x, y *Node) *Node {
	return Sub(y, c.einsum("bi,bid->bd", Div(c.einsum("bid,bd->bi", v, x), q), v))
}

// diagPage returns y − Σ_i v_i²/q_i over a page.
func diagPage(c *count, v, q, y *Node) *Node {
	return Sub(y, c.einsum("bi,bid->bd", Reciprocal(q), Square(v)))
}
