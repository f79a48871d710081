package nets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

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
//
// Batch normalization goes by the minibatch in all passes that train, SAM's second and the outputs that SAF records among
// them, and by running statistics in what measures. They follow the first pass of a step only. MESA's teacher goes by
// running statistics averaged like its weights. The two last are the official code's.
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
	// Augment changes the inputs of a minibatch before training sees them, e.g. [CropAndFlip]; nil: nothing.
	Augment func(s *scan.Step, x *graph.Node) *graph.Node
	// Probe is how many training examples, the first ones, loss and sharpness are measured on; default all.
	Probe int
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
	for name, d := range map[string]*data.Dataset{"Train": c.Train, "Test": c.Test} {
		if d == nil || d.Rows() == 0 || d.Labels == nil || len(d.Classes) < 2 {
			bad("%s must hold labelled examples of at least two classes", name)
			continue
		}
		errs = append(errs, d.Validate())
	}
	if c.Train != nil && (c.Batch < 1 || c.Batch > c.Train.Rows()) {
		bad("Batch is %d, must be between 1 and %d, the number of examples", c.Batch, c.Train.Rows())
	}
	if c.Train != nil && c.Probe == 0 {
		c.Probe = c.Train.Rows()
	}
	if c.Train != nil && (c.Probe < 1 || c.Probe > c.Train.Rows()) {
		bad("Probe is %d, must be between 1 and %d, the number of examples", c.Probe, c.Train.Rows())
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
	fixed      scan.Vars // inputs that all runs share
	epochSteps int
	work       work
	memory     int64
}

// Passes are how often a step goes through the network, counted in its graph.
type Passes struct{ Forward, Backward float64 }

// work is what a step's graph holds while it is built.
type work struct {
	forward int // evaluations of the network
	each    int // products in one of them
	all     int // products in the step
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
	TrainLoss []float64 // mean cross-entropy on the training examples and their noisy labels, without SAF's or MESA's term
	Accuracy  []float64 // on the test examples, in [0, 1]
	Sharpness []float64 // R of the training loss; see [curvature.Sharpness]
	Gradient  []float64 // ‖∇L‖ of the training loss
	Params    scan.Vars // at the end
	// Statistics, running, of batch normalization, at the end; empty without. See [Model.Evaluated].
	Statistics scan.Vars
	Mode       scan.Mode
	Why        string
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
	plain := t.supervised()
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
		objective = optim.MESA{
			Supervised: plain, Teacher: t.teacher, EpochSteps: t.epochSteps,
			Lambda: c.Lambda, Tau: c.Tau, Beta: c.Beta, Start: c.Start,
		}
	default:
		return nil, fmt.Errorf("nets: SharpnessConfig: Method is %q, must be one of %v", c.Method, SharpnessMethods)
	}
	problem := optim.Problem{
		Objective: objective,
		Data:      t.batch,
		Observe:   t.observe,
		Loop:      scan.Loop{Name: c.Method, TraceEvery: t.epochSteps, Progress: c.Progress},
	}
	index := make([]int32, c.Train.Rows())
	for i := range index {
		index[i] = int32(i)
	}
	t.fixed = scan.Vars{"x": c.Train.Features(), "index": tensors.FromValue(index), "test_x": c.Test.Features(), "test_y": c.Test.LabelTensor()}
	if err := onDevice(b, slices.Collect(maps.Values(t.fixed))); err != nil {
		return nil, err
	}
	inputs, err := t.inputs(SharpnessRun{})
	if err != nil {
		return nil, err
	}
	start := c.Model.Init(0)
	if t.program, err = optim.Compile(b, method, problem, start, inputs, c.Vary); err != nil {
		return nil, err
	}
	all, err := optim.StateBytes(b, objective, start)
	if err != nil {
		return nil, err
	}
	own, err := optim.StateBytes(b, plain, start)
	t.memory = all - own
	return t, err
}

// Passes of a training step through the network: forward, the evaluations of the network that its graph holds; backward,
// the products of matrices and the convolutions it holds beside theirs, over twice those of one evaluation. What measures
// is not part of the step.
func (t *SharpnessTrainer) Passes() Passes {
	w := t.work
	return Passes{float64(w.forward), float64(w.all-w.forward*w.each) / float64(2*w.each)}
}

// MemoryBytes is what the method remembers beside the optimizer's state and the network's running statistics.
func (t *SharpnessTrainer) MemoryBytes() int64 { return t.memory }

// EpochSteps is the number of steps of an epoch.
func (t *SharpnessTrainer) EpochSteps() int { return t.epochSteps }

// batch begins a step.
func (t *SharpnessTrainer) batch(s *scan.Step) []*graph.Node {
	t.work = work{}
	out := s.Batch(t.config.Batch, "x", "y", "index")
	if t.config.Augment != nil {
		out[0] = t.config.Augment(s, out[0])
	}
	return out
}

// supervised is the loss of the network in training.
func (t *SharpnessTrainer) supervised() optim.Supervised {
	model := t.config.Model
	out := optim.Supervised{Criterion: func(z *graph.Node, data []*graph.Node) *graph.Node { return CrossEntropy(z, data[1]) }}
	if model.Norm != nil {
		out.Buffers = model.Norm.running(t.pass)
		return out
	}
	out.Outputs = func(p, data []*graph.Node) *graph.Node {
		return t.pass(data[0], func() *graph.Node { return model.Apply(p, data[0]) })
	}
	return out
}

// teacher is the network in evaluation.
func (t *SharpnessTrainer) teacher(p, statistics, data []*graph.Node) *graph.Node {
	return t.pass(data[0], func() *graph.Node { return t.config.Model.evaluate(p, statistics, data[0]) })
}

// pass builds one through the network, counted.
func (t *SharpnessTrainer) pass(x *graph.Node, build func() *graph.Node) *graph.Node {
	before := products(x.Graph())
	z := build()
	t.work.forward, t.work.each = t.work.forward+1, products(x.Graph())-before
	if n := len(t.config.Train.Classes); z.Rank() != 2 || z.Shape().Dim(1) != n {
		panic(fmt.Errorf("nets: SharpnessConfig: Model's outputs are %s, must be a row of %d, the number of classes, for each example", z.Shape(), n))
	}
	return z
}

// products counts the products of matrices and the convolutions of a graph.
func products(g *graph.Graph) (n int) {
	for _, node := range g.Nodes() {
		if t := node.Type(); t == graph.NodeTypeDotGeneral || t == graph.NodeTypeConvGeneral {
			n++
		}
	}
	return n
}

// observedRows of the test part are evaluated together. Each further piece is a network more in the graph.
const observedRows = 1000

// observe measures at the weights and the running statistics after the step.
func (t *SharpnessTrainer) observe(s *scan.Step, o optim.Observation) {
	t.work.all = products(s.Graph())
	after := make([]*graph.Node, len(o.Params))
	for i, p := range o.Params {
		after[i] = graph.Add(p.Value, o.Updates[i])
	}
	var statistics []*graph.Node
	for _, v := range o.Memory {
		if strings.HasPrefix(v.Name, optim.BufferPrefix) {
			statistics = append(statistics, v.Value)
		}
	}
	outputs := func(p []*graph.Node, x *graph.Node) *graph.Node { return t.config.Model.evaluate(p, statistics, x) }
	x, y := s.Input("x"), s.Input("y")
	if n := t.config.Probe; n < x.Shape().Dim(0) {
		x, y = graph.Slice(x, graph.AxisRange(0, n)), graph.Slice(y, graph.AxisRange(0, n))
	}
	loss := func(p []*graph.Node) *graph.Node { return CrossEntropy(outputs(p, x), y) }
	r, norm := curvature.Sharpness(loss, after, t.config.Rho)
	tests := t.config.Test.Rows()
	hits := graph.Scalar(s.Graph(), dtypes.Int32, 0)
	for from := 0; from < tests; from += observedRows {
		rows := graph.AxisRange(from, min(from+observedRows, tests))
		hits = graph.Add(hits, Correct(outputs(after, graph.Slice(s.Input("test_x"), rows)), graph.Slice(s.Input("test_y"), rows)))
	}
	s.Trace("train_loss", loss(after))
	s.Trace("accuracy", graph.DivScalar(graph.ConvertDType(hits, r.DType()), tests))
	s.Trace("sharpness", r)
	s.Trace("gradient", norm)
}

func (t *SharpnessTrainer) inputs(run SharpnessRun) (scan.Vars, error) {
	train, err := t.config.Train.WithNoisyLabels(run.Noise, 500+run.Seed)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(t.fixed)
	out["y"] = train.LabelTensor()
	return out, nil
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
	out := &SharpnessCurves{Params: r.Params, Statistics: scan.Vars{}, Mode: r.Mode, Why: r.Why}
	for _, spec := range t.config.Model.Norm.specs() {
		out.Statistics[spec.Path] = r.State["objective/"+optim.BufferPrefix+spec.Path]
	}
	for name, to := range map[string]*[]float64{"train_loss": &out.TrainLoss, "accuracy": &out.Accuracy, "sharpness": &out.Sharpness, "gradient": &out.Gradient} {
		for _, v := range tensors.MustCopyFlatData[float32](r.Traces[name]) {
			*to = append(*to, float64(v))
		}
	}
	return out, err
}

// RunAll does several runs, as many at once as there are processors, and returns their curves in order. The first error
// ends all.
func (t *SharpnessTrainer) RunAll(ctx context.Context, runs []SharpnessRun) ([]*SharpnessCurves, error) {
	out := make([]*SharpnessCurves, len(runs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, run := range runs {
		group.Go(func() (err error) {
			out[i], err = t.Run(ctx, run)
			return err
		})
	}
	return out, group.Wait()
}

// StepTimes compares what a training step takes, without measuring: the time of each trainer's in units of the first's.
// Each does all but one of an epoch's steps in turn, for a number of rounds; the best of a trainer's rounds counts, which
// leaves out what else the machine did.
func StepTimes(ctx context.Context, rounds int, trainers ...*SharpnessTrainer) ([]float64, error) {
	if rounds < 1 || len(trainers) == 0 {
		return nil, fmt.Errorf("nets: StepTimes: rounds is %d of %d trainers, must be at least 1 of 1", rounds, len(trainers))
	}
	best := make([]float64, len(trainers))
	for round := range rounds + 1 {
		for i, t := range trainers {
			if t.epochSteps < 2 {
				return nil, fmt.Errorf("nets: StepTimes: an epoch of trainer %d has %d step, must be at least 2", i, t.epochSteps)
			}
			inputs, err := t.inputs(SharpnessRun{})
			if err != nil {
				return nil, err
			}
			start, steps := t.config.Model.Init(0), t.epochSteps-1
			began := time.Now()
			if _, err := t.program.Run(ctx, start, inputs, t.config.Vary, steps, 0); err != nil {
				return nil, err
			}
			took := time.Since(began).Seconds() / float64(steps)
			if round <= 1 || took < best[i] { // round 0 warms up
				best[i] = took
			}
		}
	}
	for i := len(best) - 1; i >= 0; i-- {
		best[i] /= best[0]
	}
	return best, ctx.Err()
}

// Landscape is the loss of a classifier on given examples around its weights, to measure.
func (m Model) Landscape(params scan.Vars, d *data.Dataset) curvature.Landscape {
	return m.Network(params, d).Landscape()
}

// Network is a classifier on given examples around its weights: its logits, and [CrossEntropy].
func (m Model) Network(params scan.Vars, d *data.Dataset) curvature.Network {
	return curvature.Network{
		Params: params, Data: []*tensors.Tensor{d.Features(), d.LabelTensor()},
		Outputs: func(p, data []*graph.Node) *graph.Node { return m.Apply(p, data[0]) },
		Loss:    func(logits *graph.Node, data []*graph.Node) *graph.Node { return CrossEntropy(logits, data[1]) },
	}
}
