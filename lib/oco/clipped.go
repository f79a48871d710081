package oco

import (
	"errors"

	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Clipped lets a rule see gradients shortened to a length: the usual cure for heavy tails, at the price of a bias and of a
// number to tune. For noise with a finite p-th moment the level grows like T^{1/p}.
type Clipped struct {
	Rule  Rule    // required
	Level float64 // longest gradient the rule sees; above 0. Runs of one simulation may differ in it
}

var _ Rule = Clipped{}

// Start returns a fresh learner.
func (c Clipped) Start(dim int) (Learner, error) {
	if c.Rule == nil {
		return nil, errors.New("oco: Clipped: Rule is nil, must be a rule, e.g. MirrorDescent")
	}
	if err := above0("Clipped", "Level", c.Level); err != nil {
		return nil, err
	}
	inner, err := c.Rule.Start(dim)
	if err != nil {
		return nil, err
	}
	return &clipped{Learner: inner, level: c.Level, gradient: make([]float64, dim)}, nil
}

type clipped struct {
	Learner
	level    float64
	gradient []float64
}

var _ Learner = (*clipped)(nil)

// Learn takes g_t.
func (c *clipped) Learn(g []float64) error {
	if norm := floats.Norm(g, 2); norm > c.level && len(g) == len(c.gradient) && finite(g) { // what is wrong with g is the rule's to say
		floats.ScaleTo(c.gradient, c.level/norm, g)
		g = c.gradient
	}
	return c.Learner.Learn(g)
}

// Numbers are the level and then the rule's.
func (c Clipped) Numbers() []float64 {
	if c.Rule == nil { // Start says so
		return nil
	}
	return append([]float64{c.Level}, c.Rule.Numbers()...)
}

// Memory is the rule's.
func (c Clipped) Memory(dim int) scan.Vars { return c.Rule.Memory(dim) }

func (c Clipped) inner(r *Round) *Round { return &Round{step: r.step, numbers: r.numbers[1:]} }

// ActNode is the rule's.
func (c Clipped) ActNode(r *Round) *graph.Node { return c.Rule.ActNode(c.inner(r)) }

// LearnNode takes g_t.
func (c Clipped) LearnNode(r *Round, g *graph.Node) {
	level := r.Numbers()[0]
	c.Rule.LearnNode(c.inner(r), graph.Mul(g, graph.Div(level, graph.Max(norm2(g), level))))
}
