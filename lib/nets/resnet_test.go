package nets

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Both kinds of blocks and of shortcuts give the logits, the loss, the gradients, the statistics of a minibatch and the
// logits at given statistics of an independent program, in float64.
func TestResNetMatchesTwin(t *testing.T) {
	text, err := os.ReadFile("testdata/resnet.json")
	if err != nil {
		t.Fatal(err)
	}
	var twin struct {
		Images []float64
		Labels []int32
		Cases  map[string]struct {
			Paths                            []string
			Logits, Along, Placed, Evaluated []float64
			Loss                             float64
			Statistics                       map[string][]float64
		}
	}
	if err := json.Unmarshal(text, &twin); err != nil {
		t.Fatal(err)
	}
	if len(twin.Cases) != 3 {
		t.Fatalf("%d cases, want 3", len(twin.Cases))
	}
	images := tensors.FromFlatDataAndDimensions(twin.Images, 4, 7, 5, 2)
	for name, want := range twin.Cases {
		t.Run(name, func(t *testing.T) {
			c := ResNetConfig{Channels: 2, Classes: 5, Blocks: []int{1, 1}, Widths: []int{4, 6}, Bottleneck: name == "bottleneck", PaddedShortcuts: name == "padded"}
			if c.PaddedShortcuts {
				c.Activation = "tanh"
			}
			m, err := ResNet(c)
			if err != nil {
				t.Fatal(err)
			}
			var args []any
			for k, spec := range m.Params {
				if k >= len(want.Paths) || spec.Path != want.Paths[k] {
					t.Fatalf("parameter %d is %q, want the paths %v", k, spec.Path, want.Paths)
				}
				values := make([]float64, spec.size())
				for j := range values {
					values[j] = spec.Value + 0.3*math.Sin(0.7*float64(j)+float64(k)+1)
				}
				args = append(args, tensors.FromFlatDataAndDimensions(values, spec.Shape...))
			}
			for k, spec := range m.Norm.Statistics {
				values := make([]float64, spec.size())
				for j := range values {
					values[j] = spec.Value + 0.1*math.Sin(float64(j+k))
				}
				args = append(args, tensors.FromFlatDataAndDimensions(values, spec.Shape...))
			}
			n, s := len(m.Params), len(m.Norm.Statistics)
			exec, err := graph.NewExec(backend.ForTest(t), func(in []*graph.Node) []*graph.Node {
				p, given, x := in[:n], in[n:n+s], in[n+s]
				logits := m.Apply(p, x)
				loss := CrossEntropy(logits, in[n+s+1])
				var along, placed []*graph.Node
				for k, g := range graph.Gradient(loss, p...) {
					flat := graph.Reshape(g, g.Shape().Size())
					place := graph.AddScalar(graph.Iota(g.Graph(), flat.Shape(), 0), 1)
					along = append(along, graph.ReduceAllSum(graph.Mul(g, p[k])))
					placed = append(placed, graph.ReduceAllSum(graph.Mul(flat, place)))
				}
				out := []*graph.Node{logits, loss, graph.Stack(along, 0), graph.Stack(placed, 0), m.Norm.Evaluate(p, given, x)}
				trained, statistics := m.Norm.Train(p, x)
				return append(append(out, statistics...), trained)
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Call(append(args, images, tensors.FromValue(twin.Labels))...)
			if err != nil {
				t.Fatal(err)
			}
			for k, values := range map[string][2][]float64{
				"logits":                         {tensors.MustCopyFlatData[float64](out[0]), want.Logits},
				"loss":                           {{out[1].Value().(float64)}, {want.Loss}},
				"gradients along the parameters": {tensors.MustCopyFlatData[float64](out[2]), want.Along},
				"gradients by place":             {tensors.MustCopyFlatData[float64](out[3]), want.Placed},
				"logits at given statistics":     {tensors.MustCopyFlatData[float64](out[4]), want.Evaluated},
				"logits with statistics":         {tensors.MustCopyFlatData[float64](out[5+s]), want.Logits},
			} {
				near(t, k, values[0], values[1])
			}
			if len(want.Statistics) != s {
				t.Fatalf("%d statistics, want %d", s, len(want.Statistics))
			}
			for k, spec := range m.Norm.Statistics {
				near(t, spec.Path, tensors.MustCopyFlatData[float64](out[5+k]), want.Statistics[spec.Path])
			}
		})
	}
}

// stripes are 8×8 pictures of noise in two classes: dark stripes across or along.
func stripes(n, from int) *data.Dataset {
	d := &data.Dataset{Name: "stripes", Shape: []int{8, 8, 1}, Classes: []string{"across", "along"}}
	rng := data.NewSplitMix64(uint64(from))
	for i := range n {
		d.Labels = append(d.Labels, int32(i%2))
		shift := int(3 * rng.Float64())
		for y := range 8 {
			for x := range 8 {
				at := []int{y, x}[i%2]
				d.X = append(d.X, float32(rng.Float64()-0.5+math.Sin(float64(at+shift)*2)))
			}
		}
	}
	return d
}

// A small residual network learns, in minibatches that are moved and mirrored, and what it is evaluated with is the
// training set's: an example's logits are its own, and the statistics are those of the whole set.
func TestResNetTrains(t *testing.T) {
	b := backend.ForTest(t)
	steps, least := 60, 0.95
	if !scan.CanFuse(b) {
		steps, least = 4, 0
	}
	m, err := ResNet(ResNetConfig{Channels: 1, Classes: 2, Blocks: []int{1, 1}, Widths: []int{4, 8}, PaddedShortcuts: true})
	if err != nil {
		t.Fatal(err)
	}
	c := FitConfig{Model: m, Optimizer: optim.Adam(0.01), Train: stripes(64, 1), Test: stripes(40, 2), Batch: 16, Steps: steps, Augment: CropAndFlip(1)}
	fitter, err := NewFitter(b, c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fitter.Fit(context.Background(), nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Losses) != steps || r.Accuracy < least {
		t.Errorf("after %d steps the accuracy is %g, want at least %g", len(r.Losses), r.Accuracy, least)
	}
	if len(r.Statistics) != len(m.Norm.Statistics) {
		t.Fatalf("%d statistics, want %d", len(r.Statistics), len(m.Norm.Statistics))
	}

	// With a minibatch of the whole set, not augmented, the statistics are one minibatch's.
	c.Batch, c.Steps, c.Augment = 64, 1, nil
	if fitter, err = NewFitter(b, c); err != nil {
		t.Fatal(err)
	}
	if r, err = fitter.Fit(context.Background(), nil, 1); err != nil {
		t.Fatal(err)
	}
	exec, err := graph.NewExec(b, func(in []*graph.Node) []*graph.Node { _, s := m.Norm.Train(in[:len(in)-1], in[len(in)-1]); return s })
	if err != nil {
		t.Fatal(err)
	}
	var args []any
	for _, p := range m.Params {
		args = append(args, r.Params[p.Path])
	}
	out, err := exec.Call(append(args, c.Train.Features())...)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range m.Norm.Statistics {
		if !out[i].InDelta(r.Statistics[s.Path], 1e-4) {
			t.Errorf("%s is %v, want %v", s.Path, r.Statistics[s.Path], out[i])
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := fitter.Fit(ended, nil, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context gives %v", err)
	}
	if _, err := fitter.measure(ended, r.Params, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ends before the statistics gives %v", err)
	}
}

// The layers of LoRA's network are normalized like the base's.
func TestLoRAOfResNet(t *testing.T) {
	base, err := ResNet(ResNetConfig{Blocks: []int{1}, Widths: []int{4}, Classes: 3})
	if err != nil {
		t.Fatal(err)
	}
	adapted, err := LoRA{Rank: 2}.Adapt(base)
	if err != nil {
		t.Fatal(err)
	}
	x := tensors.FromFlatDataAndDimensions(make([]float32, 2*4*4*3), 2, 4, 4, 3)
	logits := func(m Model, params scan.Vars) *tensors.Tensor {
		var args []any
		for _, p := range m.Params {
			args = append(args, params[p.Path])
		}
		exec, err := graph.NewExec(backend.ForTest(t), func(in []*graph.Node) *graph.Node {
			p, x := in[:len(in)-1], in[len(in)-1]
			_, statistics := m.Norm.Train(p, x)
			return m.Norm.Evaluate(p, statistics, x)
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(append(args, x)...)
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	params := base.Init(1)
	more := adapted.Init(2)
	maps.Copy(more, params)
	if a, b := logits(base, params), logits(adapted, more); !a.InDelta(b, 1e-6) {
		t.Errorf("at the start the adapted network gives %v, the base %v", b, a)
	}
}

func TestResNetErrors(t *testing.T) {
	for want, c := range map[string]ResNetConfig{
		"Blocks are [] and Widths []":               {},
		"Blocks are [1 1] and Widths [4]":           {Blocks: []int{1, 1}, Widths: []int{4}},
		"Blocks are [0] and Widths [4]":             {Blocks: []int{0}, Widths: []int{4}},
		"Widths are [8 4], must not fall":           {Blocks: []int{1, 1}, Widths: []int{8, 4}, PaddedShortcuts: true},
		"Channels is -1 and Classes 10, must be at": {Blocks: []int{1}, Widths: []int{4}, Channels: -1},
		`activation "step" is unknown`:              {Blocks: []int{1}, Widths: []int{4}, Activation: "step"},
	} {
		if _, err := ResNet(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	m, err := ByName("resnet8")
	if err != nil || m.Name != "resnet8" {
		t.Fatalf("%q, %v", m.Name, err)
	}
	d := stripes(4, 1)
	if _, err := NewFitter(backend.ForTest(t), FitConfig{Model: m, Optimizer: optim.SGD(1), Train: d, Batch: 2}); err == nil || !strings.Contains(err.Error(), "must be [batch height width 3]") {
		t.Errorf("grey pictures give %v", err)
	}
}

// Each picture is a crop of itself padded with zeros, mirrored or not: all 18 ways of pad 1 come, and nothing else.
func TestCropAndFlip(t *testing.T) {
	const h, w, pad, batch = 2, 3, 1, 60
	picture := []float32{1, 2, 3, 4, 5, 6}
	at := func(y, x int) float32 {
		if y < 0 || y >= h || x < 0 || x >= w {
			return 0
		}
		return picture[y*w+x]
	}
	ways := map[[h * w]float32]int{}
	for dy := -pad; dy <= pad; dy++ {
		for dx := -pad; dx <= pad; dx++ {
			var plain, mirrored [h * w]float32
			for y := range h {
				for x := range w {
					plain[y*w+x] = at(y+dy, x+dx)
					mirrored[y*w+w-1-x] = at(y+dy, x+dx)
				}
			}
			ways[plain], ways[mirrored] = 0, 0
		}
	}
	all := slices.Concat(slices.Repeat([][]float32{picture}, batch)...)
	augment := CropAndFlip(pad)
	loop := scan.Loop{Step: func(s *scan.Step) { s.Trace("x", augment(s, s.Input("x"))) }}
	r, err := scan.Run(context.Background(), backend.ForTest(t), loop, scan.Vars{"none": tensors.FromValue(float32(0))},
		scan.Vars{"x": tensors.FromFlatDataAndDimensions(all, batch, h, w, 1)}, 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	flat := tensors.MustCopyFlatData[float32](r.Traces["x"])
	for i := 0; i < len(flat); i += h * w {
		way := [h * w]float32(flat[i : i+h*w])
		if _, ok := ways[way]; !ok {
			t.Fatalf("%v is no crop of the picture", way)
		}
		ways[way]++
	}
	for way, n := range ways { // 600/18 = 33 in the mean; 8 or fewer, or 70 or more, of any has a chance below 1e-5
		if n <= 8 || n >= 70 {
			t.Errorf("%v came %d times of 600", way, n)
		}
	}
	for _, bad := range []func(s *scan.Step, x *graph.Node) *graph.Node{CropAndFlip(-1), func(s *scan.Step, x *graph.Node) *graph.Node {
		return augment(s, graph.Zeros(s.Graph(), graph.ConvertDType(x, dtypes.Float32).Shape()))
	}} {
		_, err := scan.Run(context.Background(), backend.ForTest(t), scan.Loop{Step: func(s *scan.Step) { s.Trace("x", bad(s, s.Input("x"))) }},
			scan.Vars{"none": tensors.FromValue(float32(0))}, scan.Vars{"x": tensors.FromValue([]float32{1})}, 1, 0)
		if err == nil || !strings.Contains(err.Error(), "nets: CropAndFlip: pad is") {
			t.Errorf("error %v", err)
		}
	}
}
