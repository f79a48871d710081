package optim

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// On a convex function d never exceeds the largest distance of a coordinate from the start to the minimum, for r is at most
// Σw⟨g, x₀ − x*⟩ ≤ ‖s‖₁·‖x₀ − x*‖∞, and it comes near it, whatever it begins with and however far that is.
func TestProdigyFindsTheDistance(t *testing.T) {
	for _, far := range []float64{0.3, 20, 4000} {
		problem := Problem{
			Loss: func(p, _ []*graph.Node) *graph.Node {
				gap := graph.Sub(p[0], graph.Const(p[0].Graph(), []float64{far, -far / 2, 0}))
				return graph.ReduceAllSum(graph.Mul(graph.Square(gap), graph.Const(gap.Graph(), []float64{1, 3, 0.2})))
			},
			Observe: func(s *scan.Step, o Observation) { s.Trace("x", o.Params[0].Value) },
		}
		start := scan.Vars{"x": tensors.FromValue([]float64{0, 0, 0})}
		r, err := Minimize(context.Background(), backend.ForTest(t), Prodigy(1), problem, start, nil, 1500, 0)
		if err != nil {
			t.Fatal(err)
		}
		d := tensors.MustCopyFlatData[float64](r.State["0.d"])[0]
		if !(d > 0.05*far && d <= far*(1+1e-9)) {
			t.Errorf("distance %g: d is %g", far, d)
		}
		x := tensors.MustCopyFlatData[float64](r.Traces["x"])
		if end := x[len(x)-3:]; math.Abs(end[0]-far) > 0.01*far || math.Abs(end[1]+far/2) > 0.01*far {
			t.Errorf("distance %g: ends at %v", far, end)
		}
	}
}

func TestProdigyBadArguments(t *testing.T) {
	for want, p := range map[string]ScaleByProdigy{
		"Beta1 is 1": {Beta1: 1}, "Beta2 is -0, must be in (0, 1)": {Beta2: Zero}, "Beta3 is -1": {Beta3: -1}, "Eps is -1": {Eps: -1},
		"First is NaN": {First: math.NaN()}, "Coef is -2": {Coef: -2}, "Decay is -1": {Decay: -1}, "Steps is -1": {Schedule: WarmUp{Steps: -1}},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
