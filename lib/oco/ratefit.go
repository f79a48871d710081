package oco

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// RateFit is a power law gap ≈ exp(Intercept)·T^Slope, fitted as a line in the logarithms.
type RateFit struct {
	Slope, Intercept float64
	// Low and High are the ends of the slope's confidence interval, by Student's t with two degrees of freedom less than
	// there are points; infinite where there are two points only. It covers scatter about the line, not a bend of it.
	Low, High float64
}

// FitRate fits a rate to the gaps reached in so many rounds, with a confidence, e.g. 0.95, for the interval. It wants at
// least two different numbers of rounds, and gaps above 0.
func FitRate(rounds, gaps []float64, confidence float64) (RateFit, error) {
	var errs []error
	n := len(rounds)
	if n < 2 || len(gaps) != n {
		errs = append(errs, fmt.Errorf("oco: FitRate: %d numbers of rounds and %d gaps, must be at least 2 and as many", n, len(gaps)))
	}
	if !(confidence > 0 && confidence < 1) {
		errs = append(errs, fmt.Errorf("oco: FitRate: confidence is %g, must be in (0, 1)", confidence))
	}
	logs := func(name string, values []float64) []float64 {
		out := make([]float64, len(values))
		for i, v := range values {
			if !(v > 0) || math.IsInf(v, 1) {
				errs = append(errs, fmt.Errorf("oco: FitRate: %s %d is %g, must be above 0 and finite", name, i, v))
			}
			out[i] = math.Log(v)
		}
		return out
	}
	x, y := logs("number of rounds", rounds), logs("gap", gaps)
	if err := errors.Join(errs...); err != nil {
		return RateFit{}, err
	}
	spread := stat.Variance(x, nil) * float64(n-1)
	if spread == 0 {
		return RateFit{}, fmt.Errorf("oco: FitRate: all numbers of rounds are %g, must differ", rounds[0])
	}
	intercept, slope := stat.LinearRegression(x, y, nil, false)
	fit := RateFit{Slope: slope, Intercept: intercept, Low: math.Inf(-1), High: math.Inf(1)}
	if n > 2 {
		var squared float64
		for i := range x {
			r := y[i] - intercept - slope*x[i]
			squared += r * r
		}
		free := float64(n - 2)
		half := distuv.StudentsT{Sigma: 1, Nu: free}.Quantile((1+confidence)/2) * math.Sqrt(squared/free/spread)
		fit.Low, fit.High = slope-half, slope+half
	}
	return fit, nil
}
