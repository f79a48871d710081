package optim

import (
	"context"
	"fmt"
	"math"
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

// One entry a block is Adam.
func TestAdamMiniOfEntries(t *testing.T) {
	g := noise(1, 10, 6)
	got := respond(t, ready(0.1, ScaleByAdamMini{Blocks: func(Param) (int, int) { return 0, 6 }}), g)
	close(t, "updates", got, respond(t, Adam(0.1), g), 1e-12)
}

// Ten steps against plain float64: whole tensors, rows, columns.
func TestAdamMiniAgainstPlainGo(t *testing.T) {
	f := noisy(10)
	block := map[string]func(i int) int{ // of each entry of a 6×5 matrix
		"whole": func(int) int { return 0 }, "rows in threes": func(i int) int { return i / 15 }, "columns": func(i int) int { return i % 5 },
	}
	cuts := map[string][2]int{"whole": {0, 1}, "rows in threes": {0, 2}, "columns": {1, 5}}
	for name, of := range block {
		got, _ := f.follow(t, ready(0.1, ScaleByAdamMini{Blocks: func(p Param) (int, int) {
			if p.Path == "matrix" {
				return cuts[name][0], cuts[name][1]
			}
			return 0, 1
		}}))
		theta, m, v := slices.Clone(f.start["matrix"]), make([]float64, 30), make([]float64, cuts[name][1])
		for k, gradients := range f.gradients {
			g, square := gradients["matrix"], make([]float64, len(v))
			for i, x := range g {
				square[of(i)] += x * x * float64(len(v)) / 30
			}
			for b := range v {
				v[b] = 0.999*v[b] + 0.001*square[b]
			}
			for i, x := range g {
				m[i] = 0.9*m[i] + 0.1*x
				t := float64(k + 1)
				theta[i] -= 0.1 * m[i] / (1 - math.Pow(0.9, t)) / (math.Sqrt(v[of(i)]/(1-math.Pow(0.999, t))) + 1e-8)
			}
			close(t, fmt.Sprintf("%s, step %d", name, k+1), got["matrix"][k], theta, 1e-10)
		}
	}
}

// Runs trained together have their own blocks.
func TestAdamMiniRuns(t *testing.T) {
	tr := ready(0.1, ScaleByAdamMini{Blocks: func(Param) (int, int) { return 1, 2 }})
	loss := func(lead int) Problem {
		return Problem{Lead: lead, Loss: func(params, _ []*graph.Node) *graph.Node {
			cube := graph.Mul(graph.Square(params[0]), params[0])
			if lead == 0 {
				return graph.ReduceAllSum(cube)
			}
			return graph.ReduceSum(cube, 1, 2)
		}}
	}
	one := [][][]float64{{{1, 2, 3, 4}, {5, 6, 7, 8}}, {{-1, 2, -3, 1}, {0, 1, 0, 1}}}
	both, err := Minimize(context.Background(), backend.ForTest(t), tr, loss(1), scan.Vars{"w": tensors.FromValue(one)}, nil, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := tensors.MustCopyFlatData[float64](both.Params["w"])
	for k, w := range one {
		alone, err := Minimize(context.Background(), backend.ForTest(t), tr, loss(0), scan.Vars{"w": tensors.FromValue(w)}, nil, 5, 0)
		if err != nil {
			t.Fatal(err)
		}
		close(t, fmt.Sprintf("run %d", k), got[8*k:8*k+8], tensors.MustCopyFlatData[float64](alone.Params["w"]), 1e-12)
	}
}

// The blocks of a transformer, counted: 2 heads, 10 tokens.
func TestTransformerBlocks(t *testing.T) {
	f32 := func(dims ...int) shapes.Shape { return shapes.Make(dtypes.Float32, dims...) }
	params := map[string]shapes.Shape{
		"embed/tokens": f32(10, 4), "embed/positions": f32(3, 4), "head/weights": f32(4, 10), "final_norm/gain": f32(4),
		"block_00/attn/q_proj/weights": f32(4, 4), "block_00/attn/k_proj/weights": f32(4, 4), "block_00/attn/v_proj/weights": f32(4, 4),
		"block_00/attn/q_proj/biases": f32(4), "block_01/attn/qkv_proj/weights": f32(4, 12), "block_01/attn/qkv_proj/biases": f32(12),
	}
	n := 0
	for _, s := range params {
		n += s.Size()
	}
	numbers, _, err := StateSize(backend.ForTest(t), ScaleByAdamMini{Blocks: TransformerBlocks(2)}, params)
	if want := int64(n + 10 + 1 + 10 + 1 + 2 + 2 + 1 + 2 + 6 + 6); err != nil || numbers != want {
		t.Errorf("%d numbers (%v), want %d", numbers, err, want)
	}
	_, _, err = StateSize(backend.ForTest(t), ScaleByAdamMini{Blocks: TransformerBlocks(3)}, params)
	if err == nil || !strings.Contains(err.Error(), `Blocks cuts axis 1 of parameter "block_00/attn/k_proj/weights"`) || !strings.Contains(err.Error(), "in 3") {
		t.Errorf("heads that do not divide gave %v", err)
	}
}
