package corpus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tiktoken-go/tokenizer/codec"
)

// Tokenizer turns text into tokens and back. It may be used by several goroutines at once.
type Tokenizer interface {
	// Vocab is the number of tokens.
	Vocab() int
	// End is the token that ends a document.
	End() int32
	// Encode returns a text's tokens. What looks like a special token in it is text like any other.
	Encode(text string) ([]int32, error)
	// Decode returns the text of tokens. Tokens that stand for no text are left out; one out of range is an error.
	Decode(tokens []int32) (string, error)
}

type gpt2 struct{ codec *codec.Codec }

// GPT2 is GPT-2's byte-pair encoding of 50 257 tokens. It needs no file.
//
// Source: Radford et al. (2019), Language Models are Unsupervised Multitask Learners, section 2.2.
func GPT2() Tokenizer { return gpt2{codec.NewR50kBase()} }

func (gpt2) Vocab() int { return 50257 }

func (gpt2) End() int32 { return 50256 }

// The codec loses the character U+007F. Like it, the control characters from 0 to 8 are neither letters, numbers nor
// spaces and a token each that takes part in no merge, so one that the text lacks can stand in.
const (
	lost      = "\x7f"
	lostToken = 221
	standIns  = "\x00\x01\x02\x03\x04\x05\x06\x07\x08"
	standIn0  = 188 // token of the first
)

func (t gpt2) Encode(text string) ([]int32, error) {
	standIn := -1
	if strings.Contains(text, lost) {
		standIn = strings.IndexFunc(standIns, func(c rune) bool { return !strings.ContainsRune(text, c) })
		if standIn < 0 {
			return nil, errors.New("corpus: GPT2: the text holds all control characters from 0 to 8 and U+007F, must lack one")
		}
		text = strings.ReplaceAll(text, lost, standIns[standIn:standIn+1])
	}
	ids, _, err := t.codec.Encode(text)
	if err != nil {
		return nil, fmt.Errorf("corpus: GPT2: %w", err)
	}
	out := make([]int32, len(ids))
	for i, k := range ids {
		if out[i] = int32(k); standIn >= 0 && out[i] == standIn0+int32(standIn) {
			out[i] = lostToken
		}
	}
	return out, nil
}

func (t gpt2) Decode(tokens []int32) (string, error) {
	ids := make([]uint, 0, len(tokens))
	for i, k := range tokens {
		if k < 0 || int(k) >= t.Vocab() {
			return "", fmt.Errorf("corpus: GPT2: token %d is %d, must be between 0 and %d", i, k, t.Vocab()-1)
		}
		if k != t.End() {
			ids = append(ids, uint(k))
		}
	}
	return t.codec.Decode(ids)
}
