package main

// numbers are n numbers in [low, high) by a generator that the peers have too:
// both sides start from the same parameters and data.
// Source: Steele, Lea, Flood (2014), Fast Splittable Pseudorandom Number Generators.
func numbers(seed uint64, n int, low, high float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		z := (seed<<32 + uint64(i) + 1) * 0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		z ^= z >> 31
		out[i] = low + (high-low)*float32(z>>40)/(1<<24)
	}
	return out
}
