package nets

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// CrossEntropy is the mean of −log softmax(logits)[label] over a batch: logits are shaped [batch, classes], labels
// [batch] in int32.
func CrossEntropy(logits, labels *graph.Node) *graph.Node {
	// −log softmax = log Σ exp(z) − z[label], with the largest z taken off: no overflow.
	largest := graph.StopGradient(graph.ReduceMax(logits, 1))
	z := graph.Sub(logits, graph.BroadcastToDims(graph.InsertAxes(largest, 1), logits.Shape().Dimensions...))
	total := graph.Log(graph.ReduceSum(graph.Exp(z), 1))
	own := graph.ReduceSum(graph.Mul(z, chosen(logits, labels)), 1)
	return graph.ReduceAllMean(graph.Sub(total, own))
}

// chosen is 1 at each row's label, else 0.
func chosen(logits, labels *graph.Node) *graph.Node {
	d := logits.Shape().Dimensions
	at := graph.Iota(logits.Graph(), shapes.Make(dtypes.Int32, d...), 1)
	return graph.ConvertDType(graph.Equal(at, graph.BroadcastToDims(graph.InsertAxes(labels, 1), d...)), logits.DType())
}

// Correct counts the rows whose largest logit is the label's; ties count for the first class.
func Correct(logits, labels *graph.Node) *graph.Node {
	hits := graph.Equal(graph.ArgMax(logits, 1, dtypes.Int32), labels)
	return graph.ReduceAllSum(graph.ConvertDType(hits, dtypes.Int32))
}
