package nets

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// CropAndFlip is the usual augmentation of small pictures, for [FitConfig].Augment: each picture of a minibatch, shaped
// [batch, height, width, channels], is moved by up to pad pixels each way, zeros filling the gap (a crop of the picture
// padded with zeros), and mirrored left to right with probability ½. The draws are the step's; see [scan.Step.Uniform].
//
// Zeros are the mean colour where pictures are normalized first; public PyTorch code pads before it normalizes, with black.
// Source: He et al. (2016), Deep Residual Learning for Image Recognition, section 4.2: pad 4.
func CropAndFlip(pad int) func(s *scan.Step, x *graph.Node) *graph.Node {
	return func(s *scan.Step, x *graph.Node) *graph.Node {
		if x.Rank() != 4 || pad < 0 {
			panic(fmt.Errorf("nets: CropAndFlip: pad is %d and pictures are %s, must be at least 0 and [batch height width channels]", pad, x.Shape()))
		}
		batch, height, width := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
		grid := func(axis int) *graph.Node {
			return graph.Iota(s.Graph(), shapes.Make(dtypes.Int32, batch, height, width), axis)
		}
		each := func(v *graph.Node) *graph.Node {
			return graph.BroadcastToDims(graph.Reshape(v, batch, 1, 1), batch, height, width)
		}
		row := graph.Add(grid(1), each(graph.AddScalar(s.Integers(2*pad+1, batch), -pad)))
		column := graph.Add(grid(2), each(graph.AddScalar(s.Integers(2*pad+1, batch), -pad)))
		mirrored := graph.Equal(each(s.Integers(2, batch)), graph.OnesLike(row))
		column = graph.Where(mirrored, graph.Sub(graph.Scalar(s.Graph(), dtypes.Int32, width-1), column), column)
		inside := func(v *graph.Node, n int) *graph.Node {
			zero, end := graph.ZerosLike(v), graph.Scalar(s.Graph(), dtypes.Int32, n)
			return graph.LogicalAnd(graph.GreaterOrEqual(v, zero), graph.LessThan(v, graph.BroadcastToDims(end, v.Shape().Dimensions...)))
		}
		clamp := func(v *graph.Node, n int) *graph.Node { return graph.MaxScalar(graph.MinScalar(v, float64(n-1)), 0) }
		place := graph.Stack([]*graph.Node{grid(0), clamp(row, height), clamp(column, width)}, -1)
		moved := graph.Gather(x, place)
		fill := graph.LogicalAnd(inside(row, height), inside(column, width))
		return graph.Mul(moved, graph.BroadcastToDims(graph.InsertAxes(graph.ConvertDType(fill, x.DType()), -1), x.Shape().Dimensions...))
	}
}
