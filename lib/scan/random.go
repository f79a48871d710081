package scan

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Uniform draws from [0, 1). The dtype is Float32 (24 random bits) or Float64 (53).
//
// The draw is a function of the seed, the step's number, how many draws the step made before it, and the place in the
// tensor, through Threefry-2×32 with 20 rounds: the same bits on every backend and in every mode.
//
// Source: Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3, section 4.
func (s *Step) Uniform(shape shapes.Shape) *graph.Node {
	size := shape.Size()
	switch shape.DType {
	case dtypes.Float32:
		x, y := s.words((size + 1) / 2)
		return shaped(shape, fraction32(x), fraction32(y))
	case dtypes.Float64:
		x, y := s.words(size)
		return shaped(shape, fraction64(x, y))
	}
	panic(fmt.Errorf("Uniform: dtype is %s, must be Float32 or Float64", shape.DType))
}

// Normal draws from the normal distribution of mean 0 and deviation 1, by Box and Muller's method. The dtype is Float32
// (values up to 6.7 deviations) or Float64 (8.6).
func (s *Step) Normal(shape shapes.Shape) *graph.Node {
	half := (shape.Size() + 1) / 2
	var radius, angle *graph.Node
	switch shape.DType {
	case dtypes.Float32:
		x, y := s.words(half)
		// (x+½)/2³² is never 0, so the logarithm is finite, and keeps all 32 bits where it is small.
		u := graph.MulScalar(graph.AddScalar(graph.ConvertDType(x, dtypes.Float32), 0.5), math.Exp2(-32))
		radius, angle = u, fraction32(y)
	case dtypes.Float64:
		x, y := s.words(2 * half)
		u := fraction64(x, y)
		radius = graph.OneMinus(graph.Slice(u, graph.AxisRange(0, half)))
		angle = graph.Slice(u, graph.AxisRange(half))
	default:
		panic(fmt.Errorf("Normal: dtype is %s, must be Float32 or Float64", shape.DType))
	}
	radius = graph.Sqrt(graph.MulScalar(graph.Log(radius), -2))
	angle = graph.MulScalar(angle, 2*math.Pi)
	return shaped(shape, graph.Mul(radius, graph.Cos(angle)), graph.Mul(radius, graph.Sin(angle)))
}

// Integers draws int32 values from 0, …, n-1; n is between 1 and 2³¹-1. No value is likelier than another by more than
// a factor 1+n/2³².
func (s *Step) Integers(n int, dims ...int) *graph.Node {
	if n < 1 || n > math.MaxInt32 {
		panic(fmt.Errorf("Integers: n is %d, must be between 1 and %d", n, math.MaxInt32))
	}
	shape := shapes.Make(dtypes.Int32, dims...)
	x, y := s.words((shape.Size() + 1) / 2)
	scale := func(w *graph.Node) *graph.Node {
		wide := graph.MulScalar(graph.ConvertDType(w, dtypes.Uint64), n)
		return graph.ConvertDType(graph.BitwiseShiftRightLogicalScalar(wide, 32), dtypes.Int32)
	}
	return shaped(shape, scale(x), scale(y))
}

// words returns two vectors of n random uint32 each: the next draw of this step.
func (s *Step) words(n int) (x, y *graph.Node) {
	if n == 0 {
		n = 1 // an empty tensor still counts as a draw
	}
	g := s.g
	// The step's own key first, then one block a counter: (place in the tensor, draw of the step).
	step := graph.ConvertDType(s.count, dtypes.Uint64)
	lo := graph.ConvertDType(graph.BitwiseAnd(step, graph.Scalar(g, dtypes.Uint64, uint64(math.MaxUint32))), dtypes.Uint32)
	hi := graph.ConvertDType(graph.BitwiseShiftRightLogicalScalar(step, 32), dtypes.Uint32)
	k0 := graph.Squeeze(graph.Slice(s.key, graph.AxisElem(0)))
	k1 := graph.Squeeze(graph.Slice(s.key, graph.AxisElem(1)))
	k0, k1 = threefry(k0, k1, lo, hi)

	place := graph.Iota(g, shapes.Make(dtypes.Uint32, n), 0)
	draw := graph.BroadcastToDims(graph.Scalar(g, dtypes.Uint32, s.draws), n)
	s.draws++
	x, y = threefry(graph.BroadcastToDims(k0, n), graph.BroadcastToDims(k1, n), place, draw)
	return graph.StopGradient(x), graph.StopGradient(y)
}

// rotations of Threefry-2×32, round by round; table 2 of the source.
var rotations = [8]int{13, 15, 26, 6, 17, 29, 16, 24}

// threefry encrypts the counter (x, y) with the key (k0, k1), all uint32 of one shape.
func threefry(k0, k1, x, y *graph.Node) (*graph.Node, *graph.Node) {
	g := k0.Graph()
	k2 := graph.BitwiseXor(graph.BitwiseXor(k0, k1), graph.Scalar(g, dtypes.Uint32, uint32(0x1BD11BDA)))
	keys := [3]*graph.Node{k0, k1, k2}
	x, y = graph.Add(x, k0), graph.Add(y, k1)
	for round := range 20 {
		r := rotations[round%8]
		x = graph.Add(x, y)
		y = graph.BitwiseOr(graph.BitwiseShiftLeftScalar(y, r), graph.BitwiseShiftRightLogicalScalar(y, 32-r))
		y = graph.BitwiseXor(x, y)
		if round%4 == 3 {
			i := round/4 + 1
			x = graph.Add(x, keys[i%3])
			y = graph.AddScalar(graph.Add(y, keys[(i+1)%3]), i)
		}
	}
	return x, y
}

// fraction32 makes a float32 in [0, 1) of the upper 24 bits.
func fraction32(x *graph.Node) *graph.Node {
	return graph.MulScalar(graph.ConvertDType(graph.BitwiseShiftRightLogicalScalar(x, 8), dtypes.Float32), math.Exp2(-24))
}

// fraction64 makes a float64 in [0, 1) of 53 of the 64 bits.
func fraction64(x, y *graph.Node) *graph.Node {
	wide := graph.BitwiseOr(
		graph.BitwiseShiftLeftScalar(graph.ConvertDType(x, dtypes.Uint64), 32), graph.ConvertDType(y, dtypes.Uint64))
	return graph.MulScalar(graph.ConvertDType(graph.BitwiseShiftRightLogicalScalar(wide, 11), dtypes.Float64), math.Exp2(-53))
}

// shaped lays the parts out one after the other in the shape, and drops what is too much.
func shaped(shape shapes.Shape, parts ...*graph.Node) *graph.Node {
	flat := parts[0]
	if len(parts) > 1 {
		flat = graph.Concatenate(parts, 0)
	}
	if size := shape.Size(); size < flat.Shape().Size() {
		flat = graph.Slice(flat, graph.AxisRange(0, size))
	}
	return graph.Reshape(flat, shape.Dimensions...)
}

// seedKey is the generator's key for a seed.
func seedKey(seed int64) []uint32 { return []uint32{uint32(uint64(seed)), uint32(uint64(seed) >> 32)} }
