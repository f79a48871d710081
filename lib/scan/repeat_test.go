package scan_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// halvings of x until it is at most 1, but no more than most; x is shaped [1].
func halvings(x *graph.Node, most int) (left, count *graph.Node) {
	g := x.Graph()
	one, half := graph.Const(g, []float64{1}), graph.Const(g, []float64{0.5})
	above := func(x, one *graph.Node) *graph.Node { return graph.Reshape(graph.GreaterThan(x, one)) }
	out := scan.Repeat(above(x, one), most, []*graph.Node{x, graph.ZerosLike(x)}, []*graph.Node{one, half},
		func(v, constants []*graph.Node) (*graph.Node, []*graph.Node) {
			next := graph.Mul(v[0], constants[1])
			return above(next, constants[0]), []*graph.Node{next, graph.Add(v[1], constants[0])}
		})
	return out[0], out[1]
}

// A loop within a step stops by its condition, by its limit, or before it begins, and leaves what it was given.
func TestRepeat(t *testing.T) {
	b := backend.ForTest(t)
	for _, c := range []struct {
		start, left, count float64
		most               int
	}{{10, 0.625, 4, 100}, {10, 2.5, 2, 2}, {1, 1, 0, 100}, {10, 10, 0, 0}} {
		loop := scan.Loop{Step: func(s *scan.Step) {
			left, count := halvings(s.Get("x"), c.most)
			s.Trace("left", left)
			s.Trace("count", count)
		}}
		r, err := scan.Run(context.Background(), b, loop, scan.Vars{"x": tensors.FromValue([]float64{c.start})}, nil, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			left, count := tensors.MustCopyFlatData[float64](r.Traces["left"])[n], tensors.MustCopyFlatData[float64](r.Traces["count"])[n]
			if left != c.left || count != c.count {
				t.Errorf("%+v, step %d: %g after %g halvings", c, n+1, left, count)
			}
		}
	}
}

func ExampleRepeat() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	loop := scan.Loop{Step: func(s *scan.Step) {
		left, _ := halvings(s.Get("x"), 100)
		s.Set("x", graph.MulScalar(left, 10))
	}}
	r, err := scan.Run(context.Background(), b, loop, scan.Vars{"x": tensors.FromValue([]float64{3})}, nil, 2, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tensors.MustCopyFlatData[float64](r.State["x"]))
	// Output: [9.375]
}
