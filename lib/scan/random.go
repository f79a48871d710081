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
func (s *Step) Uniform(shape shapes.Shape) *graph.Node { return s.one().uniform(shape) }

// Normal draws from the normal distribution of mean 0 and deviation 1, by Box and Muller's method. The dtype is Float32
// (values up to 6.7 deviations) or Float64 (8.6). See Uniform.
func (s *Step) Normal(shape shapes.Shape) *graph.Node { return s.one().normal(shape) }

// Integers draws int32 values from 0, …, n-1; n is between 1 and 2³¹-1. No value is likelier than another by more than
// a factor 1+n/2³². See Uniform.
func (s *Step) Integers(n int, dims ...int) *graph.Node { return s.one().integers(n, dims) }

// UniformEach draws like Uniform for each of the loop's Runs: the result has a leading axis.
func (s *Step) UniformEach(shape shapes.Shape) *graph.Node {
	return s.each("UniformEach").uniform(shape)
}

// NormalEach draws like Normal for each of the loop's Runs: the result has a leading axis.
func (s *Step) NormalEach(shape shapes.Shape) *graph.Node { return s.each("NormalEach").normal(shape) }

// IntegersEach draws like Integers for each of the loop's Runs: the result has a leading axis.
func (s *Step) IntegersEach(n int, dims ...int) *graph.Node {
	return s.each("IntegersEach").integers(n, dims)
}

// source is the next draw of a step, for the first run or for each.
type source struct {
	g          *graph.Graph
	k0, k1     *graph.Node // the step's key: [1, 1], or [runs, 1]
	lead, draw int         // 0 for one run; number of the draw
}

func (s *Step) one() source { return s.source(0) }

func (s *Step) each(method string) source {
	s.mustHaveRuns(method)
	return s.source(s.runs)
}

func (s *Step) mustHaveRuns(method string) {
	if s.runs == 0 {
		panic(fmt.Errorf("%s: the loop's Runs is 0, must be at least 1", method))
	}
}

func (s *Step) source(lead int) source {
	// The step's own key first; its draws count from there.
	step := graph.ConvertDType(s.count, dtypes.Uint64)
	lo := graph.ConvertDType(graph.BitwiseAnd(step, graph.Scalar(s.g, dtypes.Uint64, uint64(math.MaxUint32))), dtypes.Uint32)
	hi := graph.ConvertDType(graph.BitwiseShiftRightLogicalScalar(step, 32), dtypes.Uint32)
	rows := max(1, lead)
	word := func(i int) *graph.Node { return graph.Slice(s.key, graph.AxisRange(0, rows), graph.AxisElem(i)) }
	same := func(x *graph.Node) *graph.Node { return graph.BroadcastToDims(x, rows, 1) }
	k0, k1 := threefry(word(0), word(1), same(lo), same(hi))
	src := source{s.g, k0, k1, lead, s.draws}
	s.draws++
	return src
}

func sizeOf(method string, shape shapes.Shape) int {
	size := shape.Size()
	if size == 0 {
		panic(fmt.Errorf("%s: the shape %s is empty", method, shape))
	}
	return size
}

func (src source) uniform(shape shapes.Shape) *graph.Node {
	size := sizeOf("Uniform", shape)
	switch shape.DType {
	case dtypes.Float32:
		x, y := src.words((size + 1) / 2)
		return src.shaped(shape, fraction32(x), fraction32(y))
	case dtypes.Float64:
		x, y := src.words(size)
		return src.shaped(shape, fraction64(x, y))
	}
	panic(fmt.Errorf("Uniform: dtype is %s, must be Float32 or Float64", shape.DType))
}

func (src source) normal(shape shapes.Shape) *graph.Node {
	half := (sizeOf("Normal", shape) + 1) / 2
	var radius, angle *graph.Node
	switch shape.DType {
	case dtypes.Float32:
		x, y := src.words(half)
		// (x+½)/2³² is never 0, so the logarithm is finite, and keeps all 32 bits where it is small.
		radius = graph.MulScalar(graph.AddScalar(graph.ConvertDType(x, dtypes.Float32), 0.5), math.Exp2(-32))
		angle = fraction32(y)
	case dtypes.Float64:
		x, y := src.words(2 * half)
		u := fraction64(x, y)
		radius = graph.OneMinus(graph.Slice(u, graph.AxisRange(), graph.AxisRange(0, half)))
		angle = graph.Slice(u, graph.AxisRange(), graph.AxisRange(half, 2*half))
	default:
		panic(fmt.Errorf("Normal: dtype is %s, must be Float32 or Float64", shape.DType))
	}
	radius = graph.Sqrt(graph.MulScalar(graph.Log(radius), -2))
	angle = graph.MulScalar(angle, 2*math.Pi)
	return src.shaped(shape, graph.Mul(radius, graph.Cos(angle)), graph.Mul(radius, graph.Sin(angle)))
}

func (src source) integers(n int, dims []int) *graph.Node {
	if n < 1 || n > math.MaxInt32 {
		panic(fmt.Errorf("Integers: n is %d, must be between 1 and %d", n, math.MaxInt32))
	}
	shape := shapes.Make(dtypes.Int32, dims...)
	x, y := src.words((sizeOf("Integers", shape) + 1) / 2)
	scale := func(w *graph.Node) *graph.Node {
		wide := graph.MulScalar(graph.ConvertDType(w, dtypes.Uint64), n)
		return graph.ConvertDType(graph.BitwiseShiftRightLogicalScalar(wide, 32), dtypes.Int32)
	}
	return src.shaped(shape, scale(x), scale(y))
}

// words returns two random uint32 for each run and each of at least n places: the block cipher's values at the counters
// (place in the tensor, draw of the step).
func (src source) words(n int) (x, y *graph.Node) {
	rows := max(1, src.lead)
	if n > 16 {
		n = (n + 15) / 16 * 16 // XLA's loops over an odd number of places are seven times slower
	}
	place := graph.Iota(src.g, shapes.Make(dtypes.Uint32, rows, n), 1)
	draw := graph.BroadcastToDims(graph.Scalar(src.g, dtypes.Uint32, src.draw), rows, n)
	x, y = threefry(graph.BroadcastToDims(src.k0, rows, n), graph.BroadcastToDims(src.k1, rows, n), place, draw)
	// Without a barrier XLA fuses the twenty rounds into what follows, several times over, and compiles for minutes.
	words := graph.OptimizationBarriers(x, y)
	return words[0], words[1]
}

// shaped lays one part or two out in the shape: each holds at least its half of the values.
func (src source) shaped(shape shapes.Shape, parts ...*graph.Node) *graph.Node {
	size := shape.Size()
	half := (size + len(parts) - 1) / len(parts)
	flat := cut(parts[0], half)
	if size > half {
		flat = graph.Concatenate([]*graph.Node{flat, cut(parts[1], size-half)}, 1)
	}
	dims := shape.Dimensions
	if src.lead > 0 {
		dims = append([]int{src.lead}, dims...)
	}
	return graph.StopGradient(graph.Reshape(flat, dims...))
}

// cut takes the first n columns.
func cut(x *graph.Node, n int) *graph.Node {
	if n == x.Shape().Dim(1) {
		return x
	}
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, n))
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

// seedKeys are the generator's keys for the seeds seed, seed+1, …, one a run.
func seedKeys(seed int64, runs int) []uint32 {
	var keys []uint32
	for i := range max(1, runs) {
		s := uint64(seed) + uint64(i)
		keys = append(keys, uint32(s), uint32(s>>32))
	}
	return keys
}
