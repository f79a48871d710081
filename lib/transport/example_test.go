package transport_test

import (
	"context"
	"fmt"
	"log"

	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/transport"
)

// A bridge learned from samples, compared with the true one.
func ExampleLightSB() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	problem, err := transport.NewMixtureBenchmark(2, 5, 1, 0)
	if err != nil {
		log.Fatal(err)
	}
	x0, x1, err := problem.Sample(4096, online.Seeded(0, "samples"))
	if err != nil {
		log.Fatal(err)
	}
	fit, err := transport.LightSB{Components: 10, Epsilon: 1, Scale: 1, Rate: 1e-2, Steps: 1000}.Fit(context.Background(), b, x0, x1, 0)
	if err != nil {
		log.Fatal(err)
	}
	moments, err := transport.MomentsOf(x1)
	if err != nil {
		log.Fatal(err)
	}
	uvp, err := transport.ConditionalBWUVP(fit.Bridge, problem.Truth, x0, mat.Trace(moments.Cov))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("less than 1 % off:", uvp < 1)
	// Output: less than 1 % off: true
}

// The exact bridge of two Gaussians, and what the loss of another one has to do with it.
func ExampleGaussianBridge() {
	p0 := transport.Normal{Mean: []float64{0}, Cov: mat.NewSymDense(1, []float64{1})}
	p1 := transport.Normal{Mean: []float64{1.5}, Cov: mat.NewSymDense(1, []float64{4})}
	solution, err := transport.GaussianBridge(p0, p1, 1)
	if err != nil {
		log.Fatal(err)
	}
	best, err := solution.Bridge()
	if err != nil {
		log.Fatal(err)
	}
	other, err := transport.NewBridge(1, []transport.Component{{R: []float64{1.5}, S: mat.NewDiagDense(1, []float64{1})}})
	if err != nil {
		log.Fatal(err)
	}
	least, err := best.GaussianLoss(p0, p1)
	if err != nil {
		log.Fatal(err)
	}
	loss, err := other.GaussianLoss(p0, p1)
	if err != nil {
		log.Fatal(err)
	}
	divergence, err := other.GaussianKL(best, p0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("S = %.4f, loss − least %.4f, KL %.4f\n", solution.S.At(0, 0), loss-least, divergence)
	// Output: S = 1.5616, loss − least 0.2156, KL 0.2156
}

// Draws from a bridge: the plan in one shot, and a path of the process.
func ExampleBridge() {
	bridge, err := transport.NewBridge(0.1, []transport.Component{
		{R: []float64{-2}, S: mat.NewDiagDense(1, []float64{0.5})},
		{R: []float64{2}, S: mat.NewDiagDense(1, []float64{0.5})},
	})
	if err != nil {
		log.Fatal(err)
	}
	x := mat.NewDense(2, 1, []float64{-1, 1})
	y, err := bridge.SamplePlan(x, online.Seeded(0, "plan"))
	if err != nil {
		log.Fatal(err)
	}
	g, err := bridge.Drift(x, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("apart:", y.At(0, 0) < -1 && y.At(1, 0) > 1)
	fmt.Printf("drift %.2f and %.2f\n", g.At(0, 0), g.At(1, 0))
	// Output:
	// apart: true
	// drift -1.50 and 1.50
}
