package optim

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// GoMLX is a [Transform] as an optimizer of GoMLX's train.Trainer, made by [NewGoMLX]. It serves several graphs (batch
// shapes), gradients that the trainer accumulates, and checkpoints: its state are variables of the model's store, none
// of them trainable, in one folder.
//
// GoMLX's own parameters for optimizers ("learning_rate", "clip_nan", …) are not read: the Transform says it all, with
// [ClipByGlobalNorm], [SkipNonFinite] and the like.
type GoMLX struct {
	transform Transform
	folder    string
	hyper     Hyper
}

var _ interface {
	optimizer.Interface
	UpdateGraphWithGradients(scope *model.Scope, gradients []*graph.Node, lossDType dtypes.DType)
} = (*GoMLX)(nil)

// NewGoMLX adapts t. The state's variables go to the store's folder "/name"; two optimizers of one store need two names,
// and name "" is "optim". Each hyper-parameter in hyper, which may be nil, becomes a variable with that first value,
// which [GoMLX.Set] changes without compiling again.
//
// It is an error if t is not valid, or asks for the loss at other weights (SAM), which the trainer cannot give.
func NewGoMLX(t Transform, name string, hyper Hyper) (*GoMLX, error) {
	if t == nil {
		return nil, errors.New("optim: NewGoMLX: the transform is nil")
	}
	errs := []error{t.Validate()}
	if usesAgain(t) {
		errs = append(errs, errors.New("optim: NewGoMLX: the transform asks for the loss at other weights, which GoMLX's trainer cannot give; use Compile or Minimize"))
	}
	if name == "" {
		name = "optim"
	}
	if strings.Contains(name, model.ScopeSeparator) {
		errs = append(errs, fmt.Errorf("optim: NewGoMLX: name is %q, must not contain %q", name, model.ScopeSeparator))
	}
	for h, values := range hyper {
		if len(values) != 1 {
			errs = append(errs, fmt.Errorf("optim: NewGoMLX: hyper-parameter %q has %d values, must have one", h, len(values)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &GoMLX{transform: t, folder: model.ScopeSeparator + name, hyper: hyper}, nil
}

// UpdateGraph implements optimizer.Interface.
func (o *GoMLX) UpdateGraph(scope *model.Scope, _ *graph.Graph, loss *graph.Node) {
	if !loss.IsScalar() {
		panic(fmt.Errorf("optim: GoMLX: the loss is %s, must be a scalar", loss.Shape()))
	}
	o.update(scope, scope.BuildTrainableVariablesGradientsGraph(loss), loss)
}

// UpdateGraphWithGradients implements train.OptimizeWithGradients, for gradients that were accumulated.
func (o *GoMLX) UpdateGraphWithGradients(scope *model.Scope, gradients []*graph.Node, _ dtypes.DType) {
	o.update(scope, gradients, nil)
}

// update builds a step; loss is nil with accumulated gradients.
func (o *GoMLX) update(scope *model.Scope, gradients []*graph.Node, loss *graph.Node) {
	if len(gradients) == 0 {
		panic(errors.New("optim: GoMLX: the model has no trainable variable"))
	}
	g := gradients[0].Graph()
	targets := o.targets(scope, g, gradients)
	params := make([]Param, len(targets))
	updates := make([]*graph.Node, len(targets))
	for i, t := range targets {
		params[i] = Param{Path: strings.TrimPrefix(t.variable.Path(), model.ScopeSeparator), Value: t.variable.NodeValue(g)}
		updates[i] = t.gradient
	}

	optimizer.IncrementGlobalStep(g, dtypes.Int64) // the trainer's, which others may reset; ours is the one that counts
	count := o.variable(scope, "count", shapes.Make(dtypes.Int64))
	before := count.NodeValue(g)
	now := graph.AddScalar(before, 1)
	count.SetNodeValue(now)

	// Variables begin at zero. Where the state begins otherwise, say at the parameters, the first step takes it from there.
	first := graph.LogicalNot(graph.ConvertDType(before, dtypes.Bool))
	state := o.transform.Init(params)
	kept := make([]*model.Variable, len(state))
	for i, v := range state {
		kept[i] = o.variable(scope, "state/"+v.Name, v.Value.Shape())
		state[i].Value = pick(first, v.Value, kept[i].NodeValue(g))
	}

	step := &Step{Params: params, Count: now, Loss: loss, hyper: o.inputs(scope, g)}
	updates, state = o.transform.Update(step, updates, state)
	for i, t := range targets {
		t.variable.SetNodeValue(graph.Add(params[i].Value, graph.ConvertDType(updates[i], params[i].Value.DType())))
	}
	for i, v := range state {
		kept[i].SetNodeValue(v.Value)
	}
}

// target is a trainable variable and its gradient.
type target struct {
	variable *model.Variable
	gradient *graph.Node
}

// targets pairs variables and gradients, which GoMLX gives in the variables' order, and sorts them by path as [Compile]
// does.
func (o *GoMLX) targets(scope *model.Scope, g *graph.Graph, gradients []*graph.Node) []target {
	var out []target
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			out = append(out, target{variable: v})
		}
	}
	if len(out) != len(gradients) {
		var names []string
		for _, t := range out {
			names = append(names, t.variable.Path())
		}
		panic(fmt.Errorf("optim: GoMLX: %d gradients for the %d trainable variables %s", len(gradients), len(out), strings.Join(names, ", ")))
	}
	for i := range out {
		out[i].gradient = gradients[i]
	}
	slices.SortFunc(out, func(a, b target) int { return strings.Compare(a.variable.Path(), b.variable.Path()) })
	return out
}

// variable of the optimizer, at zero where it is new.
func (o *GoMLX) variable(of model.StoreProvider, name string, shape shapes.Shape) *model.Variable {
	dir, base := path.Split(path.Join(o.folder, name))
	return of.Store().Scope(path.Clean(dir)).WithInitializer(initializer.Zero).VariableWithShape(base, shape).SetTrainable(false)
}

// inputs are the hyper-parameters of a step: v and 1−v, both rounded once from float64.
func (o *GoMLX) inputs(scope *model.Scope, g *graph.Graph) map[string]*graph.Node {
	out := map[string]*graph.Node{}
	for name, values := range o.hyper {
		for key, value := range hyperPair(name, values[0]) {
			at := scope.Store().Scope(path.Join(o.folder, "hyper"))
			out[key] = at.VariableWithValue(key, value).SetTrainable(false).NodeValue(g)
		}
	}
	return out
}

func hyperPair(name string, value float64) map[string]float64 {
	return map[string]float64{name: value, "1-" + name: 1 - value}
}

// Set changes a hyper-parameter that was given to [NewGoMLX], from the next step on.
func (o *GoMLX) Set(store *model.Store, name string, value float64) error {
	if _, ok := o.hyper[name]; !ok {
		return fmt.Errorf("optim: GoMLX: hyper-parameter %q was not given to NewGoMLX", name)
	}
	for key, value := range hyperPair(name, value) {
		at := store.Scope(path.Join(o.folder, "hyper"))
		if err := at.VariableWithValue(key, value).SetTrainable(false).SetValue(tensors.FromScalar(value)); err != nil {
			return fmt.Errorf("optim: GoMLX: hyper-parameter %q: %w", name, err)
		}
	}
	return nil
}

// Clear implements optimizer.Interface: it deletes the count, the state and the hyper-parameters, so that training
// starts anew. It leaves the trainer's global step alone.
func (o *GoMLX) Clear(scope *model.Scope) error {
	if err := scope.Store().Scope(o.folder).DeleteVariablesInScope(); err != nil {
		return fmt.Errorf("optim: GoMLX: Clear: %w", err)
	}
	return nil
}
