package corpus

import (
	"context"
	"fmt"
	"iter"
	"runtime"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/internal/ahead"
)

// Windows is a corpus in tokens, packed: the documents one after the other, each with the tokenizer's end token behind it,
// cut into windows. A window's last token is the next one's first, so each token is predicted once.
type Windows struct {
	Corpus    *Corpus
	Tokenizer Tokenizer
	Time      int // tokens that a window predicts, one less than it holds
	// Held is how many tokens of the held-out part are predicted, rounded down to whole windows; 0: 10 million, as in the
	// LLaMA benchmarks.
	Held int
	// Workers is how many documents are tokenized at once; 0: as many as there are processors. It changes no token.
	Workers int
}

var _ data.Sequences = Windows{}

const defaultHeld = 10_000_000

func (w Windows) validate() error {
	switch {
	case w.Corpus == nil || w.Tokenizer == nil:
		return fmt.Errorf("corpus: Windows: Corpus is %v and Tokenizer %v, must not be nil", w.Corpus, w.Tokenizer)
	case w.Time < 1:
		return fmt.Errorf("corpus: Windows: Time is %d, must be at least 1", w.Time)
	case w.Held < 0 || w.Held > 0 && w.Held < w.Time:
		return fmt.Errorf("corpus: Windows: Held is %d, must be at least Time, %d, or 0", w.Held, w.Time)
	case w.Workers < 0:
		return fmt.Errorf("corpus: Windows: Workers is %d, must not be negative", w.Workers)
	}
	return nil
}

// Length implements [data.Sequences].
func (w Windows) Length() int { return w.Time + 1 }

// Stream implements [data.Sequences]: pass after pass over the training documents, each in an order of its own.
func (w Windows) Stream(ctx context.Context, seed uint64) iter.Seq2[[]int32, error] {
	return w.pack(ctx, func(yield func(string, error) bool) {
		for pass := uint64(0); ; pass++ {
			some := false
			for text, err := range w.Corpus.Documents(ctx, data.Train, seed+pass<<32) {
				if !yield(text, err) || err != nil {
					return
				}
				some = true
			}
			if !some {
				yield("", fmt.Errorf("corpus: %s: the training part holds no text", w.Corpus.Name))
				return
			}
		}
	})
}

// HeldOut implements [data.Sequences]. A held-out part of fewer tokens than asked for is taken as it is; one that does
// not fill a window is an error.
func (w Windows) HeldOut(ctx context.Context) ([]int32, error) {
	want := w.Held
	if want == 0 {
		want = max(defaultHeld, w.Time)
	}
	var out []int32
	for window, err := range w.pack(ctx, func(yield func(string, error) bool) { w.Corpus.Documents(ctx, data.Test, 0)(yield) }) {
		if err != nil {
			return nil, err
		}
		out = append(out, window...)
		if want -= w.Time; want < w.Time {
			break
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("corpus: %s: the held-out part does not fill a window of %d tokens", w.Corpus.Name, w.Time+1)
	}
	return out, nil
}

// pack cuts documents into windows. What is left at their end is left out.
func (w Windows) pack(ctx context.Context, documents iter.Seq2[string, error]) iter.Seq2[[]int32, error] {
	return func(yield func([]int32, error) bool) {
		if err := w.validate(); err != nil {
			yield(nil, err)
			return
		}
		workers := w.Workers
		if workers == 0 {
			workers = runtime.NumCPU()
		}
		var rest []int32
		for tokens, err := range ahead.Map(ctx, documents, workers, w.Tokenizer.Encode) {
			if err != nil {
				yield(nil, err)
				return
			}
			rest = append(append(rest, tokens...), w.Tokenizer.End())
			at := 0
			for ; at+w.Time < len(rest); at += w.Time {
				window := make([]int32, w.Time+1)
				copy(window, rest[at:])
				if !yield(window, nil) {
					return
				}
			}
			rest = append(rest[:0], rest[at:]...)
		}
	}
}
