package optimtest_test

import (
	"fmt"
	"testing"

	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/optim/optimtest"
)

// The rules for a method of one's own, in its test.
func ExampleRun() {
	mine := func(rate float64) optim.Transform {
		return optim.Chain{optim.Trace{Momentum: 0.8, Average: true}, optim.ScaleByLearningRate{Rate: rate}}
	}
	_ = func(t *testing.T) { optimtest.Run(t, mine) } // func TestMine(t *testing.T) { … }
}

// What every method must be able to minimize.
func ExampleTargets() {
	for _, target := range optimtest.Targets() {
		fmt.Println(target.Name, target.Minimum)
	}
	// Output:
	// parabola map[x:[1 -0.5 0.25]]
	// rosenbrock map[x:[1 1]]
	// matrix map[w:[1 -1 0.5 0.25 -0.5 0.75]]
	// linear map[biases:[0.25 -0.5 0.1] weights:[0.5 -0.25 1 -1 0.75 0.5]]
}
