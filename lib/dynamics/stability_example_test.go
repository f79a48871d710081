package dynamics_test

import (
	"context"
	"fmt"
	"log"

	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/dynamics"
)

// Three orthogonal gradients of length 2: batch size 1 bears a third of the learning rate of gradient descent.
func ExampleCriticalLR() {
	ctx := context.Background()
	gradients := mat.NewDense(3, 3, []float64{2, 0, 0, 0, 2, 0, 0, 0, 2})
	for batch := 1; batch <= 3; batch++ {
		rate, err := dynamics.CriticalLR(ctx, gradients, batch, false)
		if err != nil {
			log.Fatal(err)
		}
		bounds, err := dynamics.StabilityBounds(gradients, batch, false)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("batch %d: %.2f, at most %.2f by the trace and %.2f by the largest eigenvalue\n", batch, rate, bounds.Trace, bounds.Descent)
	}
	// Output:
	// batch 1: 0.50, at most 0.50 by the trace and 1.50 by the largest eigenvalue
	// batch 2: 1.00, at most 2.00 by the trace and 1.50 by the largest eigenvalue
	// batch 3: 1.50, at most +Inf by the trace and 1.50 by the largest eigenvalue
}

func ExampleSecondMomentOperator() {
	t := dynamics.SecondMomentOperator{Gradients: mat.NewDense(2, 2, []float64{1, 0, 0, 2}), Rate: 0.4, Batch: 1}
	c, err := t.Apply(mat.NewSymDense(2, []float64{1, 0, 0, 1}))
	if err != nil {
		log.Fatal(err)
	}
	radius, err := t.SpectralRadius(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("E‖δ‖² goes from 2 to %.2f; spectral radius %.2f\n", mat.Trace(c), radius)
	// Output: E‖δ‖² goes from 2 to 1.36; spectral radius 0.68
}

// Both methods fit 40 points with 200 parameters, at the same learning rate and from the same first weights. SGD must leave
// what is too sharp for it, and with it the large norm; gradient descent need not.
func ExampleSquareLossSGD() {
	var trials []dynamics.StabilityTrial
	for _, sgd := range []dynamics.SquareLossSGD{{Rate: 0.2, Batch: 1, Steps: 40000, Clip: 10}, {Rate: 0.2, Steps: 4000, Clip: 10}} {
		trial, err := dynamics.SparseLinearProblem{N: 40, D: 100}.Trial(1, sgd)
		if err != nil {
			log.Fatal(err)
		}
		trials = append(trials, trial)
	}
	outcomes, err := dynamics.RunStabilityTrials(context.Background(), trials, nil)
	if err != nil {
		log.Fatal(err)
	}
	for i, o := range outcomes {
		norm := trials[i].Net.(dynamics.DiagonalLinearNet).L1Norm()
		fmt.Printf("fitted %t, η·tr G/2 %.1f, η·λ_max/2 %.1f, ‖β‖₁ %.0f\n", o.Run.How == dynamics.Fitted, 0.1*o.Sharpness.Trace, 0.1*o.Sharpness.Top, norm)
	}
	// Output:
	// fitted true, η·tr G/2 0.4, η·λ_max/2 0.1, ‖β‖₁ 5
	// fitted true, η·tr G/2 5.4, η·λ_max/2 0.5, ‖β‖₁ 32
}
