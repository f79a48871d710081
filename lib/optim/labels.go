package optim

import (
	"slices"
	"strings"
)

// BlockMatrices chooses the weight matrices inside a network's repeated blocks, by a path element that begins with
// "block" as in "block_00/attn/q_proj/weights": the queries, keys, values, outputs and MLP weights of [nets.GPT],
// [nets.LLaMA] and [nets.ViT]. It leaves embeddings, positions, norms, biases, the output head, and matrices of a single
// row or column. Where a model names its blocks in another way, give a mask of your own: [ByPath].
//
// [nets.GPT]: https://pkg.go.dev/github.com/hindsight-go/hindsight/lib/nets#GPT
// [nets.LLaMA]: https://pkg.go.dev/github.com/hindsight-go/hindsight/lib/nets#LLaMA
// [nets.ViT]: https://pkg.go.dev/github.com/hindsight-go/hindsight/lib/nets#ViT
func BlockMatrices(p Param) bool {
	shape := p.Shape()
	return shape.Rank() == 2 && min(shape.Dim(0), shape.Dim(1)) > 1 &&
		slices.ContainsFunc(strings.Split(p.Path, "/"), func(element string) bool { return strings.HasPrefix(element, "block") })
}
