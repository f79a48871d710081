package main

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/nets"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

func init() { subjects["sharpness"] = sharpness }

// sharpness is a step of a method that looks for flat minima, in the setting of the SAF
// notebook. The argument is the method: sgd, sam, saf or mesa. Their losses differ, and
// there is nothing to agree on.
func sharpness(_ context.Context, b compute.Backend, method string) (subject, error) {
	model, err := nets.MLP("relu", 784, 128, 64, 10)
	if err != nil {
		return subject{}, err
	}
	const rows, batch = 4000, 128
	plain := optim.Supervised{
		Outputs:   func(p, data []*graph.Node) *graph.Node { return model.Apply(p, data[0]) },
		Criterion: func(z *graph.Node, data []*graph.Node) *graph.Node { return nets.CrossEntropy(z, data[1]) },
	}
	t := training{
		model: model, example: []int{784}, rows: rows, batch: batch, steps: 310, objective: plain,
		method: optim.Chain{optim.AddL2(5e-4), optim.Trace{Momentum: 0.9}, optim.ScaleByLearningRate{Rate: 0.1}},
	}
	switch method {
	case "sgd":
	case "sam":
		t.method = optim.SAM(0.05, t.method)
	case "saf":
		t.objective = optim.SAF{
			Supervised: plain, Index: func(data []*graph.Node) *graph.Node { return data[2] },
			Examples: rows, Classes: 10, EpochSteps: rows / batch,
		}
	case "mesa":
		t.objective = optim.MESA{Supervised: plain, EpochSteps: rows / batch, Beta: 0.98}
	default:
		return subject{}, fmt.Errorf("subject: sharpness: method is %q, must be sgd, sam, saf or mesa", method)
	}
	run, err := t.run(b, scan.Fused, t.rows, t.steps)
	if err != nil {
		return subject{}, err
	}
	seed := int64(0)
	return subject{sample: func(ctx context.Context) (int, error) {
		seed++
		_, err := run(ctx, seed)
		return t.steps, err
	}}, nil
}
