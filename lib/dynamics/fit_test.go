package dynamics_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/dynamics"
)

func boundary(points int, chi float64) func(seed uint64) (dynamics.SignedData, error) {
	return func(seed uint64) (dynamics.SignedData, error) { return dynamics.BoundaryData(points, 8, chi, seed) }
}

// digits are the even ones against the odd, the first n of the training part.
func digits(t *testing.T, n int) (train, test dynamics.SignedData) {
	task, err := dynamics.LoadPictures(t.Context(), "digits", data.Options{})
	require.NoError(t, err)
	train, err = task.Train.First(n)
	require.NoError(t, err)
	return train, task.Test
}

func TestBoundaryDataMoments(t *testing.T) {
	const n = 20000
	for _, chi := range []float64{-0.5, 0, 1, 3} {
		d, err := dynamics.BoundaryData(n, 3, chi, 7)
		require.NoError(t, err)
		// x₁² is chi-squared with chi+1 degrees of freedom: mean chi+1, variance 2(chi+1). 4.5 deviations: one false alarm
		// in 10⁵.
		first, second := mat.Col(nil, 0, d.X), mat.Col(nil, 1, d.X)
		for i, v := range first {
			assert.Equal(t, math.Signbit(d.Y[i]), math.Signbit(v))
		}
		assert.InDelta(t, chi+1, floats.Dot(first, first)/n, 4.5*math.Sqrt(2*(chi+1)/n))
		assert.InDelta(t, 0, stat.Mean(d.Y, nil), 4.5/math.Sqrt(n))
		assert.InDelta(t, 1, floats.Dot(second, second)/n, 4.5*math.Sqrt(2.0/n))
	}
	a, _ := dynamics.BoundaryData(5, 2, 1, 1)
	b, _ := dynamics.BoundaryData(5, 2, 1, 1)
	c, _ := dynamics.BoundaryData(5, 2, 1, 2)
	assert.Equal(t, a, b)
	assert.NotEqual(t, a, c)
}

// At rate c·η and margin c·κ the weights are exactly c times as large, for c a power of two.
func TestPerceptronScalesExactly(t *testing.T) {
	for seed := range uint64(20) {
		d, err := dynamics.BoundaryData(64, 5, float64(seed%4), seed)
		require.NoError(t, err)
		sgd := dynamics.TrainToFit{LR: 0.37, Batch: 1 + int(seed%5), MaxSteps: 100000}
		one, err := sgd.Perceptron(t.Context(), d, 0.11, seed)
		require.NoError(t, err)
		require.Equal(t, dynamics.Fitted, one.How)
		for _, c := range []float64{8, 0.25, 1 << 20} {
			sgd.LR = 0.37 * c
			other, err := sgd.Perceptron(t.Context(), d, dynamics.HingeMargin(0.11*c), seed)
			require.NoError(t, err)
			assert.Equal(t, one.End, other.End)
			for i, w := range one.W {
				assert.True(t, other.W[i] == c*w, "weight %d at %g: %g and %g", i, c, other.W[i], w)
			}
		}
	}
}

// What fits has all margins, which are the last check's; the time is η·steps.
func TestPerceptronFits(t *testing.T) {
	d, err := dynamics.BoundaryData(200, 8, 1, 3)
	require.NoError(t, err)
	sgd := dynamics.TrainToFit{LR: .5, Batch: 4, MaxSteps: 100000, CheckEvery: 7}
	run, err := sgd.Perceptron(t.Context(), d, .2, 3)
	require.NoError(t, err)
	assert.Equal(t, dynamics.Fitted, run.How)
	assert.Zero(t, run.Step%7)
	assert.InDelta(t, .5*float64(run.Step), run.Time, 1e-12)
	margins, err := run.Margins(d)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, slices.Min(margins), .2)
	assert.Zero(t, dynamics.HingeMargin(.2).Loss(margins))

	sgd.MaxSteps = run.Step / 2
	run, err = sgd.Perceptron(t.Context(), d, .2, 3)
	require.NoError(t, err)
	assert.Equal(t, dynamics.End{How: dynamics.StepLimit, Step: sgd.MaxSteps}, run.End)
	margins, err = run.Margins(d)
	require.NoError(t, err)
	assert.Less(t, slices.Min(margins), .2)

	sgd.LR = 1e307
	run, err = sgd.Perceptron(t.Context(), d, .2, 3)
	require.NoError(t, err)
	assert.Equal(t, dynamics.End{How: dynamics.Diverged, Step: 1}, run.End)
}

// The closed form against new points.
func TestPerceptronTestError(t *testing.T) {
	p := dynamics.Perceptron{W: []float64{1.5, -1, 2, .5}}
	signal, noise := p.SignalNoise()
	for _, chi := range []float64{0, 1, 2.5} {
		d, err := dynamics.BoundaryData(40000, 4, chi, 1)
		require.NoError(t, err)
		margins, err := p.Margins(d)
		require.NoError(t, err)
		wrong := 0.0
		for _, m := range margins {
			if m < 0 {
				wrong++
			}
		}
		want, err := p.TestError(chi)
		require.NoError(t, err)
		assert.InDelta(t, want, wrong/40000, 4.5*math.Sqrt(want*(1-want)/40000), "chi = %g", chi)
	}
	zero, err := p.TestError(0)
	require.NoError(t, err)
	assert.InDelta(t, math.Atan(noise/signal)/math.Pi, zero, 1e-12)
	for w, want := range map[[2]float64]float64{{0, 0}: .5, {2, 0}: 0, {-2, 0}: 1} {
		got, err := dynamics.Perceptron{W: w[:]}.TestError(1)
		require.NoError(t, err)
		assert.InDelta(t, want, got, 1e-12)
	}
}

// Runs of a sweep are those of each by itself, in any order and on any number of processors.
func TestPerceptronSweepOrder(t *testing.T) {
	sweep := dynamics.PerceptronSweep{Data: boundary(96, 1), SGD: dynamics.TrainToFit{Batch: 3, MaxSteps: 5000}}
	alphas, temperatures, seeds := []float64{.5, 4, 100}, []float64{.01, .3, 5}, []uint64{3, 1, 2}
	diagram, err := sweep.PhaseDiagram(t.Context(), alphas, temperatures, seeds)
	require.NoError(t, err)
	backwards := slices.Clone(dynamics.Grid(alphas, temperatures, seeds))
	slices.Reverse(backwards)
	sweep.Workers = 1
	runs, err := sweep.Run(t.Context(), backwards)
	require.NoError(t, err)
	slices.Reverse(runs)
	assert.Equal(t, diagram.Runs, runs)
	cell := diagram.Cell(2, 1)
	assert.Equal(t, dynamics.Phase{Alpha: 100, Temperature: .3, Seed: 1}, cell[1].Phase)
	d, err := boundary(96, 1)(1)
	require.NoError(t, err)
	alone, err := dynamics.TrainToFit{LR: .9, Batch: 3, MaxSteps: 5000}.Perceptron(t.Context(), d, .01, 1)
	require.NoError(t, err)
	assert.Equal(t, alone.End, cell[1].End)
	assert.InDeltaSlice(t, alone.W, cell[1].W, 1e-12, ".9/3 is .3 to rounding")
	assert.Equal(t, [][]float64{{0.01, 0.01, 0.01}, {0.3, 0.3, 0.3}, {5, 5, 5}}, diagram.Map(func(cell []dynamics.PhaseRun) float64 { return cell[0].Temperature }))
}

// Runs of a network do not depend on their order nor on what runs beside them.
func TestNetOrder(t *testing.T) {
	train, test := digits(t, 300)
	fit := dynamics.NetFit{
		Net: dynamics.CenteredNet{HiddenLayers: 3, Width: 16}, Train: train, Test: test,
		SGD: dynamics.TrainToFit{Batch: 8, MaxSteps: 400, CheckEvery: 40}, Lanes: 3, Keep: true,
	}
	trainer, err := fit.Compile(backend.ForTest(t))
	require.NoError(t, err)
	phases := dynamics.Grid([]float64{1e-2, 1, 1e3}, []float64{.02, .2, 4}, []uint64{1, 2})
	forth, err := trainer.Run(t.Context(), phases)
	require.NoError(t, err)
	slices.Reverse(phases)
	back, err := trainer.Run(t.Context(), phases)
	require.NoError(t, err)
	ends := map[dynamics.Ending]int{}
	for i, a := range forth {
		b := back[len(back)-1-i]
		ends[a.How]++
		assert.Equal(t, a.End, b.End, "%v", a.Phase)
		if a.How == dynamics.Diverged {
			assert.True(t, math.IsNaN(a.TestError))
			continue
		}
		assert.InEpsilon(t, a.Change, b.Change, 1e-3)
		assert.InDelta(t, a.TestError, b.TestError, 0.011)
		assert.InDelta(t, a.Temperature*8*float64(a.Step), a.Time, 1e-9)
		if a.How == dynamics.Fitted {
			// To float32's rounding of f, in programs of two shapes.
			assert.GreaterOrEqual(t, slices.Min(a.TrainMargins), 1/a.Alpha-1e-5)
			assert.Less(t, a.TestError, 0.25)
		} else {
			assert.Equal(t, 400, a.Step)
			assert.Less(t, slices.Min(a.TrainMargins), 1/a.Alpha)
		}
	}
	assert.Len(t, ends, 3, "runs that fit, that diverge and that do neither: %v", ends)

	alone, err := dynamics.TrainToFit{LR: .2 * 8, Batch: 8, MaxSteps: 400, CheckEvery: 40}.Net(t.Context(), backend.ForTest(t), dynamics.CenteredNet{HiddenLayers: 3, Width: 16, Alpha: 1e3}, fit.Train, fit.Test, 2)
	require.NoError(t, err)
	same := forth[slices.IndexFunc(forth, func(r dynamics.NetRun) bool { return r.Phase == dynamics.Phase{Alpha: 1e3, Temperature: .2, Seed: 2} })]
	assert.Equal(t, same.End, alone.End)
	assert.InEpsilon(t, same.Change, alone.Change, 1e-3)
}

// A convolutional network learns pictures, too.
func TestConvolutionalNet(t *testing.T) {
	train, test := digits(t, 128)
	trainer, err := dynamics.NetFit{
		Net: dynamics.CenteredNet{HiddenLayers: 2, Width: 8, Picture: []int{8, 8, 1}}, Train: train, Test: test,
		SGD: dynamics.TrainToFit{Batch: 8, MaxSteps: 4000}, Lanes: 2, Workers: 1,
	}.Compile(backend.ForTest(t))
	require.NoError(t, err)
	runs, err := trainer.Run(t.Context(), dynamics.Grid([]float64{100}, []float64{.5}, []uint64{0, 1}))
	require.NoError(t, err)
	for _, r := range runs {
		assert.Equal(t, dynamics.Fitted, r.How)
		assert.Less(t, r.TestError, .3)
	}
}

func TestMaxTemperature(t *testing.T) {
	train, _ := digits(t, 64)
	trainer, err := dynamics.NetFit{Net: dynamics.CenteredNet{HiddenLayers: 2, Width: 16}, Train: train, SGD: dynamics.TrainToFit{Batch: 8, MaxSteps: 50}}.Compile(backend.ForTest(t))
	require.NoError(t, err)
	alphas, seeds := []float64{1e-3, 1e-1}, []uint64{4, 1}
	most, err := trainer.MaxTemperature(t.Context(), alphas, seeds, dynamics.TemperatureSearch{})
	require.NoError(t, err)
	for s, seed := range seeds {
		assert.Less(t, 2*most[0][s], most[1][s], "the feature regime bears less")
		for i, alpha := range alphas {
			low, high := -8.0, 4.0
			for range 6 {
				middle := (low + high) / 2
				runs, err := trainer.Run(t.Context(), []dynamics.Phase{{Alpha: alpha, Temperature: math.Exp2(middle), Seed: seed}})
				require.NoError(t, err)
				if runs[0].How != dynamics.Diverged && runs[0].Change < 100 {
					low = middle
				} else {
					high = middle
				}
			}
			assert.InEpsilon(t, math.Exp2((low+high)/2), most[i][s], 1e-12)
		}
	}
	_, err = trainer.MaxTemperature(t.Context(), alphas, seeds, dynamics.TemperatureSearch{Low: 2, High: 1})
	assert.ErrorContains(t, err, "Low is 2, High 1")
}

func TestPowerLawFits(t *testing.T) {
	x := []float64{1, 2, 3, 5, 8}
	var y []float64
	for _, v := range x {
		y = append(y, 3*math.Pow(v, -.7))
	}
	law, err := dynamics.PowerLawFit(x, y)
	require.NoError(t, err)
	assert.InDelta(t, 3, law.Scale, 1e-12)
	assert.InDelta(t, -.7, law.Exponents[0], 1e-12)
	assert.InDelta(t, 0, law.Errors[0], 1e-12)
	assert.InDelta(t, 3*math.Pow(7, -.7), law.At(7), 1e-12)

	// By hand: slope Sxy/Sxx of the logarithms and its error √(rest/2/Sxx).
	law, err = dynamics.PowerLawFit([]float64{1, 2, 4, 8}, []float64{2.1, 3.9, 9.2, 15})
	require.NoError(t, err)
	assert.InDelta(t, 0.974766354, law.Exponents[0], 1e-6)
	assert.InDelta(t, 0.068820134, law.Errors[0], 1e-6)

	var ps, ts, zs []float64
	for _, p := range []float64{2, 4, 9} {
		for _, q := range []float64{.1, .3} {
			ps, ts, zs = append(ps, p), append(ts, q), append(zs, .5*math.Pow(p, 1.2)*math.Pow(q, .9))
		}
	}
	law, err = dynamics.PowerLawFit2(ps, ts, zs)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{1.2, .9}, law.Exponents, 1e-12)
	assert.InDelta(t, .5, law.Scale, 1e-12)

	two, err := dynamics.PowerLawFit([]float64{1, 2}, []float64{1, 4})
	require.NoError(t, err)
	assert.InDelta(t, 2, two.Exponents[0], 1e-12)
	assert.True(t, math.IsNaN(two.Errors[0]))
	for name, f := range map[string]func() error{
		"y has 1":         func() error { _, err := dynamics.PowerLawFit([]float64{1}, []float64{1}); return err },
		"x has 2":         func() error { _, err := dynamics.PowerLawFit([]float64{1, 2}, []float64{1, 2, 3}); return err },
		"y[1] is 0":       func() error { _, err := dynamics.PowerLawFit([]float64{1, 2}, []float64{1, 0}); return err },
		"x[0] is NaN":     func() error { _, err := dynamics.PowerLawFit([]float64{math.NaN(), 2}, []float64{1, 2}); return err },
		"x does not vary": func() error { _, err := dynamics.PowerLawFit([]float64{2, 2, 2}, []float64{1, 2, 3}); return err },
		"t does not vary by it": func() error {
			_, err := dynamics.PowerLawFit2([]float64{1, 2, 4}, []float64{1, 4, 16}, []float64{1, 2, 3})
			return err
		},
	} {
		assert.ErrorContains(t, f(), name)
	}
}

func TestBadInputs(t *testing.T) {
	d, err := dynamics.BoundaryData(8, 3, 0, 0)
	require.NoError(t, err)
	good := dynamics.TrainToFit{LR: 1, Batch: 2, MaxSteps: 10}
	perceptron := func(change func(*dynamics.TrainToFit), d dynamics.SignedData, kappa float64) error {
		sgd := good
		change(&sgd)
		_, err := sgd.Perceptron(t.Context(), d, dynamics.HingeMargin(kappa), 0)
		return err
	}
	same := func(*dynamics.TrainToFit) {}
	b := backend.ForTest(t)
	net := func(change func(*dynamics.NetFit)) error {
		fit := dynamics.NetFit{Net: dynamics.CenteredNet{HiddenLayers: 1, Width: 2}, Train: d, SGD: good}
		change(&fit)
		_, err := fit.Compile(b)
		return err
	}
	sweep := func(p dynamics.Phase) error {
		_, err := dynamics.PerceptronSweep{Data: boundary(8, 0), SGD: good}.Run(t.Context(), []dynamics.Phase{p})
		return err
	}
	boundaryErr := func(points, dim int, chi float64) error {
		_, err := dynamics.BoundaryData(points, dim, chi, 0)
		return err
	}
	for want, err := range map[string]error{
		"chi is -1":             boundaryErr(1, 1, -1),
		"chi is NaN":            boundaryErr(1, 1, math.NaN()),
		"points is 0":           boundaryErr(0, 1, 0),
		"dim is 0":              boundaryErr(1, 0, 0),
		"LR is 0":               perceptron(func(s *dynamics.TrainToFit) { s.LR = 0 }, d, 1),
		"LR is NaN":             perceptron(func(s *dynamics.TrainToFit) { s.LR = math.NaN() }, d, 1),
		"Batch is 9":            perceptron(func(s *dynamics.TrainToFit) { s.Batch = 9 }, d, 1),
		"Batch is 0":            perceptron(func(s *dynamics.TrainToFit) { s.Batch = 0 }, d, 1),
		"MaxSteps is 0":         perceptron(func(s *dynamics.TrainToFit) { s.MaxSteps = 0 }, d, 1),
		"CheckEvery is -1":      perceptron(func(s *dynamics.TrainToFit) { s.CheckEvery = -1 }, d, 1),
		"margin is 0":           perceptron(same, d, 0),
		"data is empty":         perceptron(same, dynamics.SignedData{}, 1),
		"data has 1 labels":     perceptron(same, dynamics.SignedData{X: d.X, Y: d.Y[:1]}, 1),
		"label 0 of data is 0":  perceptron(same, dynamics.SignedData{X: mat.NewDense(2, 1, []float64{1, 2}), Y: []float64{0, 1}}, 1),
		"coordinate 0 of row 1": perceptron(same, dynamics.SignedData{X: mat.NewDense(2, 1, []float64{1, math.NaN()}), Y: []float64{1, 1}}, 1),
		"Alpha is 0":            sweep(dynamics.Phase{Temperature: 1}),
		"Temperature is -1":     sweep(dynamics.Phase{Alpha: 1, Temperature: -1}),
		"Alpha is +Inf":         sweep(dynamics.Phase{Alpha: math.Inf(1), Temperature: 1}),
		"HiddenLayers is 0":     net(func(f *dynamics.NetFit) { f.Net.HiddenLayers = 0 }),
		"Width is 0":            net(func(f *dynamics.NetFit) { f.Net.Width = 0 }),
		"Picture is [2 2 1]":    net(func(f *dynamics.NetFit) { f.Net.Picture = []int{2, 2, 1} }),
		"Train is empty":        net(func(f *dynamics.NetFit) { f.Train = dynamics.SignedData{} }),
		"Test has 1 columns": net(func(f *dynamics.NetFit) {
			f.Test = dynamics.SignedData{X: mat.NewDense(1, 1, []float64{1}), Y: []float64{1}}
		}),
		"Lanes is -1": net(func(f *dynamics.NetFit) { f.Lanes = -1 }),
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, n := range []int{0, 9} {
		_, err = d.First(n)
		assert.ErrorContains(t, err, "must be between 1 and 8")
	}
	_, err = d.OnSphere(0)
	assert.ErrorContains(t, err, "norm is 0")
	_, err = dynamics.SignedData{X: mat.NewDense(1, 2, []float64{1, 2}), Y: []float64{1}}.OnSphere(1)
	assert.ErrorContains(t, err, "row 0 is the mean")
	_, err = dynamics.Perceptron{W: []float64{1}}.Margins(d)
	assert.ErrorContains(t, err, "data has 3 columns, must have 1")
	_, err = dynamics.Weights{{1}}.RelativeWeightChange(dynamics.Weights{{1, 2}})
	assert.ErrorContains(t, err, "layer 0 has 1 weights")
	_, err = dynamics.PerceptronSweep{Data: boundary(8, 0), SGD: good}.PhaseDiagram(t.Context(), nil, []float64{1}, []uint64{1})
	assert.ErrorContains(t, err, "there are 0 alphas")
	_, err = dynamics.PerceptronSweep{SGD: good}.Run(t.Context(), nil)
	assert.ErrorContains(t, err, "Data must not be nil")
	_, err = dynamics.NetFit{Net: dynamics.CenteredNet{HiddenLayers: 1, Width: 2}, Train: d, SGD: good, Lanes: 1}.Compile(b)
	require.NoError(t, err)
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d, err := dynamics.BoundaryData(512, 3, 0, 0)
	require.NoError(t, err)
	sgd := dynamics.TrainToFit{LR: 1e-9, Batch: 2, MaxSteps: 1 << 40}
	_, err = sgd.Perceptron(ctx, d, 1, 0)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = dynamics.PerceptronSweep{Data: boundary(64, 0), SGD: sgd}.Run(ctx, dynamics.Grid([]float64{1}, []float64{1e-9}, []uint64{1, 2, 3}))
	assert.ErrorIs(t, err, context.Canceled)
	sgd.MaxSteps = 1 << 20
	_, err = sgd.Net(ctx, backend.ForTest(t), dynamics.CenteredNet{HiddenLayers: 1, Width: 2, Alpha: 1}, d, dynamics.SignedData{}, 0)
	assert.ErrorIs(t, err, context.Canceled)
}

// A run is a value that can be kept.
func TestRunsAsJSON(t *testing.T) {
	run := dynamics.PhaseRun{Phase: dynamics.Phase{Alpha: 1, Temperature: 2, Seed: 3}}
	run.W, run.End, run.Time = []float64{1, 2}, dynamics.End{How: dynamics.Fitted, Step: 4}, 5
	text, err := json.Marshal(run)
	require.NoError(t, err)
	var back dynamics.PhaseRun
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, run, back)
}

// What theory says of many runs: the noise that is left, and that batches of one temperature are alike.
func TestPerceptronNoise(t *testing.T) {
	mean := func(batch int) (signal, noise float64) {
		sweep := dynamics.PerceptronSweep{
			Data: func(seed uint64) (dynamics.SignedData, error) { return dynamics.BoundaryData(1024, 32, 1, seed) },
			SGD:  dynamics.TrainToFit{Batch: batch, MaxSteps: 1e7, CheckEvery: 1 + 256/batch},
		}
		seeds := []uint64{0, 1, 2, 3, 4, 5, 6, 7}
		runs, err := sweep.Run(t.Context(), dynamics.Grid([]float64{100}, []float64{1}, seeds))
		require.NoError(t, err)
		for _, r := range runs {
			require.Equal(t, dynamics.Fitted, r.How)
			s, n := r.SignalNoise()
			signal, noise = signal+math.Log(s)/8, noise+math.Log(n)/8
		}
		return math.Exp(signal), math.Exp(noise)
	}
	signal, noise := mean(2)
	floor := dynamics.NoiseFloor(1, 32, 1)
	assert.InDelta(t, 1.075, noise/floor, 0.275)
	same, _ := mean(16)
	assert.InEpsilon(t, signal, same, 0.25)
	first, _ := mean(512)
	assert.Greater(t, first, 4*signal, "a first step that is too long")
}

func TestLoadPictures(t *testing.T) {
	task, err := dynamics.LoadPictures(t.Context(), "digits", data.Options{})
	require.NoError(t, err)
	assert.Equal(t, []int{8, 8, 1}, task.Picture)
	assert.Len(t, task.Train.Y, 1200)
	assert.Len(t, task.Test.Y, 597)
	set, err := data.Digits()
	require.NoError(t, err)
	mean := make([]float64, 64)
	for _, part := range []dynamics.SignedData{task.Train, task.Test} {
		for i := range part.Y {
			assert.InDelta(t, 8, floats.Norm(part.X.RawRowView(i), 2), 1e-12)
			floats.Add(mean, part.X.RawRowView(i))
		}
	}
	for k := range 5 {
		assert.Equal(t, task.Train.Y[k] == 1, set.Labels[1009*k%1797]%2 == 0)
	}
	assert.Less(t, floats.Norm(mean, 2)/1797, 0.5, "near to centered, before rows are scaled exactly")
	_, err = dynamics.LoadPictures(t.Context(), "letters", data.Options{})
	assert.ErrorContains(t, err, `name is "letters", must be digits`)
	_, err = dynamics.LoadPictures(t.Context(), "cifar-10", data.Options{Offline: true, Dirs: []string{t.TempDir()}, Cache: t.TempDir()})
	assert.ErrorIs(t, err, data.ErrUnavailable)
}

// Pictures that are looked up, in groups by their classes.
func TestLoadFashionMNIST(t *testing.T) {
	task, err := dynamics.LoadPictures(t.Context(), "fashion-mnist", data.Options{Offline: true})
	if errors.Is(err, data.ErrUnavailable) {
		t.Skip(err)
	}
	require.NoError(t, err)
	assert.Equal(t, []int{28, 28, 1}, task.Picture)
	assert.InDelta(t, 28, floats.Norm(task.Test.X.RawRowView(0), 2), 1e-9)
	even := 0
	for _, y := range task.Test.Y {
		if y == 1 {
			even++
		}
	}
	assert.InDelta(t, 0.5, float64(even)/float64(len(task.Test.Y)), 0.03, "ten classes of equal size")
}
