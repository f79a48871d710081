package curvature

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"
)

// DensityConfig says how [SpectralDensity] goes.
type DensityConfig struct {
	Probes Probes
	Steps  int // of Lanczos a probe; default 60
	// Sigma is the width of the normal distribution each node is smeared to; default a hundredth of the spectrum's.
	Sigma float64
	// Points of the grid, which goes from 4 Sigma below the smallest node to 4 above the largest; default 400.
	Points int
	// Recurrence leaves the reorthogonalization out; see [LanczosConfig].
	Recurrence bool
}

// Density is an estimate of how an operator's eigenvalues are distributed.
type Density struct {
	T       []float64   // the grid
	Density []Estimate  // there, of integral 1, with its error over the probes
	Nodes   [][]float64 // Ritz values of each probe
	Weights [][]float64 // of each node; 1 together a probe
	Sigma   float64
	Dim     int // of the operator: that many eigenvalues
}

// SpectralDensity estimates the density (1/p) Σ_i δ(t − λ_i) of the p eigenvalues by stochastic Lanczos quadrature: of each
// probe z, the nodes and weights of Lanczos from z. They give zᵀf(A)z/zᵀz exactly for polynomials of degree up to 2·Steps − 1.
// A context that ends gives its error.
//
// Source: Golub, Welsch (1969), Calculation of Gauss Quadrature Rules; Ubaru, Chen, Saad (2017), Fast Estimation of tr(f(A))
// via Stochastic Lanczos Quadrature; Ghorbani, Krishnan, Xiao (2019), An Investigation into Neural Net Optimization via Hessian
// Eigenvalue Density, Algorithm 2.
func SpectralDensity(ctx context.Context, op Operator, c DensityConfig) (*Density, error) {
	if err := op.valid("SpectralDensity"); err != nil {
		return nil, err
	}
	if err := c.Probes.valid("SpectralDensity", op.Dim); err != nil {
		return nil, err
	}
	if c.Points == 0 {
		c.Points = 400
	}
	if c.Points < 2 || !(c.Sigma >= 0) || math.IsInf(c.Sigma, 0) {
		return nil, fmt.Errorf("curvature: SpectralDensity: Points is %d and Sigma %g, must be at least 2 and not negative", c.Points, c.Sigma)
	}
	out := &Density{Dim: op.Dim, Sigma: c.Sigma}
	low, high := math.Inf(1), math.Inf(-1)
	var q basis
	for i := range c.Probes.count() {
		r, err := lanczos(ctx, "SpectralDensity", op, LanczosConfig{Steps: c.Steps, Start: c.Probes.vector(i, op.Dim), Recurrence: c.Recurrence}, &q)
		if err != nil {
			return nil, err
		}
		out.Nodes, out.Weights = append(out.Nodes, r.Values), append(out.Weights, r.Weights)
		low, high = math.Min(low, r.Values[0]), math.Max(high, r.Values[len(r.Values)-1])
	}
	if out.Sigma == 0 {
		out.Sigma = (high - low) / 100
	}
	if out.Sigma == 0 { // one eigenvalue
		out.Sigma = math.Abs(high) / 100
	}
	if out.Sigma == 0 {
		out.Sigma = 0.01
	}
	out.T = floats.Span(make([]float64, c.Points), low-4*out.Sigma, high+4*out.Sigma)
	for _, t := range out.T {
		out.Density = append(out.Density, out.At(t))
	}
	return out, nil
}

// At is the density at t.
func (d *Density) At(t float64) Estimate {
	return d.mean(distuv.Normal{Mu: t, Sigma: d.Sigma}.Prob)
}

// Trace is tr f(A) = Σ f(λ_i), e.g. of the logarithm of a positive definite A its log-determinant. Its error is that of the
// probes, and not that of f being other than a polynomial.
func (d *Density) Trace(f func(eigenvalue float64) float64) Estimate {
	e := d.mean(f)
	e.Mean, e.StdErr = e.Mean*float64(d.Dim), e.StdErr*float64(d.Dim)
	return e
}

// mean of f over the eigenvalues.
func (d *Density) mean(f func(float64) float64) Estimate {
	samples := make([]float64, len(d.Nodes))
	for i, nodes := range d.Nodes {
		for k, theta := range nodes {
			samples[i] += d.Weights[i][k] * f(theta)
		}
	}
	return estimate(samples)
}
