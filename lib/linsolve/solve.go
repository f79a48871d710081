package linsolve

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// ErrIndefinite says that a matrix is not symmetric positive definite, as far as a solver could see.
var ErrIndefinite = errors.New("the matrix is not symmetric positive definite")

// Options of the solvers; the zero value is the paper's.
type Options struct {
	Tolerance     float64 // ε, in (0, 1); 0: 1e-8
	MaxIterations int     // the solver gives up after these; 0: 10,000
	History       bool    // keep the relative residual after each iteration
	// Work is memory to solve in, again and again without allocation; nil: fresh memory. One solve at a time may use it.
	Work *Work
}

// Result of a solve.
type Result struct {
	X          []float64 // the solution; where Options.Work is set, it lies there and is good until the next solve
	Iterations int       // sweeps, or steps of conjugate gradients
	Converged  bool      // within MaxIterations
	Residual   float64   // ‖b − A x‖ at the end, relative to what the solver's rule says
	Residuals  []float64 // after each iteration, if asked for by History
}

// Work is memory that solves share one after the other. The zero value is ready.
type Work struct {
	out           []float64
	x, b, r, z, p []float64 // in the operator's layout
	stencil       stencilOperator
	csr           csrOperator
}

// operator is a matrix that can be relaxed. Its vectors lie in its own layout, of length() numbers; those that stand for no
// unknown are and stay 0.
type operator interface {
	length() int
	load(dst, src []float64)  // from plain order
	store(dst, src []float64) // into plain order
	multiply(y, x []float64)
	residualSquared(b, x []float64) float64     // ‖b − A x‖²
	sweep(x, b []float64, omega float64)        // x ← x + (D/ω + L)⁻¹(b − A x)
	precondition(z, r []float64, omega float64) // z = M⁻¹r for M = (D + ωL)ᵀ D⁻¹ (D + ωL)/(ω(2−ω))
}

// problem is a system that passed all checks.
type problem struct {
	operator
	b, x   []float64 // in the operator's layout, times scale
	scale  float64   // a power of 2 that keeps squares from overflowing and vanishing
	o      Options
	result Result
}

// setUp checks the arguments of a solver and lays the vectors out.
func setUp(function string, a mat.Matrix, b, x0 []float64, o Options) (problem, error) {
	if a == nil {
		return problem{}, fmt.Errorf("linsolve: %s: the matrix is nil", function)
	}
	rows, cols := a.Dims()
	var bad []error
	fail := func(format string, args ...any) {
		bad = append(bad, fmt.Errorf("linsolve: "+function+": "+format, args...))
	}
	if rows != cols {
		fail("the matrix is %d×%d, must be square", rows, cols)
	}
	if len(b) != rows {
		fail("b has length %d, must be %d", len(b), rows)
	}
	if x0 != nil && len(x0) != rows {
		fail("x0 has length %d, must be %d, or nil for zeros", len(x0), rows)
	}
	largest := math.Max(floats.Norm(b, math.Inf(1)), floats.Norm(x0, math.Inf(1)))
	if math.IsNaN(largest) || math.IsInf(largest, 0) {
		bad = append(bad, nonFinite(function, "b", b), nonFinite(function, "x0", x0))
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-8
	}
	if !(o.Tolerance > 0 && o.Tolerance < 1) {
		fail("Tolerance is %g, must be in (0, 1), or 0 for 1e-8", o.Tolerance)
	}
	if o.MaxIterations == 0 {
		o.MaxIterations = 10_000
	}
	if o.MaxIterations < 0 {
		fail("MaxIterations is %d, must be at least 1, or 0 for 10,000", o.MaxIterations)
	}
	if o.Work == nil {
		o.Work = &Work{}
	}
	if bad != nil {
		return problem{}, errors.Join(bad...)
	}
	op, err := o.Work.operator(function, a)
	if err != nil {
		return problem{}, err
	}
	w := o.Work
	p := problem{operator: op, b: resize(&w.b, op.length()), x: resize(&w.x, op.length()), o: o}
	op.load(p.b, b)
	if x0 == nil {
		clear(p.x)
	} else {
		op.load(p.x, x0)
	}
	p.scale = 1
	if _, exponent := math.Frexp(largest); exponent < -300 || exponent > 300 {
		p.scale = math.Ldexp(1, -max(-1000, min(1000, exponent)))
		floats.Scale(p.scale, p.b)
		floats.Scale(p.scale, p.x)
	}
	p.result.X = resize(&w.out, rows)
	return p, nil
}

// checkOmega is for solvers that relax.
func checkOmega(function string, omega float64) error {
	if !(omega > 0 && omega < 2) {
		return fmt.Errorf("linsolve: %s: omega is %g, must be in (0, 2)", function, omega)
	}
	return nil
}

// operator is the fast form of a matrix.
func (w *Work) operator(function string, a mat.Matrix) (operator, error) {
	if f, ok := a.(FivePoint); ok {
		w.stencil.FivePoint = f
		return &w.stencil, f.check(function)
	}
	c, err := CSROf(a)
	if err != nil {
		return nil, fmt.Errorf("linsolve: %s: %w", function, err)
	}
	if w.csr.CSR == c {
		return &w.csr, nil // the diagonal is there from the last solve
	}
	diagonal := resize(&w.csr.diagonal, c.rows)
	for i := range diagonal {
		diagonal[i] = c.At(i, i)
		if diagonal[i] <= 0 {
			w.csr.CSR = nil
			return nil, fmt.Errorf("linsolve: %s: %w: entry (%d, %d) of the diagonal is %g, must be above 0", function, ErrIndefinite, i, i, diagonal[i])
		}
	}
	w.csr.CSR = c
	return &w.csr, nil
}

// done fills in what the solver found.
func (p *problem) done(iterations int, residual float64, converged bool) Result {
	p.store(p.result.X, p.x)
	if p.scale != 1 {
		floats.Scale(1/p.scale, p.result.X)
	}
	p.result.Iterations, p.result.Residual, p.result.Converged = iterations, residual, converged
	return p.result
}

// note keeps the residual of an iteration, if asked.
func (p *problem) note(residual float64) {
	if p.o.History {
		p.result.Residuals = append(p.result.Residuals, residual)
	}
}

func resize(v *[]float64, n int) []float64 {
	if cap(*v) < n {
		*v = make([]float64, n)
	}
	*v = (*v)[:n]
	return *v
}

// nonFinite is an error that names the first number of v that is not finite; nil if all are.
func nonFinite(function, name string, v []float64) error {
	for i, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("linsolve: %s: %s[%d] is %g, must be finite", function, name, i, x)
		}
	}
	return nil
}
