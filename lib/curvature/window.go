package curvature

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Window is the dynamic algorithm's memory as nodes of a graph: the last m gradients and their Gram matrix. Rows that
// have not been filled yet are zero and change nothing; the mean is over m all the same, as in the paper.
//
// All shapes may have a leading axis of independent runs, which share the slot: [runs, m, d], [runs, m, m] and, for
// vectors, [runs, d]. A damping λ is a scalar, or one value a run.
type Window struct {
	Gradients *Node // [m, d], a ring
	Gram      *Node // [m, m], Gradients·Gradientsᵀ
	Slot      *Node // int32 scalar: where the next gradient goes
}

// NewWindow returns an empty window of m gradients of d entries; with runs > 0 it has an axis of runs.
func NewWindow(g *Graph, dtype dtypes.DType, runs, m, d int) Window {
	gradients, gram := []int{m, d}, []int{m, m}
	if runs > 0 {
		gradients, gram = append([]int{runs}, gradients...), append([]int{runs}, gram...)
	}
	return Window{
		Gradients: Zeros(g, shapes.Make(dtype, gradients...)),
		Gram:      Zeros(g, shapes.Make(dtype, gram...)),
		Slot:      Zeros(g, shapes.Make(dtypes.Int32)),
	}
}

// size is m.
func (w Window) size() int { return w.Gram.Shape().Dim(-1) }

// batched calls f with an axis of runs on all its arguments and takes it off the result again where w has none.
func (w Window) batched(vectors []*Node, f func(w Window, vectors []*Node) *Node) *Node {
	if w.Gram.Rank() == 3 {
		return f(w, vectors)
	}
	with := make([]*Node, len(vectors))
	for i, v := range vectors {
		with[i] = InsertAxes(v, 0)
	}
	return Squeeze(f(Window{InsertAxes(w.Gradients, 0), InsertAxes(w.Gram, 0), w.Slot}, with), 0)
}

// Insert puts gradient g, shaped [d], in place of the oldest: d·m multiply-adds.
func (w Window) Insert(g *Node) Window {
	lead, m := w.Gram.Rank()-2, w.size()
	out := w
	out.Gradients = w.put(w.Gradients, InsertAxes(g, lead), lead)
	products := out.batched([]*Node{g}, func(w Window, v []*Node) *Node { return Einsum("rmd,rd->rm", w.Gradients, v[0]) })
	out.Gram = w.put(w.Gram, InsertAxes(products, lead), lead)
	out.Gram = w.put(out.Gram, InsertAxes(products, lead+1), lead+1)
	out.Slot = Mod(OnePlus(w.Slot), Scalar(g.Graph(), dtypes.Int32, m))
	return out
}

// put writes a slice of length 1 along an axis of x at the slot.
func (w Window) put(x, slice *Node, axis int) *Node {
	if x.Graph().Backend().Capabilities().Operations[compute.OpTypeDynamicUpdateSlice] {
		starts := make([]*Node, x.Rank())
		for i := range starts {
			starts[i] = ZerosLike(w.Slot)
		}
		starts[axis] = w.Slot
		return DynamicUpdateSlice(x, slice, starts)
	}
	dims := x.Shape().Dimensions
	at := Equal(Iota(x.Graph(), shapes.Make(dtypes.Int32, dims...), axis), BroadcastToDims(w.Slot, dims...))
	return Where(at, BroadcastToDims(slice, dims...), x)
}

// solve returns (λmI + Gram)⁻¹ b in float64, for w and b with an axis of runs.
func (w Window) solve(b, lambda *Node) *Node {
	runs := w.Gram.Shape().Dim(0)
	shift := BroadcastToDims(MulScalar(ConvertDType(lambda, dtypes.Float64), w.size()), runs)
	return solveShifted(ConvertDType(w.Gram, dtypes.Float64), ConvertDType(b, dtypes.Float64), shift)
}

// Mul returns F⁻¹x = (x − Gᵀ(λmI + GGᵀ)⁻¹Gx)/λ for x shaped [d]. In float32 it loses about log₁₀(‖g‖²/(mλ)) digits
// where x lies in the span of the window: [Window.MulNewest] does not.
func (w Window) Mul(x, lambda *Node) *Node {
	return w.batched([]*Node{x}, func(w Window, v []*Node) *Node {
		x := v[0]
		y := ConvertDType(w.solve(Einsum("rmd,rd->rm", w.Gradients, x), lambda), x.DType())
		scale := BroadcastToDims(ConvertDType(lambda, x.DType()), x.Shape().Dim(0))
		return Div(Sub(x, Einsum("rmd,rm->rd", w.Gradients, y)), InsertAxes(scale, 1))
	})
}

// NewestWeights returns c = m·(λmI + GGᵀ)⁻¹e_s for the gradient g inserted last, in float64, shaped [m]: F⁻¹g = Gᵀc, and
// nothing cancels in it. λ·m·c_s is m − gᵀF⁻¹g.
func (w Window) NewestWeights(lambda *Node) *Node {
	return w.batched(nil, func(w Window, _ []*Node) *Node {
		at := ConvertDType(w.newest(w.Gram.Shape().Dim(0)), dtypes.Float64)
		return MulScalar(w.solve(at, lambda), w.size())
	})
}

// newest is 1 at the row inserted last, else 0, for each run.
func (w Window) newest(runs int) *Node {
	m := w.size()
	last := Mod(AddScalar(w.Slot, m-1), Scalar(w.Slot.Graph(), dtypes.Int32, m))
	return Equal(Iota(w.Slot.Graph(), shapes.Make(dtypes.Int32, runs, m), 1), BroadcastToDims(last, runs, m))
}

// MulNewest returns F⁻¹g of the gradient inserted last, Gᵀ times [Window.NewestWeights]. It is zero in an empty window.
func (w Window) MulNewest(lambda *Node) *Node {
	c := ConvertDType(w.NewestWeights(lambda), w.Gradients.DType())
	return w.batched([]*Node{c}, func(w Window, v []*Node) *Node { return Einsum("rmd,rm->rd", w.Gradients, v[0]) })
}

// Room returns m − gᵀF⁻¹g of the gradient inserted last, always between 0 and m, in float64 and without cancellation.
func (w Window) Room(lambda *Node) *Node {
	c := w.NewestWeights(lambda)
	return w.batched([]*Node{c}, func(w Window, v []*Node) *Node {
		runs := w.Gram.Shape().Dim(0)
		own := Einsum("rm,rm->r", v[0], ConvertDType(w.newest(runs), dtypes.Float64))
		return MulScalar(Mul(own, BroadcastToDims(ConvertDType(lambda, dtypes.Float64), runs)), w.size())
	})
}
