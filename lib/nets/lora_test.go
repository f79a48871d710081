package nets

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// outputs of a model at parameters.
func outputs(t *testing.T, m Model, params scan.Vars, x *tensors.Tensor) []float32 {
	t.Helper()
	var args []any
	for _, p := range m.Params {
		args = append(args, params[p.Path])
	}
	exec, err := graph.NewExec(backend.ForTest(t), func(in []*graph.Node) *graph.Node { return m.Apply(in[:len(in)-1], in[len(in)-1]) })
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(append(args, x)...)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out[0])
}

// An adapted model begins as its base, trains its own parameters only, and merges back.
func TestLoRA(t *testing.T) {
	base, err := GPT(GPTConfig{Vocab: 9, Context: 8, Width: 8, Layers: 1, Heads: 2})
	if err != nil {
		t.Fatal(err)
	}
	lora := LoRA{Rank: 2, Alpha: 4, Match: func(path string) bool { return strings.Contains(path, "/attn/") && strings.HasSuffix(path, "/weights") }}
	m, err := lora.Adapt(base)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Size()-base.Size(), 4*2*(2*8); got != want {
		t.Errorf("LoRA has %d parameters of its own, want %d", got, want)
	}
	start := m.Init(5)
	tokens := tensors.FromValue([][]int32{{0, 1, 2, 3, 4, 5, 6, 7}, {8, 7, 6, 5, 4, 3, 2, 1}})
	if !slices.Equal(outputs(t, base, base.Init(5), tokens), outputs(t, m, start, tokens)) {
		t.Error("the adapted model does not begin as its base")
	}
	method := optim.Partition{
		{Name: "adapters", Where: func(p optim.Param) bool { return lora.Trainable(p.Path) }, Transform: optim.AdamW(1e-2, 0.01)},
		{Name: "base", Transform: optim.Freeze{}},
	}
	problem := optim.Problem{
		Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Input("tokens")} },
		Loss: func(p, data []*graph.Node) *graph.Node { return NextToken(m, p, data[0]) },
	}
	b := backend.ForTest(t)
	r, err := optim.Minimize(context.Background(), b, method, problem, start, scan.Vars{"tokens": tokens}, 25, 0)
	if err != nil {
		t.Fatal(err)
	}
	losses := tensors.MustCopyFlatData[float32](r.Traces["loss"])
	if losses[24] >= losses[0]-0.005 {
		t.Errorf("the loss went from %g to %g, must fall", losses[0], losses[24])
	}
	for path, v := range r.Params {
		same := slices.Equal(tensors.MustCopyFlatData[float32](v), tensors.MustCopyFlatData[float32](start[path]))
		if same == lora.Trainable(path) {
			t.Errorf("parameter %q stayed as it was: %v", path, same)
		}
	}
	merged, err := lora.Merge(b, base, r.Params)
	if err != nil {
		t.Fatal(err)
	}
	got, want := outputs(t, base, merged, tokens), outputs(t, m, r.Params, tokens)
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Fatalf("merged, logit %d is %g, want %g", i, got[i], want[i])
		}
	}
	bytes, err := optim.StateBytes(b, method, start)
	if want := int64(2 * 4 * 128); err != nil || bytes != want {
		t.Errorf("the optimizer keeps %d bytes (%v), want %d: none for the base", bytes, err, want)
	}
}

func TestLoRAErrors(t *testing.T) {
	base, err := MLP("relu", 4, 6, 3)
	if err != nil {
		t.Fatal(err)
	}
	for want, l := range map[string]LoRA{
		"Rank is 0, must be at least 1":                                          {},
		`Rank is 4, must be between 1 and 3 for parameter "layer_1/weights"`:     {Rank: 4},
		"Alpha is -1, must be positive and finite":                               {Rank: 1, Alpha: -1},
		"Match chooses no matrix; there are layer_0/biases, layer_0/weights, la": {Rank: 1, Match: func(string) bool { return false }},
	} {
		if _, err := l.Adapt(base); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gave %v, want an error that holds %q", l.Rank, err, want)
		}
	}
	if _, err := (LoRA{Rank: 1}).Adapt(Model{}); err == nil {
		t.Error("an empty model gave no error")
	}
	if _, err := (LoRA{Rank: 1}).Merge(backend.ForTest(t), base, base.Init(0)); err == nil || !strings.Contains(err.Error(), "lora_a") {
		t.Errorf("missing adapters gave %v", err)
	}
}
