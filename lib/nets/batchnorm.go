package nets

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// BatchNorm says how a network with batch normalization is evaluated. It is trained with each minibatch's own mean and
// variance ([Model].Apply), so that an example's outputs depend on the others of its minibatch; afterwards the mean and
// variance of the training set take their place.
//
// They are measured after training, over minibatches of the training set, as in the method's paper, and not averaged
// along the way: running averages trail the weights, and a pure function of the parameters has no place for them.
// [Fitter] does it.
//
// Source: Ioffe, Szegedy (2015), Batch Normalization, Algorithm 2; Wu, Johnson (2021), Rethinking "Batch" in BatchNorm,
// section 3, compares it with running averages.
type BatchNorm struct {
	// Statistics are the mean and the variance, one value a channel, of each normalized layer: sorted by path, which is
	// the layer's and "/mean" or "/variance".
	Statistics []ParamSpec
	// Measure returns the statistics of one minibatch in that order, the variance as an unbiased estimate. Their means
	// over several minibatches are the training set's.
	Measure func(p []*graph.Node, x *graph.Node) []*graph.Node
	// Evaluate is Apply with given statistics: each example's outputs are its own.
	Evaluate func(p, statistics []*graph.Node, x *graph.Node) *graph.Node
}

// evaluate is the network as it is used after training.
func (m Model) evaluate(p, statistics []*graph.Node, x *graph.Node) *graph.Node {
	if m.Norm == nil {
		return m.Apply(p, x)
	}
	return m.Norm.Evaluate(p, statistics, x)
}

// normalizer normalizes a layer's outputs x, shaped [batch, height, width, channels], before gain and biases.
type normalizer func(path string, x *graph.Node) *graph.Node

// batchNormEps is added to the variance; as in PyTorch.
const batchNormEps = 1e-5

// byBatch normalizes by the minibatch's own statistics, and tells them to seen, if set.
func byBatch(seen func(path string, value *graph.Node)) normalizer {
	return func(path string, x *graph.Node) *graph.Node {
		channels := x.Shape().Dim(-1)
		values := x.Shape().Size() / channels
		mean := graph.ReduceMean(x, 0, 1, 2)
		centred := graph.Sub(x, perChannel(mean, x))
		variance := graph.ReduceMean(graph.Square(centred), 0, 1, 2)
		if seen != nil {
			seen(path+"/mean", mean)
			seen(path+"/variance", graph.MulScalar(variance, float64(values)/math.Max(1, float64(values-1))))
		}
		return graph.Mul(centred, perChannel(byDeviation(variance), x))
	}
}

// byStatistics normalizes by given ones.
func byStatistics(named map[string]*graph.Node) normalizer {
	return func(path string, x *graph.Node) *graph.Node {
		return graph.Mul(graph.Sub(x, perChannel(named[path+"/mean"], x)), perChannel(byDeviation(named[path+"/variance"]), x))
	}
}

// byDeviation is 1/√(variance + ε). (Rsqrt has no gradient in GoMLX.)
func byDeviation(variance *graph.Node) *graph.Node {
	return graph.Reciprocal(graph.Sqrt(graph.AddScalar(variance, batchNormEps)))
}

// perChannel gives one value a channel the shape of x.
func perChannel(v, x *graph.Node) *graph.Node {
	return graph.BroadcastToDims(graph.Reshape(v, 1, 1, 1, v.Shape().Size()), x.Shape().Dimensions...)
}
