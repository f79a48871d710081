package optim

import "github.com/gomlx/gomlx/core/graph"

// Clip limits every entry to [−Max, Max]; NaN stays NaN. Hyper-parameter: "max_value".
type Clip struct {
	stateless
	Max float64 // above 0
}

var _ Transform = Clip{}

// Update implements Transform.
func (c Clip) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(_ int, u *graph.Node) *graph.Node {
		limit := graph.BroadcastToDims(along(s.Hyper("max_value", c.Max, u.DType()), u), u.Shape().Dimensions...)
		// By comparisons: XLA's Min and Max on the CPU would take the limit for a NaN.
		u = graph.Where(graph.GreaterThan(u, limit), limit, u)
		return graph.Where(graph.LessThan(u, graph.Neg(limit)), graph.Neg(limit), u)
	}), nil
}

// Validate implements Transform.
func (c Clip) Validate() error {
	k := check("Clip")
	k.positive("Max", c.Max)
	return k.join()
}

// ClipByGlobalNorm scales all updates of a run by one factor so that their joint Euclidean norm is at most MaxNorm.
// Shorter ones pass unchanged. Hyper-parameter: "max_norm".
//
// Source: Pascanu, Mikolov, Bengio (2013), On the Difficulty of Training Recurrent Neural Networks, Algorithm 1.
type ClipByGlobalNorm struct {
	stateless
	MaxNorm float64 // above 0
}

var _ Transform = ClipByGlobalNorm{}

// Update implements Transform.
func (c ClipByGlobalNorm) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	norm := GlobalNorm(s.Params, updates)
	limit := s.Hyper("max_norm", c.MaxNorm, norm.DType())
	// A norm of zero passes: the maximum keeps the quotient finite. A norm of NaN gives NaN: nothing hides it.
	shrinkBy := graph.Div(limit, graph.Max(norm, limit))
	return each(updates, func(_ int, u *graph.Node) *graph.Node {
		return scale(u, graph.ConvertDType(shrinkBy, u.DType()))
	}), nil
}

// Validate implements Transform.
func (c ClipByGlobalNorm) Validate() error {
	k := check("ClipByGlobalNorm")
	k.positive("MaxNorm", c.MaxNorm)
	return k.join()
}

// GlobalNorm is the Euclidean norm of all updates of a run together: a scalar, or one value a run. It is taken in float32
// at least.
func GlobalNorm(params []Param, updates []*graph.Node) *graph.Node {
	var sum *graph.Node
	for i, u := range updates {
		part := params[i].reduce(graph.Square(accumulated(u)))
		if sum == nil {
			sum = part
			continue
		}
		if sum.DType() != part.DType() {
			part = graph.ConvertDType(part, sum.DType())
		}
		sum = graph.Add(sum, part)
	}
	return graph.Sqrt(sum)
}
