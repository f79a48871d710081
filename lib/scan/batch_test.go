package scan_test

import (
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/hindsight-go/hindsight/lib/scan"
	"github.com/stretchr/testify/require"
)

func numbered(n int) *tensors.Tensor {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return tensors.FromValue(rows)
}

var nothing = scan.Vars{"none": tensors.FromValue(float32(0))}

// An epoch is a permutation, less the rows that fill no minibatch; the next is another one; streams are independent.
func TestBatchesArePermutations(t *testing.T) {
	loop := scan.Loop{Step: func(s *scan.Step) {
		s.Trace("a", s.Batch(3, "rows")[0])
		s.Trace("b", s.Batch(3, "rows")[0])
		s.Trace("i", s.Indices(3, 11))
	}}
	everyWay(t, func(t *testing.T, w way) {
		r := w.run(t, loop, nothing, scan.Vars{"rows": numbered(11)}, 12, 3) // 3 minibatches an epoch
		var orders [][]int32
		for _, name := range []string{"a", "b", "i"} {
			flat := tensors.MustCopyFlatData[int32](r.Traces[name])
			for epoch := range 4 {
				order := flat[9*epoch : 9*epoch+9]
				orders = append(orders, order)
				sorted := slices.Clone(order)
				slices.Sort(sorted)
				require.Len(t, slices.Compact(sorted), 9, "a row twice in epoch %d of %s", epoch, name)
				require.GreaterOrEqual(t, sorted[0], int32(0))
				require.Less(t, sorted[len(sorted)-1], int32(11))
			}
		}
		for i := range orders {
			for j := range i {
				require.NotEqual(t, orders[i], orders[j])
			}
		}
	})
}

// Every order of three rows is as likely as another.
func TestShuffleIsFair(t *testing.T) {
	loop := scan.Loop{Step: func(s *scan.Step) { s.Trace("order", s.Indices(3, 3)) }}
	r, err := scan.Run(background, ways(t)["stepwise"].b, loop, nothing, nil, 6000, 17)
	require.NoError(t, err)
	counts := make(map[[3]int32]int)
	flat := tensors.MustCopyFlatData[int32](r.Traces["order"])
	for i := 0; i < len(flat); i += 3 {
		counts[[3]int32(flat[i:i+3])]++
	}
	require.Len(t, counts, 6)
	var list []int
	for _, n := range counts {
		list = append(list, n)
	}
	chiSquared(t, list)
}

// The rows of several inputs belong together, whatever their shapes.
func TestBatchKeepsRowsTogether(t *testing.T) {
	loop := scan.Loop{Step: func(s *scan.Step) {
		b := s.Batch(2, "rows", "wide")
		s.Trace("rows", b[0])
		s.Trace("wide", b[1])
	}}
	inputs := scan.Vars{"rows": numbered(4), "wide": tensors.FromValue([][]int32{{0, 10}, {1, 11}, {2, 12}, {3, 13}})}
	everyWay(t, func(t *testing.T, w way) {
		r := w.run(t, loop, nothing, inputs, 5, 1)
		rows, wide := tensors.MustCopyFlatData[int32](r.Traces["rows"]), tensors.MustCopyFlatData[int32](r.Traces["wide"])
		for i, row := range rows {
			require.Equal(t, []int32{row, row + 10}, wide[2*i:2*i+2])
		}
	})
}
