package game

import (
	"errors"
	"fmt"
	"math"
	"math/cmplx"
	"runtime"
	"sync"

	"gonum.org/v1/gonum/mat"
)

// growth is P, the factor of a Runge–Kutta step.
func growth(z complex128) complex128 { return 1 + z*(1+z/2*(1+z/3*(1+z/4))) }

// EulerRadius is the spectral radius of I − hH from the eigenvalues of H: the factor by which Euler's method shrinks errors in
// the long run.
func EulerRadius(eigenvalues []complex128, h float64) (radius float64) {
	for _, l := range eigenvalues {
		radius = math.Max(radius, cmplx.Abs(1-complex(h, 0)*l))
	}
	return radius
}

// RK4Radius is the spectral radius of P(−hH) from the eigenvalues of H, with P(z) = 1 + z + z²/2 + z³/6 + z⁴/24.
func RK4Radius(eigenvalues []complex128, h float64) (radius float64) {
	for _, l := range eigenvalues {
		radius = math.Max(radius, cmplx.Abs(growth(complex(-h, 0)*l)))
	}
	return radius
}

// Eigenvalues of H.
func (g QuadraticGame) Eigenvalues() ([]complex128, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	return eigenvalues(g.H)
}

// StabilityLimits are the true largest steps of Euler's method and of RK4: below them all errors shrink in the long run. They
// are 0 where the flow itself is unstable.
func StabilityLimits(g QuadraticGame) (euler, rk4 float64, err error) {
	values, err := g.Eigenvalues()
	if err != nil {
		return 0, 0, err
	}
	euler, rk4 = math.Inf(1), math.Inf(1)
	for _, l := range values {
		size := cmplx.Abs(l)
		if real(l) <= 0 {
			return 0, 0, nil
		}
		euler = math.Min(euler, 2*real(l)/(size*size))
		rk4 = math.Min(rk4, firstExit(l/complex(size, 0))/size)
	}
	return euler, rk4, nil
}

// firstExit is where the ray of −direction leaves the region |P| < 1.
func firstExit(direction complex128) float64 {
	outside := func(s float64) bool { return cmplx.Abs(growth(complex(-s, 0)*direction)) >= 1 }
	const stride = 1. / 64 // the region is within |z| < 3.1 on the left
	s := stride
	for s < 4 && !outside(s) {
		s += stride
	}
	low, high := s-stride, s
	for range 50 {
		if mid := (low + high) / 2; outside(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// Pseudospectrum is log10 of the resolvent norm ‖(J − λ)⁻¹‖ over a grid of λ = re + i·im, a row for each im; +Inf at an eigenvalue.
// Where it is large far from the eigenvalues, the flow can grow before it decays.
//
// Source: Trefethen, Embree (2005), Spectra and Pseudospectra.
func Pseudospectrum(j mat.Matrix, re, im []float64) ([][]float64, error) {
	if j == nil {
		return nil, errors.New("game: Pseudospectrum: the matrix is nil")
	}
	n, c := j.Dims()
	if n != c || n == 0 {
		return nil, fmt.Errorf("game: Pseudospectrum: the matrix is %d×%d, must be square", n, c)
	}
	if len(re) == 0 || len(im) == 0 {
		return nil, fmt.Errorf("game: Pseudospectrum: the grid is %d×%d, must not be empty", len(im), len(re))
	}
	out, failures := make([][]float64, len(im)), make([]error, len(im))
	var group sync.WaitGroup
	slots := make(chan bool, runtime.GOMAXPROCS(0))
	for row, y := range im {
		slots <- true
		group.Go(func() {
			out[row], failures[row] = resolvents(j, re, y)
			<-slots
		})
	}
	group.Wait()
	return out, errors.Join(failures...)
}

// resolvents is one row. The complex J − λ is the real [[J − re, im], [−im, J − re]], which has its singular values twice.
func resolvents(j mat.Matrix, re []float64, y float64) ([]float64, error) {
	n, _ := j.Dims()
	real2 := mat.NewDense(2*n, 2*n, nil)
	out := make([]float64, len(re))
	var svd mat.SVD
	values := make([]float64, 2*n)
	for k, x := range re {
		for i := range n {
			for l := range n {
				v := j.At(i, l)
				if i == l {
					v -= x
				}
				real2.Set(i, l, v)
				real2.Set(n+i, n+l, v)
			}
			real2.Set(i, n+i, y)
			real2.Set(n+i, i, -y)
		}
		if !svd.Factorize(real2, mat.SVDNone) {
			return nil, fmt.Errorf("game: Pseudospectrum: the singular values at %g + %gi did not converge", x, y)
		}
		out[k] = -math.Log10(svd.Values(values)[2*n-1])
	}
	return out, nil
}
