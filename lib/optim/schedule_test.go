package optim

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// What a plot shows (At), what a step computes (Build) and the formula by hand are the same, kinks included.
func TestSchedules(t *testing.T) {
	half := func(part float64) float64 { return (1 + math.Cos(math.Pi*part)) / 2 }
	cases := map[string]struct {
		schedule Schedule
		at       map[int64]float64
	}{
		"constant":           {Constant{By: 0.25}, map[int64]float64{1: 0.25, 100: 0.25}},
		"warm up":            {WarmUp{Steps: 4}, map[int64]float64{1: 0, 2: 0.25, 4: 0.75, 5: 1, 6: 1, 1e9: 1}},
		"warm up from":       {WarmUp{Steps: 4, From: 0.2}, map[int64]float64{1: 0.2, 3: 0.6, 5: 1, 9: 1}},
		"warm up, one step":  {WarmUp{Steps: 1}, map[int64]float64{1: 0, 2: 1}},
		"cosine":             {Cosine{Steps: 8}, map[int64]float64{1: 1, 3: half(0.25), 5: 0.5, 9: 0, 10: 0, 1e9: 0}},
		"cosine to":          {Cosine{Steps: 8, End: 0.1}, map[int64]float64{1: 1, 5: 0.55, 9: 0.1, 50: 0.1}},
		"step decay":         {StepDecay{Every: 3, By: 0.5}, map[int64]float64{1: 1, 3: 1, 4: 0.5, 6: 0.5, 7: 0.25, 31: math.Pow(0.5, 10)}},
		"step decay by 1":    {StepDecay{Every: 1, By: 1}, map[int64]float64{1: 1, 5: 1}},
		"inverse root":       {InverseSqrt{}, map[int64]float64{1: 1, 4: 0.5, 1e10: 1e-5}},
		"inverse root, held": {InverseSqrt{Hold: 4}, map[int64]float64{1: 1, 4: 1, 16: 0.5, 400: 0.1}},
		"joined, one part":   {Joined{Parts: []Schedule{Constant{By: 2}}}, map[int64]float64{1: 2, 7: 2}},
		"joined": {
			Joined{Parts: []Schedule{Constant{By: 3}, StepDecay{Every: 1, By: 0.5}, InverseSqrt{}}, Ends: []int64{2, 4}},
			map[int64]float64{1: 3, 2: 3, 3: 1, 4: 0.5, 5: 1, 8: 0.5},
		},
		"warm up, cosine": {WarmUpCosine(2, 10, 0.1), map[int64]float64{1: 0, 2: 0.5, 3: 1, 7: 0.55, 11: 0.1, 12: 0.1}},
	}
	b := backend.ForTest(t)
	for name, c := range cases {
		if err := c.schedule.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		exec, err := graph.NewExec(b, func(count *graph.Node) *graph.Node {
			return factor(c.schedule, count, dtypes.Float64)
		})
		if err != nil {
			t.Fatal(err)
		}
		for count, want := range c.at {
			built := exec.MustCall(tensors.FromScalar(count))[0].Value().(float64)
			if at := c.schedule.At(count); math.Abs(at-want) > 1e-12 || math.Abs(built-want) > 1e-12 {
				t.Errorf("%s: step %d is %g on the host and %g in the graph, want %g", name, count, at, built, want)
			}
		}
	}
}

// A schedule of a chain is applied to the steps, at the count the step has.
func TestScheduledRate(t *testing.T) {
	ones := tensors.FromValue([][]float64{{1}, {1}, {1}, {1}})
	got := follow(t, Chain{ScaleByLearningRate{Rate: 2, Schedule: StepDecay{Every: 2, By: 0.5}}}, tensors.FromValue([]float64{0}), ones)
	close(t, "w", got, []float64{-2, -4, -5, -6}, 1e-15)
}

func TestScheduleErrors(t *testing.T) {
	for want, s := range map[string]Schedule{
		"Constant: By is -1":                       Constant{By: -1},
		"Constant: By is NaN":                      Constant{By: math.NaN()},
		"WarmUp: Steps is 0":                       WarmUp{},
		"WarmUp: From is 2":                        WarmUp{Steps: 1, From: 2},
		"Cosine: Steps is -3":                      Cosine{Steps: -3},
		"Cosine: End is 1.5":                       Cosine{Steps: 1, End: 1.5},
		"StepDecay: Every is 0":                    StepDecay{By: 0.5},
		"StepDecay: By is 0, must be positive":     StepDecay{Every: 1},
		"StepDecay: By is 2, must be in [0, 1]":    StepDecay{Every: 1, By: 2},
		"InverseSqrt: Hold is -1":                  InverseSqrt{Hold: -1},
		"Joined: 0 parts and 0 ends":               Joined{},
		"Joined: 2 parts and 0 ends":               Joined{Parts: []Schedule{Constant{}, Constant{}}},
		"Joined: Ends[0] is 0":                     Joined{Parts: []Schedule{Constant{}, Constant{}}, Ends: []int64{0}},
		"Joined: Ends[1] is 3":                     Joined{Parts: []Schedule{Constant{}, Constant{}, Constant{}}, Ends: []int64{3, 3}},
		"Joined: Parts[0] is nil":                  Joined{Parts: []Schedule{nil}},
		"Cosine: Steps is 0, must be positive and": WarmUpCosine(5, 5, 0),
	} {
		err := ScaleByLearningRate{Rate: 1, Schedule: s}.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
