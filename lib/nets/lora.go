package nets

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// LoRA adapts a trained model by low-rank terms of its dense weights, which stay themselves as they are:
//
//	W + (Alpha/Rank)·A·B,  A: inputs × Rank, B: Rank × outputs
//
// A begins normal of deviation 1/√inputs, B at zero, so that the adapted model begins as the base.
//
// Source: Hu et al. (2022), LoRA: Low-Rank Adaptation of Large Language Models, section 4.1.
type LoRA struct {
	Rank  int     // at least 1, at most the smaller side of every matrix it adapts
	Alpha float64 // positive; default Rank, so that the factor is 1
	// Match chooses the matrices by path; default: every parameter of two axes whose path ends in "weights", the dense
	// layers of all models here.
	Match func(path string) bool
}

// The last elements of the paths of LoRA's own parameters, below the path of the weights they adapt.
const (
	loraA = "/lora_a"
	loraB = "/lora_b"
)

// Trainable says whether a parameter of an adapted model is LoRA's own, to be trained.
func (LoRA) Trainable(path string) bool {
	return strings.HasSuffix(path, loraA) || strings.HasSuffix(path, loraB)
}

// Adapt returns the model with LoRA's parameters beside its own, "…/weights/lora_a" and "…/weights/lora_b". No gradient
// reaches the base's parameters; an optimizer must leave them alone besides, for weight decay moves parameters without
// one and state takes memory:
//
//	optim.Partition{
//		{Name: "adapters", Where: func(p optim.Param) bool { return lora.Trainable(p.Path) }, Transform: optim.AdamW(1e-3, 0.01)},
//		{Name: "base", Transform: optim.Freeze{}},
//	}
func (l LoRA) Adapt(base Model) (Model, error) {
	scale, err := l.validate(base)
	if err != nil {
		return Model{}, err
	}
	params := slices.Clone(base.Params)
	for _, p := range base.Params {
		if l.adapts(p) {
			params = append(params,
				ParamSpec{Path: p.Path + loraA, Shape: []int{p.Shape[0], l.Rank}, Deviation: 1 / math.Sqrt(float64(p.Shape[0]))},
				ParamSpec{Path: p.Path + loraB, Shape: []int{l.Rank, p.Shape[1]}})
		}
	}
	params = sorted(params)
	merged := func(p []*graph.Node) []*graph.Node { return l.merged(base, byPath(params, p), scale) }
	adapted := Model{
		Name: fmt.Sprintf("%s with LoRA of rank %d", base.Name, l.Rank), Params: params,
		Apply: func(p []*graph.Node, x *graph.Node) *graph.Node { return base.Apply(merged(p), x) },
	}
	if base.Norm != nil {
		adapted.Norm = &BatchNorm{
			Statistics: base.Norm.Statistics,
			Train: func(p []*graph.Node, x *graph.Node) (*graph.Node, []*graph.Node) {
				return base.Norm.Train(merged(p), x)
			},
			Evaluate: func(p, statistics []*graph.Node, x *graph.Node) *graph.Node {
				return base.Norm.Evaluate(merged(p), statistics, x)
			},
		}
	}
	return adapted, nil
}

// Merge folds trained adapters into the base's weights: the base model then gives the adapted model's outputs, at no
// cost. params are the adapted model's.
func (l LoRA) Merge(b compute.Backend, base Model, params scan.Vars) (scan.Vars, error) {
	adapted, err := l.Adapt(base)
	if err != nil {
		return nil, err
	}
	scale, _ := l.validate(base)
	var args []any
	for _, p := range adapted.Params {
		v := params[p.Path]
		if v == nil || !slices.Equal(v.Shape().Dimensions, p.Shape) {
			return nil, fmt.Errorf("nets: LoRA: Merge: parameter %q is missing or not of shape %v", p.Path, p.Shape)
		}
		args = append(args, v)
	}
	exec, err := graph.NewExec(b, func(p []*graph.Node) []*graph.Node {
		out := l.merged(base, byPath(adapted.Params, p), scale)
		for i := range out {
			out[i] = graph.Identity(out[i]) // an output must not be an input of the same graph
		}
		return out
	})
	if err != nil {
		return nil, fmt.Errorf("nets: LoRA: Merge: %w", err)
	}
	values, err := exec.Call(args...)
	if err != nil {
		return nil, fmt.Errorf("nets: LoRA: Merge: %w", err)
	}
	out := scan.Vars{}
	for i, p := range base.Params {
		out[p.Path] = values[i]
	}
	return out, nil
}

// merged are the base's parameters, constants as far as gradients go, with the low-rank terms added.
func (l LoRA) merged(base Model, named map[string]*graph.Node, scale float64) []*graph.Node {
	out := make([]*graph.Node, len(base.Params))
	for i, p := range base.Params {
		out[i] = graph.StopGradient(named[p.Path])
		if l.adapts(p) {
			term := graph.MatMul(named[p.Path+loraA], named[p.Path+loraB])
			out[i] = graph.Add(out[i], graph.MulScalar(term, scale))
		}
	}
	return out
}

func (l LoRA) adapts(p ParamSpec) bool {
	if len(p.Shape) != 2 {
		return false
	}
	if l.Match != nil {
		return l.Match(p.Path)
	}
	return p.Path == "weights" || strings.HasSuffix(p.Path, "/weights")
}

// validate returns Alpha/Rank.
func (l LoRA) validate(base Model) (float64, error) {
	var errs []error
	if base.Apply == nil {
		errs = append(errs, errors.New("nets: LoRA: the base model is empty"))
	}
	alpha := l.Alpha
	if alpha == 0 {
		alpha = float64(l.Rank)
	}
	if !(alpha > 0) || math.IsInf(alpha, 0) {
		if l.Rank >= 1 {
			errs = append(errs, fmt.Errorf("nets: LoRA: Alpha is %g, must be positive and finite", alpha))
		}
	}
	if l.Rank < 1 {
		errs = append(errs, fmt.Errorf("nets: LoRA: Rank is %d, must be at least 1", l.Rank))
	}
	var paths []string
	found := false
	for _, p := range base.Params {
		paths = append(paths, p.Path)
		if !l.adapts(p) {
			continue
		}
		found = true
		if most := min(p.Shape[0], p.Shape[1]); l.Rank > most {
			errs = append(errs, fmt.Errorf("nets: LoRA: Rank is %d, must be between 1 and %d for parameter %q of shape %v", l.Rank, most, p.Path, p.Shape))
		}
	}
	if !found {
		errs = append(errs, fmt.Errorf("nets: LoRA: Match chooses no matrix; there are %s", strings.Join(paths, ", ")))
	}
	return alpha / float64(l.Rank), errors.Join(errs...)
}
