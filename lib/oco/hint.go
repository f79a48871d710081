package oco

import "github.com/gomlx/gomlx/core/graph"

// Hint guesses the next gradient, M_{t+1}, for an optimistic method. The first guess, M_1, is always 0.
type Hint interface {
	// Guess turns M_t into M_{t+1} in place, having seen g_t.
	Guess(hint, gradient []float64, round int)
	// GuessNode is Guess in a graph: hint and gradient are shaped [runs, dim], round is a scalar.
	GuessNode(hint, gradient, round *graph.Node) *graph.Node
}

// NoHint guesses 0: the method is the plain one.
type NoHint struct{}

// LastGradient guesses that the next gradient is the last one: M_{t+1} = g_t, the old gradient at the old point.
//
// Source: Rakhlin, Sridharan (2013), Online learning with predictable sequences.
type LastGradient struct{}

// MeanGradient guesses the mean of all gradients so far: M_{t+1} = (1/t) Σ_{s≤t} g_s.
//
// Source: Hazan, Kale (2010), Extracting certainty from uncertainty: regret bounded by variation in costs.
type MeanGradient struct{}

var (
	_ Hint = NoHint{}
	_ Hint = LastGradient{}
	_ Hint = MeanGradient{}
)

// Guess leaves the hint at 0.
func (NoHint) Guess([]float64, []float64, int) {}

// GuessNode leaves the hint at 0.
func (NoHint) GuessNode(hint, _, _ *graph.Node) *graph.Node { return hint }

// Guess copies the gradient.
func (LastGradient) Guess(hint, gradient []float64, _ int) { copy(hint, gradient) }

// GuessNode is the gradient.
func (LastGradient) GuessNode(_, gradient, _ *graph.Node) *graph.Node { return gradient }

// Guess updates the mean.
func (MeanGradient) Guess(hint, gradient []float64, round int) {
	for i, g := range gradient {
		hint[i] += (g - hint[i]) / float64(round)
	}
}

// GuessNode updates the mean.
func (MeanGradient) GuessNode(hint, gradient, round *graph.Node) *graph.Node {
	return graph.Add(hint, graph.Div(graph.Sub(gradient, hint), round))
}
