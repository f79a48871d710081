package bandit

import (
	"context"
	"testing"
	"time"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/claim"
	"github.com/hindsight-go/hindsight/lib/data"
)

func TestProbe(t *testing.T) {
	b := backend.ForTest(t)
	d, _ := data.Digits()
	sim := NewSimulator(b)
	for _, n := range []struct {
		name string
		n    Neural
	}{{"sq", NeuSquareCB(10, 65)}, {"fast", NeuFastCB(10, 65)}, {"eps", NeuralEpsilonGreedy(10, 65)}, {"ucb", NeuralUCB(10, 65)}} {
		var games []Game
		for seed := range 5 {
			table, err := FromDataset(d, uint64(seed))
			if err != nil {
				t.Fatal(err)
			}
			games = append(games, Game{Learner: n.n, Table: table, Seed: uint64(seed)})
		}
		for range 1 {
			began := time.Now()
			traces, err := sim.Run(context.Background(), games)
			if err != nil {
				t.Fatal(err)
			}
			var mistakes []float64
			for _, tr := range traces {
				r := tr.Run.Regret[BestArm]
				mistakes = append(mistakes, r[len(r)-1])
			}
			t.Log(n.name, time.Since(began), claim.Mean(mistakes), mistakes)
		}
	}
}
