package matching_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/hindsight-go/hindsight/lib/matching"
	"github.com/hindsight-go/hindsight/lib/online"
)

// A policy's ratio to the strongest program that bounds the offline optimum.
func Example() {
	in, err := matching.Triangle(8, 0.1)
	if err != nil {
		fmt.Println(err)
		return
	}
	balance, err := matching.Simulate(context.Background(), in, matching.StochasticBalance(nil), matching.Options{Repetitions: 4000, Seed: 1, Thresholds: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	bound, err := matching.StochasticConfigurationLP(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	ratio := balance.Over(bound.Value)
	fmt.Printf("SC-LP %.4f; ratio %.2f ± %.3f\n", bound.Value, ratio.Mean, ratio.StdErr)
	// Output: SC-LP 6.7456; ratio 0.76 ± 0.003
}

func ExampleExactValue() {
	in, err := matching.New([][]float64{{.5, .5}, {.5, 0}, {0, .5}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, policy := range []matching.Policy{matching.LeastLoaded(), matching.Ranking(), matching.Random()} {
		value, err := matching.ExactValue(in, policy)
		fmt.Printf("%s %.4f %v\n", policy.Name, value, err)
	}
	optimum, err := matching.OfflineStochasticOptimum(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("S-OPT %.4f\n", optimum.Value)
	// Output:
	// least loaded 1.2500 <nil>
	// Ranking 1.2500 <nil>
	// random 1.2500 <nil>
	// S-OPT 1.2500
}

func ExampleRead() {
	in, err := matching.Read(strings.NewReader("w, 2, 1\n0.3, 0.6\n0.5, 0.2\n0.4, 0.4\n0.9,\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, solve := range []func(*matching.Instance) (*matching.Program, error){matching.StochasticConfigurationLP, matching.MatchingLP} {
		program, err := solve(in)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%.4f\n", program.Value)
	}
	_, err = matching.Read(strings.NewReader("0.3, 1.6\n"))
	fmt.Println(err)
	// Output:
	// 2.7224
	// 3.0000
	// matching: New: P[0][1] is 1.6, must be in [0, 1]
}

// A policy as a learner, with regret against the offline optimum.
func ExampleMatcher() {
	in, err := matching.Triangle(4, 0.25)
	if err != nil {
		fmt.Println(err)
		return
	}
	optimum, err := matching.OfflineStochasticOptimum(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	environment := func(seed uint64) (online.Environment[[]matching.Edge, int, bool], error) {
		return matching.NewEnvironment(in, seed, matching.Benchmark{Name: "S-OPT", Rounds: optimum.Rounds})
	}
	learner := func(seed uint64) (online.Learner[[]matching.Edge, int, bool], error) {
		return matching.NewMatcher(in.Weights, matching.LeastLoaded(), seed)
	}
	seeds := make([]uint64, 2000)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	runs, err := online.Play(context.Background(), environment, learner, len(in.Arrivals), seeds, online.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	regret, err := online.Final(runs, "S-OPT")
	if err != nil {
		fmt.Println(err)
		return
	}
	mean, err := matching.NewEstimate(regret)
	fmt.Printf("S-OPT %.3f, regret %.2f ± %.2f, %v\n", optimum.Value, mean.Mean, mean.StdErr, err)
	// Output: S-OPT 3.088, regret 0.53 ± 0.02, <nil>
}
