package optim

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// One step of scaled SGD on two products of different ranks beside a bias, against gonum's inverses.
func TestPreconditionLoRA(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(rows, columns int) *mat.Dense { return normalMatrix(rng, rows, columns) }
	start, grads := map[string]*mat.Dense{}, map[string]*mat.Dense{}
	for path, dims := range map[string][2]int{"x/lora_a": {5, 2}, "x/lora_b": {2, 4}, "y/lora_a": {6, 3}, "y/lora_b": {3, 3}, "z/weights": {2, 2}} {
		start[path], grads[path] = draw(dims[0], dims[1]), draw(dims[0], dims[1])
	}
	start["y/lora_b"].Zero() // as at the start
	params := scan.Vars{}
	for path, m := range start {
		r, c := m.Dims()
		params[path] = tensors.FromFlatDataAndDimensions(m.RawMatrix().Data, r, c)
	}
	const damping = 0.1
	inverse := func(gram mat.Matrix) *mat.Dense {
		n, _ := gram.Dims()
		var damped, out mat.Dense
		damped.CloneFrom(gram)
		for i := range n {
			damped.Set(i, i, damped.At(i, i)+damping)
		}
		if err := out.Inverse(&damped); err != nil {
			t.Fatal(err)
		}
		return &out
	}
	problem := Problem{Loss: func(p, _ []*graph.Node) *graph.Node { // ⟨g, x⟩ for each
		var sum *graph.Node
		for i, path := range []string{"x/lora_a", "x/lora_b", "y/lora_a", "y/lora_b", "z/weights"} {
			r, c := grads[path].Dims()
			term := graph.ReduceAllSum(graph.Mul(p[i], graph.Reshape(graph.Const(p[i].Graph(), grads[path].RawMatrix().Data), r, c)))
			if sum == nil {
				sum = term
			} else {
				sum = graph.Add(sum, term)
			}
		}
		return sum
	}}
	r, err := Minimize(context.Background(), backend.ForTest(t), Chain{PreconditionLoRA{Damping: damping}, SGD(0.5)}, problem, params, nil, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, product := range []string{"x", "y"} {
		a, b := start[product+"/lora_a"], start[product+"/lora_b"]
		var gramA, gramB, stepA, stepB mat.Dense
		gramA.Mul(a.T(), a)
		gramB.Mul(b, b.T())
		stepA.Mul(grads[product+"/lora_a"], inverse(&gramB))
		stepB.Mul(inverse(&gramA), grads[product+"/lora_b"])
		for path, step := range map[string]*mat.Dense{"/lora_a": &stepA, "/lora_b": &stepB} {
			var want mat.Dense
			want.Scale(-0.5, step)
			want.Add(start[product+path], &want)
			close(t, product+path, tensors.MustCopyFlatData[float64](r.Params[product+path]), want.RawMatrix().Data, 1e-10)
		}
	}
}

// The product's first-order change does not depend on how it is split: A·c and B/c give the same, for any c.
func TestPreconditionLoRAIsFairToBothFactors(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	a, b, g := normalMatrix(rng, 5, 2), normalMatrix(rng, 2, 4), normalMatrix(rng, 5, 4)
	change := func(c float64) *mat.Dense {
		var x, y mat.Dense
		x.Scale(c, a)
		y.Scale(1/c, b)
		problem := Problem{Loss: func(p, _ []*graph.Node) *graph.Node {
			return graph.ReduceAllSum(graph.Mul(graph.MatMul(p[0], p[1]), graph.Reshape(graph.Const(p[0].Graph(), g.RawMatrix().Data), 5, 4)))
		}}
		start := scan.Vars{"w/lora_a": tensors.FromFlatDataAndDimensions(x.RawMatrix().Data, 5, 2), "w/lora_b": tensors.FromFlatDataAndDimensions(y.RawMatrix().Data, 2, 4)}
		r, err := Minimize(context.Background(), backend.ForTest(t), Chain{PreconditionLoRA{Damping: 1e-12}, SGD(1e-4)}, problem, start, nil, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		nextA := mat.NewDense(5, 2, tensors.MustCopyFlatData[float64](r.Params["w/lora_a"]))
		nextB := mat.NewDense(2, 4, tensors.MustCopyFlatData[float64](r.Params["w/lora_b"]))
		var before, out mat.Dense
		before.Mul(a, b)
		out.Mul(nextA, nextB)
		out.Sub(&out, &before)
		return &out
	}
	same, scaled := change(1), change(7)
	var gap mat.Dense
	gap.Sub(same, scaled)
	if mat.Norm(&gap, 2) > 1e-8*mat.Norm(same, 2) {
		t.Errorf("the product moves by %v or by %v", mat.Formatted(same), mat.Formatted(scaled))
	}
}

func TestPreconditionLoRAErrors(t *testing.T) {
	plain := scan.Vars{"w": tensors.FromValue([][]float64{{1}})}
	alone := scan.Vars{"w/lora_a": tensors.FromValue([][]float64{{1}})}
	for want, start := range map[string]scan.Vars{"there are w": plain, `"w/lora_a", (Float64)[1, 1], has no "lora_b"`: alone} {
		if _, err := StateBytes(backend.ForTest(t), PreconditionLoRA{}, start); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if err := (PreconditionLoRA{Damping: -1}).Validate(); err == nil || !strings.Contains(err.Error(), "Damping is -1") {
		t.Errorf("%v", err)
	}
}
