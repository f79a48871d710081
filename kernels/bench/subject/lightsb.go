package main

import (
	"context"
	"math"

	"github.com/gomlx/compute"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/transport"
)

func init() { subjects["lightsb"] = lightSB }

// lightSB is LightSB of 50 components in 16 dimensions, minibatches of 128 of 8192 points, all steps in one executable.
func lightSB(ctx context.Context, b compute.Backend, _ string) (subject, error) {
	const dim, components, batch, rows, steps = 16, 50, 128, 8192, 500
	start := make([]transport.Component, components)
	centers := matrix(2, components, dim)
	for k := range start {
		s := make([]float64, dim)
		for d := range s {
			s[d] = 1
		}
		start[k] = transport.Component{LogAlpha: -math.Log(components), R: centers.RawRowView(k), S: mat.NewDiagDense(dim, s)}
	}
	bridge, err := transport.NewBridge(1, start)
	if err != nil {
		return subject{}, err
	}
	config := transport.LightSB{Components: components, Epsilon: 1, Rate: 1e-2, Steps: steps, Batch: batch, Float32: true}
	// All rows every step, so that generators do not matter.
	short := config
	short.Steps, short.Batch = 20, -1
	check, err := short.FitEach(ctx, b, []transport.Task{{X0: matrix(0, batch, dim), X1: matrix(1, batch, dim), Start: bridge}}, 0)
	if err != nil {
		return subject{}, err
	}
	tasks := []transport.Task{{X0: matrix(0, rows, dim), X1: matrix(1, rows, dim), Start: bridge}}
	trainer, err := config.Compile(b, tasks)
	if err != nil {
		return subject{}, err
	}
	seed := uint64(0)
	return subject{check: check[0].Losses, sample: func(ctx context.Context) (int, error) {
		seed++
		_, err := trainer.Fit(ctx, tasks, steps, seed)
		return steps, err
	}}, nil
}

func matrix(seed uint64, rows, columns int) *mat.Dense {
	out := mat.NewDense(rows, columns, nil)
	for i, v := range numbers(seed, rows*columns, -2, 2) {
		out.RawMatrix().Data[i] = float64(v)
	}
	return out
}
