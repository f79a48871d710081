// Package scan runs many steps of a pure graph function over named tensors: a training run, a game, a recursion.
//
// A [Loop] holds the step, a function that reads state tensors ([Step.Get]), writes them ([Step.Set]) and records
// scalars or tensors ([Step.Trace]). [Compile] turns it into a [Program], which is run as often as wanted, with other
// data, other hyper-parameters, another seed or another number of steps, without compiling again.
//
// The steps run in one of two ways, with the same results to rounding:
//
//   - [Fused]: many steps in one executable (a While of XLA), the state never leaves it. Best for dense networks and for
//     tiny problems, whose cost is the call.
//   - [Stepwise]: one compiled step, called again and again, the state kept on the device. Best for convolutions, which
//     lose their fast path inside XLA's While on the CPU, and the only way on the pure-Go backend.
//
// [Auto] chooses and says why in [Result].Why.
//
// Every random draw and every minibatch is a function of the seed, the step's number and the place of the call in the
// step, so both ways, and a run cut in pieces, see the same ones.
package scan

import (
	"maps"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// Vars are named tensors, e.g. the state of a run.
type Vars map[string]*tensors.Tensor

// names returns the names, sorted.
func (v Vars) names() []string { return slices.Sorted(maps.Keys(v)) }

// Mode says how the steps run.
type Mode int

// The ways of running a program.
const (
	Auto     Mode = iota // chosen by what the step holds and by the backend
	Fused                // many steps in one executable
	Stepwise             // one compiled step, called again and again
)

func (m Mode) String() string {
	switch m {
	case Fused:
		return "fused"
	case Stepwise:
		return "stepwise"
	}
	return "auto"
}

// Loop describes a run: a step and how its results are watched. It is a description only: one Loop may be compiled
// for several backends.
type Loop struct {
	// Name appears in errors; default "loop".
	Name string
	// Step builds one step's graph. It is called while compiling, more than once, and must be pure: whatever lasts from
	// one step to the next goes through Get and Set. It may panic, as graph building does; Compile returns the panic
	// as an error.
	Step func(s *Step)
	// Runs, if not 0, is the number of independent runs that the step holds along a leading axis, with the seeds
	// seed, seed+1, …: see [Step.NormalEach] and [Step.BatchEach].
	Runs int
	// Mode insists on a way to run; default Auto.
	Mode Mode
	// TraceEvery n records steps n, 2n, 3n, …; default 1, every step. What only a trace needs, e.g. an evaluation, is
	// not computed at the other steps.
	TraceEvery int
	// Chunk is the most steps between two looks at the context and two calls of Progress; default: chosen so that
	// a chunk takes about a tenth of a second.
	Chunk int
	// Progress, if set, is called after each chunk with the steps done and the steps asked for.
	Progress func(done, total int)
	// StopNonFinite names the trace or state tensor that must stay finite: the run stops with [NonFiniteError] and the
	// last finite state. Default: the trace "loss", where there is one and it is a scalar. "-" watches nothing.
	StopNonFinite string
}

// Status says why a run ended.
type Status int

// What may have ended a run.
const (
	Done        Status = iota // all steps ran
	Interrupted               // the context ended first
	NonFinite                 // the watched tensor became NaN or infinite
)

func (s Status) String() string {
	switch s {
	case Interrupted:
		return "interrupted"
	case NonFinite:
		return "non-finite"
	}
	return "done"
}

// Result of a run, complete or not. State, Steps and Seed are all that a later [Program.Resume] needs.
type Result struct {
	State  Vars  // after the last step
	Traces Vars  // leading axis: the recorded steps, first to last
	Steps  int   // steps done since the first
	Seed   int64 // of the draws and minibatches
	Status Status
	Mode   Mode   // how the steps ran
	Why    string // why in that mode
}
