package curvature

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// GradientNoise is how n examples' gradients g_i scatter about their mean g, the gradient of the loss:
//
//	C = (1/n) Σ (g_i − g)(g_i − g)ᵀ,   S = (1/n) Σ g_i g_iᵀ = C + g gᵀ
//
// Both divide by n: they are those of the training set, from which minibatches are drawn, and not estimates for a population
// behind it, which divide by n − 1.
type GradientNoise struct {
	Examples int
	Gradient []float64 // g
	Squared  float64   // ‖g‖²
	// TraceC and TraceS are tr C and tr S, each a mean over the examples: exact for the training set, and with the error that
	// they have for the population behind it.
	TraceC, TraceS Estimate

	gradients, centred *mat.Dense
}

// NewGradientNoise takes the gradients one a row, as [Landscape.PerExampleGradients] returns them, and keeps them.
func NewGradientNoise(gradients *mat.Dense) (*GradientNoise, error) {
	if gradients == nil || gradients.IsEmpty() {
		return nil, fmt.Errorf("curvature: NewGradientNoise: there are no gradients")
	}
	n, d := gradients.Dims()
	out := &GradientNoise{Examples: n, Gradient: make([]float64, d), gradients: gradients, centred: mat.DenseCopyOf(gradients)}
	for i := range n {
		row := gradients.RawRowView(i)
		if j := notFinite(row); j >= 0 {
			return nil, fmt.Errorf("curvature: NewGradientNoise: entry %d of gradient %d is %g, must be finite", j, i, row[j])
		}
		floats.AddScaled(out.Gradient, 1/float64(n), row)
	}
	var around, raw []float64
	for i := range n {
		row := out.centred.RawRowView(i)
		raw = append(raw, floats.Dot(row, row))
		floats.Sub(row, out.Gradient)
		around = append(around, floats.Dot(row, row))
	}
	out.Squared = floats.Dot(out.Gradient, out.Gradient)
	out.TraceC, out.TraceS = estimate(around), estimate(raw)
	return out, nil
}

// Covariance is C, with 2·n·Dim multiply-adds a product: its trace, eigenvalues and density are those of any [Operator].
func (n *GradientNoise) Covariance() Operator { return secondMoment(n.centred) }

// SecondMoment is S.
func (n *GradientNoise) SecondMoment() Operator { return secondMoment(n.gradients) }

func secondMoment(rows *mat.Dense) Operator {
	n, d := rows.Dims()
	along := mat.NewVecDense(n, nil)
	return Operator{Dim: d, Apply: func(y, x []float64) error {
		along.MulVec(rows, mat.NewVecDense(d, x))
		along.ScaleVec(1/float64(n), along)
		mat.NewVecDense(d, y).MulVec(rows.T(), along)
		return nil
	}}
}

// Spectrum finds C's nonzero eigenvalues, from the Gram matrix of the centred gradients: for more than some thousand
// examples, [Lanczos] with Covariance finds the largest sooner.
func (n *GradientNoise) Spectrum() (Spectrum, error) {
	var gram mat.SymDense
	rows := mat.Matrix(n.centred)
	if r, c := rows.Dims(); c < r {
		rows = n.centred.T()
	}
	gram.SymOuterK(1/float64(n.Examples), rows)
	return SpectrumOf(&gram)
}

// NoiseCurvature is the noise in a curvature's metric.
type NoiseCurvature struct {
	// TraceCH and TraceSH are tr(CH) and tr(SH) as means of (g_i − g)ᵀH(g_i − g) and of g_iᵀHg_i, with errors as those of
	// [GradientNoise].
	TraceCH, TraceSH Estimate
	// Cosine is tr(CH)/(‖C‖_F‖H‖_F): 1 where C and H are proportional. The norm of H is the argument's.
	Cosine float64
}

// Along measures the noise along a curvature H with n + 1 products: tr(CH)·η²/2B is what the noise of minibatches of B adds to
// the loss each step of SGD with rate η. frobenius is ‖H‖_F, which [Trace] estimates; 0: no Cosine is asked for.
func (n *GradientNoise) Along(ctx context.Context, h Operator, frobenius float64) (NoiseCurvature, error) {
	if err := h.valid("GradientNoise: Along"); err != nil {
		return NoiseCurvature{}, err
	}
	if h.Dim != len(n.Gradient) || !(frobenius >= 0) {
		return NoiseCurvature{}, fmt.Errorf("curvature: GradientNoise: Along: the operator has dimension %d and norm %g, must have the gradients' %d and not be negative", h.Dim, frobenius, len(n.Gradient))
	}
	y, hg := make([]float64, h.Dim), make([]float64, h.Dim)
	if err := h.apply("GradientNoise: Along", hg, n.Gradient); err != nil {
		return NoiseCurvature{}, err
	}
	ghg := floats.Dot(n.Gradient, hg)
	var around, raw []float64
	for i := range n.Examples {
		if err := ctx.Err(); err != nil {
			return NoiseCurvature{}, err
		}
		row := n.centred.RawRowView(i)
		if err := h.apply("GradientNoise: Along", y, row); err != nil {
			return NoiseCurvature{}, err
		}
		v := floats.Dot(row, y)
		around, raw = append(around, v), append(raw, v+2*floats.Dot(row, hg)+ghg)
	}
	out := NoiseCurvature{TraceCH: estimate(around), TraceSH: estimate(raw)}
	if frobenius > 0 {
		spectrum, err := n.Spectrum()
		if err != nil {
			return out, err
		}
		out.Cosine = out.TraceCH.Mean / (spectrum.Frobenius * frobenius)
	}
	return out, nil
}

// NoiseAlignment is how the noise of batch size 1 leans on the Gauss–Newton matrix G = (1/n) Σ ∇f_i∇f_iᵀ of half the square
// loss L, with residuals r_i and the gradients ∇f_i of a model's one output, a row each:
//
//	μ1 = tr S/(2L·tr G),   μ2 = tr(SG)/(2L·‖G‖_F²)
//
// for S = (1/n) Σ r_i² ∇f_i∇f_iᵀ. μ1 is 1 where all ‖∇f_i‖ are equal.
//
// Source: Wu, Wang, Su (2022), The Alignment Property of SGD Noise and How It Helps Select Flat Minima.
func NoiseAlignment(residuals []float64, gradients *mat.Dense) (mu1, mu2 float64, err error) {
	if gradients == nil || gradients.IsEmpty() {
		return 0, 0, fmt.Errorf("curvature: NoiseAlignment: there are no gradients")
	}
	n, _ := gradients.Dims()
	if len(residuals) != n {
		return 0, 0, fmt.Errorf("curvature: NoiseAlignment: there are %d residuals, must be as many as gradients, %d", len(residuals), n)
	}
	var k mat.SymDense // its entries are n times those of JJᵀ/n: the factors cancel
	k.SymOuterK(1, gradients)
	var loss, s, g, sg, gg float64
	for i, r := range residuals {
		loss += r * r
		s += r * r * k.At(i, i)
		g += k.At(i, i)
		for j := range n {
			square := k.At(i, j) * k.At(i, j)
			sg += r * r * square
			gg += square
		}
	}
	mu1, mu2 = float64(n)*s/(loss*g), float64(n)*sg/(loss*gg)
	if math.IsNaN(mu1+mu2) || math.IsInf(mu1+mu2, 0) {
		return 0, 0, fmt.Errorf("curvature: NoiseAlignment: the loss is %g and the gradients' squared length %g, must be positive and finite", loss/2/float64(n), g)
	}
	return mu1, mu2, nil
}

// BatchNoise is the covariance's trace of the mean gradient of B of n examples: tr C/B with replacement, and without
// (n − B)/(n − 1) of that.
func BatchNoise(traceC float64, n, batch int, replacement bool) (float64, error) {
	if !(traceC >= 0) || n < 1 || batch < 1 || !replacement && batch > n {
		return 0, fmt.Errorf("curvature: BatchNoise: tr C is %g, n %d and the batch %d; must not be negative, and at least 1, the batch without replacement at most n", traceC, n, batch)
	}
	out := traceC / float64(batch)
	if !replacement && n > 1 {
		out *= float64(n-batch) / float64(n-1)
	} else if !replacement {
		out = 0
	}
	return out, nil
}

// NoiseFromTwoBatches estimates tr C and ‖g‖² from squared lengths ‖g_b‖² of the gradients of small and large batches, drawn
// with replacement, without examples' gradients:
//
//	tr C ≈ (E‖g_b‖² − E‖g_B‖²)/(1/b − 1/B),   ‖g‖² ≈ (B·E‖g_B‖² − b·E‖g_b‖²)/(B − b)
//
// Both are unbiased; either may come out negative where its error is large. One value a size gives no error, +Inf.
//
// Source: McCandlish et al. (2018), An Empirical Model of Large-Batch Training, appendix A.1.
func NoiseFromTwoBatches(batch int, small []float64, largeBatch int, large []float64) (traceC, squared Estimate, err error) {
	if batch < 1 || largeBatch <= batch {
		return traceC, squared, fmt.Errorf("curvature: NoiseFromTwoBatches: the batches are %d and %d, must be at least 1 and rise", batch, largeBatch)
	}
	for _, v := range [][]float64{small, large} {
		if len(v) == 0 || notFinite(v) >= 0 || floats.Min(v) < 0 {
			return traceC, squared, fmt.Errorf("curvature: NoiseFromTwoBatches: there are %d and %d squared lengths, must be at least 1 each, finite and not negative", len(small), len(large))
		}
	}
	b, c := float64(batch), float64(largeBatch)
	s, l := estimate(small), estimate(large)
	between := 1/b - 1/c
	traceC = Estimate{(s.Mean - l.Mean) / between, math.Hypot(s.StdErr, l.StdErr) / between, len(small) + len(large)}
	squared = Estimate{(c*l.Mean - b*s.Mean) / (c - b), math.Hypot(c*l.StdErr, b*s.StdErr) / (c - b), len(small) + len(large)}
	return traceC, squared, nil
}
