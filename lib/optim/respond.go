package optim

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
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
	problem := Problem{
		Data:    func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Row("gradients")} },
		Loss:    func(params, data []*graph.Node) *graph.Node { return graph.ReduceAllSum(graph.Mul(params[0], data[0])) },
		Observe: func(s *scan.Step, o Observation) { s.Trace("updates", o.Updates[0]) },
		Loop:    scan.Loop{Name: "response", StopNonFinite: "-"},
	}
	start := tensors.FromShape(without(gradients.Shape(), 0))
	r, err := Minimize(ctx, b, t, problem, scan.Vars{"x": start}, scan.Vars{"gradients": gradients}, gradients.Shape().Dim(0), 0)
	if err != nil {
		return nil, err
	}
	if r.Status != scan.Done {
		return nil, ctx.Err()
	}
	return r.Traces["updates"], nil
}
