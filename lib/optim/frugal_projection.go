package optim

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// SVD projects each matrix onto the leading singular vectors of its gradient at the selection, on the side of the fewer of
// inputs and outputs, d; inputs where they are as many. It takes round(ρ·d) of them, and remembers d·round(ρ·d) numbers.
//
// The vectors are found in the graph, in float64, as the eigenvectors of the d×d matrix of products of the gradient, at the
// steps of a selection only: O(d³) operations.
type SVD struct {
	// MinRank is the least rank where the density is not 0, at least 0. Default 0: a small matrix may have no low part.
	MinRank int
}

// RandomProjection projects each matrix onto as many random directions as [SVD]: a semi-orthogonal matrix of the uniform
// distribution.
type RandomProjection struct {
	MinRank int // see SVD
}

var (
	_ Selector = SVD{}
	_ Selector = RandomProjection{}
)

func (SVD) String() string              { return "svd" }
func (RandomProjection) String() string { return "random" }

func (v SVD) validate() error              { return validateRank("SVD", v.MinRank) }
func (r RandomProjection) validate() error { return validateRank("RandomProjection", r.MinRank) }

func validateRank(method string, least int) error {
	c := check(method)
	c.least("MinRank", float64(least), 0)
	return c.join()
}

func (v SVD) split(params []Param, density float64, _ int64) splitter {
	mustBeMatrices(v, params)
	return projected{cuts: shorterCuts(params, density, v.MinRank), frames: leading}
}

func (r RandomProjection) split(params []Param, density float64, seed int64) splitter {
	mustBeMatrices(r, params)
	return projected{cuts: shorterCuts(params, density, r.MinRank), frames: func(c clock, cuts []cut, _ []*graph.Node) []*graph.Node {
		return gaussian(seed, c, cuts)
	}}
}

func shorterCuts(params []Param, density float64, least int) (out []cut) {
	for _, p := range params {
		axis := shorter(p)
		size := p.Shape().Dim(axis)
		r := rounded(size, density)
		if density > 0 {
			r = min(max(r, least), size)
		}
		out = append(out, cut{param: p, axis: axis, size: size, r: r})
	}
	return out
}

// projected is a projection of each matrix onto the rows of a frame: r orthonormal rows of length d, in float64 from frames
// and remembered in the parameter's type.
type projected struct {
	cuts []cut
	// frames returns new ones for the cuts with a low part, [batch, r, d] with a batch of 1 or of all runs.
	frames func(c clock, cuts []cut, gradients []*graph.Node) []*graph.Node
}

func (p projected) parts() []part { return partsOf(p.cuts) }

// used are the cuts with a low part, and what of a list belongs to them.
func (p projected) used(list []*graph.Node) (cuts []cut, own []*graph.Node) {
	for i, c := range p.cuts {
		if c.r > 0 {
			cuts = append(cuts, c)
			if list != nil {
				own = append(own, list[i])
			}
		}
	}
	return cuts, own
}

func (p projected) memory(g *graph.Graph) State {
	var out State
	cuts, _ := p.used(nil)
	for _, c := range cuts {
		dims := slices.Concat(c.param.Value.Shape().Dimensions[:c.param.Lead], []int{c.r, c.size})
		out = append(out, Var{c.param.Path, graph.Zeros(g, shapes.Make(c.param.Value.DType(), dims...))})
	}
	return out
}

func (p projected) choose(c clock, gradients, memory []*graph.Node) choice {
	cuts, own := p.used(gradients)
	fresh := p.frames(c, cuts, own)
	out := make(choice, len(cuts))
	for i, old := range memory {
		frame := graph.ConvertDType(fresh[i], old.DType())
		if cuts[i].param.Lead == 0 {
			frame = graph.Reshape(frame, old.Shape().Dimensions...)
		}
		out[i] = pick(c.now, graph.BroadcastToDims(frame, old.Shape().Dimensions...), old)
	}
	return out
}

func (p projected) before(_ clock, _ choice, memory []*graph.Node) choice { return memory }

func (p projected) keep(now choice) []*graph.Node { return now }

// equations of a projection along an axis, with runs in front or not.
func equation(c cut, up bool) string {
	z := []string{"", "z"}[c.param.Lead]
	low, full := z+"ro", z+"do"
	if c.axis == 1 {
		low, full = z+"ir", z+"id"
	}
	if up {
		return z + "rd," + low + "->" + full
	}
	return z + "rd," + full + "->" + low
}

func (p projected) down(c choice, tensors []*graph.Node) []*graph.Node {
	cuts, own := p.used(tensors)
	return each(own, func(i int, t *graph.Node) *graph.Node { return graph.Einsum(equation(cuts[i], false), c[i], t) })
}

func (p projected) up(c choice, low []*graph.Node) []*graph.Node {
	out := make([]*graph.Node, len(p.cuts))
	next := 0
	for i, cut := range p.cuts {
		if cut.r == 0 {
			out[i] = graph.ZerosLike(cut.param.Value)
			continue
		}
		out[i] = graph.Einsum(equation(cut, true), c[next], low[next])
		next++
	}
	return out
}

func (p projected) move(from, to choice, low []*graph.Node, squares bool) []*graph.Node {
	cuts, _ := p.used(nil)
	return each(low, func(i int, x *graph.Node) *graph.Node {
		z := []string{"", "z"}[cuts[i].param.Lead]
		turn := graph.Einsum(z+"sd,"+z+"rd->"+z+"sr", to[i], from[i])
		if squares {
			turn = graph.Square(turn)
		}
		if cuts[i].axis == 0 {
			return graph.Einsum(z+"sr,"+z+"ro->"+z+"so", turn, x)
		}
		return graph.Einsum(z+"sr,"+z+"ir->"+z+"is", turn, x)
	})
}

// leading are the gradients' leading singular vectors. Matrices of one size are done together.
func leading(c clock, cuts []cut, gradients []*graph.Node) []*graph.Node {
	out := make([]*graph.Node, len(cuts))
	var earlier *graph.Node
	for _, size := range sizes(cuts) {
		var grams []*graph.Node
		for i, cut := range cuts {
			if cut.size == size {
				grams = append(grams, products(cut, gradients[i]))
			}
		}
		values, vectors := eigen(c.now, after(graph.Concatenate(grams, 0), earlier))
		earlier = vectors
		next := 0
		for i, cut := range cuts {
			if cut.size != size {
				continue
			}
			n := grams[0].Shape().Dim(0)
			own := func(x *graph.Node) *graph.Node {
				return graph.Slice(x, graph.AxisRange(next, next+n))
			}
			_, out[i] = ordered(own(values), own(vectors), cut.r)
			next += n
		}
	}
	return out
}

// sizes are the lengths of the projected axes, each once.
func sizes(cuts []cut) (out []int) {
	for _, c := range cuts {
		if !slices.Contains(out, c.size) {
			out = append(out, c.size)
		}
	}
	return out
}

// products of a matrix along an axis with itself, [runs or 1, d, d], in float64.
func products(c cut, g *graph.Node) *graph.Node {
	g = graph.ConvertDType(g, dtypes.Float64)
	if c.param.Lead == 0 {
		g = graph.InsertAxes(g, 0)
	}
	if c.axis == 0 {
		return graph.Einsum("zdo,zeo->zde", g, g)
	}
	return graph.Einsum("zid,zie->zde", g, g)
}

// gaussian frames: normal matrices made orthonormal. Those of one shape are done together.
func gaussian(seed int64, c clock, cuts []cut) []*graph.Node {
	out := make([]*graph.Node, len(cuts))
	var earlier *graph.Node
	for i, first := range cuts {
		if out[i] != nil {
			continue
		}
		var places []int
		var draws []*graph.Node
		for k, cut := range cuts {
			if cut.size == first.size && cut.r == first.r {
				places = append(places, k)
				draws = append(draws, scan.NewStream(seed, c.number, cut.param.Path).Normal(shapes.Make(dtypes.Float64, 1, cut.size, cut.r)))
			}
		}
		earlier = orthonormal(c.now, after(graph.Concatenate(draws, 0), earlier))
		frames := graph.TransposeAllAxes(earlier, 0, 2, 1)
		for n, k := range places {
			out[k] = graph.Slice(frames, graph.AxisRange(n, n+1))
		}
	}
	return out
}
