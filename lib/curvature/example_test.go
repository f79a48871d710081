package curvature_test

import (
	"fmt"
	"log"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/curvature"
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
