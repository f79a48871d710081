package nets

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// BatchNorm says how a network with batch normalization is evaluated. It is trained with each minibatch's own mean and
// variance ([Model].Apply), so that an example's outputs depend on the others of its minibatch; in evaluation the mean
// and variance of the training set take their place.
//
// [Fitter], which evaluates at the end, measures them then, over minibatches of the training set, as in the method's
// paper: averages from along the way trail the weights. [SharpnessTrainer], which evaluates after each epoch, and whose
// teacher is evaluated in each step, has no time for that, and keeps running averages: a tenth of each minibatch's enters.
//
// Source: Ioffe, Szegedy (2015), Batch Normalization, Algorithm 2; Wu, Johnson (2021), Rethinking "Batch" in BatchNorm,
// section 3, compares the two.
type BatchNorm struct {
	// Statistics are the mean and the variance, one value a channel, of each normalized layer: sorted by path, which is
	// the layer's and "/mean" or "/variance".
	Statistics []ParamSpec
	// Train is Apply, and returns the statistics of the minibatch besides, in that order, the variance as an unbiased
	// estimate. Their means over several minibatches are the training set's.
	Train func(p []*graph.Node, x *graph.Node) (outputs *graph.Node, statistics []*graph.Node)
	// Evaluate is Apply with given statistics: each example's outputs are its own.
	Evaluate func(p, statistics []*graph.Node, x *graph.Node) *graph.Node
}

// Size is the number of statistics; 0 without batch normalization.
func (n *BatchNorm) Size() (size int) {
	for _, s := range n.specs() {
		size += s.size()
	}
	return size
}

// specs of the statistics; none without batch normalization.
func (n *BatchNorm) specs() []ParamSpec {
	if n == nil {
		return nil
	}
	return n.Statistics
}

// start are the statistics before any minibatch: mean 0 and variance 1.
func (n *BatchNorm) start() scan.Vars { return Model{Params: n.specs()}.Init(0) }

// in returns the statistics by path in their order; an error where one is missing.
func (n *BatchNorm) in(statistics scan.Vars) ([]*tensors.Tensor, error) {
	var out []*tensors.Tensor
	for _, s := range n.specs() {
		v := statistics[s.Path]
		if v == nil || !slices.Equal(v.Shape().Dimensions, s.Shape) {
			return nil, fmt.Errorf("nets: the statistic %q of batch normalization is missing or not of shape %v", s.Path, s.Shape)
		}
		out = append(out, v)
	}
	return out, nil
}

// runningShare is how much of a minibatch's statistics enters the running ones; as in PyTorch.
const runningShare = 0.1

// running are the statistics averaged along the way, as a network's buffers in training. pass is given each pass to build.
func (n *BatchNorm) running(pass func(x *graph.Node, build func() *graph.Node) *graph.Node) *optim.Buffers {
	return &optim.Buffers{
		Init: func(params []optim.Param) (out optim.State) {
			start := n.start()
			for _, s := range n.Statistics {
				out = append(out, optim.Var{Name: s.Path, Value: graph.Const(params[0].Value.Graph(), start[s.Path])})
			}
			return out
		},
		Outputs: func(p, before, data []*graph.Node) (outputs *graph.Node, after []*graph.Node) {
			outputs = pass(data[0], func() (z *graph.Node) { z, after = n.Train(p, data[0]); return z })
			for i, v := range after {
				after[i] = graph.Add(graph.MulScalar(before[i], 1-runningShare), graph.MulScalar(graph.StopGradient(v), runningShare))
			}
			return outputs, after
		},
	}
}

// evaluate is the network as it is used after training.
func (m Model) evaluate(p, statistics []*graph.Node, x *graph.Node) *graph.Node {
	if m.Norm == nil {
		return m.Apply(p, x)
	}
	return m.Norm.Evaluate(p, statistics, x)
}

// Evaluated is the network as it is used after training, as a function of its parameters alone: the statistics of batch
// normalization, by path, are constants. A network without is itself.
func (m Model) Evaluated(statistics scan.Vars) (Model, error) {
	values, err := m.Norm.in(statistics)
	if err != nil || m.Norm == nil {
		return m, err
	}
	norm := m.Norm
	m.Norm, m.Apply = nil, func(p []*graph.Node, x *graph.Node) *graph.Node {
		constants := make([]*graph.Node, len(values))
		for i, v := range values {
			constants[i] = graph.ConvertDType(graph.Const(x.Graph(), v), x.DType())
		}
		return norm.Evaluate(p, constants, x)
	}
	return m, nil
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
