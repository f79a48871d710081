package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

func init() { subjects["update"] = update }

// update is one update of an optimizer on the parameters of a small transformer,
// ten million in 121 tensors, from given gradients. The argument is its name and
// "step", a call each, in place, or "fused", many in one executable.
func update(ctx context.Context, b compute.Backend, argument string) (subject, error) {
	method, mode, _ := strings.Cut(argument, " ")
	how, ok := modes[mode]
	if !ok {
		return subject{}, fmt.Errorf("subject: mode is %q, must be step or fused", mode)
	}
	t, err := asPeers(method)
	if err != nil {
		return subject{}, err
	}
	updates := 100
	if method == "muon" { // a hundred times as much work as the others
		updates = 5
	}
	params := transformer()
	s, err := updating(ctx, b, t, how, params, updates)
	if err == nil && method == "sgd-sai-torch" { // vectors have another scale there, matrices the same
		var matrices []float64
		for i, path := range slices.Sorted(maps.Keys(params)) {
			if len(params[path]) > 1 {
				matrices = append(matrices, s.check[i])
			}
		}
		s.check = matrices
	}
	return s, err
}

// updating is an optimizer's update on parameters of these shapes; a sample is so many. The
// first of a sample leaves the last one's state alone, the others work in place.
func updating(ctx context.Context, b compute.Backend, t optim.Transform, how scan.Mode, params map[string][]int, updates int) (subject, error) {
	paths := slices.Sorted(maps.Keys(params))
	state, inputs := scan.Vars{}, scan.Vars{}
	for i, path := range paths {
		shape := params[path]
		size := 1
		for _, d := range shape {
			size *= d
		}
		state["param:"+path] = tensors.FromFlatDataAndDimensions(numbers(uint64(i), size, -0.1, 0.1), shape...)
		inputs[path] = tensors.FromFlatDataAndDimensions(numbers(uint64(1000+i), size, -1, 1), shape...)
	}
	// The optimizer's state: names and shapes of what Init makes, at their first values.
	named := func(nodes []*graph.Node) []optim.Param {
		out := make([]optim.Param, len(paths))
		for i, path := range paths {
			out[i] = optim.Param{Path: path, Value: nodes[i]}
		}
		return out
	}
	var names []string
	init := func(nodes []*graph.Node) []*graph.Node {
		var values []*graph.Node
		names = nil
		for _, v := range t.Init(named(nodes)) {
			names, values = append(names, v.Name), append(values, v.Value)
		}
		// A method without a state still has one result.
		return append(values, nodes[0])
	}
	var first []any
	for _, path := range paths {
		first = append(first, state["param:"+path])
	}
	start, err := graph.NewExec(b, init)
	if err != nil {
		return subject{}, err
	}
	values, err := start.Call(first...)
	if err != nil {
		return subject{}, err
	}
	for i, name := range names {
		state["state:"+name] = values[i]
	}
	program, err := scan.Compile(b, scan.Loop{Name: "update", Mode: how, Chunk: updates, Step: func(s *scan.Step) {
		var nodes, gradients []*graph.Node
		for _, path := range paths {
			nodes, gradients = append(nodes, s.Get("param:"+path)), append(gradients, s.Input(path))
		}
		var before optim.State
		for _, name := range names {
			before = append(before, optim.Var{Name: name, Value: s.Get("state:" + name)})
		}
		changes, after := t.Update(&optim.Step{Params: named(nodes), Count: s.Count()}, gradients, before)
		for i, path := range paths {
			s.Set("param:"+path, graph.Add(nodes[i], changes[i]))
		}
		for _, v := range after {
			s.Set("state:"+v.Name, v.Value)
		}
	}}, state, inputs)
	if err != nil {
		return subject{}, err
	}
	r, err := program.Run(ctx, state, inputs, 3, 0)
	if err != nil {
		return subject{}, err
	}
	var check []float64
	for _, path := range paths {
		check = append(check, floats(r.State["param:"+path])[0])
	}
	return subject{check: check, sample: func(ctx context.Context) (int, error) {
		r, err = program.Resume(ctx, r, inputs, updates)
		return updates, err
	}}, nil
}

// asPeers is an optimizer of the registry, in the peers' convention where that is another arithmetic.
func asPeers(method string) (optim.Transform, error) {
	const rate = 1e-3
	at := optim.ScaleByLearningRate{Rate: rate}
	switch method {
	case "adagrad":
		return optim.Chain{optim.ScaleByAdaGrad{Initial: 0.1, Eps: 1e-7, EpsInside: true}, at}, nil
	case "rmsprop":
		return optim.Chain{optim.ScaleByRMS{Decay: 0.9, EpsInside: true}, at}, nil
	case "rmsprop-centered":
		return optim.Chain{optim.ScaleByRMS{Decay: 0.9, EpsInside: true, Centered: true}, at}, nil
	case "amsgrad":
		return optim.Chain{optim.ScaleByAMSGrad{Corrected: true}, at}, nil
	case "sgd-sai-torch":
		return optim.Chain{optim.ScaleByGSNR{Raw: true}, optim.Trace{Momentum: 0.9, Average: true}, at}, nil
	}
	return optim.ByName(strings.TrimSuffix(method, "-torch"), rate)
}

// transformer has the shapes of a language model of 12 layers, width 256 and 2048
// tokens.
func transformer() map[string][]int {
	const layers, width, tokens = 12, 256, 2048
	out := map[string][]int{"embedding": {tokens, width}}
	for i := range layers {
		for name, shape := range map[string][]int{
			"attention/in": {width, 3 * width}, "attention/out": {width, width},
			"dense_0/biases": {4 * width}, "dense_0/weights": {width, 4 * width},
			"dense_1/biases": {width}, "dense_1/weights": {4 * width, width},
			"norm_0/biases": {width}, "norm_0/scale": {width}, "norm_1/biases": {width}, "norm_1/scale": {width},
		} {
			out[fmt.Sprintf("layer_%02d/%s", i, name)] = shape
		}
	}
	return out
}
