package optim

import (
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// PreconditionLoRA divides the gradients of a low-rank product W = W₀ + A·B, A with r columns and B with r rows, by the other
// factor's Gram matrix, so that a step does not depend on how the product is split between the two:
//
//	g_A ← g_A (BBᵀ + δI)⁻¹,  g_B ← (AᵀA + δI)⁻¹ g_B
//
// The factors are the parameters whose paths end in "/lora_a" and "/lora_b" below the same path, as package nets names them;
// all other gradients pass. In front of SGD it is scaled SGD, in front of AdamW scaled AdamW. State: none.
//
// Source: Zhang, Pilanci (2024), Riemannian Preconditioned LoRA for Fine-Tuning Foundation Models, equations 3 and 4.
type PreconditionLoRA struct {
	Damping float64 // δ, positive, as B begins at 0; default 1e-6
}

var _ Transform = PreconditionLoRA{}

// factors are the places of A and B of each product.
func factors(params []Param) (pairs [][2]int) {
	for i, p := range params {
		if path, ok := strings.CutSuffix(p.Path, "/lora_a"); ok {
			j := slices.IndexFunc(params, func(q Param) bool { return q.Path == path+"/lora_b" })
			if j < 0 || p.Shape().Rank() != 2 || params[j].Shape().Rank() != 2 || p.Shape().Dim(1) != params[j].Shape().Dim(0) {
				c := check("PreconditionLoRA")
				c.add("parameter %q, %s, has no \"lora_b\" beside it that it can be multiplied by", p.Path, p.Shape())
				panic(c.join())
			}
			pairs = append(pairs, [2]int{i, j})
		}
	}
	return pairs
}

// Init implements Transform.
func (l PreconditionLoRA) Init(params []Param) State {
	if len(factors(params)) == 0 {
		c := check("PreconditionLoRA")
		c.add("no parameter's path ends in \"/lora_a\"; there are %s", strings.Join(paths(params), ", "))
		panic(c.join())
	}
	return nil
}

// Update implements Transform.
func (l PreconditionLoRA) Update(s *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	out := slices.Clone(updates)
	// Gram matrices of one rank, of all runs, are inverted together: one loop a rank.
	type place struct{ gradient, like int } // the gradient to divide, by the Gram matrix of which factor
	byRank := map[int][]place{}
	var ranks []int
	for _, p := range factors(s.Params) {
		r := s.Params[p[0]].Shape().Dim(1)
		if byRank[r] == nil {
			ranks = append(ranks, r)
		}
		byRank[r] = append(byRank[r], place{p[0], p[1]}, place{p[1], p[0]})
	}
	var earlier *graph.Node
	for _, r := range ranks {
		var grams []*graph.Node
		for _, at := range byRank[r] {
			x := graph.ConvertDType(led(s.Params[at.like]), dtypes.Float64)
			equation := "bri,bsi->brs" // B
			if strings.HasSuffix(s.Params[at.like].Path, "/lora_a") {
				equation = "bir,bis->brs"
			}
			grams = append(grams, graph.Einsum(equation, x, x))
		}
		all := graph.Concatenate(grams, 0)
		values, vectors := eigen(graph.Const(all.Graph(), true), after(all, earlier))
		earlier = vectors
		damped := graph.AddScalar(graph.MaxScalar(values, 0), or(l.Damping, 1e-6))
		inverse := graph.Einsum("bkr,bks->brs", graph.Div(vectors, graph.InsertAxes(damped, -1)), vectors)
		from := 0
		for k, at := range byRank[r] {
			g, runs := updates[at.gradient], grams[k].Shape().Dim(0)
			own := graph.ConvertDType(graph.Slice(inverse, graph.AxisRange(from, from+runs)), g.DType())
			from += runs
			p := s.Params[at.gradient]
			flat := graph.Reshape(g, runs, p.Shape().Dim(0), p.Shape().Dim(1))
			if strings.HasSuffix(p.Path, "/lora_a") {
				flat = graph.Einsum("bir,brs->bis", flat, own)
			} else {
				flat = graph.Einsum("brs,bsi->bri", own, flat)
			}
			out[at.gradient] = graph.Reshape(flat, g.Shape().Dimensions...)
		}
	}
	return out, nil
}

// led is a matrix parameter with an axis of runs, also where there is none.
func led(p Param) *graph.Node {
	return graph.Reshape(p.Value, -1, p.Shape().Dim(0), p.Shape().Dim(1))
}

// Validate implements Transform.
func (l PreconditionLoRA) Validate() error {
	c := check("PreconditionLoRA")
	c.positive("Damping", or(l.Damping, 1e-6))
	return c.join()
}
