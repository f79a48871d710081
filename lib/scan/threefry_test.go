package scan

import (
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/stretchr/testify/require"
)

// The known answers of Random123's file kat_vectors for threefry2x32 with 20 rounds.
func TestThreefryKnownAnswers(t *testing.T) {
	for _, c := range []struct{ key, counter, want [2]uint32 }{
		{[2]uint32{0, 0}, [2]uint32{0, 0}, [2]uint32{0x6b200159, 0x99ba4efe}},
		{[2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0x1cb996fc, 0xbb002be7}},
		{[2]uint32{0x13198a2e, 0x03707344}, [2]uint32{0x243f6a88, 0x85a308d3}, [2]uint32{0xc4923a9c, 0x483df7a0}},
	} {
		out, err := graph.CallOnceN(backend.ForTest(t), func(in []*graph.Node) []*graph.Node {
			x, y := threefry(in[0], in[1], in[2], in[3])
			return []*graph.Node{x, y}
		}, c.key[0], c.key[1], c.counter[0], c.counter[1])
		require.NoError(t, err)
		require.Equal(t, c.want, [2]uint32{out[0].Value().(uint32), out[1].Value().(uint32)})
	}
}
