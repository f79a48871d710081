package linsolve_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/linsolve"
	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
)

// sine is the problem with the known solution e^(−2π²κt)·sin πx·sin πy.
func sine(nx int, step float64) linsolve.HeatProblem {
	return linsolve.HeatProblem{NX: nx, Step: step, Diffusion: func(float64) float64 { return 0.5 },
		Initial: func(x, y float64) float64 { return math.Sin(math.Pi*x) * math.Sin(math.Pi*y) }}
}

func simulate(t *testing.T, p linsolve.HeatProblem, steps int) *linsolve.Heat2D {
	t.Helper()
	h := must[*linsolve.Heat2D](t)(linsolve.NewHeat2D(p))
	for range steps {
		a, b, err := h.System()
		if err != nil {
			t.Fatal(err)
		}
		r := must[linsolve.Result](t)(linsolve.SSORPCG(a, b, h.U(), 1.4, linsolve.Options{Tolerance: 1e-12}))
		if err := h.Advance(r.X); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestHeat2D(t *testing.T) {
	// On the grid the sine is an eigenvector of the Laplacian, of eigenvalue −8nx²sin²(π/2nx): a step multiplies it.
	const nx, step, steps = 9, 1e-3, 20
	h := simulate(t, sine(nx, step), steps)
	lambda := 8 * nx * nx * math.Pow(math.Sin(math.Pi/(2*nx)), 2)
	s := 0.5 * step / 2 * lambda
	factor := math.Pow((1-s)/(1+s), steps)
	start := must[*linsolve.Heat2D](t)(linsolve.NewHeat2D(sine(nx, step)))
	for i, u := range h.U() {
		if math.Abs(u-factor*start.U()[i]) > 1e-10 { // of 20 solves to 1e-12
			t.Fatalf("u[%d] is %g, must be %g", i, u, factor*start.U()[i])
		}
	}
	near(t, "t", h.Time(), steps*step, 1e-12)
	// Half the width and half the step make a quarter of the error.
	wrong := func(nx, steps int) float64 {
		h := simulate(t, sine(nx, 0.1/float64(steps)), steps)
		return math.Abs(h.U()[len(h.U())/2] - math.Exp(-math.Pi*math.Pi*0.1))
	}
	near(t, "order", math.Log2(wrong(8, 10)/wrong(16, 20)), 2, 0.1)
}

func TestRotatingSource(t *testing.T) {
	p := linsolve.RotatingSource(25, 1e-3)
	least, most := math.Inf(1), 0.0
	for k := range 5001 {
		c := p.Diffusion(float64(k) * 1e-3)
		least, most = math.Min(least, c), math.Max(most, c)
	}
	if least < 0 || least > 1e-12 || math.Abs(most-10) > 1e-12 {
		t.Errorf("κ is in [%g, %g], must be in [0, 10]", least, most)
	}
	near(t, "the source's peak", p.Forcing(0, 0.75, 0.5), 32, 1e-12)
	near(t, "the source on its rim", p.Forcing(0, 0.75, 0.625), 0, 0)
	near(t, "the start's middle", p.Initial(0.5, 0.5), 1, 1e-12)
	near(t, "a bump halfway", linsolve.Bump(0.5, 0, 0, 0, 1), math.Exp(1-1/0.75), 1e-12)
}

func TestHeatBadArguments(t *testing.T) {
	if _, err := linsolve.NewHeat2D(linsolve.HeatProblem{NX: 1, Step: -1}); err == nil || strings.Count(err.Error(), "NewHeat2D") != 3 {
		t.Errorf("%v", err)
	}
	p := sine(4, 1e-3)
	p.Diffusion = func(t float64) float64 { return 1e-3 - t }
	h := must[*linsolve.Heat2D](t)(linsolve.NewHeat2D(p))
	if err := h.Advance(make([]float64, 8)); err == nil {
		t.Error("Advance takes 8 of 9 values")
	}
	if err := h.Advance(slices.Repeat([]float64{math.NaN()}, 9)); err == nil || h.Time() != 0 {
		t.Error("Advance takes NaN")
	}
	for range 2 {
		if err := h.Advance(h.U()); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := h.System(); err == nil || !strings.Contains(err.Error(), "Diffusion at t = 0.0025") {
		t.Errorf("%v", err)
	}
	p.Initial = func(x, _ float64) float64 { return 1 / (x - 0.5) }
	if _, err := linsolve.NewHeat2D(p); err == nil {
		t.Error("an infinite start is taken")
	}
}

// always plays one action.
type always int

func (a always) Act(float64) (int, error) { return int(a), nil }
func (a always) Learn(float64) error      { return nil }

func TestHeatSequence(t *testing.T) {
	const steps = 60
	grid := []float64{1, 1.4, 1.9}
	p := linsolve.RotatingSource(12, 1e-2)
	base := must[*linsolve.HeatBaselines](t)(linsolve.NewHeatBaselines(context.Background(), p, grid, steps, linsolve.Options{}))
	least := math.Inf(1)
	for action := range grid {
		runs := must[[]online.Run](t)(online.Play(context.Background(), func(uint64) (online.Environment[float64, int, float64], error) {
			return linsolve.NewHeatSequence(p, grid, linsolve.Options{}, base)
		}, func(uint64) (online.Learner[float64, int, float64], error) { return always(action), nil }, steps, []uint64{1}, online.Options{}))
		if !slices.Equal(runs[0].Losses, base.Fixed[action]) {
			t.Errorf("ω = %g costs %v in a game, %v by itself", grid[action], runs[0].Losses, base.Fixed[action])
		}
		total := floats.Sum(runs[0].Losses)
		least = math.Min(least, total)
		near(t, "regret against plain CG", runs[0].Regret[linsolve.PlainCG][steps-1], total-floats.Sum(base.CG), 1e-9)
	}
	best, instance := least, floats.Sum(base.Least)
	if instance > best+1 || len(base.Best) != steps || instance >= floats.Sum(base.CG) {
		t.Errorf("least of each step %g, best fixed %g, CG %g", instance, best, floats.Sum(base.CG))
	}

	h := must[*linsolve.HeatSequence](t)(linsolve.NewHeatSequence(p, grid, linsolve.Options{MaxIterations: 1}, nil))
	if _, err := h.Context(2); err == nil {
		t.Error("a step is left out")
	}
	if _, _, err := h.Reveal(1, 3); err == nil {
		t.Error("action 3 of 3")
	}
	for round := 1; round <= 40; round++ {
		if cost, _, err := h.Reveal(round, 0); err != nil || cost != 1 {
			t.Fatalf("round %d: %g, %v", round, cost, err)
		}
	}
	if h.Capped() == 0 {
		t.Error("all of 40 solves end after one iteration")
	}
}

func ExampleHeat2D() {
	h, err := linsolve.NewHeat2D(linsolve.RotatingSource(25, 1e-3))
	if err != nil {
		fmt.Println(err)
		return
	}
	total := 0
	for range 600 {
		a, b, err := h.System()
		if err != nil {
			fmt.Println(err)
			return
		}
		r, err := linsolve.SSORPCG(a, b, h.U(), 1.4, linsolve.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := h.Advance(r.X); err != nil {
			fmt.Println(err)
			return
		}
		total += r.Iterations
	}
	fmt.Printf("t = %.1f, fewer than ten iterations a step: %t\n", h.Time(), total < 6000)
	// Output:
	// t = 0.6, fewer than ten iterations a step: true
}
