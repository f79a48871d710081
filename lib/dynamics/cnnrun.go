package dynamics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
)

// CNNRun is one run of plain SGD that trains a [ReLU2CNN] on [FeatureNoiseData] with the loss ½(f − y)². Each step takes one
// sample, drawn with replacement; there is no momentum, decay or averaging.
type CNNRun struct {
	Data    FeatureNoiseData
	Filters int     // of each sign
	LR      float64 // η > 0; see [CNNRun.WithScaledRate]
	Steps   int     // at least 1
	// FullBatch takes the mean of all samples' gradients at each step: gradient descent.
	FullBatch bool
	// MeasureEvery is how many steps lie between two measurements of [CNNTrace].Sharpness; 0: only at the end.
	MeasureEvery int
	Test         int    // weak-only samples to test on; default 1000
	Seed         uint64 // of the noise, the first weights and the draws
}

// WithScaledRate is the run with the learning rate η = a·m/(2‖v‖²). In the dimensionless a the strong feature oscillates from
// [OscillationStart] on, whatever the sizes.
func (r CNNRun) WithScaledRate(a float64) CNNRun {
	r.LR = a * float64(r.Filters) / (2 * r.Data.StrongNorm * r.Data.StrongNorm)
	return r
}

// ScaledRate is a = 2η‖v‖²/m.
func (r CNNRun) ScaledRate() float64 {
	return 2 * r.LR * r.Data.StrongNorm * r.Data.StrongNorm / float64(r.Filters)
}

// CNNTrace is what a [CNNRun] showed. Of a run that diverged, End names the step that left bad weights; the trace ends before
// they are, and what is measured at the end is NaN.
type CNNTrace struct {
	// Sample is what each step drew and YF its y·f before the step: with FullBatch all samples in order, each step.
	Sample []int
	YF     []float64
	Strong []bool // which samples of the training set hold the strong feature
	Draws  int    // of a step: 1, or the number of samples
	// WeakStrength and StrongStrength are what the filters of sign +1 and −1 hold of either feature (see
	// [ReLU2CNN.Strengths]): at the start and after each step.
	WeakStrength, StrongStrength [][2]float64
	// Sharpness is the largest ‖∇f‖² of a training sample after so many steps as MeasuredAt says, the last one at the end.
	Sharpness  []float64
	MeasuredAt []int

	TestError     float64 // on weak-only samples, in [0, 1]; f = 0 is an error
	TrainAccuracy float64
	TrainLoss     float64 // mean ½(f − y)²
	Weights       []float64
	End           End
}

// Residual is 1 − y·f of a draw.
func (t *CNNTrace) Residual(draw int) float64 { return 1 - t.YF[draw] }

// CumulativeResidual sums 1 − y·f over the draws of samples with the strong feature: before the first step, 0, and after each.
func (t *CNNTrace) CumulativeResidual() []float64 {
	out := []float64{0}
	for draw, sample := range t.Sample {
		if draw%t.Draws == 0 {
			out = append(out, out[len(out)-1])
		}
		if t.Strong[sample] {
			out[len(out)-1] += t.Residual(draw)
		}
	}
	return out
}

// Oscillation is the mean of |1 − y·f| over the draws of samples with the strong feature in the steps from, …, to − 1, counted
// from 0; NaN where there are none.
func (t *CNNTrace) Oscillation(from, to int) float64 {
	sum, n := 0.0, 0
	for draw := max(0, from*t.Draws); draw < min(to*t.Draws, len(t.Sample)); draw++ {
		if t.Strong[t.Sample[draw]] {
			sum, n = sum+math.Abs(t.Residual(draw)), n+1
		}
	}
	return sum / float64(n)
}

func (r CNNRun) validate() error {
	errs := []error{r.Data.validate()}
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("dynamics: CNNRun: "+format, args...))
	}
	if r.Filters < 1 {
		bad("Filters is %d, must be at least 1", r.Filters)
	}
	if !(r.LR > 0) || math.IsInf(r.LR, 0) {
		bad("LR is %g, must be positive and finite", r.LR)
	}
	if r.Steps < 1 {
		bad("Steps is %d, must be at least 1", r.Steps)
	}
	if r.MeasureEvery < 0 {
		bad("MeasureEvery is %d, must not be negative", r.MeasureEvery)
	}
	if r.Test != 0 && r.Test < 2 {
		bad("Test is %d, must be at least 2, or 0", r.Test)
	}
	return errors.Join(errs...)
}

// Run trains, in plain Go: with twenty filters of 200 entries a step takes as long as in a compiled loop over many runs at
// once, some microseconds, and runs of other lengths and batches go side by side. A run that diverges, with a weight that is
// not finite or |f| > 10⁶, is a result; see [CNNTrace].End. When the context ends, the trace so far is returned with the
// context's error.
func (r CNNRun) Run(ctx context.Context) (*CNNTrace, error) {
	return r.run(ctx, func(int) {})
}

// RunCNNs does several runs, as many at once as there are processors, and returns their traces in order. progress is told the
// steps done of those of all runs, now and then, and may be nil. The first error ends all.
func RunCNNs(ctx context.Context, runs []CNNRun, progress func(done, total int)) ([]*CNNTrace, error) {
	total := 0
	for i, r := range runs {
		if err := r.validate(); err != nil {
			return nil, fmt.Errorf("dynamics: RunCNNs: run %d: %w", i, err)
		}
		total += r.Steps
	}
	done := 0
	var mutex sync.Mutex
	tell := func(steps int) {
		mutex.Lock()
		defer mutex.Unlock()
		if done += steps; progress != nil {
			progress(done, total)
		}
	}
	out := make([]*CNNTrace, len(runs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, r := range runs {
		group.Go(func() (err error) {
			out[i], err = r.run(ctx, tell)
			return err
		})
	}
	return out, group.Wait()
}

const lookEvery = 1024 // draws between looks at the context

// run tells of steps as they are done, of the rest of a run that diverged too.
func (r CNNRun) run(ctx context.Context, tell func(steps int)) (*CNNTrace, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	train, err := r.Data.Training(r.Seed)
	if err != nil {
		return nil, err
	}
	weak, strong, err := r.Data.Features()
	if err != nil {
		return nil, err
	}
	net := ReLU2CNN{Filters: r.Filters, Dim: r.Data.Dim}
	w, err := net.Init(r.Seed)
	if err != nil {
		return nil, err
	}
	t := &CNNTrace{Strong: train.Strong, Draws: 1, Weights: w}
	if r.FullBatch {
		t.Draws = r.Data.N
	}
	active := net.room(train.Patches[0])
	update := make([]float64, net.Size())
	rng := online.Seeded(r.Seed, "dynamics: draws")
	note := func() {
		var f, g [2]float64
		f[0], f[1] = net.strengths(w, weak)
		g[0], g[1] = net.strengths(w, strong)
		t.WeakStrength, t.StrongStrength = append(t.WeakStrength, f), append(t.StrongStrength, g)
	}
	note()
	told := 0
	for step := range r.Steps {
		if step%max(1, lookEvery/t.Draws) == 0 {
			if err := ctx.Err(); err != nil {
				t.End = End{StepLimit, step}
				return t, fmt.Errorf("dynamics: CNNRun: stopped after %d of %d steps: %w", step, r.Steps, err)
			}
			tell(step - told)
			told = step
		}
		if r.MeasureEvery > 0 && step%r.MeasureEvery == 0 {
			if err := t.measure(net, train, step); err != nil {
				return nil, err
			}
		}
		if r.FullBatch {
			clear(update)
		}
		for k := range t.Draws {
			i, to, share := k, update, 1/float64(t.Draws)
			if !r.FullBatch {
				i, to = rng.IntN(r.Data.N), w
			}
			f, y := net.forward(w, train.Patches[i], active), train.Labels[i]
			if !(math.Abs(f) <= divergedAt) {
				t.diverge(step)
				tell(r.Steps - told)
				return t, nil
			}
			t.Sample, t.YF = append(t.Sample, i), append(t.YF, y*f)
			net.addSlope(to, train.Patches[i], active, -r.LR*(f-y)*share)
		}
		if r.FullBatch {
			floats.Add(w, update)
		}
		note()
	}
	tell(r.Steps - told)
	return t, t.finish(net, train, r)
}

// measure notes the largest sharpness.
func (t *CNNTrace) measure(net ReLU2CNN, train FeatureNoise, step int) error {
	s, err := net.Sharpness(t.Weights, train.Patches)
	if err != nil {
		return err
	}
	t.Sharpness, t.MeasuredAt = append(t.Sharpness, slices.Max(s)), append(t.MeasuredAt, step)
	return nil
}

// diverge ends the trace before the step that left bad weights.
func (t *CNNTrace) diverge(step int) {
	t.End = End{Diverged, step}
	t.Sample, t.YF = t.Sample[:step*t.Draws], t.YF[:step*t.Draws]
	t.WeakStrength, t.StrongStrength = t.WeakStrength[:step], t.StrongStrength[:step]
	t.TestError, t.TrainAccuracy, t.TrainLoss = math.NaN(), math.NaN(), math.NaN()
}

// finish measures the trained network.
func (t *CNNTrace) finish(net ReLU2CNN, train FeatureNoise, r CNNRun) error {
	f, err := net.Forward(t.Weights, train.Patches)
	if err != nil {
		return err
	}
	for i, y := range train.Labels {
		if !(math.Abs(f[i]) <= divergedAt) {
			t.diverge(r.Steps)
			return nil
		}
		t.TrainLoss += (f[i] - y) * (f[i] - y) / 2 / float64(len(f))
	}
	t.End, t.TrainAccuracy = End{StepLimit, r.Steps}, accuracy(f, train.Labels)
	n := r.Test
	if n == 0 {
		n = 1000
	}
	test, err := r.Data.WeakOnly(n, r.Seed)
	if err != nil {
		return err
	}
	if f, err = net.Forward(t.Weights, test.Patches); err != nil {
		return err
	}
	t.TestError = 1 - accuracy(f, test.Labels)
	return t.measure(net, train, r.Steps)
}

// accuracy is the fraction of outputs that have their label's sign.
func accuracy(f, labels []float64) float64 {
	right := 0
	for i, y := range labels {
		if y*f[i] > 0 {
			right++
		}
	}
	return float64(right) / float64(len(labels))
}
