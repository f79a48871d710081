package experts_test

import (
	"context"
	"fmt"

	"github.com/hindsight-go/hindsight/lib/experts"
	"github.com/hindsight-go/hindsight/lib/online"
)

// Linear regression on synthetic data with two families of groups: one model for all against one learner a group.
func Example() {
	table, err := experts.Synthetic{Rounds: 3000, Rule: experts.Permutation, Noise: experts.PaperNoise, Seed: 1}.Table()
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := experts.CompareRegression(context.Background(), table, experts.CompareOptions{Checkpoints: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for g, group := range table.Groups {
		fmt.Printf("%s: groupwise has less regret than one model: %t\n", group, c.Final(g, 1) < c.Final(g, 0))
	}
	// Output:
	// circle: groupwise has less regret than one model: true
	// square: groupwise has less regret than one model: true
	// triangle: groupwise has less regret than one model: true
	// green: groupwise has less regret than one model: true
	// red: groupwise has less regret than one model: true
	// all: groupwise has less regret than one model: true
}

// Three experts, of which the second sleeps.
func ExampleAdaNormalHedge() {
	h, err := experts.NewAdaNormalHedge(3, experts.HedgeOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		p, err := h.Act([]bool{true, false, true})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%.2f\n", p)
		if err := h.Learn([]float64{0, 0, 1}); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// [0.50 0.00 0.50]
	// [0.92 0.00 0.08]
	// [1.00 0.00 0.00]
}

func ExampleOnlineRidge() {
	r, err := experts.NewOnlineRidge(2, experts.RidgeOptions{L2: 0.01})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range [][]float64{{1, 0}, {0, 1}, {1, 1}} {
		p, err := r.Act(x)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%.2f\n", p)
		if err := r.Learn(2*x[0] - x[1]); err != nil { // the label
			fmt.Println(err)
			return
		}
	}
	// Output:
	// 0.00
	// 0.00
	// 0.99
}

// One learner a group, and the regret on each of them against its best path in hindsight.
func ExampleGroupwise() {
	graph, err := experts.Grid(3)
	if err != nil {
		fmt.Println(err)
		return
	}
	type grouped = experts.Context[online.None]
	type mixture = experts.Mixture[[]int]
	environment := func(seed uint64) (online.Environment[grouped, mixture, []float64], error) {
		return experts.NewPaths(graph, experts.PathsOptions{}, seed)
	}
	learner := func(seed uint64) (online.Learner[grouped, mixture, []float64], error) {
		return experts.NewGroupwisePaths(graph, 6, experts.PerturbedOptions{Seed: seed}, experts.GroupwiseOptions[[]int]{})
	}
	runs, err := online.Play(context.Background(), environment, learner, 3000, []uint64{1}, online.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, group := range []string{"a0", "b1", "all"} {
		final, err := online.Final(runs, group)
		fmt.Printf("%s: regret below 2 %% of its %d rounds: %t\n", group, len(runs[0].Regret[group]), err == nil && final[0] < 0.02*float64(len(runs[0].Regret[group])))
	}
	// Output:
	// a0: regret below 2 % of its 1523 rounds: true
	// b1: regret below 2 % of its 1186 rounds: true
	// all: regret below 2 % of its 3000 rounds: true
}
