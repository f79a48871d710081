package optim

import (
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Columns chooses ⌊ρ·inputs⌋ random inputs of each matrix: the paper's columns, the rows of the stored array.
type Columns struct{}

// Rows chooses ⌊ρ·outputs⌋ random outputs of each matrix: the paper's rows, the columns of the stored array.
type Rows struct{}

// RandPerm chooses round(ρ·d) random inputs or outputs of each matrix, whichever are fewer, d; inputs where they are as
// many. It is [RandomProjection] to rows of a random permutation matrix.
type RandPerm struct{}

// RandomCoordinates chooses ⌊ρ·entries⌋ random entries of each tensor, of any shape. Drawing them sorts the tensor's entries
// in random order at each step, some log₂ of their number times the cost of a pass.
type RandomCoordinates struct{}

var (
	_ Selector = Columns{}
	_ Selector = Rows{}
	_ Selector = RandPerm{}
	_ Selector = RandomCoordinates{}
)

func (Columns) String() string           { return "columns" }
func (Rows) String() string              { return "rows" }
func (RandPerm) String() string          { return "randperm" }
func (RandomCoordinates) String() string { return "randk" }

func (Columns) validate() error           { return nil }
func (Rows) validate() error              { return nil }
func (RandPerm) validate() error          { return nil }
func (RandomCoordinates) validate() error { return nil }

func (c Columns) split(params []Param, density float64, seed int64) splitter {
	mustBeMatrices(c, params)
	out := indexed{seed: seed}
	for _, p := range params {
		out.add(p, 0, whole(p.Shape().Dim(0), density))
	}
	return out
}

func (r Rows) split(params []Param, density float64, seed int64) splitter {
	mustBeMatrices(r, params)
	out := indexed{seed: seed}
	for _, p := range params {
		out.add(p, 1, whole(p.Shape().Dim(1), density))
	}
	return out
}

func (r RandPerm) split(params []Param, density float64, seed int64) splitter {
	mustBeMatrices(r, params)
	out := indexed{seed: seed}
	for _, p := range params {
		axis := shorter(p)
		out.add(p, axis, rounded(p.Shape().Dim(axis), density))
	}
	return out
}

func (RandomCoordinates) split(params []Param, density float64, seed int64) splitter {
	out := indexed{seed: seed}
	for _, p := range params {
		out.add(p, everything, whole(p.Shape().Size(), density))
	}
	return out
}

// mustBeMatrices panics with the names of the projectable tensors that are none.
func mustBeMatrices(s Selector, params []Param) {
	c := check("ScaleByFrugal")
	for _, p := range params {
		if !Matrices(p) {
			c.add("parameter %q is %s, must be a matrix for the selector %s; leave it out with Where", p.Path, p.Shape(), s)
		}
	}
	if err := c.join(); err != nil {
		panic(err)
	}
}

// shorter is the axis with fewer entries, that of the inputs where both are equal: "right" of an outputs × inputs matrix
// with at least as many outputs, else "left".
func shorter(p Param) int {
	if p.Shape().Dim(1) >= p.Shape().Dim(0) {
		return 0
	}
	return 1
}

// everything in place of an axis means all entries in one row.
const everything = -1

// indexed is a random choice of places along one axis of each tensor.
type indexed struct {
	forgetful
	seed int64
	cuts []cut
}

// cut is the axis of one parameter along which r of size places are taken. Tensors with r = 0 have no low part.
type cut struct {
	param         Param
	axis, size, r int
}

func (x *indexed) add(p Param, axis, r int) {
	c := cut{param: p, axis: axis, r: r, size: p.Shape().Size()}
	if axis >= 0 {
		c.size = p.Shape().Dim(axis)
	}
	x.cuts = append(x.cuts, c)
}

// part is the shape of what is taken.
func (c cut) part() part {
	dims := append([]int(nil), c.param.Value.Shape().Dimensions...)
	if c.axis == everything {
		dims = append(dims[:c.param.Lead:c.param.Lead], c.r)
	} else {
		dims[c.param.Lead+c.axis] = c.r
	}
	return part{c.param.Path, c.param.Lead, shapes.Make(c.param.Value.DType(), dims...)}
}

func partsOf(cuts []cut) (out []part) {
	for _, c := range cuts {
		if c.r > 0 {
			out = append(out, c.part())
		}
	}
	return out
}

func (x indexed) parts() []part { return partsOf(x.cuts) }

func (x indexed) choose(c clock, _, _ []*graph.Node) choice { return x.draw(c, nil) }

func (x indexed) before(c clock, now choice, _ []*graph.Node) choice {
	if len(now) == 0 {
		return nil
	}
	return x.draw(c.earlier(), now[len(now)-1])
}

// draw finds the places of each low part: those of the smallest of random numbers.
func (x indexed) draw(c clock, earlier *graph.Node) choice {
	var paths []string
	var sizes, kept []int
	for _, cut := range x.cuts {
		if cut.r > 0 {
			paths, sizes, kept = append(paths, cut.param.Path), append(sizes, cut.size), append(kept, cut.r)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	var out choice
	for i, words := range scan.Words(x.seed, c.number, paths, sizes) {
		_, earlier = graph.BottomK(after(words, earlier), kept[i], 0)
		out = append(out, earlier)
	}
	return out
}

func (x indexed) down(c choice, tensors []*graph.Node) []*graph.Node {
	var out []*graph.Node
	for i, cut := range x.cuts {
		if cut.r == 0 {
			continue
		}
		t, axis := tensors[i], cut.axis
		if axis == everything {
			dims := slices.Concat(t.Shape().Dimensions[:cut.param.Lead], []int{cut.size})
			t, axis = graph.Reshape(t, dims...), 0
		}
		out = append(out, take(t, c[len(out)], cut.param.Lead+axis))
	}
	return out
}

func (x indexed) up(c choice, low []*graph.Node) []*graph.Node {
	out := make([]*graph.Node, len(x.cuts))
	next := 0
	for i, cut := range x.cuts {
		shape := cut.param.Value.Shape()
		if cut.r == 0 {
			out[i] = graph.Zeros(cut.param.Value.Graph(), shape)
			continue
		}
		full := spread(low[next], c[next], cut.param.Lead+max(cut.axis, 0), cut.size, true)
		out[i] = graph.Reshape(full, shape.Dimensions...)
		next++
	}
	return out
}

func (x indexed) move(from, to choice, low []*graph.Node, _ bool) []*graph.Node {
	return x.down(to, x.up(from, low))
}
