package optim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// MESA draws the network's outputs to those of a teacher, an exponential moving average v of its own weights: SAF with
// one more copy of the weights in place of all recorded outputs, for one more pass forward.
//
//	v ← β·v + (1−β)·θ
//	L = Criterion(f_θ(x)) + λ·TrajectoryLoss(f_v(x), f_θ(x), τ)   in the epochs Start, Start+1, …, else Criterion(f_θ(x))
//
// v begins at the first weights, and no gradient reaches it. The official code moves the teacher after the optimizer's
// step, so the one it asks at a step holds the weights of that step as the paper's does: the numbers are the same.
//
// The memory holds "teacher/" + path for each parameter. Where the network has [Buffers], the teacher's follow them by the
// same average, in "teacher/" + name, as in the official code: a step's teacher has those from before its minibatch. Hyper-parameters: "trajectory_weight" (λ), "temperature" (τ),
// "start_epoch", "teacher_decay" (β). Source: Du et al. (2022), Sharpness-Aware Training for Free, Algorithm 1.
type MESA struct {
	Supervised
	// Teacher gives the network's outputs in evaluation mode; nil: Outputs, for networks without dropout and the like. A
	// network with Buffers needs one; without, buffers is empty.
	Teacher    func(params, buffers, data []*graph.Node) *graph.Node
	EpochSteps int     // steps of an epoch
	Lambda     float64 // λ ≥ 0; default 0.8, off with [Zero]
	Tau        float64 // τ > 0, the temperature; default 5
	Beta       float64 // β in [0, 1); default 0.9998, which suits 10⁵ steps; the paper does not say which one it used
	Start      int     // E_start, in epochs from 0 on; default 5, [FromStart]: at once
	// Lagged asks the teacher before the step's weights enter it: the average of the steps before.
	Lagged bool
}

// FromStart is a start at the first step, for fields whose 0 means their default.
const FromStart = -1

const teacherPrefix = "teacher/"

var _ Objective = MESA{}

func (m MESA) term() trajectoryTerm {
	return trajectoryTerm{method: "MESA", lambda: or(m.Lambda, 0.8), tau: or(m.Tau, 5), start: int(or(float64(m.Start), 5)), epochSteps: m.EpochSteps}
}

// Init implements Objective.
func (m MESA) Init(params []Param) State {
	var out State
	for _, p := range params {
		out = append(out, Var{teacherPrefix + p.Path, p.Value})
	}
	buffers := m.Supervised.Init(params)
	return slices.Concat(out, prefixed(teacherPrefix, stripped(BufferPrefix, buffers)), buffers)
}

// Loss implements Objective.
func (m MESA) Loss(s *Step, values, data []*graph.Node, memory State) (*graph.Node, State) {
	term := m.term()
	n := (len(memory) + len(s.Params)) / 2 // parameters and buffers
	before, buffers := memory.get(0, n), memory[n:]
	// Also at other values the teacher follows the step's own weights.
	own := append(paramValues(s.Params), buffers.get(0, len(buffers))...)
	after := each(before, func(i int, v *graph.Node) *graph.Node {
		return s.decay("teacher_decay", or(m.Beta, 0.9998), v.DType()).average(v, own[i])
	})
	asked := after
	if m.Lagged {
		asked = before
	}
	asked = each(asked, func(_ int, v *graph.Node) *graph.Node { return graph.StopGradient(v) })
	teacher := m.Teacher
	if teacher == nil {
		teacher = func(params, _, data []*graph.Node) *graph.Node { return m.Outputs(params, data) }
	}
	z, kept := m.outputs(values, data, buffers)
	past := teacher(asked[:len(s.Params)], asked[len(s.Params):], data)
	if !past.Shape().Equal(z.Shape()) {
		panic(fmt.Errorf("optim: MESA: Teacher gave %s, must be %s like Outputs", past.Shape(), z.Shape()))
	}
	mean := graph.ReduceMean(trajectory(past, z, s.Hyper("temperature", term.tau, z.DType())), -1)
	loss := m.Criterion(z, data)
	loss = graph.Add(loss, graph.Mul(term.weight(s, loss.DType()), graph.ConvertDType(mean, loss.DType())))
	return loss, append(memory[:n].with(after), kept...)
}

// Validate implements Objective.
func (m MESA) Validate() error {
	c := check("MESA")
	c.in("Beta", m.Beta, 0, 1, false)
	if m.Start < FromStart {
		c.add("Start is %d, must be at least 0 (0 means 5), or FromStart", m.Start)
	}
	if m.Buffers != nil && m.Teacher == nil {
		c.add("Teacher is nil, must be the evaluation of a network with Buffers")
	}
	return errors.Join(m.Supervised.validate("MESA"), m.term().validate(), c.join())
}
