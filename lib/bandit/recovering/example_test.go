package recovering_test

import (
	"context"
	"fmt"

	"github.com/hindsight-go/hindsight/lib/bandit/recovering"
	"github.com/hindsight-go/hindsight/lib/online"
)

func ExamplePlanBest() {
	m, err := recovering.Generate(recovering.Logit, 40, 20, 1) // 40 arms, recovered after 20 periods
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := recovering.PlanBest(m, 8) // at most 8 pulls a period
	if err != nil {
		fmt.Println(err)
		return
	}
	ub, _, err := recovering.UpperBound(m, 8)
	if err != nil {
		fmt.Println(err)
		return
	}
	most, wrong, err := p.Audit(1000)
	fmt.Printf("%.3f of the upper bound, at most %d pulls, %d irregular gaps, %v\n", p.Value/ub, most, wrong, err)
	// Output: 0.996 of the upper bound, at most 7 pulls, 0 irregular gaps, <nil>
}

func ExampleSchedule() {
	offset, err := recovering.Schedule([]int{2, 3, 4, 6, 4, 6, 3}, 2)
	fmt.Println(offset, err)
	// Output: [0 0 1 2 3 5 1] <nil>
}

func ExampleUpperBound() {
	m := recovering.RecoveryModel{R: [][]float64{{.2, .5, .6, .6}, {.1, .2, .7, .8}, {.3, .3, .3, .3}}}
	value, x, err := recovering.UpperBound(m, 1)
	fmt.Printf("%.4f %.4f %v\n", value, x, err)
	// Output: 0.5333 [0.5000 0.3333 0.1667] <nil>
}

func ExampleNewPeriodicUCB() {
	setting := recovering.Setting{N: 8, K: 2, D: 8, T: 8000}
	m, err := recovering.Generate(recovering.Step, setting.N, setting.D, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	environment := func(seed uint64) (recovering.Environment, error) {
		return recovering.NewBandit(m, setting.K, recovering.Exact(3), seed)
	}
	learner := func(uint64) (recovering.Learner, error) {
		return recovering.NewPeriodicUCB(setting, recovering.UCBOptions{Planner: recovering.Exact(3)})
	}
	runs, err := online.Play(context.Background(), environment, learner, setting.T, []uint64{1, 2}, online.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	regret, err := online.Final(runs, recovering.AgainstPlan)
	for i, r := range regret {
		fmt.Printf("seed %d: below 0.15 a period: %t, %v\n", runs[i].Seed, r/float64(setting.T) < 0.15, err)
	}
	// Output:
	// seed 1: below 0.15 a period: true, <nil>
	// seed 2: below 0.15 a period: true, <nil>
}
