package nets

import (
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// The optimizers' label rule takes the dense layers inside the blocks of every transformer here, and nothing else: SWAN
// keeps two numbers for each of the other parameters.
func TestBlockMatrices(t *testing.T) {
	for name, each := range map[string]int{"gpt-tiny": 6, "gpt2": 4, "llama-60m": 7, "llama-1b": 7, "vit-s/16": 4, "vit-tiny": 6} {
		m, err := ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		params := scan.Vars{}
		rest, matrices := 0, 0
		layers := map[string]bool{}
		for _, p := range m.Params { // of their shape only: no page of it is touched
			params[p.Path] = tensors.FromShape(shapes.Make(dtypes.Float32, p.Shape...))
			block, inside, _ := strings.Cut(p.Path, "/")
			if strings.HasPrefix(block, "block_") && strings.HasSuffix(inside, "_proj/weights") {
				matrices++
				layers[block] = true
			} else {
				rest += p.size()
			}
		}
		if matrices != each*len(layers) {
			t.Errorf("%s has %d matrices in %d blocks, want %d each", name, matrices, len(layers), each)
		}
		bytes, err := optim.StateBytes(backend.ForTest(t), optim.SWAN(0.01), params)
		if err != nil || bytes != int64(2*4*rest) {
			t.Errorf("%s: SWAN keeps %d bytes (%v), want %d", name, bytes, err, 2*4*rest)
		}
		if name == "gpt-tiny" && rest != 2208 {
			t.Errorf("%s has %d parameters outside its block matrices, want 2208", name, rest)
		}
	}
}
