package scan

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Repeat is a loop within a step: it runs body on the changing values as long as goOn, a boolean scalar, holds, at most a
// number of times, and returns their last values. body says, too, whether to go on. Whatever else it needs, its numbers
// included, comes in as constants: a loop of GoMLX cannot see values from outside, among which are all the scalars that the
// graph has made before. Use Einsum for sums and broadcasts in body, with operands of at least one axis: go-xla cannot share
// reductions with the graph around, and the pure-Go backend loses broadcasts.
func Repeat(goOn *graph.Node, most int, changing, constants []*graph.Node,
	body func(changing, constants []*graph.Node) (goOn *graph.Node, next []*graph.Node)) []*graph.Node {
	g := goOn.Graph()
	all := []*graph.Node{goOn, graph.Const(g, []int32{int32(most)}), graph.Const(g, []int32{1}), graph.Const(g, []int32{0})}
	all = append(append(all, changing...), constants...)
	closure := func(kind string, f func(v []*graph.Node) []*graph.Node) *graph.Function {
		return graph.NewClosure(g, func(g *graph.Graph) []*graph.Node {
			v := make([]*graph.Node, len(all))
			for i, x := range all {
				v[i] = graph.Parameter(g, fmt.Sprintf("%s_%d", kind, i), x.Shape())
			}
			return f(v)
		})
	}
	out := graph.While(closure("cond", func(v []*graph.Node) []*graph.Node {
		return []*graph.Node{graph.LogicalAnd(v[0], graph.Reshape(graph.GreaterThan(v[1], v[3])))}
	}), closure("body", func(v []*graph.Node) []*graph.Node {
		n := 4 + len(changing)
		again, next := body(v[4:n:n], v[n:])
		v[0], v[1] = again, graph.Sub(v[1], v[2])
		copy(v[4:], next)
		return v
	}), all...)
	return out[4 : 4+len(changing)]
}
