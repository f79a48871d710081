package race_test

import (
	"context"
	"fmt"
	"log"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim/race"
)

// Two methods on a quadratic of condition 100: momentum pays.
func Example() {
	ctx := context.Background()
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	problem, err := race.Quadratic(4, 4, 100)
	if err != nil {
		log.Fatal(err)
	}
	result, err := race.Run(ctx, b, race.Config{Problem: problem, Methods: []string{"sgd", "momentum"}, Steps: 200})
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range result.Ranking() {
		fmt.Println(o.Method, len(o.Trials), len(o.Runs), o.StateBytes, o.Final() < 1e-3)
	}
	// Output:
	// momentum 8 3 128 true
	// sgd 8 3 0 true
}

func ExampleEntrants() {
	for _, e := range race.Entrants() {
		if e.Family == "sign" {
			fmt.Println(e.Name, e.Low, e.High)
		}
	}
	// Output:
	// lion 0.0001 0.1
	// signsgd 0.0001 0.1
}
