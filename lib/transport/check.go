package transport

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"gonum.org/v1/gonum/mat"
)

func checkEpsilon(where, name string, eps float64) error {
	if !(eps > 0) || math.IsInf(eps, 1) {
		return fmt.Errorf("transport: %s: %s is %g, must be positive and finite", where, name, eps)
	}
	return nil
}

// checkSamples is about one point a row; dim 0 allows any dimension.
func checkSamples(where, name string, x *mat.Dense, dim int) error {
	if x == nil || x.IsEmpty() {
		return fmt.Errorf("transport: %s: %s is empty, must have at least 1 row", where, name)
	}
	rows, columns := x.Dims()
	if dim != 0 && columns != dim {
		return fmt.Errorf("transport: %s: %s has %d columns, must have %d", where, name, columns, dim)
	}
	for i := range rows {
		for j, v := range x.RawRowView(i) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("transport: %s: %s is %g at row %d, column %d, must be finite", where, name, v, i, j)
			}
		}
	}
	return nil
}

// made is an error for a bridge that NewBridge did not make.
func (b *Bridge) made(where string) error {
	if b == nil || len(b.parts) == 0 {
		return fmt.Errorf("transport: %s: the bridge has 0 components, must have at least 1: make it by NewBridge", where)
	}
	return nil
}

func (b *Bridge) checkSamples(where, name string, x *mat.Dense) error {
	if err := b.made(where); err != nil {
		return err
	}
	return checkSamples(where, name, x, b.dim)
}

func (b *Bridge) checkPoint(where string, x []float64) error {
	if err := b.made(where); err != nil {
		return err
	}
	return checkPoint(where, x, b.dim)
}

func checkPoint(where string, x []float64, dim int) error {
	if len(x) != dim {
		return fmt.Errorf("transport: %s: x has %d numbers, must have %d", where, len(x), dim)
	}
	for d, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("transport: %s: x is %g at %d, must be finite", where, v, d)
		}
	}
	return nil
}

// inParallel cuts 0, …, n−1 into a stretch a processor.
func inParallel(n int, f func(from, to int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() { f(i*n/workers, (i+1)*n/workers) })
	}
	wait.Wait()
}

// spectrum returns the eigenvalues of a positive definite matrix and its eigenvectors in columns, nil for the axes.
func spectrum(what string, a mat.Symmetric, dim int) ([]float64, *mat.Dense, error) {
	if a == nil {
		return nil, nil, fmt.Errorf("transport: %s is nil, must be a positive definite matrix", what)
	}
	if a.SymmetricDim() != dim {
		return nil, nil, fmt.Errorf("transport: %s has %d rows, must have %d", what, a.SymmetricDim(), dim)
	}
	values, diagonal := make([]float64, dim), true
	for i := range dim {
		values[i] = a.At(i, i)
		for j := range dim {
			if v := a.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, nil, fmt.Errorf("transport: %s is %g at (%d, %d), must be finite", what, v, i, j)
			}
			diagonal = diagonal && (i == j || a.At(i, j) == 0)
		}
	}
	var vectors *mat.Dense
	if !diagonal {
		var eigen mat.EigenSym
		if !eigen.Factorize(a, true) {
			return nil, nil, fmt.Errorf("transport: %s has no eigenvalues that could be computed", what)
		}
		eigen.Values(values)
		vectors = new(mat.Dense)
		eigen.VectorsTo(vectors)
	}
	for _, v := range values {
		if !(v > 0) {
			return nil, nil, fmt.Errorf("transport: %s has the eigenvalue %g, must be positive definite", what, v)
		}
	}
	return values, vectors, nil
}

// function is U diag(f(values)) Uᵀ.
func function(values []float64, u *mat.Dense, f func(float64) float64) *mat.SymDense {
	n := len(values)
	out := mat.NewSymDense(n, nil)
	for k, v := range values {
		if u == nil {
			out.SetSym(k, k, f(v))
			continue
		}
		out.SymRankOne(out, f(v), u.ColView(k))
	}
	return out
}

// root is the symmetric square root; eigenvalues below 0, which only rounding makes, count as 0.
func root(a mat.Symmetric) (*mat.SymDense, error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(a, true) {
		return nil, errors.New("transport: a symmetric matrix has no eigenvalues that could be computed")
	}
	var u mat.Dense
	eigen.VectorsTo(&u)
	return function(eigen.Values(nil), &u, func(v float64) float64 { return math.Sqrt(math.Max(v, 0)) }), nil
}

// sandwich is ABA of symmetric matrices.
func sandwich(a, b mat.Symmetric) *mat.SymDense {
	var left, all mat.Dense
	left.Mul(a, b)
	all.Mul(&left, a)
	return symmetric(&all)
}

// symmetric is the symmetric part of a square matrix.
func symmetric(a *mat.Dense) *mat.SymDense {
	n, _ := a.Dims()
	out := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			out.SetSym(i, j, (a.At(i, j)+a.At(j, i))/2)
		}
	}
	return out
}

// addSym adds f·a to dst.
func addSym(dst *mat.SymDense, f float64, a mat.Symmetric) {
	n := dst.SymmetricDim()
	_, diagonal := a.(*mat.DiagDense)
	for i := range n {
		if diagonal {
			dst.SetSym(i, i, dst.At(i, i)+f*a.At(i, i))
			continue
		}
		for j := i; j < n; j++ {
			dst.SetSym(i, j, dst.At(i, j)+f*a.At(i, j))
		}
	}
}
