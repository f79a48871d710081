package optim

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// golden holds what testdata/golden.py, torch.py and reference.py printed: parameters and gradients, and the parameters after each
// step.
type golden struct {
	Params    map[string][]float64
	Gradients []map[string][]float64
	Paths     map[string][]map[string][]float64
	SAM       map[string][]map[string][]float64 // reference.json's, on the loss of sam.json
}

func readGolden(t *testing.T, path string) (g golden) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// optaxCases write optax's optimizers in our parts; where the conventions differ a field says so.
var optaxCases = map[string]Transform{
	"sgd":                    SGD(0.1),
	"momentum":               Momentum(0.1, 0.9),
	"nesterov":               Nesterov(0.1, 0.9),
	"adagrad-optax":          ready(0.1, ScaleByAdaGrad{Initial: 0.1, Eps: 1e-7, EpsInside: true}),
	"adadelta":               AdaDelta(1),
	"rmsprop-optax":          ready(0.01, ScaleByRMS{Decay: 0.9, EpsInside: true}),
	"rmsprop-centered-optax": ready(0.01, ScaleByRMS{Decay: 0.9, EpsInside: true, Centered: true}),
	"rmsprop-momentum-optax": ready(0.01, ScaleByRMS{Decay: 0.9, EpsInside: true}, Trace{}),
	"adam":                   Adam(0.01),
	"amsgrad-optax":          ready(0.01, ScaleByAMSGrad{Corrected: true}),
	"adamw":                  AdamW(0.01, 0.01),
	"nadam":                  NAdam(0.01),
	"radam":                  RAdam(0.01),
	"lion":                   Lion(0.01, 0.1),
	"signsgd":                SignSGD(0.01),
	"adafactor":              Adafactor(0.01),
	"adafactor-small":        ready(0.01, ScaleByFactoredRMS{MinDim: 2}, ClipByBlockRMS{}, ScaleByParamRMS{}),
	"muon":                   Muon(0.02),
	"clip-norm-adam":         Chain{ClipByGlobalNorm{MaxNorm: 1}, Adam(0.01)},
	"clip-value-sgd":         Chain{Clip{Max: 0.3}, SGD(0.1)},
	"cosine-adam":            Chain{ScaleByAdam{}, ScaleByLearningRate{Rate: 0.01, Schedule: Cosine{Steps: 8, End: 0.1}}},
	"warm-up-sgd":            Chain{ScaleByLearningRate{Rate: 0.1, Schedule: WarmUp{Steps: 4, From: 0.2}}},
	"step-sgd":               Chain{ScaleByLearningRate{Rate: 0.1, Schedule: StepDecay{Every: 3, By: 0.5}}},
	"joined-adam":            Chain{ScaleByAdam{}, ScaleByLearningRate{Rate: 0.01, Schedule: WarmUpCosine(3, 8, 0.1)}},
	"constant-sgd":           Chain{ScaleByLearningRate{Rate: 0.1, Schedule: Constant{By: 0.3}}},
	"adam-eps-root":          ready(0.01, ScaleByAdam{Eps: 1e-3, Placement: EpsInside}),
	"l2-adam":                Chain{AddL2(0.1), Adam(0.01)},
	"adamw-masked":           ready(0.01, ScaleByAdam{}, AddDecayedWeights{Decay: 0.1, Where: Matrices}),
	"average-momentum":       Chain{Trace{Average: true}, Scale{By: -0.1}},
	"rmsprop-nesterov-optax": ready(0.01, ScaleByRMS{Decay: 0.9, EpsInside: true}, Trace{Nesterov: true}),
	"clip-block-rms-sgd":     ready(0.1, ClipByBlockRMS{Max: 0.3}),
	"param-block-rms-sgd":    ready(0.1, ScaleByParamRMS{}),
	"accumulate-adam":        Chain{Accumulate{Every: 3, Inner: Adam(0.01)}},
	"partition":              Chain{Partition{{Name: "m", Where: Matrices, Transform: Momentum(0.1, 0.9)}, {Name: "v", Transform: Adam(0.01)}}},
	"prodigy":                ready(1, ScaleByProdigy{BiasCorrection: true}),
	"prodigy-warm-up": Chain{ScaleByProdigy{BiasCorrection: true, First: 0.01, Decay: 0.1, Coef: 2, Schedule: WarmUp{Steps: 4, From: 0.2}},
		ScaleByLearningRate{Rate: 1, Schedule: WarmUp{Steps: 4, From: 0.2}}},
	"prodigy-safeguard": Chain{ScaleByProdigy{BiasCorrection: true, Beta1: 0.8, Beta2: 0.99, First: 0.01, SafeguardWarmUp: true, Schedule: WarmUp{Steps: 4, From: 0.2}},
		ScaleByLearningRate{Rate: 1, Schedule: WarmUp{Steps: 4, From: 0.2}}},
	"freeze": Chain{Partition{{Name: "still", Where: ByPath("a"), Transform: Freeze{}}, {Name: "v", Transform: Adam(0.01)}}},
}

// torchCases write PyTorch's optimizers in our parts. Its NAdam has a schedule of its own, and its Adafactor another
// step size: they are not here.
var torchCases = map[string]Transform{
	"sgd":              SGD(0.1),
	"momentum":         Momentum(0.1, 0.9),
	"nesterov":         Nesterov(0.1, 0.9),
	"adagrad":          ready(0.1, ScaleByAdaGrad{Eps: 1e-10}),
	"adadelta":         AdaDelta(1),
	"rmsprop":          RMSProp(0.01),
	"rmsprop-centered": CenteredRMSProp(0.01),
	"rmsprop-momentum": ready(0.01, ScaleByRMS{}, Trace{}),
	"adam":             Adam(0.01),
	"adam-l2":          Chain{AddDecayedWeights{Decay: 0.1}, Adam(0.01)},
	"adamw":            AdamW(0.01, 0.1),
	"amsgrad":          AMSGrad(0.01),
	"radam":            RAdam(0.01),
}

// referenceCases write pytorch-optimizer's methods in our parts.
var referenceCases = map[string]Transform{
	"diffgrad": DiffGrad(0.01),
	"signum":   ready(0.01, Trace{Average: true}, ScaleBySign{}),
	"sgd-sai":  ready(0.01, ScaleByGSNR{Raw: true}, Trace{Average: true}, AddDecayedWeights{Decay: 0.1}),
	"galore": ready(0.01, ScaleByFrugal{Full: ScaleByAdam{Eps: 1e-6, Placement: EpsUncorrected}, Free: Freeze{}, Selector: SVD{MinRank: 1}, Density: 0.5,
		Scale: 0.25, History: KeepState}),
}

func TestOptaxParity(t *testing.T) {
	g := readGolden(t, "testdata/golden.json")
	g.compare(t, optaxCases, 1e-9)
}

func TestTorchParity(t *testing.T) {
	g := readGolden(t, "testdata/golden.json")
	g.Paths = readGolden(t, "testdata/torch.json").Paths
	g.compare(t, torchCases, 1e-9)
}

func TestPytorchOptimizerParity(t *testing.T) {
	g := readGolden(t, "testdata/golden.json")
	g.Paths = readGolden(t, "testdata/reference.json").Paths
	g.compare(t, referenceCases, 1e-8) // GaLore's directions come from the product of the gradient with itself, which costs digits
}

// compare runs the gradients through every case.
func (g golden) compare(t *testing.T, cases map[string]Transform, tolerance float64) {
	t.Helper()
	steps := len(g.Gradients)
	a, b := make([]float64, 0, steps*6), make([]float64, 0, steps*4)
	for _, step := range g.Gradients {
		a, b = append(a, step["a"]...), append(b, step["b"]...)
	}
	params := scan.Vars{"a": tensors.FromFlatDataAndDimensions(g.Params["a"], 3, 2), "b": tensors.FromValue(g.Params["b"])}
	inputs := scan.Vars{"a": tensors.FromFlatDataAndDimensions(a, steps, 3, 2), "b": tensors.FromFlatDataAndDimensions(b, steps, 4)}
	problem := Problem{
		Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Row("a"), s.Row("b")} },
		Loss: func(params, data []*graph.Node) *graph.Node {
			return graph.Add(graph.ReduceAllSum(graph.Mul(params[0], data[0])), graph.ReduceAllSum(graph.Mul(params[1], data[1])))
		},
		Observe: func(s *scan.Step, o Observation) {
			s.Trace("a", graph.Add(o.Params[0].Value, o.Updates[0]))
			s.Trace("b", graph.Add(o.Params[1].Value, o.Updates[1]))
		},
	}
	if len(cases) != len(g.Paths) {
		t.Errorf("%d cases here, %d in the golden file", len(cases), len(g.Paths))
	}
	for name, path := range g.Paths {
		t.Run(name, func(t *testing.T) {
			r, err := Minimize(context.Background(), backend.ForTest(t), cases[name], problem, params, inputs, steps, 0)
			if err != nil {
				t.Fatal(err)
			}
			var wantA, wantB []float64
			for _, step := range path {
				wantA, wantB = append(wantA, step["a"]...), append(wantB, step["b"]...)
			}
			close(t, "matrix", tensors.MustCopyFlatData[float64](r.Traces["a"]), wantA, tolerance)
			if wantB != nil { // a file may leave out what a library does in a way of its own
				close(t, "vector", tensors.MustCopyFlatData[float64](r.Traces["b"]), wantB, tolerance)
			}
		})
	}
}
