package curvature

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// Estimate is the mean of independent samples.
type Estimate struct {
	Mean float64
	// StdErr is the samples' standard deviation (n − 1 form) over √n: the mean's own. One sample says nothing about it: +Inf.
	StdErr  float64
	Samples int
}

func estimate(samples []float64) Estimate {
	mean, deviation := stat.MeanStdDev(samples, nil)
	e := Estimate{Mean: mean, StdErr: math.Inf(1), Samples: len(samples)}
	if len(samples) > 1 {
		e.StdErr = deviation / math.Sqrt(float64(len(samples)))
	}
	return e
}

// TraceEstimate is what [Trace] measures.
type TraceEstimate struct {
	Estimate           // of tr A
	Squares  Estimate  // of ‖A‖_F² = tr A², from the same products: the mean of ‖Az‖²
	Products []float64 // zᵀAz of each probe z
}

// Trace estimates tr A = E zᵀAz with one product a probe (Hutchinson). A probe's variance is 2(‖A‖_F² − Σ A_ii²) with entries
// ±1, which is exact for a diagonal matrix, and 2‖A‖_F² with normal ones. A context that ends gives its error and the
// estimate so far.
//
// Source: Hutchinson (1990), A Stochastic Estimator of the Trace of the Influence Matrix for Laplacian Smoothing Splines.
func Trace(ctx context.Context, op Operator, probes Probes) (TraceEstimate, error) {
	if err := op.valid("Trace"); err != nil {
		return TraceEstimate{}, err
	}
	if err := probes.valid("Trace", op.Dim); err != nil {
		return TraceEstimate{}, err
	}
	var out TraceEstimate
	var squares []float64
	y := make([]float64, op.Dim)
	var err error
	for i := range probes.count() {
		if err = ctx.Err(); err != nil {
			break
		}
		z := probes.vector(i, op.Dim)
		if err = op.apply("Trace", y, z); err != nil {
			break
		}
		out.Products = append(out.Products, floats.Dot(z, y))
		squares = append(squares, floats.Dot(y, y))
	}
	if len(squares) > 0 {
		out.Estimate, out.Squares = estimate(out.Products), estimate(squares)
	}
	return out, err
}
