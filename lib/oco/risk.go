package oco

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Sampled is an objective that is a mean over examples: the oracle of a [Stochastic] problem answers with the gradient of one,
// drawn anew in each round.
type Sampled interface {
	Objective
	// Sample writes the gradient of a random example's loss at x to dst. It does not allocate.
	Sample(dst, x []float64, rng *rand.Rand)
	SampleNode(s *scan.Step, x *graph.Node) *graph.Node // [runs, dim] → [runs, dim], an example for each run
}

// LogisticRisk is the mean of logistic losses, f(w) = (1/n)Σ log(1 + exp(−yᵢ⟨aᵢ, w⟩)).
type LogisticRisk struct {
	Data *Logistic // at least one example, labels −1 and +1
}

var _ Sampled = LogisticRisk{}

// Dim is the number of features.
func (l LogisticRisk) Dim() int { return l.Data.Dim() }

// Value is f(w).
func (l LogisticRisk) Value(w []float64) float64 { return l.Data.value(w) / float64(l.Data.Rounds()) }

// add takes example i's gradient, times a weight, into dst.
func (l LogisticRisk) add(dst, w []float64, i int, weight float64) {
	a, y := l.Data.A.RawRowView(i), l.Data.Y[i]
	floats.AddScaled(dst, -weight*y*sigmoid(-y*floats.Dot(a, w)), a)
}

// Subgradient is the mean of all examples' gradients.
func (l LogisticRisk) Subgradient(dst, w []float64) {
	clear(dst)
	for i := range l.Data.Y {
		l.add(dst, w, i, 1/float64(l.Data.Rounds()))
	}
}

// Sample is one example's gradient.
func (l LogisticRisk) Sample(dst, w []float64, rng *rand.Rand) {
	clear(dst)
	l.add(dst, w, rng.IntN(l.Data.Rounds()), 1)
}

// signed are the examples times their labels, [n, dim].
func (l LogisticRisk) signed(g *graph.Graph) *graph.Node {
	rows := make([][]float64, l.Data.Rounds())
	for i, y := range l.Data.Y {
		rows[i] = floats.ScaleTo(make([]float64, l.Dim()), y, l.Data.A.RawRowView(i))
	}
	return graph.Const(g, rows)
}

// ValueNode is Value in a graph.
func (l LogisticRisk) ValueNode(w *graph.Node) *graph.Node {
	z := graph.Neg(graph.Einsum("rd,nd->rn", w, l.signed(w.Graph())))
	return graph.ReduceMean(graph.Add(graph.MaxScalar(z, 0), graph.Log1p(graph.Exp(graph.Neg(graph.Abs(z))))), 1)
}

// SubgradientNode is Subgradient in a graph.
func (l LogisticRisk) SubgradientNode(w *graph.Node) *graph.Node {
	a := l.signed(w.Graph())
	p := graph.Sigmoid(graph.Neg(graph.Einsum("rd,nd->rn", w, a)))
	return graph.MulScalar(graph.Einsum("rn,nd->rd", p, a), -1/float64(l.Data.Rounds()))
}

// SampleNode is Sample in a graph.
func (l LogisticRisk) SampleNode(s *scan.Step, w *graph.Node) *graph.Node {
	drawn := s.Integers(l.Data.Rounds(), w.Shape().Dim(0), 1)
	a := graph.Gather(l.signed(w.Graph()), drawn)
	z := graph.ReduceAndKeep(graph.Mul(a, w), graph.ReduceSum, 1)
	return graph.Neg(graph.Mul(a, graph.Sigmoid(graph.Neg(z))))
}

// Validate wants examples with labels −1 and +1 and finite features.
func (l LogisticRisk) Validate() error {
	if l.Data == nil || l.Data.A == nil || len(l.Data.Y) == 0 {
		return errors.New("oco: LogisticRisk: Data is empty, must hold at least one example")
	}
	if rows, _ := l.Data.A.Dims(); rows != len(l.Data.Y) {
		return errors.New("oco: LogisticRisk: Data must have as many labels as examples")
	}
	for _, y := range l.Data.Y {
		if math.Abs(y) != 1 {
			return errors.New("oco: LogisticRisk: labels must be -1 or +1")
		}
	}
	if !finite(l.Data.A.RawMatrix().Data) {
		return errors.New("oco: LogisticRisk: features must be finite")
	}
	return nil
}
