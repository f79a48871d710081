package optim_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

var trainerStart = map[string]any{
	"layer/weights": [][]float64{{0.5, -1, 2}, {1, 0.25, -0.5}},
	"layer/biases":  []float64{0.1, -0.2, 0.3},
}

// linear is a model with a matrix and a vector, made in an order that is not the sorted one.
func linear(scope *model.Scope, _ any, inputs []*graph.Node) []*graph.Node {
	g := inputs[0].Graph()
	layer := scope.In("layer")
	weights := layer.VariableWithValue("weights", trainerStart["layer/weights"]).NodeValue(g)
	biases := layer.VariableWithValue("biases", trainerStart["layer/biases"]).NodeValue(g)
	return []*graph.Node{graph.Add(graph.Dot(inputs[0], weights).Product(), graph.InsertAxes(biases, 0))}
}

func squares(labels, predictions []*graph.Node) *graph.Node {
	return graph.ReduceAllMean(graph.Square(graph.Sub(predictions[0], labels[0])))
}

// batchOf n examples whose values are made up but for good.
func batchOf(n int) train.Batch {
	x, y := make([]float64, 2*n), make([]float64, 3*n)
	for i := range x {
		x[i] = float64((7*i+3)%11)/5 - 1
	}
	for i := range y {
		y[i] = float64((5*i+1)%13)/6 - 1
	}
	return train.Batch{
		Inputs: []*tensors.Tensor{tensors.FromFlatDataAndDimensions(x, n, 2)},
		Labels: []*tensors.Tensor{tensors.FromFlatDataAndDimensions(y, n, 3)},
	}
}

func adapted(t *testing.T, transform optim.Transform, hyper optim.Hyper) *optim.GoMLX {
	t.Helper()
	o, err := optim.NewGoMLX(transform, "", hyper)
	require.NoError(t, err)
	return o
}

func newTrainer(t *testing.T, store *model.Store, o optimizer.Interface) *train.Trainer {
	t.Helper()
	return train.NewTrainer(backend.ForTest(t), store, linear, squares, o, nil, nil)
}

// steps trains with batches of that size; the trainer takes their memory.
func steps(t *testing.T, trainer *train.Trainer, n, size int) {
	t.Helper()
	for range n {
		_, err := trainer.TrainStep(batchOf(size))
		require.NoError(t, err)
	}
}

// values of the store's variables by path, those of the trainer's metrics left out.
func values(t *testing.T, store *model.Store) map[string]any {
	t.Helper()
	out := map[string]any{}
	for v := range store.IterVariables() {
		if !strings.Contains(v.Path(), "metrics") && !strings.Contains(v.Path(), "rng") {
			out[v.Path()] = v.MustValue().Value()
		}
	}
	return out
}

// manyKinds of state: none, moments, the last gradient, the parameters themselves, a count inside.
func manyKinds() map[string]optim.Transform {
	return map[string]optim.Transform{
		"sgd": optim.SGD(0.05), "adam": optim.Adam(0.02), "diffgrad": optim.DiffGrad(0.02), "adafactor": optim.Adafactor(0.02),
		"chain": optim.Chain{
			optim.ClipByGlobalNorm{MaxNorm: 0.5}, optim.SkipNonFinite{Inner: optim.ScaleByAdam{}},
			optim.ScaleByLearningRate{Schedule: optim.Cosine{Steps: 8}, Rate: 0.05}, optim.AverageWeights{Decay: 0.8},
		},
		"partition": optim.Partition{{Name: "matrices", Where: optim.Matrices, Transform: optim.Muon(0.02)}, {Name: "rest", Transform: optim.Momentum(0.05, 0.9)}},
	}
}

// The trainer and the scan give the same parameters and the same state.
func TestTrainerEqualsScan(t *testing.T) {
	batch := batchOf(6)
	for name, transform := range manyKinds() {
		t.Run(name, func(t *testing.T) {
			store := model.NewStore()
			steps(t, newTrainer(t, store, adapted(t, transform, nil)), 10, 6)
			got := values(t, store)

			params := scan.Vars{}
			for path, v := range trainerStart {
				params[path] = tensorOf(v)
			}
			problem := optim.Problem{
				Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Input("x"), s.Input("y")} },
				Loss: func(p, data []*graph.Node) *graph.Node { // sorted: biases, weights
					return squares([]*graph.Node{data[1]}, []*graph.Node{graph.Add(graph.Dot(data[0], p[1]).Product(), graph.InsertAxes(p[0], 0))})
				},
			}
			r, err := optim.Minimize(context.Background(), backend.ForTest(t), transform, problem, params,
				scan.Vars{"x": batch.Inputs[0], "y": batch.Labels[0]}, 10, 0)
			require.NoError(t, err)
			for path, v := range r.Params {
				require.InDeltaSlice(t, tensors.MustCopyFlatData[float64](v), flat(got["/"+path]), 1e-12, path)
			}
			for path, v := range r.State {
				if v.DType().IsFloat() {
					require.InDeltaSlice(t, tensors.MustCopyFlatData[float64](v), flat(got["/optim/state/"+path]), 1e-12, path)
				} else {
					require.Equal(t, v.Value(), got["/optim/state/"+path], path)
				}
			}
		})
	}
}

func flat(v any) []float64 { return tensors.MustCopyFlatData[float64](tensorOf(v)) }

func tensorOf(v any) *tensors.Tensor {
	t, err := tensors.FromAnyValue(v)
	if err != nil {
		panic(err)
	}
	return t
}

// Saved in mid-run and restored, training goes on as if nothing had been: bit for bit where one thread computes.
func TestCheckpoint(t *testing.T) {
	for name, transform := range manyKinds() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			whole := model.NewStore()
			steps(t, newTrainer(t, whole, adapted(t, transform, nil)), 9, 6)

			half := model.NewStore()
			handler, err := checkpoint.Build(half).Dir(dir).Done()
			require.NoError(t, err)
			steps(t, newTrainer(t, half, adapted(t, transform, nil)), 4, 6)
			require.NoError(t, handler.Save())

			rest := model.NewStore()
			_, err = checkpoint.Build(rest).Dir(dir).Done()
			require.NoError(t, err)
			steps(t, newTrainer(t, rest, adapted(t, transform, nil)), 5, 6)
			want, got := values(t, whole), values(t, rest)
			require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
			if backend.Describe(backend.ForTest(t)).Name == backend.PureGo {
				require.Equal(t, want, got)
				return
			}
			for path, v := range want {
				if _, ok := v.(int64); ok {
					require.Equal(t, v, got[path], path)
				} else {
					require.InDeltaSlice(t, flat(v), flat(got[path]), 1e-12, path)
				}
			}
		})
	}
}

// Another batch shape is another graph, with the same state.
func TestTrainerBatchShapes(t *testing.T) {
	store := model.NewStore()
	trainer := newTrainer(t, store, adapted(t, optim.Adam(0.02), nil))
	steps(t, trainer, 2, 6)
	steps(t, trainer, 3, 4)
	require.Equal(t, int64(5), values(t, store)["/optim/count"])
	require.Equal(t, int64(5), values(t, store)["/global_step"])
	other := model.NewStore()
	trainer = newTrainer(t, other, adapted(t, optim.Adam(0.02), nil))
	steps(t, trainer, 2, 6)
	require.NotEqual(t, values(t, store)["/layer/weights"], values(t, other)["/layer/weights"])
}

// State variables are not trained, two optimizers keep apart, and Clear leaves nothing and begins anew.
func TestTrainerClear(t *testing.T) {
	store := model.NewStore()
	o := adapted(t, optim.Adam(0.02), nil)
	other, err := optim.NewGoMLX(optim.Adam(0.02), "second", nil)
	require.NoError(t, err)
	steps(t, newTrainer(t, store, o), 3, 6)
	steps(t, newTrainer(t, store, other), 2, 6)
	all := values(t, store)
	require.Equal(t, int64(3), all["/optim/count"])
	require.Equal(t, int64(2), all["/second/count"])
	require.NoError(t, o.Clear(store.RootScope()))
	for path := range values(t, store) {
		require.False(t, strings.HasPrefix(path, "/optim/"), path)
	}
	require.Equal(t, int64(2), values(t, store)["/second/count"])
	steps(t, newTrainer(t, store, o), 1, 6)
	require.Equal(t, int64(1), values(t, store)["/optim/count"])
}

func TestTrainerAccumulates(t *testing.T) {
	store, plain := model.NewStore(), model.NewStore()
	trainer := newTrainer(t, store, adapted(t, optim.Adam(0.02), nil))
	require.NoError(t, trainer.AccumulateGradients(3))
	steps(t, trainer, 6, 6)
	steps(t, newTrainer(t, plain, adapted(t, optim.Adam(0.02), nil)), 2, 6)
	require.InDeltaSlice(t, flat(values(t, plain)["/layer/weights"]), flat(values(t, store)["/layer/weights"]), 1e-12)
}

// A hyper-parameter that is a variable changes with Set, in the same graph.
func TestTrainerHyper(t *testing.T) {
	o := adapted(t, optim.Adam(0.5), optim.Hyper{"learning_rate": {0.02}})
	store, plain := model.NewStore(), model.NewStore()
	trainer := newTrainer(t, store, o)
	steps(t, trainer, 2, 6)
	steps(t, newTrainer(t, plain, adapted(t, optim.Adam(0.02), nil)), 2, 6)
	require.Equal(t, values(t, plain)["/layer/weights"], values(t, store)["/layer/weights"])
	require.NoError(t, o.Set(store, "learning_rate", 0))
	steps(t, trainer, 2, 6)
	require.Equal(t, values(t, plain)["/layer/weights"], values(t, store)["/layer/weights"], "at rate 0 nothing moves")
	require.EqualError(t, o.Set(store, "beta1", 0), `optim: GoMLX: hyper-parameter "beta1" was not given to NewGoMLX`)
}

func TestTrainerErrors(t *testing.T) {
	_, err := optim.NewGoMLX(nil, "", nil)
	require.ErrorContains(t, err, "the transform is nil")
	_, err = optim.NewGoMLX(optim.Chain{optim.SkipNonFinite{Inner: optim.SAM(0.05, optim.Adam(2))}}, "a/b", optim.Hyper{"learning_rate": {1, 2}})
	require.ErrorContains(t, err, "asks for the loss at other weights")
	require.ErrorContains(t, err, `name is "a/b", must not contain "/"`)
	require.ErrorContains(t, err, "has 2 values, must have one")
	_, err = optim.NewGoMLX(optim.Adam(-1), "", nil)
	require.ErrorContains(t, err, "Rate is -1")
	require.ErrorContains(t, optim.Accumulate{Every: 2, Inner: optim.SAM(0.05, optim.SGD(1))}.Validate(), "put it around Accumulate")

	frozen := func(scope *model.Scope, _ any, inputs []*graph.Node) []*graph.Node {
		v := scope.In("layer").VariableWithValue("weights", 0.0).SetTrainable(false)
		return []*graph.Node{graph.Mul(inputs[0], v.NodeValue(inputs[0].Graph()))}
	}
	trainer := train.NewTrainer(backend.ForTest(t), model.NewStore(), frozen, squares, adapted(t, optim.Adam(0.1), nil), nil, nil)
	x := []*tensors.Tensor{tensors.FromValue([]float64{1})}
	_, err = trainer.TrainStep(train.Batch{Inputs: x, Labels: x})
	require.ErrorContains(t, err, "no trainable variable")
}
