package data

import "fmt"

// WithNoisyLabels returns the examples with some labels replaced: example k draws two uniforms (a, b) from [SplitMix64]
// of the seed, in order; where a < rate its label becomes ⌊classes·b⌋, which may be the true one. The features are shared.
func (d *Dataset) WithNoisyLabels(rate float64, seed uint64) (*Dataset, error) {
	if !(rate >= 0 && rate <= 1) || d.Labels == nil || len(d.Classes) == 0 {
		return nil, fmt.Errorf("data: %s: WithNoisyLabels: rate is %g, must be in [0, 1], of examples with classes", d.Name, rate)
	}
	out := *d
	out.Labels = make([]int32, len(d.Labels))
	rng := NewSplitMix64(seed)
	for i, label := range d.Labels {
		a, b := rng.Float64(), rng.Float64()
		if a < rate {
			label = int32(float64(len(d.Classes)) * b)
		}
		out.Labels[i] = label
	}
	return &out, nil
}
