package optim

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Respond feeds a method prescribed gradients and returns what it makes of them: gradients and updates are shaped
// [steps, …], of one float type. The parameter starts at zero. It serves to look at a method by itself.
func Respond(ctx context.Context, b compute.Backend, t Transform, gradients *tensors.Tensor) (*tensors.Tensor, error) {
	if gradients == nil || gradients.Rank() == 0 || gradients.Size() == 0 || !gradients.DType().IsFloat() {
		return nil, fmt.Errorf("optim: Respond: gradients must be floats shaped [steps, …], with at least one step")
	}
	updates, err := RespondAll(ctx, b, t, scan.Vars{"x": gradients})
	return updates["x"], err
}

// RespondAll is [Respond] for several parameters at once, by path: what a method does may depend on all of them.
func RespondAll(ctx context.Context, b compute.Backend, t Transform, gradients scan.Vars) (updates scan.Vars, err error) {
	start, steps := scan.Vars{}, -1
	paths := slices.Sorted(maps.Keys(gradients))
	for _, path := range paths {
		g := gradients[path]
		if g == nil || g.Rank() == 0 || g.Size() == 0 || !g.DType().IsFloat() || steps >= 0 && g.Shape().Dim(0) != steps {
			return nil, fmt.Errorf("optim: RespondAll: gradients of %q must be floats shaped [steps, …], with as many steps as the others and at least one", path)
		}
		start[path], steps = tensors.FromShape(without(g.Shape(), 0)), g.Shape().Dim(0)
	}
	problem := Problem{
		Data: func(s *scan.Step) (rows []*graph.Node) {
			for _, path := range paths {
				rows = append(rows, s.Row(path))
			}
			return rows
		},
		Loss: func(params, rows []*graph.Node) *graph.Node {
			var sum *graph.Node
			for i, p := range params {
				term := graph.ConvertDType(graph.ReduceAllSum(graph.Mul(p, rows[i])), dtypes.Float64)
				if sum == nil {
					sum = term
				} else {
					sum = graph.Add(sum, term)
				}
			}
			return sum
		},
		Observe: func(s *scan.Step, o Observation) {
			for i, p := range o.Params {
				s.Trace(updatePrefix+p.Path, o.Updates[i])
			}
		},
		Loop: scan.Loop{Name: "response", StopNonFinite: "-"},
	}
	r, err := Minimize(ctx, b, t, problem, start, gradients, steps, 0)
	if err != nil {
		return nil, err
	}
	if r.Status != scan.Done {
		return nil, ctx.Err()
	}
	updates = scan.Vars{}
	for _, path := range paths {
		updates[path] = r.Traces[updatePrefix+path]
	}
	return updates, nil
}

// updatePrefix keeps the traces of updates apart from the loss's.
const updatePrefix = "update:"
