package linsolve_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/linsolve"
	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// solvers are all of them at one signature.
var solvers = map[string]func(a mat.Matrix, b, x0 []float64, o linsolve.Options) (linsolve.Result, error){
	"SOR": func(a mat.Matrix, b, x0 []float64, o linsolve.Options) (linsolve.Result, error) {
		return linsolve.SOR(a, b, x0, 1.3, o)
	},
	"CG": linsolve.CG,
	"SSORPCG": func(a mat.Matrix, b, x0 []float64, o linsolve.Options) (linsolve.Result, error) {
		return linsolve.SSORPCG(a, b, x0, 1.3, o)
	},
	"Direct": func(a mat.Matrix, b, _ []float64, _ linsolve.Options) (linsolve.Result, error) {
		x, err := linsolve.Direct(a, b)
		return linsolve.Result{X: x, Converged: true}, err
	},
}

// The stencil, the sparse matrix and the dense one are the same system for all solvers, at all sizes.
func TestFormsAgree(t *testing.T) {
	rng := online.Seeded(1, "test")
	for side := 1; side <= 12; side++ {
		f := linsolve.FivePoint{Side: side, Center: 1 + 4*0.3, Neighbor: -0.3}
		b := linsolve.TruncatedNormal(f.Order(), rng)
		for name, solve := range solvers {
			stencil := must[linsolve.Result](t)(solve(f, b, nil, linsolve.Options{}))
			var ax mat.VecDense
			ax.MulVec(f, mat.NewVecDense(len(b), stencil.X))
			if !floats.EqualApprox(ax.RawVector().Data, b, 1e-6) {
				t.Errorf("%s, side %d: A x is not b", name, side)
			}
			for _, a := range []mat.Matrix{must[*linsolve.CSR](t)(linsolve.CSROf(f)), mat.DenseCopyOf(f)} {
				r := must[linsolve.Result](t)(solve(a, b, nil, linsolve.Options{}))
				if r.Iterations != stencil.Iterations || !floats.EqualApprox(r.X, stencil.X, 1e-12) {
					t.Errorf("%s, side %d, %T: %d iterations against %d, %g apart", name, side, a, r.Iterations, stencil.Iterations, floats.Distance(r.X, stencil.X, 2))
				}
			}
		}
	}
}

// One Work serves systems of any size and form, one after the other, and so do solutions that start the next solve.
func TestWorkIsReused(t *testing.T) {
	rng := online.Seeded(2, "test")
	w := &linsolve.Work{}
	for _, side := range []int{9, 3, 10, 3, 4} {
		f := linsolve.FivePoint{Side: side, Center: 4, Neighbor: -1}
		for _, a := range []mat.Matrix{f, must[*linsolve.CSR](t)(linsolve.CSROf(f))} {
			b := linsolve.TruncatedNormal(f.Order(), rng)
			for name, solve := range solvers {
				fresh := must[linsolve.Result](t)(solve(a, b, nil, linsolve.Options{}))
				shared := must[linsolve.Result](t)(solve(a, b, nil, linsolve.Options{Work: w}))
				if !floats.Equal(fresh.X, shared.X) {
					t.Errorf("%s of %T with side %d: another solution in used memory", name, a, side)
				}
				next := must[linsolve.Result](t)(solve(a, b, shared.X, linsolve.Options{Work: w, Tolerance: 1e-6}))
				if name != "SOR" && next.Iterations != 0 {
					t.Errorf("%s from the solution takes %d iterations", name, next.Iterations)
				}
			}
		}
	}
}

func TestSolversAllocateNothing(t *testing.T) {
	f := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(11, 0))
	b := linsolve.TruncatedNormal(100, online.Seeded(1, "test"))
	for _, a := range []mat.Matrix{f, must[*linsolve.CSR](t)(linsolve.CSROf(f))} {
		for name, solve := range solvers {
			if name == "Direct" {
				continue
			}
			o := linsolve.Options{Work: &linsolve.Work{}}
			if n := testing.AllocsPerRun(10, func() { _, _ = solve(a, b, nil, o) }); n != 0 {
				t.Errorf("%s of %T: %g allocations", name, a, n)
			}
		}
	}
}

func TestSolversStop(t *testing.T) {
	a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(6, 0))
	zero, b := make([]float64, 25), linsolve.TruncatedNormal(25, online.Seeded(1, "test"))
	for name, solve := range solvers {
		if r := must[linsolve.Result](t)(solve(a, zero, nil, linsolve.Options{})); r.Iterations != 0 || !r.Converged || floats.Norm(r.X, 1) != 0 {
			t.Errorf("%s of b = 0: %+v", name, r)
		}
		if name == "Direct" {
			continue
		}
		if r := must[linsolve.Result](t)(solve(a, b, nil, linsolve.Options{MaxIterations: 2, History: true})); r.Iterations != 2 || r.Converged || len(r.Residuals) != 2 || r.Residual != r.Residuals[1] {
			t.Errorf("%s with two iterations: %+v", name, r)
		}
		// The solution scales with b, however far.
		one := must[linsolve.Result](t)(solve(a, b, nil, linsolve.Options{}))
		for _, scale := range []float64{1e-300, 1e-170, 1e170, 1e300} {
			s := make([]float64, 25)
			floats.ScaleTo(s, scale, b)
			r := must[linsolve.Result](t)(solve(a, s, nil, linsolve.Options{}))
			floats.Scale(1/scale, r.X)
			if r.Iterations != one.Iterations || !floats.EqualApprox(r.X, one.X, 1e-9) {
				t.Errorf("%s of %g·b: %d iterations, %d at b", name, scale, r.Iterations, one.Iterations)
			}
		}
	}
	// b = 0 with another start: SOR goes to 0, conjugate gradients know the solution.
	if r := must[linsolve.Result](t)(linsolve.CG(a, zero, b, linsolve.Options{})); r.Iterations != 0 || floats.Norm(r.X, 1) != 0 {
		t.Errorf("CG of b = 0 from x0: %+v", r)
	}
	if r := must[linsolve.Result](t)(linsolve.SOR(a, zero, b, 1.3, linsolve.Options{})); r.Iterations == 0 || floats.Norm(r.X, 2) > 1e-6 {
		t.Errorf("SOR of b = 0 from x0: %+v", r)
	}
}

// Sweeps of a matrix that is not positive definite overflow, or go on to the end; conjugate gradients notice.
func TestIndefinite(t *testing.T) {
	a := mat.NewDense(2, 2, []float64{1, 3, 3, 1})
	r := must[linsolve.Result](t)(linsolve.SOR(a, []float64{1, 1}, nil, 1.5, linsolve.Options{}))
	if r.Converged || r.Iterations != 10_000 {
		t.Errorf("SOR: %+v", r)
	}
	for _, b := range [][]float64{{1, -1}, {1, 0.5}} {
		if _, err := linsolve.CG(a, b, nil, linsolve.Options{}); !errors.Is(err, linsolve.ErrIndefinite) {
			t.Errorf("CG: %v", err)
		}
	}
	if _, err := linsolve.Direct(a, []float64{1, 1}); !errors.Is(err, linsolve.ErrIndefinite) {
		t.Errorf("Direct: %v", err)
	}
}

func TestBadArguments(t *testing.T) {
	a := must[linsolve.FivePoint](t)(linsolve.GridLaplacian(3, 0))
	b := []float64{1, 2, 3, 4}
	sor := func(a mat.Matrix, b, x0 []float64, omega float64, o linsolve.Options) error {
		_, err := linsolve.SOR(a, b, x0, omega, o)
		return err
	}
	fails := func(err error, want ...string) {
		t.Helper()
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%v, must be about %q", err, w)
			}
		}
	}
	for _, omega := range []float64{0, 2, -1, math.NaN(), math.Inf(1)} {
		fails(sor(a, b, nil, omega, linsolve.Options{}), "linsolve: SOR: omega is", "must be in (0, 2)")
		_, err := linsolve.SSORPCG(a, b, nil, omega, linsolve.Options{})
		fails(err, "linsolve: SSORPCG: omega is")
	}
	for _, tolerance := range []float64{-1e-8, 1, math.NaN()} {
		fails(sor(a, b, nil, 1, linsolve.Options{Tolerance: tolerance}), "Tolerance is")
	}
	// All at once.
	fails(sor(a, []float64{1, math.NaN()}, []float64{math.Inf(1)}, 1, linsolve.Options{MaxIterations: -1}), "b has length 2, must be 4", "x0 has length 1", "b[1] is NaN", "x0[0] is +Inf", "MaxIterations is -1")
	fails(sor(nil, b, nil, 1, linsolve.Options{}), "the matrix is nil")
	fails(sor(mat.NewDense(4, 3, nil), b, nil, 1, linsolve.Options{}), "4×3, must be square")
	fails(sor(mat.NewDense(4, 4, nil), b, nil, 1, linsolve.Options{}), "entry (0, 0) of the diagonal is 0")
	fails(sor(mat.NewDiagDense(4, []float64{1, 1, math.NaN(), 1}), b, nil, 1, linsolve.Options{}), "entry 2 at (2, 2) is NaN")
	fails(sor(linsolve.FivePoint{Side: 2, Center: 1, Neighbor: -1}, b, nil, 1, linsolve.Options{}), "not positive definite")
	fails(sor(linsolve.FivePoint{Center: 4, Neighbor: -1}, nil, nil, 1, linsolve.Options{}), "Side of the five-point stencil is 0")
	fails(sor(linsolve.FivePoint{Side: 2, Center: math.Inf(1)}, b, nil, 1, linsolve.Options{}), "must be finite")
	_, err := linsolve.NewCSR(2, 2, []linsolve.Entry{{2, 0, 1}, {0, 0, math.NaN()}})
	fails(err, "entry 0 is at (2, 0)", "entry 1 at (0, 0) is NaN")
	_, err = linsolve.NewCSR(0, 2, nil)
	fails(err, "size is 0×2")
	_, err = linsolve.GridLaplacian(1, 0)
	fails(err, "nx is 1")
	_, err = linsolve.GridLaplacian(11, -0.17)
	fails(err, "shift is -0.17")
	_, err = linsolve.OptimalOmega(1)
	fails(err, "beta is 1")
	_, err = linsolve.SORSpectralRadius(2, -1)
	fails(err, "omega is 2", "beta is -1")
	_, err = linsolve.NearAsymptoticBound(0, 1, -1)
	fails(err, "epsilon is 0", "rho is 1", "tau is -1")
	_, err = linsolve.NearAsymptoticConstant(mat.NewDense(1, 2, nil), 2, 0)
	fails(err, "1×2", "rho is 2", "k is 0")
	_, err = linsolve.SSORBound{}.Iterations(2, 1)
	fails(err, "omega is 2", "epsilon is 1")
	skew := mat.NewDense(2, 2, []float64{2, 1, -1, 2})
	for _, f := range []func() error{
		func() error { _, err := linsolve.JacobiRadius(skew); return err },
		func() error { _, err := linsolve.NewSSORBound(skew); return err },
		func() error { _, err := linsolve.SORIterationMatrix(skew, 1); return err },
		func() error { _, _, err := linsolve.FastestMode(skew, 1); return err },
		func() error {
			_, err := linsolve.NewSSORBound(mat.NewDense(2, 2, []float64{1, 3, 3, 1}))
			return err
		},
	} {
		if err := f(); !errors.Is(err, linsolve.ErrIndefinite) {
			t.Errorf("%v", err)
		}
	}
}

// CSR is a matrix among gonum's.
func TestCSR(t *testing.T) {
	entries := []linsolve.Entry{{2, 1, 5}, {0, 0, 1}, {0, 3, -2}, {2, 1, 1}, {1, 2, 3}}
	a := must[*linsolve.CSR](t)(linsolve.NewCSR(3, 4, entries))
	want := mat.NewDense(3, 4, []float64{1, 0, 0, -2, 0, 0, 3, 0, 0, 6, 0, 0})
	if !mat.Equal(a, want) || !mat.Equal(a.T(), want.T()) || a.Entries() != 4 {
		t.Errorf("the matrix is %v", mat.Formatted(a))
	}
	if back := must[*linsolve.CSR](t)(linsolve.CSROf(want)); !mat.Equal(back, want) || back.Entries() != 4 {
		t.Errorf("from dense: %v", mat.Formatted(back))
	}
	for _, trans := range []bool{false, true} {
		var got, dense mat.VecDense
		var of mat.Matrix = want
		x := mat.NewVecDense(4, []float64{1, 2, 3, 4})
		if trans {
			of, x = want.T(), mat.NewVecDense(3, []float64{1, 2, 3})
		}
		a.MulVecTo(&got, trans, x)
		dense.MulVec(of, x)
		if !mat.Equal(&got, &dense) {
			t.Errorf("trans %t: %v, must be %v", trans, got, dense)
		}
	}
	f := linsolve.FivePoint{Side: 3, Center: 6, Neighbor: -2}
	if c := must[*linsolve.CSR](t)(linsolve.CSROf(f)); !mat.Equal(c, f) || !mat.Equal(f, f.T()) || c.Entries() != 33 {
		t.Errorf("the stencil is %v, its sparse form %v", mat.Formatted(f), mat.Formatted(c))
	}
}

func BenchmarkSOR(b *testing.B) {
	a, err := linsolve.GridLaplacian(11, -0.15)
	if err != nil {
		b.Fatal(err)
	}
	csr, err := linsolve.CSROf(a)
	if err != nil {
		b.Fatal(err)
	}
	rhs := linsolve.TruncatedNormal(100, online.Seeded(1, "bench"))
	for name, m := range map[string]mat.Matrix{"stencil": a, "CSR": csr} {
		b.Run(name, func(b *testing.B) {
			o := linsolve.Options{Work: &linsolve.Work{}}
			sweeps := 0
			for b.Loop() {
				r, _ := linsolve.SOR(m, rhs, nil, 1.2, o)
				sweeps += r.Iterations
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sweeps), "ns/sweep")
		})
	}
}

func BenchmarkSSORPCG(b *testing.B) {
	a, err := linsolve.GridLaplacian(101, 0.1)
	if err != nil {
		b.Fatal(err)
	}
	csr, err := linsolve.CSROf(a)
	if err != nil {
		b.Fatal(err)
	}
	rhs := linsolve.TruncatedNormal(10_000, online.Seeded(1, "bench"))
	for name, m := range map[string]mat.Matrix{"stencil": a, "CSR": csr} {
		b.Run(name, func(b *testing.B) {
			o := linsolve.Options{Work: &linsolve.Work{}}
			for b.Loop() {
				_, _ = linsolve.SSORPCG(m, rhs, nil, 1.5, o)
			}
		})
	}
}

func ExampleSOR() {
	a, err := linsolve.GridLaplacian(11, 0) // 10×10 unknowns
	if err != nil {
		fmt.Println(err)
		return
	}
	beta, err := linsolve.JacobiRadius(a)
	if err != nil {
		fmt.Println(err)
		return
	}
	best, err := linsolve.OptimalOmega(beta)
	if err != nil {
		fmt.Println(err)
		return
	}
	b := make([]float64, a.Order())
	for i := range b {
		b[i] = 1
	}
	for _, omega := range []float64{1, best} {
		r, err := linsolve.SOR(a, b, nil, omega, linsolve.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("ω = %.2f: %d sweeps\n", omega, r.Iterations)
	}
	// Output:
	// ω = 1.00: 223 sweeps
	// ω = 1.56: 41 sweeps
}

func ExampleSSORPCG() {
	a, err := linsolve.GridLaplacian(11, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	b := make([]float64, a.Order())
	for i := range b {
		b[i] = float64(i % 7)
	}
	plain, err := linsolve.CG(a, b, nil, linsolve.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := linsolve.SSORPCG(a, b, nil, 1.5, linsolve.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("fewer iterations with the preconditioner:", r.Iterations < plain.Iterations)
	// Output:
	// fewer iterations with the preconditioner: true
}
