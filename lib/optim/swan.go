package optim

import (
	"github.com/gomlx/gomlx/core/graph"
)

// ScaleBySWAN is stochastic gradient descent for matrices without any state: the gradient is standardized over each
// output unit's inputs ([GradNorm]), whitened ([GradWhiten]), given back its norm ([RestoreNorm]) and scaled by α.
//
//	G̃ = GradNorm(G),  Δ = (G̃G̃ᵀ)^(−1/2)·G̃,  update = α·Δ·‖G̃‖/‖Δ‖
//
// The update does not depend on the gradient's size, nor on that of any output unit's, and has root mean square α. It does
// not shrink near a minimum, so the learning rate must fall. It never changes the sum of an output unit's weights. No
// momentum: with Trace in front of GradWhiten in a chain it would be Muon. Matrices of a single row or column are an
// error; see [SWAN] for what to do with the rest of a network.
//
// Hyper-parameters: "alpha", "beta". Source: Ma et al. (2025), SWAN, Algorithm 1.
type ScaleBySWAN struct {
	// Alpha is α, above 0: the root mean square of the update, which says how much faster these matrices learn than
	// Adam's parameters at the same learning rate. Default 0.4, ours for a small transformer at 1e-2; ports of the paper
	// have 0.05 at 0.02.
	Alpha      float64
	Iterations int     // of [GradWhiten]; default 10
	Beta       float64 // of [GradWhiten]; default ½
	Exact      bool    // of [GradWhiten]
	Axis       int     // of [GradNorm]
	// KeepWhite leaves the norm restoration out: the update then is α·Δ itself.
	KeepWhite bool
}

var _ Transform = ScaleBySWAN{}

func (w ScaleBySWAN) chain() Chain {
	var whiten Transform = GradWhiten{Iterations: w.Iterations, Beta: w.Beta, Exact: w.Exact}
	if !w.KeepWhite {
		whiten = RestoreNorm{Inner: whiten}
	}
	return Chain{GradNorm{Axis: w.Axis}, whiten}
}

// Init implements Transform.
func (w ScaleBySWAN) Init(params []Param) State {
	c := check("ScaleBySWAN")
	for _, p := range params {
		if shape := p.Shape(); c.matrix(p) && min(shape.Dim(0), shape.Dim(1)) < 2 {
			c.add("parameter %q is %s, must have at least 2 rows and columns; give it to another method with a Partition", p.Path, shape)
		}
	}
	if err := c.join(); err != nil {
		panic(err)
	}
	return nil
}

// Update implements Transform.
func (w ScaleBySWAN) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	out, _ := w.chain().Update(s, updates, nil)
	return each(out, func(_ int, u *graph.Node) *graph.Node {
		return scale(u, s.Hyper("alpha", or(w.Alpha, 0.4), u.DType()))
	}), nil
}

// Validate implements Transform.
func (w ScaleBySWAN) Validate() error {
	c := check("ScaleBySWAN")
	c.positive("Alpha", or(w.Alpha, 0.4))
	c.errs = append(c.errs, w.chain().Validate())
	return c.join()
}

// SWAN gives the weight matrices of a network's blocks (see [BlockMatrices]) to [ScaleBySWAN], queries, keys and values
// that are stored as one matrix as three, and all else to Adam. State: none for those matrices, Adam's for the rest. It
// needs a falling rate. Without any such matrix it is Adam. With weight decay, a schedule, other values or other labels:
//
//	optim.Chain{
//		optim.Partition{
//			{Name: "swan", Where: optim.BlockMatrices, Transform: optim.ScaleBySWAN{Alpha: 0.05}},
//			{Name: "adam", Transform: optim.ScaleByAdam{}},
//		},
//		optim.AddDecayedWeights{Decay: 0.01},
//		optim.ScaleByLearningRate{Rate: 0.02, Schedule: optim.WarmUpCosine(1000, 10000, 0.1)},
//	}
//
// Source: Ma et al. (2025), SWAN; the output head stays with Adam as in Gong et al. (2025), Alice.
func SWAN(rate float64) Chain {
	return ready(rate, Partition{
		{Name: "swan", Where: BlockMatrices, Transform: SplitOutputs{Where: ByPath("qkv_proj/weights"), Parts: 3, Inner: ScaleBySWAN{}}},
		{Name: "adam", Transform: ScaleByAdam{}},
	}.orOnly())
}
