package recovering_test

import (
	"testing"

	"github.com/hindsight-go/hindsight/lib/bandit/recovering"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/stretchr/testify/require"
)

// A plan of the size that the paper scale of the notebook learns.
func BenchmarkPlanBest(b *testing.B) {
	for _, kind := range recovering.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			m := model(b, kind, 1000, 100, 1)
			b.ReportAllocs()
			for b.Loop() {
				_, err := recovering.PlanBest(m, 100)
				require.NoError(b, err)
			}
		})
	}
}

// A round at that size, plans included.
func BenchmarkRound(b *testing.B) {
	for _, method := range []string{"periodic UCB", "UCB1", "cell UCB"} {
		b.Run(method, func(b *testing.B) {
			g := recovering.Game{Kind: recovering.Logit, Setting: recovering.Setting{N: 1000, K: 100, D: 100, T: 1000000}}
			l, err := g.Learner(method, 1)
			require.NoError(b, err)
			env, err := g.Environment(1)
			require.NoError(b, err)
			b.ReportAllocs()
			for round := 1; b.Loop(); round++ {
				arms, err := l.Act(online.None{})
				require.NoError(b, err)
				rewards, _, err := env.Reveal(round, arms)
				require.NoError(b, err)
				require.NoError(b, l.Learn(rewards))
			}
		})
	}
}
