package transport

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Normal is a normal distribution, or the first two moments of another.
type Normal struct {
	Mean []float64
	Cov  *mat.SymDense
}

// MomentsOf are mean and covariance of samples, at least two rows.
func MomentsOf(x *mat.Dense) (Normal, error) {
	if err := checkSamples("MomentsOf", "x", x, 0); err != nil {
		return Normal{}, err
	}
	n, dim := x.Dims()
	if n < 2 {
		return Normal{}, fmt.Errorf("transport: MomentsOf: x has %d row, must have at least 2", n)
	}
	out := Normal{Mean: make([]float64, dim), Cov: mat.NewSymDense(dim, nil)}
	for d := range dim {
		out.Mean[d] = stat.Mean(mat.Col(nil, d, x), nil)
	}
	stat.CovarianceMatrix(out.Cov, x, nil)
	return out, nil
}

func (n Normal) check(where string, dim int) error {
	if len(n.Mean) != dim || n.Cov == nil || n.Cov.SymmetricDim() != dim {
		return fmt.Errorf("transport: %s: mean and covariance must both be of %d dimensions", where, dim)
	}
	for d, v := range n.Mean {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("transport: %s: the mean is %g at %d, must be finite", where, v, d)
		}
		for e := range dim {
			if v := n.Cov.At(d, e); math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("transport: %s: the covariance is %g at (%d, %d), must be finite", where, v, d, e)
			}
		}
	}
	return nil
}

// GaussianSolution is the bridge of two Gaussians, y|x ~ N(R + Sx, εS), in closed form.
type GaussianSolution struct {
	R     []float64
	S     *mat.SymDense
	Cross *mat.Dense // covariance of x and y, C0·S
	Eps   float64
}

// GaussianBridge is the exact Schrödinger bridge of variance eps > 0 between two Gaussians with positive definite
// covariances C0 and C1: S solves S C0 S + εS = C1,
//
//	S = C0^(-½) · ½((4 C0^½ C1 C0^½ + ε²I)^½ − εI) · C0^(-½),  R = m1 − S m0
//
// Source: Janati et al. (2020), Entropic Optimal Transport between Unbalanced Gaussian Measures has a Closed Form.
func GaussianBridge(p0, p1 Normal, eps float64) (*GaussianSolution, error) {
	dim := len(p0.Mean)
	err := errors.Join(checkEpsilon("GaussianBridge", "eps", eps), p0.check("GaussianBridge: p0", dim), p1.check("GaussianBridge: p1", dim))
	if dim == 0 {
		err = errors.Join(err, errors.New("transport: GaussianBridge: p0 has no dimension, must have at least 1"))
	}
	if err != nil {
		return nil, err
	}
	values, u, err0 := spectrum("GaussianBridge: the covariance of p0", p0.Cov, dim)
	_, _, err1 := spectrum("GaussianBridge: the covariance of p1", p1.Cov, dim)
	if err := errors.Join(err0, err1); err != nil {
		return nil, err
	}
	half := function(values, u, math.Sqrt)
	inverse := function(values, u, func(v float64) float64 { return 1 / math.Sqrt(v) })
	values, u, err = spectrum("GaussianBridge: the product of covariances", sandwich(half, p1.Cov), dim)
	if err != nil {
		return nil, err
	}
	// ½(√(4v + ε²) − ε) without cancellation where ε² ≫ v.
	inner := function(values, u, func(v float64) float64 { return 2 * v / (math.Sqrt(4*v+eps*eps) + eps) })
	out := &GaussianSolution{R: append([]float64(nil), p1.Mean...), S: sandwich(inverse, inner), Cross: new(mat.Dense), Eps: eps}
	out.Cross.Mul(p0.Cov, out.S)
	var shift mat.VecDense
	shift.MulVec(out.S, mat.NewVecDense(dim, p0.Mean))
	floats.Sub(out.R, shift.RawVector().Data)
	return out, nil
}

// Bridge is the solution as a bridge of one component.
func (g *GaussianSolution) Bridge() (*Bridge, error) {
	return NewBridge(g.Eps, []Component{{R: g.R, S: g.S}})
}

// FitGaussian is the bridge between the Gaussians with the samples' means and covariances: LightSB with one component, in
// closed form.
func FitGaussian(x0, x1 *mat.Dense, eps float64) (*Bridge, error) {
	p0, err0 := MomentsOf(x0)
	p1, err1 := MomentsOf(x1)
	if err := errors.Join(err0, err1); err != nil {
		return nil, err
	}
	g, err := GaussianBridge(p0, p1, eps)
	if err != nil {
		return nil, err
	}
	return g.Bridge()
}

// single returns the only component.
func (b *Bridge) single(where string, p0, p1 Normal) (*part, error) {
	if err := b.made(where); err != nil {
		return nil, err
	}
	err := errors.Join(p0.check(where+": p0", b.dim), p1.check(where+": p1", b.dim))
	if len(b.parts) != 1 {
		err = errors.Join(err, fmt.Errorf("transport: %s: the bridge has %d components, must have 1", where, len(b.parts)))
	}
	return &b.parts[0], err
}

// GaussianLoss is [Bridge.Loss] of a bridge of one component over all of two Gaussians instead of samples.
func (b *Bridge) GaussianLoss(p0, p1 Normal) (float64, error) {
	p, err := b.single("GaussianLoss", p0, p1)
	if err != nil {
		return 0, err
	}
	logC := (expectedSquare(p.S, p0, make([]float64, b.dim)) + 2*floats.Dot(p.R, p0.Mean)) / (2 * b.eps)
	inverse := function(p.s, p.u, func(v float64) float64 { return 1 / v })
	return logC - p.logNorm + expectedSquare(inverse, p1, p.R)/(2*b.eps), nil
}

// expectedSquare is E (x−c)ᵀA(x−c).
func expectedSquare(a mat.Symmetric, n Normal, center []float64) float64 {
	diff := append([]float64(nil), n.Mean...)
	floats.Sub(diff, center)
	v := mat.NewVecDense(len(diff), diff)
	var product mat.Dense
	product.Mul(a, n.Cov)
	return mat.Trace(&product) + mat.Inner(v, a, v)
}

// GaussianKL is KL(truth ‖ b) of the plans of two bridges of one component that start from p0 and have the same ε:
// the mean over x of KL(N(r*+S*x, εS*) ‖ N(r+Sx, εS)).
func (b *Bridge) GaussianKL(truth *Bridge, p0 Normal) (float64, error) {
	p, err := b.single("GaussianKL", p0, p0)
	q, errTruth := truth.single("GaussianKL: truth", p0, p0)
	if err := errors.Join(err, errTruth); err != nil {
		return 0, err
	}
	if truth.eps != b.eps {
		return 0, fmt.Errorf("transport: GaussianKL: Epsilon of the truth is %g, must be %g like the bridge's", truth.eps, b.eps)
	}
	inverse := function(p.s, p.u, func(v float64) float64 { return 1 / v })
	var ratio, slope mat.Dense
	ratio.Mul(inverse, q.S)
	slope.Sub(q.S, p.S)
	var cov, half mat.Dense
	half.Mul(&slope, p0.Cov)
	cov.Mul(&half, &slope)
	shift := mat.NewVecDense(b.dim, nil)
	shift.MulVec(&slope, mat.NewVecDense(b.dim, p0.Mean))
	mean := shift.RawVector().Data
	floats.Add(mean, q.R)
	gap := expectedSquare(inverse, Normal{Mean: mean, Cov: symmetric(&cov)}, p.R)
	return (mat.Trace(&ratio)-float64(b.dim))/2 + q.logNorm - p.logNorm + gap/(2*b.eps), nil
}
