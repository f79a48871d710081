package recovering

import (
	"cmp"
	"slices"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/stretchr/testify/assert"
)

func TestRoundUp(t *testing.T) {
	from := []float64{1, 3, 5, 7, 9, 11, 13, 4.2, 2.9999999999, 3.0000000001}
	for a, want := range map[int][]int{
		1: {1, 4, 8, 8, 16, 16, 16, 8, 4, 4}, 2: {1, 3, 6, 8, 12, 12, 16, 6, 3, 3}, 3: {1, 3, 5, 8, 10, 12, 16, 5, 3, 3},
	} {
		set := periodSet(a, 64)
		for i, x := range from {
			assert.Equal(t, want[i], roundUp(set, x), "a = %d: %g", a, x)
		}
	}
}

// An odd budget and a near-zero frequency: no period of a frequency that rounding left over, and none that overflows.
func TestTinyFrequencies(t *testing.T) {
	m := RecoveryModel{R: [][]float64{{.9}, {.5}}}
	r := &rounding{m: m, k: 1, x: [][]float64{{1 - 2e-10, 2e-10}}, longest: 2, load: make([]float64, 4)}
	periods := make([]int, 2)
	r.round(r.x[0], periodSet(1, 2), periods)
	assert.Equal(t, []int{1, 0}, periods)
}

// The repair drops arms with the lowest reward until the channels fit.
func TestRepair(t *testing.T) {
	m := RecoveryModel{R: [][]float64{{.9}, {.5}, {.7}}}
	r := &rounding{m: m, k: 1, load: make([]float64, 4)}
	periods := make([]int, 3)
	r.round([]float64{.5, 1. / 3, .4}, periodSet(2, 8), periods) // periods 2, 3, 3: one channel of each class
	assert.Equal(t, []int{2, 0, 0}, periods)
}

// The selection is what sorting finds, with many ties.
func TestTop(t *testing.T) {
	rng := online.Seeded(1, "test: top")
	for range 500 {
		h := top{key: make([]float64, 1+rng.IntN(30))}
		all := make([]int, len(h.key))
		for i := range h.key {
			h.key[i], all[i] = float64(rng.IntN(6)), i
		}
		slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(h.key[b], h.key[a]) })
		want := all[:1+rng.IntN(len(all))]
		slices.Sort(want)
		assert.Equal(t, want, h.best(len(want), nil))
	}
}
