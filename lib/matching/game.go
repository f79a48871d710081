package matching

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// game is a policy in the middle of the arrivals: the one place where policies decide.
type game struct {
	policy   Policy
	weights  []float64
	load     []float64
	attempts []int
	draw     []float64
	score    []float64  // −∞ once finished
	ties     *rand.Rand // nil where the policy has no random ties
}

func newGame(weights []float64, policy Policy) *game {
	n := len(weights)
	return &game{policy: policy, weights: weights, load: make([]float64, n), attempts: make([]int, n), draw: make([]float64, n), score: make([]float64, n)}
}

// draws are one uniform number for each vertex of a policy that wants them.
func (g *game) draws(rng *rand.Rand) []float64 {
	for u := range g.draw {
		if g.policy.Draws {
			g.draw[u] = rng.Float64()
		}
	}
	return g.draw
}

// start readies the game for the first arrival; draws and ties may be nil where the policy needs none.
func (g *game) start(draws []float64, ties *rand.Rand) error {
	g.ties = ties
	clear(g.load)
	clear(g.attempts)
	copy(g.draw, draws)
	for u := range g.score {
		s, err := g.scoreAt(u, 0, 0)
		if err != nil {
			return err
		}
		g.score[u] = s
	}
	return nil
}

// scoreAt is the policy's score of a vertex.
func (g *game) scoreAt(u, attempts int, load float64) (float64, error) {
	s := g.policy.Score(Offline{Index: u, Weight: g.weights[u], Load: load, Attempts: attempts, Draw: g.draw[u]})
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return 0, fmt.Errorf("matching: policy %q: the score of offline vertex %d at load %g is %g, must be finite", g.policy.Name, u, load, s)
	}
	return s, nil
}

func (g *game) alive(u int) bool { return !math.IsInf(g.score[u], -1) }

// choose is the place among the edges of the one that the policy attempts, or −1.
func (g *game) choose(edges []Edge) int {
	best, at := order(math.Inf(-1)), -1
	switch {
	case g.policy.RandomTies:
		equal := 0
		for i, e := range edges {
			switch s := order(g.edgeScore(e)); {
			case s > best:
				best, at, equal = s, i, 1
			case s == best && at >= 0:
				if equal++; g.ties.IntN(equal) == 0 {
					at = i
				}
			}
		}
	case g.policy.ByProbability:
		for i, e := range edges {
			if s := order(e.P * g.score[e.U]); s > best {
				best, at = s, i
			}
		}
	default:
		for i, e := range edges {
			if s := order(g.score[e.U]); s > best {
				best, at = s, i
			}
		}
	}
	return at
}

// order is an integer that is in the order of x, with one zero. A maximum of integers is found without branches, whose
// mispredictions would take as long as all the rest.
func order(x float64) int64 {
	b := int64(math.Float64bits(x + 0)) // −0 + 0 = 0
	return b ^ int64(uint64(b>>63)>>1)
}

func (g *game) edgeScore(e Edge) float64 {
	if g.policy.ByProbability {
		return e.P * g.score[e.U]
	}
	return g.score[e.U]
}

// attempt records an attempt and its outcome; after an error the game is as it was.
func (g *game) attempt(e Edge, success bool) error {
	score, load := math.Inf(-1), g.load[e.U]+e.P
	if !success {
		var err error
		if score, err = g.scoreAt(e.U, g.attempts[e.U]+1, load); err != nil {
			return err
		}
	}
	g.attempts[e.U]++
	g.load[e.U], g.score[e.U] = load, score
	return nil
}
