package linsolve_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/linsolve"
	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func TestSequence(t *testing.T) {
	const rounds = 30
	grid := []float64{1, 1.5, 1.8}
	for _, method := range []linsolve.Method{linsolve.WithSOR, linsolve.WithSSORPCG} {
		instances := must[[]linsolve.Instance](t)(linsolve.HighVariance().Draw(rounds+10, 4))
		s := must[*linsolve.Sequence](t)(linsolve.NewSequence(instances, grid, method, linsolve.Options{}))
		runs := must[[]online.Run](t)(online.Play(context.Background(), func(uint64) (online.Environment[float64, int, float64], error) { return s, nil },
			func(uint64) (online.Learner[float64, int, float64], error) { return always(1), nil }, rounds, []uint64{4}, online.Options{}))
		var totals [3]float64
		var optimal, uniform float64
		for i := range rounds {
			in := instances[i]
			solve := func(omega float64) float64 {
				if method == linsolve.WithSOR {
					return float64(must[linsolve.Result](t)(linsolve.SOR(in.A, in.B, nil, omega, linsolve.Options{})).Iterations)
				}
				return float64(must[linsolve.Result](t)(linsolve.SSORPCG(in.A, in.B, nil, omega, linsolve.Options{})).Iterations)
			}
			least := math.Inf(1)
			for a, omega := range grid {
				k := solve(omega)
				totals[a] += k
				uniform += k / 3
				least = math.Min(least, k)
				if a == 1 && runs[0].Losses[i] != k {
					t.Errorf("round %d costs %g, must cost %g", i+1, runs[0].Losses[i], k)
				}
			}
			if method == linsolve.WithSOR {
				beta := must[float64](t)(linsolve.JacobiRadius(in.A))
				least = solve(must[float64](t)(linsolve.OptimalOmega(beta)))
			}
			optimal += least
		}
		end := func(name string) float64 { return runs[0].Regret[name][rounds-1] }
		near(t, "regret against the best fixed ω", end(linsolve.BestFixed), totals[1]-slices.Min(totals[:]), 1e-9)
		near(t, "regret against the instances' own ω", end(linsolve.InstanceOptimal), totals[1]-optimal, 1e-9)
		near(t, "regret against a random ω", end(linsolve.Uniform), totals[1]-uniform, 1e-9)
	}
}

// A solve that does not end costs the cap, and is counted.
func TestSequenceCap(t *testing.T) {
	instances := must[[]linsolve.Instance](t)(linsolve.HighVariance().Draw(5, 1))
	s := must[*linsolve.Sequence](t)(linsolve.NewSequence(instances, []float64{1, 1.6}, linsolve.WithSOR, linsolve.Options{MaxIterations: 7}))
	if cost, loss, err := s.Reveal(1, 0); err != nil || cost != 7 || loss != 7 {
		t.Errorf("cost %g, loss %g, %v", cost, loss, err)
	}
	if s.Capped() != 1 {
		t.Errorf("%d solves are capped", s.Capped())
	}
	costs := must[[][]float64](t)(s.Costs(context.Background(), 5))
	if floats.Max(slices.Concat(costs...)) != 7 || s.Capped() != 10 {
		t.Errorf("costs %v, %d capped", costs, s.Capped())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fresh := must[*linsolve.Sequence](t)(linsolve.NewSequence(instances, []float64{1, 1.6}, linsolve.WithSOR, linsolve.Options{}))
	if _, err := fresh.Costs(ctx, 5); err == nil {
		t.Error("Costs goes on after it was cancelled")
	}
}

// Shifts are where they must be, with the mean of their distribution, and right-hand sides are short. The mean of 20,000
// beta(1/2, 3/2) variables, of mean 1/4 and variance 1/16, is within 0.009 with probability 1 − 4e-7 (5.1 standard errors).
func TestShiftedGrids(t *testing.T) {
	g := linsolve.HighVariance()
	g.NX = 3
	instances := must[[]linsolve.Instance](t)(g.Draw(20_000, 1))
	var mean float64
	for _, i := range instances {
		if !(i.Context >= -0.15 && i.Context <= 0.45) || i.A.At(0, 0) != 4+i.Context || floats.Dot(i.B, i.B) > 4 {
			t.Fatalf("context %g, diagonal %g, b %v", i.Context, i.A.At(0, 0), i.B)
		}
		mean += (i.Context + 0.15) / 0.6 / 20_000
	}
	near(t, "mean", mean, 0.25, 0.009)
	again := must[[]linsolve.Instance](t)(g.Draw(3, 1))
	for i := range again {
		if again[i].Context != instances[i].Context || !slices.Equal(again[i].B, instances[i].B) {
			t.Error("the same seed draws other systems")
		}
	}
}

func TestSequenceBadArguments(t *testing.T) {
	instances := must[[]linsolve.Instance](t)(linsolve.HighVariance().Draw(2, 1))
	grid := []float64{1.5}
	for want, build := range map[string]func() error{
		"grid is empty": func() error {
			_, err := linsolve.NewSequence(instances, nil, linsolve.WithSOR, linsolve.Options{})
			return err
		},
		"grid[0]": func() error {
			_, err := linsolve.NewSequence(instances, []float64{2}, linsolve.WithSOR, linsolve.Options{})
			return err
		},
		"instances is empty": func() error {
			_, err := linsolve.NewSequence(nil, grid, linsolve.WithSOR, linsolve.Options{})
			return err
		},
		"method is 2": func() error { _, err := linsolve.NewSequence(instances, grid, 2, linsolve.Options{}); return err },
		"instance 0": func() error {
			_, err := linsolve.NewSequence([]linsolve.Instance{{A: mat.NewDense(1, 1, nil), B: []float64{1}}}, grid, linsolve.WithSOR, linsolve.Options{})
			return err
		},
		"count is 0": func() error { _, err := linsolve.HighVariance().Draw(0, 1); return err },
		"Alpha and Beta are 0 and 0": func() error {
			_, err := linsolve.ShiftedGrids{NX: 11}.Draw(1, 1)
			return err
		},
		"shift is -0.4": func() error {
			_, err := linsolve.ShiftedGrids{NX: 11, Low: -0.4, Width: 1, Alpha: 1, Beta: 1}.Draw(1, 1)
			return err
		},
	} {
		if err := build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, must be about %q", err, want)
		}
	}
	s := must[*linsolve.Sequence](t)(linsolve.NewSequence(instances, grid, linsolve.WithSOR, linsolve.Options{}))
	for _, round := range []int{0, 3} {
		if _, err := s.Context(round); err == nil {
			t.Errorf("round %d of 2", round)
		}
		if _, _, err := s.Reveal(round, 0); err == nil {
			t.Errorf("round %d of 2", round)
		}
		if _, err := s.Costs(context.Background(), round); err == nil {
			t.Errorf("%d rounds of 2", round)
		}
		if _, err := s.Optimal(context.Background(), round); err == nil {
			t.Errorf("%d rounds of 2", round)
		}
	}
	if _, _, err := s.Reveal(1, 1); err == nil {
		t.Error("action 1 of 1")
	}
	if _, err := (linsolve.Unseen{Setting: s}).Context(3); err == nil {
		t.Error("round 3 of 2, unseen")
	}
}
