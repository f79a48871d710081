package nets

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// SharpnessMethods are what [SharpnessConfig].Method may be.
var SharpnessMethods = []string{"sgd", "sam", "saf", "mesa"}

// SharpnessConfig says what [NewSharpnessTrainer] prepares: a classifier trained by SGD with momentum and a falling
// rate, plainly or aware of sharpness, and measured after each epoch. A field of 0 means its default, those of the
// comparison of SAM, SAF and MESA on noisy labels.
type SharpnessConfig struct {
	Model       Model
	Train, Test *data.Dataset
	Method      string  // sgd, sam, saf or mesa; default sgd
	Batch       int     // default 128; full batches only, a fresh permutation an epoch
	Epochs      int     // default 30; the rate falls along a cosine to 0 at their end
	Rate        float64 // default 0.1
	Momentum    float64 // default 0.9
	WeightDecay float64 // L2; default 5e-4
	// Rho is SAM's radius, and that of the sharpness measured for all methods; default 0.05.
	Rho float64
	// Lambda, Tau and Start, of SAF and MESA, Lookback of SAF and Beta of MESA: see there. Defaults: SAF 0.3, MESA 0.8;
	// 5; 5; 3; 0.98.
	Lambda, Tau, Beta float64
	Lookback, Start   int
	// Vary names hyper-parameters that a run may change without compiling again: "learning_rate", "momentum",
	// "weight_decay"; "rho"; "trajectory_weight", "temperature", "start_epoch", "teacher_decay".
	Vary optim.Hyper
	// Progress is told the steps done and asked for.
	Progress func(done, total int)
}

func (c SharpnessConfig) complete() (SharpnessConfig, error) {
	def := func(field *float64, value float64) {
		if *field == 0 {
			*field = value
		}
	}
	if c.Method == "" {
		c.Method = "sgd"
	}
	if c.Batch == 0 {
		c.Batch = 128
	}
	if c.Epochs == 0 {
		c.Epochs = 30
	}
	def(&c.Rate, 0.1)
	def(&c.Momentum, 0.9)
	def(&c.WeightDecay, 5e-4)
	def(&c.Rho, 0.05)
	def(&c.Beta, 0.98) // ours: the default of the official script, 0.9998, is for 10⁵ steps
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("nets: SharpnessConfig: "+format, args...))
	}
	if c.Model.Apply == nil {
		bad("Model is empty")
	}
	if c.Model.Norm != nil {
		bad("Model is %s, must be without batch normalization, whose loss is not a function of the weights alone", c.Model.Name)
	}
	for name, d := range map[string]*data.Dataset{"Train": c.Train, "Test": c.Test} {
		if d == nil || d.Rows() == 0 || d.Labels == nil || len(d.Classes) < 2 {
			bad("%s must hold labelled examples of at least two classes", name)
		}
	}
	if c.Train != nil && (c.Batch < 1 || c.Batch > c.Train.Rows()) {
		bad("Batch is %d, must be between 1 and %d, the number of examples", c.Batch, c.Train.Rows())
	}
	if c.Epochs < 1 {
		bad("Epochs is %d, must be at least 1", c.Epochs)
	}
	if !(c.Rho > 0) {
		bad("Rho is %g, must be positive", c.Rho)
	}
	return c, errors.Join(errs...)
}

// SharpnessTrainer trains one model by one method, again and again, from one compiled program.
type SharpnessTrainer struct {
	config     SharpnessConfig
	program    *optim.Program
	epochSteps int
	products   int
	memory     int64
}

// SharpnessRun is one training run of a [SharpnessTrainer].
type SharpnessRun struct {
	// Seed of the first weights and the minibatches; labels are noisy by seed 500 + Seed.
	Seed uint64
	// Noise is the rate of random labels, in [0, 1]; see [data.Dataset.WithNoisyLabels].
	Noise float64
	// Epochs to run; 0: all. The rate still falls over all.
	Epochs int
	// Hyper replaces values of the config's Vary.
	Hyper optim.Hyper
}

// SharpnessCurves are what a run measured: one value an epoch, after it, from the first on.
type SharpnessCurves struct {
	TrainLoss []float64 // mean cross-entropy on all training examples and their noisy labels, without SAF's or MESA's term
	Accuracy  []float64 // on the test examples, in [0, 1]
	Sharpness []float64 // R of the training loss; see [curvature.Sharpness]
	Gradient  []float64 // ‖∇L‖ of the training loss
	Params    scan.Vars // at the end
	Landscape curvature.Landscape
	Mode      scan.Mode
	Why       string
}

// NewSharpnessTrainer checks the configuration and compiles the training step.
func NewSharpnessTrainer(b compute.Backend, config SharpnessConfig) (*SharpnessTrainer, error) {
	c, err := config.complete()
	if err != nil {
		return nil, err
	}
	t := &SharpnessTrainer{config: c, epochSteps: c.Train.Rows() / c.Batch}
	method := optim.Transform(optim.Chain{
		optim.AddL2(c.WeightDecay),
		optim.Trace{Momentum: c.Momentum},
		optim.ScaleByLearningRate{Rate: c.Rate, Schedule: optim.Cosine{Steps: c.Epochs * t.epochSteps}},
	})
	var objective optim.Objective
	plain := optim.Supervised{
		Outputs:   func(p, data []*graph.Node) *graph.Node { return c.Model.Apply(p, data[0]) },
		Criterion: func(z *graph.Node, data []*graph.Node) *graph.Node { return CrossEntropy(z, data[1]) },
	}
	switch c.Method {
	case "sgd":
		objective = plain
	case "sam":
		objective, method = plain, optim.SAM(c.Rho, method)
	case "saf":
		objective = optim.SAF{
			Supervised: plain, Index: func(data []*graph.Node) *graph.Node { return data[2] },
			Examples: c.Train.Rows(), Classes: len(c.Train.Classes), EpochSteps: t.epochSteps,
			Lambda: c.Lambda, Tau: c.Tau, Lookback: c.Lookback, Start: c.Start,
		}
	case "mesa":
		objective = optim.MESA{Supervised: plain, EpochSteps: t.epochSteps, Lambda: c.Lambda, Tau: c.Tau, Beta: c.Beta, Start: c.Start}
	default:
		return nil, fmt.Errorf("nets: SharpnessConfig: Method is %q, must be one of %v", c.Method, SharpnessMethods)
	}
	problem := optim.Problem{
		Objective: objective,
		Data:      func(s *scan.Step) []*graph.Node { return s.Batch(c.Batch, "x", "y", "index") },
		Observe:   t.observe,
		Loop:      scan.Loop{Name: c.Method, TraceEvery: t.epochSteps, Progress: c.Progress},
	}
	inputs, err := t.inputs(SharpnessRun{})
	if err != nil {
		return nil, err
	}
	start := c.Model.Init(0)
	if t.program, err = optim.Compile(b, method, problem, start, inputs, c.Vary); err != nil {
		return nil, err
	}
	t.memory, err = optim.StateBytes(b, objective, start)
	return t, err
}

// MatrixProducts counts the products of matrices in the graph of a training step. A pass of an MLP of L layers forward
// has L, one backward 2L.
func (t *SharpnessTrainer) MatrixProducts() int { return t.products }

// MemoryBytes is what the method remembers beside the optimizer's state.
func (t *SharpnessTrainer) MemoryBytes() int64 { return t.memory }

// EpochSteps is the number of steps of an epoch.
func (t *SharpnessTrainer) EpochSteps() int { return t.epochSteps }

// observe measures at the weights after the step.
func (t *SharpnessTrainer) observe(s *scan.Step, o optim.Observation) {
	t.products = 0
	for _, n := range s.Graph().Nodes() {
		if n.Type() == graph.NodeTypeDotGeneral {
			t.products++
		}
	}
	after := make([]*graph.Node, len(o.Params))
	for i, p := range o.Params {
		after[i] = graph.Add(p.Value, o.Updates[i])
	}
	loss := func(p []*graph.Node) *graph.Node {
		return CrossEntropy(t.config.Model.Apply(p, s.Input("x")), s.Input("y"))
	}
	r, norm := curvature.Sharpness(loss, after, t.config.Rho)
	hits := Correct(t.config.Model.Apply(after, s.Input("test_x")), s.Input("test_y"))
	s.Trace("train_loss", loss(after))
	s.Trace("accuracy", graph.DivScalar(graph.ConvertDType(hits, r.DType()), t.config.Test.Rows()))
	s.Trace("sharpness", r)
	s.Trace("gradient", norm)
}

func (t *SharpnessTrainer) inputs(run SharpnessRun) (scan.Vars, error) {
	train, err := t.config.Train.WithNoisyLabels(run.Noise, 500+run.Seed)
	if err != nil {
		return nil, err
	}
	index := make([]int32, train.Rows())
	for i := range index {
		index[i] = int32(i)
	}
	return scan.Vars{
		"x": train.Features(), "y": train.LabelTensor(), "index": tensors.FromValue(index),
		"test_x": t.config.Test.Features(), "test_y": t.config.Test.LabelTensor(),
	}, nil
}

// Run trains from the seed's first weights. When the context ends, or the loss is no longer finite, the curves hold what
// was reached, with an error.
func (t *SharpnessTrainer) Run(ctx context.Context, run SharpnessRun) (*SharpnessCurves, error) {
	if run.Epochs == 0 {
		run.Epochs = t.config.Epochs
	}
	if run.Epochs < 1 || run.Epochs > t.config.Epochs {
		return nil, fmt.Errorf("nets: SharpnessTrainer: Run: Epochs is %d, must be between 1 and %d", run.Epochs, t.config.Epochs)
	}
	inputs, err := t.inputs(run)
	if err != nil {
		return nil, err
	}
	hyper := optim.Hyper{}
	maps.Copy(hyper, t.config.Vary)
	maps.Copy(hyper, run.Hyper)
	r, err := t.program.Run(ctx, t.config.Model.Init(run.Seed), inputs, hyper, run.Epochs*t.epochSteps, int64(run.Seed))
	if r == nil {
		return nil, err
	}
	if err == nil && r.Status == scan.Interrupted {
		err = fmt.Errorf("nets: SharpnessTrainer: stopped after %d of %d steps: %w", r.Steps, run.Epochs*t.epochSteps, ctx.Err())
	}
	out := &SharpnessCurves{Params: r.Params, Mode: r.Mode, Why: r.Why}
	for name, to := range map[string]*[]float64{"train_loss": &out.TrainLoss, "accuracy": &out.Accuracy, "sharpness": &out.Sharpness, "gradient": &out.Gradient} {
		for _, v := range tensors.MustCopyFlatData[float32](r.Traces[name]) {
			*to = append(*to, float64(v))
		}
	}
	out.Landscape = curvature.Landscape{
		Params: r.Params, Data: []*tensors.Tensor{inputs["x"], inputs["y"]},
		Loss: func(p, data []*graph.Node) *graph.Node {
			return CrossEntropy(t.config.Model.Apply(p, data[0]), data[1])
		},
	}
	return out, err
}
