package bandit

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/online"
)

// Table is a contextual bandit problem written down: the contexts of every round and the losses of all arms, of which a
// learner is told one.
type Table struct {
	Contexts [][][]float64 // a round's contexts: one row that all arms share, or a row an arm
	Losses   [][]float64   // a round's losses in [0, 1], one an arm
	Means    [][]float64   // their expectations, where the losses are random: what regret is measured by; nil: the losses
}

// Rounds of the table.
func (t Table) Rounds() int { return len(t.Contexts) }

// Arms is K.
func (t Table) Arms() int {
	if len(t.Losses) == 0 {
		return 0
	}
	return len(t.Losses[0])
}

// shape of the contexts.
func (t Table) shape() shape {
	if len(t.Contexts) == 0 || len(t.Contexts[0]) == 0 {
		return shape{}
	}
	return shape{len(t.Contexts[0]), len(t.Contexts[0][0])}
}

// Validate says what does not fit.
func (t Table) Validate() error {
	rounds, arms, s := t.Rounds(), t.Arms(), t.shape()
	bad := func(format string, args ...any) error { return fmt.Errorf("bandit: Table: "+format, args...) }
	switch {
	case rounds == 0 || s.features == 0 || arms == 0:
		return bad("it has %d rounds of %d features and %d arms, must have at least 1 of each", rounds, s.features, arms)
	case len(t.Losses) != rounds:
		return bad("Losses has %d rounds, must have %d as Contexts", len(t.Losses), rounds)
	case t.Means != nil && len(t.Means) != rounds:
		return bad("Means has %d rounds, must have %d as Contexts", len(t.Means), rounds)
	case s.rows != 1 && s.rows != arms:
		return bad("a round has %d contexts, must have 1 or one an arm, %d", s.rows, arms)
	}
	for i := range rounds {
		if err := s.check(fmt.Sprintf("Table: round %d", i+1), t.Contexts[i]); err != nil {
			return err
		}
		for _, losses := range [][]float64{t.Losses[i], t.means()[i]} {
			if len(losses) != arms {
				return bad("round %d has %d losses, must have one an arm, %d", i+1, len(losses), arms)
			}
			for _, loss := range losses {
				if err := checkLoss(fmt.Sprintf("Table: round %d", i+1), loss); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (t Table) means() [][]float64 {
	if t.Means != nil {
		return t.Means
	}
	return t.Losses
}

// First is the table of the first rounds.
func (t Table) First(rounds int) (Table, error) {
	if rounds < 1 || rounds > t.Rounds() {
		return Table{}, fmt.Errorf("bandit: Table.First: rounds is %d, must be between 1 and %d", rounds, t.Rounds())
	}
	t.Contexts, t.Losses = t.Contexts[:rounds], t.Losses[:rounds]
	if t.Means != nil {
		t.Means = t.Means[:rounds]
	}
	return t, nil
}

// BestArm is the name of the comparator that plays an arm of least mean loss in every round.
const BestArm = "best arm of each round"

// Environment lets learners play the table: they are told Losses and charged Means, and compared with [BestArm].
func (t Table) Environment() (ContextualEnvironment, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return tableEnvironment{t}, nil
}

type tableEnvironment struct{ Table }

func (e tableEnvironment) Context(round int) ([][]float64, error) {
	if round < 1 || round > e.Rounds() {
		return nil, fmt.Errorf("bandit: Table: round is %d, must be between 1 and %d", round, e.Rounds())
	}
	return e.Contexts[round-1], nil
}

func (e tableEnvironment) Reveal(round int, c Choice) (told, charged float64, err error) {
	if c.Arm < 0 || c.Arm >= e.Arms() {
		return 0, 0, fmt.Errorf("bandit: Table: arm is %d, must be between 0 and %d", c.Arm, e.Arms()-1)
	}
	return e.Losses[round-1][c.Arm], e.means()[round-1][c.Arm], nil
}

func (e tableEnvironment) Comparators() ([]online.Comparator, error) {
	return []online.Comparator{{Name: BestArm, Losses: e.best()}}, nil
}

func (t Table) best() []float64 {
	out := make([]float64, t.Rounds())
	for i, losses := range t.means() {
		out[i] = slices.Min(losses)
	}
	return out
}

// Classification is a bandit from a classification problem: a round an example, an arm a class, loss 0 for the true class and
// 1 for any other. All arms share the example's features as their context.
//
// Source: Beygelzimer, Langford (2009), The Offset Tree for Learning with Partial Labels; Deb et al. (2024), section 6.
func Classification(x [][]float64, labels []int32, arms int) (Table, error) {
	if arms < 2 {
		return Table{}, fmt.Errorf("bandit: Classification: arms is %d, must be at least 2", arms)
	}
	if len(x) == 0 || len(labels) != len(x) {
		return Table{}, fmt.Errorf("bandit: Classification: %d examples have %d labels, must be at least 1 and as many labels", len(x), len(labels))
	}
	var t Table
	for i, row := range x {
		if labels[i] < 0 || int(labels[i]) >= arms {
			return Table{}, fmt.Errorf("bandit: Classification: label %d is %d, must be between 0 and %d", i, labels[i], arms-1)
		}
		losses := make([]float64, arms)
		for a := range losses {
			losses[a] = 1
		}
		losses[labels[i]] = 0
		t.Contexts, t.Losses = append(t.Contexts, [][]float64{row}), append(t.Losses, losses)
	}
	return t, t.Validate()
}

// FromDataset is [Classification] of a data set in the order of a seed: every feature scaled to [0, 1], a constant 1 appended,
// rows of unit length. A feature that never varies becomes 0.
func FromDataset(d *data.Dataset, seed uint64) (Table, error) {
	if err := d.Validate(); err != nil {
		return Table{}, fmt.Errorf("bandit: FromDataset: %w", err)
	}
	n := d.Rows()
	if len(d.Labels) == 0 || n == 0 {
		return Table{}, errors.New("bandit: FromDataset: d has no labelled examples, must have at least 1")
	}
	width := len(d.X) / n
	low, high := slices.Repeat([]float64{math.Inf(1)}, width), slices.Repeat([]float64{math.Inf(-1)}, width)
	for i, x := range d.X {
		low[i%width], high[i%width] = min(low[i%width], float64(x)), max(high[i%width], float64(x))
	}
	x, labels := make([][]float64, n), make([]int32, n)
	for at, row := range online.Seeded(seed, "order").Perm(n) {
		features := make([]float64, width)
		for i := range features {
			if high[i] > low[i] {
				features[i] = (float64(d.X[row*width+i]) - low[i]) / (high[i] - low[i])
			}
		}
		x[at], labels[at] = UnitRow(features), d.Labels[row]
	}
	return Classification(x, labels, max(len(d.Classes), int(slices.Max(labels))+1))
}

// NoisyClasses is a synthetic classification bandit with noisy losses: x uniform on the sphere in d dimensions, the class
// argmax_k u_k·x + 3(w_k·x)² with u and w standard normal, and Bernoulli losses of mean q for the class's arm and 1 − q for
// any other. The best policy's loss is q a round.
func NoisyClasses(d, arms, rounds int, q float64, seed uint64) (Table, error) {
	var errs []error
	if d < 1 || arms < 2 || rounds < 1 {
		errs = append(errs, fmt.Errorf("bandit: NoisyClasses: d, arms, rounds are %d, %d, %d, must be at least 1, 2, 1", d, arms, rounds))
	}
	if !(q >= 0 && q <= 1) {
		errs = append(errs, fmt.Errorf("bandit: NoisyClasses: q is %g, must be in [0, 1]", q))
	}
	if err := errors.Join(errs...); err != nil {
		return Table{}, err
	}
	rng := online.Seeded(seed, "noisy classes")
	coins := online.Seeded(seed, "noisy losses")
	u, w := make([][]float64, arms), make([][]float64, arms)
	for k := range arms {
		u[k], w[k] = normals(rng, d), normals(rng, d)
	}
	t := Table{Means: make([][]float64, rounds)}
	scores := make([]float64, arms)
	for i := range rounds {
		x := onSphere(rng, d)
		for k := range scores {
			wx := floats.Dot(w[k], x)
			scores[k] = -(floats.Dot(u[k], x) + 3*wx*wx)
		}
		means, losses := make([]float64, arms), make([]float64, arms)
		best := floats.MinIdx(scores)
		for a := range means {
			means[a] = 1 - q
			if a == best {
				means[a] = q
			}
			if coins.Float64() < means[a] {
				losses[a] = 1
			}
		}
		t.Contexts, t.Losses, t.Means[i] = append(t.Contexts, [][]float64{x}), append(t.Losses, losses), means
	}
	return t, nil
}

// LogisticStream is a regression problem, a table with one arm: x uniform on the sphere in d dimensions, h(x) = σ(3u·x) for a
// unit vector u, and the loss h(x) itself or, if random, a Bernoulli draw of that mean.
func LogisticStream(d, rounds int, random bool, seed uint64) (Table, error) {
	if d < 1 || rounds < 1 {
		return Table{}, fmt.Errorf("bandit: LogisticStream: d, rounds are %d, %d, must be at least 1", d, rounds)
	}
	rng, coins := online.Seeded(seed, "logistic stream"), online.Seeded(seed, "logistic coins")
	u := onSphere(rng, d)
	var t Table
	for range rounds {
		x := onSphere(rng, d)
		h := 1 / (1 + math.Exp(-3*floats.Dot(u, x)))
		y := h
		if random {
			y = 0
			if coins.Float64() < h {
				y = 1
			}
		}
		t.Contexts, t.Losses, t.Means = append(t.Contexts, [][]float64{x}), append(t.Losses, []float64{y}), append(t.Means, []float64{h})
	}
	return t, nil
}

// SphereRows are n points, uniform on the unit sphere in d dimensions.
func SphereRows(n, d int, seed uint64) ([][]float64, error) {
	if n < 1 || d < 1 {
		return nil, fmt.Errorf("bandit: SphereRows: n, d are %d, %d, must be at least 1", n, d)
	}
	rng := online.Seeded(seed, "sphere")
	out := make([][]float64, n)
	for i := range out {
		out[i] = onSphere(rng, d)
	}
	return out, nil
}

func onSphere(rng *rand.Rand, d int) []float64 {
	x := normals(rng, d)
	floats.Scale(1/floats.Norm(x, 2), x)
	return x
}

func normals(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}
