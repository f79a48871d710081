package optim

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// ScaleByMFAC multiplies the gradient of all parameters together, one vector of d entries, by the inverse of the damped
// empirical Fisher matrix of the last Window gradients g_1 … g_m, the newest among them:
//
//	r = (λI + (1/m) Σ g_i g_iᵀ)⁻¹ g
//
// No d×d matrix is formed: a step costs O(d·m + m³). The mean is over m also while the window is not full. With one
// gradient g in it r = m·g/(λm + ‖g‖²), so steps grow where gradients shrink, up to √m/(2√λ), and the learning rate must
// shrink like 1/m where m grows. r is taken as m·Gᵀ(λmI + GGᵀ)⁻¹e, which loses no digits in float32, and the m×m system
// is solved in float64.
//
// State: the window, m·d + m² numbers and its place. In a [Partition] each group has a window of its own (a block-diagonal
// Fisher matrix). Momentum is a [Trace] with Average behind it, L2 regularization an [AddL2] in front of it; pruned
// weights stay pruned and out of the window in an [ApplyMask] around it:
//
//	ApplyMask{Inner: Chain{AddL2(0.003), ScaleByMFAC{Window: 512}, Trace{Average: true}, ScaleByLearningRate{Rate: 1e-3}}}
//
// Hyper-parameter: "damping". Source: Frantar, Kurtic, Alistarh (2021), M-FAC: Efficient Matrix-Free Approximations of
// Second-Order Information, Section 3.2, in a closed form by Woodbury's identity.
type ScaleByMFAC struct {
	Window  int     // m, at least 1; default 1024
	Damping float64 // λ above 0; default 1e-5
	// MaxBytes is the most that the state may take, over all runs; 0: no limit. A window that needs more is an error.
	MaxBytes int64
}

var _ Transform = ScaleByMFAC{}

func (f ScaleByMFAC) window() int { return int(or(float64(f.Window), 1024)) }

// Init implements Transform.
func (f ScaleByMFAC) Init(params []Param) State {
	flat := Ravel(params, paramValues(params))
	runs, d, m := 0, flat.Shape().Dim(-1), f.window()
	if flat.Rank() == 2 {
		runs = flat.Shape().Dim(0)
	}
	need := int64(max(runs, 1))*int64(m)*(int64(d)+int64(m))*int64(flat.DType().Size()) + int64(dtypes.Int32.Size())
	if f.MaxBytes > 0 && need > f.MaxBytes {
		panic(fmt.Errorf("optim: ScaleByMFAC: Window is %d, and with %d parameters takes %d bytes, must be at most %d (MaxBytes); take a smaller one, or one a group with a Partition", m, d, need, f.MaxBytes))
	}
	return windowState(curvature.NewWindow(flat.Graph(), flat.DType(), runs, m, d))
}

func windowState(w curvature.Window) State {
	return State{{"gradients", w.Gradients}, {"gram", w.Gram}, {"slot", w.Slot}}
}

func paramValues(params []Param) []*graph.Node {
	out := make([]*graph.Node, len(params))
	for i, p := range params {
		out[i] = p.Value
	}
	return out
}

// Update implements Transform.
func (f ScaleByMFAC) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	old := curvature.Window{Gradients: state[0].Value, Gram: state[1].Value, Slot: state[2].Value}
	w := old.Insert(graph.ConvertDType(Ravel(s.Params, updates), old.Gradients.DType()))
	lambda := s.Hyper("damping", or(f.Damping, 1e-5), dtypes.Float64)
	return Unravel(s.Params, w.MulNewest(lambda)), windowState(w)
}

// Validate implements Transform.
func (f ScaleByMFAC) Validate() error {
	c := check("ScaleByMFAC")
	if f.Window < 0 {
		c.add("Window is %d, must be at least 1 (0 means 1024)", f.Window)
	}
	c.positive("Damping", or(f.Damping, 1e-5))
	if f.MaxBytes < 0 {
		c.add("MaxBytes is %d, must not be negative (0: no limit)", f.MaxBytes)
	}
	return c.join()
}

// TraceMFAC is a [Problem].Observe for a single [ScaleByMFAC] with this damping. It traces what F ⪰ λI + ggᵀ/m bounds, g
// being the gradient that the window took in, with what stands in front of it such as [AddL2]: "mfac length", ‖r‖ of r = F⁻¹g; "mfac product", gᵀr, and "mfac room",
// m − gᵀr without cancellation; "mfac single", ‖r − m·g/(λm + ‖g‖²)‖/‖r‖, how far r is from a window with g alone.
func TraceMFAC(damping float64) func(s *scan.Step, o Observation) {
	return func(s *scan.Step, o Observation) {
		var w curvature.Window
		for _, v := range o.After {
			switch v.Name[strings.LastIndex(v.Name, ".")+1:] {
			case "gradients":
				w.Gradients = v.Value
			case "gram":
				w.Gram = v.Value
			case "slot":
				w.Slot = v.Value
			}
		}
		if w.Gradients == nil || w.Gram == nil || w.Slot == nil || w.Gram.Rank() != 2 {
			panic("TraceMFAC: the optimizer keeps no window of a single run; it must be M-FAC without an axis of runs")
		}
		m := float64(w.Gram.Shape().Dim(0))
		lambda := graph.Scalar(s.Graph(), dtypes.Float64, damping)
		double := func(x *graph.Node) *graph.Node { return graph.ConvertDType(x, dtypes.Float64) }
		norm := func(x *graph.Node) *graph.Node { return graph.Sqrt(graph.ReduceAllSum(graph.Square(x))) }
		newest := graph.Mod(graph.AddScalar(w.Slot, m-1), graph.Scalar(s.Graph(), w.Slot.DType(), m))
		r, g := double(w.MulNewest(lambda)), double(graph.Gather(w.Gradients, graph.Reshape(newest, 1)))
		alone := graph.MulScalar(graph.Div(g, graph.AddScalar(graph.ReduceAllSum(graph.Square(g)), damping*m)), m)
		s.Trace("mfac length", norm(r))
		s.Trace("mfac product", graph.ReduceAllSum(graph.Mul(g, r)))
		s.Trace("mfac room", w.Room(lambda))
		s.Trace("mfac single", graph.Div(norm(graph.Sub(r, alone)), norm(r)))
	}
}

// MFAC preconditions by the last m gradients with damping λ, in the paper m = 1024 and λ = 1e-5, at rate 1e-3 over 10⁴
// steps and more. A short training wants a larger rate: about 0.64/m. Where gradients hold no noise λ must be larger, say
// 0.1: directions that no gradient of the window has are magnified by 1/λ. See [ScaleByMFAC].
func MFAC(rate float64, m int, damping float64) Chain {
	return ready(rate, ScaleByMFAC{Window: m, Damping: damping})
}
