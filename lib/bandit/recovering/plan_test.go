package recovering_test

import (
	"math"
	"slices"
	"testing"

	"github.com/hindsight-go/hindsight/lib/bandit/recovering"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// three arms whose optimum is known for every policy.
func three() recovering.RecoveryModel {
	return recovering.RecoveryModel{R: [][]float64{{.2, .5, .6, .6}, {.1, .2, .7, .8}, {.3, .3, .3, .3}}}
}

func model(t testing.TB, kind recovering.Kind, n, d int, seed uint64) recovering.RecoveryModel {
	m, err := recovering.Generate(kind, n, d, seed)
	require.NoError(t, err)
	return m
}

func TestEnvelope(t *testing.T) {
	hull, err := recovering.Envelope([]float64{.2, .5, .6, .6})
	require.NoError(t, err)
	assert.Equal(t, []recovering.Vertex{{2, .5}, {3, .6}}, hull)
	for x, want := range map[float64]float64{0: 0, 1. / 3: .2, .5: .25, .75: .25, 1: .25, 1. / 6: .1, 5. / 12: .225} {
		assert.InDelta(t, want, recovering.Frequency(hull, x), 1e-15, "F(%g)", x)
	}
	hull, err = recovering.Envelope([]float64{.1, .2, .7, .8})
	require.NoError(t, err)
	assert.Equal(t, []recovering.Vertex{{3, .7}, {4, .8}}, hull)
	for name, r := range map[string][]float64{"zero": {0, 0, 0}, "a line": {.1, .2, .3, .4}, "flat": {.3, .3}} {
		hull, err = recovering.Envelope(r)
		require.NoError(t, err)
		want := map[string][]recovering.Vertex{"a line": {{4, .4}}, "flat": {{1, .3}}}[name]
		assert.Equal(t, want, hull, name)
	}
	for _, bad := range [][]float64{nil, {.2, .1}, {math.NaN()}, {2}} {
		_, err = recovering.Envelope(bad)
		assert.Error(t, err)
	}
}

// The envelope is above the rewards, touches them at its vertices, and its slopes fall.
func TestEnvelopeIsConcave(t *testing.T) {
	for _, kind := range recovering.Kinds() {
		for _, r := range model(t, kind, 50, 20, 3).R {
			hull, err := recovering.Envelope(r)
			require.NoError(t, err)
			before, slope := recovering.Vertex{}, math.Inf(1)
			for _, v := range hull {
				assert.Equal(t, r[v.D-1], v.R)
				next := (v.R - before.R) / float64(v.D-before.D)
				assert.Less(t, next, slope)
				for d := before.D + 1; d < v.D; d++ {
					assert.GreaterOrEqual(t, before.R+next*float64(d-before.D)+1e-11, r[d-1])
				}
				before, slope = v, next
			}
			assert.InDelta(t, r[len(r)-1], before.R, 1e-11)
		}
	}
}

func TestUpperBound(t *testing.T) {
	for k, want := range map[int]float64{1: .5333333333, 2: .7833333333} {
		value, x, err := recovering.UpperBound(three(), k)
		require.NoError(t, err)
		assert.InDelta(t, want, value, 1e-10)
		assert.InDeltaSlice(t, []float64{.5, 1. / 3, []float64{0, 1. / 6, 1}[k]}, x, 1e-12)
		value, err = recovering.UpperBoundLP(three(), k)
		require.NoError(t, err)
		assert.InDelta(t, want, value, 1e-9)
	}
}

// The greedy solution is the linear program's, and its x has the value that it says.
func TestUpperBoundIsTheLinearProgram(t *testing.T) {
	for _, kind := range recovering.Kinds() {
		for seed := range uint64(5) {
			m := model(t, kind, 6, 7, seed)
			for k := 1; k <= 6; k++ {
				value, x, err := recovering.UpperBound(m, k)
				require.NoError(t, err)
				linear, err := recovering.UpperBoundLP(m, k)
				require.NoError(t, err)
				assert.InDelta(t, linear, value, 1e-7, "%s, seed %d, K = %d", kind, seed, k)
				sum, total := 0., 0.
				for i, xi := range x {
					hull, err := recovering.Envelope(m.R[i])
					require.NoError(t, err)
					sum, total = sum+recovering.Frequency(hull, xi), total+xi
				}
				assert.InDelta(t, value, sum, 1e-11)
				assert.LessOrEqual(t, total, float64(k)+1e-11)
			}
		}
	}
}

func TestPeriodSet(t *testing.T) {
	for a, want := range map[int][]int{
		1: {1, 2, 4, 8, 16, 32}, 2: {1, 2, 3, 4, 6, 8, 12, 16, 24, 32}, 3: {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40},
	} {
		got, err := recovering.PeriodSet(a, 40)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for b := range 6 { // a = 2^b: all integers up to 2a, and from a on neighbours differ by a factor of at most 1 + 1/a
		a := 1 << b
		set, err := recovering.PeriodSet(a, 4096)
		require.NoError(t, err)
		for i := range set[1:] {
			if set[i] < 2*a {
				assert.Equal(t, i+1, set[i])
			}
			if set[i] >= a {
				assert.LessOrEqual(t, float64(set[i+1]), float64(set[i])*(1+1/float64(a))+1e-9)
			}
		}
	}
	set, err := recovering.PeriodSet(2, math.MaxInt)
	require.NoError(t, err)
	assert.Len(t, set, 63+62)
	for _, bad := range [][2]int{{0, 4}, {1, 0}} {
		_, err = recovering.PeriodSet(bad[0], bad[1])
		assert.Error(t, err)
	}
}

func TestSchedule(t *testing.T) {
	periods := []int{2, 3, 4, 6, 4, 6, 3}
	n, err := recovering.Channels(periods)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	offset, err := recovering.Schedule(periods, 2)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 0, 1, 2, 3, 5, 1}, offset)
	_, err = recovering.Schedule(periods, 1)
	assert.ErrorContains(t, err, "K is 1")
	// The rule is sufficient, not necessary: these fit one pull a period at the offsets 0, 1, 3, 5.
	n, err = recovering.Channels([]int{4, 6, 6, 6})
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	for _, bad := range [][]int{{-1}, {math.MaxInt}} {
		_, err = recovering.Schedule(bad, 1)
		assert.Error(t, err)
	}
	offset, err = recovering.Schedule(nil, 1)
	require.NoError(t, err)
	assert.Empty(t, offset)
	n, err = recovering.Channels([]int{0, 3, 3, 3, 7, 7, 7, 7, 7, 7, 7}) // thirds and sevenths add up to 1 each, exactly
	require.NoError(t, err)
	assert.Equal(t, 2, n)
}

// Any arms that fit their channels meet at most K times a period and keep their periods.
func TestSchedulesAreFeasible(t *testing.T) {
	rng := online.Seeded(1, "test: periods")
	set, err := recovering.PeriodSet(5, 100)
	require.NoError(t, err)
	for range 300 {
		periods := make([]int, 1+rng.IntN(40))
		for i := range periods {
			if rng.IntN(5) > 0 {
				periods[i] = set[rng.IntN(len(set))]
			}
		}
		k, err := recovering.Channels(periods)
		require.NoError(t, err)
		offset, err := recovering.Schedule(periods, max(1, k))
		require.NoError(t, err)
		most, wrong, err := recovering.Plan{Period: periods, Offset: offset}.Audit(2000)
		require.NoError(t, err)
		assert.LessOrEqual(t, most, k)
		assert.Zero(t, wrong)
	}
}

func TestPlansOfThreeArms(t *testing.T) {
	p, err := recovering.PlanPeriodic(three(), 1, 1)
	require.NoError(t, err)
	assert.Equal(t, []int{2, 4, 8}, p.Period)
	assert.InDelta(t, .4875, p.Value, 1e-12)
	p, err = recovering.PlanExact(three(), 1, 3)
	require.NoError(t, err)
	assert.Equal(t, []int{3, 3, 3}, p.Period)
	assert.InDelta(t, .5333333333, p.Value, 1e-10)
	for k, want := range map[int]float64{1: .5333333, 2: .7666667} {
		best, err := recovering.OptimalAverage(three(), k)
		require.NoError(t, err)
		assert.InDelta(t, want, best, 1e-7)
	}
	// Powers of two only, every choice of them: the best is 2, 4, 4.
	best, with := 0., []int(nil)
	each(3, []int{0, 1, 2, 4, 8}, func(periods []int) {
		if n, _ := recovering.Channels(periods); n <= 1 {
			if v, _ := (recovering.Plan{Period: periods}).ValueUnder(three()); v > best {
				best, with = v, slices.Clone(periods)
			}
		}
	})
	assert.InDelta(t, .525, best, 1e-12)
	assert.Equal(t, []int{2, 4, 4}, with)
}

// each calls f with every choice of n values; the slice is reused.
func each(n int, values []int, f func([]int)) {
	choice := make([]int, n)
	var from func(int)
	from = func(i int) {
		if i == n {
			f(choice)
			return
		}
		for _, v := range values {
			choice[i] = v
			from(i + 1)
		}
	}
	from(0)
}

// The dynamic program finds what trying all periods finds.
func TestPlanExactIsTheBest(t *testing.T) {
	for _, kind := range recovering.Kinds() {
		for seed := range uint64(4) {
			m := model(t, kind, 4, 6, seed)
			for k := 1; k <= 2; k++ {
				best := 0.
				each(4, []int{0, 1, 2, 4, 8, 3, 6, 12}, func(periods []int) {
					if n, _ := recovering.Channels(periods); n <= k {
						v, _ := recovering.Plan{Period: periods}.ValueUnder(m)
						best = max(best, v)
					}
				})
				p, err := recovering.PlanExact(m, k, 3)
				require.NoError(t, err)
				assert.InDelta(t, best, p.Value, 1e-10)
				again, err := p.ValueUnder(m)
				require.NoError(t, err)
				assert.Equal(t, p.Value, again)
				most, wrong, err := p.Audit(200)
				require.NoError(t, err)
				assert.LessOrEqual(t, most, k)
				assert.Zero(t, wrong)
			}
		}
	}
}

// What holds on every run: the plans' values are below the optimum, that is below the bound, and the planners keep their guarantee.
func TestOrderOfValues(t *testing.T) {
	for _, kind := range recovering.Kinds() {
		for seed := range uint64(8) {
			s, err := recovering.RunSmall(kind, seed)
			require.NoError(t, err)
			assert.LessOrEqual(t, s.Exact, s.Optimum+1e-8)
			assert.LessOrEqual(t, s.Best, s.Optimum+1e-8)
			assert.LessOrEqual(t, s.Optimum, s.Bound+1e-8)
			for _, k := range []int{1, 3, 8, 20} {
				o, err := recovering.RunOffline(kind, 4*k, k, 20, 50, seed)
				require.NoError(t, err)
				rho, err := recovering.BestGuarantee(k)
				require.NoError(t, err)
				assert.LessOrEqual(t, o.Best, o.Bound+1e-9)
				assert.LessOrEqual(t, o.Powers, o.Best+1e-9)
				assert.GreaterOrEqual(t, o.Best, rho*o.Bound-o.Single)
				assert.LessOrEqual(t, o.Pulls, k)
				assert.Zero(t, o.Wrong)
			}
		}
	}
}

func TestGuarantee(t *testing.T) {
	for k, want := range map[int]float64{1: .5, 4: .5, 8: .583, 16: .65, 64: .792, 256: .886} {
		rho, err := recovering.BestGuarantee(k)
		require.NoError(t, err)
		assert.InDelta(t, want, rho, 5e-4)
	}
	for _, bad := range [][2]int{{0, 1}, {4, 3}, {4, 8}, {4, 0}} {
		_, err := recovering.Guarantee(bad[0], bad[1])
		assert.Error(t, err)
	}
	_, err := recovering.BestGuarantee(0)
	assert.Error(t, err)
}

// Without recovery the best plan pulls the best K arms every period; with K = N all of them; arms without rewards never.
func TestFlatRewards(t *testing.T) {
	flat := recovering.RecoveryModel{R: [][]float64{{.3, .3, .3}, {.9, .9, .9}, {0, 0, 0}, {.5, .5, .5}, {.5, .5, .5}}}
	planners := map[string]recovering.Planner{"best": recovering.PlanBest, "exact": recovering.Exact(2), "powers": recovering.Periodic(1)}
	for name, plan := range planners {
		p, err := plan(flat, 2)
		require.NoError(t, err)
		assert.Equal(t, []int{0, 1, 0, 1, 0}, p.Period, name)
		assert.InDelta(t, 1.4, p.Value, 1e-12)
		p, err = plan(flat, 5)
		require.NoError(t, err)
		assert.Equal(t, []int{1, 1, 0, 1, 1}, p.Period, name)
		p, err = plan(recovering.RecoveryModel{R: [][]float64{{0}, {0}}}, 1)
		require.NoError(t, err)
		assert.Equal(t, []int{0, 0}, p.Period, name)
		assert.Zero(t, p.Value)
		p, err = plan(recovering.RecoveryModel{R: [][]float64{{.4}}}, 1) // one arm, no recovery
		require.NoError(t, err)
		assert.Equal(t, []int{1}, p.Period, name)
	}
}

func TestPlanErrors(t *testing.T) {
	good := three()
	bad := map[string]recovering.RecoveryModel{
		"empty": {}, "D = 0": {R: [][]float64{{}}}, "ragged": {R: [][]float64{{.1, .2}, {.1}}}, "falls": {R: [][]float64{{.2, .1}}},
		"NaN": {R: [][]float64{{.1, math.NaN()}}}, "above 1": {R: [][]float64{{1.1}}}, "negative": {R: [][]float64{{-.1}}},
	}
	calls := map[string]func(m recovering.RecoveryModel, k int) error{
		"UpperBound":     func(m recovering.RecoveryModel, k int) error { _, _, err := recovering.UpperBound(m, k); return err },
		"UpperBoundLP":   func(m recovering.RecoveryModel, k int) error { _, err := recovering.UpperBoundLP(m, k); return err },
		"PlanBest":       func(m recovering.RecoveryModel, k int) error { _, err := recovering.PlanBest(m, k); return err },
		"PlanPeriodic":   func(m recovering.RecoveryModel, k int) error { _, err := recovering.PlanPeriodic(m, k, 1); return err },
		"PlanExact":      func(m recovering.RecoveryModel, k int) error { _, err := recovering.PlanExact(m, k, 2); return err },
		"OptimalAverage": func(m recovering.RecoveryModel, k int) error { _, err := recovering.OptimalAverage(m, k); return err },
		"NewMyopic":      func(m recovering.RecoveryModel, k int) error { _, err := recovering.NewMyopic(m, k); return err },
		"NewBandit": func(m recovering.RecoveryModel, k int) error {
			_, err := recovering.NewBandit(m, k, nil, 1)
			return err
		},
	}
	for name, call := range calls {
		assert.NoError(t, call(good, 3), name)
		for what, m := range bad {
			assert.Error(t, call(m, 1), "%s: %s", name, what)
		}
		for _, k := range []int{-1, 0, 4} {
			assert.ErrorContains(t, call(good, k), "K is", name)
		}
	}
	_, err := recovering.PlanPeriodic(good, 0, 0)
	assert.ErrorContains(t, err, "a is 0") // both are named
	assert.ErrorContains(t, err, "K is 0")
	for _, levels := range []int{0, 13} {
		_, err = recovering.PlanExact(good, 1, levels)
		assert.ErrorContains(t, err, "L is")
	}
	wide := model(t, recovering.Exp, 500, 5, 1)
	_, err = recovering.PlanExact(wide, 400, 4)
	assert.ErrorContains(t, err, "PlanBest has no such limit")
	_, err = recovering.UpperBoundLP(model(t, recovering.Exp, 1000, 20, 1), 1)
	assert.ErrorContains(t, err, "must be at most")
	_, err = recovering.OptimalAverage(wide, 1)
	assert.ErrorContains(t, err, "(2·D)^N")
	_, err = recovering.Plan{Period: []int{1}}.ValueUnder(good)
	assert.Error(t, err)
	for _, p := range []recovering.Plan{{Period: []int{2}}, {Period: []int{2}, Offset: []int{2}}, {Period: []int{2}, Offset: []int{-1}}, {Period: []int{-2}, Offset: []int{0}}} {
		_, _, err = p.Audit(3)
		assert.Error(t, err)
		_, err = recovering.NewFixed(p)
		assert.Error(t, err)
	}
	for _, call := range []struct {
		kind recovering.Kind
		n, d int
	}{{"cubic", 1, 1}, {recovering.Exp, 0, 1}, {recovering.Exp, 1, 0}} {
		_, err = recovering.Generate(call.kind, call.n, call.d, 1)
		assert.Error(t, err)
	}
}

// Generated models are valid also where D is 1, and have the shapes that they are named for.
func TestGenerate(t *testing.T) {
	for _, kind := range recovering.Kinds() {
		for _, d := range []int{1, 2, 3, 20} {
			m := model(t, kind, 30, d, 5)
			assert.NoError(t, m.Validate())
			assert.Equal(t, m, model(t, kind, 30, d, 5))
			assert.NotEqual(t, m, model(t, kind, 30, d, 6))
		}
	}
	for _, r := range model(t, recovering.Exp, 30, 20, 1).R {
		for d := range r[2:] {
			assert.Less(t, r[d+2]-r[d+1], r[d+1]-r[d]) // concave
		}
	}
	for _, r := range model(t, recovering.Step, 30, 20, 1).R {
		assert.Subset(t, []float64{0, r[19]}, r)
		assert.GreaterOrEqual(t, r[19], .2)
	}
}

// Whatever the periods are, a schedule exists in as many channels as they need, and no two arms of a channel meet.
func FuzzSchedule(f *testing.F) {
	f.Add([]byte{2, 3, 4, 6, 4, 6, 3})
	f.Add([]byte{0, 255, 1, 7, 14})
	f.Fuzz(func(t *testing.T, text []byte) {
		periods := make([]int, len(text))
		for i, b := range text {
			periods[i] = int(b)
		}
		k, err := recovering.Channels(periods)
		require.NoError(t, err)
		offset, err := recovering.Schedule(periods, max(1, k))
		require.NoError(t, err)
		most, wrong, err := recovering.Plan{Period: periods, Offset: offset}.Audit(1000)
		require.NoError(t, err)
		assert.LessOrEqual(t, most, k)
		assert.Zero(t, wrong)
	})
}
