package scan

import (
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// window is a stream of minibatches: n of rows indices a step.
type window struct{ n, rows int }

// Batch returns the next minibatch of n rows of each named input, the same rows of all: shapes [n, …].
//
// The rows are a fresh permutation each epoch, by seed; n rows a step, each at most once an epoch. Where n does not
// divide the number of rows, the last few of a permutation are left out, so no minibatch spans two epochs. Two calls
// in one step are two independent streams.
func (s *Step) Batch(n int, names ...string) []*graph.Node {
	if len(names) == 0 {
		panic(fmt.Errorf("Batch(%d): no inputs named, %s", n, list(s.inputNames)))
	}
	rows := 0
	for _, name := range names {
		x := s.Input(name)
		switch {
		case x.Rank() == 0:
			panic(fmt.Errorf("Batch(%d): input %q is a scalar, must have a leading axis", n, name))
		case rows != 0 && x.Shape().Dim(0) != rows:
			panic(fmt.Errorf("Batch(%d): input %q has %d rows, must have %d like %q", n, name, x.Shape().Dim(0), rows, names[0]))
		}
		rows = x.Shape().Dim(0)
	}
	index := graph.ExpandAxes(s.Indices(n, rows), -1)
	batch := make([]*graph.Node, len(names))
	for i, name := range names {
		batch[i] = graph.Gather(s.Input(name), index)
	}
	return batch
}

// Indices returns the next n of rows indices, as Batch uses them: int32, shape [n].
func (s *Step) Indices(n, rows int) *graph.Node {
	if n < 1 || n > rows {
		panic(fmt.Errorf("Batch: n is %d, must be between 1 and %d, the number of rows", n, rows))
	}
	k := len(s.windows)
	s.windows = append(s.windows, window{n, rows})
	if s.plan == nil {
		return graph.Zeros(s.g, shapes.Make(dtypes.Int32, n))
	}
	return s.indices[k]
}

// stream prepares a window's indices on the host, step by step.
type stream struct {
	window
	seed  int64
	which uint64 // number of the stream in the step
	epoch int    // of perm; -1 before the first
	perm  []int32
}

func newStream(w window, seed int64, which int) *stream {
	return &stream{window: w, seed: seed, which: uint64(which), epoch: -1, perm: make([]int32, w.rows)}
}

// fill writes the indices of the steps after done into out, n a step.
func (st *stream) fill(out []int32, done int) {
	perEpoch := st.rows / st.n
	for len(out) > 0 {
		st.shuffle(done / perEpoch)
		at := done % perEpoch
		k := min(perEpoch-at, len(out)/st.n)
		copy(out, st.perm[at*st.n:(at+k)*st.n])
		out, done = out[k*st.n:], done+k
	}
}

// shuffle makes perm the permutation of an epoch: Fisher and Yates' method over a generator of its own, so that the
// order never depends on what ran before.
func (st *stream) shuffle(epoch int) {
	if st.epoch == epoch {
		return
	}
	st.epoch = epoch
	src := rand.NewPCG(uint64(st.seed), uint64(epoch)<<8|st.which)
	for i := range st.perm {
		st.perm[i] = int32(i)
	}
	for i := st.rows - 1; i > 0; i-- {
		j, _ := bits.Mul64(src.Uint64(), uint64(i+1))
		st.perm[i], st.perm[j] = st.perm[j], st.perm[i]
	}
}
