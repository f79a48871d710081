package oco

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// On ½‖x − c‖² with Gaussian noise the mean gap of the last iterate is known: ½(‖E x − c‖² + d·v), v the variance of a coordinate.
// The gap's deviation is at most √2 of its mean: of 2000 runs the mean lies within 6 standard errors, in 8 tests a false alarm of
// less than 1e-7.
func TestSweep(t *testing.T) {
	const dim, sigma, runs = 2, 0.5, 2000
	p := Stochastic{Loss: DiagonalQuadratic{Curvature: []float64{1, 1}, Center: []float64{1, 0}}, Noise: Gaussian{Deviation: sigma}}
	rules := func(rounds int) []Rule {
		return []Rule{MirrorDescent{Steps: PolynomialStep{}}, MirrorDescent{Steps: PolynomialStep{Decay: Const, Horizon: rounds, Scale: 0.5}}}
	}
	for _, batch := range []int{0, 300} { // 300 does not divide the runs
		s, err := CompileSweep(backend.ForTest(t), p, rules, batch)
		if err != nil {
			t.Fatal(err)
		}
		horizons := []int{3, 20}
		curves, err := s.Run(context.Background(), horizons, runs, 5)
		if err != nil {
			t.Fatal(err)
		}
		for k, c := range curves {
			near(t, "rounds", c.Rounds, []float64{3, 20}, 0)
			for h, rounds := range horizons {
				off, v := 1.0, 0.0
				for n := 1; n <= rounds; n++ {
					rate := rules(rounds)[k].(MirrorDescent).Steps.Rate(n, 0)
					off, v = off*(1-rate), (1-rate)*(1-rate)*v+rate*rate*sigma*sigma/dim
				}
				want := (off*off + dim*v) / 2
				if math.Abs(c.Last[h]-want) > 6*math.Sqrt2*want/math.Sqrt(runs) {
					t.Errorf("batch %d, rule %d, T = %d: mean gap %g, must be %g", batch, k, rounds, c.Last[h], want)
				}
				if g := c.Gaps[h]; len(g) != runs || !slices.IsSorted(g) || g[runs/2-1] != c.Median[h] || math.Abs(floats.Sum(g)/runs-c.Last[h]) > 1e-12 {
					t.Errorf("batch %d, rule %d, T = %d: the gaps do not fit the mean and the median", batch, k, rounds)
				}
			}
		}
		again, err := s.Run(context.Background(), horizons, runs, 5)
		if err != nil || !slices.Equal(again[1].Last, curves[1].Last) {
			t.Errorf("the same seed: %v, was %v (%v)", again[1].Last, curves[1].Last, err)
		}
	}
}

func TestSweepBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	p := Stochastic{Loss: DistanceTo{1}}
	rules := func(int) []Rule { return []Rule{MirrorDescent{Steps: PolynomialStep{}}} }
	for want, f := range map[string]func() error{
		"batch is -1": func() error { _, err := CompileSweep(b, p, rules, -1); return err },
		"Loss is nil": func() error { _, err := CompileSweep(b, Stochastic{}, rules, 0); return err },
		"no rules":    func() error { _, err := CompileSweep(b, p, func(int) []Rule { return nil }, 0); return err },
		"runs is 0": func() error {
			s, _ := CompileSweep(b, p, rules, 1)
			_, err := s.Run(context.Background(), []int{1}, 0, 0)
			return err
		},
		"rounds is 0,": func() error {
			s, _ := CompileSweep(b, p, rules, 1)
			_, err := s.Run(context.Background(), []int{0}, 1, 0)
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
