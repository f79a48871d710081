package curvature

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// count adds up the multiply-adds of the products a graph holds, as it is built: complexity that is measured on the
// implementation, not on a formula.
type count struct{ n int64 }

// einsum is graph.Einsum over axes of equal letters, counted. Batch, contracted and kept axes each cost their length once.
func (c *count) einsum(equation string, lhs, rhs *Node) *Node {
	size := map[byte]int{}
	letter := 0
	for _, operand := range []*Node{lhs, rhs} {
		for _, dim := range operand.Shape().Dimensions {
			size[equation[letter]] = dim
			letter++
		}
		letter++ // the comma, or the arrow
	}
	products := int64(1)
	for _, dim := range size {
		products *= int64(dim)
	}
	c.n += products
	return Einsum(equation, lhs, rhs)
}
