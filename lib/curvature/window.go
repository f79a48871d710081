package curvature

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Window is the dynamic algorithm's memory as nodes of a graph: the last m gradients and their Gram matrix. Rows that
// have not been filled yet are zero and change nothing; the mean is over m all the same, as in the paper.
type Window struct {
	Gradients *Node // [m, d], a ring
	Gram      *Node // [m, m], Gradients·Gradientsᵀ
	Slot      *Node // int32 scalar: where the next gradient goes
}

// Insert puts gradient g, shaped [d], in place of the oldest: d·m multiply-adds.
func (w Window) Insert(g *Node) Window {
	m := w.Gram.Shape().Dimensions[0]
	at := w.at(w.Slot)
	gradients := Where(at, BroadcastToDims(InsertAxes(g, 0), w.Gradients.Shape().Dimensions...), w.Gradients)
	products := Einsum("md,d->m", gradients, g)
	row := BroadcastToDims(InsertAxes(products, 0), m, m)
	column := BroadcastToDims(InsertAxes(products, 1), m, m)
	gram := Where(at, row, Where(BroadcastToDims(InsertAxes(at, 0), m, m), column, w.Gram))
	return Window{gradients, gram, Mod(OnePlus(w.Slot), Scalar(g.Graph(), dtypes.Int32, m))}
}

// at is the vector [i = slot], as booleans.
func (w Window) at(slot *Node) *Node {
	m := w.Gram.Shape().Dimensions[0]
	return Equal(Iota(slot.Graph(), shapes.Make(dtypes.Int32, m), 0), BroadcastToDims(InsertAxes(slot, 0), m))
}

// factor returns L⁻¹ and q with Gram/λ + mI = L·diag(q)·Lᵀ: the paper's B is L⁻¹/λ.
func (w Window) factor(lambda float64) (inverse, q *Node) {
	m := w.Gram.Shape().Dimensions[0]
	d, q := eliminate(InsertAxes(MulScalar(w.Gram, 1/lambda), 0), float64(m))
	return Squeeze(unitLowerInverse(d, q), 0), Squeeze(q, 0)
}

// solve returns (λmI + Gram)⁻¹ b.
func (w Window) solve(b *Node, lambda float64) *Node {
	inverse, q := w.factor(lambda)
	c := Div(Einsum("ij,j->i", inverse, b), q)
	return MulScalar(Einsum("ij,i->j", inverse, c), 1/lambda)
}

// Mul returns F⁻¹x = (x − Gᵀ(λmI + GGᵀ)⁻¹Gx)/λ for x shaped [d]. In float32 it loses about log₁₀(‖g‖²/(mλ)) digits
// where x lies in the span of the window: [Window.MulNewest] does not.
func (w Window) Mul(x *Node, lambda float64) *Node {
	y := w.solve(Einsum("md,d->m", w.Gradients, x), lambda)
	return MulScalar(Sub(x, Einsum("md,m->d", w.Gradients, y)), 1/lambda)
}

// MulNewest returns F⁻¹g of the gradient inserted last, as m·Gᵀ(λmI + GGᵀ)⁻¹e_s: nothing cancels.
func (w Window) MulNewest(lambda float64) *Node {
	m := w.Gram.Shape().Dimensions[0]
	newest := Mod(AddScalar(w.Slot, m-1), Scalar(w.Slot.Graph(), dtypes.Int32, m))
	e := ConvertDType(w.at(newest), w.Gram.DType())
	return MulScalar(Einsum("md,m->d", w.Gradients, w.solve(e, lambda)), float64(m))
}
