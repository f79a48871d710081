package bandit

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// model is a network of each of several runs, in a graph. W is shaped [runs, features, columns], v [runs, width]; both forms
// of a learner, a round at a time and whole games, build their graphs from here.
type model struct {
	Regression
	w, v         *Node
	w0, v0       *Node // at the start; nil where nothing needs them
	signW, signV *Node // ±1 for W and v, flat: [runs, S, features·columns] and [runs, S, width]; nil without signs
	sign         *Node // c of each run
	shift        *Node // c⟨ε_s, θ − θ₀⟩: [runs, S]; nil without signs
}

// model of the tensors that get knows by name; get answers nil for those that are not needed.
func (n Regression) model(get func(name string) *Node) model {
	m := model{Regression: n, w: get("w"), v: get("v"), w0: get("w0"), v0: get("v0"), sign: get("sign")}
	if n.Signs > 0 {
		m.signW, m.signV, m.shift = get("signW"), get("signV"), get("shift")
		if n.Redraw {
			m.signW, m.signV = n.redrawn(get("time"))
			m.shift = m.shiftAt(m.w, m.v)
		}
	}
	return m
}

// anchored says whether the graph needs the weights at the start.
func (n Regression) anchored() bool { return n.Signs > 0 || n.projected() }

func (n Regression) projected() bool { return n.RadiusW > 0 || n.RadiusV > 0 }

// spread gives x, of one value a run, the rank of like.
func spread(x, like *Node) *Node {
	for x.Rank() < like.Rank() {
		x = ExpandAxes(x, -1)
	}
	return x
}

// forward of contexts x [runs, rows, features]: hidden units [runs, K, m] and outputs [runs, K].
func (m model) forward(x *Node) (hidden, f *Node) {
	var z *Node
	if m.OwnContexts {
		z = Einsum("rkd,rdm->rkm", x, m.w)
	} else {
		z = sumOverFeatures(x, m.w, m.Arms, m.Width)
	}
	hidden = Where(GreaterThan(z, ZerosLike(z)), z, ZerosLike(z)) // its derivative at 0 is 0
	return hidden, MulScalar(ReduceSum(Mul(hidden, ExpandAxes(m.v, 1)), -1), m.norm())
}

// norm is 1/√m.
func (n Regression) norm() float64 { return 1 / math.Sqrt(float64(n.Width)) }

// sumOverFeatures is Σ_i x_i·w_i for one row x [runs, 1, features] and w [runs, features, arms·width].
func sumOverFeatures(x, w *Node, arms, width int) *Node {
	runs := w.Shape().Dim(0)
	return Reshape(ReduceSum(Mul(Reshape(x, runs, x.Shape().Dim(2), 1), w), 1), runs, arms, width)
}

// predictions of outputs f [runs, K]: f̃, or ŷ of log loss, averaged over the signs.
func (m model) predictions(f *Node) *Node {
	if m.Loss == SquareLoss {
		if m.shift != nil {
			f = Add(f, ReduceAndKeep(m.shift, ReduceMean, -1))
		}
		return f
	}
	if m.shift == nil {
		return Sigmoid(f)
	}
	return ReduceMean(Sigmoid(Add(ExpandAxes(f, -1), ExpandAxes(m.shift, 1))), -1)
}

// variances of the outputs, Σ_j g_j²/Z_j for every arm, where g is the gradient of the arm's output: [runs, K]. zw and zv
// are Z for W and v.
func (m model) variances(x, hidden, zw, zv *Node) *Node {
	square := Square(x)
	var perUnit *Node
	if m.OwnContexts {
		perUnit = Einsum("rkd,rdm->rkm", square, Reciprocal(zw))
	} else {
		perUnit = sumOverFeatures(square, Reciprocal(zw), m.Arms, m.Width)
	}
	active := ConvertDType(GreaterThan(hidden, ZerosLike(hidden)), hidden.DType())
	ofW := Mul(Mul(active, ExpandAxes(Square(m.v), 1)), perUnit)
	ofV := Mul(Square(hidden), ExpandAxes(Reciprocal(zv), 1))
	return MulScalar(ReduceSum(Add(ofW, ofV), -1), 1/float64(m.Width))
}

// step is what a round's update leaves.
type step struct {
	w, v, shift *Node
	gw, gv      *Node // gradient of the played arm's output
	finite      *Node // true where all weights of the run are
}

// update is one step of projected gradient descent on the loss of the played arms, one-hot [runs, K], with the outputs f and
// the labels y and step sizes rate, one a run.
func (m model) update(f, played, y, rate *Node) step {
	out := ReduceSum(Mul(f, played), -1)
	grads := Gradient(ReduceAllSum(out), m.w, m.v)
	s := step{gw: grads[0], gv: grads[1]}
	dw, dv := m.descent(out, y, s)
	s.w, s.v = Sub(m.w, Mul(spread(rate, dw), dw)), Sub(m.v, Mul(spread(rate, dv), dv))
	if m.RadiusW > 0 {
		s.w = project(s.w, m.w0, m.RadiusW)
	}
	if m.RadiusV > 0 {
		s.v = project(s.v, m.v0, m.RadiusV)
	}
	if m.Signs > 0 && !m.Redraw {
		s.shift = m.shiftAt(s.w, s.v)
	}
	sum := func(x *Node) *Node { return ReduceSum(Square(x), axesAfter(x, 1)...) }
	s.finite = IsFinite(Add(sum(s.w), sum(s.v)))
	return s
}

// descent is ∇L = mean_s(e_s)·∇f + c·mean_s(e_s·ε_s), where e_s is the derivative of the loss by f̃_s: f̃_s − y or σ(f̃_s) − y.
func (m model) descent(out, y *Node, s step) (dw, dv *Node) {
	e := out
	if m.shift != nil {
		e, y = Add(ExpandAxes(out, -1), m.shift), ExpandAxes(y, -1) // [runs, S]
	}
	if m.Loss == LogLoss {
		e = Sigmoid(e)
	}
	e = Sub(e, y)
	if m.shift == nil {
		return Mul(spread(e, s.gw), s.gw), Mul(spread(e, s.gv), s.gv)
	}
	mean := ReduceMean(e, -1)
	pull := Mul(DivScalar(e, float64(m.Signs)), ExpandAxes(m.sign, -1))
	part := func(signs, g *Node) *Node {
		return Add(Mul(spread(mean, g), g), Reshape(Einsum("rs,rsp->rp", pull, signs), g.Shape().Dimensions...))
	}
	return part(m.signW, s.gw), part(m.signV, s.gv)
}

// shiftAt is c⟨ε_s, θ − θ₀⟩ at other weights: [runs, S].
func (m model) shiftAt(w, v *Node) *Node {
	inner := func(signs, x, x0 *Node) *Node {
		d := Sub(x, x0)
		return Einsum("rsp,rp->rs", signs, Reshape(d, d.Shape().Dim(0), -1))
	}
	return Mul(Add(inner(m.signW, w, m.w0), inner(m.signV, v, m.v0)), ExpandAxes(m.sign, -1))
}

// axesAfter are the axes of x from the given one on.
func axesAfter(x *Node, first int) (axes []int) {
	for i := first; i < x.Rank(); i++ {
		axes = append(axes, i)
	}
	return axes
}

// project moves x into the ball of a radius around x0, run by run.
func project(x, x0 *Node, radius float64) *Node {
	d := Sub(x, x0)
	norm := Sqrt(ReduceSum(Square(d), axesAfter(d, 1)...))
	r := Scalar(x.Graph(), x.DType(), radius)
	factor := Where(GreaterThan(norm, r), Div(r, norm), OnesLike(norm)) // no division by 0: the norm is above r > 0
	return Add(x0, Mul(d, spread(factor, d)))
}

// redrawn are the signs of a round for every run, from its seed and the round alone. time is, for each run, its seed in the
// upper half and the round in the lower.
func (n Regression) redrawn(time *Node) (signW, signV *Node) {
	var w, v []*Node
	sizeW, sizeV := n.Signs*n.Features*n.columns(), n.Signs*n.Width
	for run := range time.Shape().Dim(0) {
		at := Reshape(Slice(time, AxisElem(run)))
		words := scan.Words(0, at, []string{"W", "v"}, []int{sizeW, sizeV})
		for i, to := range []*[]*Node{&w, &v} {
			bit := ConvertDType(BitwiseShiftRightLogicalScalar(words[i], 31), n.DType)
			*to = append(*to, ExpandAxes(AddScalar(MulScalar(bit, 2), -1), 0))
		}
	}
	shaped := func(parts []*Node) *Node { return Reshape(Concatenate(parts, 0), len(parts), n.Signs, -1) }
	return shaped(w), shaped(v)
}

// roundTime is a run's time for redrawn, without the round.
func roundTime(seed uint64) int64 { return int64(seed&math.MaxInt32) << 32 }

// probabilities of a rule for predictions [runs, K] at a level, one a run. widths are the confidence widths and noise standard
// normal draws, where the rule needs them.
func (e Exploration) probabilities(predicted, level, width, noise *Node) *Node {
	arms := predicted.Shape().Dim(1)
	level = ExpandAxes(level, -1)
	switch e.Rule {
	case UCB:
		return first(Sub(predicted, Mul(level, width)))
	case Thompson:
		return first(Add(predicted, Mul(Mul(level, width), noise)))
	}
	best := first(predicted)
	k := float64(arms)
	if e.Rule == Greedy {
		return Add(DivScalar(level, k), Mul(OneMinus(level), best))
	}
	least := ReduceAndKeep(predicted, ReduceMin, -1)
	gap := Mul(level, Sub(predicted, least))
	p := Reciprocal(AddScalar(gap, k))
	if e.Rule == WeightedInverseGap {
		some := GreaterThan(gap, ZerosLike(gap))
		p = Where(some, Div(least, Where(some, Add(MulScalar(least, k), gap), OnesLike(gap))), MulScalar(OnesLike(gap), 1/k))
	}
	p = Mul(p, OneMinus(best))
	rest := ReduceAndKeep(p, ReduceSum, -1)
	p = Div(p, MaxScalar(rest, 1))
	return Add(p, Mul(best, MaxScalar(OneMinus(rest), 0)))
}

// first is one-hot of the first least entry of each row.
func first(x *Node) *Node { return OneHot(ArgMin(x, -1), x.Shape().Dim(1), x.DType()) }

// drawn is one-hot of the arm at the place u, one a run, in the distribution p [runs, K]: what armAt is on the host.
func drawn(p, u *Node) *Node {
	arms := p.Shape().Dim(1)
	sums := CumSum(p, -1)
	u = Mul(u, Slice(sums, AxisRange(), AxisRange(arms-1, arms))) // the sum may miss 1 by rounding
	passed := ReduceSum(ConvertDType(LessOrEqual(sums, u), dtypes.Int32), -1)
	return OneHot(MinScalar(passed, arms-1), arms, p.DType())
}
