package nets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// PruneMethods are the methods that [Pruner.Prune] knows: [curvature.PruneOBS] with M-FAC's inverse,
// [curvature.PruneDiagonalFisher] and [curvature.PruneMagnitude].
var PruneMethods = []string{"m-fac", "diagonal", "magnitude"}

// PrunerConfig says what [NewPruner] prepares: a trained classifier and the examples that its gradients are taken on, as it
// is evaluated: with given statistics of batch normalization, where it has that.
type PrunerConfig struct {
	Model Model
	Train *data.Dataset
	Batch int // examples of one gradient; default 1
	// Where chooses the parameters to prune; nil: those of two axes or more, so weights and not biases.
	Where func(p ParamSpec) bool
}

// Pruner prunes one network's weights, taken together as one vector, in the order of their paths.
type Pruner struct {
	backend   compute.Backend
	config    PrunerConfig
	chosen    []ParamSpec
	size      int
	examples  scan.Vars
	gradients *scan.Program

	mu       sync.Mutex
	inverses map[curvature.PruneConfig]*curvature.InverseFisher // compiled once for each of its settings
}

// Pruned is a network whose Alive weights are not 0, and all others exactly 0.
type Pruned struct {
	Params scan.Vars
	// Statistics of batch normalization that the network is evaluated with; nil for one without. Pruning leaves them as
	// they are, training measures them anew. See [BatchNorm].
	Statistics scan.Vars
	Alive      []bool // one a weight that may be pruned
}

// Sparsity is the fraction of the weights that are pruned.
func (p Pruned) Sparsity() float64 {
	n := 0
	for _, alive := range p.Alive {
		if !alive {
			n++
		}
	}
	return float64(n) / float64(len(p.Alive))
}

// NewPruner checks the configuration and compiles the gradients.
func NewPruner(b compute.Backend, config PrunerConfig) (*Pruner, error) {
	if config.Batch == 0 {
		config.Batch = 1
	}
	if config.Where == nil {
		config.Where = func(p ParamSpec) bool { return len(p.Shape) > 1 }
	}
	p := &Pruner{backend: b, config: config, inverses: map[curvature.PruneConfig]*curvature.InverseFisher{}}
	for _, spec := range config.Model.Params {
		if config.Where(spec) {
			p.chosen = append(p.chosen, spec)
			p.size += spec.size()
		}
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("nets: PrunerConfig: "+format, args...))
	}
	switch {
	case config.Model.Apply == nil:
		bad("Model is empty")
	case p.size == 0:
		bad("Where chooses no parameter of %s", config.Model.Name)
	}
	switch {
	case config.Train == nil || config.Train.Rows() == 0 || config.Train.Labels == nil:
		bad("Train must hold labelled examples")
	case config.Batch < 1 || config.Batch > config.Train.Rows():
		bad("Batch is %d, must be between 1 and %d, the number of examples", config.Batch, config.Train.Rows())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.examples = scan.Vars{"x": config.Train.Features(), "y": config.Train.LabelTensor()}
	err := onDevice(b, slices.Collect(maps.Values(p.examples)))
	if err != nil {
		return nil, err
	}
	p.gradients, err = scan.Compile(b, scan.Loop{Name: "gradients", Step: p.step, StopNonFinite: "-"}, config.Model.Init(0), p.inputs(config.Model.Norm.start()))
	return p, err
}

// step traces the gradient of one minibatch, as one vector.
func (p *Pruner) step(s *scan.Step) {
	model := p.config.Model
	params := make([]*graph.Node, len(model.Params))
	var of []*graph.Node
	for i, spec := range model.Params {
		params[i] = s.Get(spec.Path)
		if p.config.Where(spec) {
			of = append(of, params[i])
		}
	}
	var statistics []*graph.Node
	for _, spec := range model.Norm.specs() {
		statistics = append(statistics, s.Input(statisticInput+spec.Path))
	}
	batch := s.Batch(p.config.Batch, "x", "y")
	gradients := graph.Gradient(CrossEntropy(model.evaluate(params, statistics, batch[0]), batch[1]), of...)
	for i, g := range gradients {
		gradients[i] = graph.Reshape(g, g.Shape().Size())
	}
	s.Trace("gradient", graph.Concatenate(gradients, 0))
}

func (p *Pruner) inputs(statistics scan.Vars) scan.Vars {
	out := maps.Clone(p.examples)
	for path, v := range statistics {
		out[statisticInput+path] = v
	}
	return out
}

const statisticInput = "statistic:"

// Size is the number of weights that may be pruned.
func (p *Pruner) Size() int { return p.size }

// Weights are the weights that may be pruned, as one vector.
func (p *Pruner) Weights(params scan.Vars) []float64 {
	var out []float64
	for _, spec := range p.chosen {
		for _, w := range tensors.MustCopyFlatData[float32](params[spec.Path]) {
			out = append(out, float64(w))
		}
	}
	return out
}

// with returns the parameters with other weights.
func (p *Pruner) with(params scan.Vars, weights []float64) scan.Vars {
	out := scan.Vars{}
	for _, spec := range p.config.Model.Params {
		out[spec.Path] = params[spec.Path]
	}
	for _, spec := range p.chosen {
		values := make([]float32, spec.size())
		for i := range values {
			values[i] = float32(weights[i])
		}
		weights = weights[len(values):]
		out[spec.Path] = tensors.FromFlatDataAndDimensions(values, spec.Shape...)
	}
	return out
}

// Sampler draws gradients at other weights of the network, with true labels, on the seed's minibatches: other ones at each
// call. All else of the network stays as it is.
func (p *Pruner) Sampler(of Pruned, seed uint64) curvature.GradientSampler {
	round, inputs := int64(0), p.inputs(of.Statistics)
	return func(ctx context.Context, weights []float64, n int) ([]float64, error) {
		round++
		r, err := p.gradients.Run(ctx, p.with(of.Params, weights), inputs, n, int64(seed)<<20+round)
		if err != nil {
			return nil, err
		}
		if r.Status != scan.Done {
			return nil, ctx.Err()
		}
		short := tensors.MustCopyFlatData[float32](r.Traces["gradient"])
		out := make([]float64, len(short))
		for i, g := range short {
			out[i] = float64(g)
		}
		return out, nil
	}
}

// Prune prunes to config.Sparsity by one of [PruneMethods], without training. What from has pruned stays so; a nil Alive:
// nothing is. The seed chooses the examples of the gradients. See the methods for what of config each uses.
func (p *Pruner) Prune(ctx context.Context, method string, from Pruned, config curvature.PruneConfig, seed uint64) (Pruned, error) {
	for _, spec := range p.config.Model.Params {
		if from.Params[spec.Path] == nil {
			return Pruned{}, fmt.Errorf("nets: Prune: parameter %q is missing", spec.Path)
		}
	}
	if _, err := p.config.Model.Norm.in(from.Statistics); err != nil {
		return Pruned{}, err
	}
	weights, sample := p.Weights(from.Params), p.Sampler(from, seed)
	var alive []bool
	var err error
	switch method {
	case "m-fac":
		p.mu.Lock()
		defer p.mu.Unlock()
		if config.Inverse, err = p.inverse(config); err != nil {
			return Pruned{}, err
		}
		weights, alive, err = curvature.PruneOBS(ctx, p.backend, weights, from.Alive, sample, config)
	case "diagonal":
		weights, alive, err = curvature.PruneDiagonalFisher(ctx, weights, from.Alive, sample, config)
	case "magnitude":
		weights, alive, err = curvature.PruneMagnitude(weights, from.Alive, config.Sparsity)
	default:
		err = fmt.Errorf("nets: Prune: method is %q, must be one of %s", method, strings.Join(PruneMethods, ", "))
	}
	if err != nil {
		return Pruned{}, err
	}
	return Pruned{p.with(from.Params, weights), from.Statistics, alive}, nil
}

// inverse returns the one that was compiled for such a configuration, to be used by one pruning at a time; nil where the
// configuration must be refused.
func (p *Pruner) inverse(config curvature.PruneConfig) (*curvature.InverseFisher, error) {
	key := curvature.PruneConfig{Gradients: cmp.Or(config.Gradients, 64), Block: config.Block}
	if config.Inverse != nil || key.Gradients < 1 {
		return config.Inverse, nil
	}
	if p.inverses[key] == nil {
		zeros := tensors.FromShape(shapes.Make(dtypes.Float64, key.Gradients, p.size))
		f, err := curvature.NewInverseFisher(p.backend, zeros, curvature.FisherConfig{Damping: 1, Block: key.Block})
		if err != nil {
			return nil, err
		}
		p.inverses[key] = f
	}
	return p.inverses[key], nil
}

// GradualConfig says how [Pruner.Gradual] goes: it prunes to each of Sparsities in turn, and trains after each with the
// pruned weights held at 0.
type GradualConfig struct {
	Method     string    // one of [PruneMethods]
	Sparsities []float64 // rising
	// Prune has the method's settings; its Sparsity is not used.
	Prune     curvature.PruneConfig
	Optimizer optim.Transform // with its learning rate; it starts anew after each pruning
	Test      *data.Dataset   // what the accuracies are measured on
	Batch     int             // examples of a training step; default 64
	Steps     int             // of training after each pruning; default: one epoch
	// Augment changes the inputs of the training, e.g. [CropAndFlip]; nil: nothing.
	Augment func(s *scan.Step, x *graph.Node) *graph.Node
}

// GradualStep is one pruning and the training after it.
type GradualStep struct {
	Sparsity        float64
	Pruned, Trained float64 // test accuracy after the pruning, and after the training
}

// Gradual prunes by and by. The seed chooses the examples of the gradients and of the training.
func (p *Pruner) Gradual(ctx context.Context, config GradualConfig, from Pruned, seed uint64) (Pruned, []GradualStep, error) {
	if !slices.IsSorted(config.Sparsities) || len(config.Sparsities) == 0 {
		return Pruned{}, nil, fmt.Errorf("nets: GradualConfig: Sparsities are %v, must be one or more, rising", config.Sparsities)
	}
	if config.Optimizer == nil {
		return Pruned{}, nil, errors.New("nets: GradualConfig: Optimizer is nil")
	}
	if config.Test == nil {
		return Pruned{}, nil, errors.New("nets: GradualConfig: Test is nil, must hold labelled examples")
	}
	weights := map[string]bool{}
	for _, spec := range p.chosen {
		weights[spec.Path] = true
	}
	f, err := NewFitter(p.backend, FitConfig{
		Model: p.config.Model, Train: p.config.Train, Test: config.Test, Batch: config.Batch, Steps: config.Steps, Augment: config.Augment,
		Optimizer: optim.ApplyMask{Inner: config.Optimizer, Where: func(param optim.Param) bool { return weights[param.Path] }},
	})
	if err != nil {
		return Pruned{}, nil, err
	}
	var steps []GradualStep
	for i, sparsity := range config.Sparsities {
		config.Prune.Sparsity = sparsity
		round := seed + uint64(i)<<16
		if from, err = p.Prune(ctx, config.Method, from, config.Prune, round); err != nil {
			return Pruned{}, steps, err
		}
		step := GradualStep{Sparsity: from.Sparsity()}
		if _, step.Pruned, err = f.test.Measure(from.Params, from.Statistics); err != nil {
			return Pruned{}, steps, err
		}
		r, err := f.program.Run(ctx, from.Params, f.inputs, nil, f.config.Steps, int64(round))
		if err == nil && r.Status != scan.Done {
			err = ctx.Err()
		}
		if err != nil {
			return Pruned{}, steps, fmt.Errorf("nets: Gradual: training at sparsity %g: %w", sparsity, err)
		}
		from.Params = r.Params
		if from.Statistics, err = f.measure(ctx, from.Params, round); err != nil {
			return Pruned{}, steps, err
		}
		if _, step.Trained, err = f.test.Measure(from.Params, from.Statistics); err != nil {
			return Pruned{}, steps, err
		}
		steps = append(steps, step)
	}
	return from, steps, nil
}
