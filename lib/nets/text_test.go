package nets

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// corpus of Go source, as tokens.
func corpus(t *testing.T, bytes int) *data.Text {
	t.Helper()
	source, err := data.GoSource("", bytes)
	if err != nil {
		t.Skip(err)
	}
	text, err := data.NewText(source)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A tiny GPT learns from Go source what no model of single bytes can: its loss falls below the bytes' entropy.
func TestTinyGPTLearnsGo(t *testing.T) {
	text := corpus(t, 200_000)
	m, err := GPT(GPTConfig{Vocab: len(text.Alphabet), Context: 32, Width: 32, Layers: 2, Heads: 4, RMSNorm: true, NoBiases: true})
	if err != nil {
		t.Fatal(err)
	}
	b := backend.ForTest(t)
	// The pure-Go backend gets a smaller batch and only has to come down.
	steps, batch, goal := 150, 16, text.Entropy()
	if !scan.CanFuse(b) {
		steps, batch, goal = 30, 4, math.Log(float64(len(text.Alphabet)))-0.7
	}
	problem := optim.Problem{
		Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{Windows(s, "text", batch, 33)} },
		Loss: func(p, data []*graph.Node) *graph.Node { return NextToken(m, p, data[0]) },
	}
	inputs := scan.Vars{"text": tensors.FromValue(text.Tokens)}
	r, err := optim.Minimize(context.Background(), b, optim.Adam(1e-2), problem, m.Init(0), inputs, steps, 0)
	if err != nil {
		t.Fatal(err)
	}
	losses := tensors.MustCopyFlatData[float32](r.Traces["loss"])
	if first := float64(losses[0]); math.Abs(first-math.Log(float64(len(text.Alphabet)))) > 0.1 {
		t.Errorf("the first loss is %.3f, want that of a uniform guess, %.3f", first, math.Log(float64(len(text.Alphabet))))
	}
	var late float64
	for _, l := range losses[steps-5:] {
		late += float64(l) / 5
	}
	t.Logf("%d steps: %.3f nats, entropy of single bytes %.3f", steps, late, text.Entropy())
	if late > goal {
		t.Errorf("the loss after %d steps is %.3f, want at most %.3f", steps, late, goal)
	}
}

// Windows are stretches of the text, all places are drawn, and the two ends too.
func TestWindows(t *testing.T) {
	tokens := make([]int32, 12)
	for i := range tokens {
		tokens[i] = int32(i)
	}
	const batch, length, steps = 8, 5, 40
	state := scan.Vars{"none": tensors.FromScalar(float32(0))}
	loop := scan.Loop{Step: func(s *scan.Step) { s.Trace("w", Windows(s, "text", batch, length)) }}
	r, err := scan.Run(context.Background(), backend.ForTest(t), loop, state, scan.Vars{"text": tensors.FromValue(tokens)}, steps, 3)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int32]int{}
	w := tensors.MustCopyFlatData[int32](r.Traces["w"])
	for i := 0; i < len(w); i += length {
		seen[w[i]]++
		for j := range length {
			if w[i+j] != w[i]+int32(j) {
				t.Fatalf("window %d is %v, must be a stretch of the text", i/length, w[i:i+length])
			}
		}
	}
	// 320 draws of 8 places: each is missed with probability (7/8)³²⁰ ≈ 3·10⁻¹⁹.
	if len(seen) != 8 || seen[0] == 0 || seen[7] == 0 {
		t.Errorf("windows began at %v, want each of 0 … 7", seen)
	}
	loop.Step = func(s *scan.Step) { s.Trace("w", Windows(s, "text", batch, 13)) }
	if _, err := scan.Compile(backend.ForTest(t), loop, state, scan.Vars{"text": tensors.FromValue(tokens)}); err == nil {
		t.Error("windows longer than the text gave no error")
	}
}
