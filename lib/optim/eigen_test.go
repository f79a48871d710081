package optim

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// semidefinite is XᵀX of a Gaussian rank×n matrix X.
func semidefinite(rng *rand.Rand, n, rank int) *mat.Dense {
	x := mat.NewDense(rank, n, nil)
	for i := range rank {
		for j := range n {
			x.Set(i, j, rng.NormFloat64())
		}
	}
	var out mat.Dense
	out.Mul(x.T(), x)
	return &out
}

// Two matrices at once, also singular ones and the zero matrix: A·w = λ·w, orthonormal vectors, gonum's values.
func TestEigen(t *testing.T) {
	b := backend.ForTest(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 7, 8} {
		matrices := []*mat.Dense{semidefinite(rng, n, 2*n), semidefinite(rng, n, (n+1)/2), mat.NewDense(n, n, nil)}
		var flat []float64
		for _, m := range matrices {
			flat = append(flat, m.RawMatrix().Data...)
		}
		out, err := graph.CallOnceN(b, func(a *graph.Node) []*graph.Node {
			values, vectors := eigen(graph.Const(a.Graph(), true), a)
			values, vectors = ordered(values, vectors, n)
			return []*graph.Node{values, vectors}
		}, tensors.FromFlatDataAndDimensions(flat, len(matrices), n, n))
		if err != nil {
			t.Fatal(err)
		}
		values, vectors := tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1])
		for k, m := range matrices {
			w := mat.NewDense(n, n, vectors[k*n*n:(k+1)*n*n])
			var gram mat.Dense
			gram.Mul(w, w.T())
			var exact mat.EigenSym
			if !exact.Factorize(symmetric(m), false) {
				t.Fatal("gonum's eigenvalues failed")
			}
			want := exact.Values(nil) // rising
			size := max(1, want[n-1])
			for i := range n {
				if got := values[k*n+i]; math.Abs(got-want[n-1-i]) > 1e-11*size {
					t.Errorf("n = %d, matrix %d: eigenvalue %d is %g, want %g", n, k, i, got, want[n-1-i])
				}
				var image mat.VecDense
				image.MulVec(m, w.RowView(i))
				image.AddScaledVec(&image, -values[k*n+i], w.RowView(i))
				if mat.Norm(&image, 2) > 1e-11*size {
					t.Errorf("n = %d, matrix %d: vector %d misses by %g", n, k, i, mat.Norm(&image, 2))
				}
				for j := range n {
					if kronecker := float64(btoi(i == j)); math.Abs(gram.At(i, j)-kronecker) > 1e-12 {
						t.Errorf("n = %d, matrix %d: vectors %d and %d have product %g", n, k, i, j, gram.At(i, j))
					}
				}
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func symmetric(m *mat.Dense) *mat.SymDense {
	n, _ := m.Dims()
	return mat.NewSymDense(n, m.RawMatrix().Data)
}

// Orthonormal columns, of the same space, symmetric against X: XᵀQ is positive definite. Square matrices are the hardest.
func TestOrthonormal(t *testing.T) {
	b := backend.ForTest(t)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, shape := range [][2]int{{1, 1}, {5, 1}, {6, 3}, {12, 12}} {
		n, r := shape[0], shape[1]
		x := mat.NewDense(n, r, nil)
		for i := range n {
			for j := range r {
				x.Set(i, j, rng.NormFloat64())
			}
		}
		out, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return orthonormal(graph.Const(x.Graph(), true), x) },
			tensors.FromFlatDataAndDimensions(append([]float64(nil), x.RawMatrix().Data...), 1, n, r))
		if err != nil {
			t.Fatal(err)
		}
		q := mat.NewDense(n, r, tensors.MustCopyFlatData[float64](out))
		var gram, product mat.Dense
		gram.Mul(q.T(), q)
		product.Mul(x.T(), q)
		for i := range r {
			for j := range r {
				if math.Abs(gram.At(i, j)-float64(btoi(i == j))) > 1e-11 || math.Abs(product.At(i, j)-product.At(j, i)) > 1e-9 {
					t.Errorf("%d×%d: QᵀQ is %g and XᵀQ %g against %g at (%d, %d)", n, r, gram.At(i, j), product.At(i, j), product.At(j, i), i, j)
				}
			}
		}
		var values mat.EigenSym
		if !values.Factorize(symmetric(&product), false) || values.Values(nil)[0] <= 0 {
			t.Errorf("%d×%d: XᵀQ is not positive definite", n, r)
		}
	}
}
