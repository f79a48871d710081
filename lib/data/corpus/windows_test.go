package corpus

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/data"
)

// letters is a tokenizer for tests: a token a byte, and 0 for the end.
type letters struct{}

func (letters) Vocab() int { return 256 }
func (letters) End() int32 { return 0 }
func (letters) Encode(text string) (out []int32, err error) {
	for _, c := range []byte(text) {
		out = append(out, int32(c))
	}
	return out, nil
}
func (letters) Decode(tokens []int32) (string, error) {
	var out strings.Builder
	for _, k := range tokens {
		if k != 0 {
			out.WriteByte(byte(k))
		} else {
			out.WriteByte('|')
		}
	}
	return out.String(), nil
}

// windows of a stream, as text.
func windows(t *testing.T, w Windows, seed uint64, n int) (out []string) {
	t.Helper()
	for window, err := range w.Stream(t.Context(), seed) {
		if err != nil {
			t.Fatal(err)
		}
		if len(window) != w.Length() {
			t.Fatalf("a window has %d tokens, must have %d", len(window), w.Length())
		}
		text, _ := letters{}.Decode(window)
		if out = append(out, text); len(out) == n {
			break
		}
	}
	return out
}

// The windows, less the token that neighbours share, are the documents with their ends between them.
func TestWindows(t *testing.T) {
	w := Windows{Corpus: from(t), Tokenizer: letters{}, Time: 10}
	got := windows(t, w, 3, 40)
	joined := got[0][:1]
	for i, text := range got {
		if i > 0 && text[:1] != got[i-1][10:] {
			t.Fatalf("window %d is %q after %q", i, text, got[i-1])
		}
		joined += text[1:]
	}
	want := strings.Join(documents(t, w.Corpus, data.Train, 3), "|") + "|"
	if !strings.HasPrefix(want, joined) {
		t.Errorf("the windows are\n%s, the documents\n%s", joined, want)
	}
}

// Neither another number of workers nor another time changes a stream; a seed does; a second pass has another order.
func TestWindowsDeterminism(t *testing.T) {
	w := Windows{Corpus: from(t), Tokenizer: letters{}, Time: 7, Workers: 1}
	const n = 400 // three passes and more
	one := windows(t, w, 0, n)
	w.Workers = 5
	if five := windows(t, w, 0, n); !slices.Equal(one, five) {
		t.Error("five workers give other windows than one")
	}
	if other := windows(t, w, 1, n); slices.Equal(one, other) {
		t.Error("another seed gives the same windows")
	}
	all := strings.Join(one, "")
	if first, second := strings.Index(all, "a 1|"), strings.LastIndex(all, "a 1|"); first == second {
		t.Error("there is no second pass")
	}
	per := len(strings.Join(documents(t, w.Corpus, data.Train, 0), "|")) / 7
	if slices.Equal(one[:20], one[per:per+20]) {
		t.Error("the second pass has the order of the first")
	}
}

func TestHeldOut(t *testing.T) {
	w := Windows{Corpus: from(t), Tokenizer: letters{}, Time: 10, Held: 39}
	held, err := w.HeldOut(t.Context())
	if err != nil || len(held) != 3*11 {
		t.Fatalf("%d tokens (%v), must be three windows of 11", len(held), err)
	}
	if text, _ := (letters{}).Decode(held); text != "held 0|heldd 1|held 2||held 3|hel" {
		t.Errorf("held out is %q", text)
	}
	w.Held = 0
	if held, err := w.HeldOut(t.Context()); err != nil || len(held) < 20*11 {
		t.Errorf("of the whole part there are %d tokens (%v)", len(held), err)
	}
	w.Time = 5000
	if _, err := w.HeldOut(t.Context()); err == nil || !strings.Contains(err.Error(), "5001 tokens") {
		t.Errorf("the error is %v", err)
	}
}

func TestWindowsErrors(t *testing.T) {
	good := Windows{Corpus: from(t), Tokenizer: letters{}, Time: 10}
	for words, w := range map[string]Windows{
		"Corpus is <nil>":  {Tokenizer: letters{}, Time: 1},
		"Time is 0":        {Corpus: good.Corpus, Tokenizer: letters{}},
		"Held is 5":        {Corpus: good.Corpus, Tokenizer: letters{}, Time: 10, Held: 5},
		"Workers is -1":    {Corpus: good.Corpus, Tokenizer: letters{}, Time: 10, Workers: -1},
		"holds no text":    {Corpus: emptied(t), Tokenizer: letters{}, Time: 10},
		"there are no sha": {Corpus: &Corpus{Name: "none"}, Tokenizer: letters{}, Time: 10},
	} {
		if _, err := collect(w.Stream(t.Context(), 0)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %v, must hold %q", err, words)
		}
		if _, err := w.HeldOut(t.Context()); err == nil {
			t.Errorf("%s: held out is no error", words)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := collect(good.Stream(ctx, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// emptied is a corpus of empty documents.
func emptied(t *testing.T) *Corpus {
	url, _ := hub(t, map[string][]byte{"a": jsonShard("", "", "")})
	shards := []data.LargeFile{{Set: "test", Name: "a", URL: url}}
	return &Corpus{Name: "test", Train: shards, Held: shards, Decode: jsonLines, Options: data.Options{Dirs: []string{}, Cache: t.TempDir()}}
}
