package bandit

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
)

// TsallisINF chooses among d values of a parameter with no context, and learns from the cost of the one that it chose. It is
// follow-the-regularized-leader with Tsallis entropy of power ½ over importance-weighted costs, at any horizon:
//
//	p_i = 4/(η(k_i/s − x))², x such that Σp = 1, η = 2/√t;   k_i ← k_i + (cost − 1)/p_i for the i that was played,
//
// where s, the scale, is the mean cost so far less 1 (1 if that is 0): the range of the costs need not be known. The action is
// an index on the grid, the feedback a cost of at least 1. Act takes O(d) time, Learn constant time; neither allocates.
//
// Newton's method finds x, and bisection where it does not: from x = −1, as the authors' code starts it, it leaves its domain
// after about a hundred rounds. What that code plays then is [TsallisINF.TwentySteps].
//
// Source: Zimmert and Seldin (2021), Tsallis-INF, algorithm 1; with the scale of Khodak et al. (2024), learners/TsallisINF.m.
type TsallisINF struct {
	// TwentySteps keeps whatever p twenty steps of Newton's method end with, as the authors' code does: it draws from p/Σp, and
	// divides costs by p. After some hundred rounds x is mostly next to one of the k_i/s; then p_i and Σp are about 10¹⁴, and the
	// learner plays this i and learns nothing from it. That is no longer Tsallis-INF, and has no bound on its regret, but on
	// easy sequences it saves exploration. Set it before the first Act.
	TwentySteps bool

	grid        []float64
	rng         *rand.Rand
	k           []float64 // importance-weighted costs
	total       float64   // of the costs less 1
	t           int       // rounds so far, and the one to come
	p           []float64
	played      int // -1 before Act
	probability float64
}

var _ online.Learner[online.None, int, float64] = (*TsallisINF)(nil)

// NewTsallisINF makes a learner over a grid of at least one finite value.
func NewTsallisINF(grid []float64, seed uint64) (*TsallisINF, error) {
	if err := tsallisGrid("NewTsallisINF", grid); err != nil {
		return nil, err
	}
	return tsallisNew(grid, online.Seeded(seed, "bandit: Tsallis-INF")), nil
}

func tsallisNew(grid []float64, rng *rand.Rand) *TsallisINF {
	return &TsallisINF{grid: slices.Clone(grid), rng: rng, k: make([]float64, len(grid)), t: 1, p: make([]float64, len(grid)), played: -1}
}

func tsallisGrid(function string, grid []float64) error {
	if len(grid) == 0 {
		return fmt.Errorf("bandit: %s: grid is empty, must hold at least one value", function)
	}
	for i, v := range grid {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("bandit: %s: grid[%d] is %g, must be finite", function, i, v)
		}
	}
	return nil
}

// Grid is what the actions stand for; it belongs to the learner.
func (l *TsallisINF) Grid() []float64 { return l.grid }

// Probabilities are those of the last Act; they belong to the learner and are good until the next.
func (l *TsallisINF) Probabilities() []float64 { return l.p }

// Act draws an index on the grid. A second Act in a row is an error.
func (l *TsallisINF) Act(online.None) (int, error) {
	if l.played >= 0 {
		return 0, errors.New("bandit: TsallisINF: Act follows Act, must follow Learn")
	}
	sum := l.weigh()
	l.played = tsallisDraw(l.p, l.rng)
	l.probability = l.p[l.played]
	if l.TwentySteps {
		l.probability *= sum
	}
	return l.played, nil
}

// weigh sets the probabilities, and returns the sum that they had before they were divided by it.
func (l *TsallisINF) weigh() (sum float64) {
	scale := l.scale()
	least := slices.Min(l.k) / scale
	eta := 2 / math.Sqrt(float64(l.t))
	// at sets p for a value of x, and returns its sum and the sum of its powers 3/2.
	at := func(x float64) (sum, powers float64) {
		for i, k := range l.k {
			root := 2 / (eta * (k/scale - x))
			p := root * root
			l.p[i] = p
			sum, powers = sum+p, powers+p*math.Abs(root)
		}
		return sum, powers
	}
	const tolerance = 1e-9
	x := -1.0
	for range 20 {
		var powers float64
		sum, powers = at(x)
		if x < least && math.Abs(sum-1) <= tolerance {
			return l.normalize(sum)
		}
		x -= (sum - 1) / (eta * powers)
	}
	if l.TwentySteps {
		return l.normalize(sum)
	}
	// At the lower end no p is above 1/d, at the upper one is infinite.
	low, high := least-2*math.Sqrt(float64(len(l.k)))/eta, least
	for range 200 {
		x = low + (high-low)/2
		if sum, _ = at(x); math.Abs(sum-1) <= tolerance || x == low || x == high {
			break
		}
		if sum > 1 {
			high = x
		} else {
			low = x
		}
	}
	return l.normalize(sum)
}

// normalize divides p by its sum, and returns the sum. Where Newton's method lost all numbers, p is uniform.
func (l *TsallisINF) normalize(sum float64) float64 {
	if !(sum > 0) || math.IsInf(sum, 0) {
		sum = 1
		for i := range l.p {
			l.p[i] = 1 / float64(len(l.p))
		}
		return sum
	}
	floats.Scale(1/sum, l.p)
	return sum
}

// scale is the mean cost less 1.
func (l *TsallisINF) scale() float64 {
	if l.total == 0 {
		return 1
	}
	return l.total / float64(l.t-1)
}

// tsallisDraw draws an index; of probabilities that sum to 1 but for rounding, the last one takes the rest.
func tsallisDraw(p []float64, rng *rand.Rand) int {
	u := rng.Float64()
	last := 0
	for i, q := range p {
		if q <= 0 {
			continue
		}
		last = i
		if u < q {
			break
		}
		u -= q
	}
	return last
}

// Learn takes the cost of what the last Act chose: finite, at least 1.
func (l *TsallisINF) Learn(cost float64) error {
	if l.played < 0 {
		return errors.New("bandit: TsallisINF: Learn without Act")
	}
	if err := tsallisCost("TsallisINF", cost); err != nil {
		return err
	}
	l.total += cost - 1
	l.k[l.played] += (cost - 1) / l.probability
	l.t++
	l.played = -1
	return nil
}

func tsallisCost(learner string, cost float64) error {
	if !(cost >= 1) || math.IsInf(cost, 0) {
		return fmt.Errorf("bandit: %s: cost is %g, must be at least 1 and finite", learner, cost)
	}
	return nil
}
