package game

import (
	"errors"
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

var errEigen = errors.New("game: the eigenvalues did not converge")

// smallest eigenvalue of a symmetric matrix.
func smallest(s mat.Symmetric) (float64, error) {
	var e mat.EigenSym
	if !e.Factorize(s, false) {
		return 0, errEigen
	}
	return floats.Min(e.Values(nil)), nil
}

func eigenvalues(a mat.Matrix) ([]complex128, error) {
	var e mat.Eigen
	if !e.Factorize(a, mat.EigenNone) {
		return nil, errEigen
	}
	return e.Values(nil), nil
}

// perron is the positive right eigenvector of a Z-matrix at the eigenvalue of smallest real part.
func perron(a mat.Matrix) ([]float64, error) {
	var e mat.Eigen
	if !e.Factorize(a, mat.EigenRight) {
		return nil, errEigen
	}
	values := e.Values(nil)
	least := 0
	for k, v := range values {
		if real(v) < real(values[least]) {
			least = k
		}
	}
	var vectors mat.CDense
	e.VectorsTo(&vectors)
	out := make([]float64, len(values))
	for i := range out {
		out[i] = cmplx.Abs(vectors.At(i, least))
	}
	return out, nil
}

// spectralNorm is the largest singular value.
func spectralNorm(a mat.Matrix) (float64, error) {
	var s mat.SVD
	if !s.Factorize(a, mat.SVDNone) {
		return 0, errors.New("game: the singular values did not converge")
	}
	return s.Values(nil)[0], nil
}

// symmetricPart is (A + Aᵀ)/2.
func symmetricPart(a mat.Matrix) *mat.SymDense {
	n, _ := a.Dims()
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, (a.At(i, j)+a.At(j, i))/2)
		}
	}
	return s
}

// spread gives every coordinate its player's weight.
func spread(weights []float64, blocks []int) []float64 {
	var out []float64
	for i, size := range blocks {
		for range size {
			out = append(out, weights[i])
		}
	}
	return out
}

// inMetric is M^½ A M^−½ for M = diag(w), one weight a coordinate.
func inMetric(a mat.Matrix, w []float64) *mat.Dense {
	var out mat.Dense
	out.Apply(func(i, j int, v float64) float64 { return v * math.Sqrt(w[i]/w[j]) }, a)
	return &out
}
