package claim

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// finite says whether there is something to judge.
func finite(xs []float64) bool {
	if len(xs) == 0 {
		return false
	}
	return !slices.ContainsFunc(xs, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}

// number prints four digits.
func number(x float64) string { return fmt.Sprintf("%.4g", x) }

// Mean is the mean of a sample; NaN of nothing.
func Mean(xs []float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	return stat.Mean(xs, nil)
}

// Spread is "low … high" of a sample, or empty for one value.
func Spread(xs []float64) string {
	if len(xs) < 2 || !finite(xs) {
		return ""
	}
	return number(floats.Min(xs)) + " … " + number(floats.Max(xs))
}

func about(xs []float64, holds bool) Finding {
	return Finding{Measured: number(Mean(xs)), Spread: Spread(xs), Holds: holds && finite(xs)}
}

// AtMost holds where every value is at most the bound.
func AtMost(xs []float64, bound float64) Finding {
	return about(xs, !slices.ContainsFunc(xs, func(x float64) bool { return !(x <= bound) }))
}

// AtLeast holds where every value is at least the bound.
func AtLeast(xs []float64, bound float64) Finding {
	return about(xs, !slices.ContainsFunc(xs, func(x float64) bool { return !(x >= bound) }))
}

// Within holds where every value is in [low, high].
func Within(xs []float64, low, high float64) Finding {
	return about(xs, !slices.ContainsFunc(xs, func(x float64) bool { return !(x >= low && x <= high) }))
}

// Equal holds where every value is within tolerance of want.
func Equal(xs []float64, want, tolerance float64) Finding {
	return Within(xs, want-tolerance, want+tolerance)
}

// Below judges the means of two samples: it holds where mean(a) ≤ mean(b) + margin. A negative margin demands a gap.
func Below(a, b []float64, margin float64) Finding {
	return Finding{
		Measured: fmt.Sprintf("%s against %s", number(Mean(a)), number(Mean(b))),
		Spread:   joined(Spread(a), Spread(b)),
		Holds:    finite(a) && finite(b) && Mean(a) <= Mean(b)+margin,
	}
}

// EveryBelow judges seed by seed: it holds where a[i] ≤ b[i] + margin for every i. Samples of different lengths never
// hold.
func EveryBelow(a, b []float64, margin float64) Finding {
	f := Below(a, b, margin)
	f.Holds = finite(a) && finite(b) && len(a) == len(b)
	for i := range a {
		f.Holds = f.Holds && a[i] <= b[i]+margin
	}
	return f
}

// Decreasing holds where the values fall strictly from first to last.
func Decreasing(xs []float64) Finding {
	texts := make([]string, len(xs))
	holds := finite(xs)
	for i, x := range xs {
		texts[i] = number(x)
		holds = holds && (i == 0 || x < xs[i-1])
	}
	return Finding{Measured: strings.Join(texts, ", "), Holds: holds}
}

// Ratio holds where every a[i]/b[i] is in [low, high].
func Ratio(a, b []float64, low, high float64) Finding {
	if len(a) != len(b) || !finite(a) || !finite(b) {
		return Finding{Measured: "no pairs", Holds: false}
	}
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return Within(ratios, low, high)
}

// LogLogSlope is the slope of log y against log x by least squares; NaN where fewer than two points are positive.
func LogLogSlope(x, y []float64) float64 {
	if len(x) != len(y) {
		return math.NaN()
	}
	var lx, ly []float64
	for i := range x {
		if x[i] > 0 && y[i] > 0 {
			lx, ly = append(lx, math.Log(x[i])), append(ly, math.Log(y[i]))
		}
	}
	if len(lx) < 2 {
		return math.NaN()
	}
	_, slope := stat.LinearRegression(lx, ly, nil, false)
	return slope
}

// Slope holds where the log-log slope of every curve y over x is in [low, high].
func Slope(x []float64, ys [][]float64, low, high float64) Finding {
	slopes := make([]float64, len(ys))
	for i, y := range ys {
		slopes[i] = LogLogSlope(x, y)
	}
	return Within(slopes, low, high)
}

// All holds where every part holds; labels name the parts, one each.
func All(labels []string, parts ...Finding) Finding {
	if len(labels) != len(parts) || len(parts) == 0 {
		return Finding{Measured: "nothing to judge"}
	}
	var measured, spread []string
	holds := true
	for i, p := range parts {
		measured = append(measured, labels[i]+" "+p.Measured)
		if p.Spread != "" {
			spread = append(spread, labels[i]+" "+p.Spread)
		}
		holds = holds && p.Holds
	}
	return Finding{strings.Join(measured, "; "), strings.Join(spread, "; "), holds}
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " against " + b
}
