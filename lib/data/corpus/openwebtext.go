package corpus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/parquet-go/parquet-go"

	"github.com/hindsight-go/hindsight/lib/data"
)

// webTextURL is of a commit after the set became Parquet files; before, it was archives that a Python program unpacked.
const webTextURL = "https://huggingface.co/datasets/Skylion007/openwebtext/resolve/79d93d786212f7344586290adb811d4ae6a1762c/plain_text/"

// OpenWebText is 8 million web pages that Reddit's users linked to, about 9 billion tokens, a replica of what GPT-2 was
// trained on, in 80 shards. It is published without a part to validate on: the last shard, about 100 000 pages, is held
// out here. (The pages were shuffled before they were divided, so one shard is like another.)
//
// Source: Gokaslan, Cohen (2019), OpenWebText Corpus. Licence: CC0 for the collection; the pages are their authors'.
func OpenWebText(o data.Options) *Corpus {
	c := &Corpus{Name: "openwebtext", Decode: parquetText, Options: o}
	for i := range 80 {
		c.Train = append(c.Train, data.LargeFile{Set: "openwebtext", URL: webTextURL, Name: fmt.Sprintf("train-%05d-of-00080.parquet", i)})
	}
	c.Train[0].SHA256 = "caed9f4b7053d7cd4d1a13ce9ec9224d84a3bba1f11579193562a7e31ebe656e" // widely published; the others' are the hub's
	c.Train, c.Held = c.Train[:79], c.Train[79:]
	return c
}

// parquetText decodes a Parquet file's column text, some rows at a time. A row without a text is an empty document.
func parquetText(shard *os.File, size int64) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		failed := func(err error) { yield("", fmt.Errorf("reading Parquet: %w", err)) }
		rows, err := openParquet(shard, size)
		if err != nil {
			failed(err)
			return
		}
		defer func() { _ = rows.Close() }() // it was only read
		batch := make([]row, 64)
		for {
			n := 0
			err := calmly(func() (err error) { n, err = rows.Read(batch); return err })
			for _, r := range batch[:n] {
				if !yield(r.Text, nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				failed(err)
				return
			}
		}
	}
}

// row is what is read of a record.
type row struct {
	Text string `parquet:"text,optional"`
}

func openParquet(shard *os.File, size int64) (rows *parquet.GenericReader[row], err error) {
	var end [8]byte // the length of the description before it, and four letters
	if _, err := shard.ReadAt(end[:], max(0, size-8)); err != nil {
		return nil, err
	}
	if n := int64(binary.LittleEndian.Uint32(end[:])); n > size-8 { // the library would make room for it
		return nil, fmt.Errorf("its last bytes say that %d of its %d bytes describe it", n, size)
	}
	return rows, calmly(func() error {
		file, err := parquet.OpenFile(shard, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
		if err != nil {
			return err
		}
		column, ok := file.Schema().Lookup("text")
		if !ok || column.Node.Type().Kind() != parquet.ByteArray {
			return errNoText
		}
		rows = parquet.NewGenericReader[row](file)
		return nil
	})
}

// calmly makes an error of a panic, with which the library answers to some damaged files.
func calmly(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it is damaged: %v", r)
		}
	}()
	return f()
}
