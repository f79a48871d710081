package main

import (
	"context"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/scan"
)

func init() { subjects["quadratic"] = quadratic }

// quadratic is gradient descent on ½Σaᵢxᵢ² in ten dimensions, 100,000 steps in one
// executable: what a step costs that computes next to nothing.
func quadratic(ctx context.Context, b compute.Backend, _ string) (subject, error) {
	const steps, runs = 100_000, 100
	curvature := make([]float32, 10)
	start := make([]float32, 10)
	for i := range start {
		curvature[i], start[i] = float32(i+1)/10, 1
	}
	state := scan.Vars{"x": tensors.FromValue(start)}
	inputs := scan.Vars{"a": tensors.FromValue(curvature), "rate": tensors.FromValue(float32(1e-3))}
	program, err := scan.Compile(b, scan.Loop{Name: "quadratic", Mode: scan.Fused, Step: func(s *scan.Step) {
		x, a := s.Get("x"), s.Input("a")
		loss := graph.MulScalar(graph.ReduceAllSum(graph.Mul(a, graph.Square(x))), 0.5)
		s.Set("x", graph.Sub(x, graph.Mul(s.Input("rate"), graph.Gradient(loss, x)[0])))
	}}, state, inputs)
	if err != nil {
		return subject{}, err
	}
	short, err := program.Run(ctx, state, inputs, 1000, 0)
	if err != nil {
		return subject{}, err
	}
	return subject{
		check: floats(short.State["x"]),
		sample: func(ctx context.Context) (int, error) {
			for range runs {
				if _, err := program.Run(ctx, state, inputs, steps, 0); err != nil {
					return 0, err
				}
			}
			return runs, nil
		},
	}, nil
}

// floats of a float32 tensor.
func floats(t *tensors.Tensor) []float64 {
	var out []float64
	for _, v := range tensors.MustCopyFlatData[float32](t) {
		out = append(out, float64(v))
	}
	return out
}
