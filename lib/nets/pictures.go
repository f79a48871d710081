package nets

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// PictureConfig says what [NewPictureTrainer] prepares: a classifier, a method, and pictures in files, e.g.
// [data.ImageNet]. Sets that fit in memory are [NewFitter]'s.
type PictureConfig struct {
	Model       Model // takes pictures of shape [batch, Side, Side, 3]; without batch normalization
	Optimizer   optim.Transform
	Train, Test *data.Pictures
	Side        int // default 224
	Batch       int // pictures a step; default 64
	Pieces      int // parts that a step's pictures are gone through in, as in [LanguageConfig]; default 1
	Steps       int // default: Epochs' worth
	Epochs      int // default 1; full batches only
	// Mean and Deviation of the colours, in [0, 1]; default ImageNet's.
	Mean, Deviation []float64
	// Hyper, Observe and Progress as in [LanguageConfig].
	Hyper    optim.Hyper
	Observe  func(s *scan.Step, o optim.Observation)
	Progress func(done, total int)
}

func (c PictureConfig) complete() (PictureConfig, error) {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("nets: PictureConfig: "+format, args...))
	}
	if c.Side == 0 {
		c.Side = 224
	}
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	if c.Pieces == 0 {
		c.Pieces = 1
	}
	if c.Epochs == 0 {
		c.Epochs = 1
	}
	if c.Mean == nil && c.Deviation == nil {
		c.Mean, c.Deviation = data.ImageNetMean, data.ImageNetDeviation
	}
	if c.Model.Apply == nil || c.Model.Norm != nil {
		bad("Model is empty or has batch normalization, must have a network without")
	}
	if c.Optimizer == nil {
		bad("Optimizer is nil")
	}
	switch {
	case c.Train == nil || c.Test == nil || c.Test.Rows() == 0:
		bad("Train and Test must hold pictures")
	case len(c.Train.Classes) != len(c.Test.Classes):
		bad("Train has %d classes and Test %d, must be the same", len(c.Train.Classes), len(c.Test.Classes))
	case c.Batch < 1 || c.Batch > c.Train.Rows():
		bad("Batch is %d, must be between 1 and %d, the number of pictures", c.Batch, c.Train.Rows())
	case c.Pieces < 1 || c.Batch%c.Pieces != 0:
		bad("Pieces is %d, must be at least 1 and divide Batch, %d", c.Pieces, c.Batch)
	case c.Steps == 0:
		c.Steps = c.Epochs * (c.Train.Rows() / c.Batch)
	}
	if c.Side < 1 || c.Steps < 0 || c.Epochs < 1 {
		bad("Side is %d, Steps %d and Epochs %d, must be at least 1, 0 and 1", c.Side, c.Steps, c.Epochs)
	}
	if len(c.Mean) != 3 || len(c.Deviation) != 3 || !(min(c.Deviation[0], c.Deviation[1], c.Deviation[2]) > 0) {
		bad("Mean is %v and Deviation %v, must be three numbers each, the deviations positive", c.Mean, c.Deviation)
	}
	return c, errors.Join(errs...)
}

// PictureTrainer trains a classifier of pictures with one method, again and again, from one compiled program. Pictures
// are decoded while the steps before run, and go to the device as bytes.
type PictureTrainer struct {
	config  PictureConfig
	program *optim.Program
	test    *graph.Exec
}

// PictureResult is a finished training run.
type PictureResult struct {
	Losses   []float64 // mean loss of each step's minibatch
	Accuracy float64   // on the test pictures, in [0, 1]; 0 where the run diverged
	Diverged int       // the first step whose loss was not finite; 0: none
	Params   scan.Vars
	Traces   scan.Vars // "loss" and what Observe traced
}

// NewPictureTrainer checks the configuration and compiles the training step.
func NewPictureTrainer(b compute.Backend, config PictureConfig) (*PictureTrainer, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	t := &PictureTrainer{config: config}
	inputs := scan.Vars{
		"x": tensors.FromShape(shapes.Make(dtypes.Uint8, config.Pieces, config.Batch/config.Pieces, config.Side, config.Side, 3)),
		"y": tensors.FromShape(shapes.Make(dtypes.Int32, config.Pieces, config.Batch/config.Pieces)),
	}
	problem := optim.Problem{
		Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{t.normal(s.Row("x")), s.Row("y")} },
		Loss: func(params, data []*graph.Node) *graph.Node {
			return CrossEntropy(config.Model.Apply(params, data[0]), data[1])
		},
		Observe: config.Observe,
		Loop:    scan.Loop{Name: config.Model.Name},
	}
	if config.Progress != nil {
		problem.Loop.Progress = func(done, _ int) { config.Progress(done/config.Pieces, config.Steps) }
	}
	t.program, err = optim.Compile(b, inPieces(config.Optimizer, config.Pieces), problem, config.Model.Init(0), inputs, config.Hyper)
	if err != nil {
		return nil, err
	}
	t.test, err = graph.NewExec(b, func(nodes []*graph.Node) *graph.Node {
		n := len(config.Model.Params)
		return Correct(config.Model.Apply(nodes[:n], t.normal(graph.Squeeze(nodes[n], 0))), graph.Squeeze(nodes[n+1], 0))
	})
	return t, err
}

// normal makes numbers of bytes: (x/255 − mean)/deviation.
func (t *PictureTrainer) normal(x *graph.Node) *graph.Node {
	factor, shift := make([]float32, 3), make([]float32, 3)
	for i, d := range t.config.Deviation {
		factor[i], shift[i] = float32(1/(255*d)), float32(-t.config.Mean[i]/d)
	}
	x = graph.ConvertDType(x, dtypes.Float32)
	return graph.Add(graph.Mul(x, expand(graph.Const(x.Graph(), factor), x)), expand(graph.Const(x.Graph(), shift), x))
}

// inputs of a minibatch, in pieces.
func (t *PictureTrainer) inputs(b data.PictureBatch, pieces int) scan.Vars {
	n := len(b.Labels) / pieces
	return scan.Vars{
		"x": tensors.FromFlatDataAndDimensions(b.X, pieces, n, t.config.Side, t.config.Side, 3),
		"y": tensors.FromFlatDataAndDimensions(b.Labels, pieces, n),
	}
}

// Train trains from the seed's first weights on the seed's minibatches, and measures the accuracy on the test pictures. A
// run that diverges is a result and no error; a context that ends is an error, and so is a picture that cannot be read.
func (t *PictureTrainer) Train(ctx context.Context, run Run) (*PictureResult, error) {
	c := t.config
	r, diverged, err := feed{model: c.Model, program: t.program, hyper: c.Hyper, pieces: c.Pieces, steps: c.Steps, chunk: 1}.train(ctx, run, t.steps(ctx, run.Seed))
	if r == nil {
		return nil, err
	}
	out := &PictureResult{Losses: meanLosses(r.Traces, c.Pieces), Diverged: diverged, Params: r.Params, Traces: r.Traces}
	if err != nil || diverged > 0 {
		return out, err
	}
	out.Accuracy, err = t.accuracy(ctx, r.Params)
	return out, err
}

// steps are the inputs of step after step.
func (t *PictureTrainer) steps(ctx context.Context, seed uint64) iter.Seq2[scan.Vars, error] {
	return func(yield func(scan.Vars, error) bool) {
		for b, err := range t.config.Train.Training(ctx, t.config.Side, t.config.Batch, seed) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(t.inputs(b, t.config.Pieces), nil) {
				return
			}
		}
	}
}

// accuracy of parameters on the test pictures.
func (t *PictureTrainer) accuracy(ctx context.Context, params scan.Vars) (float64, error) {
	var args []any
	for _, p := range t.config.Model.Params {
		args = append(args, params[p.Path])
	}
	correct := 0
	for b, err := range t.config.Test.Evaluation(ctx, t.config.Side, max(1, t.config.Batch/t.config.Pieces)) {
		if err != nil {
			return 0, err
		}
		in := t.inputs(b, 1)
		out, err := t.test.Call(append(slices.Clip(args), in["x"], in["y"])...)
		if err != nil {
			return 0, fmt.Errorf("nets: Train: %w", err)
		}
		correct += int(out[0].Value().(int32))
		free(in)
	}
	return float64(correct) / math.Max(1, float64(t.config.Test.Rows())), nil
}
