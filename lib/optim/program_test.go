package optim

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// feed makes a problem whose gradients are prescribed: row t of "g" at step t, for the one parameter "w".
func feed(lead int) Problem {
	return Problem{
		Lead: lead,
		Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Row("g")} },
		Loss: func(params, data []*graph.Node) *graph.Node {
			x := graph.Mul(params[0], data[0])
			var axes []int
			for i := lead; i < x.Rank(); i++ {
				axes = append(axes, i)
			}
			if len(axes) == 0 {
				return x
			}
			return graph.ReduceSum(x, axes...)
		},
		Observe: func(s *scan.Step, o Observation) { s.Trace("w", graph.Add(o.Params[0].Value, o.Updates[0])) },
	}
}

// follow returns the parameter after each step.
func follow(t *testing.T, tr Transform, w *tensors.Tensor, gradients *tensors.Tensor) []float64 {
	t.Helper()
	r, err := Minimize(context.Background(), backend.ForTest(t), tr, feed(0), scan.Vars{"w": w}, scan.Vars{"g": gradients}, gradients.Shape().Dim(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float64](r.Traces["w"])
}

func close(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance*math.Max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: value %d is %.13g, want %.13g (within %g)", what, i, got[i], want[i], tolerance)
		}
	}
}

// Fact 1 of diffGrad's specification: the reference code in float64.
func TestDiffGradReference(t *testing.T) {
	got := follow(t, DiffGrad(0.01), tensors.FromValue([]float64{0.5, -1, 2}),
		tensors.FromValue([][]float64{{.1, -.2, .3}, {.4, -.2, -.6}, {0, 1, 0}}))
	close(t, "θ", got, []float64{
		0.494750224726, -0.994501668721, 1.994255580887,
		0.489669994052, -0.989501674312, 1.996858390864,
		0.485577215142, -0.992610311476, 1.998685591458,
	}, 1e-12)
	// Fact 3 has ε after bias correction.
	got = follow(t, Chain{ScaleByDiffGrad{}, ScaleByLearningRate{Rate: 1e-3}}, tensors.FromValue([]float64{1}), tensors.FromValue([][]float64{{2}}))
	close(t, "one step", got, []float64{0.999119202926}, 1e-12)
}
