package corpus

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"iter"
	"os"

	"github.com/hindsight-go/hindsight/lib/data"
)

// c4URL is of the commit "Update README.md" of 2024, the newest whose files are as they were published.
const c4URL = "https://huggingface.co/datasets/allenai/c4/resolve/1588ec454efa1a09f29cd18ddd04fe05fc8653a2/en/"

// C4 is the English part of the Colossal Clean Crawled Corpus: 365 million web pages, about 156 billion tokens, in 1024
// shards, and 365 thousand more pages that are held out, in 8.
//
// Source: Raffel et al. (2020), Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer, as
// published by the Allen Institute for AI. Licence: ODC-BY, and Common Crawl's terms of use.
func C4(o data.Options) *Corpus {
	c := &Corpus{Name: "c4", Decode: jsonLines, Options: o}
	shard := func(kind string, i, n int) data.LargeFile {
		return data.LargeFile{Set: "c4", URL: c4URL, Name: fmt.Sprintf("c4-%s.%05d-of-%05d.json.gz", kind, i, n)}
	}
	for i := range 1024 {
		c.Train = append(c.Train, shard("train", i, 1024))
	}
	for i := range 8 {
		c.Held = append(c.Held, shard("validation", i, 8))
	}
	c.Train[0].SHA256 = "8ef8d75b0e045dec4aa5123a671b4564466b0707086a7ed1ba8721626dfffbc9" // widely published; the others' are the hub's
	return c
}

// longestLine bounds a line: the longest page of C4 is far shorter.
const longestLine = 64 << 20

// jsonLines decodes gzipped lines, each a JSON object with a field text.
func jsonLines(shard *os.File, _ int64) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		unpacked, err := gzip.NewReader(bufio.NewReaderSize(shard, 1<<20))
		if err != nil {
			yield("", err)
			return
		}
		lines := bufio.NewScanner(unpacked)
		lines.Buffer(make([]byte, 0, 1<<20), longestLine)
		for n := 1; lines.Scan(); n++ {
			if len(lines.Bytes()) == 0 {
				continue
			}
			text, err := textOf(lines.Bytes())
			if err != nil {
				err = fmt.Errorf("line %d: %w", n, err)
			}
			if !yield(text, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield("", fmt.Errorf("unpacking: %w", err))
		}
	}
}

// textOf is a line's field text.
func textOf(line []byte) (string, error) {
	var record struct {
		Text *string `json:"text"`
	}
	if err := json.Unmarshal(line, &record); err != nil {
		return "", err
	}
	if record.Text == nil {
		return "", errNoText
	}
	return *record.Text, nil
}
