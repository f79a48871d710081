package data

import (
	"context"
	"iter"
)

// Sequences is where a language model's training takes its tokens from: a [TokenSource], or a corpus of text.
type Sequences interface {
	// Length is how many tokens a sequence holds: those that are read and, moved by one, those that are predicted.
	Length() int
	// Stream returns the seed's training sequences, each of Length tokens, without end. An error ends it.
	Stream(ctx context.Context, seed uint64) iter.Seq2[[]int32, error]
	// HeldOut returns the sequences that losses are compared on, one after the other. None of them is trained on.
	HeldOut(ctx context.Context) ([]int32, error)
}

var _ Sequences = (*TokenSource)(nil)

// Length implements [Sequences]: [SequenceLength].
func (s *TokenSource) Length() int { return SequenceLength }

// Stream implements [Sequences]: what [TokenSource.Training] returns, one by one.
func (s *TokenSource) Stream(ctx context.Context, seed uint64) iter.Seq2[[]int32, error] {
	return func(yield func([]int32, error) bool) {
		for i := 0; ctx.Err() == nil; i++ {
			if !yield(s.Training(seed, i, 1)) {
				return
			}
		}
		yield(nil, ctx.Err())
	}
}

// HeldOut implements [Sequences]: [TokenSource.Validation].
func (s *TokenSource) HeldOut(context.Context) ([]int32, error) { return s.Validation(), nil }
