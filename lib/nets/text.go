package nets

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// NextToken is a language model's loss: the mean of −log softmax(logits)[next token], in nats a token, over all but the
// first token of each sequence. tokens are int32 of shape [batch, time + 1]: time inputs and, moved by one, time targets.
func NextToken(m Model, p []*graph.Node, tokens *graph.Node) *graph.Node {
	last := tokens.Shape().Dim(1) - 1
	if last < 1 {
		panic(fmt.Errorf("nets: NextToken: tokens are %s, must be sequences of at least 2", tokens.Shape()))
	}
	logits := m.Apply(p, graph.Slice(tokens, graph.AxisRange(), graph.AxisRange(0, last)))
	return TokenLoss(logits, graph.Slice(tokens, graph.AxisRange(), graph.AxisRange(1, last+1)))
}

// TokenLoss is [CrossEntropy] of logits shaped [batch, time, tokens] at targets shaped [batch, time], taken in float32
// at least.
func TokenLoss(logits, targets *graph.Node) *graph.Node {
	if logits.DType().Size() < dtypes.Float32.Size() {
		logits = graph.ConvertDType(logits, dtypes.Float32)
	}
	vocab := logits.Shape().Dim(2)
	rows := targets.Shape().Size()
	return CrossEntropy(graph.Reshape(logits, rows, vocab), graph.Reshape(targets, rows))
}

// Windows draws the step's batch of sequences from an input of the run, a text of n tokens in int32 of shape [n]: windows
// of length tokens at uniform random places, shape [batch, length]. For time inputs a sequence length is time + 1.
func Windows(s *scan.Step, input string, batch, length int) *graph.Node {
	text := s.Input(input)
	if text.Rank() != 1 || batch < 1 || length < 1 || length > text.Shape().Dim(0) {
		panic(fmt.Errorf("nets: Windows: %d windows of %d tokens from input %q of shape %s, must be at least 1 and fit in one axis", batch, length, input, text.Shape()))
	}
	starts := graph.InsertAxes(s.Integers(text.Shape().Dim(0)-length+1, batch), 1)
	places := graph.Add(starts, graph.Iota(s.Graph(), shapes.Make(dtypes.Int32, batch, length), 1))
	return graph.Gather(text, graph.ExpandAxes(places, -1))
}
