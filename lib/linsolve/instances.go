package linsolve

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Instance is one system of a sequence, A x = B, and what may be known of it before it is solved.
type Instance struct {
	Context float64
	A       mat.Matrix
	B       []float64
}

// ShiftedGrids are random systems A + cI: A is a [GridLaplacian], the shift c = Low + Width·Beta(Alpha, Beta) is the context,
// and the right-hand side is a [TruncatedNormal].
type ShiftedGrids struct {
	NX          int // intervals along a side of the grid; (NX−1)² unknowns
	Low, Width  float64
	Alpha, Beta float64 // shapes of the beta distribution, positive
}

// HighVariance are the paper's systems of 100 unknowns with shifts from −0.15 + 0.6·Beta(1/2, 3/2).
//
// Source: Khodak et al. (2024), scripts/contextual.m.
func HighVariance() ShiftedGrids {
	return ShiftedGrids{NX: 11, Low: -0.15, Width: 0.6, Alpha: 0.5, Beta: 1.5}
}

// LowVariance are the paper's systems of 100 unknowns with shifts from −0.15 + 0.6·Beta(2, 6).
//
// Source: Khodak et al. (2024), scripts/contextual.m.
func LowVariance() ShiftedGrids {
	return ShiftedGrids{NX: 11, Low: -0.15, Width: 0.6, Alpha: 2, Beta: 6}
}

// Draw draws systems. It fails where the shape is not positive, or the lowest or highest shift is not one that
// [GridLaplacian] takes.
func (s ShiftedGrids) Draw(count int, seed uint64) ([]Instance, error) {
	var bad []error
	if count < 1 {
		bad = append(bad, fmt.Errorf("linsolve: ShiftedGrids.Draw: count is %d, must be at least 1", count))
	}
	if !(s.Alpha > 0) || !(s.Beta > 0) {
		bad = append(bad, fmt.Errorf("linsolve: ShiftedGrids.Draw: Alpha and Beta are %g and %g, must be positive", s.Alpha, s.Beta))
	}
	for _, c := range []float64{s.Low, s.Low + s.Width} {
		if _, err := GridLaplacian(s.NX, c); err != nil {
			bad = append(bad, fmt.Errorf("linsolve: ShiftedGrids.Draw: %w", err))
		}
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	shift := distuv.Beta{Alpha: s.Alpha, Beta: s.Beta, Src: online.Seeded(seed, "linsolve: shifts")}
	sides := online.Seeded(seed, "linsolve: right-hand sides")
	out := make([]Instance, count)
	for t := range out {
		c := s.Low + s.Width*shift.Rand()
		a, err := GridLaplacian(s.NX, c)
		if err != nil {
			return nil, err
		}
		out[t] = Instance{Context: c, A: a, B: TruncatedNormal((s.NX-1)*(s.NX-1), sides)}
	}
	return out, nil
}

// TruncatedNormal draws n independent standard normal numbers, again and again until their Euclidean norm is at most √n:
// about two draws.
func TruncatedNormal(n int, rng *rand.Rand) []float64 {
	v := make([]float64, n)
	for {
		for i := range v {
			v[i] = rng.NormFloat64()
		}
		if floats.Dot(v, v) <= float64(n) {
			return v
		}
	}
}
