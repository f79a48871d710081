package oco

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
)

// SEA is a stochastically extended adversary on a ball: before round t it picks a distribution of convex losses, and f_t is
// drawn from it. With F_t = E f_t it is known exactly how random it is, Σ_t max_x E‖∇f_t(x) − ∇F_t(x)‖², and how adversarial,
// Σ_t max_x ‖∇F_t(x) − ∇F_{t−1}(x)‖² with F_0 = 0. [Quadratic], [Switching] and [LeastSquares] are.
//
// For a learner that plays a round at a time [NewSEAEnvironment] makes an environment of it; for compiled ones each has a
// stream. The two draw different numbers from one distribution.
//
// Source: Sachs, Hadiji, van Erven, Guzmán (2022), Between stochastic and adversarial online convex optimization: improved regret
// bounds via smoothness, section 2.
type SEA interface {
	Dim() int
	Ball() Ball // X, the set of points that are compared with
	// Validate says what is wrong with the fields for a game of some rounds.
	Validate(rounds int) error
	// Reveal draws f_t, writes ∇f_t(x) to gradient and returns the loss charged, which is Loss.
	Reveal(draw *rand.Rand, round int, x, gradient []float64) (loss float64)
	// Loss is what is charged at a point: F_t(x), or f_t(x) where the losses are a data set.
	Loss(round int, x []float64) float64
	// Best returns for each of the rising horizons n the point u of the ball with the least Σ_{t≤n} Loss(t, u), and that sum.
	Best(horizons []int) (points [][]float64, sums []float64)
	// CumVariance and CumVariation are the sums σ²_{1:n} and Σ²_{1:n} of the first n rounds; NaN where they are not known.
	CumVariance(rounds int) float64
	CumVariation(rounds int) float64
}

// Moving is an adversary whose best point moves.
type Moving interface {
	SEA
	// Target is u_t, the best point of the ball in a round.
	Target(round int) []float64
}

// PathLength is P_n = Σ_{2≤t≤n} ‖u_t − u_{t−1}‖ of an adversary's targets.
func PathLength(m Moving, rounds int) float64 {
	var sum float64
	for t := 2; t <= rounds; t++ {
		sum += floats.Distance(m.Target(t), m.Target(t-1), 2)
	}
	return sum
}

// NewSEAEnvironment is a game against an adversary, for learners that play a round at a time. It charges the adversary's
// Loss, and compares with "static", the best fixed point of the ball for the rounds played, and where the adversary is
// [Moving] with "dynamic", its targets.
func NewSEAEnvironment(sea SEA, rounds int, seed uint64) (online.Environment[online.None, []float64, []float64], error) {
	return newSEAEnvironment(sea, rounds, seed, false)
}

// NewLinearEnvironment is the same game with the losses ⟨∇f_t(x_t), x⟩ in the place of the adversary's: linearized regret,
// which is at least that of the drawn losses. "static" is the worst comparator, the best fixed point of the ball for these.
func NewLinearEnvironment(sea SEA, rounds int, seed uint64) (online.Environment[online.None, []float64, []float64], error) {
	return newSEAEnvironment(sea, rounds, seed, true)
}

func newSEAEnvironment(sea SEA, rounds int, seed uint64, linear bool) (*seaEnvironment, error) {
	if sea == nil || rounds < 1 {
		return nil, fmt.Errorf("oco: NewSEAEnvironment: the adversary is %v and there are %d rounds, must be one and at least one", sea, rounds)
	}
	if err := sea.Validate(rounds); err != nil {
		return nil, err
	}
	return &seaEnvironment{sea: sea, rounds: rounds, linear: linear, draw: online.Seeded(seed, "losses"), gradient: make([]float64, sea.Dim())}, nil
}

type seaEnvironment struct {
	sea       SEA
	rounds    int
	linear    bool
	draw      *rand.Rand
	played    int
	gradient  []float64
	gradients [][]float64 // of all rounds, where linear
}

var _ online.Comparing = (*seaEnvironment)(nil)

// Context is empty.
func (*seaEnvironment) Context(int) (online.None, error) { return online.None{}, nil }

// Reveal gives the gradient, which belongs to the environment and is good until the next round.
func (e *seaEnvironment) Reveal(round int, x []float64) ([]float64, float64, error) {
	if len(x) != len(e.gradient) {
		return nil, 0, fmt.Errorf("oco: the point has %d entries, must have %d", len(x), len(e.gradient))
	}
	if round < 1 || round > e.rounds {
		return nil, 0, fmt.Errorf("oco: round is %d, must be between 1 and %d", round, e.rounds)
	}
	loss := e.sea.Reveal(e.draw, round, x, e.gradient)
	e.played = round
	if e.linear {
		e.gradients = append(e.gradients, slices.Clone(e.gradient))
		loss = floats.Dot(e.gradient, x)
	}
	return e.gradient, loss, nil
}

// Comparators are the best fixed point and the targets.
func (e *seaEnvironment) Comparators() ([]online.Comparator, error) {
	if e.played == 0 {
		return nil, errors.New("oco: there are no comparators before the first round")
	}
	loss := e.sea.Loss
	var best []float64
	if e.linear {
		loss = func(round int, u []float64) float64 { return floats.Dot(e.gradients[round-1], u) }
		sum := make([]float64, e.sea.Dim())
		for _, g := range e.gradients {
			floats.Sub(sum, g)
		}
		best = e.sea.Ball().farthest(sum)
	} else {
		points, _ := e.sea.Best([]int{e.played})
		best = points[0]
	}
	static := online.Comparator{Name: "static"}
	for t := 1; t <= e.played; t++ {
		static.Losses = append(static.Losses, loss(t, best))
	}
	moving, ok := e.sea.(Moving)
	if !ok {
		return []online.Comparator{static}, nil
	}
	dynamic := online.Comparator{Name: "dynamic"}
	for t := 1; t <= e.played; t++ {
		dynamic.Losses = append(dynamic.Losses, loss(t, moving.Target(t)))
	}
	return []online.Comparator{static, dynamic}, nil
}

// farthest is the point of the ball farthest in a direction; the center in none.
func (b Ball) farthest(direction []float64) []float64 {
	x := slices.Clone(direction)
	if norm := floats.Norm(x, 2); norm > 0 {
		floats.Scale(b.Radius/norm, x)
	}
	return x
}

// StaticRegret is the regret of each run of a trace at the recorded rounds, held against the best fixed point of the ball for
// just those rounds. It takes the adversary of each run.
func StaticRegret[S SEA](t *Trace, against []S) ([][]float64, error) {
	return regret("StaticRegret", t, against, func(s S) []float64 {
		_, sums := s.Best(t.Rounds)
		return sums
	})
}

// DynamicRegret is the regret of each run of a trace at the recorded rounds, held against the targets of each run's adversary.
func DynamicRegret[S Moving](t *Trace, against []S) ([][]float64, error) {
	return regret("DynamicRegret", t, against, func(s S) (sums []float64) {
		var sum float64
		round := 1
		for _, n := range t.Rounds {
			for ; round <= n; round++ {
				sum += s.Loss(round, s.Target(round))
			}
			sums = append(sums, sum)
		}
		return sums
	})
}

func regret[S SEA](name string, t *Trace, against []S, sums func(s S) []float64) ([][]float64, error) {
	if len(against) != len(t.Sums) {
		return nil, fmt.Errorf("oco: %s: %d adversaries, must be one a run, %d", name, len(against), len(t.Sums))
	}
	out := make([][]float64, len(against))
	for i, s := range against {
		out[i] = make([]float64, len(t.Rounds))
		floats.SubTo(out[i], t.Sums[i], sums(s))
	}
	return out, nil
}

// LinearRegret is max_u Σ⟨g_t, x_t − u⟩ over a ball, of each run at the recorded rounds: what the theory bounds, and at least
// the regret of the drawn losses. The trace needs Options.Linear.
func (t *Trace) LinearRegret(over Ball) ([][]float64, error) {
	if t.Inner == nil {
		return nil, errors.New("oco: Trace.LinearRegret: gradients were not recorded: set Options.Linear")
	}
	out := make([][]float64, len(t.Inner))
	for i, inner := range t.Inner {
		for n, sum := range inner {
			out[i] = append(out[i], sum+over.Radius*floats.Norm(t.Gradients[i][n], 2))
		}
	}
	return out, nil
}
