package scan

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// window is a stream of minibatches: n of rows indices a step, for one run (runs 0) or for each.
type window struct{ n, rows, runs int }

// dims of the indices of a step.
func (w window) dims() []int {
	if w.runs == 0 {
		return []int{w.n}
	}
	return []int{w.runs, w.n}
}

// size is the number of indices of a step.
func (w window) size() int { return max(1, w.runs) * w.n }

// Batch returns the next minibatch of n rows of each named input, the same rows of all: shapes [n, …].
//
// The rows are a fresh permutation each epoch, by seed; n rows a step, each at most once an epoch. Where n does not
// divide the number of rows, the last few of a permutation are left out, so no minibatch spans two epochs. Two calls
// in one step are two independent streams.
func (s *Step) Batch(n int, names ...string) []*graph.Node { return s.batch("Batch", 0, n, names) }

// BatchEach is Batch for each of the loop's Runs, each with a permutation of its own: shapes [runs, n, …].
func (s *Step) BatchEach(n int, names ...string) []*graph.Node {
	s.mustHaveRuns("BatchEach")
	return s.batch("BatchEach", s.runs, n, names)
}

func (s *Step) batch(method string, runs, n int, names []string) []*graph.Node {
	if len(names) == 0 {
		panic(fmt.Errorf("%s(%d): no inputs named, %s", method, n, list(s.inputNames)))
	}
	rows := 0
	for i, name := range names {
		x := s.Input(name)
		switch {
		case x.Rank() == 0:
			panic(fmt.Errorf("%s(%d): input %q is a scalar, must have a leading axis", method, n, name))
		case i > 0 && x.Shape().Dim(0) != rows:
			panic(fmt.Errorf("%s(%d): input %q has %d rows, must have %d like %q", method, n, name, x.Shape().Dim(0), rows, names[0]))
		}
		rows = x.Shape().Dim(0)
	}
	index := graph.ExpandAxes(s.indicesOf(method, window{n, rows, runs}), -1)
	batch := make([]*graph.Node, len(names))
	for i, name := range names {
		batch[i] = graph.Gather(s.Input(name), index)
	}
	return batch
}

// Indices returns the next n of rows indices, as Batch uses them: int32, shape [n].
func (s *Step) Indices(n, rows int) *graph.Node { return s.indicesOf("Indices", window{n, rows, 0}) }

func (s *Step) indicesOf(method string, w window) *graph.Node {
	if w.n < 1 || w.n > w.rows {
		panic(fmt.Errorf("%s: n is %d, must be between 1 and %d, the number of rows", method, w.n, w.rows))
	}
	k := len(s.windows)
	s.windows = append(s.windows, w)
	if s.plan == nil {
		return graph.Zeros(s.g, shapes.Make(dtypes.Int32, w.dims()...))
	}
	return s.indices[k]
}

// stream prepares a window's indices on the host, step by step.
type stream struct {
	window
	perms []permutation // one a run
}

func newStream(w window, seed int64, which int) *stream {
	st := &stream{window: w}
	for i := range max(1, w.runs) {
		st.perms = append(st.perms, permutation{seed: uint64(seed) + uint64(i), which: uint64(which), epoch: -1})
	}
	return st
}

// fill writes the indices of the steps after done into out.
func (st *stream) fill(out []int32, done int) {
	perEpoch := st.rows / st.n
	for ; len(out) > 0; done++ {
		for i := range st.perms {
			p := &st.perms[i]
			p.shuffle(done/perEpoch, st.rows)
			at := done % perEpoch * st.n
			copy(out[i*st.n:(i+1)*st.n], p.order[at:at+st.n])
		}
		out = out[st.size():]
	}
}

// permutation of the rows in an epoch: a function of seed, place of the Batch call in the step, and epoch.
type permutation struct {
	seed, which uint64
	epoch       int // of order; -1 before the first
	order       []int32
}

// shuffle moves on to an epoch, by Fisher and Yates' method with a generator of its own, so that the order never depends
// on what ran before.
func (p *permutation) shuffle(epoch, rows int) {
	if p.epoch == epoch {
		return
	}
	p.epoch = epoch
	p.order = slices.Grow(p.order[:0], rows)[:rows]
	for i := range p.order {
		p.order[i] = int32(i)
	}
	src := rand.NewPCG(p.seed, uint64(epoch)<<8|p.which)
	for i := rows - 1; i > 0; i-- {
		j, _ := bits.Mul64(src.Uint64(), uint64(i+1))
		p.order[i], p.order[j] = p.order[j], p.order[i]
	}
}
