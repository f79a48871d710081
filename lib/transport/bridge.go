package transport

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Component is one Gaussian of an adjusted potential: α·N(y; R, ε·S).
type Component struct {
	LogAlpha float64       // log α, finite; a factor common to all components changes nothing
	R        []float64     // D numbers
	S        mat.Symmetric // D×D, positive definite; a [mat.DiagDense] keeps the bridge's cost linear in D
}

// Bridge is a Schrödinger bridge from p0 whose adjusted potential is a mixture of K Gaussians in D dimensions:
//
//	v(y)   = Σ_k α_k N(y; r_k, ε S_k)
//	c(x)   = ∫ exp(⟨x, y⟩/ε) v(y) dy = Σ_k α_k exp((xᵀS_k x + 2 r_kᵀx)/2ε)
//	π(y|x) = Σ_k w_k(x) N(y; r_k + S_k x, ε S_k),  w_k(x) ∝ α_k exp((xᵀS_k x + 2 r_kᵀx)/2ε)
//
// It does not change and may be used by several goroutines at once.
//
// Source: Korotin, Gushchin, Burnaev (2024), Light Schrödinger Bridge.
type Bridge struct {
	dim   int
	eps   float64
	parts []part
}

// part is a component in the basis in which S is diagonal.
type part struct {
	Component
	s       []float64  // eigenvalues of S
	u       *mat.Dense // eigenvectors, in columns; nil: the axes
	rho     []float64  // Uᵀr
	logNorm float64    // −½ Σ log(2πε s)
}

// NewBridge makes a bridge of variance eps > 0. It is an error unless there is at least one component, all have the same
// dimension, all numbers are finite and every S is positive definite.
func NewBridge(eps float64, components []Component) (*Bridge, error) {
	errs := []error{checkEpsilon("NewBridge", "eps", eps)}
	if len(components) == 0 || len(components[0].R) == 0 {
		return nil, errors.Join(append(errs, errors.New("transport: NewBridge: there is no component of at least 1 dimension"))...)
	}
	b := &Bridge{dim: len(components[0].R), eps: eps, parts: make([]part, len(components))}
	for k, c := range components {
		var err error
		b.parts[k], err = newPart(k, b.dim, eps, c)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return b, nil
}

func newPart(k, dim int, eps float64, c Component) (part, error) {
	var errs []error
	if math.IsNaN(c.LogAlpha) || math.IsInf(c.LogAlpha, 0) {
		errs = append(errs, fmt.Errorf("transport: NewBridge: LogAlpha of component %d is %g, must be finite", k, c.LogAlpha))
	}
	if len(c.R) != dim {
		errs = append(errs, fmt.Errorf("transport: NewBridge: R of component %d has %d numbers, must have %d like component 0", k, len(c.R), dim))
	}
	for d, r := range c.R {
		if math.IsNaN(r) || math.IsInf(r, 0) {
			errs = append(errs, fmt.Errorf("transport: NewBridge: R of component %d is %g at %d, must be finite", k, r, d))
		}
	}
	s, u, err := spectrum(fmt.Sprintf("NewBridge: S of component %d", k), c.S, dim)
	if err := errors.Join(append(errs, err)...); err != nil {
		return part{}, err
	}
	return assemble(eps, c, s, u), nil
}

// assemble makes a part of a component whose eigenvalues and eigenvectors are known.
func assemble(eps float64, c Component, s []float64, u *mat.Dense) part {
	p := part{Component: c, s: s, u: u, rho: make([]float64, len(s))}
	p.rotate(p.rho, c.R)
	for _, v := range s {
		p.logNorm -= (math.Log(2*math.Pi*eps) + math.Log(v)) / 2
	}
	return p
}

// Dim is D.
func (b *Bridge) Dim() int { return b.dim }

// Epsilon is ε, the variance of the diffusion over the unit of time.
func (b *Bridge) Epsilon() float64 { return b.eps }

// Components are the Gaussians of the potential, in order. They share memory with the bridge: do not change them.
func (b *Bridge) Components() []Component {
	out := make([]Component, len(b.parts))
	for k := range b.parts {
		out[k] = b.parts[k].Component
	}
	return out
}

// rotate puts Uᵀx into dst.
func (p *part) rotate(dst, x []float64) {
	if p.u == nil {
		copy(dst, x)
		return
	}
	clear(dst)
	for d, v := range x {
		floats.AddScaled(dst, v, p.u.RawRowView(d))
	}
}

// addBack adds f·Ux to dst.
func (p *part) addBack(dst []float64, f float64, x []float64) {
	if p.u == nil {
		floats.AddScaled(dst, f, x)
		return
	}
	for d := range dst {
		dst[d] += f * floats.Dot(p.u.RawRowView(d), x)
	}
}

// workspace is what one goroutine needs besides its result.
type workspace struct {
	logits, turned, moved []float64
}

func (b *Bridge) workspace() *workspace {
	return &workspace{make([]float64, len(b.parts)), make([]float64, b.dim), make([]float64, b.dim)}
}

// potential fills the logits of v(y) and returns its logarithm.
func (b *Bridge) potential(w *workspace, y []float64) float64 {
	for k := range b.parts {
		p := &b.parts[k]
		floats.SubTo(w.moved, y, p.R)
		p.rotate(w.turned, w.moved)
		q := 0.0
		for d, v := range w.turned {
			q += v * v / p.s[d]
		}
		w.logits[k] = p.LogAlpha + p.logNorm - q/(2*b.eps)
	}
	return floats.LogSumExp(w.logits)
}

// normalizer fills the logits of c(x) and returns its logarithm.
func (b *Bridge) normalizer(w *workspace, x []float64) float64 {
	for k := range b.parts {
		p := &b.parts[k]
		p.rotate(w.turned, x)
		q := 0.0
		for d, v := range w.turned {
			q += v * (p.s[d]*v + 2*p.rho[d])
		}
		w.logits[k] = p.LogAlpha + q/(2*b.eps)
	}
	return floats.LogSumExp(w.logits)
}

// weights turns logits into weights that sum to 1.
func weights(logits []float64) {
	top, sum := floats.Max(logits), 0.0
	for k, v := range logits {
		logits[k] = math.Exp(v - top)
		sum += logits[k]
	}
	floats.Scale(1/sum, logits)
}

// LogPotential is log v(y) of each row.
func (b *Bridge) LogPotential(y *mat.Dense) ([]float64, error) {
	if err := b.checkSamples("LogPotential", "y", y); err != nil {
		return nil, err
	}
	return b.each(y, b.potential), nil
}

// LogNormalizer is log c(x) of each row.
func (b *Bridge) LogNormalizer(x *mat.Dense) ([]float64, error) {
	if err := b.checkSamples("LogNormalizer", "x", x); err != nil {
		return nil, err
	}
	return b.each(x, b.normalizer), nil
}

func (b *Bridge) each(x *mat.Dense, f func(*workspace, []float64) float64) []float64 {
	n, _ := x.Dims()
	out := make([]float64, n)
	inParallel(n, func(from, to int) {
		w := b.workspace()
		for i := from; i < to; i++ {
			out[i] = f(w, x.RawRowView(i))
		}
	})
	return out
}

// LogPlan is log π(y|x) of each pair of rows: ⟨x, y⟩/ε + log v(y) − log c(x). x and y have the same number of rows.
func (b *Bridge) LogPlan(x, y *mat.Dense) ([]float64, error) {
	err := errors.Join(b.checkSamples("LogPlan", "x", x), b.checkSamples("LogPlan", "y", y))
	if err == nil && x.RawMatrix().Rows != y.RawMatrix().Rows {
		err = fmt.Errorf("transport: LogPlan: y has %d rows, must have %d like x", y.RawMatrix().Rows, x.RawMatrix().Rows)
	}
	if err != nil {
		return nil, err
	}
	out, logC := b.each(y, b.potential), b.each(x, b.normalizer)
	for i := range out {
		out[i] += floats.Dot(x.RawRowView(i), y.RawRowView(i))/b.eps - logC[i]
	}
	return out, nil
}

// Loss is mean log c(x) − mean log v(y) over samples x of p0 and y of p1, which need not be paired. Over the whole
// distributions, Loss minus that of the true bridge is KL(true plan ‖ this plan), which is that of the processes too.
//
// Source: Korotin, Gushchin, Burnaev (2024), Light Schrödinger Bridge, the reformulation of the divergence.
func (b *Bridge) Loss(x0, x1 *mat.Dense) (float64, error) {
	logC, err0 := b.LogNormalizer(x0)
	logV, err1 := b.LogPotential(x1)
	if err := errors.Join(err0, err1); err != nil {
		return 0, err
	}
	return floats.Sum(logC)/float64(len(logC)) - floats.Sum(logV)/float64(len(logV)), nil
}

// Weights are w(x), the probabilities of the components of π(y|x).
func (b *Bridge) Weights(x []float64) ([]float64, error) {
	if err := b.checkPoint("Weights", x); err != nil {
		return nil, err
	}
	w := b.workspace()
	b.normalizer(w, x)
	weights(w.logits)
	return w.logits, nil
}

// ConditionalMoments are mean and covariance of π(y|x).
func (b *Bridge) ConditionalMoments(x []float64) (Normal, error) {
	if err := b.checkPoint("ConditionalMoments", x); err != nil {
		return Normal{}, err
	}
	w := b.workspace()
	b.normalizer(w, x)
	weights(w.logits)
	means := mat.NewDense(len(b.parts), b.dim, nil)
	mean := make([]float64, b.dim)
	for k := range b.parts {
		b.parts[k].conditionalMean(means.RawRowView(k), w.turned, x)
		floats.AddScaled(mean, w.logits[k], means.RawRowView(k))
	}
	cov := mat.NewSymDense(b.dim, nil)
	for k := range b.parts {
		if w.logits[k] == 0 {
			continue
		}
		row := means.RawRowView(k)
		floats.Sub(row, mean)
		cov.SymRankOne(cov, w.logits[k], mat.NewVecDense(b.dim, row))
		addSym(cov, w.logits[k]*b.eps, b.parts[k].S)
	}
	return Normal{Mean: mean, Cov: cov}, nil
}

// conditionalMean puts r + Sx into dst; turned is scratch.
func (p *part) conditionalMean(dst, turned, x []float64) {
	p.rotate(turned, x)
	floats.Mul(turned, p.s)
	copy(dst, p.R)
	p.addBack(dst, 1, turned)
}
