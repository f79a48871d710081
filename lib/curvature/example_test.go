package curvature_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/scan"
)

func ExampleNewInverseFisher() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	gradients := tensors.FromFlatDataAndDimensions([]float64{
		1, 2, 3,
		0, 1, -1,
	}, 2, 3)
	f, err := curvature.NewInverseFisher(b, gradients, curvature.FisherConfig{Damping: 0.1})
	if err != nil {
		log.Fatal(err)
	}
	y, err := f.Mul(tensors.FromValue([]float64{1, 0, -1}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", y.Value())
	// Output: [11.124 -1.786 -2.593]
}

// line is the model w·tanh(v·x) on three points, with half the mean square error.
func line() curvature.Network {
	return curvature.Network{
		Outputs: func(p, data []*graph.Node) *graph.Node {
			return graph.Mul(p[1], graph.Tanh(graph.Mul(p[0], data[0])))
		},
		Loss: func(f *graph.Node, data []*graph.Node) *graph.Node {
			return graph.MulScalar(graph.ReduceAllMean(graph.Square(graph.Sub(f, data[1]))), 0.5)
		},
		Params: scan.Vars{"v": tensors.FromScalar(0.5), "w": tensors.FromScalar(2.0)},
		Data:   []*tensors.Tensor{tensors.FromValue([]float64{-1, 1, 2}), tensors.FromValue([]float64{-1, 0, 2})},
	}
}

// The edge of stability: gradient descent with rate η bears a largest eigenvalue of 2/η, batch size 1 a trace of 2/η.
func ExampleLandscape_Hessian() {
	ctx := context.Background()
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	h, err := line().Landscape().Hessian(b, curvature.ProductConfig{})
	if err != nil {
		log.Fatal(err)
	}
	r, err := curvature.Lanczos(ctx, h, curvature.LanczosConfig{Steps: 20})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("eigenvalues %.4f\n", r.Values)
	trace, err := curvature.Trace(ctx, h, curvature.Probes{Count: 200})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("trace %.2f ± %.2f\n", trace.Mean, trace.StdErr)
	// Output:
	// eigenvalues [0.0014 3.3266]
	// trace 3.35 ± 0.14
}

func ExampleSpectralDensity() {
	a := mat.NewDiagDense(1000, nil)
	for i := range 1000 {
		a.SetDiag(i, float64(i%10)/10)
	}
	a.SetDiag(0, 5) // an outlier
	d, err := curvature.SpectralDensity(context.Background(), curvature.DenseOperator(a), curvature.DensityConfig{
		Probes: curvature.Probes{Gaussian: true, Count: 100}, Steps: 30,
	})
	if err != nil {
		log.Fatal(err)
	}
	above := d.Trace(func(eigenvalue float64) float64 {
		if eigenvalue > 2 {
			return 1
		}
		return 0
	})
	fmt.Printf("eigenvalues above 2: %.2f ± %.2f\n", above.Mean, above.StdErr)
	// Output: eigenvalues above 2: 1.22 ± 0.18
}

func ExampleNewGradientNoise() {
	ctx := context.Background()
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	gradients, err := line().Landscape().PerExampleGradients(ctx, b)
	if err != nil {
		log.Fatal(err)
	}
	noise, err := curvature.NewGradientNoise(gradients)
	if err != nil {
		log.Fatal(err)
	}
	batch, err := curvature.BatchNoise(noise.TraceC.Mean, noise.Examples, 2, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("tr C %.5f, of batches of two %.5f\n", noise.TraceC.Mean, batch)
	// Output: tr C 0.99648, of batches of two 0.24912
}

func ExampleNetwork_Jacobian() {
	ctx := context.Background()
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	n := line()
	j, err := n.Jacobian(ctx, b)
	if err != nil {
		log.Fatal(err)
	}
	s, err := curvature.SpectrumOf(j.Kernel())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("tr G %.4f, ‖G‖_F %.4f, λ_max %.4f\n", s.Trace, s.Frobenius, s.Eigenvalues[0])
	residuals := make([]float64, len(j.Values))
	floats.SubTo(residuals, j.Values, []float64{-1, 0, 2})
	mu1, mu2, err := curvature.NoiseAlignment(residuals, j.Rows)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("μ1 %.4f, μ2 %.4f\n", mu1, mu2)
	// Output:
	// tr G 2.9257, ‖G‖_F 2.9122, λ_max 2.9122
	// μ1 0.9697, μ2 0.9702
}
