package optim

import (
	"strings"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// TraceFriction is a [Problem].Observe for [ScaleByDiffGrad]: it traces the friction coefficient ξ (of version 0) of each
// step. "friction mean PATH" is its mean over one parameter; "friction mean", "friction min", "friction max" and
// "friction q95" (the 95 % quantile) are over all parameters; "friction first" is how far ξ is at most from its value
// with no previous gradient, AbsSig(g), which it must have at step 1.
func TraceFriction(s *scan.Step, o Observation) {
	var all []*graph.Node
	var first *graph.Node
	for i, p := range o.Params {
		for _, v := range o.Before {
			if !strings.HasSuffix(v.Name, "previous/"+p.Path) {
				continue
			}
			xi := FrictionCoefficient(v.Value, o.Gradients[i], 0)
			all = append(all, graph.Reshape(xi, -1))
			s.Trace("friction mean "+p.Path, graph.ReduceAllMean(xi))
			alone := FrictionCoefficient(graph.ZerosLike(xi), o.Gradients[i], 0)
			off := graph.ReduceAllMax(graph.Abs(graph.Sub(xi, alone)))
			if first == nil {
				first = off
			} else {
				first = graph.Max(first, off)
			}
		}
	}
	if first == nil {
		panic("TraceFriction: the optimizer keeps no previous gradient; it must be diffGrad")
	}
	xi := graph.Concatenate(all, 0)
	s.Trace("friction mean", graph.ReduceAllMean(xi))
	s.Trace("friction min", graph.ReduceAllMin(xi))
	s.Trace("friction max", graph.ReduceAllMax(xi))
	s.Trace("friction q95", graph.Squeeze(graph.Slice(graph.Sort(xi, 0, true), graph.AxisElem(xi.Shape().Size()*95/100))))
	s.Trace("friction first", first)
}
