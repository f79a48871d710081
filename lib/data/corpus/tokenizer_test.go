package corpus

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hindsight-go/hindsight/lib/data"
)

// unpacked is a file of testdata.
func unpacked(t testing.TB, name string) []byte {
	t.Helper()
	packed, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// small is the unigram model that testdata/golden.py trained.
func small(t testing.TB) *SentencePiece {
	t.Helper()
	s, err := NewSentencePiece(unpacked(t, "small.model.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// golden is a text with the references' tokens: sentencepiece's and tiktoken's.
type golden struct {
	Text         string
	Small        []int32
	SmallDecoded string `json:"small_decoded"`
	T5, GPT2     []int32
}

func goldens(t *testing.T) (all []golden) {
	t.Helper()
	if err := json.Unmarshal(unpacked(t, "golden.json.gz"), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 200 {
		t.Fatalf("there are %d texts", len(all))
	}
	return all
}

// same compares a tokenizer with the reference's tokens.
func same(t *testing.T, tok Tokenizer, want func(golden) []int32) {
	t.Helper()
	for _, g := range goldens(t) {
		if got, err := tok.Encode(g.Text); err != nil || !slices.Equal(got, want(g)) {
			t.Errorf("%q is %v (%v), the reference has %v", g.Text, got, err, want(g))
		}
	}
}

func TestSentencePieceParity(t *testing.T) {
	s := small(t)
	same(t, s, func(g golden) []int32 { return g.Small })
	for _, g := range goldens(t) {
		if got, err := s.Decode(g.Small); err != nil || got != g.SmallDecoded {
			t.Errorf("%v decodes to %q (%v), the reference has %q", g.Small, got, err, g.SmallDecoded)
		}
	}
	if s.Vocab() != 700 || s.End() != 1 {
		t.Errorf("%d tokens, the end is %d", s.Vocab(), s.End())
	}
}

func TestT5Parity(t *testing.T) {
	s, err := T5(t.Context(), data.Options{Offline: true})
	if errors.Is(err, data.ErrUnavailable) { // TestSentencePieceParity has a vocabulary of its own
		t.Skip("T5's published vocabulary is not on this machine")
	}
	if err != nil {
		t.Fatal(err)
	}
	same(t, s, func(g golden) []int32 { return g.T5 })
	if s.Vocab() != 32000 || s.End() != 1 {
		t.Errorf("%d tokens, the end is %d", s.Vocab(), s.End())
	}
}

func TestGPT2Parity(t *testing.T) {
	tok := GPT2()
	same(t, tok, func(g golden) []int32 { return g.GPT2 })
	for _, g := range goldens(t) {
		if got, err := tok.Decode(append(slices.Clone(g.GPT2), tok.End())); err != nil || got != g.Text {
			t.Errorf("%v decodes to %q (%v), must be %q", g.GPT2, got, err, g.Text)
		}
	}
	for _, text := range []string{"\x7f", " \x7f\x00 \x01\x7f", "x\x7f!!"} { // which the codec alone loses
		tokens, err := tok.Encode(text)
		if back, _ := tok.Decode(tokens); err != nil || back != text {
			t.Errorf("%q is %v, %v and back %q", text, tokens, err, back)
		}
	}
	if _, err := tok.Encode(standIns + lost); err == nil {
		t.Error("a text without a stand-in is no error")
	}
	for _, bad := range []int32{-1, 50257} {
		if _, err := tok.Decode([]int32{bad}); err == nil {
			t.Errorf("token %d decodes", bad)
		}
	}
}

// Models that are cut off or of another kind are errors.
func TestSentencePieceErrors(t *testing.T) {
	model := unpacked(t, "small.model.gz")
	for _, n := range []int{0, 1, 100, 5000, len(model) / 2, len(model) - 1} {
		if _, err := NewSentencePiece(model[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are a model", n, len(model))
		}
	}
	trainer := func(number protowire.Number, v uint64) []byte {
		message := protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
		return protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), message)
	}
	for word, field := range map[string][]byte{"unigram": trainer(3, 2), "suffixes": trainer(24, 1), "fallback": trainer(35, 1)} {
		if _, err := NewSentencePiece(append(slices.Clone(model), field...)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("the error is %v, must hold %q", err, word)
		}
	}
	if _, err := small(t).Decode([]int32{700}); err == nil {
		t.Error("token 700 of 700 decodes")
	}
}

// Bytes that are no UTF-8 are one unknown character each, and nothing panics.
func FuzzSentencePieceEncode(f *testing.F) {
	s := small(f)
	f.Add("Hello \xff\xfe ﬁne")
	f.Add("e\u0301 ")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := s.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		back, err := s.Decode(tokens)
		if err != nil || !utf8.ValidString(back) {
			t.Fatalf("%q decodes to %q, %v", text, back, err)
		}
		if again, _ := s.Encode(s.normalizer.normalize(text)); utf8.ValidString(text) && len(tokens) == 0 && len(again) > 0 {
			t.Fatalf("%q has no tokens, but its normal form has %v", text, again)
		}
	})
}

// Whatever a model file holds, it is an error or a model that encodes without a panic.
func FuzzSentencePieceModel(f *testing.F) {
	f.Add(tinyModel())
	f.Add(bytes.Repeat([]byte{0x0a, 0x02}, 10))
	f.Fuzz(func(t *testing.T, model []byte) {
		s, err := NewSentencePiece(model)
		if err != nil {
			return
		}
		if _, err := s.Encode("Hello wörld a  b"); err != nil {
			t.Fatal(err)
		}
	})
}

// tinyModel has a few pieces and a table that makes "b" of "a".
func tinyModel() (model []byte) {
	message := func(to []byte, number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), content)
	}
	for i, text := range []string{"<unk>", "</s>", "▁", "b", "▁b"} {
		p := message(nil, 1, []byte(text))
		p = protowire.AppendFixed32(protowire.AppendTag(p, 2, protowire.Fixed32Type), 0xbf800000+uint32(i)) // about −1
		kind := []uint64{unknownPiece, controlPiece, normalPiece, normalPiece, normalPiece}[i]
		p = protowire.AppendVarint(protowire.AppendTag(p, 3, protowire.VarintType), kind)
		model = message(model, 1, p)
	}
	units := make([]byte, 4*256)
	put := func(at int, unit uint32) {
		for k := range 4 {
			units[4*at+k] = byte(unit >> (8 * k))
		}
	}
	put(0, 0)                      // the root's children are at offset 0
	put('a', 'a'|1<<8|(1^'a')<<10) // a word ends, its leaf is at 1
	put(1, 1<<31)                  // the replacement at 0
	table := append([]byte{0, 4, 0, 0}, units...)
	return message(model, 3, message(nil, 2, append(table, "b\x00"...)))
}

func TestTinyModel(t *testing.T) {
	s, err := NewSentencePiece(tinyModel())
	if err != nil {
		t.Fatal(err)
	}
	// a becomes b; "▁b" costs one piece, "▁" and "b" two; ccc is one unknown token.
	if got, _ := s.Encode(" a  b ccc"); !slices.Equal(got, []int32{4, 4, 2, 0}) {
		t.Errorf("the tokens are %v", got)
	}
	if got, _ := s.Encode("  "); len(got) != 0 {
		t.Errorf("spaces are %v", got)
	}
}

func BenchmarkSentencePiece(b *testing.B) {
	s := small(b)
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		_, _ = s.Encode(text)
	}
}

func BenchmarkGPT2(b *testing.B) {
	tok := GPT2()
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		_, _ = tok.Encode(text)
	}
}
