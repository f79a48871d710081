package corpus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hindsight-go/hindsight/lib/data"
)

// T5 is the T5 models' SentencePiece vocabulary of 32 000 pieces, which the LLaMA benchmarks on C4 train with. (Hugging
// Face counts 100 more tokens, which stand for no text.) Its file, spiece.model, is looked up and downloaded as data are,
// in the folder t5.
//
// Source: Raffel et al. (2020), section 3.3.1. Licence: Apache 2.0.
func T5(ctx context.Context, o data.Options) (*SentencePiece, error) {
	path, err := data.LargeFile{Set: "t5", Name: "spiece.model",
		URL:    "https://huggingface.co/google-t5/t5-base/resolve/a9723ea7f1b39c1eae772870f3b547bf6ef7e6c1/",
		SHA256: "d60acb128cf7b7f2536e8f38a5b18a05535c9e14c7a355904270e15b0945ea86"}.Find(ctx, o)
	if err != nil {
		return nil, err
	}
	model, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("corpus: T5: %w", err)
	}
	return NewSentencePiece(model)
}

// SentencePiece is a unigram model: a text's pieces are those of the largest sum of log-probabilities. The same as the
// reference's, ties and rounding included.
//
// Source: Kudo (2018), Subword Regularization; Kudo, Richardson (2018), SentencePiece.
type SentencePiece struct {
	normalizer normalizer
	pieces     []piece
	tokens     trie // of the normal pieces
	unknown    int32
	end        int32
	unseen     float32 // score of a character that is in no piece
}

type piece struct {
	text  string
	score float32
	kind  uint64
}

// Kinds of pieces in a model file.
const (
	normalPiece  = 1
	unknownPiece = 2
	controlPiece = 3
)

// unseenPenalty is what a character in no piece scores less than the least likely piece.
const unseenPenalty = 10

// space is what stands for a space in a piece.
const space = "▁"

var _ Tokenizer = (*SentencePiece)(nil)

// NewSentencePiece reads a model file, as the reference's trainer writes it. Only unigram models without byte fallback and
// without pieces of the user's are known; others are an error. The piece "</s>" ends documents.
func NewSentencePiece(model []byte) (*SentencePiece, error) {
	s := &SentencePiece{unknown: -1, end: -1, normalizer: normalizer{prefix: true, squeeze: true}}
	if err := s.parse(model); err != nil {
		return nil, fmt.Errorf("corpus: SentencePiece: %w", err)
	}
	return s, nil
}

func (s *SentencePiece) parse(model []byte) error {
	err := fields(model, func(number protowire.Number, v value) error {
		switch number {
		case 1:
			return s.addPiece(v.bytes)
		case 2:
			return checkTrainer(v.bytes)
		case 3:
			return s.normalizer.parse(v.bytes)
		}
		return nil
	})
	if err != nil {
		return err
	}
	lowest := float32(math.Inf(1))
	s.tokens = newTrie()
	for i, p := range s.pieces {
		switch p.kind {
		case normalPiece:
			lowest = min(lowest, p.score)
			s.tokens.add(p.text, int32(i))
		case unknownPiece:
			s.unknown = int32(i)
		case controlPiece:
			if p.text == "</s>" {
				s.end = int32(i)
			}
		default:
			return fmt.Errorf("piece %d, %q, is of kind %d, must be 1 (normal), 2 (unknown) or 3 (control)", i, p.text, p.kind)
		}
	}
	if s.unknown < 0 || s.end < 0 || math.IsInf(float64(lowest), 1) {
		return errors.New("there must be an unknown piece, the control piece </s> and normal pieces")
	}
	s.unseen = lowest - unseenPenalty
	return nil
}

func (s *SentencePiece) addPiece(message []byte) error {
	p := piece{kind: normalPiece}
	err := fields(message, func(number protowire.Number, v value) error {
		switch number {
		case 1:
			p.text = string(v.bytes)
		case 2:
			p.score = math.Float32frombits(uint32(v.number))
		case 3:
			p.kind = v.number
		}
		return nil
	})
	if err == nil && (p.text == "" || math.IsNaN(float64(p.score)) || math.IsInf(float64(p.score), 0)) {
		err = fmt.Errorf("piece %d is %q of score %g, must have a text and a finite score", len(s.pieces), p.text, p.score)
	}
	s.pieces = append(s.pieces, p)
	return err
}

// checkTrainer refuses what is not known here.
func checkTrainer(message []byte) error {
	return fields(message, func(number protowire.Number, v value) error {
		switch {
		case number == 3 && v.number != 1:
			return fmt.Errorf("the model is of kind %d, must be 1, unigram", v.number)
		case number == 24 && v.number != 0, number == 35 && v.number != 0:
			return errors.New("the model has spaces as suffixes or bytes as fallback, which are not known here")
		}
		return nil
	})
}

// value is a field of a protocol buffer: a number, or bytes.
type value struct {
	number uint64
	bytes  []byte
}

// fields calls f with each field of a message.
func fields(message []byte, f func(number protowire.Number, v value) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var v value
		switch kind {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(message)
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(message)
			v.number = uint64(bits)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if err := f(number, v); err != nil {
			return err
		}
	}
	return nil
}

// Vocab implements [Tokenizer].
func (s *SentencePiece) Vocab() int { return len(s.pieces) }

// End implements [Tokenizer].
func (s *SentencePiece) End() int32 { return s.end }

// Encode implements [Tokenizer]. Runs of characters that are in no piece become one unknown token.
func (s *SentencePiece) Encode(text string) ([]int32, error) {
	normal := s.normalizer.normalize(text)
	// best[i] is the best way to cut the first i bytes: its score, its last piece and where that begins.
	type way struct {
		score float32
		token int32
		from  int32
	}
	best := make([]way, len(normal)+1)
	for i := range best {
		best[i].from = -1
	}
	for at := 0; at < len(normal); {
		_, size := utf8.DecodeRuneInString(normal[at:])
		here := best[at].score
		single := false // whether the character itself is a piece
		reach := func(end int, score float32, token int32) {
			if w := &best[end]; w.from < 0 || here+score > w.score {
				*w = way{here + score, token, int32(at)}
			}
		}
		s.tokens.prefixes(normal[at:], func(n int, token int32) {
			single = single || n == size
			reach(at+n, s.pieces[token].score, token)
		})
		if !single {
			reach(at+size, s.unseen, s.unknown)
		}
		at += size
	}
	var out []int32
	for end := len(normal); end > 0; end = int(best[end].from) {
		if k := best[end].token; k != s.unknown || len(out) == 0 || out[len(out)-1] != k {
			out = append(out, k)
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, nil
}

// Decode implements [Tokenizer]. An unknown piece is " ⁇ ".
func (s *SentencePiece) Decode(tokens []int32) (string, error) {
	var out strings.Builder
	for i, k := range tokens {
		if k < 0 || int(k) >= len(s.pieces) {
			return "", fmt.Errorf("corpus: SentencePiece: token %d is %d, must be between 0 and %d", i, k, len(s.pieces)-1)
		}
		switch p := s.pieces[k]; p.kind {
		case normalPiece:
			out.WriteString(strings.ReplaceAll(p.text, space, " "))
		case unknownPiece:
			out.WriteString(" ⁇ ")
		}
	}
	return strings.TrimPrefix(out.String(), " "), nil
}

// trie finds the pieces that begin a text.
type trie struct {
	next  map[uint64]int32 // node and byte, to node
	token []int32          // of the piece that ends at a node; −1: none
}

func newTrie() trie { return trie{map[uint64]int32{}, []int32{-1}} }

func (t *trie) add(text string, token int32) {
	node := int32(0)
	for i := range len(text) {
		edge := uint64(node)<<8 | uint64(text[i])
		to, ok := t.next[edge]
		if !ok {
			to = int32(len(t.token))
			t.next[edge] = to
			t.token = append(t.token, -1)
		}
		node = to
	}
	t.token[node] = token
}

// prefixes calls f with the length and the token of each piece that begins text, the shortest first.
func (t *trie) prefixes(text string, f func(n int, token int32)) {
	node := int32(0)
	for i := range len(text) {
		to, ok := t.next[uint64(node)<<8|uint64(text[i])]
		if !ok {
			return
		}
		if node = to; t.token[node] >= 0 {
			f(i+1, t.token[node])
		}
	}
}
