package nets

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// The largest of each block gets its gradient; of equal ones the first, and no other.
func TestMaxPool2(t *testing.T) {
	x := tensors.FromFlatDataAndDimensions([]float32{
		1, 2, 5, 5,
		4, 3, 5, 5,
		0, 7, -1, -2,
		7, 7, -2, -1,
	}, 1, 4, 4, 1)
	exec, err := graph.NewExec(backend.ForTest(t), func(x *graph.Node) []*graph.Node {
		y := maxPool2(x)
		weights := graph.Reshape(graph.Const(x.Graph(), []float32{1, 10, 100, 1000}), 1, 2, 2, 1)
		return []*graph.Node{y, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, weights)), x)[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(x)
	if err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[float32](out[0]); !slices.Equal(got, []float32{4, 5, 7, -1}) {
		t.Errorf("pooled %v", got)
	}
	want := []float32{
		0, 0, 10, 0,
		1, 0, 0, 0,
		0, 100, 1000, 0,
		0, 0, 0, 0,
	}
	if got := tensors.MustCopyFlatData[float32](out[1]); !slices.Equal(got, want) {
		t.Errorf("gradient %v, want %v", got, want)
	}
}
