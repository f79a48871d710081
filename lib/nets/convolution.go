package nets

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// convolve is a 3×3 convolution that keeps height and width, for few channels.
func convolve(x, kernel, biases *graph.Node) *graph.Node {
	x = Patches(x, 1)
	d := x.Shape().Dimensions
	rows, in, out := d[0]*d[1]*d[2], d[3], kernel.Shape().Dim(3)
	y := graph.MatMul(graph.Reshape(x, rows, in), graph.Reshape(kernel, in, out))
	y = graph.Reshape(y, d[0], d[1], d[2], out)
	return graph.Add(y, graph.BroadcastToDims(graph.Reshape(biases, 1, 1, 1, out), y.Shape().Dimensions...))
}

// Patches lays out the 3×3 neighbours of every stride-th place along the last axis, with zeros around: shapes […, height,
// width, channels] to […, ⌈height/stride⌉, ⌈width/stride⌉, 9·channels]. A convolution is then a product of matrices: for
// few channels faster than XLA's own on the CPU, whose gradients are slow, inside loops above all. Where the backend can
// (XLA), it may be differentiated twice too, which GoMLX's convolutions and slices may not.
func Patches(x *graph.Node, stride int) *graph.Node {
	lead := slices.Clone(x.Shape().Dimensions[:x.Rank()-3])
	of := x.Shape().Dimensions[x.Rank()-3:]
	high, wide := (of[0]+stride-1)/stride, (of[1]+stride-1)/stride
	x = graph.Reshape(x, -1, of[0], of[1], of[2])
	// Enough zeros behind for a part of high·stride places from each of three starts.
	x = surround(surround(x, 1, high*stride+1-of[0]), 2, wide*stride+1-of[1])
	var near []*graph.Node
	for dy := range 3 {
		for dx := range 3 {
			p := part(part(x, 1, dy, high*stride), 2, dx, wide*stride)
			if stride > 1 { // the first place of each block of stride×stride
				p = part(part(graph.Reshape(p, -1, high, stride, wide, stride, of[2]), 2, 0, 1), 4, 0, 1)
			}
			near = append(near, graph.Reshape(p, append(lead, high, wide, of[2])...))
		}
	}
	return graph.Concatenate(near, -1)
}

// surround puts one zero before and some behind along an axis.
func surround(x *graph.Node, axis, behind int) *graph.Node {
	dims := slices.Clone(x.Shape().Dimensions)
	zeros := func(n int) *graph.Node {
		dims[axis] = n
		return graph.Zeros(x.Graph(), shapes.Make(x.DType(), dims...))
	}
	return graph.Concatenate([]*graph.Node{zeros(1), x, zeros(behind)}, axis)
}

// part is a slice along one axis. Where the backend can, it is one whose derivative GoMLX can differentiate again.
func part(x *graph.Node, axis, from, n int) *graph.Node {
	if !x.Graph().Backend().Capabilities().Operations[compute.OpTypeDynamicSlice] {
		return graph.SliceAxis(x, axis, graph.AxisRange(from, from+n))
	}
	dims := slices.Clone(x.Shape().Dimensions)
	dims[axis] = n
	starts := slices.Repeat([]*graph.Node{graph.Scalar(x.Graph(), dtypes.Int32, 0)}, len(dims))
	starts[axis] = graph.Scalar(x.Graph(), dtypes.Int32, from)
	return graph.DynamicSlice(x, starts, dims)
}

// maxPool2 takes the largest of each 2×2 block. By corners it runs, with its gradient, on every backend. Of entries that
// tie the first alone gets the gradient, as in a window reduction; the gradient of ReduceMax goes in full to each, and
// the even background of pictures ties everywhere.
func maxPool2(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	x = graph.Reshape(x, d[0]*d[1]/2, 2, d[2]/2, 2, d[3])
	corner := func(row, column int) *graph.Node { return part(part(x, 1, row, 1), 3, column, 1) }
	x = graph.Max(graph.Max(corner(0, 0), corner(0, 1)), graph.Max(corner(1, 0), corner(1, 1)))
	return graph.Reshape(x, d[0], d[1]/2, d[2]/2, d[3])
}
