package optim

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Selector says which part of the projectable parameters [ScaleByFrugal] optimizes with a state. A matrix is stored inputs ×
// outputs here, as in GoMLX; papers and PyTorch write it outputs × inputs.
//
//	| selector            | the low part of an in×out matrix at density ρ                   | remembers        |
//	|---------------------|-----------------------------------------------------------------|------------------|
//	| [Blocks]            | whole tensors, round(ρ·tensors) of them                         | nothing          |
//	| [Columns]           | ⌊ρ·in⌋ random inputs, the paper's columns                       | nothing          |
//	| [Rows]              | ⌊ρ·out⌋ random outputs, the paper's rows                        | nothing          |
//	| [RandPerm]          | round(ρ·d) random inputs or outputs, d the fewer                | nothing          |
//	| [RandomCoordinates] | ⌊ρ·in·out⌋ random entries                                       | nothing          |
//	| [SVD]               | the leading singular directions on the side of d, round(ρ·d)    | d·round(ρ·d)     |
//	| [RandomProjection]  | as many random directions there                                 | d·round(ρ·d)     |
//
// A random choice of indices is not remembered but drawn again at each step from the number of its selection.
type Selector interface {
	fmt.Stringer
	validate() error
	// split prepares the selector for projectable parameters.
	split(params []Param, density float64, seed int64) splitter
}

// choice is what a selector chose: tensors that only it understands.
type choice []*graph.Node

// splitter is the projection P of a list of parameters and its adjoint.
type splitter interface {
	// parts are the low parts; none where the density leaves nothing.
	parts() []part
	// memory is what must last from step to step, before the first.
	memory(g *graph.Graph) State
	// choose returns the selection that holds at this step.
	choose(c clock, gradients, memory []*graph.Node) choice
	// before returns the selection before now, at a step of a new one.
	before(c clock, now choice, memory []*graph.Node) choice
	// keep returns the memory after the step.
	keep(now choice) []*graph.Node
	// down is P: from the parameters' shapes to the parts'.
	down(c choice, tensors []*graph.Node) []*graph.Node
	// up is its adjoint, with zeros outside.
	up(c choice, low []*graph.Node) []*graph.Node
	// move is down(to, up(from, low)), with the squares of its coefficients for averages of squares.
	move(from, to choice, low []*graph.Node, squares bool) []*graph.Node
}

// forgetful is embedded by splitters whose choice is a function of its number.
type forgetful struct{}

func (forgetful) memory(*graph.Graph) State { return nil }

func (forgetful) keep(choice) []*graph.Node { return nil }

// earlier is the clock of the selection before.
func (c clock) earlier() clock {
	c.number = graph.Max(graph.AddScalar(c.number, -1), graph.ZerosLike(c.number))
	return c
}

// toFront moves an axis to the front, where Gather and Scatter work.
func toFront(x *graph.Node, axis int) *graph.Node {
	if axis == 0 {
		return x
	}
	order := []int{axis}
	for a := range x.Rank() {
		if a != axis {
			order = append(order, a)
		}
	}
	return graph.TransposeAllAxes(x, order...)
}

// fromFront moves it back.
func fromFront(x *graph.Node, axis int) *graph.Node {
	if axis == 0 {
		return x
	}
	order := make([]int, 0, x.Rank())
	for a := 1; a <= axis; a++ {
		order = append(order, a)
	}
	order = append(order, 0)
	for a := axis + 1; a < x.Rank(); a++ {
		order = append(order, a)
	}
	return graph.TransposeAllAxes(x, order...)
}

// take gathers the rows of an axis.
func take(x, rows *graph.Node, axis int) *graph.Node {
	return fromFront(graph.Gather(toFront(x, axis), graph.InsertAxes(rows, -1)), axis)
}

// spread scatters them back into zeros, adding up where several go to one row, which is allowed where unique is false.
func spread(x, rows *graph.Node, axis, size int, unique bool) *graph.Node {
	front := toFront(x, axis)
	shape := front.Shape().Clone()
	shape.Dimensions[0] = size
	return fromFront(graph.Scatter(graph.InsertAxes(rows, -1), front, shape, false, unique), axis)
}
