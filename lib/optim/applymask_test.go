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

// towards pulls every entry of all parameters to 10, with a coupling between them.
func towards() Problem {
	return Problem{Loss: func(params, _ []*graph.Node) *graph.Node {
		var sum *graph.Node
		for _, p := range params {
			term := graph.Add(graph.ReduceAllSum(graph.Square(graph.AddScalar(p, -10))), graph.Square(graph.ReduceAllSum(p)))
			if sum == nil {
				sum = term
			} else {
				sum = graph.Add(sum, term)
			}
		}
		return sum
	}}
}

// Pruned weights stay at 0 under methods that would move them for many reasons, and the others move as if the pruned ones
// were not there.
func TestApplyMaskKeepsZeros(t *testing.T) {
	b := backend.ForTest(t)
	start := scan.Vars{"w": tensors.FromValue([]float64{1, 0, 2, 0}), "biases": tensors.FromValue([]float64{0})}
	for name, inner := range map[string]Transform{
		"m-fac": Chain{AddL2(0.1), ScaleByMFAC{Window: 3, Damping: 0.1}, Trace{Average: true}, ScaleByLearningRate{Rate: 0.01}},
		"adamw": AdamW(0.1, 0.1), "sgd": Momentum(0.01, 0.9),
	} {
		masked := ApplyMask{Inner: inner, Where: ByPath("w")}
		r, err := Minimize(context.Background(), b, masked, towards(), start, nil, 12, 0)
		if err != nil {
			t.Fatal(err)
		}
		w := tensors.MustCopyFlatData[float64](r.Params["w"])
		if w[1] != 0 || w[3] != 0 || w[0] == 1 || r.Params["biases"].Value().([]float64)[0] == 0 {
			t.Errorf("%s: weights %v, biases %v", name, w, r.Params["biases"].Value())
		}
		short := scan.Vars{"w": tensors.FromValue([]float64{1, 2}), "biases": start["biases"]}
		alone, err := Minimize(context.Background(), b, inner, towards(), short, nil, 12, 0)
		if err != nil {
			t.Fatal(err)
		}
		close(t, name, []float64{w[0], w[2]}, tensors.MustCopyFlatData[float64](alone.Params["w"]), 1e-10)
	}
}

// Given masks take weights to 0 at the first step, one value for all runs.
func TestApplyMaskGiven(t *testing.T) {
	b := backend.ForTest(t)
	start := scan.Vars{"w": tensors.FromValue([][]float64{{0.1, 1, 0}, {0.3, 2, 4}})}
	mask := ApplyMask{Inner: SGD(0.1), Alive: scan.Vars{"w": tensors.FromValue([]float64{0, 1, 1})}}
	p := Problem{Lead: 1, Loss: func(params, _ []*graph.Node) *graph.Node {
		return graph.ReduceSum(graph.Square(graph.AddScalar(params[0], -1)), 1)
	}}
	r, err := Minimize(context.Background(), b, mask, p, start, nil, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	close(t, "weights", tensors.MustCopyFlatData[float64](r.Params["w"]), []float64{0, 1, 0.2, 0, 1.8, 3.4}, 1e-12)
}

func TestApplyMaskBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	start := scan.Vars{"w": tensors.FromValue([]float64{1, math.Pi})}
	for want, tr := range map[string]Transform{
		"Inner is nil":               ApplyMask{},
		"Rate is -1":                 ApplyMask{Inner: SGD(-1)},
		`Alive of "w" is nil`:        ApplyMask{Inner: SGD(1), Alive: scan.Vars{"w": nil}},
		"must be (Float64)[2]":       ApplyMask{Inner: SGD(1), Alive: scan.Vars{"w": tensors.FromValue([]float64{1})}},
		`"v", which is no parameter`: ApplyMask{Inner: SGD(1), Alive: scan.Vars{"v": tensors.FromValue([]float64{1})}},
	} {
		if _, err := Minimize(context.Background(), b, tr, towards(), start, nil, 1, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
