package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

func init() {
	subjects["mfac"] = mfac
	subjects["mfac-step"] = mfacStep
}

// mfacStep is a step of M-FAC as an optimizer. The argument is the number of gradients and
// the dimension.
func mfacStep(ctx context.Context, b compute.Backend, argument string) (subject, error) {
	var m, d int
	if _, err := fmt.Sscan(argument, &m, &d); err != nil || m < 1 || d < 1 {
		return subject{}, fmt.Errorf("subject: mfac-step %s: must be two numbers, of gradients and dimensions", argument)
	}
	return updating(ctx, b, optim.MFAC(1e-3, m, 1e-3), scan.Fused, map[string][]int{"x": {d}}, 10)
}

// mfac is M-FAC's inverse-Hessian vector product in a million dimensions. The argument is what is timed, "setup" or
// "product", and the number of gradients.
func mfac(_ context.Context, b compute.Backend, argument string) (subject, error) {
	const d, damping, bound = 1_000_000, 1e-3, 0.01
	what, count, _ := strings.Cut(argument, " ")
	m, err := strconv.Atoi(count)
	if err != nil || m < 1 || what != "setup" && what != "product" {
		return subject{}, fmt.Errorf("subject: mfac %s: must be setup or product, and a number of gradients", argument)
	}
	rows := func(from, to int) (*tensors.Tensor, error) {
		var flat []float32
		for i := from; i < to; i++ {
			flat = append(flat, numbers(uint64(i), d, -bound, bound)...)
		}
		return tensors.FromFlatDataAndDimensions(flat, to-from, d), nil
	}
	f, err := curvature.NewPagedInverseFisher(b, dtypes.Float32, m, d, rows, curvature.FisherConfig{Damping: damping})
	if err != nil {
		return subject{}, err
	}
	// In the gradients' span, where all the vectors have a say in the product.
	x := numbers(0, d, -bound, bound)
	for i, v := range numbers(uint64(m-1), d, -bound, bound) {
		x[i] += v
	}
	along := tensors.FromValue(x)
	y, err := f.Mul(along)
	if err != nil {
		return subject{}, err
	}
	s := subject{check: floats(y)[:10]}
	if what == "product" {
		const products = 5
		s.sample = func(context.Context) (int, error) {
			for range products {
				y, err := f.Mul(along)
				if err != nil {
					return 0, err
				}
				y.MustFinalizeAll()
			}
			return products, nil
		}
		return s, nil
	}
	gradients, err := rows(0, m)
	if err != nil {
		return subject{}, err
	}
	s.sample = func(context.Context) (int, error) { return 1, f.Refresh(gradients, damping) }
	return s, nil
}
