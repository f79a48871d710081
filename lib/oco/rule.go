package oco

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Learner is a [Rule] at work, a round at a time: Act returns the point x_t to play, Learn takes the gradient g_t of the
// round's loss there. Neither allocates. The point belongs to the learner and is good until the next call.
type Learner = online.Learner[online.None, []float64, []float64]

// Rule is an online learner as plain data. One algorithm has two engines that give the same points to rounding: Start makes
// a [Learner] for a program that sees one round at a time, [Simulate] compiles whole horizons of many runs.
type Rule interface {
	// Start returns a fresh learner of points with dim entries, or what is wrong with the rule's fields.
	Start(dim int) (Learner, error)
	// Numbers are the hyper-parameters that may differ between the runs of one simulation, always as many and in the same
	// order. All else must be the same in all of them.
	Numbers() []float64
	// Memory returns what a run remembers before its first round: one tensor of float64 a name, without an axis of runs.
	Memory(dim int) scan.Vars
	// ActNode and LearnNode are the two verbs in a graph, for all runs at once: points and gradients are shaped [runs, dim].
	ActNode(r *Round) *graph.Node
	LearnNode(r *Round, gradient *graph.Node)
}

// BoundedRule is a Rule whose compiled runs know the bound that its Learner has as an [online.Bounded].
type BoundedRule interface {
	Rule
	// BoundNode is the bound after LearnNode, shaped [runs, 1]; nil: none is known for these fields.
	BoundNode(r *Round) *graph.Node
}

// Round is what a [Rule] sees of a compiled round. Its methods build graph nodes.
type Round struct {
	step    *scan.Step
	numbers []*graph.Node
}

const memory = "rule/" // before the names of a rule's tensors in the state

// Get what the runs remember under a name of [Rule].Memory: with a leading axis of runs.
func (r *Round) Get(name string) *graph.Node { return r.step.Get(memory + name) }

// Set what they remember from now on.
func (r *Round) Set(name string, value *graph.Node) { r.step.Set(memory+name, value) }

// Numbers are the runs' [Rule].Numbers, each shaped [runs, 1].
func (r *Round) Numbers() []*graph.Node { return r.numbers }

// Count is the round's number, 1, 2, 3, …: a float64 scalar.
func (r *Round) Count() *graph.Node { return graph.ConvertDType(r.step.Count(), float64Type) }
