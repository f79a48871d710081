package curvature

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// LanczosConfig says how [Lanczos] goes.
type LanczosConfig struct {
	// Steps, each one product; default 60, more than the dimension are the dimension.
	Steps int
	// Start vector; nil: a normal random one of Seed.
	Start []float64
	Seed  uint64
	// Recurrence leaves the reorthogonalization out: three vectors in place of Steps, and no Vector of the result. Converged
	// eigenvalues then come back as ghosts, copies that the matrix does not have, and weights are spread over them.
	Recurrence bool
	// Asymmetry is how much of the largest coefficient an operator's asymmetry may be before it is an error; default 0.01.
	// It is not seen with Recurrence.
	Asymmetry float64
}

// Ritz are a symmetric operator's Ritz values: the eigenvalues of T = QᵀAQ, tridiagonal, for the orthonormal basis Q of the
// Krylov space of the start vector.
type Ritz struct {
	Alpha, Beta []float64 // T's diagonal; below it, the last one coupling to what is not in Q
	Values      []float64 // Ritz values, rising
	// Weights are the squared first components of T's eigenvectors, of sum 1: the start vector's share along each.
	Weights []float64
	// Residuals are ‖Ay − θy‖ of the Ritz values θ and their vectors y: an eigenvalue lies within it.
	Residuals []float64
	// Exhausted: the Krylov space is the operator's own, and all the Ritz values are eigenvalues. A repeated eigenvalue shows
	// once.
	Exhausted bool
	// Asymmetry is the largest |q_iᵀAq_j − q_jᵀAq_i| seen, over the largest coefficient: rounding, where the operator is
	// symmetric.
	Asymmetry float64

	vectors mat.Dense // of T, by columns
	basis   *basis    // nil without reorthogonalization
}

// Lanczos runs Steps products of Lanczos' method with full reorthogonalization, in Steps·Dim float64 of memory. It finds
// the eigenvalues at both ends first: Values[0] and the last one are the smallest and the largest, each with its residual.
// It ends early where the next coefficient is below 1e-12 of the largest. A context that ends gives its error.
//
// Each step takes the basis off once more than the recurrence does, and again if that shortens the vector to less than 1/√2,
// after which it is orthogonal to rounding.
//
// Source: Lanczos (1950), An Iteration Method for the Solution of the Eigenvalue Problem; Daniel et al. (1976),
// Reorthogonalization and Stable Algorithms for Updating the Gram–Schmidt QR Factorization.
func Lanczos(ctx context.Context, op Operator, c LanczosConfig) (*Ritz, error) {
	if err := op.valid("Lanczos"); err != nil {
		return nil, err
	}
	return lanczos(ctx, "Lanczos", op, c, &basis{})
}

func lanczos(ctx context.Context, who string, op Operator, c LanczosConfig, q *basis) (*Ritz, error) {
	if c.Steps == 0 {
		c.Steps = 60
	}
	if c.Asymmetry == 0 {
		c.Asymmetry = 0.01
	}
	if c.Steps < 1 || !(c.Asymmetry > 0) {
		return nil, fmt.Errorf("curvature: %s: Steps is %d and Asymmetry %g, must be at least 1 and positive", who, c.Steps, c.Asymmetry)
	}
	if c.Start == nil {
		c.Start = Probes{Gaussian: true, Seed: c.Seed}.vector(0, op.Dim)
	} else if err := validStart(who+": Start", c.Start, op.Dim); err != nil {
		return nil, err
	}
	steps := min(c.Steps, op.Dim)
	if c.Recurrence {
		steps = c.Steps // ghosts need not end at the dimension
	}
	q.reset(op.Dim)
	next := q.next()
	floats.ScaleTo(next, 1/floats.Norm(c.Start, 2), c.Start)
	w := make([]float64, op.Dim)
	r := &Ritz{}
	scale := 0.0
	for j := range steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		last := q.rows[len(q.rows)-1]
		if err := op.apply(who, w, last); err != nil {
			return nil, err
		}
		r.Alpha = append(r.Alpha, q.dot(last, w))
		var before []float64
		beta := 0.0
		if j > 0 {
			before, beta = q.rows[len(q.rows)-2], r.Beta[j-1]
		}
		norm := q.recur(w, r.Alpha[j], last, beta, before)
		scale = math.Max(scale, math.Max(math.Abs(r.Alpha[j]), norm))
		if !c.Recurrence {
			for i := range j { // zero to rounding where A is symmetric
				r.Asymmetry = math.Max(r.Asymmetry, math.Abs(q.h[i])/scale)
			}
			if r.Asymmetry > c.Asymmetry {
				note := ""
				if op.Note != "" { // kinks within the step of differences, as a rule
					note = "; its products are made " + op.Note
				}
				return nil, fmt.Errorf("curvature: %s: the operator is not symmetric: uᵀAv and vᵀAu differ by %.2g of the largest coefficient at step %d, may by %g%s", who, r.Asymmetry, j+1, c.Asymmetry, note)
			}
			for enough := false; !enough; {
				left := q.subtract(w)
				enough = !(left < norm/math.Sqrt2) || left <= 1e-14*scale
				norm = left
				if !enough {
					q.project(w)
				}
			}
		}
		r.Beta = append(r.Beta, norm)
		if norm <= 1e-12*scale {
			r.Exhausted = true
			break
		}
		if j+1 < steps {
			if c.Recurrence && len(q.rows) == 2 {
				q.rows[0], q.rows[1] = q.rows[1], q.rows[0]
				next = q.rows[1]
			} else {
				next = q.next()
			}
			floats.ScaleTo(next, 1/norm, w)
		}
	}
	if len(r.Alpha) == op.Dim && !c.Recurrence {
		r.Exhausted = true
	}
	if !c.Recurrence {
		r.basis = q
	}
	return r, r.solve(who)
}

// solve finds T's eigenvalues and vectors.
func (r *Ritz) solve(who string) error {
	m := len(r.Alpha)
	t := mat.NewSymDense(m, nil)
	for i, a := range r.Alpha {
		t.SetSym(i, i, a)
		if i+1 < m {
			t.SetSym(i, i+1, r.Beta[i])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(t, true) {
		return fmt.Errorf("curvature: %s: the eigenvalues of the tridiagonal matrix did not converge", who)
	}
	r.Values = eigen.Values(nil)
	eigen.VectorsTo(&r.vectors)
	for i := range m {
		first, end := r.vectors.At(0, i), r.vectors.At(m-1, i)
		r.Weights = append(r.Weights, first*first)
		r.Residuals = append(r.Residuals, r.Beta[m-1]*math.Abs(end))
	}
	return nil
}

// Vector is the unit Ritz vector of Values[i].
func (r *Ritz) Vector(i int) ([]float64, error) {
	if r.basis == nil {
		return nil, fmt.Errorf("curvature: Ritz: Vector: there is no basis without reorthogonalization")
	}
	if i < 0 || i >= len(r.Values) {
		return nil, fmt.Errorf("curvature: Ritz: Vector: i is %d, must be between 0 and %d", i, len(r.Values)-1)
	}
	out := make([]float64, len(r.basis.rows[0]))
	for j, row := range r.basis.rows {
		floats.AddScaled(out, r.vectors.At(j, i), row)
	}
	return out, nil
}

// basis are the vectors q_1, q_2, … and the work of taking them off another, which is done in pieces that fit a core's
// cache. Sums are those of the pieces, in order, so that they do not depend on the number of processors.
type basis struct {
	dim         int
	rows, spare [][]float64
	h           []float64   // the products with a vector
	parts       [][]float64 // h of each piece, and a last entry for the vector's squared norm
}

const piece = 4096

// reset empties the basis and keeps its memory.
func (q *basis) reset(dim int) {
	q.spare = append(q.spare, q.rows...)
	q.rows, q.dim = nil, dim
	q.parts = make([][]float64, (dim+piece-1)/piece)
}

// next is a new vector of the basis, to be filled.
func (q *basis) next() []float64 {
	var row []float64
	if n := len(q.spare); n > 0 {
		row, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		row = make([]float64, q.dim)
	}
	q.rows = append(q.rows, row)
	q.h = make([]float64, len(q.rows))
	for i := range q.parts {
		q.parts[i] = make([]float64, len(q.rows)+1)
	}
	return row
}

// recur takes alpha·last + beta·before off w, leaves the basis' products with what remains in h, and returns its norm.
func (q *basis) recur(w []float64, alpha float64, last []float64, beta float64, before []float64) float64 {
	return q.sweep(func(from, to int, part []float64) {
		v := w[from:to]
		floats.AddScaled(v, -alpha, last[from:to])
		if before != nil {
			floats.AddScaled(v, -beta, before[from:to])
		}
		q.products(v, from, to, part)
	}, true)
}

// project leaves the basis' products with w in h.
func (q *basis) project(w []float64) {
	q.sweep(func(from, to int, part []float64) { q.products(w[from:to], from, to, part) }, true)
}

func (q *basis) products(v []float64, from, to int, part []float64) {
	for i, row := range q.rows {
		part[i] = floats.Dot(row[from:to], v)
	}
	part[len(q.rows)] = floats.Dot(v, v)
}

// subtract takes the basis times h off w and returns its norm.
func (q *basis) subtract(w []float64) float64 {
	return q.sweep(func(from, to int, part []float64) {
		v := w[from:to]
		for i, row := range q.rows {
			floats.AddScaled(v, -q.h[i], row[from:to])
		}
		part[len(q.rows)] = floats.Dot(v, v)
	}, false)
}

// dot is the inner product of two vectors.
func (q *basis) dot(a, b []float64) float64 {
	q.sweep(func(from, to int, part []float64) { part[0] = floats.Dot(a[from:to], b[from:to]) }, true)
	return q.h[0]
}

// sweep does something with every piece, on all processors, and adds the parts up: the norm that it returns, and where
// asked h.
func (q *basis) sweep(do func(from, to int, part []float64), intoH bool) float64 {
	var at atomic.Int64
	work := func() {
		for i := int(at.Add(1)) - 1; i < len(q.parts); i = int(at.Add(1)) - 1 {
			do(i*piece, min((i+1)*piece, q.dim), q.parts[i])
		}
	}
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(q.parts)) - 1 {
		wait.Go(work)
	}
	work()
	wait.Wait()
	if intoH {
		clear(q.h)
	}
	square := 0.0
	for _, part := range q.parts {
		if intoH {
			floats.Add(q.h, part[:len(q.rows)])
		}
		square += part[len(q.rows)]
	}
	return math.Sqrt(square)
}
