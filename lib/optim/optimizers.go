package optim

// Ready optimizers: chains with their papers' defaults that end in the learning rate. For other values write the chain:
//
//	optim.Chain{optim.ScaleByAdam{Beta1: 0.95}, optim.ScaleByLearningRate{Rate: 1e-3}}

func ready(rate float64, parts ...Transform) Chain {
	return append(Chain(parts), ScaleByLearningRate{Rate: rate})
}

// SGD is θ ← θ − rate·g. No decay of the rate, unlike GoMLX's. State: none.
func SGD(rate float64) Chain { return ready(rate, Keep{}) }

// Momentum is SGD with Polyak's momentum: b ← momentum·b + g, θ ← θ − rate·b.
func Momentum(rate, momentum float64) Chain { return ready(rate, Trace{Momentum: explicit(momentum)}) }

// Nesterov is SGD with Nesterov's momentum: b ← momentum·b + g, θ ← θ − rate·(g + momentum·b).
func Nesterov(rate, momentum float64) Chain {
	return ready(rate, Trace{Momentum: explicit(momentum), Nesterov: true})
}

// explicit keeps an argument of 0 from meaning a default.
func explicit(v float64) float64 {
	if v == 0 {
		return Zero
	}
	return v
}

// AdaGrad divides by the root of the sum of squares; see [ScaleByAdaGrad].
func AdaGrad(rate float64) Chain { return ready(rate, ScaleByAdaGrad{}) }

// AdaDelta has rate 1 in its paper; see [ScaleByAdaDelta].
func AdaDelta(rate float64) Chain { return ready(rate, ScaleByAdaDelta{}) }

// RMSProp is with PyTorch's constants; see [ScaleByRMS].
func RMSProp(rate float64) Chain { return ready(rate, ScaleByRMS{}) }

// CenteredRMSProp divides by the standard deviation instead of the root mean square; see [ScaleByRMS].
func CenteredRMSProp(rate float64) Chain { return ready(rate, ScaleByRMS{Centered: true}) }

// Adam is with β = (0.9, 0.999), ε = 1e-8; see [ScaleByAdam].
func Adam(rate float64) Chain { return ready(rate, ScaleByAdam{}) }

// AMSGrad never lets the denominator fall; see [ScaleByAMSGrad].
func AMSGrad(rate float64) Chain { return ready(rate, ScaleByAMSGrad{}) }

// AdamW is Adam with decoupled weight decay, which the learning rate scales: θ ← θ − rate·(direction + decay·θ). PyTorch's
// default decay is 0.01, optax's 1e-4.
func AdamW(rate, decay float64) Chain {
	return ready(rate, ScaleByAdam{}, AddDecayedWeights{Decay: decay})
}

// NAdam is Adam with Nesterov's look-ahead; see [ScaleByAdam].Nesterov.
func NAdam(rate float64) Chain { return ready(rate, ScaleByAdam{Nesterov: true}) }

// RAdam is Adam with a rectified start; see [ScaleByRAdam].
func RAdam(rate float64) Chain { return ready(rate, ScaleByRAdam{}) }

// Lion steps by signs, with decoupled weight decay; see [ScaleByLion].
func Lion(rate, decay float64) Chain {
	return ready(rate, ScaleByLion{}, AddDecayedWeights{Decay: decay})
}

// SignSGD steps by the gradient's signs; see [ScaleBySign].
func SignSGD(rate float64) Chain { return ready(rate, ScaleBySign{}) }

// Adafactor is Adam in the memory of rows and columns: factored second moment, updates clipped to a root mean square of
// 1, steps relative to the parameters' size. rate is the relative step, the paper's ρ: 1e-2 at most.
func Adafactor(rate float64) Chain {
	return ready(rate, ScaleByFactoredRMS{}, ClipByBlockRMS{}, ScaleByParamRMS{})
}

// Muon orthogonalizes the momentum of matrices and gives all other parameters to NAdam, as optax does. Embeddings and
// output heads are matrices too: give them to Adam with a [Partition] of your own where that matters.
func Muon(rate float64) Chain {
	return ready(rate, Partition{
		{Name: "matrices", Where: Matrices, Transform: Chain{ScaleByMuon{}, ScaleByAspect{}}},
		{Name: "rest", Transform: ScaleByAdam{Nesterov: true}},
	}.orOnly())
}

// orOnly makes a partition forgiving: a group that gets no parameter is no error. It is for ready optimizers, which
// cannot know the model.
func (p Partition) orOnly() Transform { return forgiving{p} }

// DiffGrad is Adam's step times a friction coefficient, with the reference's defaults; see [ScaleByDiffGrad].
func DiffGrad(rate float64) Chain { return ready(rate, ScaleByDiffGrad{Placement: EpsUncorrected}) }
