package nets

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// twins holds what testdata/transformers.py computed.
type twins struct {
	Tokens []int32
	Images []float64
	Labels []int32
	Cases  map[string]struct {
		Paths         []string
		Logits        []float64
		Loss          float64
		Along, Placed []float64
	}
}

// The five networks give the logits, the loss and the gradients of an independent program, in float64.
func TestTransformersMatchTwin(t *testing.T) {
	text, err := os.ReadFile("testdata/transformers.json")
	if err != nil {
		t.Fatal(err)
	}
	var twin twins
	if err := json.Unmarshal(text, &twin); err != nil {
		t.Fatal(err)
	}
	gpt := GPTConfig{Vocab: 11, Context: 6, Width: 8, Layers: 2, Heads: 2, Hidden: 12}
	gpt2, plain := gpt, gpt
	gpt2.Tied, gpt2.FusedQKV = true, true
	plain.RMSNorm, plain.NoBiases, plain.ExactGELU = true, true, true
	vit := ViTConfig{Side: 8, Channels: 2, Patch: 4, Classes: 5, Width: 8, Layers: 2, Heads: 2, Hidden: 12}
	mean := vit
	mean.MeanPool, mean.FusedQKV = true, true
	build := map[string]func() (Model, error){
		"gpt2":      func() (Model, error) { return GPT(gpt2) },
		"gpt-plain": func() (Model, error) { return GPT(plain) },
		"llama": func() (Model, error) {
			return LLaMA(LLaMAConfig{Vocab: 11, Width: 8, Layers: 2, Heads: 2, Hidden: 12})
		},
		"vit-class": func() (Model, error) { return ViT(vit) },
		"vit-mean":  func() (Model, error) { return ViT(mean) },
	}
	tokens := tensors.FromFlatDataAndDimensions(twin.Tokens, 2, 6)
	images := tensors.FromFlatDataAndDimensions(twin.Images, 3, 8, 8, 2)
	labels := tensors.FromValue(twin.Labels)
	for name, want := range twin.Cases {
		t.Run(name, func(t *testing.T) {
			m, err := build[name]()
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
			x, y := tokens, tokens
			vision := strings.HasPrefix(name, "vit")
			if vision {
				x, y = images, labels
			}
			n := len(m.Params)
			exec, err := graph.NewExec(backend.ForTest(t), func(in []*graph.Node) []*graph.Node {
				p := in[:n]
				logits := m.Apply(p, in[n])
				var loss *graph.Node
				if vision {
					loss = CrossEntropy(logits, in[n+1])
				} else {
					loss = NextToken(m, p, in[n+1])
				}
				out := []*graph.Node{logits, loss}
				var along, placed []*graph.Node
				for k, g := range graph.Gradient(loss, p...) {
					flat := graph.Reshape(g, g.Shape().Size())
					place := graph.AddScalar(graph.Iota(g.Graph(), flat.Shape(), 0), 1)
					along = append(along, graph.ReduceAllSum(graph.Mul(g, p[k])))
					placed = append(placed, graph.ReduceAllSum(graph.Mul(flat, place)))
				}
				return append(out, graph.Stack(along, 0), graph.Stack(placed, 0))
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Call(append(args, x, y)...)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "logits", tensors.MustCopyFlatData[float64](out[0]), want.Logits)
			near(t, "loss", []float64{out[1].Value().(float64)}, []float64{want.Loss})
			near(t, "gradients along the parameters", tensors.MustCopyFlatData[float64](out[2]), want.Along)
			near(t, "gradients by place", tensors.MustCopyFlatData[float64](out[3]), want.Placed)
		})
	}
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-10*math.Max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: value %d is %.14g, want %.14g", what, i, got[i], want[i])
		}
	}
}

// The published parameter counts, without allocating one.
func TestPublishedSizes(t *testing.T) {
	for name, want := range map[string]int{
		"gpt2":        124439808,  // the released files, as Hugging Face counts them
		"gpt2-medium": 354823168,  //
		"gpt2-large":  774030080,  //
		"gpt2-xl":     1557611200, //
		"gpt-tiny":    26784,      // specification of FRUGAL
		"llama-60m":   58073600,   // 58.07 M in GaLore's logs
		"llama-130m":  134105856,  // 134.11 M
		"llama-350m":  367969280,  // 367.97 M
		"llama-1b":    1339082752, // 1339.08 M
		"llama2-7b":   6738415616, // 6.74 B
		"llama-tiny":  2073248,    // by hand
		"vit-s/16":    22050664,   // 22.05 M in timm
		"vit-s/32":    22878952,   // 22.88 M
		"vit-b/16":    86567656,   // 86.57 M
		"resnet8":     75290,      // by hand
		"resnet20":    269722,     // 0.27 M in the paper's table 6
		"resnet32":    464154,     // 0.46 M
		"resnet44":    658586,     // 0.66 M
		"resnet56":    853018,     // 0.85 M
		"resnet110":   1727962,    // 1.7 M
		"resnet18":    11173962,   // public PyTorch code for CIFAR
		"resnet34":    21282122,   //
		"resnet50":    23520842,   //
		"resnet101":   42512970,   //
		"resnet152":   58156618,   //
	} {
		m, err := ByName(name)
		if err != nil || m.Size() != want {
			t.Errorf("%s has %d parameters (%v), want %d", name, m.Size(), err, want)
		}
	}
	for _, name := range Names() {
		if _, err := ByName(strings.ToUpper(name)); err != nil {
			t.Error(err)
		}
	}
	c, err := GPTSize("gpt-tiny")
	c.Vocab = 512
	m, err2 := GPT(c)
	if err != nil || err2 != nil || m.Size() != 58528 || len(m.Params) != 20 {
		t.Errorf("gpt-tiny with 512 tokens has %d parameters in %d tensors (%v, %v), want 58528 in 20", m.Size(), len(m.Params), err, err2)
	}
	// What partitions by path and shape rely on: FRUGAL's and SWAN's matrices are those of attn and mlp.
	matrices := 0
	for _, p := range m.Params {
		if len(p.Shape) == 2 && (strings.Contains(p.Path, "/attn/") || strings.Contains(p.Path, "/mlp/")) {
			matrices += p.size()
		}
	}
	if matrices != 24576 {
		t.Errorf("the blocks' matrices hold %d entries, want 24576", matrices)
	}
}

// A token's logits must not depend on later tokens, and must on earlier ones.
func TestCausality(t *testing.T) {
	for _, build := range []func() (Model, error){
		func() (Model, error) {
			return GPT(GPTConfig{Vocab: 7, Context: 5, Width: 8, Layers: 1, Heads: 2, Tied: true})
		},
		func() (Model, error) {
			return LLaMA(LLaMAConfig{Vocab: 7, Width: 8, Layers: 1, Heads: 2, Hidden: 8})
		},
	} {
		m, err := build()
		if err != nil {
			t.Fatal(err)
		}
		init := m.Init(1)
		var args []any
		for _, p := range m.Params {
			args = append(args, init[p.Path])
		}
		exec, err := graph.NewExec(backend.ForTest(t), func(in []*graph.Node) *graph.Node { return m.Apply(in[:len(in)-1], in[len(in)-1]) })
		if err != nil {
			t.Fatal(err)
		}
		rows := func(tokens ...int32) []float32 {
			out, err := exec.Call(append(slices.Clone(args), tensors.FromFlatDataAndDimensions(tokens, 1, 5))...)
			if err != nil {
				t.Fatal(err)
			}
			return tensors.MustCopyFlatData[float32](out[0])
		}
		a, b := rows(1, 2, 3, 4, 5), rows(1, 2, 6, 4, 5)
		for i := range 2 * 7 {
			if a[i] != b[i] {
				t.Fatalf("%s: logit %d before the change differs", m.Name, i)
			}
		}
		if slices.Equal(a[4*7:], b[4*7:]) {
			t.Errorf("%s: the last token does not see the change", m.Name)
		}
	}
}

func TestTransformerErrors(t *testing.T) {
	for want, build := range map[string]func() (Model, error){
		"Width is 10, must be a positive multiple of Heads, 4": func() (Model, error) {
			return GPT(GPTConfig{Vocab: 3, Context: 4, Width: 10, Layers: 1, Heads: 4})
		},
		"GPT: Vocab is 0, must be at least 1": func() (Model, error) {
			return GPT(GPTConfig{Context: 4, Width: 8, Layers: 1, Heads: 4})
		},
		"Context is 0, must be at least 1": func() (Model, error) {
			return GPT(GPTConfig{Vocab: 3, Width: 8, Layers: 1, Heads: 4})
		},
		"LLaMA: Layers is 101, must be between 1 and 100": func() (Model, error) {
			return LLaMA(LLaMAConfig{Vocab: 3, Width: 8, Layers: 101, Heads: 4, Hidden: 8})
		},
		"LLaMA: Hidden is 0, must be at least 1": func() (Model, error) {
			return LLaMA(LLaMAConfig{Vocab: 3, Width: 8, Layers: 1, Heads: 4})
		},
		"Width/Heads is 3, must be even for rotary positions": func() (Model, error) {
			return LLaMA(LLaMAConfig{Vocab: 3, Width: 6, Layers: 1, Heads: 2, Hidden: 8})
		},
		"Side is 9, must be a positive multiple of Patch, 2": func() (Model, error) {
			return ViT(ViTConfig{Side: 9, Patch: 2, Classes: 2, Width: 8, Layers: 1, Heads: 2})
		},
		"Channels is 3 and Classes 0": func() (Model, error) {
			return ViT(ViTConfig{Side: 8, Patch: 2, Width: 8, Layers: 1, Heads: 2})
		},
		`ByName: name is "gpt5", must be one of gpt-tiny, gpt2`: func() (Model, error) { return ByName("gpt5") },
		`LLaMASize: name is "llama", must be one of llama-130m`: func() (Model, error) { _, err := LLaMASize("llama"); return Model{}, err },
		`ViTSize: name is "vit", must be one of vit-b/16`:       func() (Model, error) { _, err := ViTSize("vit"); return Model{}, err },
		`GPTSize: name is "", must be one of gpt-tiny`:          func() (Model, error) { _, err := GPTSize(""); return Model{}, err },
	} {
		if _, err := build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want one that holds %q", err, want)
		}
	}
}
