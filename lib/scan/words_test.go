package scan

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
)

func TestStream(t *testing.T) {
	b := backend.ForTest(t)
	draw := func(seed, time int64, name string, n int) []uint32 {
		t.Helper()
		out, err := graph.CallOnce(b, func(time *graph.Node) *graph.Node {
			return Words(seed, time, []string{"before", name}, []int{3, n})[1]
		}, tensors.FromScalar(time))
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[uint32](out)
	}
	first := draw(1, 5, "a", 41)
	if len(first) != 41 || !slices.Equal(first, draw(1, 5, "a", 41)) {
		t.Error("one seed, time and name give two streams")
	}
	for what, other := range map[string][]uint32{"seed": draw(2, 5, "a", 41), "time": draw(1, 6, "a", 41), "late time": draw(1, 5+1<<32, "a", 41), "name": draw(1, 5, "b", 41)} {
		if slices.Equal(first, other) {
			t.Errorf("another %s gives the same stream", what)
		}
	}
	// 40000 uniform values have a mean within 2³²·0.0064 of the middle but for one case in 10⁵ (4.42 deviations).
	var mean float64
	many := draw(3, 0, "mean", 40000)
	for _, v := range many {
		mean += float64(v) / (1 << 32) / float64(len(many))
	}
	if mean < 0.5-0.0064 || mean > 0.5+0.0064 {
		t.Errorf("the mean is %g", mean)
	}
	// Drawn by itself a stream is the same.
	normal, err := graph.CallOnce(b, func(time *graph.Node) *graph.Node {
		x, y := NewStream(1, time, "a").words(21)
		return graph.Reshape(cut(graph.Concatenate([]*graph.Node{cut(x, 21), cut(y, 21)}, 1), 41), 41)
	}, tensors.FromScalar(int64(5)))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first, tensors.MustCopyFlatData[uint32](normal)) {
		t.Error("a stream drawn with others differs from itself alone")
	}
}
