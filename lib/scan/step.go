package scan

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Step is what the step function sees. Its methods build graph nodes, and panic on misuse, as graph building does.
type Step struct {
	g      *graph.Graph
	count  *graph.Node
	key    *graph.Node
	state  map[string]*graph.Node
	inputs map[string]*graph.Node

	names, inputNames []string // sorted

	traces     map[string]*graph.Node
	traceNames []string // in the order of Trace

	plan    *plan // what the first, trial build found; nil during that build
	windows []window
	indices []*graph.Node // one a window
	draws   int           // random draws so far in this step
	runs    int           // of the loop
}

// Graph the step is built in.
func (s *Step) Graph() *graph.Graph { return s.g }

// Count is the number of the step, 1, 2, 3, …: an int64 scalar.
func (s *Step) Count() *graph.Node { return s.count }

// Names of the state tensors, sorted.
func (s *Step) Names() []string { return slices.Clone(s.names) }

// Has says whether the state has a tensor of that name.
func (s *Step) Has(name string) bool { return s.state[name] != nil }

// HasInput says whether the run has an input of that name.
func (s *Step) HasInput(name string) bool { return s.inputs[name] != nil }

// Get returns a state tensor: as it was after the last step, or as Set in this one.
func (s *Step) Get(name string) *graph.Node {
	n, ok := s.state[name]
	if !ok {
		panic(fmt.Errorf("Get(%q): no such state tensor, %s", name, list(s.names)))
	}
	return n
}

// Set gives a state tensor its value after the step, of the same shape and dtype as before.
func (s *Step) Set(name string, value *graph.Node) {
	old, ok := s.state[name]
	switch {
	case !ok:
		panic(fmt.Errorf("Set(%q): no such state tensor, %s", name, list(s.names)))
	case value == nil:
		panic(fmt.Errorf("Set(%q): the value is nil", name))
	case !value.Shape().Equal(old.Shape()):
		panic(fmt.Errorf("Set(%q): the value is %s, must be %s as before the step", name, value.Shape(), old.Shape()))
	}
	s.state[name] = value
}

// Input returns a constant of the run: a data set or a hyper-parameter. Other values need no other program.
func (s *Step) Input(name string) *graph.Node {
	n, ok := s.inputs[name]
	if !ok {
		panic(fmt.Errorf("Input(%q): no such input, %s", name, list(s.inputNames)))
	}
	return n
}

// Row returns the input's row of this step: row 0 at step 1, row 1 at step 2, …, and again row 0 after the last.
// The result lacks the input's leading axis. It serves streams: the losses of an online learner, say.
func (s *Step) Row(name string) *graph.Node {
	x := s.Input(name)
	if x.Rank() == 0 {
		panic(fmt.Errorf("Row(%q): the input is a scalar, must have a leading axis", name))
	}
	row := graph.Mod(graph.SubScalar(s.count, 1), graph.Scalar(s.g, s.count.DType(), x.Shape().Dim(0)))
	return graph.Gather(x, graph.Reshape(row, 1))
}

// Trace records a value. See [Loop].TraceEvery.
func (s *Step) Trace(name string, value *graph.Node) {
	switch {
	case value == nil:
		panic(fmt.Errorf("Trace(%q): the value is nil", name))
	case s.traces[name] != nil:
		panic(fmt.Errorf("Trace(%q): traced twice in one step", name))
	}
	s.traces[name] = value
	s.traceNames = append(s.traceNames, name)
}

// spec is a named shape.
type spec struct {
	name  string
	shape shapes.Shape
}
