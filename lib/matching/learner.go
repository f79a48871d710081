package matching

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
)

var _ online.Learner[[]Edge, int, bool] = (*Matcher)(nil)

// Matcher is a policy as an online learner: the context is an arrival's edges, the action the offline vertex that it attempts,
// or −1, and the feedback whether the attempt succeeded. It knows the weights, not the arrivals to come.
type Matcher struct {
	game    *game
	waiting bool // for the outcome of edge, or, where nobody is attempted, for the end of the round
	skipped bool
	edge    Edge
}

// NewMatcher makes a learner for offline vertices of these weights, all > 0. The seed is for policies that draw or break ties
// at random.
func NewMatcher(weights []float64, policy Policy, seed uint64) (*Matcher, error) {
	if err := errors.Join(checkWeights("NewMatcher", weights), policy.validate("NewMatcher")); err != nil {
		return nil, err
	}
	m := &Matcher{game: newGame(slices.Clone(weights), policy)}
	draws := m.game.draws(online.Seeded(seed, "matching: draws"))
	if err := m.game.start(draws, online.Seeded(seed, "matching: ties")); err != nil {
		return nil, err
	}
	return m, nil
}

// Act matches an arrival with these edges, offline vertices ascending. It returns −1 where no neighbour is alive.
func (m *Matcher) Act(edges []Edge) (int, error) {
	if m.waiting {
		return 0, errors.New("matching: Matcher: Act: the outcome of the last arrival is missing, Learn comes first")
	}
	if err := checkEdges(edges, len(m.game.weights)); err != nil {
		return 0, fmt.Errorf("matching: Matcher: Act: %w", err)
	}
	m.waiting, m.skipped = true, true
	at := m.game.choose(edges)
	if at < 0 {
		return -1, nil
	}
	m.skipped, m.edge = false, edges[at]
	return m.edge.U, nil
}

// Learn takes the outcome; false after −1.
func (m *Matcher) Learn(success bool) error {
	if !m.waiting {
		return errors.New("matching: Matcher: Learn: there is no attempt to learn from, Act comes first")
	}
	if m.skipped {
		if success {
			return errors.New("matching: Matcher: Learn: success is true after an arrival that was matched to nobody, must be false")
		}
	} else if err := m.game.attempt(m.edge, success); err != nil {
		return err
	}
	m.waiting = false
	return nil
}

// Load is Σ p of all attempts on offline vertex u so far.
func (m *Matcher) Load(u int) float64 { return m.game.load[u] }

// Alive reports whether offline vertex u has not succeeded yet.
func (m *Matcher) Alive(u int) bool { return m.game.alive(u) }
