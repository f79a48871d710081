package optim

import (
	"context"
	"errors"
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

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// stream is a problem with prescribed gradients: shapes and first values by path, and each step's gradients.
type stream struct {
	shapes    map[string][]int
	start     map[string][]float64
	gradients []map[string][]float64
}

// follow returns the parameters after each step, by path, and the result.
func (f stream) follow(t *testing.T, tr Transform) (map[string][][]float64, *Result) {
	t.Helper()
	names := slices.Sorted(maps.Keys(f.start))
	params, inputs := scan.Vars{}, scan.Vars{}
	for _, name := range names {
		params[name] = tensors.FromFlatDataAndDimensions(slices.Clone(f.start[name]), f.shapes[name]...)
		var rows []float64
		for _, g := range f.gradients {
			rows = append(rows, g[name]...)
		}
		inputs[name] = tensors.FromFlatDataAndDimensions(rows, append([]int{len(f.gradients)}, f.shapes[name]...)...)
	}
	r, err := Minimize(context.Background(), backend.ForTest(t), tr, Problem{
		Data: func(s *scan.Step) (out []*graph.Node) {
			for _, name := range names {
				out = append(out, s.Row(name))
			}
			return out
		},
		Loss: func(params, data []*graph.Node) *graph.Node {
			sum := graph.ScalarZero(params[0].Graph(), dtypes.Float64)
			for i, p := range params {
				sum = graph.Add(sum, graph.ReduceAllSum(graph.Mul(p, data[i])))
			}
			return sum
		},
		Observe: func(s *scan.Step, o Observation) {
			for i, p := range o.Params {
				s.Trace(p.Path, graph.Add(p.Value, o.Updates[i]))
			}
		},
	}, params, inputs, len(f.gradients), 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][][]float64{}
	for _, name := range names {
		all := tensors.MustCopyFlatData[float64](r.Traces[name])
		for row := range slices.Chunk(all, len(f.start[name])) {
			out[name] = append(out[name], row)
		}
	}
	return out, r
}

// twin is SGD-SaI in plain float64, as the paper writes it; its switches are mistakes one can make.
type twin struct {
	raw                                               bool
	eta, mu, lambda, eps                              float64
	remeasured, biased, damped, scaledDecay, unscaled bool
}

func (w twin) ratio(g []float64) float64 {
	var mean, norm, square float64
	for _, x := range g {
		mean += x / float64(len(g))
		norm += x * x
	}
	for _, x := range g {
		square += (x - mean) * (x - mean)
	}
	rest := float64(len(g) - 1)
	if w.biased {
		rest++
	}
	s, root := math.Sqrt(square/rest), math.Sqrt(float64(len(g)))
	if len(g) == 1 || s <= 1e-12*math.Sqrt(norm)/root {
		return root
	}
	return math.Sqrt(norm) / (s + w.eps)
}

func (w twin) follow(f stream) map[string][][]float64 {
	theta, m, scales := map[string][]float64{}, map[string][]float64{}, map[string]float64{}
	for name, v := range f.start {
		theta[name] = slices.Clone(v)
	}
	out := map[string][][]float64{}
	for k, g := range f.gradients {
		if k == 0 || w.remeasured {
			largest := 0.0
			for name := range theta {
				scales[name] = w.ratio(g[name])
				largest = math.Max(largest, scales[name])
			}
			for name := range theta {
				if !w.raw {
					scales[name] /= largest
				}
				if w.unscaled {
					scales[name] = 1
				}
			}
		}
		for name, p := range theta {
			if k == 0 {
				m[name] = slices.Clone(g[name])
			}
			for i, x := range g[name] {
				if k > 0 || w.damped {
					old := m[name][i]
					if k == 0 {
						old = 0
					}
					m[name][i] = w.mu*old + (1-w.mu)*x
				}
				decay := w.lambda * w.eta * p[i]
				if w.scaledDecay {
					decay *= scales[name]
				}
				p[i] -= decay + w.eta*scales[name]*m[name][i]
			}
			out[name] = append(out[name], slices.Clone(p))
		}
	}
	return out
}

// facts are the parameters and gradients of the numbers below, which the reference code printed.
func facts() stream {
	f := stream{
		shapes: map[string][]int{"P": {2, 2}, "Q": {3}},
		start:  map[string][]float64{"P": {1, 2, 3, 4}, "Q": {0.5, -0.5, 0.25}},
	}
	for k := 1.0; k <= 3; k++ {
		f.gradients = append(f.gradients, map[string][]float64{"P": {0.1 * k, -0.2 * k, 0.3 * k, 0.4 * k}, "Q": {0.01, 0.02, -0.03}})
	}
	return f
}

func chainSaI(raw bool, eta, lambda float64) Chain {
	return ready(eta, ScaleByGSNR{Raw: raw}, Trace{Average: true, FirstGradient: true}, AddDecayedWeights{Decay: lambda})
}

var (
	rawP = [][]float64{
		{0.97829803400, 2.03940393200, 2.93489410201, 3.91319213601},
		{0.95454757337, 2.08290885326, 2.86364272011, 3.81819029348},
		{0.92688748966, 2.13423701668, 2.78066246898, 3.70754995864},
	}
	rawQ3        = []float64{0.49426310164, -0.50697829522, 0.26196594333}
	normalisedP3 = []float64{0.963133989, 2.061744018, 2.889401967, 3.852535956}
	normalisedQ1 = []float64{0.498816870181, -0.500866259637, 0.251799389456}
	normalisedQ3 = []float64{0.496454158750, -0.502596180999, 0.255392771999}
)

func apart(a, b []float64) (most float64) {
	for i := range a {
		most = math.Max(most, math.Abs(a[i]-b[i]))
	}
	return most
}

// Facts 2 and 3: three steps of the reference, raw and normalised.
func TestSGDSaIFacts(t *testing.T) {
	raw, _ := facts().follow(t, chainSaI(true, 0.1, 0.01))
	for k, want := range rawP {
		close(t, fmt.Sprintf("raw, P after %d", k+1), raw["P"][k], want, 1e-10)
	}
	close(t, "raw, Q after 3", raw["Q"][2], rawQ3, 1e-10)
	normalised, r := facts().follow(t, SGDSaI(0.1, 0.01))
	close(t, "normalised, P after 3", normalised["P"][2], normalisedP3, 1e-9)
	close(t, "normalised, Q after 1", normalised["Q"][0], normalisedQ1, 1e-11)
	close(t, "normalised, Q after 3", normalised["Q"][2], normalisedQ3, 1e-11)
	close(t, "scale of P", tensors.MustCopyFlatData[float64](r.State["0.scale/P"]), []float64{1}, 0)
	close(t, "scale of Q", tensors.MustCopyFlatData[float64](r.State["0.scale/Q"]), []float64{0.683129818685}, 1e-11)
}

// The facts accept the plain version and reject what it is easily mistaken for.
func TestSGDSaIFactsTellVersionsApart(t *testing.T) {
	worst := func(w twin) float64 {
		w.eta, w.mu, w.lambda, w.eps = 0.1, 0.9, 0.01, 1e-8
		got := w.follow(facts())
		w.raw = true
		raw := w.follow(facts())
		return slices.Max([]float64{apart(raw["P"][2], rawP[2]), apart(raw["Q"][2], rawQ3), apart(got["P"][2], normalisedP3), apart(got["Q"][2], normalisedQ3)})
	}
	if off := worst(twin{}); off > 1e-9 {
		t.Errorf("the plain version is %g away from the facts", off)
	}
	for name, wrong := range map[string]twin{
		"n in the deviation": {biased: true}, "(1−μ)g₁ first": {damped: true}, "decay scaled by S": {scaledDecay: true}, "S = 1": {unscaled: true},
	} {
		if off := worst(wrong); off < 1e-5 {
			t.Errorf("%s is within %g of the facts", name, off)
		}
	}
}

// noisy has tensors of several sizes under random gradients; one entry alone, equal entries and no gradient at first
// among them.
func noisy(steps int) stream {
	f := stream{shapes: map[string][]int{"matrix": {6, 5}, "vector": {5}, "scalar": {}, "equal": {3}, "late": {2, 2}}, start: map[string][]float64{}}
	rng := rand.New(rand.NewPCG(6, 6))
	draw := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = 0.3 + rng.NormFloat64()
		}
		return out
	}
	size := map[string]int{"matrix": 30, "vector": 5, "scalar": 1, "equal": 3, "late": 4}
	for _, name := range slices.Sorted(maps.Keys(size)) {
		f.start[name] = draw(size[name])
	}
	for k := range steps {
		g := map[string][]float64{}
		for _, name := range slices.Sorted(maps.Keys(size)) {
			g[name] = draw(size[name])
		}
		if k == 0 {
			g["equal"], g["late"] = []float64{0.1, 0.1, 0.1}, make([]float64, 4)
		}
		f.gradients = append(f.gradients, g)
	}
	return f
}

// Ten steps against plain float64, the rules for useless ratios among them.
func TestSGDSaIAgainstPlainGo(t *testing.T) {
	f := noisy(10)
	for _, raw := range []bool{false, true} {
		got, _ := f.follow(t, chainSaI(raw, 0.05, 0.02))
		want := twin{raw: raw, eta: 0.05, mu: 0.9, lambda: 0.02, eps: 1e-8}.follow(f)
		for name := range want {
			for k := range want[name] {
				close(t, fmt.Sprintf("raw %t, %s after %d", raw, name, k+1), got[name][k], want[name][k], 1e-12)
			}
		}
	}
}

// remeasured forgets its scales at every step: the mistake that the equivalence below must find.
type remeasured struct{ ScaleByGSNR }

func (r remeasured) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return r.ScaleByGSNR.Update(s, updates, r.Init(s.Params))
}

// Raw at rate η/max G and decay λ·max G is normalised at η and λ; it is so only because S is measured once.
func TestSGDSaIRawEquivalence(t *testing.T) {
	f := noisy(20)
	largest := 0.0
	for _, g := range f.gradients[0] {
		largest = math.Max(largest, twin{eps: 1e-8}.ratio(g))
	}
	rest := []Transform{Trace{Average: true, FirstGradient: true}}
	gap := func(a, b Transform) (most float64) {
		x, _ := f.follow(t, a)
		y, _ := f.follow(t, b)
		for name := range x {
			most = math.Max(most, apart(x[name][19], y[name][19]))
		}
		return most
	}
	if off := gap(chainSaI(true, 0.5/largest, 0.01*largest), chainSaI(false, 0.5, 0.01)); off > 1e-12 {
		t.Errorf("raw and normalised differ by %g", off)
	}
	off := gap(ready(0.5/largest, append([]Transform{remeasured{ScaleByGSNR{Raw: true}}}, rest...)...), ready(0.5, append([]Transform{remeasured{ScaleByGSNR{}}}, rest...)...))
	if off < 1e-4 {
		t.Errorf("measured at every step, raw and normalised differ by %g only", off)
	}
}

func gsnrOf(t *testing.T, g any, eps float64) (ratio, fallback float64) {
	t.Helper()
	e, err := graph.NewExec(backend.ForTest(t), func(x *graph.Node) []*graph.Node {
		ratio, fallback := GSNR(x, eps)
		return []*graph.Node{graph.ConvertDType(ratio, dtypes.Float64), graph.ConvertDType(fallback, dtypes.Float64)}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Call(g)
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Value().(float64), out[1].Value().(float64)
}

// Facts 1 and 4, and what has no ratio.
func TestGSNR(t *testing.T) {
	alternating := make([]float64, 100)
	for i := range alternating {
		alternating[i] = float64(1 - 2*(i%2))
	}
	large, tiny := []float32{1e30, -2e30, 3e30, 4e30}, []float32{1e-30, -2e-30, 3e-30, 4e-30}
	for _, c := range []struct {
		name                    string
		g                       any
		eps                     float64
		ratio, fallback, within float64
	}{
		{"P", [][]float64{{0.1, -0.2}, {0.3, 0.4}}, 1e-8, 2.07019659978, 0, 1e-10},
		{"Q", []float64{0.01, 0.02, -0.03}, 1e-8, 1.41421302785, 0, 1e-10},
		{"P, ε = 0", [][]float64{{0.1, -0.2}, {0.3, 0.4}}, 0, 2.07019667803, 0, 1e-10},
		{"−7P, ε = 0", [][]float64{{-0.7, 1.4}, {-2.1, -2.8}}, 0, 2.07019667803, 0, 1e-10},
		{"zero mean, 2", []float64{3, -3}, 0, 1, 0, 1e-12},
		{"zero mean, 4", []float64{3, -3, 1, -1}, 0, 1.732051, 0, 1e-6},
		{"zero mean, 100", alternating, 0, 9.949874, 0, 1e-6},
		{"P in float32, huge", large, 0, 2.0701967, 0, 1e-5},
		{"P in float32, tiny", tiny, 0, 2.0701967, 0, 1e-5},
		{"P in float32, the largest there is", []float32{0.8e38, -1.6e38, 2.4e38, 3.2e38}, 0, 2.0701967, 0, 1e-5},
		{"P in float32, the smallest there is", []float32{2e-38, -4e-38, 6e-38, 8e-38}, 0, 2.0701967, 0, 1e-5},
		{"P, the largest there is", []float64{4e307, -8e307, 12e307, 16e307}, 0, 2.07019667803, 0, 1e-10},
		{"P, tiny", []float64{1e-290, -2e-290, 3e-290, 4e-290}, 0, 2.07019667803, 0, 1e-10},
		{"P, smaller still", []float64{3e-308, -6e-308, 9e-308, 12e-308}, 0, 2.07019667803, 0, 1e-10},
		{"one entry", []float64{5}, 1e-8, 1, 1, 0},
		{"a scalar", 5.0, 1e-8, 1, 1, 0},
		{"equal entries", []float64{0.1, 0.1, 0.1}, 1e-8, math.Sqrt(3), 1, 1e-15},
		{"equal entries in float32", []float32{0.1, 0.1, 0.1}, 1e-8, math.Sqrt(3), 1, 1e-6},
		{"zero", []float64{0, 0, 0, 0}, 1e-8, 2, 1, 0},
		{"almost equal", []float64{1, 1 + 1e-6}, 0, 2e6, 0, 10},
	} {
		ratio, fallback := gsnrOf(t, c.g, c.eps)
		if !(math.Abs(ratio-c.ratio) <= c.within) || fallback != c.fallback {
			t.Errorf("%s: ratio %.12g, fallback %g, want %.12g and %g", c.name, ratio, fallback, c.ratio, c.fallback)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		if ratio, _ := gsnrOf(t, []float64{1, bad, 2}, 1e-8); !math.IsNaN(ratio) {
			t.Errorf("a gradient with %g has ratio %g, must be NaN", bad, ratio)
		}
	}
}

// A bad first gradient at a finite loss stops the run at the next step; under SkipNonFinite the next gradient is measured.
func TestSGDSaIFirstGradientNotFinite(t *testing.T) {
	run := func(tr Transform) (*Result, error) {
		return Minimize(context.Background(), backend.ForTest(t), tr, Problem{
			Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Row("slope")} },
			Loss: func(params, data []*graph.Node) *graph.Node { // ∂√(slope·x) is NaN where the slope is 0
				p, q := params[0], params[1]
				linear := graph.ReduceAllSum(graph.Mul(q, graph.Const(q.Graph(), []float64{0.01, 0.02, -0.03})))
				return graph.Add(linear, graph.ReduceAllSum(graph.Sqrt(graph.Mul(p, graph.BroadcastToDims(data[0], 2)))))
			},
		}, scan.Vars{"P": tensors.FromValue([]float64{1, 4}), "Q": tensors.FromValue([]float64{0, 0, 0})}, scan.Vars{"slope": tensors.FromValue([]float64{0, 1, 1})}, 3, 0)
	}
	if r, err := run(SGDSaI(0.1, 0)); !errors.Is(err, scan.ErrNonFinite) || r.Steps != 1 {
		t.Errorf("a first gradient with NaN gave %v", err)
	}
	r, err := run(SkipNonFinite{Inner: SGDSaI(0.1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	w := twin{eps: 1e-8}
	p, q := w.ratio([]float64{0.5, 0.25}), w.ratio([]float64{0.01, 0.02, -0.03})
	close(t, "scale of Q", tensors.MustCopyFlatData[float64](r.State["inner.0.scale/Q"]), []float64{q / max(p, q)}, 1e-12)
}

// Tensors of one block are measured together and share a scale.
func TestGSNRGrouping(t *testing.T) {
	f := noisy(1)
	all := ScaleByGSNR{Raw: true, Grouping: func(p Param) string {
		if p.Path == "matrix" || p.Path == "vector" {
			return "both"
		}
		return p.Path
	}}
	_, r := f.follow(t, ready(0.1, all))
	want := twin{eps: 1e-8}.ratio(append(slices.Clone(f.gradients[0]["matrix"]), f.gradients[0]["vector"]...))
	close(t, "scale", tensors.MustCopyFlatData[float64](r.State["0.scale/both"]), []float64{want}, 1e-12)
	if len(r.State) != 4 {
		t.Errorf("%d scales are kept, must be one a block, 4", len(r.State))
	}
}

// Each of the runs trained together has its own scales.
func TestGSNRRuns(t *testing.T) {
	g := [][]float64{{0.1, -0.2, 0.3, 0.4}, {0.01, 0.02, -0.03, 0}, {0, 0, 0, 0}}
	start := scan.Vars{"w": tensors.FromValue([][]float64{{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}), "v": tensors.FromValue([][]float64{{0, 0}, {0, 0}, {0, 0}})}
	r, err := Minimize(context.Background(), backend.ForTest(t), ready(1, ScaleByGSNR{}), Problem{Lead: 1, Loss: func(params, _ []*graph.Node) *graph.Node {
		v, w := params[0], params[1]
		return graph.Add(graph.ReduceSum(graph.Mul(v, graph.Const(v.Graph(), [][]float64{{1, -1}, {1, -1}, {1, 2}})), 1), graph.ReduceSum(graph.Mul(w, graph.Const(w.Graph(), g)), 1))
	}}, start, nil, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	plain := twin{eps: 1e-8}
	var want []float64
	for k, v := range [][]float64{{1, -1}, {1, -1}, {1, 2}} {
		a, b := plain.ratio(v), plain.ratio(g[k])
		want = append(want, a/math.Max(a, b))
	}
	close(t, "scales of v", tensors.MustCopyFlatData[float64](r.State["0.scale/v"]), want, 1e-12)
}

func TestSizePrior(t *testing.T) {
	f := noisy(1)
	got, _ := f.follow(t, ready(1, SizePrior{}))
	for name, n := range map[string]float64{"matrix": 30, "vector": 5, "scalar": 1, "equal": 3, "late": 4} {
		var want []float64
		for i, x := range f.start[name] {
			want = append(want, x-math.Sqrt(n/30)*f.gradients[0][name][i])
		}
		close(t, name, got[name][0], want, 1e-12)
	}
}

// The first average is the gradient itself, also without momentum and with a momentum that is an input.
func TestTraceFirstGradient(t *testing.T) {
	g := tensors.FromValue([][]float64{{1}, {3}, {-1}})
	for _, c := range []struct {
		tr   Trace
		want []float64
	}{
		{Trace{Average: true, FirstGradient: true}, []float64{1, 1.2, 0.98}},
		{Trace{Average: true}, []float64{0.1, 0.39, 0.251}},
		{Trace{Average: true, FirstGradient: true, Momentum: Zero}, []float64{1, 3, -1}},
		{Trace{FirstGradient: true}, []float64{1, 3.9, 2.51}},
		{Trace{Average: true, FirstGradient: true, Nesterov: true}, []float64{1, 1.38, 0.782}},
	} {
		close(t, fmt.Sprintf("%+v", c.tr), respond(t, c.tr, g), c.want, 1e-12)
	}
}

func TestSGDSaIState(t *testing.T) {
	b := backend.ForTest(t)
	sizes := map[string]shapes.Shape{"a": shapes.Make(dtypes.Float32, 1000, 4000), "b": shapes.Make(dtypes.Float32, 4000)}
	const n = 4_004_000
	for _, c := range []struct {
		tr   Transform
		want int64
	}{{SGDSaI(1, 0), n + 2}, {AdamW(1, 0), 2 * n}, {AdamMini(1, 0), n + 2}, {ready(1, SizePrior{}, Trace{}), n}} {
		numbers, bytes, err := StateSize(b, c.tr, sizes)
		if err != nil || numbers != c.want || bytes != 4*c.want {
			t.Errorf("%v keeps %d numbers in %d bytes (%v), want %d", c.tr, numbers, bytes, err, c.want)
		}
	}
	if _, _, err := StateSize(b, SGDSaI(1, 0), nil); err == nil {
		t.Error("no shapes at all are accepted")
	}
}

func TestSGDSaIRefuses(t *testing.T) {
	for want, tr := range map[string]Transform{
		"optim: ScaleByGSNR: Eps is -1, must be finite and at least 0":           ScaleByGSNR{Eps: -1},
		"optim: Trace: Momentum is 1, must be in [0, 1)":                         Trace{Momentum: 1, Average: true, FirstGradient: true},
		"optim: ScaleByLearningRate: Rate is -2, must be finite and at least 0":  SGDSaI(-2, 0),
		"optim: AddDecayedWeights: Decay is -0.1, must be finite and at least 0": SGDSaI(1, -0.1),
		"optim: ScaleByAdamMini: Beta2 is 1.5, must be in [0, 1)":                ScaleByAdamMini{Beta2: 1.5},
	} {
		if err := tr.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gave %v, want %s", tr, err, want)
		}
	}
}
