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

// forced is Columns with the choices of a test.
type forced struct {
	Columns
	places [][]int32 // by number of the selection
}

func (f forced) split(params []Param, density float64, seed int64) splitter {
	return forcedSplit{f.Columns.split(params, density, seed).(indexed), f.places}
}

type forcedSplit struct {
	indexed
	places [][]int32
}

func (f forcedSplit) choose(c clock, _, _ []*graph.Node) choice {
	return choice{graph.Gather(graph.Const(c.number.Graph(), f.places), graph.InsertAxes(c.number, -1))}
}

func (f forcedSplit) before(c clock, _ choice, _ []*graph.Node) choice {
	return f.choose(c.earlier(), nil, nil)
}

// fed returns the parameters after each step, for gradients that are given step by step: by path, [steps, …].
func fed(t *testing.T, method Transform, start, gradients scan.Vars, steps int) scan.Vars {
	t.Helper()
	problem := Problem{
		Data: func(s *scan.Step) (data []*graph.Node) {
			for _, v := range s.Names() {
				if path, ok := strings.CutPrefix(v, paramPrefix); ok {
					data = append(data, s.Row(path))
				}
			}
			return data
		},
		Loss: func(params, data []*graph.Node) *graph.Node {
			sum := graph.ReduceAllSum(graph.Mul(params[0], data[0]))
			for i := range params[1:] {
				sum = graph.Add(sum, graph.ReduceAllSum(graph.Mul(params[i+1], data[i+1])))
			}
			return sum
		},
		Observe: func(s *scan.Step, o Observation) {
			for i, p := range o.Params {
				s.Trace(p.Path, graph.Add(p.Value, o.Updates[i]))
			}
		},
	}
	r, err := Minimize(context.Background(), backend.ForTest(t), method, problem, start, gradients, steps, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r.Traces
}

func near(t *testing.T, what string, got *tensors.Tensor, want []float64, tolerance float64) {
	t.Helper()
	values := tensors.MustCopyFlatData[float64](got)
	if len(values) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(values), len(want))
	}
	for i, v := range values {
		if !(math.Abs(v-want[i]) <= tolerance) {
			t.Errorf("%s: number %d is %.15g, want %.15g", what, i, v, want[i])
		}
	}
}

// transposed turns an outputs × inputs matrix of a paper into the stored inputs × outputs.
func transposed(m [][]float64) [][]float64 {
	out := make([][]float64, len(m[0]))
	for j := range out {
		for i := range m {
			out[j] = append(out[j], m[i][j])
		}
	}
	return out
}

func joined(ms ...[][]float64) (out []float64) {
	for _, m := range ms {
		for _, row := range m {
			out = append(out, row...)
		}
	}
	return out
}

// The specification's facts, computed with the reference implementation in float64.
func TestFrugalColumnsFact(t *testing.T) {
	w := transposed([][]float64{{1, 2, 3, 4}, {5, 6, 7, 8}})
	g := tensors.FromValue([][][]float64{
		transposed([][]float64{{.1, -.2, .3, 0}, {-.4, .5, .6, -.7}}),
		transposed([][]float64{{.2, .2, -.3, .1}, {.4, -.5, .6, .7}}),
		transposed([][]float64{{-.1, .3, .3, .2}, {.1, .1, -.6, .3}}),
	})
	method := ready(0.01, ScaleByFrugal{Selector: forced{places: [][]int32{{2, 0}, {1, 3}}}, Density: 0.5, Gap: 2})
	got := fed(t, method, scan.Vars{"w": tensors.FromValue(w)}, scan.Vars{"w": g}, 3)
	near(t, "columns", got["w"], joined(
		transposed([][]float64{{0.990000001, 2.01, 2.990000000333, 4}, {5.00999999975, 5.99, 6.990000000167, 8.01}}),
		transposed([][]float64{{0.980348181352, 2.0, 2.990526316105, 3.99}, {5.009473683974, 6.0, 6.980000000333, 8.0}}),
		transposed([][]float64{{0.990348181352, 1.990000000333, 2.980526316105, 3.980000000500}, {4.999473683974, 5.990000001, 6.990000000333, 7.990000000333}}),
	), 1e-11)
}

func TestFrugalSVDFact(t *testing.T) {
	w := transposed([][]float64{{0, 0, 0}, {0, 0, 0}})
	g := tensors.FromValue([][][]float64{transposed([][]float64{{3, 0, 0}, {0, 1, 0}}), transposed([][]float64{{1, 1, 0}, {0, -1, 2}})})
	got := fed(t, ready(0.01, ScaleByFrugal{Selector: SVD{}, Density: 0.5}), scan.Vars{"w": tensors.FromValue(w)}, scan.Vars{"w": g}, 2)
	near(t, "svd", got["w"], joined(
		transposed([][]float64{{-0.009999999967, 0, 0}, {0, -0.01, 0}}),
		transposed([][]float64{{-0.018710639435, -0.007441368130, 0}, {0, 0, -0.01}}),
	), 1e-11)
}

func TestFrugalBlocksFact(t *testing.T) {
	start, g := scan.Vars{}, scan.Vars{}
	for i, path := range []string{"a", "b", "c", "d"} {
		start[path] = tensors.FromValue([][]float64{{0, 0}})
		g[path] = tensors.FromValue([][][]float64{{{float64(i + 1), -0.5}}})
	}
	got := fed(t, ready(0.01, ScaleByFrugal{Gap: 1, FreeScale: 0.5}), start, g, 5)
	last := func(path string) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float64](got[path])[8:], 2)
	}
	near(t, "tensor 1", last("a"), []float64{-0.0299999999, 0.0299999998}, 1e-11)
	near(t, "tensor 4", last("d"), []float64{-0.03499999995, 0.0349999996}, 1e-11)
}
