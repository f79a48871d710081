package data

// SplitMix64 is a small random generator whose numbers are the same in every language: the papers' token sources and
// label noise are defined by it.
//
// Source: Steele, Lea, Flood (2014), Fast Splittable Pseudorandom Number Generators.
type SplitMix64 struct{ state uint64 }

// NewSplitMix64 starts a generator at a seed.
func NewSplitMix64(seed uint64) *SplitMix64 { return &SplitMix64{seed} }

// Uint64 returns the next 64 random bits. It makes a SplitMix64 a rand.Source.
func (s *SplitMix64) Uint64() uint64 {
	s.state += 0x9E3779B97F4A7C15
	z := s.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Float64 returns the next uniform number in [0, 1), of 53 bits.
func (s *SplitMix64) Float64() float64 { return float64(s.Uint64()>>11) * 0x1p-53 }
