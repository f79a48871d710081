package dynamics_test

import (
	"context"
	"fmt"

	"github.com/hindsight-go/hindsight/lib/dynamics"
)

// The same network and samples at a small and at a large learning rate: both fit, one has learnt the weak feature.
func ExampleRunCNNs() {
	run := dynamics.CNNRun{
		Data:    dynamics.FeatureNoiseData{N: 20, Dim: 200, WeakNorm: 0.2, StrongNorm: 1, NoiseNorm: 1, StrongFraction: 0.8},
		Filters: 10, Steps: 20000,
	}
	rates := []float64{0.1, 1.2, 40}
	var runs []dynamics.CNNRun
	for _, a := range rates {
		runs = append(runs, run.WithScaledRate(a))
	}
	traces, err := dynamics.RunCNNs(context.Background(), runs, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, t := range traces {
		if t.End.How == dynamics.Diverged {
			fmt.Printf("a = %g: diverged: %t\n", rates[i], t.End.Step > 0)
			continue
		}
		fmt.Printf("a = %g: training accuracy %.2f, on the weak feature alone %.1f\n", rates[i], t.TrainAccuracy, 1-t.TestError)
	}
	// Output:
	// a = 0.1: training accuracy 1.00, on the weak feature alone 0.5
	// a = 1.2: training accuracy 1.00, on the weak feature alone 1.0
	// a = 40: diverged: true
}

// Below a = 1 f converges; above it oscillates until the weak feature is strong enough.
func ExampleScalarOscillation() {
	for _, a := range []float64{0.5, 1.2} {
		o, err := dynamics.ScalarOscillation(0.1, 0.02, a, 0.04, 2000)
		if err != nil {
			fmt.Println(err)
			return
		}
		bound, err := dynamics.StableWeakStrength(a, 0.04)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("a = %g: residuals sum to %.1f, q² = %.4f, stable from %.4f\n", a, o.CumulativeResidual()[2000], o.Q[2000]*o.Q[2000], bound)
	}
	// Output:
	// a = 0.5: residuals sum to 5.5, q² = 0.0005, stable from 0.0000
	// a = 1.2: residuals sum to 66.2, q² = 0.1753, stable from 0.1736
}
