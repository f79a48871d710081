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
	h := fnv.New32a()
	h.Write([]byte(name))
	return Stream{source{g, k0, k1, 0, int(h.Sum32())}}
}

// Words draws n uint32 values.
func (s Stream) Words(n int) *graph.Node {
	x, y := s.words((n + 1) / 2)
	return graph.Reshape(cut(graph.Concatenate([]*graph.Node{x, y}, 1), n), n)
}

// Normal draws from the normal distribution of mean 0 and deviation 1; see [Step.Normal].
func (s Stream) Normal(shape shapes.Shape) *graph.Node { return s.normal(shape) }
