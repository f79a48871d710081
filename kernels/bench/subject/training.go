package main

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/nets"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

func init() {
	subjects["mlp"] = func(ctx context.Context, b compute.Backend, mode string) (subject, error) {
		model, err := nets.MLP("relu", 784, 256, 128, 10)
		if err != nil {
			return subject{}, err
		}
		return training{model: model, example: []int{784}, rows: 8192, batch: 128, steps: 300, method: optim.Adam(1e-3)}.prepare(ctx, b, mode)
	}
	subjects["cnn"] = func(ctx context.Context, b compute.Backend, mode string) (subject, error) {
		model, err := nets.SmallCNN("relu", 28, 28, 1, 10)
		if err != nil {
			return subject{}, err
		}
		return training{model: model, example: []int{28, 28, 1}, rows: 4096, batch: 64, steps: 100, method: optim.Adam(1e-3)}.prepare(ctx, b, mode)
	}
}

// training is a method on a classifier, minibatches taken by index from data on the
// device, the loss of every step recorded.
type training struct {
	model              nets.Model
	example            []int // shape of one
	rows, batch, steps int
	method             optim.Transform
	objective          optim.Objective // nil: cross-entropy
}

// modes of running, by what the command line calls them.
var modes = map[string]scan.Mode{"step": scan.Stepwise, "fused": scan.Fused}

// prepare compiles it. mode says how it runs: "step" calls each step, "fused" has
// all in one executable.
func (t training) prepare(ctx context.Context, b compute.Backend, mode string) (subject, error) {
	how, ok := modes[mode]
	if !ok {
		return subject{}, fmt.Errorf("subject: mode is %q, must be step or fused", mode)
	}
	// With as many rows as a minibatch has, every minibatch holds them all: the order
	// of the rows, which the peers draw by generators of their own, does not matter.
	check, err := t.run(b, how, t.batch, 20)
	if err != nil {
		return subject{}, err
	}
	losses, err := check(ctx, 0)
	if err != nil {
		return subject{}, err
	}
	run, err := t.run(b, how, t.rows, t.steps)
	if err != nil {
		return subject{}, err
	}
	seed := int64(0)
	return subject{check: losses, sample: func(ctx context.Context) (int, error) {
		seed++
		_, err := run(ctx, seed)
		return t.steps, err
	}}, nil
}

// run compiles training on so many rows and steps.
func (t training) run(b compute.Backend, mode scan.Mode, rows, steps int) (func(ctx context.Context, seed int64) ([]float64, error), error) {
	width := 1
	for _, d := range t.example {
		width *= d
	}
	labels, index := make([]int32, rows), make([]int32, rows)
	for i := range labels {
		labels[i], index[i] = int32(i%10), int32(i)
	}
	inputs := scan.Vars{
		"x": tensors.FromFlatDataAndDimensions(numbers(100, rows*width, 0, 1), append([]int{rows}, t.example...)...),
		"y": tensors.FromValue(labels),
	}
	params := scan.Vars{}
	for i, p := range t.model.Params {
		size := 1
		for _, d := range p.Shape {
			size *= d
		}
		bound := float32(p.Deviation * math.Sqrt(3)) // uniform of that deviation
		params[p.Path] = tensors.FromFlatDataAndDimensions(numbers(uint64(i), size, -bound, bound), p.Shape...)
	}
	problem := optim.Problem{
		Data: func(s *scan.Step) []*graph.Node { return s.Batch(t.batch, "x", "y") },
		Loop: scan.Loop{Mode: mode},
	}
	if t.objective == nil {
		problem.Loss = func(params, data []*graph.Node) *graph.Node {
			return nets.CrossEntropy(t.model.Apply(params, data[0]), data[1])
		}
	} else {
		inputs["index"] = tensors.FromValue(index)
		problem.Objective = t.objective
		problem.Data = func(s *scan.Step) []*graph.Node { return s.Batch(t.batch, "x", "y", "index") }
	}
	program, err := optim.Compile(b, t.method, problem, params, inputs, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, seed int64) ([]float64, error) {
		r, err := program.Run(ctx, params, inputs, nil, steps, seed)
		if err != nil {
			return nil, err
		}
		return floats(r.Traces["loss"]), nil
	}, nil
}
