package curvature

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func TestPrincipalAngles(t *testing.T) {
	const angle = 0.3
	a := mat.NewDense(3, 2, []float64{1, 0, 0, 1, 0, 0})
	b := mat.NewDense(3, 2, []float64{2, 2, 0, 3 * math.Cos(angle), 0, 3 * math.Sin(angle)}) // the first axis, and one turned
	for _, c := range []struct {
		what string
		a, b mat.Matrix
		want []float64
	}{
		{"turned by 0.3", a, b, []float64{1, math.Cos(angle)}},
		{"the same", a, a, []float64{1, 1}},
		{"one line in a plane", a, mat.NewDense(3, 1, []float64{1, 1, 0}), []float64{1}},
		{"orthogonal", a, mat.NewDense(3, 1, []float64{0, 0, -5}), []float64{0}},
		{"dependent columns", a, mat.NewDense(3, 2, []float64{1, 2, 0, 0, 0, 0}), []float64{1, 0}},
		{"zero", a, mat.NewDense(3, 2, nil), []float64{0, 0}},
	} {
		got, err := PrincipalAngles(c.a, c.b)
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: %v, %v", c.what, got, err)
			continue
		}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-14 {
				t.Errorf("%s: %v, want %v", c.what, got, c.want)
			}
		}
	}
}

// Random 8-dimensional spaces among 32 have a mean squared cosine of 1/4; the mean over 50 pairs deviates by 0.0046, from the variance
// 2rs(n−r)(n−s)/(n²(n−1)(n+2)) of tr(P·Q).
func TestPrincipalAnglesOfRandomSpaces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	gaussian := func() *mat.Dense {
		x := mat.NewDense(32, 8, nil)
		for i := range 32 {
			for j := range 8 {
				x.Set(i, j, rng.NormFloat64())
			}
		}
		return x
	}
	var mean float64
	for range 50 {
		cosines, err := PrincipalAngles(gaussian(), gaussian())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cosines {
			mean += c * c / 8 / 50
		}
	}
	if math.Abs(mean-0.25) > 5*0.0046 {
		t.Errorf("mean squared cosine %g, want 0.25", mean)
	}
}

func TestPrincipalAnglesErrors(t *testing.T) {
	for want, m := range map[string]*mat.Dense{"3×1 and 2×1": mat.NewDense(2, 1, nil), "must be finite": mat.NewDense(3, 1, []float64{0, math.NaN(), 0})} {
		if _, err := PrincipalAngles(mat.NewDense(3, 1, []float64{1, 0, 0}), m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
