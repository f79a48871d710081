package oco_test

import (
	"context"
	"fmt"
	"log"

	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/oco"
	"github.com/hindsight-go/hindsight/lib/online"
)

// Losses |x − 0.3| on [−1, 1], a round at a time.
func ExampleOptimisticDescent() {
	interval := oco.Box{Low: []float64{-1}, High: []float64{1}}
	learner, err := oco.OptimisticDescent(interval, oco.AdaptiveStep{Diameter: 2, Gradient: 1}).Start(1)
	if err != nil {
		log.Fatal(err)
	}
	var mean float64
	for t := 1; t <= 20_000; t++ {
		x, err := learner.Act(online.None{})
		if err != nil {
			log.Fatal(err)
		}
		mean += (x[0] - mean) / float64(t)
		gradient := 1.0
		if x[0] < 0.3 {
			gradient = -1
		}
		if err := learner.Learn([]float64{gradient}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("the mean point is %.1f\n", mean)
	// Output: the mean point is 0.3
}

// Twenty seeds of a noisy quadratic in one compiled program.
func ExampleSimulate() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	var rules []oco.Rule
	var against []oco.Quadratic
	for range 20 {
		against = append(against, oco.Quadratic{Centers: oco.Path{{0.3, 0}}, Noise: 0.5, Radius: 1})
		rules = append(rules, oco.OptimisticDescent(oco.Ball{Radius: 1}, oco.StronglyConvexStep{Convexity: 1}))
	}
	stream, err := oco.QuadraticStream(against)
	if err != nil {
		log.Fatal(err)
	}
	trace, err := oco.Simulate(context.Background(), b, rules, stream, 2000, oco.Options{Every: 1000})
	if err != nil {
		log.Fatal(err)
	}
	regret, err := oco.StaticRegret(trace, against)
	if err != nil {
		log.Fatal(err)
	}
	fewer := 0
	for _, r := range regret {
		if r[1] < 1.5*r[0] { // logarithmic: twice the rounds add little
			fewer++
		}
	}
	fmt.Println(fewer, "of 20 runs")
	// Output: 20 of 20 runs
}

// A target that jumps, round by round, with three seeds.
func ExampleDynamicEnsemble() {
	const rounds = 2000
	path, err := oco.BlockPath([][]float64{{0.6, 0}, {-0.6, 0}, {0, 0.6}, {0, -0.6}}, rounds)
	if err != nil {
		log.Fatal(err)
	}
	q := oco.Quadratic{Centers: path, Noise: 0.5, Radius: 1}
	rule := oco.DynamicEnsemble{Over: q.Ball(), Gradient: q.Gradient(), Smoothness: 1, Rounds: rounds}
	runs, err := online.Play(context.Background(), func(seed uint64) (online.Environment[online.None, []float64, []float64], error) {
		return oco.NewSEAEnvironment(q, rounds, seed)
	}, func(uint64) (oco.Learner, error) { return rule.Start(2) }, rounds, []uint64{1, 2, 3}, online.Options{})
	if err != nil {
		log.Fatal(err)
	}
	pool, err := rule.Pool(2)
	if err != nil {
		log.Fatal(err)
	}
	regret, err := online.Final(runs, "dynamic")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d step sizes\n", len(pool))
	for _, r := range regret {
		fmt.Println("dynamic regret below 100:", r < 100)
	}
	// Output:
	// 6 step sizes
	// dynamic regret below 100: true
	// dynamic regret below 100: true
	// dynamic regret below 100: true
}

// The closest point of the disc in the metric of a matrix.
func ExampleMetric_Project() {
	m, err := oco.NewMetric(mat.NewSymDense(2, []float64{2, 0.5, 0.5, 1}))
	if err != nil {
		log.Fatal(err)
	}
	y := []float64{2, 1}
	if err := m.Project(oco.Ball{Radius: 1}, y); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", y)
	// Output: [0.910 0.416]
}
