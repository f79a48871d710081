package corpus_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/data/corpus"
)

// The LLaMA benchmark's data: C4 in T5's tokens, windows of 256 predictions. Shards come as they are needed; here none
// may, so the program says what it lacks.
func Example() {
	ctx, o := context.Background(), data.Options{Offline: true}
	tokenizer, err := corpus.T5(ctx, o)
	if errors.Is(err, data.ErrUnavailable) {
		fmt.Println("skipped:", err)
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	w := corpus.Windows{Corpus: corpus.C4(o), Tokenizer: tokenizer, Time: 256}
	for window, err := range w.Stream(ctx, 0) {
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := tokenizer.Decode(window)
		fmt.Println(text)
		break
	}
}

func ExampleGPT2() {
	tokenizer := corpus.GPT2()
	tokens, err := tokenizer.Encode("Hello, world")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := tokenizer.Decode(tokens)
	fmt.Println(tokens, text)
	// Output: [15496 11 995] Hello, world
}
