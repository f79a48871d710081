package corpus

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/hindsight-go/hindsight/lib/data"
)

// gzipped is lines packed.
func gzipped(lines ...string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(strings.Join(lines, "\n")))
	_ = w.Close()
	return out.Bytes()
}

// jsonShard is a shard of C4's form.
func jsonShard(texts ...string) []byte {
	var lines []string
	for _, text := range texts {
		line, err := json.Marshal(map[string]string{"text": text, "timestamp": "2019-04-25T12:57:54Z", "url": "https://example.com"})
		if err != nil {
			panic(err) // of strings
		}
		lines = append(lines, string(line))
	}
	return gzipped(lines...)
}

// parquetShard is a shard of OpenWebText's form, in row groups of three.
func parquetShard(t testing.TB, texts ...string) []byte {
	t.Helper()
	type row struct {
		Text string `parquet:"text,optional,snappy"`
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out, parquet.MaxRowsPerRowGroup(3))
	for _, text := range texts {
		if _, err := w.Write([]row{{text}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// numbered are n documents, some empty.
func numbered(prefix string, n int) (out []string) {
	for i := range n {
		if i%10 == 7 {
			out = append(out, "")
			continue
		}
		out = append(out, fmt.Sprintf("%s %d", prefix, i))
	}
	return out
}

// hub serves shards by name, like Hugging Face's: a HEAD names the checksum and points elsewhere.
func hub(t *testing.T, shards map[string][]byte) (url string, asked func(name string) int) {
	t.Helper()
	var lock sync.Mutex
	count := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if moved, ok := strings.CutPrefix(name, "store/"); ok {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(shards[moved]))
			return
		}
		content, ok := shards[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		lock.Lock()
		defer lock.Unlock()
		count[name]++
		sum := sha256.Sum256(content)
		w.Header().Set("X-Linked-Etag", fmt.Sprintf("%q", hex.EncodeToString(sum[:])))
		http.Redirect(w, r, "/store/"+name, http.StatusFound)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/", func(name string) int { lock.Lock(); defer lock.Unlock(); return count[name] }
}

// from is a corpus of three shards and a held-out one, served.
func from(t *testing.T) *Corpus {
	t.Helper()
	url, _ := hub(t, map[string][]byte{
		"a": jsonShard(numbered("a", 40)...), "b": jsonShard(numbered("b", 40)...), "c": jsonShard(numbered("c", 40)...),
		"held": jsonShard(numbered("held", 40)...),
	})
	c := &Corpus{Name: "test", Decode: jsonLines, Buffer: 20, Options: data.Options{Dirs: []string{}, Cache: t.TempDir()}}
	for _, name := range []string{"a", "b", "c"} {
		c.Train = append(c.Train, data.LargeFile{Set: "test", Name: name, URL: url})
	}
	c.Held = []data.LargeFile{{Set: "test", Name: "held", URL: url}}
	return c
}

// collect is what a sequence holds up to its first error.
func collect[T any](s iter.Seq2[T, error]) (out []T, err error) {
	for v, err := range s {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

func documents(t *testing.T, c *Corpus, part data.Part, seed uint64) []string {
	t.Helper()
	out, err := collect(c.Documents(t.Context(), part, seed))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A pass has each document that is not empty once, in an order of the seed's alone.
func TestDocuments(t *testing.T) {
	c := from(t)
	first := documents(t, c, data.Train, 1)
	if again := documents(t, c, data.Train, 1); !slices.Equal(first, again) {
		t.Error("the same seed has another order")
	}
	second := documents(t, c, data.Train, 2)
	if slices.Equal(first, second) {
		t.Error("another seed has the same order")
	}
	if len(first) != 3*36 {
		t.Fatalf("there are %d documents, must be %d", len(first), 3*36)
	}
	slices.Sort(first)
	if slices.Sort(second); !slices.Equal(first, second) || len(slices.Compact(first)) != 3*36 {
		t.Error("a pass does not have each document once")
	}
	held := documents(t, c, data.Test, 5)
	if len(held) != 36 || held[0] != "held 0" || held[35] != "held 39" {
		t.Errorf("held out are %v", held)
	}
}

// The buffer mixes, and keeps its size: no document comes before as many as it holds, but for one, are read.
func TestShuffled(t *testing.T) {
	c := from(t)
	c.Train = c.Train[:1]
	c.Buffer = 5
	order := documents(t, c, data.Train, 3)
	all := slices.DeleteFunc(numbered("a", 40), func(s string) bool { return s == "" })
	for i, text := range order {
		if at := slices.Index(all, text); at > i+5 {
			t.Errorf("document %d came at place %d with a buffer of 5", at, i)
		}
	}
	c.Buffer = 1
	if moved := documents(t, c, data.Train, 3); !slices.Equal(moved, all) {
		t.Error("a buffer of one changes the order")
	}
	c.Buffer = -1
	if _, err := collect(c.Documents(t.Context(), data.Train, 0)); err == nil || !strings.Contains(err.Error(), "Buffer is -1") {
		t.Errorf("the error is %v", err)
	}
}

func TestShardsComeOnce(t *testing.T) {
	shards := map[string][]byte{"a": jsonShard("one"), "b": jsonShard("two")}
	url, asked := hub(t, shards)
	c := &Corpus{Name: "test", Decode: jsonLines, Options: data.Options{Dirs: []string{}, Cache: t.TempDir()}}
	for name := range shards {
		c.Train = append(c.Train, data.LargeFile{Set: "test", Name: name, URL: url})
	}
	for seed := range uint64(3) {
		if got := documents(t, c, data.Train, seed); len(got) != 2 {
			t.Errorf("the documents are %v", got)
		}
	}
	if asked("a") != 2 || asked("b") != 2 { // its checksum, its content
		t.Errorf("the shards were asked for %d and %d times, must be 2", asked("a"), asked("b"))
	}
}

// damaged is what reading a shard says, which is named.
func damaged(t *testing.T, c *Corpus, shard []byte) error {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shard"), shard, 0o644); err != nil {
		t.Fatal(err)
	}
	c.Train = []data.LargeFile{{Set: "test", Name: "shard", URL: "http://localhost:1/"}}
	c.Options = data.Options{Dirs: []string{dir}, Offline: true, Cache: t.TempDir()}
	_, err := collect(c.Documents(t.Context(), data.Train, 0))
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "shard")) || !strings.Contains(err.Error(), "corpus: test: ") {
		t.Errorf("the error is %v, must name the corpus and the shard", err)
		err = errors.Join(err, errors.New(""))
	}
	return err
}

func TestDamagedShards(t *testing.T) {
	whole := jsonShard(numbered("a", 200)...)
	flipped := slices.Clone(whole)
	flipped[len(flipped)-6] ^= 1 // within the sum
	for words, shard := range map[string][]byte{
		"unexpected EOF":    whole[:len(whole)-9],
		"checksum":          flipped,
		"header":            []byte("plain text, not packed"),
		"line 2: ":          gzipped(`{"text":"a"}`, `{"text":"b`),
		"line 3: it has no": gzipped(`{"text":"a"}`, "", `{"content":"b"}`),
		"cannot unmarshal":  gzipped(`{"text":5}`),
	} {
		if err := damaged(t, &Corpus{Name: "test", Decode: jsonLines}, shard); !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %v, must hold %q", err, words)
		}
	}
	table := parquetShard(t, numbered("a", 40)...)
	for _, shard := range [][]byte{nil, []byte("PAR1"), table[:len(table)-20], table[20:], bytes.Repeat([]byte("x"), 1000)} {
		if err := damaged(t, &Corpus{Name: "test", Decode: parquetText}, shard); !strings.Contains(err.Error(), "reading Parquet: ") {
			t.Errorf("the error is %v", err)
		}
	}
	var other bytes.Buffer
	w := parquet.NewGenericWriter[struct{ Content string }](&other)
	_, _ = w.Write([]struct{ Content string }{{"x"}})
	_ = w.Close()
	if err := damaged(t, &Corpus{Name: "test", Decode: parquetText}, other.Bytes()); !errors.Is(err, errNoText) {
		t.Errorf("the error is %v", err)
	}
}

// A transfer that breaks off goes on, and what has another checksum is not taken.
func TestShardTransfer(t *testing.T) {
	shard := jsonShard(numbered("a", 2000)...)
	sum := sha256.Sum256(shard)
	broken, resumed := true, ""
	served := shard
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
		if r.Method == http.MethodHead {
			return
		}
		if broken {
			broken = false
			w.Header().Set("Content-Length", fmt.Sprint(len(served)))
			_, _ = w.Write(served[:len(served)/2])
			return
		}
		resumed = r.Header.Get("Range")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(served))
	}))
	defer server.Close()
	c := &Corpus{Name: "test", Decode: jsonLines, Options: data.Options{Dirs: []string{}, Cache: t.TempDir()}}
	c.Train = []data.LargeFile{{Set: "test", Name: "a", URL: server.URL + "/"}}
	if _, err := collect(c.Documents(t.Context(), data.Train, 0)); err == nil || !errors.Is(err, data.ErrUnavailable) {
		t.Errorf("half a shard: the error is %v", err)
	}
	if got := documents(t, c, data.Train, 0); len(got) != 1800 || resumed != fmt.Sprintf("bytes=%d-", len(shard)/2) {
		t.Errorf("%d documents, and the second try asked for %q", len(got), resumed)
	}
	c.Options.Cache = t.TempDir()
	served = append(slices.Clone(shard), 0)
	if _, err := collect(c.Documents(t.Context(), data.Train, 0)); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("another content: the error is %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Options.Cache, "test", "a*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestCancelledDocuments(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var err error
	for _, err = range from(t).Documents(ctx, data.Train, 0) {
		if n++; n == 30 {
			cancel()
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the last error is %v", err)
	}
}

// The published corpora: how many shards, from where, and that Parquet is read as JSON lines are.
func TestPublished(t *testing.T) {
	c4, web := C4(data.Options{}), OpenWebText(data.Options{})
	for _, c := range []struct {
		corpus      *Corpus
		train, held int
		last        string
	}{{c4, 1024, 8, "c4-train.01023-of-01024.json.gz"}, {web, 79, 1, "train-00078-of-00080.parquet"}} {
		last := c.corpus.Train[len(c.corpus.Train)-1]
		if len(c.corpus.Train) != c.train || len(c.corpus.Held) != c.held || last.Name != c.last || last.Set != c.corpus.Name {
			t.Errorf("%s has %d and %d shards, the last of the first is %v", c.corpus.Name, len(c.corpus.Train), len(c.corpus.Held), last)
		}
	}
	if c4.Held[7].Name != "c4-validation.00007-of-00008.json.gz" || web.Held[0].Name != "train-00079-of-00080.parquet" {
		t.Errorf("held out are %v and %v", c4.Held[7], web.Held[0])
	}
	dir := t.TempDir()
	want := slices.DeleteFunc(numbered("page", 100), func(s string) bool { return s == "" })
	for name, content := range map[string][]byte{web.Held[0].Name: parquetShard(t, numbered("page", 100)...), c4.Held[0].Name: jsonShard(numbered("page", 100)...)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c4.Held = c4.Held[:1]
	for _, c := range []*Corpus{c4, web} {
		c.Options = data.Options{Dirs: []string{dir}, Offline: true}
		if got := documents(t, c, data.Test, 0); !slices.Equal(got, want) {
			t.Errorf("%s: the documents are %v", c.Name, got)
		}
		if _, err := collect(c.Documents(t.Context(), data.Train, 0)); !errors.Is(err, data.ErrUnavailable) || !strings.Contains(err.Error(), "https://huggingface.co/datasets/") {
			t.Errorf("%s: the error is %v", c.Name, err)
		}
	}
}

// decoded is what a decoder makes of a file.
func decoded(t testing.TB, content []byte, decode func(*os.File, int64) iter.Seq2[string, error]) ([]string, error) {
	path := filepath.Join(t.TempDir(), "shard")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	shard, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shard.Close() }()
	var out []string
	for text, err := range decode(shard, int64(len(content))) {
		if out = append(out, text); err != nil || len(out) == 1000 { // a few bytes may stand for billions of rows
			return out, err
		}
	}
	return out, nil
}

func FuzzJSONLine(f *testing.F) {
	f.Add([]byte(`{"text":"a","url":"b"}`))
	f.Add([]byte(`{"text":null}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		text, err := textOf(line)
		if err == nil && !json.Valid(line) {
			t.Errorf("%q is no JSON, but holds %q", line, text)
		}
	})
}

func FuzzParquet(f *testing.F) {
	whole := parquetShard(f, numbered("page", 8)...)
	f.Add(whole)
	f.Add(whole[4:])
	f.Fuzz(func(t *testing.T, content []byte) { _, _ = decoded(t, content, parquetText) })
}

func FuzzJSONLines(f *testing.F) {
	f.Add(jsonShard("a", "b"))
	f.Fuzz(func(t *testing.T, content []byte) { _, _ = decoded(t, content, jsonLines) })
}
