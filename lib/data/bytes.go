package data

import (
	"errors"
	"fmt"
	"math"
)

// Text is a corpus in tokens: each distinct byte is one, numbered from 0 in the order of the bytes.
type Text struct {
	Tokens   []int32
	Alphabet []byte // the byte of each token
}

// NewText numbers the bytes of a corpus. A corpus of fewer than two bytes is an error.
func NewText(corpus []byte) (*Text, error) {
	if len(corpus) < 2 {
		return nil, fmt.Errorf("data: NewText: the corpus holds %d bytes, must hold at least 2", len(corpus))
	}
	var number [256]int32
	for _, c := range corpus {
		number[c] = 1
	}
	t := &Text{Tokens: make([]int32, len(corpus))}
	for c, seen := range number {
		if seen > 0 {
			number[c] = int32(len(t.Alphabet))
			t.Alphabet = append(t.Alphabet, byte(c))
		}
	}
	for i, c := range corpus {
		t.Tokens[i] = number[c]
	}
	return t, nil
}

// Split cuts the text in two of one alphabet: the last part, a fraction held of the tokens, is for validation.
func (t *Text) Split(held float64) (train, validation *Text, err error) {
	n := len(t.Tokens) - int(held*float64(len(t.Tokens)))
	if !(held > 0 && held < 1) || n < 1 || n == len(t.Tokens) {
		return nil, nil, fmt.Errorf("data: Text: Split: held is %g, must be in (0, 1) and leave tokens in both of %d", held, len(t.Tokens))
	}
	return &Text{t.Tokens[:n], t.Alphabet}, &Text{t.Tokens[n:], t.Alphabet}, nil
}

// String is the text as bytes again.
func (t *Text) String() string {
	out := make([]byte, len(t.Tokens))
	for i, k := range t.Tokens {
		out[i] = t.Alphabet[k]
	}
	return string(out)
}

// Encode numbers other bytes by this text's alphabet. A byte that is not in it is an error.
func (t *Text) Encode(text []byte) ([]int32, error) {
	var number [256]int32
	for i := range number {
		number[i] = -1
	}
	for k, c := range t.Alphabet {
		number[c] = int32(k)
	}
	out := make([]int32, len(text))
	var errs []error
	for i, c := range text {
		if out[i] = number[c]; out[i] < 0 {
			errs = append(errs, fmt.Errorf("data: Text: Encode: byte %d is %q, which is not in the alphabet", i, c))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

// Entropy is the mean of −log q in nats a token, with q the tokens' own frequencies: what a model that sees no other
// token can reach.
func (t *Text) Entropy() float64 {
	counts := make([]float64, len(t.Alphabet))
	for _, k := range t.Tokens {
		counts[k]++
	}
	var h float64
	for _, n := range counts {
		if n > 0 {
			q := n / float64(len(t.Tokens))
			h -= q * math.Log(q)
		}
	}
	return h
}
