package matching

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkArrivals is the time of one arrival of 20 edges, of 10⁵ to 10³ offline vertices.
func BenchmarkArrivals(b *testing.B) {
	in, err := RandomBipartite(1000, 100_000, .02, .01, 1)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	b.Run("simulation", func(b *testing.B) {
		g := newGame(in.Weights, StochasticBalance(nil))
		for i := 0; i < b.N; i += len(in.Arrivals) {
			if err := g.start(nil, nil); err != nil {
				b.Fatal(err)
			}
			if _, err := g.play(b.Context(), in.Arrivals[:min(b.N-i, len(in.Arrivals))], nil, rng, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("learner", func(b *testing.B) {
		var m *Matcher
		for i := range b.N {
			if i%len(in.Arrivals) == 0 {
				if m, err = NewMatcher(in.Weights, StochasticBalance(nil), 1); err != nil {
					b.Fatal(err)
				}
			}
			u, err := m.Act(in.Arrivals[i%len(in.Arrivals)])
			if err != nil {
				b.Fatal(err)
			}
			if err := m.Learn(u >= 0 && rng.Float64() < .01); err != nil {
				b.Fatal(err)
			}
		}
	})
}
