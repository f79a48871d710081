package corpus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/internal/ahead"
)

// Corpus is a collection of documents in shards.
type Corpus struct {
	Name  string
	Train []data.LargeFile
	Held  []data.LargeFile // for validation; no document of them is in Train
	// Decode returns a shard's documents, in their order. It is given the shard open, and its size.
	Decode func(shard *os.File, size int64) iter.Seq2[string, error]
	// Buffer is how many documents wait to be drawn from: the more, the better they are mixed, within a shard or two; 0:
	// 10 000.
	Buffer int
	// Options say where shards are looked up, and whether they may be downloaded.
	Options data.Options
}

const defaultBuffer = 10_000

// Documents returns the documents of a part. Those of the held-out part come as they stand. Those of the training part
// come in the seed's order, one pass over all: the shards are permuted, and of the Buffer documents read last one at
// random is next. Empty documents are left out. A shard that cannot be had, is damaged or holds something else is an
// error that names it, and the end.
func (c *Corpus) Documents(ctx context.Context, part data.Part, seed uint64) iter.Seq2[string, error] {
	if part == data.Test {
		return c.read(ctx, c.Held)
	}
	rng := rand.New(rand.NewPCG(seed, 0x636f72707573))
	shards := make([]data.LargeFile, len(c.Train))
	for i, k := range rng.Perm(len(shards)) {
		shards[i] = c.Train[k]
	}
	n := c.Buffer
	if n == 0 {
		n = defaultBuffer
	}
	if n < 1 {
		return fail(fmt.Errorf("corpus: %s: Buffer is %d, must be at least 1, or 0 for %d", c.Name, n, defaultBuffer))
	}
	return shuffled(c.read(ctx, shards), n, rng)
}

// fail is a sequence of nothing but an error.
func fail(err error) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { yield("", err) }
}

// read returns the documents of shards. While one is read, the next are downloaded.
func (c *Corpus) read(ctx context.Context, shards []data.LargeFile) iter.Seq2[string, error] {
	listed := func(yield func(data.LargeFile, error) bool) {
		for _, s := range shards {
			if !yield(s, nil) {
				return
			}
		}
	}
	find := func(s data.LargeFile) (string, error) { return s.Find(ctx, c.Options) }
	return func(yield func(string, error) bool) {
		if len(shards) == 0 {
			yield("", fmt.Errorf("corpus: %s: there are no shards", c.Name))
			return
		}
		for path, err := range ahead.Map(ctx, listed, 1, find) {
			if err != nil {
				yield("", err)
				return
			}
			for text, err := range c.decode(path) {
				if err == nil && ctx.Err() != nil {
					err = ctx.Err()
				}
				if err == nil && text == "" {
					continue
				}
				if !yield(text, err) || err != nil {
					return
				}
			}
		}
	}
}

// decode opens a shard and names it in errors.
func (c *Corpus) decode(path string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		shard, err := os.Open(path)
		if err != nil {
			yield("", fmt.Errorf("corpus: %s: %w", c.Name, err))
			return
		}
		defer func() { _ = shard.Close() }() // it was only read
		info, err := shard.Stat()
		if err != nil {
			yield("", fmt.Errorf("corpus: %s: %w", c.Name, err))
			return
		}
		for text, err := range c.Decode(shard, info.Size()) {
			if err != nil {
				err = fmt.Errorf("corpus: %s: %s: %w", c.Name, path, err)
			}
			if !yield(text, err) || err != nil {
				return
			}
		}
	}
}

// shuffled draws from a buffer of n elements, which in fills up again.
func shuffled(in iter.Seq2[string, error], n int, rng *rand.Rand) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var buffer []string
		for text, err := range in {
			if err != nil {
				yield("", err)
				return
			}
			if len(buffer) < n {
				buffer = append(buffer, text)
				continue
			}
			k := rng.IntN(n)
			text, buffer[k] = buffer[k], text
			if !yield(text, nil) {
				return
			}
		}
		for _, k := range rng.Perm(len(buffer)) {
			if !yield(buffer[k], nil) {
				return
			}
		}
	}
}

// errNoText says that a record has no text.
var errNoText = errors.New(`it has no field "text"`)
