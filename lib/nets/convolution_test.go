package nets

import (
	"math"
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

// Patches and products are a convolution.
func TestPatchesAreAConvolution(t *testing.T) {
	wave := func(dims ...int) *tensors.Tensor {
		size := 1
		for _, d := range dims {
			size *= d
		}
		flat := make([]float64, size)
		for i := range flat {
			flat[i] = math.Sin(float64(3*i + size))
		}
		return tensors.FromFlatDataAndDimensions(flat, dims...)
	}
	for _, shape := range [][]int{{4, 4, 2}, {5, 7, 3}, {1, 2, 1}} {
		for _, stride := range []int{1, 2} {
			exec, err := graph.NewExec(backend.ForTest(t), func(x, w *graph.Node) (*graph.Node, *graph.Node) {
				ours := graph.Einsum("byxi,io->byxo", Patches(x, stride), graph.Reshape(w, -1, 2))
				// Padded by one all round, as ours; theirs stops where a window would not fit.
				return ours, graph.Convolve(x, w).Strides(stride).PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Done()
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Call(wave(append([]int{2}, shape...)...), wave(3, 3, shape[2], 2))
			if err != nil {
				t.Fatal(err)
			}
			if !out[0].Shape().Equal(out[1].Shape()) {
				t.Fatalf("%v, stride %d: %s, a convolution %s", shape, stride, out[0].Shape(), out[1].Shape())
			}
			ours, theirs := tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1])
			for i := range ours {
				if math.Abs(ours[i]-theirs[i]) > 1e-12 {
					t.Fatalf("%v, stride %d, entry %d: %g, by a convolution %g", shape, stride, i, ours[i], theirs[i])
				}
			}
		}
	}
}
