package optim

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// The average of the weights after each step, from the first weights on, by hand; the updates pass unchanged.
func TestAverageWeights(t *testing.T) {
	gradients := [][]float64{{1, -2}, {3, 0}, {-1, 5}}
	start := scan.Vars{"w": tensors.FromValue([]float64{1, 2})}
	r, err := Minimize(context.Background(), backend.ForTest(t), Chain{SGD(0.1), AverageWeights{Decay: 0.8}}, feed(0), start, scan.Vars{"g": tensors.FromValue(gradients)}, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, average := []float64{1, 2}, []float64{1, 2}
	for _, g := range gradients {
		for i := range w {
			w[i] -= 0.1 * g[i]
			average[i] = 0.8*average[i] + 0.2*w[i]
		}
	}
	close(t, "w", tensors.MustCopyFlatData[float64](r.Params["w"]), w, 1e-15)
	close(t, "average", tensors.MustCopyFlatData[float64](r.State["1.average/w"]), average, 1e-15)
}

// A clipped gradient is as long as allowed and points where it did; a short one, zero and NaN pass as they are.
func TestClipping(t *testing.T) {
	gradients := tensors.FromValue([][]float64{{3, -4}, {0.3, 0.4}, {0, 0}, {nan, 1}})
	for what, c := range map[string]struct {
		method Transform
		want   []float64
	}{
		"norm":  {ClipByGlobalNorm{MaxNorm: 1}, []float64{0.6, -0.8, 0.3, 0.4, 0, 0}},
		"value": {Clip{Max: 0.35}, []float64{0.35, -0.35, 0.3, 0.35, 0, 0}},
		"block": {ClipByBlockRMS{Max: math.Sqrt(0.5)}, []float64{0.6, -0.8, 0.3, 0.4, 0, 0}},
	} {
		out, err := Respond(context.Background(), backend.ForTest(t), c.method, gradients)
		if err != nil {
			t.Fatal(err)
		}
		got := tensors.MustCopyFlatData[float64](out)
		close(t, what, got[:6], c.want, 1e-15)
		if !math.IsNaN(got[6]) {
			t.Errorf("%s: NaN became %g", what, got[6])
		}
	}
	// The joint norm is over all parameters of a run, and each run has its own.
	params := func(dims ...int) scan.Vars {
		a := tensors.FromFlatDataAndDimensions([]float64{1, 1, 1, 1}, dims...)
		return scan.Vars{"a": a, "b": tensors.FromFlatDataAndDimensions([]float64{1, 1, 1, 1}, dims...)}
	}
	problem := Problem{Lead: 1, Loss: func(p, _ []*graph.Node) *graph.Node {
		return graph.Add(graph.ReduceSum(graph.Mul(p[0], graph.Const(p[0].Graph(), [][]float64{{2, 0}, {0.1, 0}})), 1), graph.ReduceSum(graph.Mul(p[1], graph.Const(p[0].Graph(), [][]float64{{0, 1}, {0.2, 0}})), 1))
	}}
	r, err := Minimize(context.Background(), backend.ForTest(t), Chain{ClipByGlobalNorm{MaxNorm: 1}, Scale{By: 1}}, problem, params(2, 2), nil, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 1 / math.Sqrt(5)
	close(t, "a", tensors.MustCopyFlatData[float64](r.Params["a"]), []float64{1 + 2*n, 1, 1.1, 1}, 1e-15)
	close(t, "b", tensors.MustCopyFlatData[float64](r.Params["b"]), []float64{1, 1 + n, 1.2, 1}, 1e-15)
}

// Every hyper-parameter is an input under its name: two runs with values of their own, along a leading axis and from one
// program, are two programs with these values as constants.
func TestHyperInputs(t *testing.T) {
	end := ScaleByLearningRate{Rate: 0.1}
	values := []float64{0.3, 0.7}
	cases := map[string]struct {
		hyper  string
		method func(v float64) Transform
	}{
		"rate":            {"learning_rate", func(v float64) Transform { return SGD(v) }},
		"trace":           {"momentum", func(v float64) Transform { return Chain{Trace{Momentum: v, Nesterov: true}, end} }},
		"trace, average":  {"momentum", func(v float64) Transform { return Chain{Trace{Momentum: v, Average: true}, end} }},
		"adam 1":          {"beta1", func(v float64) Transform { return Chain{ScaleByAdam{Beta1: v, Nesterov: true}, end} }},
		"adam 2":          {"beta2", func(v float64) Transform { return Chain{ScaleByAdam{Beta2: v}, end} }},
		"adam, inside":    {"beta2", func(v float64) Transform { return Chain{ScaleByAdam{Beta2: v, Placement: EpsInside}, end} }},
		"amsgrad":         {"beta2", func(v float64) Transform { return Chain{ScaleByAMSGrad{Beta2: v, Corrected: true}, end} }},
		"radam":           {"beta2", func(v float64) Transform { return Chain{ScaleByRAdam{Beta2: v}, end} }},
		"lion 1":          {"beta1", func(v float64) Transform { return Chain{ScaleByLion{Beta1: v}, end} }},
		"lion 2":          {"beta2", func(v float64) Transform { return Chain{ScaleByLion{Beta2: v}, end} }},
		"adadelta":        {"rho", func(v float64) Transform { return Chain{ScaleByAdaDelta{Rho: v}, end} }},
		"rms":             {"decay", func(v float64) Transform { return Chain{ScaleByRMS{Decay: v, Centered: true}, end} }},
		"muon":            {"momentum", func(v float64) Transform { return Chain{ScaleByMuon{Momentum: v}, end} }},
		"diffgrad":        {"beta1", func(v float64) Transform { return Chain{ScaleByDiffGrad{Beta1: v}, end} }},
		"clip":            {"max_value", func(v float64) Transform { return Chain{Clip{Max: v}, end} }},
		"clip norm":       {"max_norm", func(v float64) Transform { return Chain{ClipByGlobalNorm{MaxNorm: v}, end} }},
		"decay":           {"weight_decay", func(v float64) Transform { return Chain{AddDecayedWeights{Decay: v}, end} }},
		"averaged":        {"average_decay", func(v float64) Transform { return Chain{SGD(0.1), AverageWeights{Decay: v}} }},
		"sharpness-aware": {"rho", func(v float64) Transform { return SAM(v, SGD(0.1)) }},
	}
	problem := func(lead int) Problem {
		return Problem{Lead: lead, Loss: func(p, _ []*graph.Node) *graph.Node {
			w := p[0]
			return graph.ReduceSum(graph.Add(graph.MulScalar(graph.Square(graph.Square(w)), 0.2), graph.Cos(graph.MulScalar(w, 3))), lead, lead+1)
		}}
	}
	one := []float64{0.5, -1, 1.5, 0.2, -0.6, 0.9}
	alone := scan.Vars{"w": tensors.FromFlatDataAndDimensions(one, 2, 3)}
	together := scan.Vars{"w": tensors.FromFlatDataAndDimensions(append(append([]float64{}, one...), one...), 2, 2, 3)}
	ctx, b := context.Background(), backend.ForTest(t)
	for name, c := range cases {
		hyper := Hyper{c.hyper: values}
		program, err := Compile(b, c.method(0.5), problem(1), together, nil, hyper)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := program.Run(ctx, together, nil, hyper, 4, 0)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range values {
			want, err := Minimize(ctx, b, c.method(v), problem(0), alone, nil, 4, 0)
			if err != nil {
				t.Fatal(err)
			}
			for path, w := range want.State {
				all := tensors.MustCopyFlatData[float64](got.State[path])
				close(t, name+": "+path, all[k*len(all)/2:(k+1)*len(all)/2], tensors.MustCopyFlatData[float64](w), 1e-11)
			}
			close(t, name, tensors.MustCopyFlatData[float64](got.Params["w"])[6*k:6*k+6], tensors.MustCopyFlatData[float64](want.Params["w"]), 1e-11)
		}
	}
}

// The table of the package comment: numbers of state for a 256×128 matrix of float32.
func TestStateBytes(t *testing.T) {
	const m, n = 256, 128
	b := backend.ForTest(t)
	params := scan.Vars{"w": tensors.FromFlatDataAndDimensions(make([]float32, m*n), m, n)}
	for name, numbers := range map[string]int64{
		"sgd": 0, "signsgd": 0, "momentum": m * n, "nesterov": m * n, "adagrad": m * n, "adadelta": 2 * m * n,
		"rmsprop": m * n, "rmsprop-centered": 2 * m * n, "adam": 2 * m * n, "adamw": 2 * m * n, "nadam": 2 * m * n,
		"amsgrad": 3 * m * n, "radam": 2 * m * n, "lion": m * n, "adafactor": m + n, "muon": m * n, "diffgrad": 3 * m * n,
	} {
		method, err := ByName(name, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := StateBytes(b, method, params); err != nil || got != 4*numbers {
			t.Errorf("%s keeps %d bytes (%v), want %d", name, got, err, 4*numbers)
		}
	}
	if _, err := StateBytes(b, Adam(-1), nil); err == nil || !strings.Contains(err.Error(), "Rate is -1") || !strings.Contains(err.Error(), "params is empty") {
		t.Errorf("error %v", err)
	}
}

// Every field out of range is named, with its value and what is allowed.
func TestFieldErrors(t *testing.T) {
	for want, method := range map[string]Transform{
		"Trace: Momentum is 1, must be in [0, 1)":                            Trace{Momentum: 1},
		"ScaleByAdam: Beta1 is -0.1, must be in [0, 1)":                      ScaleByAdam{Beta1: -0.1},
		"ScaleByAdam: Beta2 is NaN, must be in [0, 1)":                       ScaleByAdam{Beta2: nan},
		"ScaleByAdam: Eps is -1, must be finite and at least 0":              ScaleByAdam{Eps: -1},
		"ScaleByAdam: Placement is 3, must be EpsOutside":                    ScaleByAdam{Placement: 3},
		"ScaleByAMSGrad: Beta2 is 1,":                                        ScaleByAMSGrad{Beta2: 1},
		"ScaleByRAdam: Beta2 is 0, must be in (0, 1)":                        ScaleByRAdam{Beta2: Zero},
		"ScaleByRAdam: Threshold is 3, must be in [4,":                       ScaleByRAdam{Threshold: 3},
		"ScaleByLion: Beta2 is 2,":                                           ScaleByLion{Beta2: 2},
		"ScaleByAdaGrad: Eps is -1":                                          ScaleByAdaGrad{Eps: -1},
		"ScaleByAdaGrad: Initial is -1":                                      ScaleByAdaGrad{Initial: -1},
		"ScaleByAdaDelta: Rho is 1,":                                         ScaleByAdaDelta{Rho: 1},
		"ScaleByAdaDelta: Eps is -1, must be positive":                       ScaleByAdaDelta{Eps: -1},
		"ScaleByRMS: Decay is 1.5,":                                          ScaleByRMS{Decay: 1.5},
		"ScaleByFactoredRMS: Decay is 2, must be in [0, 1]":                  ScaleByFactoredRMS{Decay: 2},
		"ScaleByFactoredRMS: MinDim is -1, must be at least 1 (0 means 128)": ScaleByFactoredRMS{MinDim: -1},
		"ClipByBlockRMS: Max is -1, must be positive and finite":             ClipByBlockRMS{Max: -1},
		"ScaleByParamRMS: Min is -1,":                                        ScaleByParamRMS{Min: -1},
		"ScaleByMuon: Momentum is 1,":                                        ScaleByMuon{Momentum: 1},
		"ScaleByMuon: Steps is -1, must be at least 1 (0 means 5)":           ScaleByMuon{Steps: -1},
		"ScaleByDiffGrad: Beta1 is 1,":                                       ScaleByDiffGrad{Beta1: 1},
		"ScaleByDiffGrad: Version is 3, must be 0, 1 or 2":                   ScaleByDiffGrad{Version: 3},
		"Clip: Max is 0, must be positive and finite":                        Clip{},
		"ClipByGlobalNorm: MaxNorm is +Inf, must be positive and finite":     ClipByGlobalNorm{MaxNorm: math.Inf(1)},
		"AddDecayedWeights: Decay is -1, must be finite and at least 0":      AddDecayedWeights{Decay: -1},
		"AverageWeights: Decay is 1, must be in [0, 1)":                      AverageWeights{Decay: 1},
		"SkipNonFinite: Inner is nil":                                        SkipNonFinite{},
		"Scale: By is +Inf, must be finite":                                  Scale{By: math.Inf(1)},
		"ScaleByLearningRate: Rate is -1, must be finite and at least 0":     ScaleByLearningRate{Rate: -1},
		"Chain: it is empty, must hold at least one part":                    Chain{},
		"Chain: part 1 is nil":                                               Chain{Keep{}, nil},
	} {
		if err := method.Validate(); err == nil || !strings.Contains(err.Error(), "optim: "+want) {
			t.Errorf("error %v, want one with %q", err, "optim: "+want)
		}
	}
	start, problem := parts()
	if _, err := Compile(backend.ForTest(t), ScaleByMuon{}, problem, start, nil, nil); err == nil || !strings.Contains(err.Error(), `parameter "block_0/biases" is`) || !strings.Contains(err.Error(), "must be a matrix") {
		t.Errorf("Muon on vectors gives %v", err)
	}
	for _, g := range []*tensors.Tensor{nil, tensors.FromScalar(1.0), tensors.FromValue([]int32{1}), tensors.FromFlatDataAndDimensions([]float64{}, 0, 2)} {
		if _, err := Respond(context.Background(), backend.ForTest(t), SGD(1), g); err == nil || !strings.Contains(err.Error(), "must be floats shaped [steps, …]") {
			t.Errorf("Respond gives %v", err)
		}
	}
}
