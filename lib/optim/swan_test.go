package optim

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// The facts are stated for outputs × inputs.
var rowWise = GradNorm{Axis: 1}

// response is what t makes of a matrix's gradient at the first step: rows in a line.
func response(t *testing.T, tr Transform, g [][]float64) []float64 {
	t.Helper()
	return responses(t, tr, g)[0]
}

// responses of a stateless t to several gradients, as runs along a leading axis.
func responses(t *testing.T, tr Transform, g ...[][]float64) [][]float64 {
	t.Helper()
	e, err := graph.NewExec(backend.ForTest(t), func(g *graph.Node) *graph.Node {
		params := []Param{{Path: "w", Value: graph.ZerosLike(g), Lead: 1}}
		tr.Init(params)
		out, _ := tr.Update(&Step{Params: params, Count: graph.Scalar(g.Graph(), dtypes.Int64, 1)}, []*graph.Node{g}, nil)
		return out[0]
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Call(g)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(slices.Chunk(tensors.MustCopyFlatData[float64](out[0]), len(g[0])*len(g[0][0])))
}

// normalMatrix has one draw an entry.
func normalMatrix(rng *rand.Rand, rows, columns int) *mat.Dense {
	m := mat.NewDense(rows, columns, nil)
	m.Apply(func(int, int, float64) float64 { return rng.NormFloat64() }, m)
	return m
}

// spectrum returns an orthogonal matrix times a diagonal times another: a matrix of these singular values.
func spectrum(rng *rand.Rand, columns int, values ...float64) *mat.Dense {
	var svd mat.SVD
	svd.Factorize(normalMatrix(rng, len(values), columns), mat.SVDThin)
	var u, v, out mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	out.Product(&u, mat.NewDiagDense(len(values), values), v.T())
	return &out
}

func rowsOf(m *mat.Dense) [][]float64 {
	n, _ := m.Dims()
	out := make([][]float64, n)
	for i := range out {
		out[i] = slices.Clone(m.RawRowView(i))
	}
	return out
}

func singular(flat []float64, rows, columns int) []float64 {
	var svd mat.SVD
	svd.Factorize(mat.NewDense(rows, columns, flat), mat.SVDNone)
	return svd.Values(nil)
}

// polarOf is UVᵀ over singular values above floor times the largest, by gonum's SVD.
func polarOf(m *mat.Dense, floor float64) []float64 {
	var svd mat.SVD
	svd.Factorize(m, mat.SVDThin)
	values := svd.Values(nil)
	var u, v, out mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	ones := make([]float64, len(values))
	for i, s := range values {
		if s > floor*values[0] {
			ones[i] = 1
		}
	}
	out.Product(&u, mat.NewDiagDense(len(ones), ones), v.T())
	return out.RawMatrix().Data
}

var (
	factG      = [][]float64{{1, 2, 3, 6}, {2, 0, -2, 4}}
	factNormed = []float64{-1.0690449676, -0.5345224838, 0, 1.6035674515, 0.4472135955, -0.4472135955, -1.3416407865, 1.3416407865}
	factWhite  = []float64{-0.6525740776, -0.2320892449, 0.1883955878, 0.6962677346, 0.3968380106, -0.1716622141, -0.7401624388, 0.5149866423}
)

// Facts 1 to 4 of the specification.
func TestSWANFacts(t *testing.T) {
	close(t, "GradNorm", response(t, rowWise, factG), factNormed, 1e-10)
	exact := response(t, Chain{rowWise, GradWhiten{Exact: true}}, factG)
	close(t, "whitened", exact, factWhite, 1e-10)
	close(t, "row sums", []float64{exact[0] + exact[1] + exact[2] + exact[3], exact[4] + exact[5] + exact[6] + exact[7]}, []float64{0, 0}, 1e-14)
	twice := make([]float64, len(factWhite))
	for i, v := range factWhite {
		twice[i] = 2 * v
	}
	close(t, "norm restored", response(t, Chain{rowWise, RestoreNorm{GradWhiten{Exact: true}}}, factG), twice, 1e-9)
	close(t, "SWAN", response(t, ScaleBySWAN{Axis: 1, Alpha: 1, Exact: true}, factG), twice, 1e-9)
	close(t, "SWAN, stored inputs × outputs", response(t, ScaleBySWAN{Alpha: 1, Exact: true}, transposed(factG)), inLine(transposed([][]float64{twice[:4], twice[4:]})), 1e-9)
	close(t, "norm not restored, default α", response(t, ScaleBySWAN{Axis: 1, Exact: true, KeepWhite: true}, factG), scaled(factWhite, 0.4), 1e-10)

	iterated := func(k int, beta float64) []float64 {
		return response(t, Chain{rowWise, GradWhiten{Iterations: k, Beta: beta}}, factG)
	}
	close(t, "k = 1", iterated(1, 0), []float64{-0.5314535491, -0.2248727889, 0.0817079712, 0.6746183668, 0.2760358079, -0.1783761031, -0.6327880141, 0.5351283092}, 1e-10)
	close(t, "k = 2", iterated(2, 0)[:4], []float64{-0.6139598775, -0.2298653181, 0.1542292414, 0.6895959542}, 1e-10)
	for k, bound := range map[int][2]float64{1: {0.1205, 0.1215}, 3: {4.15e-3, 4.25e-3}, 5: {6.5e-9, 7.5e-9}, 6: {0, 1e-15}} {
		if worst := farthestOf(iterated(k, 0), exact); worst < bound[0] || worst > bound[1] {
			t.Errorf("k = %d is %.3g from the exact whitening, want %v", k, worst, bound)
		}
	}
	spectrum, err := NewtonSchulzSpectrum(scaled(singular(slices.Clone(factNormed), 2, 4), 7), 10, 0.8)
	if err != nil {
		t.Fatal(err)
	}
	close(t, "β = 0.8, on the host", spectrum, []float64{0.9652210015, 0.5955373798}, 1e-9)
	close(t, "β = 0.8", singular(iterated(10, 0.8), 2, 4), []float64{0.9652210015, 0.5955373798}, 1e-9)
	close(t, "raw", response(t, GradWhiten{Exact: true}, factG), []float64{0.0380088847, 0.3235465574, 0.6090842300, 0.7231108840, 0.4225580726, -0.1237643940, -0.6700868606, 0.5975873571}, 1e-10)
}

func inLine(a [][]float64) []float64 { return slices.Concat(a...) }

func scaled(x []float64, by float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = by * x[i]
	}
	return out
}

func farthestOf(a, b []float64) (worst float64) {
	for i := range a {
		worst = max(worst, math.Abs(a[i]-b[i]))
	}
	return worst
}

// Fact 5: the iteration's error by condition number.
func TestNewtonSchulzConvergence(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	conditions := []float64{10, 30, 100}
	var gradients [][][]float64
	for _, condition := range conditions {
		values := make([]float64, 8)
		for i := range values {
			values[i] = math.Pow(condition, -float64(i)/7)
		}
		gradients = append(gradients, rowsOf(spectrum(rng, 16, values...)))
	}
	for _, c := range []struct {
		k      int
		want   []float64 // by condition; 0: not stated
		within float64
	}{{5, []float64{0.3788, 0, 0}, 5e-5}, {6, []float64{0.1880, 0, 0}, 5e-5}, {8, []float64{0.0036, 0, 0}, 5e-5}, {10, []float64{0, 0.0224, 0.4788}, 5e-5}, {12, []float64{0, 0, 0.1132}, 5e-5}, {15, []float64{0, 0, 1e-12}, 1e-4}} {
		for i, white := range responses(t, GradWhiten{Iterations: c.k}, gradients...) {
			var worst float64
			for _, s := range singular(white, 8, 16) {
				worst = max(worst, math.Abs(s-1))
			}
			if c.want[i] != 0 {
				close(t, fmt.Sprintf("condition number %g, k = %d", conditions[i], c.k), []float64{worst}, []float64{c.want[i]}, c.within)
			}
		}
	}
}

// Fact 6: a null direction is dropped, by the iteration too.
func TestWhitenDropsNullDirections(t *testing.T) {
	g := [][]float64{{1, 2, 4}, {0, 1, -1}, {2, -1, 0}}
	normed := response(t, rowWise, g)
	close(t, "GradNorm", normed, []float64{-1.0690449676, -0.2672612419, 1.3363062096, 0, 1.2247448714, -1.2247448714, 1.3363062096, -1.0690449676, -0.2672612419}, 1e-10)
	close(t, "singular values", singular(slices.Clone(normed), 3, 3), []float64{2.2509879408, 1.9831927013, 0}, 1e-10)
	want := []float64{-0.4857785491, -0.1055379025, 0.5913164516, -0.0416536091, 0.5947117180, -0.5530581089, 0.6549433905, -0.5494054880, -0.1055379025}
	close(t, "exact", response(t, Chain{rowWise, GradWhiten{Exact: true}}, g), want, 1e-9)
	close(t, "iterated", response(t, Chain{rowWise, GradWhiten{}}, g), want, 1e-9)
}

// The polar factor against gonum's singular values: square, wide and tall, odd and even, full rank and not, from one
// matrix and several, and with singular values near the smallest that count.
func TestPolarFactor(t *testing.T) {
	b := backend.ForTest(t)
	rng := rand.New(rand.NewPCG(7, 1))
	factor := func(m *mat.Dense) []float64 {
		t.Helper()
		out, err := graph.MustNewExec(b, PolarFactor).Call(rowsOf(m))
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float64](out[0])
	}
	for _, d := range [][2]int{{1, 4}, {2, 2}, {3, 3}, {5, 3}, {8, 8}} {
		m := normalMatrix(rng, d[0], d[1])
		close(t, fmt.Sprint(d), factor(m), polarOf(m, 1e-12), 1e-11)
	}
	for _, c := range []struct {
		smallest, tolerance float64
	}{{1e-5, 1e-10}, {1e-11, 1e-4}, {1e-13, 1e-11}, {0, 1e-11}} {
		m := spectrum(rng, 6, 1, 0.5, 1e-3, c.smallest)
		close(t, fmt.Sprintf("smallest %g", c.smallest), factor(m), polarOf(m, 1e-12), c.tolerance)
	}
	twins := mat.NewDense(4, 3, []float64{1, 2, 3, 1, 2, 3, -1, 0, 1, 0, 0, 0})
	close(t, "equal rows and a row of zeros", factor(twins), polarOf(twins, 1e-12), 1e-12)
	close(t, "zero", factor(mat.NewDense(2, 3, nil)), make([]float64, 6), 0)

	one, two := normalMatrix(rng, 3, 5), normalMatrix(rng, 3, 5)
	out, err := graph.MustNewExec(b, PolarFactor).Call([][][]float64{rowsOf(one), rowsOf(two)})
	if err != nil {
		t.Fatal(err)
	}
	close(t, "a batch", tensors.MustCopyFlatData[float64](out[0]), slices.Concat(polarOf(one, 0), polarOf(two, 0)), 1e-11)

	single, err := graph.MustNewExec(b, PolarFactor).Call([][]float32{{1, 2, 4}, {0, 1, -1}, {1, 3, 3}})
	if err != nil {
		t.Fatal(err)
	}
	dependent := mat.NewDense(3, 3, []float64{1, 2, 4, 0, 1, -1, 1, 3, 3})
	for i, v := range tensors.MustCopyFlatData[float32](single[0]) {
		if math.Abs(float64(v)-polarOf(dependent, 1e-6)[i]) > 1e-5 {
			t.Errorf("float32, rank 2: entry %d is %g, want %g", i, v, polarOf(dependent, 1e-6)[i])
		}
	}
}

// A^(−1/2) by hand, in a batch, and what misuse says.
func TestNewtonSchulzInvSqrt(t *testing.T) {
	b := backend.ForTest(t)
	run := func(k int, beta float64, a any) ([]float64, error) {
		e := graph.MustNewExec(b, func(a *graph.Node) *graph.Node { return NewtonSchulzInvSqrt(a, k, beta) })
		out, err := e.Call(a)
		if err != nil {
			return nil, err
		}
		return tensors.MustCopyFlatData[float64](out[0]), nil
	}
	got, err := run(12, 0.5, [][][]float64{{{4, 0}, {0, 9}}, {{2, 1}, {1, 2}}})
	if err != nil {
		t.Fatal(err)
	}
	half := (1 + 1/math.Sqrt(3)) / 2 // eigenvalues 3 and 1 of [[2 1] [1 2]]
	close(t, "A^(−1/2)", got, []float64{0.5, 0, 0, 1. / 3, half, half - 1, half - 1, half}, 1e-14)
	for want, call := range map[string]func() ([]float64, error){
		"k is 0":             func() ([]float64, error) { return run(0, 0.5, [][]float64{{1}}) },
		"beta is 1":          func() ([]float64, error) { return run(1, 1, [][]float64{{1}}) },
		"beta is NaN":        func() ([]float64, error) { return run(1, nan, [][]float64{{1}}) },
		"be square matrices": func() ([]float64, error) { return run(1, 0.5, [][]float64{{1, 2}}) },
	} {
		if _, err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// Claims K1 and K2 on random matrices, and that a tall matrix is whitened as its transpose.
func TestWhitenWide(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var wide, good, tall [][][]float64
	for range 5 {
		wide = append(wide, rowsOf(normalMatrix(rng, 8, 16)))
		good = append(good, rowsOf(spectrum(rng, 16, 3, 2.6, 2.2, 2, 1.7, 1.4, 1.2, 1)))
		tall = append(tall, transposed(good[len(good)-1]))
	}
	for _, normed := range responses(t, rowWise, wide...) {
		for row := range slices.Chunk(normed, 16) {
			var mean, square float64
			for _, v := range row {
				mean += v / 16
				square += v * v / 16
			}
			close(t, "mean and deviation", []float64{mean, math.Sqrt(square)}, []float64{0, 1}, 1e-14)
		}
	}
	for k, bound := range map[int]float64{10: 1e-6, 5: 5e-2} {
		upright := responses(t, GradWhiten{Iterations: k}, tall...)
		for i, white := range responses(t, GradWhiten{Iterations: k}, good...) {
			var gram mat.Dense
			d := mat.NewDense(8, 16, white)
			gram.Mul(d, d.T())
			for i := range 8 {
				gram.Set(i, i, gram.At(i, i)-1)
			}
			if worst := farthestOf(gram.RawMatrix().Data, make([]float64, 64)); worst > bound {
				t.Errorf("k = %d: ΔΔᵀ is %.3g from the identity, want at most %g", k, worst, bound)
			}
			close(t, "tall", inLine(transposed(rowsOf(mat.NewDense(16, 8, upright[i])))), white, 1e-13)
		}
	}
}

// Claim K4: neither the size of the gradient nor that of any output unit's matters; and whitening turns with its matrix.
func TestSWANInvariances(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	var gradients, raw [][][]float64
	var turns []*mat.Dense
	for range 3 {
		g := normalMatrix(rng, 5, 7) // inputs × outputs
		gradients = append(gradients, rowsOf(g))
		for _, c := range []float64{1e-5, 3, 1e8} {
			var by mat.Dense
			by.Scale(c, g)
			gradients = append(gradients, rowsOf(&by))
		}
		d := make([]float64, 7)
		for i := range d {
			d[i] = math.Exp(rng.NormFloat64())
		}
		var by, turned mat.Dense
		by.Mul(g, mat.NewDiagDense(7, d))
		gradients = append(gradients, rowsOf(&by))

		q := spectrum(rng, 5, 1, 1, 1, 1, 1)
		turned.Mul(q, g)
		raw, turns = append(raw, rowsOf(g), rowsOf(&turned)), append(turns, q)
	}
	for same := range slices.Chunk(responses(t, ScaleBySWAN{}, gradients...), 5) {
		close(t, "SWAN(1e-5·G)", same[1], same[0], 1e-5) // ε of GradNorm shows
		for i, what := range []string{"SWAN(3·G)", "SWAN(1e8·G)", "SWAN(G·D)"} {
			close(t, what, same[2+i], same[0], 1e-10)
		}
	}
	for i, white := range slices.Collect(slices.Chunk(responses(t, GradWhiten{}, raw...), 2)) {
		var want mat.Dense
		want.Mul(turns[i], mat.NewDense(5, 7, white[0]))
		close(t, "whiten(Q·G) = Q·whiten(G)", white[1], want.RawMatrix().Data, 1e-12)
	}
	tiny := response(t, GradWhiten{}, [][]float64{{1e-200, 0}, {0, 2e-200}})
	close(t, "tiny gradients are whitened as others", tiny, []float64{1, 0, 0, 1}, 1e-9)
}

// Claim K3 on a least-squares problem: no column sum of the weights moves; in the other layout, no row sum.
func TestSWANConservesSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	target := rowsOf(normalMatrix(rng, 4, 6))
	problem := Problem{Loss: func(p, _ []*graph.Node) *graph.Node {
		return graph.ReduceAllSum(graph.Square(graph.Sub(p[0], graph.Const(p[0].Graph(), target))))
	}}
	start := normalMatrix(rng, 4, 6)
	for axis := range 2 {
		r, err := Minimize(context.Background(), backend.ForTest(t), ready(0.05, ScaleBySWAN{Axis: axis}), problem, scan.Vars{"w": tensors.FromValue(rowsOf(start))}, nil, 50, 0)
		if err != nil {
			t.Fatal(err)
		}
		var moved mat.Dense
		moved.Sub(mat.NewDense(4, 6, tensors.MustCopyFlatData[float64](r.Params["w"])), start)
		if n := mat.Norm(&moved, 2); n < 0.5 {
			t.Fatalf("the weights moved by %g only", n)
		}
		lines := [][]float64{}
		for j := range 6 {
			lines = append(lines, mat.Col(nil, j, &moved))
		}
		if axis == 1 {
			lines = rowsOf(&moved)
		}
		for _, line := range lines {
			close(t, fmt.Sprintf("sum over axis %d", axis), []float64{mat.Sum(mat.NewVecDense(len(line), line))}, []float64{0}, 1e-12)
		}
	}
}

// Flat lines, zero, equal rows and NaN.
func TestSWANDegenerate(t *testing.T) {
	swan := ScaleBySWAN{Axis: 1, Alpha: 1}
	close(t, "zero", response(t, swan, [][]float64{{0, 0, 0}, {0, 0, 0}}), make([]float64, 6), 0)
	close(t, "zero, exact", response(t, GradWhiten{Exact: true}, [][]float64{{0, 0, 0}, {0, 0, 0}}), make([]float64, 6), 0)
	close(t, "RMS of zero", response(t, NormalizeRMS{}, [][]float64{{0, 0}}), []float64{0, 0}, 0)
	close(t, "RMS", response(t, NormalizeRMS{}, [][]float64{{3, 4}}), []float64{3 / math.Sqrt(12.5), 4 / math.Sqrt(12.5)}, 1e-15)
	flat := response(t, swan, [][]float64{{0.1, 0.1, 0.1}, {1, 2, 4}})
	close(t, "a flat row", flat[:3], []float64{0, 0, 0}, 1e-6)
	root := math.Sqrt(flat[3]*flat[3] + flat[4]*flat[4] + flat[5]*flat[5])
	close(t, "beside a flat row", []float64{root}, []float64{math.Sqrt(3)}, 1e-9) // the norm of what GradNorm left
	twins := response(t, swan, [][]float64{{1, 2, 4}, {1, 2, 4}})
	close(t, "equal rows share", twins[:3], twins[3:], 1e-9)
	for _, exact := range []bool{false, true} {
		swan.Exact = exact
		bad := response(t, swan, [][]float64{{1, nan, 4}, {1, 0, 4}})
		for i, v := range bad {
			if !math.IsNaN(v) {
				t.Errorf("NaN in the gradient is %g in entry %d", v, i)
			}
		}
	}

	// Short floats are whitened in float32: the result is that of float64, rounded.
	e, err := graph.NewExec(backend.ForTest(t), func(g *graph.Node) *graph.Node {
		short := graph.ConvertDType(g, dtypes.BFloat16)
		out, _ := ScaleBySWAN{Axis: 1, Alpha: 1}.Update(&Step{Params: []Param{{Path: "w", Value: short}}, Count: graph.Scalar(g.Graph(), dtypes.Int64, 1)}, []*graph.Node{short}, nil)
		if out[0].DType() != dtypes.BFloat16 {
			t.Errorf("the update is %s, want BFloat16", out[0].DType())
		}
		return graph.ConvertDType(out[0], dtypes.Float64)
	})
	if err != nil {
		t.Fatal(err)
	}
	short, err := e.Call(factG)
	if err != nil {
		t.Fatal(err)
	}
	close(t, "bfloat16", tensors.MustCopyFlatData[float64](short[0]), scaled(factWhite, 2), 0.01)

	// In float32 rounding must not turn a constant column into noise of size 1.
	constant := make([]float32, 1000)
	for i := range constant {
		constant[i] = 0.1
	}
	out, err := Respond(context.Background(), backend.ForTest(t), GradNorm{Axis: 1}, tensors.FromFlatDataAndDimensions(constant, 1, 1, 1000))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range tensors.MustCopyFlatData[float32](out) {
		if math.Abs(float64(v)) > 1e-3 {
			t.Fatalf("a constant row of float32 became %g", v)
		}
	}
}

// Runs along a leading axis are whitened as each alone, with step sizes and scales of their own; two matrices of one size
// do not mix.
func TestSWANRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const runs = 3
	swan := Chain{ScaleBySWAN{Iterations: 4}, ScaleByLearningRate{Rate: 0.1}}
	problem := func(lead int) Problem {
		return Problem{Lead: lead, Loss: func(p, _ []*graph.Node) *graph.Node {
			var sum *graph.Node
			for k, x := range p {
				x = graph.MulScalar(graph.Mul(graph.Square(x), graph.AddScalar(x, 3)), float64(k+1))
				axes := []int{lead, lead + 1}
				if x = graph.ReduceSum(x, axes...); sum == nil {
					sum = x
				} else {
					sum = graph.Add(sum, x)
				}
			}
			return sum
		}}
	}
	shape := map[string][2]int{"tall": {5, 3}, "wide": {3, 5}, "other": {3, 5}}
	together, alone := scan.Vars{}, make([]scan.Vars, runs)
	for name, d := range shape {
		var all []float64
		for k := range runs {
			if alone[k] == nil {
				alone[k] = scan.Vars{}
			}
			m := normalMatrix(rng, d[0], d[1])
			alone[k][name] = tensors.FromValue(rowsOf(m))
			all = append(all, m.RawMatrix().Data...)
		}
		together[name] = tensors.FromFlatDataAndDimensions(all, runs, d[0], d[1])
	}
	hyper := Hyper{"alpha": {0.4, 1, 0.1}, "beta": {0.5, 0.6, 0.8}}
	compile := func(lead int, start scan.Vars, hyper Hyper) *Program {
		t.Helper()
		program, err := Compile(backend.ForTest(t), swan, problem(lead), start, nil, hyper)
		if err != nil {
			t.Fatal(err)
		}
		return program
	}
	run := func(p *Program, start scan.Vars, hyper Hyper) scan.Vars {
		t.Helper()
		r, err := p.Run(context.Background(), start, nil, hyper, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.State) != 0 {
			t.Errorf("a state of %d tensors, want none", len(r.State))
		}
		return r.Params
	}
	of := func(k int) Hyper { return Hyper{"alpha": {hyper["alpha"][k]}, "beta": {hyper["beta"][k]}} }
	got := run(compile(1, together, hyper), together, hyper)
	single := compile(0, alone[0], of(0))
	for k := range runs {
		one := run(single, alone[k], of(k))
		for name, d := range shape {
			n := d[0] * d[1]
			close(t, fmt.Sprintf("run %d, %s", k, name), tensors.MustCopyFlatData[float64](got[name])[k*n:(k+1)*n], tensors.MustCopyFlatData[float64](one[name]), 1e-12)
		}
	}
}

// Queries, keys and values stored as one are whitened as three, and kernels as matrices; also with runs, state and the
// loss at other weights behind the view.
func TestViews(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	g := normalMatrix(rng, 4, 12)
	var want [][]float64
	for i := range 3 {
		part := mat.DenseCopyOf(g.Slice(0, 4, 4*i, 4*i+4))
		white := response(t, ScaleBySWAN{}, rowsOf(part))
		for r := range 4 {
			if i == 0 {
				want = append(want, nil)
			}
			want[r] = append(want[r], white[4*r:4*r+4]...)
		}
	}
	split := response(t, SplitOutputs{Parts: 3, Inner: ScaleBySWAN{}}, rowsOf(g))
	close(t, "split", split, inLine(want), 1e-12)
	if whole := response(t, ScaleBySWAN{}, rowsOf(g)); farthestOf(whole, split) < 1e-3 {
		t.Error("whole and split are the same")
	}
	const fused = "block_00/attn/qkv_proj/weights" // the preset splits it by its name
	gradient := tensors.FromFlatDataAndDimensions(slices.Clone(g.RawMatrix().Data), 1, 4, 12)
	r, err := Minimize(context.Background(), backend.ForTest(t), SWAN(1), feed(0), scan.Vars{fused: tensors.FromShape(shapes.Make(dtypes.Float64, 4, 12))}, scan.Vars{"g": gradient}, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	close(t, "preset", tensors.MustCopyFlatData[float64](r.Params[fused]), scaled(split, -1), 1e-12)
	none := func(Param) bool { return false }
	close(t, "not wanted", response(t, SplitOutputs{Where: none, Parts: 5, Inner: ScaleBySWAN{}}, rowsOf(g)), response(t, ScaleBySWAN{}, rowsOf(g)), 0)

	flat := g.RawMatrix().Data
	kernel, err := Respond(context.Background(), backend.ForTest(t), KernelMatrices{ScaleBySWAN{}}, tensors.FromFlatDataAndDimensions(slices.Clone(flat), 1, 2, 2, 2, 6))
	if err != nil {
		t.Fatal(err)
	}
	close(t, "kernel", tensors.MustCopyFlatData[float64](kernel), response(t, ScaleBySWAN{}, rowsOf(mat.NewDense(8, 6, slices.Clone(flat)))), 1e-13)

	// A method that does not mix entries is not changed by a view, nor is one that asks for the loss again.
	start := scan.Vars{"w": tensors.FromFlatDataAndDimensions(slices.Clone(flat), 2, 2, 2, 6), "b": tensors.FromFlatDataAndDimensions([]float64{1, 2, 3, 4}, 2, 2)}
	problem := Problem{Lead: 1, Loss: func(p, _ []*graph.Node) *graph.Node {
		return graph.Add(graph.ReduceSum(graph.Square(p[0]), 1), graph.ReduceSum(graph.Mul(graph.Square(p[1]), p[1]), 1, 2, 3))
	}}
	inner := SAM(0.05, Momentum(0.1, 0.9))
	var plain scan.Vars
	for _, tr := range []Transform{inner, KernelMatrices{SplitOutputs{Parts: 2, Inner: inner}}} {
		if !usesAgain(tr) || !usesAgain(RestoreNorm{tr}) {
			t.Errorf("%T does not say that it asks for the loss again", tr)
		}
		r, err := Minimize(context.Background(), backend.ForTest(t), tr, problem, start, nil, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		if plain == nil {
			plain = r.Params
		}
		for name, v := range plain {
			close(t, name, tensors.MustCopyFlatData[float64](r.Params[name]), tensors.MustCopyFlatData[float64](v), 1e-14)
		}
	}
}

// The preset: which parameters go where, and what state remains.
func TestSWANLabels(t *testing.T) {
	b := backend.ForTest(t)
	start := scan.Vars{}
	add := func(path string, dims ...int) { start[path] = tensors.FromShape(shapes.Make(dtypes.Float32, dims...)) }
	add("block_00/attn/qkv_proj/weights", 4, 12)
	add("block_00/attn/qkv_proj/biases", 12)
	add("block_00/mlp/gate_proj/weights", 4, 7)
	add("block_00/attn_norm/gain", 4)
	add("block_00/adapter/weights", 4, 1)
	add("embed/tokens", 16, 4)
	add("embed/positions", 8, 4)
	add("head/weights", 4, 16)
	bytes, err := StateBytes(b, SWAN(0.01), start)
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(2 * 4 * (12 + 4 + 4 + 64 + 32 + 64)); bytes != want {
		t.Errorf("the state takes %d bytes, want %d: Adam's, without the two matrices", bytes, want)
	}
	delete(start, "block_00/attn/qkv_proj/weights")
	delete(start, "block_00/mlp/gate_proj/weights")
	adam, err := StateBytes(b, Adam(0.01), start)
	if err != nil {
		t.Fatal(err)
	}
	if rest, err := StateBytes(b, SWAN(0.01), start); err != nil || rest != adam {
		t.Errorf("without matrices the state takes %d bytes (%v), want Adam's %d", rest, err, adam)
	}
}

func TestSWANErrors(t *testing.T) {
	for want, tr := range map[string]Transform{
		"optim: GradWhiten: Iterations is -1, must be at least 1": ScaleBySWAN{Iterations: -1},
		"optim: GradWhiten: Beta is 1, must be in (0, 1)":         ScaleBySWAN{Beta: 1},
		"Beta is NaN":      GradWhiten{Beta: nan},
		"Beta is -0, must": GradWhiten{Beta: Zero},
		"optim: ScaleBySWAN: Alpha is -1, must be posi": ScaleBySWAN{Alpha: -1},
		"Alpha is +Inf": ScaleBySWAN{Alpha: math.Inf(1)},
		"optim: GradNorm: Axis is 2, must be 0 or 1": ScaleBySWAN{Axis: 2},
		"Eps is -1":                    GradNorm{Eps: -1},
		"RestoreNorm: Inner is nil":    RestoreNorm{},
		"SplitOutputs: Inner is nil":   SplitOutputs{Parts: 1},
		"SplitOutputs: Parts is 0":     SplitOutputs{Inner: Keep{}},
		"KernelMatrices: Inner is nil": KernelMatrices{},
		"Rate is -1":                   SWAN(-1),
	} {
		if err := tr.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	for want, call := range map[string]func() ([]float64, error){
		"the largest value is 0": func() ([]float64, error) { return NewtonSchulzSpectrum([]float64{0}, 1, 0.5) },
		"values[1] is NaN":       func() ([]float64, error) { return NewtonSchulzSpectrum([]float64{1, nan}, 1, 0.5) },
		"k is 0":                 func() ([]float64, error) { return NewtonSchulzSpectrum([]float64{1}, 0, 0.5) },
		"beta is 0":              func() ([]float64, error) { return NewtonSchulzSpectrum([]float64{1}, 1, 0) },
	} {
		if _, err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	b := backend.ForTest(t)
	for _, c := range []struct {
		want string
		tr   Transform
		dims []int
	}{
		{`ScaleBySWAN: parameter "w" is (Float64)[3], must be a matrix`, ScaleBySWAN{}, []int{3}},
		{`ScaleBySWAN: parameter "w" is (Float64)[3, 1], must have at least 2 rows and columns`, ScaleBySWAN{}, []int{3, 1}},
		{`GradNorm: parameter "w" is (Float64)[1, 3], must have at least 2 entries along axis 0`, GradNorm{}, []int{1, 3}},
		{`GradNorm: parameter "w" is (Float64), must be a matrix`, GradNorm{}, nil},
		{`GradWhiten: parameter "w" is (Float64)[2, 2, 2], must be a matrix`, GradWhiten{}, []int{2, 2, 2}},
		{`SplitOutputs: parameter "w" is (Float64)[2, 4], its last axis must be a multiple of Parts, 3`, SplitOutputs{Parts: 3, Inner: Keep{}}, []int{2, 4}},
	} {
		_, err := StateBytes(b, c.tr, scan.Vars{"w": tensors.FromShape(shapes.Make(dtypes.Float64, c.dims...))})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}
