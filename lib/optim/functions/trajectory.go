package functions

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Trajectory follows an optimizer on a function, in float64, from each of the starts x0 at once. It returns one path a
// start, of steps+1 points with the start first. hyper may give each start hyper-parameters of its own; nil: none.
func Trajectory(ctx context.Context, b compute.Backend, t optim.Transform, f Function, x0 []float64, steps int, hyper optim.Hyper) ([][]float64, error) {
	if len(x0) == 0 {
		return nil, fmt.Errorf("functions: Trajectory: x0 is empty, must hold at least one start")
	}
	if steps < 0 {
		return nil, fmt.Errorf("functions: Trajectory: steps is %d, must not be negative", steps)
	}
	paths := make([][]float64, len(x0))
	for i, x := range x0 {
		paths[i] = append(make([]float64, 0, steps+1), x)
	}
	if steps == 0 {
		return paths, nil
	}
	problem := optim.Problem{
		Lead: 1,
		// Its gradient is f's at x, also where that is not the derivative of the value.
		Loss: func(params, _ []*graph.Node) *graph.Node {
			return graph.Mul(params[0], graph.StopGradient(f.Build(params[0])))
		},
		Observe: func(s *scan.Step, o optim.Observation) { s.Trace("x", graph.Add(o.Params[0].Value, o.Updates[0])) },
		Loop:    scan.Loop{Name: "trajectory on " + f.Name, StopNonFinite: "-"},
	}
	params := scan.Vars{"x": tensors.FromFlatDataAndDimensions(append([]float64(nil), x0...), len(x0))}
	program, err := optim.Compile(b, t, problem, params, nil, hyper)
	if err != nil {
		return nil, err
	}
	r, err := program.Run(ctx, params, nil, hyper, steps, 0)
	if err != nil {
		return nil, err
	}
	if r.Status != scan.Done {
		return nil, ctx.Err()
	}
	x := tensors.MustCopyFlatData[float64](r.Traces["x"])
	for k, v := range x {
		paths[k%len(x0)] = append(paths[k%len(x0)], v)
	}
	return paths, nil
}
