package functions_test

import (
	"context"
	"fmt"
	"log"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/optim/functions"
)

// diffGrad and Adam roll down the same hill with much momentum; Adam rolls past the better minimum, −0.3.
func ExampleTrajectory() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	rate := optim.ScaleByLearningRate{Rate: 0.1}
	for _, method := range []optim.Transform{
		optim.Chain{optim.ScaleByDiffGrad{Beta1: 0.95}, rate},
		optim.Chain{optim.ScaleByAdam{Beta1: 0.95, Placement: optim.EpsInside}, rate},
	} {
		paths, err := functions.Trajectory(context.Background(), b, method, functions.SyntheticF1(), []float64{-1}, 299, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.3f\n", paths[0][299])
	}
	// Output:
	// -0.300
	// 0.200
}

func ExampleFunction() {
	f := functions.SyntheticF3()
	fmt.Println(f.Minima, f.Value(0.5), f.Gradient(0.2))
	// Output: [0 -0.5 0.5] 0.25 0.875
}
