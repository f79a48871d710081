package oco

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// MetricDomain is a Domain for methods that have a positive definite matrix H for a metric, ‖v‖_H = √(vᵀHv): it is known how to
// find the closest point in it. [Free], [Ball] and [Box] are.
type MetricDomain interface {
	Domain
	// Minimize writes argmin_{x ∈ X} ½xᵀHx − ⟨b, x⟩ to x: the projection of H⁻¹b in the norm of H, without forming H⁻¹b. It
	// does not allocate.
	Minimize(x, b []float64, m *Metric)
	// MinimizeNode is Minimize in a graph: h is shaped [runs, dim, dim], b and the result [runs, dim].
	MinimizeNode(h, b *graph.Node) *graph.Node
}

var (
	_ MetricDomain = Free{}
	_ MetricDomain = Ball{}
	_ MetricDomain = Box{}
)

// Metric is a positive definite matrix and room to compute in.
type Metric struct {
	H      blas64.Symmetric // its upper triangle; the owner may change it between two calls
	factor blas64.Symmetric
	a, b   []float64
	place  []int8 // of each coordinate in a box: at the low end −1, between 0, at the high end 1
}

// NewMetric copies a matrix, which must be positive definite.
func NewMetric(h mat.Symmetric) (*Metric, error) {
	var chol mat.Cholesky
	if h.SymmetricDim() == 0 || !chol.Factorize(h) {
		return nil, fmt.Errorf("oco: NewMetric: h is %v, must be positive definite", mat.Formatted(h))
	}
	m := newMetric(h.SymmetricDim())
	for i := range m.H.N {
		for j := i; j < m.H.N; j++ {
			m.H.Data[i*m.H.Stride+j] = h.At(i, j)
		}
	}
	return m, nil
}

// newMetric has a matrix of zeros.
func newMetric(dim int) *Metric {
	symmetric := func() blas64.Symmetric {
		return blas64.Symmetric{N: dim, Stride: dim, Data: make([]float64, dim*dim), Uplo: blas.Upper}
	}
	return &Metric{H: symmetric(), factor: symmetric(), a: make([]float64, dim), b: make([]float64, dim), place: make([]int8, dim)}
}

// Project moves y to the closest point of a domain in the norm of H.
func (m *Metric) Project(over MetricDomain, y []float64) error {
	if len(y) != m.H.N || !finite(y) {
		return fmt.Errorf("oco: Metric.Project: y is %v, must have %d finite entries", y, m.H.N)
	}
	if err := over.Validate(m.H.N); err != nil {
		return err
	}
	b := make([]float64, len(y))
	m.multiply(b, y)
	over.Minimize(y, b, m)
	return nil
}

// multiply writes Hx to dst.
func (m *Metric) multiply(dst, x []float64) {
	blas64.Symv(1, m.H, blas64.Vector{N: m.H.N, Data: x, Inc: 1}, 0, blas64.Vector{N: m.H.N, Data: dst, Inc: 1})
}

// factorize H + shift·I, in whose rows and columns of fixed coordinates stand those of the identity.
func (m *Metric) factorize(shift float64, fixed bool) {
	n := m.H.N
	copy(m.factor.Data, m.H.Data)
	for i := range n {
		m.factor.Data[i*n+i] += shift
		for j := i; fixed && j < n; j++ {
			if m.place[i] != 0 || m.place[j] != 0 {
				m.factor.Data[i*n+j] = 0
				if i == j {
					m.factor.Data[i*n+j] = 1
				}
			}
		}
	}
	lapack64.Potrf(m.factor) // H is positive definite by contract; the learners check that theirs stays finite
}

// solve with the factor at hand, in place.
func (m *Metric) solve(x []float64) {
	lapack64.Potrs(blas64.Triangular{N: m.H.N, Stride: m.H.N, Data: m.factor.Data, Uplo: blas.Upper, Diag: blas.NonUnit},
		blas64.General{Rows: m.H.N, Cols: 1, Stride: 1, Data: x})
}

// Minimize is H⁻¹b.
func (Free) Minimize(x, b []float64, m *Metric) {
	m.factorize(0, false)
	copy(x, b)
	m.solve(x)
}

// MinimizeNode is Minimize in a graph.
func (Free) MinimizeNode(h, b *graph.Node) *graph.Node {
	one := graph.Ones(b.Graph(), shapes.Make(float64Type, b.Shape().Dim(0)))
	return graph.Einsum("rij,rj->ri", inverse(h, identity(b.Graph(), b.Shape().Dim(1)), one), b)
}

const (
	newtonSteps = 50    // far more than are needed: they converge quadratically
	newtonSlack = 1e-14 // of the radius
)

// Minimize finds the multiplier μ ≥ 0 of x(μ) = (H + μI)⁻¹b with ‖x(μ)‖ = R, where x(0) is outside: 1/R − 1/‖x(μ)‖ is nearly
// linear in μ and concave, so that Newton's method comes from the left, never overshoots and needs a handful of Cholesky
// factors.
//
// Source: Moré, Sorensen (1983), Computing a trust region step, section 3.
func (b Ball) Minimize(x, c []float64, m *Metric) {
	var shift float64
	for range newtonSteps {
		m.factorize(shift, false)
		copy(x, c)
		m.solve(x)
		norm := floats.Norm(x, 2)
		if !(norm > b.Radius*(1+newtonSlack)) {
			break
		}
		copy(m.a, x)
		m.solve(m.a)
		shift += norm * norm / floats.Dot(x, m.a) * (norm - b.Radius) / b.Radius
	}
	b.Project(x)
}

// MinimizeNode is Minimize in a graph.
func (b Ball) MinimizeNode(h, c *graph.Node) *graph.Node {
	g, runs, dim := c.Graph(), c.Shape().Dim(0), c.Shape().Dim(1)
	vector := func(v float64) *graph.Node {
		return graph.BroadcastToDims(graph.Const(g, []float64{v}), runs)
	}
	out := scan.Repeat(graph.Const(g, true), newtonSteps, []*graph.Node{vector(0), graph.ZerosLike(c)},
		[]*graph.Node{h, c, identity(g, dim), vector(0), vector(1), vector(b.Radius), vector(b.Radius * (1 + newtonSlack))},
		func(v, constants []*graph.Node) (*graph.Node, []*graph.Node) {
			shift := v[0]
			h, c, eye, zero, one, radius, limit := constants[0], constants[1], constants[2], constants[3], constants[4], constants[5], constants[6]
			inverted := inverse(graph.Add(h, graph.Einsum("r,ij->rij", shift, eye)), eye, one)
			x := graph.Einsum("rij,rj->ri", inverted, c)
			square := graph.Einsum("ri,ri->r", x, x)
			curved := graph.Einsum("ri,ri->r", x, graph.Einsum("rij,rj->ri", inverted, x))
			norm := graph.Sqrt(square)
			outside := graph.GreaterThan(norm, limit)
			step := graph.Div(graph.Mul(graph.Div(square, graph.Where(outside, curved, one)), graph.Sub(norm, radius)), radius)
			return some(outside, zero, one), []*graph.Node{graph.Add(shift, graph.Where(outside, step, zero)), x}
		})
	return b.ProjectNode(out[1])
}

// Block pivoting: how often all wrong coordinates may change places at once without becoming fewer, how exactly a
// coordinate must be right, and when to give up: a box in 100 dimensions needs about ten exchanges.
const (
	pivotTries = 3
	pivotSlack = 1e-13
)

func pivotSteps(dim int) int { return 100 + 10*dim }

// Minimize guesses which coordinates are at an end of their interval, solves for the others, and moves those whose value or
// multiplier is wrong: all at once as long as that makes them fewer, else only the last of them, which ends for sure.
//
// Source: Júdice, Pires (1994), A block principal pivoting algorithm for large-scale strictly monotone linear
// complementarity problems.
func (b Box) Minimize(x, c []float64, m *Metric) {
	n, slack := m.H.N, b.slack()
	for i := range m.place {
		m.place[i] = 0
	}
	best, tries := n+1, pivotTries
	for range pivotSteps(n) {
		b.given(x, c, m)
		wrong, last := 0, -1
		for i := range n {
			if b.wanted(i, x, m, slack) != m.place[i] {
				wrong, last = wrong+1, i
			}
		}
		if wrong == 0 {
			break
		}
		all := wrong < best || tries > 0
		if wrong < best {
			best, tries = wrong, pivotTries
		} else if tries > 0 {
			tries--
		}
		for i := range n {
			if all || i == last {
				m.place[i] = b.wanted(i, x, m, slack)
			}
		}
	}
	b.Project(x)
}

// slack is how far a coordinate may be wrong.
func (b Box) slack() float64 {
	return pivotSlack * (1 + math.Max(floats.Norm(b.Low, math.Inf(1)), floats.Norm(b.High, math.Inf(1))))
}

// given solves for the free coordinates at the places of the others, and writes (Hx − c)ᵢ/Hᵢᵢ, the multipliers, to m.b.
func (b Box) given(x, c []float64, m *Metric) {
	n := m.H.N
	for i, place := range m.place {
		low, high := b.at(i)
		m.a[i] = [...]float64{low, 0, high}[place+1]
	}
	m.multiply(m.b, m.a)
	for i, place := range m.place {
		if x[i] = m.a[i]; place == 0 {
			x[i] = c[i] - m.b[i]
		}
	}
	m.factorize(0, true)
	m.solve(x)
	m.multiply(m.b, x)
	for i := range m.b {
		m.b[i] = (m.b[i] - c[i]) / m.H.Data[i*n+i]
	}
}

// wanted is the place where a coordinate should be, by its value and multiplier.
func (b Box) wanted(i int, x []float64, m *Metric, slack float64) int8 {
	switch low, high := b.at(i); {
	case m.place[i] == 0 && x[i] < low-slack:
		return -1
	case m.place[i] == 0 && x[i] > high+slack:
		return 1
	case m.place[i] < 0 && m.b[i] < -slack, m.place[i] > 0 && m.b[i] > slack:
		return 0
	}
	return m.place[i]
}

// MinimizeNode is Minimize in a graph.
func (b Box) MinimizeNode(h, c *graph.Node) *graph.Node {
	g, runs, dim := c.Graph(), c.Shape().Dim(0), c.Shape().Dim(1)
	grid := func(v []float64) *graph.Node {
		return graph.BroadcastToDims(graph.Const(g, [][]float64{v}), runs, dim)
	}
	vector := func(v float64) *graph.Node { return graph.BroadcastToDims(graph.Const(g, []float64{v}), runs) }
	square := shapes.Make(dtypes.Int32, dim, dim)
	later := graph.ConvertDType(graph.GreaterThan(graph.Iota(g, square, 0), graph.Iota(g, square, 1)), float64Type)
	eye := identity(g, dim)
	constants := []*graph.Node{h, c, eye, later, grid(b.Low), grid(b.High), grid([]float64{b.slack()}), grid([]float64{0}), grid([]float64{1}),
		graph.Einsum("rij,ij->ri", h, eye), vector(0), vector(1), vector(pivotTries)}
	out := scan.Repeat(graph.Const(g, true), pivotSteps(dim),
		[]*graph.Node{graph.ZerosLike(c), graph.ZerosLike(c), vector(float64(dim + 1)), vector(pivotTries)}, constants,
		func(v, k []*graph.Node) (*graph.Node, []*graph.Node) {
			place, best, tries := v[1], v[2], v[3]
			h, c, eye, later, low, high, slack, nothing, ones, diagonal, zero, one, most := k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7], k[8], k[9], k[10], k[11], k[12]
			atLow, atHigh := graph.LessThan(place, nothing), graph.GreaterThan(place, nothing)
			between := graph.LogicalNot(graph.LogicalOr(atLow, atHigh))
			free := graph.Where(between, ones, nothing)
			end := graph.Where(atLow, low, graph.Where(atHigh, high, nothing))
			of := func(x *graph.Node) *graph.Node { return graph.Einsum("rij,rj->ri", h, x) }
			masked := graph.Add(graph.Einsum("ri,rij->rij", free, graph.Einsum("rij,rj->rij", h, free)), graph.Einsum("ri,ij->rij", graph.Sub(ones, free), eye))
			x := graph.Einsum("rij,rj->ri", inverse(masked, eye, one), graph.Where(between, graph.Sub(c, of(end)), end))
			multiplier := graph.Div(graph.Sub(of(x), c), diagonal)
			down := graph.LogicalAnd(between, graph.LessThan(x, graph.Sub(low, slack)))
			up := graph.LogicalAnd(between, graph.GreaterThan(x, graph.Add(high, slack)))
			release := graph.LogicalOr(graph.LogicalAnd(atLow, graph.LessThan(multiplier, graph.Neg(slack))),
				graph.LogicalAnd(atHigh, graph.GreaterThan(multiplier, slack)))
			wrong := graph.Where(graph.LogicalOr(graph.LogicalOr(down, up), release), ones, nothing)
			count := graph.Einsum("ri,ri->r", wrong, ones)
			fewer, left := graph.LessThan(count, best), graph.GreaterThan(tries, zero)
			all := graph.Einsum("r,ri->ri", graph.Where(graph.LogicalOr(fewer, left), one, zero), ones)
			last := graph.Where(graph.GreaterThan(graph.Einsum("rj,ji->ri", wrong, later), nothing), nothing, ones)
			moves := graph.GreaterThan(graph.Mul(wrong, graph.Max(all, last)), nothing)
			wanted := graph.Where(down, graph.Neg(ones), graph.Where(up, ones, graph.Where(release, nothing, place)))
			return some(graph.GreaterThan(count, zero), zero, one), []*graph.Node{x, graph.Where(moves, wanted, place), graph.Min(best, count),
				graph.Where(fewer, most, graph.Where(left, graph.Sub(tries, one), tries))}
		})
	return b.ProjectNode(out[0])
}

// inverse of positive definite matrices [runs, n, n], given the identity and ones [runs], by Gauss and Jordan's elimination, which
// needs no pivots for these. It is written out, a few operations on whole matrices a column, so it is for moderate n; and it
// may stand in the body of a loop.
func inverse(a, eye, one *graph.Node) *graph.Node {
	n := eye.Shape().Dim(0)
	m := graph.Concatenate([]*graph.Node{a, graph.Einsum("r,ij->rij", one, eye)}, 2)
	for k := range n {
		row := graph.Squeeze(graph.Slice(m, graph.AxisRange(), graph.AxisElem(k), graph.AxisRange()), 1)
		column := graph.Squeeze(graph.Slice(m, graph.AxisRange(), graph.AxisRange(), graph.AxisElem(k)), 2)
		pivot := graph.Squeeze(graph.Slice(row, graph.AxisRange(), graph.AxisElem(k)), 1)
		unit := graph.Squeeze(graph.Slice(eye, graph.AxisElem(k), graph.AxisRange()), 0)
		row = graph.Einsum("r,rm->rm", graph.Div(one, pivot), row)
		column = graph.Sub(column, graph.Einsum("r,i->ri", one, unit))
		m = graph.Sub(m, graph.Einsum("ri,rm->rim", column, row))
	}
	return graph.Slice(m, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(n, 2*n))
}

// some says whether any of the booleans [runs] holds, given zeros and ones [runs]; fit for a loop.
func some(x, zero, one *graph.Node) *graph.Node {
	sum := graph.Einsum("r,r->", graph.Where(x, one, zero), one)
	none := graph.Einsum("r,r->", zero, one)
	return graph.GreaterThan(sum, none)
}

func identity(g *graph.Graph, n int) *graph.Node {
	shape := shapes.Make(dtypes.Int32, n, n)
	return graph.ConvertDType(graph.Equal(graph.Iota(g, shape, 0), graph.Iota(g, shape, 1)), float64Type)
}
