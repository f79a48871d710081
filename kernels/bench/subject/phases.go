package main

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/gomlx/compute"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/dynamics"
)

func init() { subjects["phases"] = phases }

// phases is a phase diagram of perceptrons: SGD with batches of two until all points have their margins, at 16 output scales,
// 16 temperatures and 5 seeds. The argument is the number of points, in 32 dimensions.
func phases(ctx context.Context, _ compute.Backend, argument string) (subject, error) {
	points, err := strconv.Atoi(argument)
	if err != nil {
		return subject{}, fmt.Errorf("phases: the argument is %q, must be a number of points", argument)
	}
	const dim, side, seeds = 32, 16, 5
	sweep := dynamics.PerceptronSweep{
		SGD: dynamics.TrainToFit{Batch: 2, MaxSteps: 32 * points, CheckEvery: points / 8},
		Data: func(seed uint64) (dynamics.SignedData, error) {
			flat, d := numbers(seed, points*dim, -1, 1), dynamics.SignedData{X: mat.NewDense(points, dim, nil), Y: make([]float64, points)}
			for i := range d.Y {
				for j := range dim {
					d.X.Set(i, j, float64(flat[i*dim+j]))
				}
				d.Y[i] = math.Copysign(1, d.X.At(i, 0))
			}
			return d, nil
		},
	}
	var alphas, temperatures []float64
	for k := range side {
		alphas, temperatures = append(alphas, math.Ldexp(1, k-6)), append(temperatures, math.Pow(1.5, float64(k))/128)
	}
	all := make([]uint64, seeds)
	for i := range all {
		all[i] = uint64(i)
	}
	diagram, err := sweep.PhaseDiagram(ctx, alphas, temperatures, all)
	if err != nil {
		return subject{}, err
	}
	var check []float64
	for _, r := range diagram.Runs {
		signal, noise := r.SignalNoise()
		check = append(check, float64(r.Step), signal, noise)
	}
	return subject{check: check, sample: func(ctx context.Context) (int, error) {
		_, err := sweep.PhaseDiagram(ctx, alphas, temperatures, all)
		return 1, err
	}}, nil
}
