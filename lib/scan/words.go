package scan

import (
	"hash/fnv"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Stream is a random generator beside a step's own: what it draws is a function of its seed, of a time and of a name, and
// of nothing else. So a choice that must last for many steps need not be remembered: it is drawn again from its time.
//
// It is the Threefry generator of [Step.Uniform], with the name in the place of the draw's number.
type Stream struct {
	source
}

// NewStream returns the stream of a seed at a time, an int64 scalar of at least 0, for a name, e.g. a parameter's path.
func NewStream(seed int64, time *graph.Node, name string) Stream {
	g := time.Graph()
	word := func(v uint32) *graph.Node { return graph.Const(g, [][]uint32{{v}}) }
	wide := graph.Reshape(graph.ConvertDType(time, dtypes.Uint64), 1, 1)
	lo := graph.ConvertDType(wide, dtypes.Uint32) // the low 32 bits
	hi := graph.ConvertDType(graph.BitwiseShiftRightLogicalScalar(wide, 32), dtypes.Uint32)
	keys := seedKeys(seed, 1)
	k0, k1 := threefry(word(keys[0]), word(keys[1]), lo, hi)
	return Stream{source{g, k0, k1, 0, int(hash(name))}}
}

// Normal draws from the normal distribution of mean 0 and deviation 1; see [Step.Normal].
func (s Stream) Normal(shape shapes.Shape) *graph.Node { return s.normal(shape) }

// Words draws uint32 values for several names at once, sizes[i] of them for names[i]: of the streams of these names, but
// in one pass, which compiles faster than one each.
func Words(seed int64, time *graph.Node, names []string, sizes []int) []*graph.Node {
	g := time.Graph()
	var places, draws []*graph.Node
	for i, name := range names {
		n := (sizes[i] + 1) / 2
		places = append(places, graph.Iota(g, shapes.Make(dtypes.Uint32, 1, n), 1))
		draws = append(draws, graph.BroadcastToDims(graph.Const(g, [][]uint32{{hash(name)}}), 1, n))
	}
	s := NewStream(seed, time, "")
	place, draw := graph.Concatenate(places, 1), graph.Concatenate(draws, 1)
	total := place.Shape().Dim(1)
	x, y := threefry(graph.BroadcastToDims(s.k0, 1, total), graph.BroadcastToDims(s.k1, 1, total), place, draw)
	both := graph.OptimizationBarriers(x, y) // see source.words
	out, at := make([]*graph.Node, len(names)), 0
	for i, size := range sizes {
		n := (size + 1) / 2
		part := func(x *graph.Node) *graph.Node { return graph.Slice(x, graph.AxisRange(), graph.AxisRange(at, at+n)) }
		out[i] = graph.Reshape(cut(graph.Concatenate([]*graph.Node{part(both[0]), part(both[1])}, 1), size), size)
		at += n
	}
	return out
}

func hash(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum32()
}
