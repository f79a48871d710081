package online

import (
	"hash/fnv"
	"math/rand/v2"
)

// Seeded is a generator for one purpose: the same seed and purpose give the same draws on every machine, and other purposes
// give independent ones. Learners and environments of one seed name different purposes, so that neither sees the other's coins.
func Seeded(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose)) // a hash never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
