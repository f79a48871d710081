package matching

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// Estimate is a mean of independent repetitions.
type Estimate struct {
	Mean   float64
	StdErr float64   // of the mean, from the spread of the values; NaN of a single one
	Values []float64 // one a repetition
}

// NewEstimate is the estimate from these values.
func NewEstimate(values []float64) (Estimate, error) {
	if len(values) == 0 {
		return Estimate{}, fmt.Errorf("matching: NewEstimate: there are 0 values, must be at least 1")
	}
	mean, deviation := stat.MeanStdDev(values, nil)
	return Estimate{Mean: mean, StdErr: deviation / math.Sqrt(float64(len(values))), Values: values}, nil
}

// Over is the estimate as a ratio to a benchmark that is known exactly.
func (e Estimate) Over(benchmark float64) Estimate {
	out := Estimate{Mean: e.Mean / benchmark, StdErr: e.StdErr / math.Abs(benchmark), Values: make([]float64, len(e.Values))}
	for i, x := range e.Values {
		out.Values[i] = x / benchmark
	}
	return out
}

// Interval is mean ± z standard errors: z = 1.96 covers the truth in 95 of 100 cases, as far as the mean is normal.
func (e Estimate) Interval(z float64) (low, high float64) {
	return e.Mean - z*e.StdErr, e.Mean + z*e.StdErr
}

// Ratio of the means of two estimates with its standard error, by the delta method: the spread of a_i − r·b_i over the mean of b.
// Values of the same place are taken as pairs, so that what the two share, such as the thresholds of one seed, cancels.
// It is never the mean of single ratios, which is biased.
func Ratio(a, b Estimate) (ratio, stdErr float64, err error) {
	if len(a.Values) != len(b.Values) || len(a.Values) < 2 {
		return 0, 0, fmt.Errorf("matching: Ratio: the estimates have %d and %d values, must have equally many and at least 2", len(a.Values), len(b.Values))
	}
	if b.Mean == 0 {
		return 0, 0, fmt.Errorf("matching: Ratio: the mean of the second estimate is 0, must be another")
	}
	ratio = a.Mean / b.Mean
	residuals := make([]float64, len(a.Values))
	for i := range residuals {
		residuals[i] = a.Values[i] - ratio*b.Values[i]
	}
	return ratio, stat.StdErr(stat.StdDev(residuals, nil), float64(len(residuals))) / math.Abs(b.Mean), nil
}
