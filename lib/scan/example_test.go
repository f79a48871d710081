package scan_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// A thousand steps of gradient descent on ½x² in one executable, with every 250th loss recorded.
func Example() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	loop := scan.Loop{
		Name: "descent", TraceEvery: 250,
		Step: func(s *scan.Step) {
			x := s.Get("x")
			s.Trace("loss", graph.MulScalar(graph.Square(x), 0.5))
			s.Set("x", graph.Sub(x, graph.Mul(s.Input("rate"), x)))
		},
	}
	state, inputs := scan.Vars{"x": tensors.FromScalar(1.0)}, scan.Vars{"rate": tensors.FromScalar(0.002)}
	result, err := scan.Run(context.Background(), b, loop, state, inputs, 1000, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s after %d steps: %.4f\n", result.Status, result.Steps, result.State["x"].Value())
	fmt.Printf("%.4f\n", result.Traces["loss"].Value())
	// Output:
	// done after 1000 steps: 0.1351
	// [0.1845 0.0678 0.0249 0.0092]
}

// Minibatches and draws depend on the seed alone. A run goes on from its result as if it had never stopped.
func ExampleProgram_Resume() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	loop := scan.Loop{Step: func(s *scan.Step) {
		rows := s.Batch(2, "rows")[0] // the next two, of a fresh permutation an epoch
		s.Set("sum", graph.Add(s.Get("sum"), graph.ReduceAllSum(rows)))
	}}
	state, inputs := scan.Vars{"sum": tensors.FromScalar(0.0)}, scan.Vars{"rows": tensors.FromValue([]float64{1, 2, 4, 8})}
	program, err := scan.Compile(b, loop, state, inputs)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	half, err := program.Run(ctx, state, inputs, 3, 1)
	if err != nil {
		log.Fatal(err)
	}
	whole, err := program.Resume(ctx, half, inputs, 1) // the end of the second epoch
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(whole.Steps, whole.State["sum"].Value())
	// Output: 4 30
}
