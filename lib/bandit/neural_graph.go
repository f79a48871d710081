package bandit

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// model is a network of each of several runs, in a graph; both forms of a learner, a round at a time and whole games, build
// their graphs from here.
//
// Fixed signs would cost a pass over S·p numbers in the update and another in the shift. So W is held in two parts,
// W = U + Σ_s q_s·E_s with E_s the signs of W: the step on ⟨ε_s, θ − θ₀⟩ moves q_s only, the step on f moves U only, and
// ⟨E_s, ∇_W f⟩ = ∂f/∂q_s keeps ⟨E_s, U − W₀⟩ up to date. What is left of the passes is E_s·x, in the outputs. Redrawn signs
// leave no choice: their W is U.
type model struct {
	Regression
	u, v         *Node // [runs, features, columns], [runs, width]
	w0, v0       *Node // at the start; nil where nothing needs them
	signW, signV *Node // ±1 for W and v: [runs, features, S·columns] and [runs, S, width]; nil without signs
	sign         *Node // c of each run
	shift        *Node // c⟨ε_s, θ − θ₀⟩: [runs, S]; nil without signs
	// Of fixed signs, else nil: q and ⟨E_s, U − W₀⟩, [runs, S], and ⟨E_s, E_r⟩, [runs, S, S].
	q, inner, gram *Node
	perturbed      *Node // E_s·x of a context, where an earlier call has it: see perturb
}

// model of the tensors that get knows by name; get answers nil for those that are not needed.
func (n Regression) model(get func(name string) *Node) model {
	m := model{Regression: n, u: get("u"), v: get("v"), w0: get("w0"), v0: get("v0"), sign: get("sign"), q: get("q"), inner: get("inner"), gram: get("gram")}
	if n.Signs == 0 {
		return m
	}
	m.signW, m.signV = get("signW"), get("signV")
	var ofW *Node // ⟨E_s, W − W₀⟩
	if n.Redraw {
		m.signW, m.signV = n.redrawn(get("time"))
		ofW = Einsum("rdsc,rdc->rs", m.split(m.signW), Sub(m.u, m.w0))
	} else {
		ofW = Add(m.inner, Einsum("rs,rst->rt", m.q, m.gram))
	}
	m.shift = Mul(Add(ofW, Einsum("rsm,rm->rs", m.signV, Sub(m.v, m.v0))), ExpandAxes(m.sign, -1))
	return m
}

// split is signs of W as [runs, features, S, columns].
func (n Regression) split(signs *Node) *Node {
	return Reshape(signs, signs.Shape().Dim(0), n.Features, n.Signs, n.columns())
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
	z := m.layer(x, m.u)
	if m.q != nil {
		if m.perturbed == nil {
			m.perturbed = m.perturb(x)
		}
		z = Add(z, Reshape(Einsum("rs,rksc->rkc", m.q, m.perturbed), z.Shape().Dimensions...))
	}
	// XLA would compute z's gradient again for each of W's rows. A barrier of one value does nothing on the CPU.
	z = IdentityWithCustomGradient(z, func(z, gradient *Node) *Node { return OptimizationBarriers(gradient, z)[0] })
	hidden = Where(GreaterThan(z, ZerosLike(z)), z, ZerosLike(z)) // its derivative at 0 is 0
	return hidden, MulScalar(ReduceSum(Mul(hidden, ExpandAxes(m.v, 1)), -1), m.norm())
}

// perturb is E_s·x for contexts x: [runs, rows, S, columns].
func (m model) perturb(x *Node) *Node {
	return Reshape(Einsum("rkd,rdc->rkc", x, m.signW), x.Shape().Dim(0), x.Shape().Dim(1), m.Signs, m.columns())
}

// layer is x·w for contexts x and w shaped as W: [runs, K, m], also where all arms share one row of x and have their own
// columns.
func (n Regression) layer(x, w *Node) *Node {
	return Reshape(Einsum("rkd,rdc->rkc", x, w), x.Shape().Dim(0), n.Arms, n.Width)
}

// norm is 1/√m.
func (n Regression) norm() float64 { return 1 / math.Sqrt(float64(n.Width)) }

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
	perUnit := m.layer(Square(x), Reciprocal(zw))
	active := ConvertDType(GreaterThan(hidden, ZerosLike(hidden)), hidden.DType())
	ofW := Mul(Mul(active, ExpandAxes(Square(m.v), 1)), perUnit)
	ofV := Mul(Square(hidden), ExpandAxes(Reciprocal(zv), 1))
	return MulScalar(ReduceSum(Add(ofW, ofV), -1), 1/float64(m.Width))
}

// step is what a round's update leaves.
type step struct {
	u, v, q, inner *Node
	gw, gv         *Node // gradient of the played arm's output
	finite         *Node // true where all weights of the run are
}

// update is one step of projected gradient descent on the loss of the played arms, one-hot [runs, K], with the outputs f in
// contexts x, the labels y and step sizes rate, one a run.
//
// ∇L = mean_s(e_s)·∇f + c·mean_s(e_s·ε_s), where e_s is the derivative of the loss by f̃_s: f̃_s − y or σ(f̃_s) − y.
func (m model) update(x, f, played, y, rate *Node) step {
	out := ReduceSum(Mul(f, played), -1)
	by := []*Node{m.u, m.v}
	if m.q != nil {
		by = append(by, m.q)
	}
	grads := Gradient(ReduceAllSum(out), by...)
	s := step{gw: grads[0], gv: grads[1]}
	e := m.errors(out, y)
	mean := e
	var pull *Node // η·c·e_s/S
	if m.shift != nil {
		mean = ReduceMean(e, -1)
		pull = Mul(DivScalar(e, float64(m.Signs)), ExpandAxes(Mul(rate, m.sign), -1))
	}
	mean = Mul(rate, mean)
	s.u, s.v = Sub(m.u, Mul(spread(mean, s.gw), s.gw)), Sub(m.v, Mul(spread(mean, s.gv), s.gv))
	if m.shift != nil {
		s.v = Sub(s.v, Einsum("rs,rsm->rm", pull, m.signV))
	}
	switch {
	case m.q != nil:
		s.q, s.inner = Sub(m.q, pull), Sub(m.inner, Mul(spread(mean, m.inner), grads[2]))
	case m.shift != nil:
		s.u = Sub(s.u, Einsum("rs,rdsc->rdc", pull, m.split(m.signW)))
	}
	if m.RadiusW > 0 {
		m.projectW(&s)
	}
	if m.RadiusV > 0 {
		d := Sub(s.v, m.v0)
		s.v = Add(m.v0, Mul(d, spread(shrink(squares(d), m.RadiusV), d)))
	}
	// No entry of W moves by more than |mean|·‖v‖·‖x‖ and the signs' part, and after steps whose square is finite none
	// can overflow. To look at all of W would cost more than the step.
	moved := Mul(Square(mean), Mul(squares(m.v), squares(x)))
	if pull != nil {
		moved = Add(moved, squares(pull))
	}
	s.finite = IsFinite(Add(moved, squares(s.v)))
	return s
}

// errors are the derivatives of the loss by f̃, or by f̃_s: [runs] or [runs, S].
func (m model) errors(out, y *Node) *Node {
	if m.shift != nil {
		out, y = Add(ExpandAxes(out, -1), m.shift), ExpandAxes(y, -1)
	}
	if m.Loss == LogLoss {
		out = Sigmoid(out)
	}
	return Sub(out, y)
}

// projectW moves W into its ball: both of its parts shrink alike.
func (m model) projectW(s *step) {
	d := Sub(s.u, m.w0)
	square := squares(d)
	if s.q != nil { // ‖D + Σ q_s·E_s‖²
		cross := MulScalar(Mul(s.q, s.inner), 2)
		square = Add(square, ReduceSum(Add(cross, Mul(s.q, Einsum("rs,rst->rt", s.q, m.gram))), -1))
	}
	factor := shrink(square, m.RadiusW)
	s.u = Add(m.w0, Mul(d, spread(factor, d)))
	if s.q != nil {
		s.q, s.inner = Mul(s.q, spread(factor, s.q)), Mul(s.inner, spread(factor, s.inner))
	}
}

// squares is ‖x‖² of each run.
func squares(x *Node) *Node {
	x = Reshape(x, x.Shape().Dim(0), -1)
	return ReduceSum(Square(x), -1)
}

// shrink is the factor that brings a vector of this squared length into a ball: at most 1.
func shrink(square *Node, radius float64) *Node {
	r := Scalar(square.Graph(), square.DType(), radius)
	norm := Sqrt(Max(square, ZerosLike(square))) // rounding may leave it below 0
	return Div(r, Max(norm, r))
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
	runs := len(w)
	return Reshape(Concatenate(w, 0), runs, n.Features, -1), Reshape(Concatenate(v, 0), runs, n.Signs, -1)
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
