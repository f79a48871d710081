package optim

import (
	"context"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// parts are parameters of a small network, all ones, and a loss whose gradients are all ones.
func parts() (scan.Vars, Problem) {
	one := func(dims ...int) *tensors.Tensor {
		size := 1
		for _, d := range dims {
			size *= d
		}
		flat := make([]float64, size)
		for i := range flat {
			flat[i] = 1
		}
		return tensors.FromFlatDataAndDimensions(flat, dims...)
	}
	return scan.Vars{
			"block_0/biases": one(2), "block_0/weights": one(2, 2), "embed/tokens": one(3, 2), "scale": one(),
		}, Problem{Loss: func(params, _ []*graph.Node) *graph.Node {
			sum := graph.ReduceAllSum(params[0])
			for _, p := range params[1:] {
				sum = graph.Add(sum, graph.ReduceAllSum(p))
			}
			return sum
		}}
}

// stepped returns the first entry of each parameter after one step.
func stepped(t *testing.T, method Transform) map[string]float64 {
	t.Helper()
	start, problem := parts()
	r, err := Minimize(context.Background(), backend.ForTest(t), method, problem, start, nil, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for path, v := range r.Params {
		out[path] = tensors.MustCopyFlatData[float64](v)[0]
	}
	return out
}

func TestPartition(t *testing.T) {
	method := Chain{
		Partition{
			{Name: "still", Where: ByPath("embed/*"), Transform: Freeze{}},
			{Name: "matrices", Where: Matrices, Transform: Scale{By: 2}},
			{Name: "odd", Where: Not(ByPath("biases")), Transform: Scale{By: 3}},
			{Name: "rest", Transform: Keep{}},
		},
		ScaleByLearningRate{Rate: 1},
	}
	want := map[string]float64{"embed/tokens": 1, "block_0/weights": -1, "scale": -2, "block_0/biases": 0}
	for path, got := range stepped(t, method) {
		if got != want[path] {
			t.Errorf("%s is %g, want %g", path, got, want[path])
		}
	}
}

func TestByPath(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"biases", "dense_0/biases", true},
		{"biases", "biases", true},
		{"biases", "dense_0/biases/more", false},
		{"*/biases", "a/b/biases", true},
		{"block_?/*", "block_0/gain", true},
		{"block_0/attn/*", "net/block_0/attn/weights", true},
		{"weights", "my_weights", false},
		{"*", "x/y", true},
		{"a/b/c", "b/c", false},
		{"[", "x", false},
	} {
		if got := ByPath(c.pattern)(Param{Path: c.path}); got != c.want {
			t.Errorf("ByPath(%q) of %q is %v", c.pattern, c.path, got)
		}
	}
	if ByPath()(Param{Path: "x"}) {
		t.Error("no pattern matches")
	}
}

func TestAssignment(t *testing.T) {
	params := []Param{{Path: "a/weights"}, {Path: "a/biases"}, {Path: "b/weights"}}
	p := Partition{{Name: "heavy", Where: ByPath("weights"), Transform: Keep{}}, {Name: "rest", Transform: Keep{}}}
	text, err := p.Assignment(params)
	if err != nil || text != "heavy: a/weights b/weights\nrest: a/biases\n" {
		t.Errorf("assignment is %q, error %v", text, err)
	}
	_, err = p[:1].Assignment(params)
	if err == nil || !strings.Contains(err.Error(), `no group wants parameter "a/biases"`) {
		t.Errorf("error %v", err)
	}
}

func TestPartitionErrors(t *testing.T) {
	start, problem := parts()
	for want, p := range map[string]Partition{
		"Partition: it is empty":            {},
		`Name of group 0 is ""`:             {{Transform: Keep{}}},
		`Name of group 0 is "a.b"`:          {{Name: "a.b", Transform: Keep{}}},
		`two groups have the name "a"`:      {{Name: "a", Where: Matrices, Transform: Keep{}}, {Name: "a", Transform: Keep{}}},
		`Transform of group "a" is nil`:     {{Name: "a"}},
		"Scale: By is NaN":                  {{Name: "a", Transform: Scale{By: nan}}},
		`no group wants parameter "scale"`:  {{Name: "a", Where: Not(ByPath("scale")), Transform: Keep{}}},
		"there are block_0/biases, block_0": {{Name: "a", Where: ByPath("heads"), Transform: Keep{}}, {Name: "rest", Transform: Keep{}}},
	} {
		_, err := Compile(backend.ForTest(t), p, problem, start, nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
