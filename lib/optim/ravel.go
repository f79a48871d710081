package optim

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Ravel joins tensors shaped like the parameters into one vector, in the parameters' order, or into one vector a run,
// shaped [runs, d]. Its type is the widest of theirs, at least float32.
func Ravel(params []Param, values []*graph.Node) *graph.Node {
	dtype := dtypes.Float32
	for _, v := range values {
		if v.DType() == dtypes.Float64 {
			dtype = dtypes.Float64
		}
	}
	flat := make([]*graph.Node, len(values))
	for i, v := range values {
		dims := slices.Concat(v.Shape().Dimensions[:params[i].Lead], []int{params[i].Shape().Size()})
		flat[i] = graph.ConvertDType(graph.Reshape(v, dims...), dtype)
	}
	return graph.Concatenate(flat, -1)
}

// Unravel undoes [Ravel]: it cuts a vector, or one a run, into tensors of the parameters' shapes and types.
func Unravel(params []Param, flat *graph.Node) []*graph.Node {
	out := make([]*graph.Node, len(params))
	from := 0
	for i, p := range params {
		to := from + p.Shape().Size()
		piece := graph.SliceAxis(flat, -1, graph.AxisRange(from, to))
		out[i] = graph.ConvertDType(graph.Reshape(piece, p.Value.Shape().Dimensions...), p.Value.DType())
		from = to
	}
	return out
}
