package transport

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// SinkhornPlan is the entropic plan of two samples. A point that is none of the first sample goes where its nearest
// neighbour there goes.
type SinkhornPlan struct {
	x, y *mat.Dense
	f, g []float64 // log-potentials: π_ij = exp(f_i + g_j − C_ij)/(nm)
	eps  float64
	// Sweeps done.
	Sweeps int
	// Gap is the largest error of a row's sum, relative to 1/n: 0 at convergence.
	Gap float64
}

// Sinkhorn solves discrete entropic optimal transport between the rows of x and of y, with cost ½‖x−y‖² and entropy eps,
// by at most so many sweeps over both log-potentials (0: 500), fewer where nothing moves any more:
//
//	f_i ← −LSE_j(g_j − C_ij − log m),  g_j ← −LSE_i(f_i − C_ij − log n),  C = ½‖x−y‖²/ε
//
// Memory is n·m numbers. Source: Cuturi (2013), Sinkhorn Distances, in the log domain.
func Sinkhorn(x, y *mat.Dense, eps float64, sweeps int) (*SinkhornPlan, error) {
	err := errors.Join(checkEpsilon("Sinkhorn", "eps", eps), checkSamples("Sinkhorn", "x", x, 0), checkSamples("Sinkhorn", "y", y, 0))
	if sweeps < 0 {
		err = errors.Join(err, fmt.Errorf("transport: Sinkhorn: sweeps is %d, must be at least 0", sweeps))
	}
	if err != nil {
		return nil, err
	}
	if sweeps == 0 {
		sweeps = 500
	}
	n, dim := x.Dims()
	m, dimY := y.Dims()
	if dim != dimY {
		return nil, fmt.Errorf("transport: Sinkhorn: y has %d columns, must have %d like x", dimY, dim)
	}
	p := &SinkhornPlan{x: x, y: y, f: make([]float64, n), g: make([]float64, m), eps: eps}
	cost := p.costs()
	transposed := mat.DenseCopyOf(cost.T())
	next := make([]float64, n)
	half(p.f, p.g, cost)
	for p.Sweeps < sweeps {
		half(p.g, p.f, transposed)
		half(next, p.g, cost)
		p.Sweeps, p.Gap = p.Sweeps+1, 0
		for i, f := range next {
			p.Gap = math.Max(p.Gap, math.Abs(math.Expm1(p.f[i]-f)))
		}
		if p.Gap < 1e-12 {
			break
		}
		p.f, next = next, p.f
	}
	return p, nil
}

func (p *SinkhornPlan) costs() *mat.Dense {
	n, m := len(p.f), len(p.g)
	cost := mat.NewDense(n, m, nil)
	cost.Apply(func(i, j int, _ float64) float64 {
		d := floats.Distance(p.x.RawRowView(i), p.y.RawRowView(j), 2)
		return d * d / (2 * p.eps)
	}, cost)
	return cost
}

// half sets to_i = −LSE_j(from_j − cost_ij − log m).
func half(to, from []float64, cost *mat.Dense) {
	inParallel(len(to), func(first, last int) {
		logits := make([]float64, len(from))
		for i := first; i < last; i++ {
			floats.SubTo(logits, from, cost.RawRowView(i))
			to[i] = math.Log(float64(len(from))) - floats.LogSumExp(logits)
		}
	})
}

// row is where the row of x nearest to a point goes: weights over the rows of y.
func (p *SinkhornPlan) row(x []float64) []float64 {
	best, least := 0, math.Inf(1)
	for i := range p.f {
		if d := floats.Distance(x, p.x.RawRowView(i), 2); d < least {
			best, least = i, d
		}
	}
	out := make([]float64, len(p.g))
	for j, g := range p.g {
		d := floats.Distance(p.x.RawRowView(best), p.y.RawRowView(j), 2)
		out[j] = g - d*d/(2*p.eps)
	}
	weights(out)
	return out
}

// ConditionalMoments are those of y given the row of x nearest to the point.
func (p *SinkhornPlan) ConditionalMoments(x []float64) (Normal, error) {
	_, dim := p.x.Dims()
	if err := checkPoint("SinkhornPlan", x, dim); err != nil {
		return Normal{}, err
	}
	w := p.row(x)
	out := Normal{Mean: make([]float64, dim), Cov: mat.NewSymDense(dim, nil)}
	for j, v := range w {
		floats.AddScaled(out.Mean, v, p.y.RawRowView(j))
	}
	diff := make([]float64, dim)
	for j, v := range w {
		if v > 0 {
			floats.SubTo(diff, p.y.RawRowView(j), out.Mean)
			out.Cov.SymRankOne(out.Cov, v, mat.NewVecDense(dim, diff))
		}
	}
	return out, nil
}

// Barycenter maps each row of x to the mean of where its nearest neighbour goes.
func (p *SinkhornPlan) Barycenter(x *mat.Dense) (*mat.Dense, error) {
	_, dim := p.x.Dims()
	if err := checkSamples("Barycenter", "x", x, dim); err != nil {
		return nil, err
	}
	n, _ := x.Dims()
	out := mat.NewDense(n, dim, nil)
	inParallel(n, func(from, to int) {
		for i := from; i < to; i++ {
			for j, v := range p.row(x.RawRowView(i)) {
				floats.AddScaled(out.RawRowView(i), v, p.y.RawRowView(j))
			}
		}
	})
	return out, nil
}
