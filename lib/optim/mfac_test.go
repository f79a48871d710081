package optim

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
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

// preconditioned is the dense twin: F⁻¹g of each step, one row of g a step.
func preconditioned(g *mat.Dense, m int, lambda float64) (out []float64) {
	steps, d := g.Dims()
	for t := range steps {
		f := mat.NewDense(d, d, nil)
		for i := max(0, t-m+1); i <= t; i++ {
			f.RankOne(f, 1/float64(m), g.RowView(i), g.RowView(i))
		}
		for k := range d {
			f.Set(k, k, f.At(k, k)+lambda)
		}
		var r mat.VecDense
		if err := r.SolveVec(f, g.RowView(t)); err != nil {
			panic(err)
		}
		out = append(out, r.RawVector().Data...)
	}
	return out
}

func normals(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}

func TestMFACIsTheDenseInverse(t *testing.T) {
	const d = 7
	for _, m := range []int{1, 2, 5, 12} { // 12: more gradients than parameters
		steps := 2*m + 3
		data := normals(uint64(m), steps*d)
		for i := range d {
			data[(steps/2)*d+i] = 0                   // a gradient of zero
			data[(steps-1)*d+i] = data[(steps-2)*d+i] // and one twice
		}
		g := mat.NewDense(steps, d, data)
		got := respond(t, ScaleByMFAC{Window: m, Damping: 1e-3}, tensors.FromFlatDataAndDimensions(data, steps, d))
		close(t, fmt.Sprintf("m = %d", m), got, preconditioned(g, m, 1e-3), 1e-9)
	}
}

// The numbers of the method's reference: gradients (1, 2, 3), (0, 1, −1), (2, 0, 1) with m = 2, λ = 0.1.
func TestMFACFacts(t *testing.T) {
	g := tensors.FromValue([][]float64{{1, 2, 3}, {0, 1, -1}, {2, 0, 1}})
	got := respond(t, ScaleByMFAC{Window: 2, Damping: 0.1}, g)
	close(t, "F⁻¹g₁", got[:3], []float64{0.140845070423, 0.281690140845, 0.422535211268}, 1e-11)
	// With one gradient in it r = m·g/(λm + ‖g‖²); the defaults are m = 1024, λ = 1e-5.
	got = respond(t, ScaleByMFAC{Window: 8}, tensors.FromValue([][]float64{{3, 0, 4}}))
	close(t, "default damping", got, []float64{24 / 25.00008, 0, 32 / 25.00008}, 1e-12)
	n, err := StateBytes(backend.ForTest(t), ScaleByMFAC{}, scan.Vars{"x": tensors.FromValue([]float32{3, 0, 4})})
	if err != nil || n != 4*1024*(3+1024)+4 {
		t.Errorf("the default window takes %d bytes, %v", n, err)
	}
	// The step is longest at ‖g‖² = λm, and then √m/(2√λ).
	got = respond(t, ScaleByMFAC{Window: 4, Damping: 0.01}, tensors.FromValue([][]float64{{0.2}}))
	close(t, "longest", got, []float64{10}, 1e-12)
}

// In float32 the step keeps its digits at any damping.
func TestMFACInFloat32(t *testing.T) {
	const m, d, steps = 8, 50, 20
	data := normals(3, steps*d)
	short := make([]float32, len(data))
	for i, x := range data {
		short[i] = float32(x)
		data[i] = float64(short[i])
	}
	for _, lambda := range []float64{1e-3, 1e-7} {
		u, err := Respond(context.Background(), backend.ForTest(t), ScaleByMFAC{Window: m, Damping: lambda}, tensors.FromFlatDataAndDimensions(short, steps, d))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, len(data))
		for i, x := range tensors.MustCopyFlatData[float32](u) {
			got[i] = float64(x)
		}
		close(t, fmt.Sprintf("λ = %g", lambda), got, preconditioned(mat.NewDense(steps, d, data), m, lambda), 1e-5)
	}
}

// prescribed gives the parameters "a" [2], "b" [1, 2] and "c" [] gradients from a table, and with Lead 1 to every run,
// times run+1.
func prescribed(lead int, observe func(s *scan.Step, o Observation)) Problem {
	return Problem{
		Lead: lead, Observe: observe,
		Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Row("gradients")} },
		Loss: func(params, data []*graph.Node) *graph.Node {
			as := make([]Param, len(params))
			for i := range params {
				as[i] = Param{Value: params[i], Lead: lead}
			}
			flat := Ravel(as, params)
			if lead == 0 {
				return graph.ReduceAllSum(graph.Mul(flat, data[0]))
			}
			product := graph.Mul(flat, graph.BroadcastToDims(graph.InsertAxes(data[0], 0), flat.Shape().Dimensions...))
			runs := graph.AddScalar(graph.ConvertDType(graph.Iota(flat.Graph(), product.Shape(), 0), product.DType()), 1)
			return graph.ReduceSum(graph.Mul(product, runs), 1)
		},
		Loop: scan.Loop{StopNonFinite: "-"},
	}
}

func pieces(runs int) scan.Vars {
	if runs == 0 {
		return scan.Vars{"a": tensors.FromValue([]float64{1, 0}), "b": tensors.FromValue([][]float64{{2, -1}}), "c": tensors.FromValue(3.0)}
	}
	fill := func(dims ...int) *tensors.Tensor {
		return tensors.FromShape(shapes.Make(dtypes.Float64, append([]int{runs}, dims...)...))
	}
	return scan.Vars{"a": fill(1, 2), "b": fill(2, 1), "c": fill(1, 1)}
}

// All parameters are one vector; in a partition each group has its own window; runs have theirs and their own damping.
func TestMFACWindows(t *testing.T) {
	const m, d, steps, lambda = 3, 5, 9, 0.01
	b := backend.ForTest(t)
	data := normals(4, steps*d)
	g := mat.NewDense(steps, d, data)
	inputs := scan.Vars{"gradients": tensors.FromFlatDataAndDimensions(data, steps, d)}
	run := func(tr Transform, lead int, hyper Hyper) []float64 {
		t.Helper()
		p := prescribed(lead, func(s *scan.Step, o Observation) { s.Trace("r", Ravel(o.Params, o.Updates)) })
		program, err := Compile(b, tr, p, pieces(2*lead), inputs, hyper)
		if err != nil {
			t.Fatal(err)
		}
		r, err := program.Run(context.Background(), pieces(2*lead), inputs, hyper, steps, 0)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float64](r.Traces["r"])
	}
	method := ScaleByMFAC{Window: m, Damping: lambda}
	whole := preconditioned(g, m, lambda)
	close(t, "one window", run(method, 0, nil), whole, 1e-10)

	var first, rest mat.Dense
	first.CloneFrom(g.Slice(0, steps, 0, 2))
	rest.CloneFrom(g.Slice(0, steps, 2, d))
	one, two := preconditioned(&first, m, lambda), preconditioned(&rest, m, lambda)
	var blocks []float64
	for t := range steps {
		blocks = append(append(blocks, one[t*2:t*2+2]...), two[t*3:t*3+3]...)
	}
	close(t, "a window a group", run(Partition{{Name: "a", Where: ByPath("a"), Transform: method}, {Name: "rest", Transform: method}}, 0, nil), blocks, 1e-10)

	g.Scale(2, g) // of the second run
	damped := preconditioned(g, m, 0.5)
	var both []float64
	for t := range steps {
		both = append(append(both, whole[t*d:(t+1)*d]...), damped[t*d:(t+1)*d]...)
	}
	close(t, "a window a run", run(method, 1, Hyper{"damping": {lambda, 0.5}}), both, 1e-10)
}

// The reference's momentum, u ← μu + (1−μ)r, and its coupled decay are parts of a chain.
func TestMFACMomentumAndDecay(t *testing.T) {
	const m, d, steps, mu, decay, rate = 2, 3, 6, 0.8, 0.1, 0.05
	data := normals(5, steps*d)
	got := respond(t, Chain{AddL2(decay), ScaleByMFAC{Window: m, Damping: 0.1}, Trace{Momentum: mu, Average: true}, ScaleByLearningRate{Rate: rate}},
		tensors.FromFlatDataAndDimensions(data, steps, d))
	w, u := make([]float64, d), make([]float64, d)
	g := mat.NewDense(steps, d, data)
	var want []float64
	for s := range steps {
		for k := range d {
			g.Set(s, k, g.At(s, k)+decay*w[k])
		}
		r := preconditioned(mat.DenseCopyOf(g.Slice(0, s+1, 0, d)), m, 0.1)[s*d:]
		for k := range d {
			u[k] = mu*u[k] + (1-mu)*r[k]
			w[k] -= rate * u[k]
			want = append(want, -rate*u[k])
		}
	}
	close(t, "updates", got, want, 1e-9)
}

// What F ⪰ λI + ggᵀ/m bounds, measured on its own, and the twin's numbers.
func TestTraceMFAC(t *testing.T) {
	const m, d, steps, lambda = 3, 5, 8, 0.01
	b := backend.ForTest(t)
	data := normals(6, steps*d)
	g := mat.NewDense(steps, d, data)
	inputs := scan.Vars{"gradients": tensors.FromFlatDataAndDimensions(data, steps, d)}
	p := prescribed(0, TraceMFAC(lambda))
	r, err := Minimize(context.Background(), b, MFAC(0.1, m, lambda), p, pieces(0), inputs, steps, 0)
	if err != nil {
		t.Fatal(err)
	}
	twin := preconditioned(g, m, lambda)
	var lengths, products, rooms []float64
	for s := range steps {
		row := mat.NewVecDense(d, twin[s*d:(s+1)*d])
		product := mat.Dot(row, g.RowView(s))
		lengths, products, rooms = append(lengths, mat.Norm(row, 2)), append(products, product), append(rooms, m-product)
	}
	read := func(name string) []float64 { return tensors.MustCopyFlatData[float64](r.Traces["mfac "+name]) }
	close(t, "length", read("length"), lengths, 1e-9)
	close(t, "product", read("product"), products, 1e-9)
	close(t, "room", read("room"), rooms, 1e-9)
	if single := read("single"); single[0] > 1e-12 || single[1] < 1e-3 {
		t.Errorf("single is %v, must be 0 at first and then not", single)
	}
	// With L2 in front the window takes in other gradients, and from the first alone the single one's product follows.
	p.Observe = TraceMFAC(lambda)
	r, err = Minimize(context.Background(), b, Chain{AddL2(0.5), MFAC(0.1, m, lambda)}, p, pieces(0), inputs, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	square := 0.0
	for k, w := range []float64{1, 0, 2, -1, 3} {
		square += (data[k] + 0.5*w) * (data[k] + 0.5*w)
	}
	close(t, "product with L2", read("product"), []float64{m * square / (lambda*m + square)}, 1e-9)
	if _, err := Minimize(context.Background(), b, SGD(0.1), p, pieces(0), inputs, 1, 0); err == nil || !strings.Contains(err.Error(), "keeps no window") {
		t.Errorf("SGD: error %v", err)
	}
}

func TestMFACBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	for want, tr := range map[string]Transform{
		"ScaleByMFAC: Window is -1":            ScaleByMFAC{Window: -1},
		"ScaleByMFAC: Damping is -1":           MFAC(1, 8, -1),
		"ScaleByMFAC: Damping is NaN":          MFAC(1, 8, math.NaN()),
		"ScaleByMFAC: MaxBytes is -1":          ScaleByMFAC{MaxBytes: -1},
		"takes 644 bytes, must be at most 643": ScaleByMFAC{Window: 5, MaxBytes: 643}, // 5·(11+5) numbers of 8 bytes, and the slot
	} {
		_, err := Compile(b, tr, bowl11(), scan.Vars{"x": tensors.FromShape(shapes.Make(dtypes.Float64, 11))}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	n, err := StateBytes(b, ScaleByMFAC{Window: 5, MaxBytes: 644}, scan.Vars{"x": tensors.FromShape(shapes.Make(dtypes.Float64, 11))})
	if err != nil || n != 644 {
		t.Errorf("StateBytes is %d, %v; want 644", n, err)
	}
}

func bowl11() Problem {
	return Problem{Loss: func(params, _ []*graph.Node) *graph.Node { return graph.ReduceAllSum(graph.Square(params[0])) }}
}

func TestRavel(t *testing.T) {
	b := backend.ForTest(t)
	e, err := graph.NewExec(b, func(x, y *graph.Node) []*graph.Node {
		params := []Param{{Value: x, Lead: 1}, {Value: y, Lead: 1}}
		flat := Ravel(params, []*graph.Node{x, y})
		return append([]*graph.Node{flat}, Unravel(params, flat)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Call([][]float32{{1, 2}, {3, 4}}, []float64{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(out[0].Value(), out[1].Value(), out[2].Value()), "[[1 2 5] [3 4 6]] [[1 2] [3 4]] [5 6]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if out[0].DType() != dtypes.Float64 || out[1].DType() != dtypes.Float32 {
		t.Errorf("types %s and %s, must be Float64 and Float32", out[0].DType(), out[1].DType())
	}
}
