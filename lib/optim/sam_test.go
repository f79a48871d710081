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

// Ten steps of optax's SAM around three methods.
func TestSAMOptaxParity(t *testing.T) {
	g := readGolden(t, "testdata/sam.json")
	g.compareSAM(t, map[string]Transform{
		"sgd":      SAM(0.05, SGD(0.05)),
		"momentum": SAM(0.2, Momentum(0.02, 0.9)),
		"adamw":    SAM(0.1, AdamW(0.01, 0.01)),
	}, 1e-9)
}

// Ten steps of pytorch-optimizer's SAM around PyTorch's SGD.
func TestSAMPytorchOptimizerParity(t *testing.T) {
	g := readGolden(t, "testdata/sam.json")
	g.Paths = readGolden(t, "testdata/reference.json").SAM
	g.compareSAM(t, map[string]Transform{"sgd": SAM(0.05, SGD(0.05)), "momentum": SAM(0.2, Momentum(0.02, 0.9))}, 1e-8) // it adds 1e-12 to the norm
}

// compareSAM minimizes the loss of testdata/sam.py.
func (g golden) compareSAM(t *testing.T, methods map[string]Transform, tolerance float64) {
	t.Helper()
	problem := Problem{
		Loss: func(p, _ []*graph.Node) *graph.Node {
			a, b := p[0], p[1]
			waves := graph.ReduceAllSum(graph.Mul(graph.Cos(a), graph.Square(a)))
			well := graph.MulScalar(graph.ReduceAllSum(graph.Square(graph.Square(b))), 0.25)
			cross := graph.MulScalar(graph.Mul(graph.ReduceAllSum(a), graph.ReduceAllSum(b)), 0.3)
			return graph.Add(waves, graph.Add(well, cross))
		},
		Observe: func(s *scan.Step, o Observation) {
			s.Trace("a", graph.Add(o.Params[0].Value, o.Updates[0]))
			s.Trace("b", graph.Add(o.Params[1].Value, o.Updates[1]))
		},
	}
	start := scan.Vars{"a": tensors.FromFlatDataAndDimensions(g.Params["a"], 3, 2), "b": tensors.FromValue(g.Params["b"])}
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			r, err := Minimize(context.Background(), backend.ForTest(t), method, problem, start, nil, 10, 0)
			if err != nil {
				t.Fatal(err)
			}
			var a, b []float64
			for _, step := range g.Paths[name] {
				a, b = append(a, step["a"]...), append(b, step["b"]...)
			}
			close(t, "matrix", tensors.MustCopyFlatData[float64](r.Traces["a"]), a, tolerance)
			close(t, "vector", tensors.MustCopyFlatData[float64](r.Traces["b"]), b, tolerance)
		})
	}
}

// parabola is ½·4·x².
func parabola(lead int) Problem {
	return Problem{Lead: lead, Loss: func(p, _ []*graph.Node) *graph.Node { return graph.MulScalar(graph.Square(p[0]), 2) }}
}

// Fact 4, and its limits: ρ = 0 is the base method, at the minimum nothing moves, each of several runs has its norm.
func TestSAMParabola(t *testing.T) {
	ctx, b := context.Background(), backend.ForTest(t)
	after := func(method Transform, x float64) float64 {
		t.Helper()
		r, err := Minimize(ctx, b, method, parabola(0), scan.Vars{"x": tensors.FromScalar(x)}, nil, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		return r.Params["x"].Value().(float64)
	}
	close(t, "x", []float64{after(SAM(0.05, SGD(0.1)), 0.5)}, []float64{0.28}, 1e-15)
	close(t, "default ρ", []float64{after(Chain{SharpnessAware{}, SGD(0.1)}, 0.5)}, []float64{0.28}, 1e-15)
	close(t, "ρ = 0", []float64{after(SAM(0, SGD(0.1)), 0.5)}, []float64{after(SGD(0.1), 0.5)}, 0)
	close(t, "no gradient", []float64{after(SAM(0.05, SGD(0.1)), 0)}, []float64{0}, 0)

	start := scan.Vars{"x": tensors.FromValue([]float64{0.5, -2, 0})}
	r, err := Minimize(ctx, b, SAM(0.05, SGD(0.1)), parabola(1), start, nil, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	close(t, "runs", tensors.MustCopyFlatData[float64](r.Params["x"]), []float64{0.28, -2 + 0.4*2.05, 0}, 1e-15)
}

func TestSAMErrors(t *testing.T) {
	for _, rho := range []float64{-1, math.NaN(), math.Inf(1)} {
		err := SAM(rho, SGD(0.1)).Validate()
		if err == nil || !strings.Contains(err.Error(), "optim: SharpnessAware: Rho is") {
			t.Errorf("ρ = %g gave %v", rho, err)
		}
	}
	method := Accumulate{Every: 2, Inner: SAM(0.05, SGD(0.1))}
	_, err := Compile(backend.ForTest(t), method, parabola(0), scan.Vars{"x": tensors.FromScalar(1.0)}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot give the loss at other weights") {
		t.Errorf("a host without Again gave %v", err)
	}
}
