package optim

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// ScaleByFrugal splits the gradient of each projectable parameter in two orthogonal parts. The one that the Selector chooses
// goes to Full, a rule with a state, and the rest to Free, a rule without; so the update has full rank and the state only
// the part's size. All other parameters go to Full whole.
//
//	g_low = P(g),  g_free = g − P⁻¹(g_low)
//	update = Scale·(P⁻¹(Full(g_low)) + FreeScale·Free(g_free))
//
// P is chosen anew at the steps 1, Gap+1, 2·Gap+1, …, and then History says what becomes of Full's state; it counts its own
// steps from there on with [Reset]. With N parameters in the projectable tensors and M in the others, Adam's moments take
// 2·(M + Density·N) numbers, exactly so where the selector's rounding is exact; see each selector for what it adds.
//
// With Free [Keep] it is SGD on the rest, with [Freeze] the rest is thrown away, as in GaLore and BAdam. Rules other than
// entry by entry see the low parts as their tensors, [Blocks]' as one vector.
//
// Hyper-parameters: "free_scale", "projected_scale", and Full's. Source: Zmushko et al. (2025), FRUGAL: Memory-Efficient
// Optimization by Reducing State Overhead for Scalable Training, Algorithm 1, with the defaults of the reference.
type ScaleByFrugal struct {
	Full     Transform // default ScaleByAdam{}; also ScaleByLion{}, Trace{Average: true} for SGDM
	Free     Transform // without a state; default ScaleBySign{}; also Keep{} for SGD, Freeze{} for none
	Selector Selector  // default Blocks{}
	// Density ρ in [0, 1] is the part of the projectable parameters with a state; default 0.25, none with [Zero].
	Density float64
	Gap     int // T_gap, steps from one selection to the next, at least 1; default 200 (fine-tuning: 500)
	// FreeScale is the step of Free against Full's, at least 0; default 1 for pre-training, none with [Zero]. The paper
	// takes 0.1 for fine-tuning.
	FreeScale float64
	// Scale multiplies both steps of projectable parameters, at least 0; default 1. GaLore has 0.25.
	Scale   float64
	History History // what becomes of Full's state at a new selection; default Reset
	// Where says which parameters are projectable; it is an error that it finds none. nil: [Projectable], or all matrices
	// in a model that has none of those, or nothing.
	Where Mask
	// Floor takes entries of g_free of at most Floor times the largest of |g| for zero, at least 0. A residual that is zero
	// but for rounding would make full steps of Free's signs, where a gradient's rank is below that of a projection: 1e-7
	// prevents it in float32. Default 0: as in the reference.
	Floor float64
	Seed  int64 // of the random selectors: all they choose is a function of it, of the path and of the selection's number
}

// History says what becomes of the state at a new selection.
type History int

const (
	// Reset begins again with Full's first state and a count of 1.
	Reset History = iota
	// KeepState leaves numbers and count as they are, though they belong to other directions now. GaLore does.
	KeepState
	// Reproject takes the old state's component in the new directions, P_new(P_old⁻¹(state)), and the count goes on.
	// What remains selected keeps its state, what is new begins at zero. The paper's text; averages of squares, whose
	// names begin with v, go through the squares of the coefficients, else they could turn negative.
	Reproject
)

var _ Transform = ScaleByFrugal{}

func (f ScaleByFrugal) full() Transform {
	if f.Full == nil {
		return ScaleByAdam{}
	}
	return f.Full
}

func (f ScaleByFrugal) free() Transform {
	if f.Free == nil {
		return ScaleBySign{}
	}
	return f.Free
}

func (f ScaleByFrugal) selector() Selector {
	if f.Selector == nil {
		return Blocks{}
	}
	return f.Selector
}

func (f ScaleByFrugal) gap() int {
	if f.Gap == 0 {
		return 200
	}
	return f.Gap
}

// Projectable is FRUGAL's rule: it chooses the matrices whose path names a linear layer of attention or of an MLP, or one
// of their usual names (q_proj …, of BERT query …). Embeddings, norms, biases and output heads are none.
func Projectable(p Param) bool {
	if !Matrices(p) {
		return false
	}
	for _, name := range []string{"attn", "attention", "mlp", "q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj", "gate_proj",
		"query", "key", "value", "intermediate", "output"} {
		if strings.Contains(p.Path, name) {
			return true
		}
	}
	return false
}

// labels returns the numbers of the projectable and of the other parameters.
func (f ScaleByFrugal) labels(params []Param) (projectable, regular []int) {
	choose := func(where Mask) {
		projectable, regular = nil, nil
		for i, p := range params {
			if where(p) {
				projectable = append(projectable, i)
			} else {
				regular = append(regular, i)
			}
		}
	}
	if f.Where == nil {
		if choose(Projectable); len(projectable) == 0 {
			choose(Matrices)
		}
		return projectable, regular
	}
	if choose(f.Where); len(projectable) == 0 {
		panic(fmt.Errorf("optim: ScaleByFrugal: Where matches no parameter; there are %s", strings.Join(paths(params), ", ")))
	}
	return projectable, regular
}

// ParamLabels says for each path whether [ScaleByFrugal] takes it for "projectable" or "regular"; it needs no backend.
func (f ScaleByFrugal) ParamLabels(params []Param) (labels map[string]string, err error) {
	err = safely("ScaleByFrugal", func() {
		projectable, regular := f.labels(params)
		labels = map[string]string{}
		for _, i := range projectable {
			labels[params[i].Path] = "projectable"
		}
		for _, i := range regular {
			labels[params[i].Path] = "regular"
		}
	})
	return labels, err
}

func picked[T any](all []T, index []int) []T {
	out := make([]T, len(index))
	for i, k := range index {
		out[i] = all[k]
	}
	return out
}

// lowParams are the low parts as parameters, with values of their own or zeros.
func lowParams(parts []part, values []*graph.Node, g *graph.Graph) []Param {
	out := make([]Param, len(parts))
	for i, p := range parts {
		value := graph.Zeros(g, p.shape)
		if values != nil {
			value = values[i]
		}
		out[i] = Param{Path: p.path, Value: value, Lead: p.lead}
	}
	return out
}

const (
	regularPrefix = "regular."
	lowPrefix     = "low."
	choicePrefix  = "choice/"
)

// Init implements Transform. The state of whole parameters is named "regular.m/embed/tokens", that of low parts
// "low.m/block_00/mlp/up_proj/weights", and what a selector must remember "choice/…".
func (f ScaleByFrugal) Init(params []Param) State {
	projectable, regular := f.labels(params)
	var out State
	if len(regular) > 0 {
		out = prefixed(regularPrefix, f.full().Init(picked(params, regular)))
	}
	if len(projectable) == 0 {
		return out
	}
	own := picked(params, projectable)
	if len(f.free().Init(own)) > 0 {
		panic(errors.New("optim: ScaleByFrugal: Free has a state, must have none: ScaleBySign, Keep or Freeze"))
	}
	split := f.selector().split(own, or(f.Density, 0.25), f.Seed)
	g := params[0].Value.Graph()
	if parts := split.parts(); len(parts) > 0 {
		out = append(out, prefixed(lowPrefix, f.full().Init(lowParams(parts, nil, g)))...)
	}
	return append(out, prefixed(choicePrefix, split.memory(g))...)
}

// having returns the variables of a prefix, without it.
func having(prefix string, state State) State {
	var own State
	for _, v := range state {
		if strings.HasPrefix(v.Name, prefix) {
			own = append(own, v)
		}
	}
	return stripped(prefix, own)
}

// Update implements Transform.
func (f ScaleByFrugal) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	projectable, regular := f.labels(s.Params)
	out := make([]*graph.Node, len(updates))
	var after State
	place := func(index []int, values []*graph.Node) {
		for i, k := range index {
			out[k] = values[i]
		}
	}
	sub := func(params []Param, count *graph.Node) *Step {
		own := *s
		own.Params, own.Count, own.Again = params, count, nil
		return &own
	}
	if len(regular) > 0 {
		u, st := f.full().Update(sub(picked(s.Params, regular), s.Count), picked(updates, regular), having(regularPrefix, state))
		place(regular, u)
		after = prefixed(regularPrefix, st)
	}
	if len(projectable) == 0 {
		return out, after
	}
	params, gradients := picked(s.Params, projectable), picked(updates, projectable)
	split := f.selector().split(params, or(f.Density, 0.25), f.Seed)
	clock := f.clock(s)
	remembered := having(choicePrefix, state)
	now := split.choose(clock, gradients, values(remembered))

	var directions []*graph.Node
	rest := gradients
	if len(split.parts()) > 0 {
		low := split.down(now, gradients)
		back := split.up(now, low)
		rest = each(gradients, func(i int, g *graph.Node) *graph.Node { return graph.Sub(g, back[i]) })
		lows := lowParams(split.parts(), split.down(now, each(gradients, func(i int, _ *graph.Node) *graph.Node { return params[i].Value })), clock.now.Graph())
		old := having(lowPrefix, state)
		count := s.Count
		switch f.History {
		case Reset:
			first := f.full().Init(lows)
			for i := range old {
				old[i].Value = pick(clock.now, first[i].Value, old[i].Value)
			}
			count = clock.since
		case Reproject:
			old = f.reproject(split, clock, now, values(remembered), old)
		}
		u, st := f.full().Update(sub(lows, count), low, old)
		after = append(after, prefixed(lowPrefix, st)...)
		directions = split.up(now, u)
	}
	free, _ := f.free().Update(sub(params, s.Count), f.floored(params, gradients, rest), nil)
	place(projectable, each(free, func(i int, u *graph.Node) *graph.Node {
		u = scale(u, s.Hyper("free_scale", or(f.FreeScale, 1), u.DType()))
		if directions != nil {
			u = graph.Add(directions[i], u)
		}
		return scale(u, s.Hyper("projected_scale", or(f.Scale, 1), u.DType()))
	}))
	kept := remembered
	for i, v := range split.keep(now) {
		kept[i].Value = v
	}
	return out, append(after, prefixed(choicePrefix, kept)...)
}

// floored replaces what is no more than rounding of the rest by zero.
func (f ScaleByFrugal) floored(params []Param, gradients, rest []*graph.Node) []*graph.Node {
	if f.Floor == 0 {
		return rest
	}
	return each(rest, func(i int, r *graph.Node) *graph.Node {
		largest := graph.Abs(gradients[i])
		if axes := params[i].axes(); len(axes) > 0 {
			largest = graph.ReduceMax(largest, axes...)
		}
		limit := graph.BroadcastToDims(along(graph.MulScalar(largest, f.Floor), r), r.Shape().Dimensions...)
		return graph.Where(graph.LessOrEqual(graph.Abs(r), limit), graph.ZerosLike(r), r)
	})
}

// clock is where a step stands between selections.
type clock struct {
	number *graph.Node // of the selection that holds: 0, 1, 2, …, int64
	since  *graph.Node // steps since it, with this one: 1, …, gap, int64
	now    *graph.Node // whether it is made at this step, bool
}

func (f ScaleByFrugal) clock(s *Step) clock {
	gap := graph.Scalar(s.Count.Graph(), dtypes.Int64, f.gap())
	done := graph.AddScalar(s.Count, -1)
	passed := graph.Mod(done, gap)
	return clock{number: graph.Div(done, gap), since: graph.AddScalar(passed, 1), now: graph.Equal(passed, graph.ZerosLike(passed))}
}

// reproject moves the state of the selection before to the new one, at the step of a new one.
func (f ScaleByFrugal) reproject(split splitter, c clock, now choice, remembered []*graph.Node, old State) State {
	before := split.before(c, now, remembered)
	n := len(split.parts())
	out := make(State, len(old))
	copy(out, old)
	for k := 0; k+n <= len(old); k += n { // purpose by purpose, one tensor a part
		moved := split.move(before, now, values(old[k:k+n]), strings.HasPrefix(old[k].Name, "v"))
		for i, m := range moved {
			out[k+i].Value = pick(c.now, m, old[k+i].Value)
		}
	}
	return out
}

func values(state State) []*graph.Node {
	out := make([]*graph.Node, len(state))
	for i, v := range state {
		out[i] = v.Value
	}
	return out
}

// Validate implements Transform.
func (f ScaleByFrugal) Validate() error {
	c := check("ScaleByFrugal")
	c.in("Density", f.Density, 0, 1, true)
	if f.Gap < 0 {
		c.add("Gap is %d, must be at least 1 (0 means 200)", f.Gap)
	}
	c.least("FreeScale", f.FreeScale, 0)
	c.least("Scale", f.Scale, 0)
	c.least("Floor", f.Floor, 0)
	if f.History < Reset || f.History > Reproject {
		c.add("History is %d, must be Reset, KeepState or Reproject", f.History)
	}
	for name, part := range map[string]Transform{"Full": f.full(), "Free": f.free()} {
		if usesAgain(part) {
			c.add("%s asks for the loss at other weights, which makes no sense for a part of the gradient; put that method around", name)
		}
	}
	return errors.Join(c.join(), f.full().Validate(), f.free().Validate(), f.selector().validate())
}

// part is the shape of one low part, as a parameter.
type part struct {
	path  string
	lead  int
	shape shapes.Shape
}

// rounded is the number of n that a density selects, half to even as in the reference.
func rounded(n int, density float64) int { return int(math.RoundToEven(float64(n) * density)) }

// whole is the number of n that a density selects, rounded down; of 100 at 0.29 it is 29, whatever floats say.
func whole(n int, density float64) int { return int(math.Floor(float64(n)*density + 1e-9)) }

// Frugal is AdamW on a quarter of the projectable parameters, whole tensors from the last one backwards, and signSGD on the
// rest, chosen anew every 200 steps; see [ScaleByFrugal] for other choices. State: a quarter of Adam's for the layers of
// attention and MLPs, and Adam's for the others.
func Frugal(rate, decay float64) Chain {
	return ready(rate, ScaleByFrugal{}, AddDecayedWeights{Decay: decay})
}

// GaLore is Adam in the space of each gradient's leading singular vectors, renewed every 200 steps with the old state kept,
// and nothing outside of it. The paper's rate is 0.01, and its scale of 0.25 on the projected layers is in here. A matrix has
// at least one direction. State: Density of Adam's and the singular vectors.
//
// Source: Zhao et al. (2024), GaLore: Memory-Efficient LLM Training by Gradient Low-Rank Projection, Algorithm 2.
func GaLore(rate, density float64) Chain {
	return ready(rate, ScaleByFrugal{Free: Freeze{}, Selector: SVD{MinRank: 1}, Density: explicit(density), Scale: 0.25, History: KeepState})
}

// BAdam is Adam on one set of whole tensors after the other, from the last backwards, each for 200 steps, while the rest
// stands still; at least one tensor is active. State: Adam's of the largest such set.
//
// Source: Luo, Yu, Li (2024), BAdam: A Memory Efficient Full Parameter Optimization Method for Large Language Models,
// Algorithm 1.
func BAdam(rate, density float64) Chain {
	return ready(rate, ScaleByFrugal{Free: Freeze{}, Selector: Blocks{MinActive: 1}, Density: explicit(density)})
}

// LowRankRandom is [GaLore] with random directions in the place of singular vectors, state and all begun anew with each set:
// Adam in a random part of the space, and nothing outside of it. The paper's control for what the rest is worth.
func LowRankRandom(rate, density float64) Chain {
	return ready(rate, ScaleByFrugal{Free: Freeze{}, Selector: RandomProjection{MinRank: 1}, Density: explicit(density)})
}
