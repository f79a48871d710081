package optim_test

import (
	"fmt"
	"log"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
)

// FRUGAL on random inputs of each layer, SGD on the rest, and what its state takes beside Adam's.
func ExampleScaleByFrugal() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	method := optim.Chain{
		optim.ScaleByFrugal{Selector: optim.Columns{}, Density: 0.25, Gap: 200, Free: optim.Keep{}},
		optim.ScaleByLearningRate{Rate: 1e-3},
	}
	model := map[string]shapes.Shape{
		"embed/tokens":        shapes.Make(dtypes.Float32, 100, 64),
		"mlp/up_proj/weights": shapes.Make(dtypes.Float32, 64, 256),
	}
	for _, m := range []optim.Transform{optim.Adam(1e-3), method} {
		state, err := optim.StateShapes(b, m, model)
		if err != nil {
			log.Fatal(err)
		}
		total := 0
		for _, shape := range state {
			total += shape.Size()
		}
		fmt.Println(total)
	}
	// Output:
	// 45568
	// 20992
}
