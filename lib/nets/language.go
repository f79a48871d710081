package nets

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// LanguageConfig says what [NewLanguageTrainer] prepares: a language model, a method, and a source of sequences.
type LanguageConfig struct {
	Model     Model // from tokens to logits, e.g. [GPT]; its vocabulary is the source's
	Optimizer optim.Transform
	Source    data.Sequences // e.g. [data.PAIR16], or windows of a corpus
	Batch     int            // sequences a step; default 32
	Steps     int            // default 300
	// Pieces goes through a step's sequences in so many parts, for batches that do not fit on the device, and lets the
	// optimizer see the mean of their gradients. It must divide Batch; default 1. What Observe traces is of a part.
	Pieces int
	// Chunk is how many steps' sequences are on the device at once; the next ones are fetched meanwhile. It changes no
	// result. Default: all steps', or as many as hold 4 million tokens.
	Chunk int
	// Hyper names the hyper-parameters that a [Run] may change without compiling again, with their defaults.
	Hyper optim.Hyper
	// Observe may trace more than the loss.
	Observe func(s *scan.Step, o optim.Observation)
	// Progress is told the steps done and asked for.
	Progress func(done, total int)
}

func (c LanguageConfig) complete() (LanguageConfig, error) {
	if c.Batch == 0 {
		c.Batch = 32
	}
	if c.Steps == 0 {
		c.Steps = 300
	}
	if c.Pieces == 0 {
		c.Pieces = 1
	}
	if c.Chunk == 0 && c.Source != nil && c.Batch > 0 {
		c.Chunk = max(1, chunkTokens/(c.Batch*c.Source.Length()))
	}
	c.Chunk = min(c.Chunk, c.Steps)
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("nets: LanguageConfig: "+format, args...))
	}
	if c.Model.Apply == nil {
		bad("Model is empty")
	}
	if c.Optimizer == nil {
		bad("Optimizer is nil")
	}
	if c.Source == nil {
		bad("Source is nil, must be a token source such as data.PAIR16()")
	}
	if c.Batch < 1 || c.Steps < 1 || c.Source != nil && c.Chunk < 1 {
		bad("Batch is %d, Steps %d and Chunk %d, must be at least 1", c.Batch, c.Steps, c.Chunk)
	}
	if c.Pieces < 1 || c.Batch%c.Pieces != 0 {
		bad("Pieces is %d, must be at least 1 and divide Batch, %d", c.Pieces, c.Batch)
	}
	return c, errors.Join(errs...)
}

// chunkTokens bounds what is on the device at once: 16 MB.
const chunkTokens = 1 << 22

// LanguageTrainer trains one language model with one method, again and again, from one compiled program.
type LanguageTrainer struct {
	config     LanguageConfig
	program    *optim.Program
	validation *graph.Exec
	held       []*tensors.Tensor // validation sequences, as many at once as are trained on or as hold heldTokens
}

// heldTokens is at least how many validation tokens are evaluated at once.
const heldTokens = 1 << 14

// LanguageResult is a finished training run.
type LanguageResult struct {
	Losses     []float64 // mean loss of each step's minibatch, nats a token
	Validation float64   // mean loss on the source's validation sequences, nats a token; +Inf where the run diverged
	Diverged   int       // the first step whose loss was not finite; 0: none
	Params     scan.Vars
	State      scan.Vars // of the optimizer
	Traces     scan.Vars // "loss" and what Observe traced
}

// NewLanguageTrainer checks the configuration and compiles the training step.
func NewLanguageTrainer(b compute.Backend, config LanguageConfig) (*LanguageTrainer, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	t := &LanguageTrainer{config: config}
	length := config.Source.Length()
	if err := t.hold(b, length); err != nil {
		return nil, err
	}
	inputs := scan.Vars{"tokens": tensors.FromShape(shapes.Make(dtypes.Int32, config.Chunk*config.Pieces, config.Batch/config.Pieces, length))}
	problem := optim.Problem{
		Data: func(s *scan.Step) []*graph.Node {
			return []*graph.Node{s.Row("tokens")}
		},
		Loss: func(params, data []*graph.Node) *graph.Node {
			return NextToken(config.Model, params, data[0])
		},
		Observe: config.Observe,
		Loop:    scan.Loop{Name: config.Model.Name},
	}
	if config.Progress != nil {
		problem.Loop.Progress = func(done, _ int) { config.Progress(done/config.Pieces, config.Steps) } // the loop knows of a chunk's
	}
	t.program, err = optim.Compile(b, inPieces(config.Optimizer, config.Pieces), problem, config.Model.Init(0), inputs, config.Hyper)
	if err != nil {
		return nil, err
	}
	t.validation, err = graph.NewExec(b, func(nodes []*graph.Node) *graph.Node {
		n := len(config.Model.Params)
		return NextToken(config.Model, nodes[:n], nodes[n])
	})
	return t, err
}

// hold moves the validation sequences to the device.
func (t *LanguageTrainer) hold(b compute.Backend, length int) error {
	held, err := t.config.Source.HeldOut(context.Background())
	if err != nil {
		return err
	}
	if len(held) == 0 || len(held)%length != 0 {
		return fmt.Errorf("nets: LanguageConfig: Source holds out %d tokens, must be sequences of %d", len(held), length)
	}
	rows := max(t.config.Batch/t.config.Pieces, heldTokens/length) * length
	for from := 0; from < len(held); from += rows {
		part := held[from:min(from+rows, len(held))]
		t.held = append(t.held, tensors.FromFlatDataAndDimensions(part, len(part)/length, length))
	}
	return onDevice(b, t.held)
}

// chunks are the inputs of chunk after chunk of a seed's steps.
func (t *LanguageTrainer) chunks(ctx context.Context, seed uint64) iter.Seq2[scan.Vars, error] {
	rows, length := t.config.Chunk*t.config.Batch, t.config.Source.Length()
	return func(yield func(scan.Vars, error) bool) {
		left := t.config.Steps * t.config.Batch
		var tokens []int32
		for sequence, err := range t.config.Source.Stream(ctx, seed) {
			if err == nil && len(sequence) != length {
				err = fmt.Errorf("nets: Train: the source's sequence has %d tokens, must have %d", len(sequence), length)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			tokens = append(tokens, sequence...)
			if left--; len(tokens) < rows*length && left > 0 {
				continue
			}
			tokens = append(tokens, make([]int32, rows*length-len(tokens))...) // the last chunk's rest is not used
			if !yield(scan.Vars{"tokens": tensors.FromFlatDataAndDimensions(tokens, t.config.Chunk*t.config.Pieces, t.config.Batch/t.config.Pieces, length)}, nil) || left == 0 {
				return
			}
			tokens = nil
		}
	}
}

// Train trains from the seed's first weights on the seed's stream of sequences. A run that diverges is a result and no
// error; a context that ends is an error.
func (t *LanguageTrainer) Train(ctx context.Context, run Run) (*LanguageResult, error) {
	c := t.config
	r, diverged, err := feed{model: c.Model, program: t.program, hyper: c.Hyper, pieces: c.Pieces, steps: c.Steps, chunk: c.Chunk}.train(ctx, run, t.chunks(ctx, run.Seed))
	if r == nil {
		return nil, err
	}
	out := &LanguageResult{Losses: meanLosses(r.Traces, c.Pieces), Diverged: diverged, Params: r.Params, State: innerState(r.State, c.Pieces), Traces: r.Traces}
	switch {
	case diverged > 0:
		out.Validation = math.Inf(1)
		return out, nil
	case err != nil:
		return out, err
	}
	out.Validation, err = t.validate(r.Params)
	return out, err
}

// validate returns the mean loss on the held-out sequences.
func (t *LanguageTrainer) validate(params scan.Vars) (float64, error) {
	args := make([]any, 0, len(params)+1)
	for _, p := range t.config.Model.Params {
		args = append(args, params[p.Path])
	}
	var sum, rows float64
	for _, part := range t.held {
		out, err := t.validation.Call(append(slices.Clone(args), part)...)
		if err != nil {
			return 0, fmt.Errorf("nets: Train: %w", err)
		}
		n := float64(part.Shape().Dim(0))
		sum, rows = sum+n*float64(out[0].Value().(float32)), rows+n
	}
	return sum / rows, nil
}

// TrainAll does several runs, as many at once as there are processors, and returns their results in order. The first
// error ends all.
func (t *LanguageTrainer) TrainAll(ctx context.Context, runs []Run) ([]*LanguageResult, error) {
	out := make([]*LanguageResult, len(runs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, run := range runs {
		group.Go(func() (err error) {
			out[i], err = t.Train(ctx, run)
			return err
		})
	}
	return out, group.Wait()
}
