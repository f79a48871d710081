package main

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"

	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/nets"
)

func init() { subjects["hessian"] = hessian }

// hessian is 60 products with the Hessian of an MLP of a million parameters, which the argument has done by "lanczos" or
// bare, by "products": what the method costs beside its products. There is nothing to agree on.
func hessian(_ context.Context, b compute.Backend, argument string) (subject, error) {
	const examples, steps = 1024, 60
	model, err := nets.MLP("tanh", 784, 700, 620, 10)
	if err != nil {
		return subject{}, err
	}
	set := &data.Dataset{Name: "noise", Shape: []int{784}, X: numbers(1, examples*784, -1, 1), Classes: make([]string, 10)}
	for i := range examples {
		set.Labels = append(set.Labels, int32(i%10))
	}
	op, err := model.Landscape(model.Init(1), set).Hessian(b, curvature.ProductConfig{Way: curvature.Autodiff})
	if err != nil {
		return subject{}, err
	}
	switch argument {
	case "lanczos":
		return subject{sample: func(ctx context.Context) (int, error) {
			_, err := curvature.Lanczos(ctx, op, curvature.LanczosConfig{Steps: steps})
			return 1, err
		}}, nil
	case "products":
		x, y := make([]float64, op.Dim), make([]float64, op.Dim)
		for i := range x {
			x[i] = 1
		}
		return subject{sample: func(ctx context.Context) (int, error) {
			for range steps {
				if err := op.Apply(y, x); err != nil {
					return 0, err
				}
			}
			return 1, ctx.Err()
		}}, nil
	}
	return subject{}, fmt.Errorf("subject: hessian: argument is %q, must be lanczos or products", argument)
}
