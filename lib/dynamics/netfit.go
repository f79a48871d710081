package dynamics

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// NetFit trains networks of one shape to fit one training set. All phases run side by side in one compiled program, Lanes at a
// time: a lane whose run has ended takes up the next.
type NetFit struct {
	Net   CenteredNet
	Train SignedData
	Test  SignedData // may be the zero value: no test error
	SGD   TrainToFit // its LR is not used: a phase's temperature gives it
	Lanes int        // runs side by side in one call of the program; default 6
	// Workers is how many calls are under way at once; default as many as there are processors, on a GPU 1 is best.
	Workers int
	// Float64 costs two to three times as much. In float32 a margin of 1/α is a difference of numbers near 1, right to about
	// 1e-7: α of 1e5 and more need float64.
	Float64 bool
	Keep    bool // weights and margins of every run
	// Progress, if set, is told the runs that ended and all.
	Progress func(done, total int)
}

// NetRun is a trained network.
type NetRun struct {
	Phase
	Stop
	Change    float64 // ‖w − w₀‖/‖w₀‖; NaN or +Inf where weights are not finite
	TestError float64 // part of the test points whose y·(f − f₀) is not positive; NaN without any, or of a diverged run
	// With Keep: the weights at the end, and y·(f − f₀) of the training and the test points.
	Weights                   Weights
	TrainMargins, TestMargins []float64
}

// NetTrainer is a compiled NetFit. It may be used by several goroutines at once.
type NetTrainer struct {
	fit     NetFit
	backend compute.Backend
	program *scan.Program
	outputs *graph.Exec // f of every lane at a block of points
	inputs  int         // columns of the data
	every   int
	dtype   dtypes.DType
}

// evaluationBlock is how many points the training set is looked at at once: most looks end at the first block, by a point that
// is not fitted.
const evaluationBlock = 256

// Compile prepares a program. It is good for every phase.
func (f NetFit) Compile(b compute.Backend) (*NetTrainer, error) {
	if err := f.Train.check("NetFit", "Train"); err != nil {
		return nil, err
	}
	points, inputs := f.Train.X.Dims()
	errs := []error{f.Net.check(inputs), f.SGD.checkCounts(points)}
	if f.Test.X != nil {
		errs = append(errs, f.Test.check("NetFit", "Test"))
		if _, cols := f.Test.X.Dims(); cols != inputs {
			errs = append(errs, fmt.Errorf("dynamics: NetFit: Test has %d columns, must have %d like Train", cols, inputs))
		}
	}
	if f.Lanes < 0 || f.Workers < 0 {
		errs = append(errs, fmt.Errorf("dynamics: NetFit: Lanes is %d and Workers is %d, must be at least 0", f.Lanes, f.Workers))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if f.Lanes == 0 {
		f.Lanes = 6
	}
	if f.Workers == 0 {
		f.Workers = runtime.GOMAXPROCS(0)
	}
	t := &NetTrainer{fit: f, backend: b, inputs: inputs, every: f.SGD.every(points), dtype: dtypes.Float32}
	if f.Float64 {
		t.dtype = dtypes.Float64
	}
	var err error
	w := t.newWorker()
	if t.program, err = scan.Compile(b, scan.Loop{Name: "net to fit", Step: t.step, StopNonFinite: "-"}, w.state, w.chunkInputs()); err != nil {
		return nil, fmt.Errorf("dynamics: NetFit: %w", err)
	}
	t.outputs, err = graph.NewExec(b, func(args []*graph.Node) *graph.Node {
		last := len(args) - 1
		return f.Net.output(args[:last], args[last])
	})
	if err != nil {
		return nil, fmt.Errorf("dynamics: NetFit: %w", err)
	}
	return t, nil
}

func weightName(layer int) string { return fmt.Sprintf("w%02d", layer) }

// step is one step of every lane.
func (t *NetTrainer) step(s *scan.Step) {
	at := s.Row("batch") // [lanes, batch]
	rows := func(name string, at *graph.Node) *graph.Node {
		return graph.Gather(s.Input(name), graph.InsertAxes(at, -1))
	}
	y, f0 := rows("y", at), rows("f0", graph.Add(at, s.Input("offset")))
	var w []*graph.Node
	for l := range t.fit.Net.HiddenLayers + 1 {
		w = append(w, s.Get(weightName(l)))
	}
	f := t.fit.Net.output(w, rows("x", at))
	margin := graph.Mul(y, graph.Sub(f, f0))
	count := graph.ConvertDType(s.Count(), dtypes.Int32)
	unfitted := graph.LogicalAnd(
		graph.LessThan(margin, graph.BroadcastToDims(s.Input("kappa"), margin.Shape().Dimensions...)),
		graph.BroadcastToDims(graph.LessOrEqual(graph.BroadcastToDims(count, t.fit.Lanes, 1), s.Input("left")), margin.Shape().Dimensions...))
	// −(η/B)·∂ℓ/∂f, so that the step is its product with the gradients of f.
	push := graph.Where(unfitted, graph.Mul(y, s.Input("rate")), graph.ZerosLike(margin))
	steps := graph.Gradient(graph.ReduceAllSum(graph.Mul(graph.StopGradient(push), f)), w...)
	for l := range w {
		s.Set(weightName(l), graph.Add(w[l], steps[l]))
	}
	// The first step at which an output was not finite; before there is one, 0.
	finite := graph.ReduceLogicalAnd(graph.IsFinite(f), 1)
	bad := s.Get("bad")
	now := graph.BroadcastToDims(count, t.fit.Lanes)
	s.Set("bad", graph.Where(graph.LogicalOr(finite, graph.GreaterThan(bad, graph.ZerosLike(bad))), bad, now))
}

// Run trains a network for each phase and returns the runs in their order. The numbers of a run do not depend on the others,
// to rounding. A context that ends is an error.
func (t *NetTrainer) Run(ctx context.Context, phases []Phase) ([]NetRun, error) {
	for i, p := range phases {
		if err := p.check(fmt.Sprintf("NetTrainer.Run: phase %d", i)); err != nil {
			return nil, err
		}
	}
	var next, done atomic.Int64
	runs := make([]NetRun, len(phases))
	take := func() int { return int(next.Add(1)) - 1 }
	finish := func(i int, r NetRun) {
		runs[i] = r
		if n := done.Add(1); t.fit.Progress != nil {
			t.fit.Progress(int(n), len(phases))
		}
	}
	workers := min(t.fit.Workers, len(phases))
	errs := make([]error, workers)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for k := range workers {
		all.Go(func() {
			if errs[k] = t.newWorker().run(ctx, phases, (len(phases)+workers-1)/workers, take, finish); errs[k] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) { // of the one that stopped the others
			return nil, err
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return runs, nil
}

// PhaseDiagram trains the networks of a grid, several seeds a cell.
func (t *NetTrainer) PhaseDiagram(ctx context.Context, alphas, temperatures []float64, seeds []uint64) (PhaseDiagram[NetRun], error) {
	return diagram(alphas, temperatures, seeds, func(p []Phase) ([]NetRun, error) { return t.Run(ctx, p) })
}

// Net trains one network, by itself, and keeps its weights and margins: see [NetFit].
func (t TrainToFit) Net(ctx context.Context, b compute.Backend, n CenteredNet, train, test SignedData, seed uint64) (NetRun, error) {
	if err := checkRate(t.LR); err != nil {
		return NetRun{}, err
	}
	trainer, err := NetFit{Net: n, Train: train, Test: test, SGD: t, Lanes: 1, Workers: 1, Keep: true}.Compile(b)
	if err != nil {
		return NetRun{}, err
	}
	runs, err := trainer.Run(ctx, []Phase{{n.Alpha, Temperature(t.LR, t.Batch), seed}})
	if err != nil {
		return NetRun{}, err
	}
	return runs[0], nil
}
