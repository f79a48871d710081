package optim

import (
	"context"
	"fmt"
	"maps"
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

var everySelector = map[string]Selector{
	"columns": Columns{}, "rows": Rows{}, "randperm": RandPerm{}, "randk": RandomCoordinates{}, "svd": SVD{}, "random": RandomProjection{},
	"descending": Blocks{}, "blocks": Blocks{Order: RandomOrder}, // the other orders differ in their list only
}

// eachSelector gives every selector that has parameters, those under its name, a part of its own in one program.
func eachSelector(f ScaleByFrugal, params scan.Vars) Partition {
	var out Partition
	for _, name := range slices.Sorted(maps.Keys(everySelector)) {
		f.Selector = everySelector[name]
		if len(under(name, params)) > 0 {
			out = append(out, Group{Name: name, Where: ByPath(name + "/*"), Transform: f})
		}
	}
	return out
}

// under are a selector's parameters.
func under(name string, params scan.Vars) scan.Vars {
	out := scan.Vars{}
	for path, v := range params {
		if strings.HasPrefix(path, name+"/") {
			out[path] = v
		}
	}
	return out
}

// batches are the selectors' parameters that one program can hold: all, for few are compiled fast by XLA, and one selector's
// on the pure-Go backend, whose sorts and loops of several parts would wait for each other.
func batches(t *testing.T, params scan.Vars) []scan.Vars {
	if scan.CanFuse(backend.ForTest(t)) {
		return []scan.Vars{params}
	}
	var out []scan.Vars
	for name := range everySelector {
		out = append(out, under(name, params))
	}
	return out
}

// respondEach is the response of every selector.
func respondEach(t *testing.T, f ScaleByFrugal, gradients scan.Vars) map[string][]float64 {
	t.Helper()
	out := map[string][]float64{}
	for _, batch := range batches(t, gradients) {
		maps.Copy(out, respondAll(t, eachSelector(f, batch), batch))
	}
	return out
}

var layerShapes = map[string][]int{"down_proj": {10, 6}, "k_proj": {5, 7}}

// draws are gradients of every selector's parameters, the same for all.
func draws(steps, lead int) scan.Vars {
	out := scan.Vars{}
	for name := range everySelector {
		rng := rand.New(rand.NewPCG(1, 5))
		for _, layer := range slices.Sorted(maps.Keys(layerShapes)) {
			dims := []int{steps}
			if lead > 0 {
				dims = append(dims, lead)
			}
			t := tensors.FromShape(shapes.Make(dtypes.Float32, append(dims, layerShapes[layer]...)...))
			tensors.MustMutableFlatData(t, func(flat []float32) {
				for i := range flat {
					flat[i] = float32(rng.NormFloat64())
				}
			})
			out[name+"/"+layer] = t
		}
	}
	return out
}

func respondAll(t *testing.T, method Transform, gradients scan.Vars) map[string][]float64 {
	t.Helper()
	updates, err := RespondAll(context.Background(), backend.ForTest(t), method, gradients)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float64{}
	for path, u := range updates {
		for _, v := range tensors.MustCopyFlatData[float32](u) {
			out[path] = append(out[path], float64(v))
		}
	}
	return out
}

// The parts of a gradient add up to it and are orthogonal, for every selector at every step, and the low part has the size
// that the density says.
func TestFrugalSplits(t *testing.T) {
	const steps = 5
	gradients := draws(steps, 0)
	low := respondEach(t, ScaleByFrugal{Full: Keep{}, Free: Freeze{}, Density: 0.5, Gap: 2}, gradients)
	rest := respondEach(t, ScaleByFrugal{Full: Freeze{}, Free: Keep{}, Density: 0.5, Gap: 2}, gradients)
	for _, path := range slices.Sorted(maps.Keys(gradients)) {
		g := tensors.MustCopyFlatData[float32](gradients[path])
		n := len(g) / steps
		var last []float64
		for k := range steps {
			var gap, product, size float64
			var zeros int
			a, b := low[path][k*n:(k+1)*n], rest[path][k*n:(k+1)*n]
			for i := range n {
				want := float64(g[k*n+i])
				d := a[i] + b[i] - want
				gap, product, size = gap+d*d, product+a[i]*b[i], size+want*want
				if a[i] == 0 {
					zeros++
				}
			}
			if math.Sqrt(gap) > 1e-6*math.Sqrt(size) || math.Abs(product) > 1e-6*size {
				t.Errorf("%s, step %d: the parts miss the gradient by %g and have the product %g, size %g", path, k+1, math.Sqrt(gap), product, math.Sqrt(size))
			}
			switch name, layer, _ := strings.Cut(path, "/"); name {
			case "columns", "rows", "randperm", "randk": // half of the entries, rounded as the selector says
				want := n / 2
				if layer == "k_proj" {
					want = n - map[string]int{"columns": 2 * 7, "rows": 3 * 5, "randperm": 2 * 7, "randk": 17}[name]
				}
				if zeros != want {
					t.Errorf("%s, step %d: %d of %d entries are out, want %d", path, k+1, zeros, n, want)
				}
			case "svd", "random":
				in, out := layerShapes[layer][0], layerShapes[layer][1]
				want := int(math.RoundToEven(float64(min(in, out)) / 2))
				if rank := rankOf(mat.NewDense(in, out, slices.Clone(a)), 1e-5); rank != want {
					t.Errorf("%s, step %d: the low part has rank %d, want %d", path, k+1, rank, want)
				}
			}
			support := make([]float64, n)
			for i := range support {
				support[i] = float64(btoi(a[i] != 0))
			}
			if name, _, _ := strings.Cut(path, "/"); k%2 == 1 && slices.Contains([]string{"columns", "rows", "randk"}, name) && !slices.Equal(support, last) {
				t.Errorf("%s: another choice at step %d without a selection", path, k+1)
			}
			last = support
		}
	}
}

func rankOf(m mat.Matrix, tolerance float64) (rank int) {
	var svd mat.SVD
	svd.Factorize(m, mat.SVDNone)
	values := svd.Values(nil)
	for _, v := range values {
		if v > tolerance*values[0] {
			rank++
		}
	}
	return rank
}

// What SVD lets through is gonum's best approximation of that rank, also of a gradient of less than full rank.
func TestFrugalSVDIsTheLeadingSpace(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	gradients := scan.Vars{}
	want := map[string]*mat.Dense{}
	for name, shape := range map[string][3]int{"wide": {6, 9, 6}, "tall": {9, 6, 6}, "odd": {7, 7, 7}, "flat": {6, 9, 2}} {
		in, out, rank := shape[0], shape[1], shape[2]
		sum := mat.NewDense(in, out, nil)
		for k := range rank { // singular values about 2^-k: a gap everywhere
			var term mat.Dense
			term.Outer(math.Exp2(-float64(k)), gaussianVector(rng, in), gaussianVector(rng, out))
			sum.Add(sum, &term)
		}
		flat := make([]float32, 0, in*out)
		rounded := mat.NewDense(in, out, nil)
		for i := range in {
			for j := range out {
				flat = append(flat, float32(sum.At(i, j)))
				rounded.Set(i, j, float64(float32(sum.At(i, j))))
			}
		}
		gradients[name] = tensors.FromFlatDataAndDimensions(flat, 1, in, out)
		want[name] = truncated(rounded, int(math.RoundToEven(float64(min(in, out))*0.5)))
	}
	got := respondAll(t, ScaleByFrugal{Full: Keep{}, Free: Freeze{}, Selector: SVD{}, Density: 0.5}, gradients)
	for name, w := range want {
		in, out := w.Dims()
		var gap mat.Dense
		gap.Sub(mat.NewDense(in, out, got[name]), w)
		if mat.Norm(&gap, 2) > 1e-5*mat.Norm(w, 2) {
			t.Errorf("%s: %g away from the best approximation of norm %g", name, mat.Norm(&gap, 2), mat.Norm(w, 2))
		}
	}
}

func gaussianVector(rng *rand.Rand, n int) *mat.VecDense {
	x := mat.NewVecDense(n, nil)
	for i := range n {
		x.SetVec(i, rng.NormFloat64())
	}
	return x
}

func truncated(m *mat.Dense, rank int) *mat.Dense {
	var svd mat.SVD
	svd.Factorize(m, mat.SVDThin)
	var u, v, scaled, out mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	values := svd.Values(nil)
	for k := range values {
		if k >= rank {
			values[k] = 0
		}
	}
	scaled.Mul(&u, mat.NewDiagDense(len(values), values))
	out.Mul(&scaled, v.T())
	return &out
}

// Density 1 is Full alone where the directions are coordinates, density 0 is Free alone, and so is one that leaves nothing.
func TestFrugalLimits(t *testing.T) {
	gradients := scan.Vars{"attn/w": draws(20, 0)["columns/k_proj"], "embed": draws(20, 0)["columns/down_proj"]}
	adam, sign := respondAll(t, ScaleByAdam{}, gradients), respondAll(t, ScaleBySign{}, gradients)
	compare := func(what string, f ScaleByFrugal, want []float64) {
		t.Helper()
		got := respondAll(t, f, gradients)
		for path, w := range map[string][]float64{"attn/w": want, "embed": adam["embed"]} {
			for i, v := range got[path] {
				if math.Abs(v-w[i]) > 2e-5 {
					t.Fatalf("%s: %s: update %d is %g, want %g", what, path, i, v, w[i])
				}
			}
		}
	}
	compare("blocks at density 1", ScaleByFrugal{Density: 1, Gap: 1000}, adam["attn/w"])
	compare("columns at density 1", ScaleByFrugal{Selector: Columns{}, Density: 1, Gap: 1000}, adam["attn/w"])
	compare("randk at density 1, new selections, Reproject", ScaleByFrugal{Selector: RandomCoordinates{}, Density: 1, Gap: 3, History: Reproject}, adam["attn/w"])
	compare("density 0", ScaleByFrugal{Density: Zero}, sign["attn/w"])
	compare("one column of five at density 0.19", ScaleByFrugal{Selector: Columns{}, Density: 0.19}, sign["attn/w"])
}

// What becomes of momentum at a selection, against its definition: coordinates 0 and 1 first, 1 and 2 from step 3 on.
func TestFrugalHistory(t *testing.T) {
	const beta, steps = 0.5, 4
	g := tensors.FromValue([][][]float64{{{1}, {2}, {4}}, {{1}, {-1}, {3}}, {{2}, {1}, {-1}}, {{0}, {5}, {1}}})
	flat := tensors.MustCopyFlatData[float64](g)
	for history, move := range map[History]func(old []float64) []float64{
		Reset:     func([]float64) []float64 { return []float64{0, 0} },
		KeepState: func(old []float64) []float64 { return old },
		Reproject: func(old []float64) []float64 { return []float64{old[1], 0} },
	} {
		var want []float64
		x, m, active := make([]float64, 3), make([]float64, 2), []int{0, 1}
		for k := range steps {
			if k == 2 {
				m, active = move(m), []int{1, 2}
			}
			step := slices.Clone(flat[3*k : 3*k+3]) // plain gradients elsewhere
			for i, j := range active {
				m[i] = beta*m[i] + (1-beta)*flat[3*k+j]
				step[j] = m[i]
			}
			for j := range x {
				x[j] -= 0.1 * step[j]
			}
			want = append(want, x...)
		}
		f := ScaleByFrugal{Full: Trace{Momentum: beta, Average: true}, Free: Keep{}, Gap: 2, Density: 0.7, History: history,
			Selector: forced{places: [][]int32{{0, 1}, {1, 2}}}}
		got := fed(t, ready(0.1, f), scan.Vars{"w": tensors.FromValue([][]float64{{0}, {0}, {0}})}, scan.Vars{"w": g}, steps)
		near(t, fmt.Sprintf("history %d", history), got["w"], want, 1e-12)
	}
}

// Runs trained together do what each does alone, for every selector; and where directions turn, averages of squares stay
// averages of squares: a negative one would make NaN.
func TestFrugalRuns(t *testing.T) {
	const steps, runs = 5, 2
	b := backend.ForTest(t)
	together, alone := scan.Vars{}, make([]scan.Vars, runs)
	for path, v := range draws(1, runs) {
		if name, _, _ := strings.Cut(path, "/"); slices.Contains([]string{"columns", "randperm", "descending"}, name) {
			continue // as rows and blocks
		}
		flat := tensors.MustCopyFlatData[float32](v)
		dims := v.Shape().Dimensions[2:]
		together[path] = tensors.FromFlatDataAndDimensions(flat, append([]int{runs}, dims...)...)
		for k := range alone {
			if alone[k] == nil {
				alone[k] = scan.Vars{}
			}
			n := len(flat) / runs
			alone[k][path] = tensors.FromFlatDataAndDimensions(slices.Clone(flat[k*n:(k+1)*n]), dims...)
		}
	}
	problem := func(lead int) Problem {
		return Problem{Lead: lead, Loss: func(params, _ []*graph.Node) *graph.Node {
			var sum *graph.Node
			for i, p := range params {
				term := graph.MulScalar(graph.ReduceSum(graph.Square(graph.AddScalar(p, -0.1*float64(i))), lead, lead+1), 0.5)
				if sum == nil {
					sum = term
				} else {
					sum = graph.Add(sum, term)
				}
			}
			return sum
		}}
	}
	for _, batch := range batches(t, together) {
		if len(batch) == 0 {
			continue
		}
		method := ready(0.01, eachSelector(ScaleByFrugal{Density: 0.5, Gap: 2, History: Reproject}, batch))
		all, err := Minimize(context.Background(), b, method, problem(1), batch, nil, steps, 0)
		if err != nil {
			t.Fatal(err)
		}
		own := func(k int) scan.Vars {
			out := scan.Vars{}
			for path := range batch {
				out[path] = alone[k][path]
			}
			return out
		}
		program, err := Compile(b, method, problem(0), own(0), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k := range alone {
			one, err := program.Run(context.Background(), own(k), nil, nil, steps, 0)
			if err != nil {
				t.Fatal(err)
			}
			for path, v := range one.Params {
				want, got := tensors.MustCopyFlatData[float32](v), tensors.MustCopyFlatData[float32](all.Params[path])
				for i := range want {
					if !(math.Abs(float64(want[i]-got[k*len(want)+i])) <= 1e-4) {
						t.Errorf("run %d, %s: number %d is %g together, %g alone", k, path, i, got[k*len(want)+i], want[i])
						break
					}
				}
			}
		}
	}
}
