package bandit

import (
	"fmt"
	"math/rand/v2"

	"github.com/hindsight-go/hindsight/lib/online"
)

// NeuralEpsilonGreedy is ε-greedy on a network trained by square loss: with probability ε = 0.05 any arm, else the one of
// least predicted loss.
func NeuralEpsilonGreedy(arms, features int) Neural {
	return Neural{Regression: Regression{Arms: arms, Features: features}, Exploration: Exploration{Rule: Greedy}}
}

// Uniform plays every arm with the same probability and learns nothing: what any learner must beat.
type Uniform struct {
	Arms int // K, at least 2
	p    []float64
	rng  *rand.Rand
}

var _ ContextualLearner = (*Uniform)(nil)

// NewUniform makes one.
func NewUniform(arms int, seed uint64) (*Uniform, error) {
	if arms < 2 {
		return nil, fmt.Errorf("bandit: NewUniform: arms is %d, must be at least 2", arms)
	}
	u := &Uniform{Arms: arms, p: make([]float64, arms), rng: online.Seeded(seed, "uniform")}
	for a := range u.p {
		u.p[a] = 1 / float64(arms)
	}
	return u, nil
}

// Act draws an arm; the contexts do not matter.
func (u *Uniform) Act([][]float64) (Choice, error) {
	return Choice{armAt(u.p, u.rng.Float64()), u.p}, nil
}

// Learn checks that the loss is in [0, 1].
func (u *Uniform) Learn(loss float64) error { return checkLoss("Uniform.Learn", loss) }
