package optim

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// AddDecayedWeights adds Decay·θ to the updates. Behind an adaptive method and in front of the learning rate it is
// decoupled weight decay, which the learning rate scales (as in PyTorch and optax; the paper scales it by the schedule
// alone). In front of the method it is L2 regularization: see [AddL2].
//
// Where limits it to some parameters. Hyper-parameter: "weight_decay". Source: Loshchilov, Hutter (2019), Decoupled
// Weight Decay Regularization, Algorithm 2.
type AddDecayedWeights struct {
	stateless
	Decay float64 // at least 0; 0: off
	Where Mask    // nil: all parameters
}

var _ Transform = AddDecayedWeights{}

// Update implements Transform.
func (d AddDecayedWeights) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(i int, u *graph.Node) *graph.Node {
		if d.Where != nil && !d.Where(s.Params[i]) {
			return u
		}
		return graph.Add(u, scale(s.Params[i].Value, s.Hyper("weight_decay", d.Decay, u.DType())))
	}), nil
}

// Validate implements Transform.
func (d AddDecayedWeights) Validate() error {
	c := check("AddDecayedWeights")
	c.least("Decay", d.Decay, 0)
	return c.join()
}

// AddL2 is L2 regularization with weight decay: it adds decay·θ to the gradients, in front of everything else. It is
// [AddDecayedWeights] under the name of its effect there.
func AddL2(decay float64) Transform { return AddDecayedWeights{Decay: decay} }

// accumulated converts to float32 where the type is shorter, for sums.
func accumulated(x *graph.Node) *graph.Node {
	if x.DType().Size() < dtypes.Float32.Size() {
		return graph.ConvertDType(x, dtypes.Float32)
	}
	return x
}
