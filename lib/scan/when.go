package scan

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
)

// When is f's values in steps where now, a boolean scalar, holds, and otherwise those given, which must have the same
// shapes and types: what is wanted rarely costs nothing in the other steps. f gets args in a graph of its own and cannot
// use other nodes of the step. Gradients stop here. Outside of a [Loop], and by the pure-Go backend, whose loops lose values,
// f is computed in all steps and its values are picked.
func When(now *graph.Node, args, otherwise []*graph.Node, f func(args []*graph.Node) []*graph.Node) []*graph.Node {
	g := now.Graph()
	b, inStep := g.Backend().(stepBackend)
	if !inStep || !separate(b.fn.Builder()) {
		out := f(args)
		if len(out) != len(otherwise) {
			panic(fmt.Errorf("scan: When: f returns %d values, must return %d, as there are otherwise", len(out), len(otherwise)))
		}
		for i, x := range out {
			if want := otherwise[i].Shape(); !x.Shape().Equal(want) {
				panic(fmt.Errorf("scan: When: value %d of f is %s, must be %s, as it is otherwise", i, x.Shape(), want))
			}
			out[i] = graph.StopGradient(graph.Where(graph.BroadcastToShape(now, x.Shape()), x, otherwise[i]))
		}
		return out
	}
	arg, result := func(i int) string { return fmt.Sprint("arg", i) }, func(i int) string { return fmt.Sprint("result", i) }
	in := values{"now": b.fn.value(now)}
	for i, x := range args {
		in[arg(i)] = b.fn.value(x)
	}
	for i, x := range otherwise {
		in[result(i)] = b.fn.value(x)
	}
	// A loop of at most one round: a conditional cannot be given values, and go-xla does not let it use those around it.
	loop := ops{b.fn.Function}.while("", in, func(_ ops, v values) compute.Value { return v["now"] }, func(o ops, v values) {
		out := must(buildInto(b.Backend, o.Function, "when", v, func(g *graph.Graph) []*graph.Node {
			own := make([]*graph.Node, len(args))
			for i, x := range args {
				own[i] = graph.Parameter(g, arg(i), x.Shape())
			}
			return f(own)
		}))
		for i, x := range out {
			v[result(i)] = x
		}
		v["now"] = must(o.Constant([]bool{false}))
	})
	separate(b.fn.Builder())
	out := make([]*graph.Node, len(otherwise))
	for i, x := range otherwise {
		out[i] = b.fn.node(g, loop[result(i)], x)
	}
	return out
}
