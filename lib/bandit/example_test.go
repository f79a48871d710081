package bandit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/bandit"
	"github.com/hindsight-go/hindsight/lib/online"
)

// Two arms tie, so each gets at least what it would by chance; the others are the rarer the worse they look.
func ExampleSquareCB() {
	p := make([]float64, 4)
	if err := bandit.SquareCB(p, []float64{0.2, 0.5, 0.2, 0.9}, 10); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", p)
	// Output:
	// [0.5162 0.1429 0.2500 0.0909]
}

// Where the best arm never fails, the others are not tried.
func ExampleFastCB() {
	p := make([]float64, 3)
	for _, predicted := range [][]float64{{0.01, 0.5, 0.6}, {0, 0.5, 0.6}} {
		if err := bandit.FastCB(p, predicted, 20); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.4f\n", p)
	}
	// Output:
	// [0.9981 0.0010 0.0008]
	// [1.0000 0.0000 0.0000]
}

// A learner of a plain program: it sees a context, plays an arm and is told that arm's loss.
func ExampleNeural_Compile() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	program, err := bandit.NeuFastCB(2, 3).Compile(b)
	if err != nil {
		log.Fatal(err)
	}
	learner, world := program.New(1), online.Seeded(1, "world")
	mistakes := make([]int, 4) // by quarter
	for round := range 400 {
		kind := world.IntN(2) // which arm is right
		choice, err := learner.Act([][]float64{bandit.UnitRow([]float64{float64(kind), 0.5})})
		if err != nil {
			log.Fatal(err)
		}
		loss := 0.
		if choice.Arm != kind {
			loss = 1
			mistakes[round/100]++
		}
		if err := learner.Learn(loss); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("fewer mistakes later:", mistakes[3] < mistakes[0]/2)
	// Output:
	// fewer mistakes later: true
}

// Whole games of several seeds in one compiled program.
func ExampleSimulator_Run() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	var games []bandit.Game
	for seed := range uint64(3) {
		table, err := bandit.NoisyClasses(5, 3, 500, 0.1, seed)
		if err != nil {
			log.Fatal(err)
		}
		games = append(games, bandit.Game{Learner: bandit.NeuSquareCB(3, 5), Table: table, Seed: seed})
	}
	traces, err := bandit.NewSimulator(b).Run(context.Background(), games)
	if err != nil {
		log.Fatal(err)
	}
	for _, trace := range traces {
		regret := trace.Run.Regret[bandit.BestArm]
		fmt.Printf("seed %d: regret below that of chance: %t\n", trace.Run.Seed, regret[499] < 500*0.8*2/3)
	}
	// Output:
	// seed 0: regret below that of chance: true
	// seed 1: regret below that of chance: true
	// seed 2: regret below that of chance: true
}

func ExampleNTKernel() {
	fmt.Printf("%.4f %.4f\n", bandit.NTKernel(1), bandit.NTKernel(0))
	// Output:
	// 2.0000 0.3183
}
