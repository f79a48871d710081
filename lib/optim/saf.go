package optim

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// SAF penalizes how far each example's outputs have moved in the last Lookback epochs, a substitute for SAM's sharpness
// that costs no further pass through the network:
//
//	L = Criterion(z) + λ·TrajectoryLoss(z of Lookback epochs ago, z, τ)   in the epochs Start, Start+1, …, else Criterion(z)
//
// Epochs count from 0, so Start is the paper's E_start, after which its epochs, which count from 1, have the term; the
// official code, whose epochs count from 0, begins one epoch later. λ is applied once, as in the code (equation 8 of the
// paper and its Algorithm 1 both hold it).
//
// The memory "history" has the shape [Lookback+1, Examples, Classes] (with runs, one more leading axis), in the outputs'
// type: the slot of an epoch is its number modulo Lookback+1, so the slot read is never the one written. As softmax does
// not see a constant added to all logits, it holds them relative to class 0, and in the place of class 0 the epoch's
// number plus 1. So an example that was not met Lookback epochs ago, because the last, smaller batch was left out or
// because training just began, is known, and the mean runs over the others.
//
// What is remembered is the pass of the training step, on its own augmented view: nothing is computed again. With SAM
// the term is taken at the perturbed weights too, and the outputs at the step's own weights are remembered.
//
// Hyper-parameters: "trajectory_weight" (λ), "temperature" (τ), "start_epoch".
// Source: Du et al. (2022), Sharpness-Aware Training for Free, Algorithm 1.
type SAF struct {
	Supervised
	// Index returns which of the examples each row of the minibatch is: int32, [batch], with runs [runs, batch], each at
	// most once. A negative index is padding: it is neither remembered nor counted by the term (that Criterion leaves it
	// out is the caller's matter). One of Examples or more makes the loss NaN, at which hosts stop.
	Index      func(data []*graph.Node) *graph.Node
	Examples   int     // n, of the data set
	Classes    int     // C, at least 2; must be the outputs' last axis
	EpochSteps int     // steps of an epoch
	Lambda     float64 // λ ≥ 0; default 0.3, off with [Zero]
	Tau        float64 // τ > 0, the temperature; default 5
	Lookback   int     // Ẽ ≥ 1, in epochs; default 3
	Start      int     // E_start ≥ Lookback, in epochs; default 5
}

var _ Objective = SAF{}

func (f SAF) lookback() int { return int(or(float64(f.Lookback), 3)) }

func (f SAF) term() trajectoryTerm {
	return trajectoryTerm{method: "SAF", lambda: or(f.Lambda, 0.3), tau: or(f.Tau, 5), start: int(or(float64(f.Start), 5)), epochSteps: f.EpochSteps}
}

// Init implements Objective.
func (f SAF) Init(params []Param) State {
	if len(params) == 0 {
		panic(errors.New("optim: SAF: there are no parameters"))
	}
	p := params[0]
	dims := []int{f.lookback() + 1, f.Examples, f.Classes}
	if p.Lead > 0 {
		dims = append([]int{p.Value.Shape().Dim(0)}, dims...)
	}
	history := Var{"history", graph.Zeros(p.Value.Graph(), shapes.Make(historyType(p.Value.DType()), dims...))}
	return append(State{history}, f.Supervised.Init(params)...)
}

// historyType holds the number of an epoch exactly.
func historyType(dtype dtypes.DType) dtypes.DType {
	if dtype.Size() < dtypes.Float32.Size() {
		return dtypes.Float32
	}
	return dtype
}

// Loss implements Objective.
func (f SAF) Loss(s *Step, values, data []*graph.Node, memory State) (*graph.Node, State) {
	z, buffers := f.outputs(values, data, memory[1:])
	index := f.Index(data)
	history := memory[0].Value
	f.check(z, index, history)
	term, g := f.term(), z.Graph()
	slots, batch := f.lookback()+1, index.Shape().Size()

	epoch := term.epoch(s)
	modulus := graph.Scalar(g, dtypes.Int64, slots)
	written := graph.Mod(epoch, modulus)
	read := graph.Mod(graph.AddScalar(epoch, 1), modulus) // (e − Ẽ) mod (Ẽ+1)

	// Rows of the history as one table, whatever the number of runs.
	table := graph.Reshape(history, history.Shape().Size()/f.Classes, f.Classes)
	counts := graph.ConvertDType(graph.Reshape(index, batch), dtypes.Int64)
	real := graph.GreaterOrEqual(counts, graph.ZerosLike(counts))
	place := graph.Max(counts, graph.ZerosLike(counts))
	if index.Rank() == 2 {
		run := graph.Reshape(graph.Iota(g, shapes.Make(dtypes.Int64, index.Shape().Dimensions...), 0), batch)
		place = graph.Add(place, graph.MulScalar(run, slots*f.Examples))
	}
	rows := func(slot *graph.Node) *graph.Node {
		return graph.ExpandAxes(graph.Add(place, graph.BroadcastToDims(graph.MulScalar(slot, f.Examples), batch)), -1)
	}

	past := graph.Gather(table, rows(read))
	stamp := graph.Slice(past, graph.AxisRange(), graph.AxisRange(0, 1))
	// At least 1: rows never written hold 0, which epoch Lookback−1 would take for its own.
	wanted := graph.ConvertDType(graph.MaxScalar(graph.AddScalar(epoch, 1-f.lookback()), 1), past.DType())
	valid := graph.LogicalAnd(real, graph.Reshape(graph.Equal(stamp, graph.BroadcastToDims(wanted, batch, 1)), batch))
	past = graph.Concatenate([]*graph.Node{graph.ZerosLike(stamp), graph.Slice(past, graph.AxisRange(), graph.AxisRange(1))}, 1)

	counted := graph.ConvertDType(graph.Reshape(valid, index.Shape().Dimensions...), z.DType())
	distance := trajectory(graph.Reshape(past, z.Shape().Dimensions...), z, s.Hyper("temperature", term.tau, z.DType()))
	distance = graph.Mul(distance, counted)
	sum := graph.ReduceSum(distance, -1)
	number := graph.ReduceSum(counted, -1)
	mean := graph.Div(sum, graph.Max(number, graph.OnesLike(number)))
	loss := f.Criterion(z, data)
	loss = graph.Add(loss, graph.Mul(term.weight(s, loss.DType()), graph.ConvertDType(mean, loss.DType())))
	beyond := graph.LogicalAny(graph.GreaterOrEqual(counts, graph.Scalar(g, dtypes.Int64, f.Examples)))
	nan := graph.BroadcastToShape(graph.Scalar(g, loss.DType(), math.NaN()), loss.Shape())
	loss = graph.Where(graph.BroadcastToDims(beyond, loss.Shape().Dimensions...), nan, loss)

	now := graph.StopGradient(graph.ConvertDType(graph.Reshape(z, batch, f.Classes), table.DType()))
	first := graph.Slice(now, graph.AxisRange(), graph.AxisRange(0, 1))
	stamp = graph.BroadcastToDims(graph.ConvertDType(graph.AddScalar(epoch, 1), table.DType()), batch, 1)
	now = graph.Concatenate([]*graph.Node{stamp, graph.Sub(graph.Slice(now, graph.AxisRange(), graph.AxisRange(1)), first)}, 1)
	// That the row's term is finite too says little, but makes the write wait for all that reads the history. Else XLA,
	// which may begin with the write, copies the whole history first, at each step.
	finite := graph.LogicalAnd(graph.LogicalAll(graph.IsFinite(now), 1), graph.IsFinite(graph.Reshape(distance, batch)))
	table = put(table, rows(written), now, graph.LogicalAnd(real, finite))
	return loss, append(memory[:1].with([]*graph.Node{graph.Reshape(table, history.Shape().Dimensions...)}), buffers...)
}

// put replaces rows of a table, each of them once at most, where real holds. Backends have no scatter that replaces; adding
// what is missing to the values costs one pass over the rows and is right to rounding, the whole numbers of epochs exactly.
func put(table, rows, values, real *graph.Node) *graph.Node {
	real = graph.BroadcastToDims(graph.ExpandAxes(real, -1), values.Shape().Dimensions...)
	missing := graph.Sub(values, graph.Gather(table, rows))
	return graph.ScatterSum(table, rows, graph.Where(real, missing, graph.ZerosLike(missing)), false, false)
}

// check the shapes that only the graph knows.
func (f SAF) check(z, index, history *graph.Node) {
	lead := history.Rank() - 3
	switch {
	case z.Rank() != 2+lead || z.Shape().Dim(-1) != f.Classes:
		panic(fmt.Errorf("optim: SAF: Classes is %d, must be the last axis of the outputs, which are %s", f.Classes, z.Shape()))
	case !index.DType().IsInt() || index.Rank() != 1+lead || index.Shape().Dim(-1) != z.Shape().Dim(-2):
		panic(fmt.Errorf("optim: SAF: Index gave %s, must be an integer for each row of the outputs, which are %s", index.Shape(), z.Shape()))
	case index.Shape().Dim(-1) > f.Examples:
		panic(fmt.Errorf("optim: SAF: Examples is %d, must be at least the minibatch's rows, %d", f.Examples, index.Shape().Dim(-1)))
	}
}

// Validate implements Objective.
func (f SAF) Validate() error {
	c := check("SAF")
	if f.Index == nil {
		c.add("Index is nil, must be a function")
	}
	if f.Examples < 1 {
		c.add("Examples is %d, must be at least 1", f.Examples)
	}
	if f.Classes < 2 {
		c.add("Classes is %d, must be at least 2", f.Classes)
	}
	if f.Lookback < 0 {
		c.add("Lookback is %d, must be at least 1 (0 means 3)", f.Lookback)
	} else if start := f.term().start; start < f.lookback() {
		c.add("Start is %d, must be at least Lookback, %d: before there is nothing to look back at", start, f.lookback())
	}
	return errors.Join(f.Supervised.validate("SAF"), f.term().validate(), c.join())
}
