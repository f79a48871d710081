package data

import (
	"fmt"
	"sort"
)

// TokenSource is a synthetic language: token sequences with heavy-tailed frequencies and a known structure, so that the
// best loss any model can reach is known too. Use [ZM512] or [PAIR16].
type TokenSource struct {
	Name  string
	Vocab int     // number of tokens
	Bayes float64 // mean loss, in nats a predicted token, of the true model on [TokenSource.Validation]

	cumulative []float64 // of the Zipf frequencies q_k ∝ 1/(k+1)
	next       func(s *TokenSource, past []int32, a, b float64) int32
	successors []int32
}

// SequenceLength is how many tokens a sequence holds: 32 inputs and, moved by one, 32 targets.
const SequenceLength = 33

// ZM512 is a source of 512 tokens: with probability 0.6 the next token is one of four successors of the last, with 0.2 a
// Zipf draw, else the token four before. Its heavy tail makes plain SGD slow, as on natural language.
func ZM512() *TokenSource {
	const successorsEach = 4
	s := &TokenSource{Name: "ZM512", Vocab: 512, Bayes: 2.4677, cumulative: zipf(512)}
	s.successors = s.table(512 * successorsEach)
	weights := []float64{0.5, 0.75, 0.9, 1} // cumulative weights of the four
	s.next = func(s *TokenSource, past []int32, a, b float64) int32 {
		t := len(past)
		switch {
		case t == 0:
			return s.draw(b)
		case a < 0.60:
			r := min(sort.Search(successorsEach, func(k int) bool { return weights[k] > b }), successorsEach-1)
			return s.successors[int(past[t-1])*successorsEach+r]
		case a < 0.80 || t < 4:
			return s.draw(b)
		}
		return past[t-4]
	}
	return s
}

// PAIR16 is a source of 16 tokens: with probability 0.9 the next token is a function of the last two, else a Zipf draw.
// A model that sees one token back cannot go below 1.549 nats.
func PAIR16() *TokenSource {
	s := &TokenSource{Name: "PAIR16", Vocab: 16, Bayes: 0.5436, cumulative: zipf(16)}
	s.successors = s.table(16 * 16)
	s.next = func(s *TokenSource, past []int32, a, b float64) int32 {
		t := len(past)
		if t < 2 || a < 0.1 {
			return s.draw(b)
		}
		return s.successors[int(past[t-2])*s.Vocab+int(past[t-1])]
	}
	return s
}

// Training returns n training sequences, [SequenceLength] tokens each, one after the other, from number first on. The
// sequences of a seed are one endless stream: step t of batch size B reads first = t·B, n = B.
func (s *TokenSource) Training(seed uint64, first, n int) ([]int32, error) {
	if first < 0 || n < 1 {
		return nil, fmt.Errorf("data: %s: Training: first is %d and n is %d, must be at least 0 and 1", s.Name, first, n)
	}
	return s.sequences(10000+seed, first, n), nil
}

// Validation returns the 256 sequences that losses are compared on.
func (s *TokenSource) Validation() []int32 { return s.sequences(99, 0, 256) }

func (s *TokenSource) sequences(seed uint64, first, n int) []int32 {
	// The generator's state after k draws is seed + k·γ, so any sequence can be reached at once.
	rng := NewSplitMix64(seed + uint64(first*SequenceLength*2)*0x9E3779B97F4A7C15)
	out := make([]int32, 0, n*SequenceLength)
	for i := range n {
		for range SequenceLength {
			a, b := rng.Float64(), rng.Float64()
			out = append(out, s.next(s, out[i*SequenceLength:], a, b))
		}
	}
	return out
}

// table draws the successors, from a seed of their own.
func (s *TokenSource) table(n int) []int32 {
	rng := NewSplitMix64(7)
	out := make([]int32, n)
	for i := range out {
		out[i] = s.draw(rng.Float64())
	}
	return out
}

// draw is the number of k with c_k ≤ u, at most the last token.
func (s *TokenSource) draw(u float64) int32 {
	return int32(min(sort.Search(s.Vocab, func(k int) bool { return s.cumulative[k] > u }), s.Vocab-1))
}

func zipf(vocab int) []float64 {
	out := make([]float64, vocab)
	var total float64
	for k := range out {
		total += 1 / float64(k+1)
		out[k] = total
	}
	for k := range out {
		out[k] /= total
	}
	return out
}
