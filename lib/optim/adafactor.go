package optim

import (
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// ScaleByFactoredRMS divides by the root of an average of g² that is stored as row and column means: for an m×n tensor
// m+n numbers instead of m·n. Tensors whose second-largest axis is shorter than MinDim keep the full average. The average
// forgets with 1 − t^(−Decay), so it needs no bias correction.
//
// Source: Shazeer, Stern (2018), Adafactor, Algorithms 2 and 4; axes are chosen as in optax: the two largest.
type ScaleByFactoredRMS struct {
	Decay  float64 // exponent in (0, 1]; default 0.8
	MinDim int     // at least 1; default 128
	Eps    float64 // added to g², above 0; default 1e-30
}

var _ Transform = ScaleByFactoredRMS{}

func (f ScaleByFactoredRMS) minDim() int {
	if f.MinDim == 0 {
		return 128
	}
	return f.MinDim
}

// axes are the largest axis of a parameter and the second largest, counted with the leading axis; ok is false where it
// is not factored.
func (f ScaleByFactoredRMS) axes(p Param) (largest, second int, ok bool) {
	own := p.axes()
	if len(own) < 2 {
		return 0, 0, false
	}
	dims := p.Value.Shape().Dimensions
	slices.SortStableFunc(own, func(a, b int) int { return dims[a] - dims[b] })
	largest, second = own[len(own)-1], own[len(own)-2]
	return largest, second, dims[second] >= f.minDim()
}

func without(s shapes.Shape, axis int) shapes.Shape {
	return shapes.Make(s.DType, slices.Delete(slices.Clone(s.Dimensions), axis, axis+1)...)
}

// Init implements Transform.
func (f ScaleByFactoredRMS) Init(params []Param) State {
	var out State
	for _, p := range params {
		g, shape := p.Value.Graph(), p.Value.Shape()
		if largest, second, ok := f.axes(p); ok {
			out = append(out,
				Var{"rows/" + p.Path, graph.Zeros(g, without(shape, largest))},
				Var{"columns/" + p.Path, graph.Zeros(g, without(shape, second))})
		} else {
			out = append(out, Var{"v/" + p.Path, graph.Zeros(g, shape)})
		}
	}
	return out
}

// Update implements Transform.
func (f ScaleByFactoredRMS) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	var after State
	out := each(updates, func(i int, g *graph.Node) *graph.Node {
		forget := graph.PowScalar(graph.ConvertDType(s.Count, g.DType()), -or(f.Decay, 0.8))
		average := func(x *graph.Node) *graph.Node {
			old := state[len(after)]
			x = graph.Add(graph.Mul(old.Value, graph.OneMinus(forget)), graph.Mul(x, forget))
			after = append(after, Var{old.Name, x})
			return x
		}
		squares := graph.AddScalar(graph.Square(g), or(f.Eps, 1e-30))
		largest, second, ok := f.axes(s.Params[i])
		if !ok {
			return graph.Mul(g, graph.Rsqrt(average(squares)))
		}
		rows := average(graph.ReduceMean(squares, largest))
		columns := average(graph.ReduceMean(squares, second))
		axis := second // where the second-largest axis is in rows
		if second > largest {
			axis--
		}
		mean := graph.InsertAxes(graph.ReduceMean(rows, axis), axis)
		u := graph.Mul(g, graph.InsertAxes(graph.Rsqrt(graph.Div(rows, mean)), largest))
		return graph.Mul(u, graph.InsertAxes(graph.Rsqrt(columns), second))
	})
	return out, after
}

// Validate implements Transform.
func (f ScaleByFactoredRMS) Validate() error {
	c := check("ScaleByFactoredRMS")
	c.positive("Decay", or(f.Decay, 0.8))
	c.in("Decay", f.Decay, 0, 1, true)
	if f.MinDim < 0 {
		c.add("MinDim is %d, must be at least 1 (0 means 128)", f.MinDim)
	}
	c.positive("Eps", or(f.Eps, 1e-30))
	return c.join()
}

// ClipByBlockRMS divides each tensor by max(1, rms/Max): the root mean square of its entries is at most Max afterwards.
type ClipByBlockRMS struct {
	stateless
	Max float64 // above 0; default 1
}

var _ Transform = ClipByBlockRMS{}

// Update implements Transform.
func (c ClipByBlockRMS) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(i int, u *graph.Node) *graph.Node {
		return shrink(u, graph.MaxScalar(graph.DivScalar(rms(s.Params[i], u), or(c.Max, 1)), 1))
	}), nil
}

// Validate implements Transform.
func (c ClipByBlockRMS) Validate() error {
	k := check("ClipByBlockRMS")
	k.positive("Max", or(c.Max, 1))
	return k.join()
}

// ScaleByParamRMS multiplies each tensor's update by the root mean square of the tensor itself, at least Min: steps
// relative to the parameters' size.
type ScaleByParamRMS struct {
	stateless
	Min float64 // above 0; default 1e-3
}

var _ Transform = ScaleByParamRMS{}

// Update implements Transform.
func (r ScaleByParamRMS) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(i int, u *graph.Node) *graph.Node {
		return scale(u, graph.MaxScalar(rms(s.Params[i], s.Params[i].Value), or(r.Min, 1e-3)))
	}), nil
}

// Validate implements Transform.
func (r ScaleByParamRMS) Validate() error {
	c := check("ScaleByParamRMS")
	c.positive("Min", or(r.Min, 1e-3))
	return c.join()
}

// Adafactor is Adam in the memory of rows and columns: factored second moment, updates clipped to a root mean square of
// 1, steps relative to the parameters' size. rate is the relative step, the paper's ρ: 1e-2 at most.
func Adafactor(rate float64) Chain {
	return ready(rate, ScaleByFactoredRMS{}, ClipByBlockRMS{}, ScaleByParamRMS{})
}

// rms is the root mean square of one run's tensor.
func rms(p Param, x *graph.Node) *graph.Node {
	return graph.Sqrt(graph.DivScalar(p.reduce(graph.Square(x)), max(1, p.Shape().Size())))
}
