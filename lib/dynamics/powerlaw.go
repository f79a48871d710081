package dynamics

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// PowerLaw is y = Scale·Π x_j^Exponents[j], fitted by least squares to the logarithms.
type PowerLaw struct {
	Scale     float64
	Exponents []float64
	// Errors are the exponents' standard errors, by the scatter of log y around the fit; NaN where there are only as many
	// values as coefficients.
	Errors []float64
}

// At is the law's value at a point.
func (p PowerLaw) At(x ...float64) float64 {
	y := p.Scale
	for j, e := range p.Exponents {
		y *= math.Pow(x[j], e)
	}
	return y
}

// PowerLawFit fits y = c·x^k, k = Exponents[0]. All values must be positive and finite, and two of x differ.
func PowerLawFit(x, y []float64) (PowerLaw, error) {
	return powerLaw("PowerLawFit", []string{"x"}, [][]float64{x}, y)
}

// PowerLawFit2 fits y = c·P^a·T^b, a = Exponents[0] and b = Exponents[1], to the values of a grid, or of any points (P, T) that
// do not lie on one line of logarithms.
func PowerLawFit2(p, t, y []float64) (PowerLaw, error) {
	return powerLaw("PowerLawFit2", []string{"p", "t"}, [][]float64{p, t}, y)
}

func powerLaw(where string, names []string, xs [][]float64, y []float64) (PowerLaw, error) {
	n, k := len(y), len(xs)+1
	var errs []error
	if n < k {
		errs = append(errs, fmt.Errorf("dynamics: %s: y has %d values, must have at least %d", where, n, k))
	}
	logs := func(name string, values []float64) []float64 {
		if len(values) != n {
			errs = append(errs, fmt.Errorf("dynamics: %s: %s has %d values, must have %d like y", where, name, len(values), n))
		}
		out := make([]float64, len(values))
		for i, v := range values {
			if !(v > 0) || math.IsInf(v, 0) {
				errs = append(errs, fmt.Errorf("dynamics: %s: %s[%d] is %g, must be positive and finite", where, name, i, v))
			}
			out[i] = math.Log(v)
		}
		return out
	}
	target := logs("y", y)
	columns := make([][]float64, len(xs))
	for j, x := range xs {
		columns[j] = logs(names[j], x)
	}
	if err := errors.Join(errs...); err != nil {
		return PowerLaw{}, err
	}
	design := mat.NewDense(n, k, nil)
	for i := range n {
		design.Set(i, 0, 1)
		for j, c := range columns {
			design.Set(i, j+1, c[i])
		}
	}
	var qr mat.QR
	qr.Factorize(design)
	var r mat.Dense
	qr.RTo(&r)
	for j := range k {
		// A column that depends on the ones before leaves rounding alone on the diagonal of R.
		if math.Abs(r.At(j, j)) <= 1e-10*mat.Norm(design.ColView(j), 2) {
			return PowerLaw{}, fmt.Errorf("dynamics: %s: %s does not vary by itself, must, for its exponent to be known", where, names[max(j-1, 0)])
		}
	}
	want := mat.NewVecDense(n, target)
	var beta, rest mat.VecDense
	if err := qr.SolveVecTo(&beta, false, want); err != nil && !isCondition(err) {
		return PowerLaw{}, fmt.Errorf("dynamics: %s: %w", where, err)
	}
	rest.MulVec(design, &beta)
	rest.SubVec(want, &rest)
	variance := math.NaN()
	if n > k {
		variance = mat.Dot(&rest, &rest) / float64(n-k)
	}
	var inverse mat.Dense // of R: (XᵀX)⁻¹ = R⁻¹R⁻ᵀ
	if err := inverse.Inverse(r.Slice(0, k, 0, k)); err != nil && !isCondition(err) {
		return PowerLaw{}, fmt.Errorf("dynamics: %s: %w", where, err)
	}
	law := PowerLaw{Scale: math.Exp(beta.AtVec(0))}
	for j := 1; j < k; j++ {
		law.Exponents = append(law.Exponents, beta.AtVec(j))
		law.Errors = append(law.Errors, math.Sqrt(variance)*mat.Norm(inverse.RowView(j), 2))
	}
	return law, nil
}

// isCondition says of an error of gonum that the result is there, if less exact.
func isCondition(err error) bool {
	var c mat.Condition
	return errors.As(err, &c)
}
