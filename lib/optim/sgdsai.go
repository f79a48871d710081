package optim

import (
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// ScaleByGSNR gives each tensor one constant factor S, measured at its first gradient g of n entries and kept:
//
//	G = ‖g‖ / (s + ε),  S = G / max over tensors of G
//
// s is the standard deviation of g's entries, with n−1 in its denominator. G is the gradient signal-to-noise ratio; for
// ε = 0 it is √((n−1) + n·mean²/s²), so close to √n where the mean is small: see [SizePrior]. State: 1 number a tensor,
// "scale/" and its path; 0 says that it was not measured yet.
//
// A tensor whose ratio means nothing gets G = √n: one entry, a zero gradient (as for the A of a fresh LoRA), entries that
// are equal to rounding. [TraceGSNR] reports these. The reference code has G = 0 or about 1e8·|g| there: such a tensor
// never moves, or no other does. A first gradient with NaN or infinity makes S and the step NaN, so that the run stops
// with [scan.ErrNonFinite]; inside [SkipNonFinite] the first finite gradient is the one that is measured.
//
// Clipping by norm in front changes nothing, as G does not depend on the gradient's length (ε apart). Source: Xu et al.
// (2024), No More Adam, Algorithm 1.
type ScaleByGSNR struct {
	Eps float64 // ε, at least 0; default 1e-8, none with [Zero]
	// Raw takes S = G, as the released code 1.0.3 does. It is the same method at a learning rate that is smaller by
	// max G, the root of the largest tensor's size or so, and a decay that is larger by it.
	Raw bool
	// Grouping names the block a tensor belongs to: the tensors of a block are measured as one vector and share one S;
	// nil: each is a block by itself.
	Grouping func(p Param) string
}

var _ Transform = ScaleByGSNR{}

// blocks are the names of the blocks, in the order of their first tensors, and the indices of their tensors.
func (c ScaleByGSNR) blocks(params []Param) (names []string, members [][]int) {
	for i, p := range params {
		name := p.Path
		if c.Grouping != nil {
			name = c.Grouping(p)
		}
		k := slices.Index(names, name)
		if k < 0 {
			k = len(names)
			names, members = append(names, name), append(members, nil)
		}
		members[k] = append(members[k], i)
	}
	return names, members
}

// Init implements Transform.
func (c ScaleByGSNR) Init(params []Param) State {
	names, _ := c.blocks(params)
	dtype := ratioDType(params)
	var out State
	for _, name := range names {
		zero := graph.ScalarZero(params[0].Value.Graph(), dtype)
		if params[0].Lead > 0 {
			zero = graph.BroadcastToDims(zero, params[0].Value.Shape().Dim(0))
		}
		out = append(out, Var{"scale/" + name, zero})
	}
	return out
}

// Update implements Transform.
func (c ScaleByGSNR) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	_, members := c.blocks(s.Params)
	scales := state.get(0, len(state))
	unmeasured := func(scale *graph.Node) *graph.Node { return graph.Equal(scale, graph.ZerosLike(scale)) }
	// All blocks are measured in one step, in most steps none.
	now := graph.ReduceLogicalOr(unmeasured(scales[0]))
	scales = scan.When(now, slices.Concat(updates, scales), scales, func(args []*graph.Node) []*graph.Node {
		updates, scales := args[:len(updates)], args[len(updates):]
		measured := c.measure(s.Params, members, updates)
		return each(measured, func(k int, m *graph.Node) *graph.Node { return pick(unmeasured(scales[k]), m, scales[k]) })
	})
	out := slices.Clone(updates)
	for k, own := range members {
		for _, i := range own {
			out[i] = scale(updates[i], graph.ConvertDType(scales[k], updates[i].DType()))
		}
	}
	return out, state.with(scales)
}

// measure returns the factor S of each block.
func (c ScaleByGSNR) measure(params []Param, members [][]int, updates []*graph.Node) []*graph.Node {
	factors := make([]*graph.Node, len(members))
	var largest *graph.Node
	for k, own := range members {
		factors[k], _ = gsnr(picked(params, own), picked(updates, own), or(c.Eps, 1e-8), ratioDType(params))
		if largest == nil {
			largest = factors[k]
		} else {
			largest = graph.Max(largest, factors[k])
		}
	}
	if c.Raw {
		return factors
	}
	return each(factors, func(_ int, f *graph.Node) *graph.Node { return graph.Div(f, largest) })
}

// Validate implements Transform.
func (c ScaleByGSNR) Validate() error {
	k := check("ScaleByGSNR")
	k.least("Eps", c.Eps, 0)
	return k.join()
}

// ratioDType is the type that the ratios of all blocks are taken in: float32, or float64 where a parameter is.
func ratioDType(params []Param) dtypes.DType {
	if slices.ContainsFunc(params, func(p Param) bool { return p.Value.DType() == dtypes.Float64 }) {
		return dtypes.Float64
	}
	return dtypes.Float32
}

// GSNR is the gradient signal-to-noise ratio of one tensor, ‖g‖/(s + ε), a scalar in float32 at least. Where it means
// nothing it is √n, as in [ScaleByGSNR], and fallback is 1 instead of 0.
func GSNR(g *graph.Node, eps float64) (ratio, fallback *graph.Node) {
	p := []Param{{Value: g}}
	return gsnr(p, []*graph.Node{g}, eps, ratioDType(p))
}

// gsnr is the ratio of several tensors taken as one vector: a scalar, or one value a run.
func gsnr(params []Param, gradients []*graph.Node, eps float64, dtype dtypes.DType) (ratio, fallback *graph.Node) {
	// By the largest entry's size nothing overflows or vanishes when it is squared.
	var largest *graph.Node
	n := 0
	for i, p := range params {
		n += p.Shape().Size()
		most := graph.Abs(graph.ConvertDType(gradients[i], dtype))
		if axes := p.axes(); len(axes) > 0 {
			most = graph.ReduceMax(most, axes...)
		}
		if largest == nil {
			largest = most
		} else {
			largest = graph.Max(largest, most)
		}
	}
	least, rounding := 1e-300, 1e-12
	if dtype == dtypes.Float32 {
		least, rounding = 1e-37, 1e-6
	}
	// Entries up to 8: for 1 the factor of the largest numbers would be denormal.
	by := graph.Div(graph.Scalar(largest.Graph(), dtype, 8), graph.MaxScalar(largest, least))
	// sum adds f over all entries. Each sum is one pass over the gradients as they are: what two sums share, XLA would write
	// to memory first.
	sum := func(f func(x *graph.Node) *graph.Node) (total *graph.Node) {
		for i, p := range params {
			part := p.reduce(f(graph.ConvertDType(gradients[i], dtype)))
			if total == nil {
				total = part
			} else {
				total = graph.Add(total, part)
			}
		}
		return total
	}
	twice := graph.MulScalar(by, 2) // so that the sums do not share their products either
	mean := graph.DivScalar(sum(func(x *graph.Node) *graph.Node { return graph.Mul(x, along(twice, x)) }), 2*float64(n))
	apart := sum(func(x *graph.Node) *graph.Node {
		return graph.Square(graph.Sub(graph.Mul(x, along(by, x)), along(mean, x)))
	})
	deviation := graph.Sqrt(graph.DivScalar(apart, float64(max(1, n-1))))
	norm := graph.Sqrt(graph.Add(apart, graph.MulScalar(graph.Square(mean), float64(n)))) // without another pass
	ratio = graph.Div(norm, graph.Add(deviation, graph.MulScalar(by, eps)))

	// Equal entries have a deviation of rounding errors alone. One entry has none, and a zero gradient has no norm either.
	root := math.Sqrt(float64(n))
	useless := graph.LessOrEqual(deviation, graph.MulScalar(norm, rounding/root))
	return pick(useless, graph.MulScalar(graph.OnesLike(ratio), root), ratio), graph.ConvertDType(useless, dtype)
}

// SizePrior gives each tensor of n entries the constant factor √n/√(entries of the largest), which is what [ScaleByGSNR]
// comes to for gradients whose mean is small beside their deviation. No state, nothing measured.
type SizePrior struct{ stateless }

var _ Transform = SizePrior{}

// Update implements Transform.
func (SizePrior) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	largest := 0
	for _, p := range s.Params {
		largest = max(largest, p.Shape().Size())
	}
	return each(updates, func(i int, u *graph.Node) *graph.Node {
		return graph.MulScalar(u, math.Sqrt(float64(s.Params[i].Shape().Size())/float64(largest)))
	}), nil
}

// Validate implements Transform.
func (SizePrior) Validate() error { return nil }

// SGDSaI is SGD with momentum and learning rates scaled at initialization, one constant factor S a tensor:
//
//	m ← 0.9·m + 0.1·g (m₁ = g₁),  θ ← θ − rate·(S·m + decay·θ)
//
// with S of [ScaleByGSNR], normalised. The decay is not scaled by S. State: 1 number a parameter and 1 a tensor. The
// paper's rate and decay are 0.01; small transformers want a rate of order 1, after a warm-up, and so a decay as much
// smaller. To maximize put [Scale]{By: -1} in front. Source: Xu et al. (2024), No More Adam, Algorithm 1.
func SGDSaI(rate, decay float64) Chain {
	return ready(rate, ScaleByGSNR{}, Trace{Average: true, FirstGradient: true}, AddDecayedWeights{Decay: decay})
}

// TraceGSNR is a [Problem].Observe: it traces each tensor's ratio at each step under "gsnr PATH" (see [GSNR], ε = 1e-8),
// and under "gsnr fallback PATH" 1 where it is √n for want of a meaning, else 0. For problems without runs along a leading
// axis.
func TraceGSNR(s *scan.Step, o Observation) {
	for i, p := range o.Params {
		ratio, fallback := GSNR(o.Gradients[i], 1e-8)
		s.Trace("gsnr "+p.Path, ratio)
		s.Trace("gsnr fallback "+p.Path, fallback)
	}
}
