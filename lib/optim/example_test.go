package optim_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// The example of the README.
func Example() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	// f(x) = (x − 3)², minimized by 200 steps of diffGrad in one compiled program.
	problem := optim.Problem{Loss: func(params, _ []*graph.Node) *graph.Node {
		return graph.Square(graph.AddScalar(params[0], -3))
	}}
	start := scan.Vars{"x": tensors.FromScalar(0.0)}
	result, err := optim.Minimize(context.Background(), b, optim.DiffGrad(0.1), problem, start, nil, 200, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", result.Params["x"].Value())
	// Output: 3.00
}

// Two groups of parameters, two methods: sign steps for the matrices, Adam for the rest.
func ExamplePartition() {
	method := optim.Chain{
		optim.Partition{
			{Name: "matrices", Where: optim.Matrices, Transform: optim.ScaleBySign{}},
			{Name: "rest", Transform: optim.ScaleByAdam{}},
		},
		optim.ScaleByLearningRate{Rate: 0.01},
	}
	fmt.Println(method.Validate())
	// Output: <nil>
}

// Fields out of range are all reported at once.
func ExampleChain_Validate() {
	fmt.Println(optim.Chain{optim.ScaleByAdam{Beta1: 1.5}, optim.ScaleByLearningRate{Rate: -1}}.Validate())
	// Output:
	// optim: ScaleByAdam: Beta1 is 1.5, must be in [0, 1)
	// optim: ScaleByLearningRate: Rate is -1, must be finite and at least 0
}

// One program, three learning rates: each row of the parameter is a run of its own.
func ExampleCompile() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	problem := optim.Problem{Lead: 1, Loss: func(params, _ []*graph.Node) *graph.Node {
		return graph.Square(graph.AddScalar(params[0], -1))
	}}
	start := scan.Vars{"x": tensors.FromValue([]float64{0, 0, 0})}
	rates := optim.Hyper{"learning_rate": {0.001, 0.01, 0.1}}
	program, err := optim.Compile(b, optim.SGD(1), problem, start, nil, rates)
	if err != nil {
		log.Fatal(err)
	}
	result, err := program.Run(context.Background(), start, nil, rates, 100, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", result.Params["x"].Value())
	// Output: [0.181 0.867 1.000]
}
