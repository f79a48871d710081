package recovering

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Plan pulls arm i at the times t = 0, 1, 2, … with t ≡ Offset[i] mod Period[i].
type Plan struct {
	Period []int   // one an arm; 0: never pulled
	Offset []int   // one an arm, below its period
	Value  float64 // Σ R_i(d_i)/d_i, the reward a period in the long run under the model that was planned with
}

// Planner makes a plan with at most k pulls a period.
type Planner func(m RecoveryModel, k int) (Plan, error)

// Periodic is [PlanPeriodic] with this a as a planner; 1 stands for powers of two only.
func Periodic(a int) Planner {
	return func(m RecoveryModel, k int) (Plan, error) { return PlanPeriodic(m, k, a) }
}

// Exact is [PlanExact] with this number of levels as a planner.
func Exact(levels int) Planner {
	return func(m RecoveryModel, k int) (Plan, error) { return PlanExact(m, k, levels) }
}

// ValueUnder is the reward a period in the long run when the plan is played under another model. It fails where the
// plan has another number of arms.
func (p Plan) ValueUnder(m RecoveryModel) (float64, error) {
	if err := m.Validate(); err != nil {
		return 0, err
	}
	if len(p.Period) != m.Arms() {
		return 0, fmt.Errorf("recovering: Plan: ValueUnder: the model has %d arms, must have the plan's %d", m.Arms(), len(p.Period))
	}
	return value(m, p.Period), checkPeriods("Plan: ValueUnder", p.Period)
}

func value(m RecoveryModel, periods []int) (sum float64) {
	for i, d := range periods {
		if d > 0 {
			sum += m.At(i, d) / float64(d)
		}
	}
	return sum
}

// PlanPeriodic solves the relaxation for each budget b from K−a+1 to K, rounds the periods 1/x up to those of
// [PeriodSet], and takes the best. Where rounded periods need more than K channels, the arm with the lowest R_i(d_i)
// leaves until they fit; at the budget K−a+1 that never happens. For a power of two a ≤ K the value is at least
// [Guarantee](K, a) times the upper bound, up to the value of one arm.
func PlanPeriodic(m RecoveryModel, k, a int) (Plan, error) {
	err := m.check("PlanPeriodic", k)
	if a < 1 {
		err = errors.Join(err, fmt.Errorf("recovering: PlanPeriodic: a is %d, must be at least 1", a))
	}
	if err != nil {
		return Plan{}, err
	}
	return newRounding(m, k, a).best(a, a), nil
}

// PlanBest is the best [PlanPeriodic] over a = 1, …, 2√K + 1.
func PlanBest(m RecoveryModel, k int) (Plan, error) {
	if err := m.check("PlanBest", k); err != nil {
		return Plan{}, err
	}
	a := int(2*math.Sqrt(float64(k)) + 1)
	return newRounding(m, k, a).best(1, a), nil
}

// Guarantee is ρ(K, a) = (K−a+1)/K/(1 + 1/a) for powers of two a ≤ K, a = 1 giving 1/2: what is left of the upper bound
// when a classes waste a−1 channels and periods grow by 1 + 1/a. Its maximum over a is 1 − O(1/√K).
func Guarantee(k, a int) (float64, error) {
	if k < 1 || a < 1 || a > k || odd(a) != 1 {
		return 0, fmt.Errorf("recovering: Guarantee: K is %d and a is %d, K must be at least 1 and a a power of two of at most K", k, a)
	}
	return float64(k-a+1) / float64(k) / (1 + 1/float64(a)), nil
}

// BestGuarantee is the largest [Guarantee] over a.
func BestGuarantee(k int) (best float64, err error) {
	for a := 1; a == 1 || a <= k; a *= 2 {
		rho, err := Guarantee(k, a)
		if err != nil {
			return 0, err
		}
		best = max(best, rho)
	}
	return best, nil
}

// rounding turns solutions of the relaxation into periods.
type rounding struct {
	m       RecoveryModel
	k       int
	x       [][]float64 // solutions for the budgets K, K−1, …, as many as the largest a
	longest int         // a power of two that no 1/x exceeds
	load    []float64   // workspace: Σ m/d by class m
}

// rare is a frequency of which nothing is expected: an arm below it is not pulled.
const rare = 1e-9

func newRounding(m RecoveryModel, k, most int) *rounding {
	r := &rounding{m: m, k: k, load: make([]float64, 2*most), longest: 1}
	pieces := relaxation(m)
	for b := k; b >= max(1, k-most+1); b-- {
		x := make([]float64, m.Arms())
		fill(pieces, float64(b), x)
		r.x = append(r.x, x)
		for _, xi := range x {
			for xi > rare && float64(r.longest) < 1/xi {
				r.longest *= 2
			}
		}
	}
	return r
}

// best tries a = low, …, high, each with its budgets in rising order, and schedules the first of the best.
func (r *rounding) best(low, high int) Plan {
	var best Plan
	periods := make([]int, r.m.Arms())
	for a := low; a <= high; a++ {
		set := periodSet(a, r.longest)
		for _, x := range slices.Backward(r.x[:min(a, len(r.x))]) {
			r.round(x, set, periods)
			if v := value(r.m, periods); best.Period == nil || v > best.Value+flat {
				best.Period, best.Value = append(best.Period[:0], periods...), v
			}
		}
	}
	best.Offset = schedule(best.Period)
	return best
}

// round leaves periods that need no more than K channels.
func (r *rounding) round(x []float64, set, periods []int) {
	clear(r.load)
	for i, xi := range x {
		periods[i] = 0
		if xi > rare {
			d := roundUp(set, 1/xi)
			periods[i] = d
			r.load[odd(d)] += weight(d)
		}
	}
	need := 0
	for m, sum := range r.load {
		if sum > 0 {
			need += whole(m, sum)
		}
	}
	for need > r.k {
		worst := -1
		for i, d := range periods {
			if d > 0 && (worst < 0 || r.m.At(i, d) < r.m.At(worst, periods[worst])) {
				worst = i
			}
		}
		d := periods[worst]
		m := odd(d)
		need -= whole(m, r.load[m])
		r.load[m] -= weight(d)
		need += whole(m, r.load[m])
		periods[worst] = 0
	}
}

// Audit plays the plan for a number of rounds and returns the most pulls of any, and how many gaps between two pulls of
// an arm are not its period.
func (p Plan) Audit(rounds int) (most, wrong int, err error) {
	player, err := newPlayer(p)
	if err != nil {
		return 0, 0, err
	}
	last := make([]int, len(p.Period))
	for i := range last {
		last[i] = -1
	}
	var arms []int
	for t := range rounds {
		arms = player.due(t, arms[:0])
		most = max(most, len(arms))
		for _, i := range arms {
			if last[i] >= 0 && t-last[i] != p.Period[i] {
				wrong++
			}
			last[i] = t
		}
	}
	return most, wrong, nil
}

// player walks through a plan's times without divisions.
type player struct{ period, next []int }

func newPlayer(p Plan) (player, error) {
	if len(p.Offset) != len(p.Period) {
		return player{}, fmt.Errorf("recovering: Plan: Offset has %d arms, must have %d as Period", len(p.Offset), len(p.Period))
	}
	err := checkPeriods("Plan", p.Period)
	for i, o := range p.Offset {
		if o < 0 || p.Period[i] > 0 && o >= p.Period[i] {
			err = errors.Join(err, fmt.Errorf("recovering: Plan: the offset of arm %d is %d, must be at least 0 and below its period %d", i, o, p.Period[i]))
		}
	}
	return player{p.Period, slices.Clone(p.Offset)}, err
}

// due appends the arms of time t = 0, 1, 2, …, which must come in this order.
func (p player) due(t int, arms []int) []int {
	for i, next := range p.next {
		if next == t && p.period[i] > 0 {
			arms = append(arms, i)
			p.next[i] = t + p.period[i]
		}
	}
	return arms
}
