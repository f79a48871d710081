package curvature

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

// smallNetwork is a network of nine weights on four examples, whose curvature was computed in float64 by another program.
func smallNetwork(activation func(*graph.Node) *graph.Node) Network {
	return Network{
		Outputs: func(p, data []*graph.Node) *graph.Node {
			return graph.MatMul(activation(graph.MatMul(data[0], p[0])), p[1])
		},
		Loss: func(f *graph.Node, data []*graph.Node) *graph.Node {
			return graph.MulScalar(graph.ReduceAllMean(graph.Square(graph.Sub(f, data[1]))), 0.5)
		},
		Params: scan.Vars{
			"w1": tensors.FromValue([][]float64{{.3, -.2, .5}, {.1, .4, -.6}}),
			"w2": tensors.FromValue([][]float64{{.7}, {-.5}, {.2}}),
		},
		Data: []*tensors.Tensor{
			tensors.FromValue([][]float64{{.5, -1}, {1, .25}, {-.75, .5}, {.1, .9}}),
			tensors.FromValue([][]float64{{1}, {-1}, {.5}, {0}}),
		},
	}
}

// small is its loss, with tanh: half the mean square error.
func small() Landscape { return smallNetwork(graph.Tanh).Landscape() }

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

// On ½·4·x² at x = 0.5: R = 0.105, to first order ρ‖∇L‖ = 0.1.
func TestSharpnessParabola(t *testing.T) {
	l := Landscape{
		Loss:   func(p, _ []*graph.Node) *graph.Node { return graph.MulScalar(graph.Square(p[0]), 2) },
		Params: scan.Vars{"x": tensors.FromScalar(0.5)},
	}
	s, err := l.Sharpness(backend.ForTest(t), 0.05)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "R", s.Sharpness, 0.105, 1e-15)
	within(t, "ρ‖∇L‖", 0.05*s.Gradient, 0.1, 1e-15)
	within(t, "L", s.Loss, 0.5, 0)
	l.Params["x"] = tensors.FromScalar(0.0)
	if s, err = l.Sharpness(backend.ForTest(t), 0.05); err != nil || s.Sharpness != 0 || s.Gradient != 0 {
		t.Errorf("at the minimum %+v (%v), want 0", s, err)
	}
}

// On Σ w² the surface is that of a paraboloid whose directions are as long as the weights, filter by filter.
func TestSurface(t *testing.T) {
	w := tensors.FromValue([][]float64{{3, 0, 1}, {4, 0, 1}})
	l := Landscape{
		Loss: func(p, _ []*graph.Node) *graph.Node {
			return graph.Add(graph.ReduceAllSum(graph.Square(p[1])), graph.ReduceAllSum(graph.Square(p[0])))
		},
		Params: scan.Vars{"w": w, "biases": tensors.FromValue([]float64{1, 2})},
	}
	const points, span = 5, 2.0
	s, err := l.Surface(context.Background(), backend.ForTest(t), points, span, 7)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "middle", s.Loss[2][2], 25+2+5, 1e-12)
	within(t, "corner", s.At[0], -span, 0)
	// Along one direction, Σ(w + a·d)² = |w|² + 2a·wd + a²·|d|² with |d| = |w|: the second difference is 2·27.
	for i := 1; i+1 < points; i++ {
		within(t, "curvature along d₁", s.Loss[i-1][2]-2*s.Loss[i][2]+s.Loss[i+1][2], 2*27, 1e-11)
		within(t, "curvature along d₂", s.Loss[2][i-1]-2*s.Loss[2][i]+s.Loss[2][i+1], 2*27, 1e-11)
	}
	if s.Loss[1][3] == s.Loss[3][1] {
		t.Error("both directions are the same")
	}
}

func TestLandscapeErrors(t *testing.T) {
	ctx, b, l := context.Background(), backend.ForTest(t), small()
	mixed := l
	mixed.Params = scan.Vars{"w1": l.Params["w1"], "w2": tensors.FromScalarAndDimensions(float32(0), 3, 1)}
	vector := l
	vector.Loss = func(p, _ []*graph.Node) *graph.Node { return p[0] }
	for want, f := range map[string]func() error{
		"rho is 0, must be positive":          func() error { _, err := l.Sharpness(b, 0); return err },
		"iterations is 0, must be at least 1": func() error { _, err := l.TopEigenvalue(ctx, b, 0, 1); return err },
		"points is 1 and span 1":              func() error { _, err := l.Surface(ctx, b, 1, 1, 1); return err },
		"points is 3 and span NaN":            func() error { _, err := l.Surface(ctx, b, 3, math.NaN(), 1); return err },
		"Loss must be set":                    func() error { _, err := (Landscape{}).Sharpness(b, 1); return err },
		`parameter "w2" must be float32`:      func() error { _, err := mixed.Sharpness(b, 1); return err },
		"must be a scalar":                    func() error { _, err := vector.Sharpness(b, 1); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := l.Surface(ended, b, 3, 1, 1); err == nil {
		t.Error("a context that ended gave no error")
	}
}
