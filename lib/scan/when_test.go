package scan_test

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// What is computed in some steps only is what is computed in all of them and picked; reductions and constants inside and
// outside do not disturb each other.
func TestWhen(t *testing.T) {
	b := backend.ForTest(t)
	for _, mode := range []scan.Mode{scan.Auto, scan.Stepwise} {
		loop := scan.Loop{Mode: mode, TraceEvery: 2, Step: func(s *scan.Step) {
			x := s.Get("x")
			before := graph.ReduceAllMax(graph.AddScalar(x, 5))
			now := graph.Equal(s.Count(), graph.Scalar(x.Graph(), s.Count().DType(), 3))
			out := scan.When(now, []*graph.Node{x, before}, []*graph.Node{graph.ReduceAllSum(x), x}, func(v []*graph.Node) []*graph.Node {
				x, before := v[0], v[1]
				return []*graph.Node{
					graph.Sub(graph.ReduceAllMax(graph.MulScalar(x, 7)), graph.ReduceAllSum(x)),
					graph.Add(x, graph.BroadcastToShape(before, x.Shape())),
				}
			})
			s.Set("x", graph.AddScalar(out[1], 1))
			after := graph.ReduceAllMax(graph.MulScalar(graph.MulScalar(x, 7), 11))
			s.Trace("y", graph.Stack([]*graph.Node{out[0], after, graph.ReduceAllSum(x)}, 0))
		}}
		r, err := scan.Run(context.Background(), b, loop, scan.Vars{"x": tensors.FromValue([]float64{1, 2})}, nil, 4, 0)
		if err != nil {
			t.Fatalf("%v: %v", mode, err)
		}
		// x is (1, 2), (2, 3), (3, 4), then (3, 4) + 9 + 1.
		if got, want := tensors.MustCopyFlatData[float64](r.State["x"]), []float64{14, 15}; !slices.Equal(got, want) {
			t.Errorf("%v: x is %v, want %v", mode, got, want)
		}
		if got, want := tensors.MustCopyFlatData[float64](r.Traces["y"]), []float64{5, 3 * 77, 5, 27, 14 * 77, 27}; !slices.Equal(got, want) {
			t.Errorf("%v: traces are %v, want %v", mode, got, want)
		}
	}
}

// Values that cannot stand for each other are an error that says which.
func TestWhenRefuses(t *testing.T) {
	b := backend.ForTest(t)
	for want, f := range map[string]func(v []*graph.Node) []*graph.Node{
		"f returns 2 values, must return 1":  func(v []*graph.Node) []*graph.Node { return []*graph.Node{v[0], v[0]} },
		"value 0 of f is (Float64), must be": func(v []*graph.Node) []*graph.Node { return []*graph.Node{graph.ReduceAllSum(v[0])} },
	} {
		_, err := scan.Run(context.Background(), b, scan.Loop{Step: func(s *scan.Step) {
			x := []*graph.Node{s.Get("x")}
			s.Set("x", scan.When(graph.Const(x[0].Graph(), true), x, x, f)[0])
		}}, scan.Vars{"x": tensors.FromValue([]float64{1})}, nil, 1, 0)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, must say %q", err, want)
		}
	}
}

func ExampleWhen() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	loop := scan.Loop{Step: func(s *scan.Step) {
		x, best := s.Get("x"), s.Get("best")
		x = graph.AddScalar(x, 1)
		s.Set("x", x)
		tenth := graph.Equal(graph.ModScalar(s.Count(), 10), graph.ScalarZero(x.Graph(), s.Count().DType()))
		s.Set("best", scan.When(tenth, []*graph.Node{x}, []*graph.Node{best}, func(args []*graph.Node) []*graph.Node {
			return []*graph.Node{graph.ReduceAllMax(args[0])}
		})[0])
	}}
	start := scan.Vars{"x": tensors.FromValue([]float64{1, 3}), "best": tensors.FromValue(0.0)}
	r, err := scan.Run(context.Background(), b, loop, start, nil, 25, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.State["best"].Value())
	// Output: 23
}
