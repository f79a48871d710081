package scan

import (
	"fmt"
	"maps"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// The step's graph is built into a function of a larger program: the main function or a While's body. GoMLX's Graph
// always starts a program of its own and shares cached constants between its closures, which XLA then refuses
// ('operands are not part of the function'). So each step gets its own Graph over a backend that hands out the
// wanted function as the main one. The constants stay inside, and closures of the step (If, While, Sort) nest.

// stepBackend is the backend with a Builder that builds into fn.
type stepBackend struct {
	compute.Backend
	fn *stepFunc
}

func (b stepBackend) Builder(string) compute.Builder {
	return stepBuilder{b.fn.Function.Builder(), b.fn}
}

type stepBuilder struct {
	compute.Builder
	fn *stepFunc
}

func (b stepBuilder) Main() compute.Function { return b.fn }

// Compile does nothing: the program around the step is compiled.
func (b stepBuilder) Compile() (compute.Executable, error) { return nil, nil }

// stepFunc is a function with its parameters given as values and its results kept instead of returned.
type stepFunc struct {
	compute.Function
	params  values
	results []compute.Value
	seen    compute.Value // what Identity was asked of last
}

func (f *stepFunc) Name() string { return compute.MainName }

func (f *stepFunc) Parameter(name string, _ shapes.Shape, _ *compute.ShardingSpec) (compute.Value, error) {
	return f.params[name], nil
}

func (f *stepFunc) Return(results []compute.Value, _ []*compute.ShardingSpec) error {
	f.results = results
	return nil
}

func (f *stepFunc) Identity(x compute.Value) (compute.Value, error) {
	f.seen = x
	return f.Function.Identity(x)
}

// value is what a node stands for in the function: GoMLX does not tell, but asks for a copy of it.
func (f *stepFunc) value(n *graph.Node) compute.Value {
	graph.Identity(n)
	return f.seen
}

// node makes a value of the function a node of the step, of the shape of another.
func (f *stepFunc) node(g *graph.Graph, v compute.Value, like *graph.Node) *graph.Node {
	name := fmt.Sprint("value", len(f.params))
	f.params[name] = v
	return graph.Parameter(g, name, like.Shape())
}

// buildInto builds a graph into the function f of backend b, with the parameters given by name, and returns the values
// of its results.
func buildInto(b compute.Backend, f compute.Function, name string, params values,
	build func(g *graph.Graph) []*graph.Node) ([]compute.Value, error) {
	fn := &stepFunc{Function: f, params: maps.Clone(params)} // node adds its own
	g := graph.NewGraph(stepBackend{b, fn}, name)
	if err := g.Compile(build(g)...); err != nil {
		return nil, err
	}
	return fn.results, nil
}
