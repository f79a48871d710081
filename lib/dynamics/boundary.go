package dynamics

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/online"
)

// SignedData are points of two classes: a point is a row of X, and its label in Y is −1 or 1.
type SignedData struct {
	X *mat.Dense
	Y []float64
}

// BoundaryData draws points of the perceptron's task in dim dimensions, whose labels are the sign of the first coordinate.
// The density of |x₁| is proportional to |x₁|^chi·e^(−x₁²/2), so that chi > −1 says how empty the boundary is; the other
// coordinates are normal, and the labels fair.
//
// Source: Sclocchi, Geiger, Wyart (2023), Dissecting the Effects of SGD Noise in Distinct Regimes of Deep Learning.
func BoundaryData(points, dim int, chi float64, seed uint64) (SignedData, error) {
	var errs []error
	if points < 1 {
		errs = append(errs, fmt.Errorf("dynamics: BoundaryData: points is %d, must be at least 1", points))
	}
	if dim < 1 {
		errs = append(errs, fmt.Errorf("dynamics: BoundaryData: dim is %d, must be at least 1", dim))
	}
	errs = append(errs, checkChi("BoundaryData", chi))
	if err := errors.Join(errs...); err != nil {
		return SignedData{}, err
	}
	rng := online.Seeded(seed, "boundary data")
	half := distuv.Gamma{Alpha: (chi + 1) / 2, Beta: 1, Src: rng} // of x₁²/2
	x, y := mat.NewDense(points, dim, nil), make([]float64, points)
	for i := range y {
		row := x.RawRowView(i)
		y[i] = float64(2*rng.IntN(2) - 1)
		row[0] = y[i] * math.Sqrt(2*half.Rand())
		for j := 1; j < dim; j++ {
			row[j] = rng.NormFloat64()
		}
	}
	return SignedData{x, y}, nil
}

func checkChi(where string, chi float64) error {
	if !(chi > -1) || math.IsInf(chi, 0) {
		return fmt.Errorf("dynamics: %s: chi is %g, must be above -1 and finite", where, chi)
	}
	return nil
}

// Signed are the data of two groups of classes: label 1 where positive says so of the class.
func Signed(set *data.Dataset, positive func(class int32) bool) (SignedData, error) {
	if err := set.Validate(); err != nil {
		return SignedData{}, fmt.Errorf("dynamics: Signed: %w", err)
	}
	if set.Rows() == 0 || len(set.Labels) != set.Rows() {
		return SignedData{}, fmt.Errorf("dynamics: Signed: %q has %d labels for %d rows, must have one each, and rows", set.Name, len(set.Labels), set.Rows())
	}
	x, y := make([]float64, len(set.X)), make([]float64, set.Rows())
	for i, v := range set.X {
		x[i] = float64(v)
	}
	for i, class := range set.Labels {
		y[i] = -1
		if positive(class) {
			y[i] = 1
		}
	}
	return SignedData{mat.NewDense(len(y), len(x)/len(y), x), y}, nil
}

// OnSphere are the data with the mean over all rows taken away and every row scaled to a norm. A row that is the mean is an
// error.
func (d SignedData) OnSphere(norm float64) (SignedData, error) {
	if err := d.check("OnSphere", "data"); err != nil {
		return SignedData{}, err
	}
	if !(norm > 0) || math.IsInf(norm, 0) {
		return SignedData{}, fmt.Errorf("dynamics: OnSphere: norm is %g, must be positive and finite", norm)
	}
	x := mat.DenseCopyOf(d.X)
	rows, cols := x.Dims()
	mean := make([]float64, cols)
	for i := range rows {
		floats.AddScaled(mean, 1/float64(rows), d.X.RawRowView(i))
	}
	for i := range rows {
		row := x.RawRowView(i)
		floats.Sub(row, mean)
		length := floats.Norm(row, 2)
		if length == 0 {
			return SignedData{}, fmt.Errorf("dynamics: OnSphere: row %d is the mean of all rows, must have a direction", i)
		}
		floats.Scale(norm/length, row)
	}
	return SignedData{x, d.Y}, nil
}

// First returns the first n rows, which share their values.
func (d SignedData) First(n int) (SignedData, error) {
	if err := d.check("First", "data"); err != nil {
		return SignedData{}, err
	}
	if n < 1 || n > len(d.Y) {
		return SignedData{}, fmt.Errorf("dynamics: First: n is %d, must be between 1 and %d, the number of rows", n, len(d.Y))
	}
	return d.rows(0, n), nil
}

// rows are those from one on up to another, which share their values.
func (d SignedData) rows(from, to int) SignedData {
	_, cols := d.X.Dims()
	return SignedData{d.X.Slice(from, to, 0, cols).(*mat.Dense), d.Y[from:to]}
}

// check says what is wrong with data that are the argument name of where.
func (d SignedData) check(where, name string) error {
	if d.X == nil || d.X.IsEmpty() {
		return fmt.Errorf("dynamics: %s: %s is empty, must have rows", where, name)
	}
	rows, _ := d.X.Dims()
	if len(d.Y) != rows {
		return fmt.Errorf("dynamics: %s: %s has %d labels, must have %d, one a row", where, name, len(d.Y), rows)
	}
	for i, y := range d.Y {
		if y != 1 && y != -1 {
			return fmt.Errorf("dynamics: %s: label %d of %s is %g, must be -1 or 1", where, i, name, y)
		}
		for j, v := range d.X.RawRowView(i) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("dynamics: %s: coordinate %d of row %d of %s is %g, must be finite", where, j, i, name, v)
			}
		}
	}
	return nil
}
