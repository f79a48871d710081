package optim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Fact 1 of the specification: values, gradient, limit and direction of the trajectory loss.
func TestTrajectoryLoss(t *testing.T) {
	b := backend.ForTest(t)
	past := [][]float64{{2, 0, -1}, {0, 1, 0}}
	now := [][]float64{{1, 1, -1}, {0, 3, 1}}
	at := func(tau float64, past, now [][]float64) (loss float64, gradient, pastGradient []float64) {
		e, err := graph.NewExec(b, func(past, now *graph.Node) (*graph.Node, *graph.Node, *graph.Node) {
			loss := TrajectoryLoss(past, now, tau)
			g := graph.Gradient(loss, past, now)
			return loss, g[1], g[0]
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.Call(past, now)
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Value().(float64), tensors.MustCopyFlatData[float64](out[1]), tensors.MustCopyFlatData[float64](out[2])
	}
	// The specification's values, to 40 digits cut to 14: at τ = 100 its tenth is rounding of τ²·KL.
	for tau, want := range map[float64]float64{1: 0.28630158484773, 5: 0.35435263988918, 100: 0.33470773114977} {
		loss, _, _ := at(tau, past, now)
		close(t, fmt.Sprintf("τ = %g", tau), []float64{loss}, []float64{want}, 5e-12)
	}
	loss, _, _ := at(1e5, past, now)
	close(t, "τ → ∞", []float64{loss}, []float64{1. / 3}, 5e-6) // the next order in 1/τ, and rounding of τ²·KL
	loss, _, _ = at(5, now, past)
	close(t, "reversed", []float64{loss}, []float64{0.3535259557}, 5e-11)

	_, gradient, pastGradient := at(5, past, now)
	close(t, "gradient", gradient, []float64{-0.1903494, 0.1810571, 0.0092923, -0.1577865, 0.1786856, -0.0208992}, 1e-7)
	close(t, "gradient of the past", pastGradient, make([]float64, 6), 0)
	for i := range 2 { // τ(q − p)/|B|
		p, q := softmaxOf(past[i], 5), softmaxOf(now[i], 5)
		for c := range 3 {
			close(t, "formula", []float64{gradient[3*i+c]}, []float64{5 * (q[c] - p[c]) / 2}, 1e-14)
		}
		close(t, "row sum", []float64{gradient[3*i] + gradient[3*i+1] + gradient[3*i+2]}, []float64{0}, 1e-14)
	}
	// Logits whose softmax underflows: log of softmax would be −∞ there.
	loss, gradient, _ = at(1, [][]float64{{2000, 0, 0}}, [][]float64{{0, 0, 2000}})
	close(t, "far apart", append(gradient, loss), []float64{-1, 0, 1, 2000}, 1e-12)
}

func softmaxOf(z []float64, tau float64) []float64 {
	out := make([]float64, len(z))
	var sum float64
	for i, v := range z {
		out[i] = math.Exp(v / tau)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// sample is a small classification problem in float64 whose batches, with padding, are prescribed: row t of "rows".
type sample struct {
	x       [][]float64 // examples
	y       []int
	batches [][]int32 // −1: padding
	classes int
}

func newSample(examples, features, classes, batch, epochs int, seed uint64) (s sample, epochSteps int) {
	rng := rand.New(rand.NewPCG(seed, 20))
	s.classes = classes
	for range examples {
		row := make([]float64, features)
		for j := range row {
			row[j] = rng.NormFloat64()
		}
		s.x, s.y = append(s.x, row), append(s.y, rng.IntN(classes))
	}
	epochSteps = (examples + batch - 1) / batch // the last one is partial
	for range epochs {
		order := rng.Perm(examples)
		for k := range epochSteps {
			rows := make([]int32, batch)
			for i := range rows {
				rows[i] = -1
				if k*batch+i < examples {
					rows[i] = int32(order[k*batch+i])
				}
			}
			s.batches = append(s.batches, rows)
		}
	}
	return s, epochSteps
}

// supervised is softmax regression with mean cross-entropy over the rows that are no padding. data: x, y, index.
func (s sample) supervised() Supervised {
	return Supervised{
		Outputs: func(p, data []*graph.Node) *graph.Node { return graph.MatMul(data[0], p[0]) },
		Criterion: func(z *graph.Node, data []*graph.Node) *graph.Node {
			own := graph.ReduceSum(graph.Mul(logSoftmax(z), graph.OneHot(data[1], s.classes, z.DType())), -1)
			real := graph.ConvertDType(graph.GreaterOrEqual(data[2], graph.ZerosLike(data[2])), z.DType())
			return graph.Neg(graph.Div(graph.ReduceAllSum(graph.Mul(own, real)), graph.ReduceAllSum(real)))
		},
	}
}

func (s sample) data(step *scan.Step) []*graph.Node {
	index := step.Row("rows")
	rows := graph.ExpandAxes(graph.Max(index, graph.ZerosLike(index)), -1)
	return []*graph.Node{graph.Gather(step.Input("x"), rows), graph.Gather(step.Input("y"), rows), index}
}

func (s sample) inputs() scan.Vars {
	labels := make([]int32, len(s.y))
	for i, y := range s.y {
		labels[i] = int32(y)
	}
	return scan.Vars{"x": tensors.FromValue(s.x), "y": tensors.FromValue(labels), "rows": tensors.FromValue(s.batches)}
}

func indexOf(data []*graph.Node) *graph.Node { return data[2] }

// start is a first matrix of weights.
func (s sample) start() [][]float64 {
	w := make([][]float64, len(s.x[0]))
	for i := range w {
		w[i] = make([]float64, s.classes)
		for c := range w[i] {
			w[i][c] = 0.3 * math.Sin(float64(1+i*s.classes+c))
		}
	}
	return w
}

// twin trains in plain Go: term gives the past logits of an example (nil: none), and done is told of each step.
func (s sample) twin(rate, lambda, tau float64, epochSteps, start int, past func(epoch, example int, w [][]float64) []float64, done func(epoch int, rows []int32, logits [][]float64, w [][]float64)) [][][]float64 {
	w := s.start()
	var path [][][]float64
	for step, rows := range s.batches {
		epoch := step / epochSteps
		var logits [][]float64
		real, counted := 0, 0
		var pasts [][]float64
		for _, r := range rows {
			if r < 0 {
				logits, pasts = append(logits, nil), append(pasts, nil)
				continue
			}
			z := s.logits(int(r), w)
			logits = append(logits, z)
			real++
			p := past(epoch, int(r), w)
			pasts = append(pasts, p)
			if p != nil {
				counted++
			}
		}
		grad := make([][]float64, len(w))
		for i := range grad {
			grad[i] = make([]float64, s.classes)
		}
		for k, r := range rows {
			if r < 0 {
				continue
			}
			q := softmaxOf(logits[k], 1)
			q[s.y[r]]--
			for c := range q {
				q[c] /= float64(real)
			}
			if epoch >= start && pasts[k] != nil {
				a, b := softmaxOf(pasts[k], tau), softmaxOf(logits[k], tau)
				for c := range q {
					q[c] += lambda * tau * (b[c] - a[c]) / float64(counted)
				}
			}
			for i := range grad {
				for c := range q {
					grad[i][c] += s.x[r][i] * q[c]
				}
			}
		}
		if done != nil {
			done(epoch, rows, logits, w)
		}
		next := make([][]float64, len(w))
		for i := range next {
			next[i] = make([]float64, s.classes)
			for c := range next[i] {
				next[i][c] = w[i][c] - rate*grad[i][c]
			}
		}
		w = next
		path = append(path, w)
	}
	return path
}

func (s sample) logits(r int, w [][]float64) []float64 {
	z := make([]float64, s.classes)
	for i, x := range s.x[r] {
		for c := range z {
			z[c] += x * w[i][c]
		}
	}
	return z
}

func (s sample) problem(o Objective) Problem {
	return Problem{Data: s.data, Objective: o, Observe: func(step *scan.Step, o Observation) {
		step.Trace("w", graph.Add(o.Params[0].Value, o.Updates[0]))
	}}
}

// train returns the weights after each step, and the result.
func (s sample) train(t *testing.T, method Transform, o Objective, steps int) ([]float64, *Result) {
	t.Helper()
	r, err := Minimize(context.Background(), backend.ForTest(t), method, s.problem(o), scan.Vars{"w": tensors.FromValue(s.start())}, s.inputs(), steps, 0)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float64](r.Traces["w"]), r
}

func flatten(path [][][]float64) []float64 {
	var out []float64
	for _, w := range path {
		for _, row := range w {
			out = append(out, row...)
		}
	}
	return out
}

// SAF against a plain Go program that keeps every epoch's logits: slots, validity, the partial last batch, the start.
func TestSAFTwin(t *testing.T) {
	const lookback, start, lambda, tau, rate, epochs = 2, 3, 0.7, 3, 0.5, 9
	s, epochSteps := newSample(11, 4, 3, 4, epochs, 1)
	// Examples 2 and 7 are left out of two epochs: they have no past there.
	for step, rows := range s.batches {
		for i, r := range rows {
			if (r == 2 || r == 7) && (step/epochSteps == 2 || step/epochSteps == 5) {
				rows[i] = -1
			}
		}
	}
	seen := map[[2]int][]float64{} // epoch and example
	path := s.twin(rate, lambda, tau, epochSteps, start,
		func(epoch, example int, _ [][]float64) []float64 { return seen[[2]int{epoch - lookback, example}] },
		func(epoch int, rows []int32, logits [][]float64, _ [][]float64) {
			for k, r := range rows {
				if r >= 0 {
					seen[[2]int{epoch, int(r)}] = logits[k]
				}
			}
		})
	saf := SAF{Supervised: s.supervised(), Index: indexOf, Examples: 11, Classes: 3, EpochSteps: epochSteps, Lambda: lambda, Tau: tau, Lookback: lookback, Start: start}
	got, r := s.train(t, SGD(rate), saf, len(s.batches))
	close(t, "weights", got, flatten(path), 1e-12)

	// The history: slot e mod 3 holds epoch e, its stamp e+1 in the place of class 0, and logits relative to class 0.
	history := tensors.MustCopyFlatData[float64](r.State["objective/history"])
	for _, epoch := range []int{6, 7, 8} {
		for example := range 11 {
			row := history[((epoch%3)*11+example)*3:][:3]
			z := seen[[2]int{epoch, example}]
			close(t, fmt.Sprintf("history of example %d in epoch %d", example, epoch), row, []float64{float64(epoch + 1), z[1] - z[0], z[2] - z[0]}, 1e-12)
		}
	}
}

// Fact 3: with a look-back of 3 epoch 7 writes slot 3 and reads slot 0, which epoch 4 wrote.
func TestSAFSlots(t *testing.T) {
	s, _ := newSample(2, 2, 2, 2, 8, 2)
	saf := SAF{Supervised: s.supervised(), Index: indexOf, Examples: 2, Classes: 2, EpochSteps: 1}
	_, r := s.train(t, SGD(0.1), saf, 8)
	history := tensors.MustCopyFlatData[float64](r.State["objective/history"])
	for slot, epoch := range []int{4, 5, 6, 7} {
		if got := history[slot*4]; got != float64(epoch+1) {
			t.Errorf("slot %d was written in epoch %g, want %d", slot, got-1, epoch)
		}
	}
}

// A slider may ask for a start before there is anything to look back at: rows never written are no outputs, so the first
// epoch with a term is Lookback all the same.
func TestSAFEarlyStart(t *testing.T) {
	const lookback, rate, epochs = 3, 0.5, 6
	s, epochSteps := newSample(8, 4, 3, 4, epochs, 9)
	start := scan.Vars{"w": tensors.FromValue(s.start())}
	saf := SAF{Supervised: s.supervised(), Index: indexOf, Examples: 8, Classes: 3, EpochSteps: epochSteps, Lookback: lookback, Start: lookback, Lambda: 2}
	hyper := Hyper{"start_epoch": {0}}
	program, err := Compile(backend.ForTest(t), SGD(rate), s.problem(saf), start, s.inputs(), hyper)
	if err != nil {
		t.Fatal(err)
	}
	r, err := program.Run(context.Background(), start, s.inputs(), hyper, len(s.batches), 0)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := s.train(t, SGD(rate), saf, len(s.batches))
	close(t, "weights", tensors.MustCopyFlatData[float64](r.Traces["w"]), want, 1e-13)
	plain, _ := s.train(t, SGD(rate), s.supervised(), len(s.batches))
	before := lookback * epochSteps * 12
	close(t, "weights before the look-back", want[:before], plain[:before], 1e-15)
	if math.Abs(want[before]-plain[before]) < 1e-9 {
		t.Error("there is no term in the first epoch that has something to look back at")
	}
}

// Outputs that are not finite leave no trace in the memory, and an index beyond the examples stops the run.
func TestSAFBadRows(t *testing.T) {
	s, epochSteps := newSample(8, 4, 3, 4, 2, 10)
	saf := SAF{Supervised: s.supervised(), Index: indexOf, Examples: 8, Classes: 3, EpochSteps: epochSteps, Lookback: 1, Start: 1}
	problem := s.problem(saf)
	problem.Loop.StopNonFinite = "-"
	inputs := s.inputs()
	bad := s.batches[0][1]
	x := slices.Clone(s.x)
	x[bad] = []float64{math.NaN(), 0, 0, 0}
	inputs["x"] = tensors.FromValue(x)
	run := func(problem Problem, inputs scan.Vars, steps int) (*Result, error) {
		return Minimize(context.Background(), backend.ForTest(t), SkipNonFinite{Inner: SGD(0.1)}, problem, scan.Vars{"w": tensors.FromValue(s.start())}, inputs, steps, 0)
	}
	r, err := run(problem, inputs, 1)
	if err != nil {
		t.Fatal(err)
	}
	history := tensors.MustCopyFlatData[float64](r.State["objective/history"])
	for _, example := range s.batches[0] {
		want := 1. // the number of the first epoch, plus 1
		if example == bad {
			want = 0
		}
		if got := history[example*3]; got != want {
			t.Errorf("example %d is remembered with the stamp %g, want %g", example, got, want)
		}
	}
	for i, v := range history {
		if math.IsNaN(v) {
			t.Fatalf("number %d of the memory is NaN", i)
		}
	}

	saf.Examples = 5
	if _, err := run(s.problem(saf), s.inputs(), len(s.batches)); !errors.Is(err, scan.ErrNonFinite) {
		t.Errorf("an index beyond the examples gave %v, want ErrNonFinite", err)
	}
}

// MESA against a plain Go program, in the paper's order and lagging one step.
func TestMESATwin(t *testing.T) {
	const start, lambda, tau, beta, rate = 1, 0.9, 2, 0.8, 0.5
	s, epochSteps := newSample(8, 4, 3, 4, 6, 3) // no partial batch: the teacher's term has no validity
	for _, lagged := range []bool{false, true} {
		v := s.start()
		average := func(w [][]float64) [][]float64 {
			out := make([][]float64, len(w))
			for i := range w {
				out[i] = make([]float64, len(w[i]))
				for c := range w[i] {
					out[i][c] = beta*v[i][c] + (1-beta)*w[i][c]
				}
			}
			return out
		}
		path := s.twin(rate, lambda, tau, epochSteps, start,
			func(_, example int, w [][]float64) []float64 {
				if lagged {
					return s.logits(example, v)
				}
				return s.logits(example, average(w))
			},
			func(_ int, _ []int32, _ [][]float64, w [][]float64) { v = average(w) })
		mesa := MESA{Supervised: s.supervised(), EpochSteps: epochSteps, Lambda: lambda, Tau: tau, Beta: beta, Start: start, Lagged: lagged}
		got, r := s.train(t, SGD(rate), mesa, len(s.batches))
		close(t, fmt.Sprintf("weights, lagged %v", lagged), got, flatten(path), 1e-12)
		close(t, "teacher", tensors.MustCopyFlatData[float64](r.State["objective/teacher/w"]), flatten([][][]float64{v}), 1e-12)
	}
}

// Fact 2, and the closed form of the teacher under constant gradients: v_t = θ_t + Σ_{i<t} β^{t−i} η g.
func TestMESATeacher(t *testing.T) {
	ctx, b := context.Background(), backend.ForTest(t)
	linear := func(slope float64) Supervised {
		return Supervised{
			Outputs: func(p, _ []*graph.Node) *graph.Node {
				return graph.Reshape(graph.Stack([]*graph.Node{p[0], p[0]}, 0), 1, 2)
			},
			Criterion: func(z *graph.Node, _ []*graph.Node) *graph.Node {
				return graph.MulScalar(graph.ReduceAllMean(z), slope)
			},
		}
	}
	teacher := func(o Supervised, method Transform, beta float64, steps int) float64 {
		t.Helper()
		mesa := MESA{Supervised: o, EpochSteps: 1, Lambda: Zero, Beta: beta}
		r, err := Minimize(ctx, b, method, Problem{Objective: mesa}, scan.Vars{"x": tensors.FromScalar(1.0)}, nil, steps, 0)
		if err != nil {
			t.Fatal(err)
		}
		return r.State["objective/teacher/x"].Value().(float64)
	}
	// θ = 1, 0.5, 0.25, 0.125: steps of ½ down the slope of x²/2.
	halving := Supervised{
		Outputs: linear(1).Outputs,
		Criterion: func(z *graph.Node, _ []*graph.Node) *graph.Node {
			return graph.DivScalar(graph.ReduceAllMean(graph.Square(z)), 2)
		},
	}
	close(t, "v₄", []float64{teacher(halving, SGD(0.5), 0.9, 4)}, []float64{0.8045}, 1e-14)
	const rate, slope, beta = 0.1, 0.7, 0.95
	for steps := 1; steps <= 20; steps++ {
		want := 1 - float64(steps-1)*rate*slope // θ_t
		for i := 1; i < steps; i++ {
			want += math.Pow(beta, float64(steps-i)) * rate * slope
		}
		if steps%5 == 0 || steps < 3 {
			close(t, fmt.Sprintf("v after %d steps", steps), []float64{teacher(linear(slope), SGD(rate), beta, steps)}, []float64{want}, 1e-13)
		}
	}
}

// λ = 0, and every step before the start, is the plain loss; what follows the start is not.
func TestObjectiveBeforeStart(t *testing.T) {
	s, epochSteps := newSample(8, 4, 3, 4, 6, 4)
	steps := len(s.batches)
	plain, _ := s.train(t, Momentum(0.2, 0.9), s.supervised(), steps)
	for name, o := range map[string]Objective{
		"SAF":  SAF{Supervised: s.supervised(), Index: indexOf, Examples: 8, Classes: 3, EpochSteps: epochSteps, Lookback: 2, Start: 4},
		"MESA": MESA{Supervised: s.supervised(), EpochSteps: epochSteps, Beta: 0.9, Start: 4},
	} {
		got, _ := s.train(t, Momentum(0.2, 0.9), o, steps)
		before := 4 * epochSteps * 12
		close(t, name+" before its start", got[:before], plain[:before], 1e-15)
		// The first step with the term already differs.
		if math.Abs(got[before]-plain[before]) < 1e-9 {
			t.Errorf("%s: the weights after its start are as without it", name)
		}
	}
	for name, o := range map[string]Objective{
		"SAF":  SAF{Supervised: s.supervised(), Index: indexOf, Examples: 8, Classes: 3, EpochSteps: epochSteps, Lookback: 2, Start: 2, Lambda: Zero},
		"MESA": MESA{Supervised: s.supervised(), EpochSteps: epochSteps, Start: FromStart, Lambda: Zero},
	} {
		got, _ := s.train(t, Momentum(0.2, 0.9), o, steps)
		close(t, name+" with λ = 0", got, plain, 1e-15)
	}
}

// Sliders: λ, τ, β and the start are inputs, and SAM goes with SAF from one problem.
func TestObjectiveHyper(t *testing.T) {
	s, epochSteps := newSample(8, 4, 3, 4, 6, 5)
	ctx, b := context.Background(), backend.ForTest(t)
	start := scan.Vars{"w": tensors.FromValue(s.start())}
	saf := SAF{Supervised: s.supervised(), Index: indexOf, Examples: 8, Classes: 3, EpochSteps: epochSteps, Lookback: 1, Start: 1}
	hyper := Hyper{"trajectory_weight": {0.9}, "temperature": {2}, "start_epoch": {3}, "rho": {0.2}}
	program, err := Compile(b, SAM(0.05, SGD(0.3)), s.problem(saf), start, s.inputs(), hyper)
	if err != nil {
		t.Fatal(err)
	}
	r, err := program.Run(ctx, start, s.inputs(), hyper, len(s.batches), 0)
	if err != nil {
		t.Fatal(err)
	}
	saf.Lambda, saf.Tau, saf.Start = 0.9, 2, 3
	want, _ := s.train(t, SAM(0.2, SGD(0.3)), saf, len(s.batches))
	close(t, "weights", tensors.MustCopyFlatData[float64](r.Traces["w"]), want, 1e-13)
	plain, _ := s.train(t, SGD(0.3), saf, len(s.batches))
	if math.Abs(plain[len(plain)-1]-want[len(want)-1]) < 1e-6 {
		t.Error("SAM changed nothing")
	}
}

// Several runs along a leading axis, each with a history of its own, equal the runs by themselves.
func TestSAFRuns(t *testing.T) {
	a, epochSteps := newSample(6, 3, 3, 4, 7, 6)
	c, _ := newSample(6, 3, 3, 4, 7, 7)
	c.x, c.y = a.x, a.y // other batches of one data set
	saf := func(o Supervised) SAF {
		return SAF{Supervised: o, Index: indexOf, Examples: 6, Classes: 3, EpochSteps: epochSteps, Lookback: 2, Start: 2, Lambda: 2}
	}
	both := Supervised{
		Outputs: func(p, data []*graph.Node) *graph.Node {
			return graph.DotGeneral(data[0], []int{2}, []int{0}, p[0], []int{1}, []int{0})
		},
		Criterion: func(z *graph.Node, data []*graph.Node) *graph.Node {
			own := graph.ReduceSum(graph.Mul(logSoftmax(z), graph.OneHot(data[1], 3, z.DType())), -1)
			real := graph.ConvertDType(graph.GreaterOrEqual(data[2], graph.ZerosLike(data[2])), z.DType())
			return graph.Neg(graph.Div(graph.ReduceSum(graph.Mul(own, real), 1), graph.ReduceSum(real, 1)))
		},
	}
	rows := make([][][]int32, len(a.batches))
	for i := range rows {
		rows[i] = [][]int32{a.batches[i], c.batches[i]}
	}
	inputs := a.inputs()
	inputs["rows"] = tensors.FromValue(rows)
	start := scan.Vars{"w": tensors.FromValue([][][]float64{a.start(), a.start()})}
	problem := a.problem(saf(both))
	problem.Lead = 1
	r, err := Minimize(context.Background(), backend.ForTest(t), SGD(0.5), problem, start, inputs, len(rows), 0)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := a.train(t, SGD(0.5), saf(a.supervised()), len(rows))
	two, _ := c.train(t, SGD(0.5), saf(c.supervised()), len(rows))
	got := tensors.MustCopyFlatData[float64](r.Params["w"])
	close(t, "first run", got[:9], one[len(one)-9:], 1e-12)
	close(t, "second run", got[9:], two[len(two)-9:], 1e-12)
}

// Claim K5: SAF keeps (Ẽ+1)·n·C numbers, MESA as many as there are weights; and the paper's figures by its formula.
func TestObjectiveBytes(t *testing.T) {
	b := backend.ForTest(t)
	params := scan.Vars{"w": tensors.FromScalarAndDimensions(float32(0), 20, 10), "biases": tensors.FromScalarAndDimensions(float32(0), 10)}
	o := Supervised{
		Outputs:   func(_, _ []*graph.Node) *graph.Node { return nil },
		Criterion: func(*graph.Node, []*graph.Node) *graph.Node { return nil },
	}
	saf := SAF{Supervised: o, Index: indexOf, Examples: 4000, Classes: 10, EpochSteps: 31}
	if got, err := StateBytes(b, saf, params); err != nil || got != 4*4*4000*10 {
		t.Errorf("SAF keeps %d bytes (%v), want %d", got, err, 4*4*4000*10)
	}
	if got, err := StateBytes(b, MESA{Supervised: o, EpochSteps: 31}, params); err != nil || got != 4*210 {
		t.Errorf("MESA keeps %d bytes (%v), want %d", got, err, 4*210)
	}
	// Without the slot being written, as the paper counts: MiB of CIFAR-100 and ImageNet.
	for want, n := range map[float64]int64{57.22: 50000 * 100, 14661.8: 1281167 * 1000} {
		if got := float64(4*3*n) / (1 << 20); math.Abs(got-want) > 0.05 {
			t.Errorf("the paper's formula gives %.2f MiB, want %.2f", got, want)
		}
	}
	if got := historyType(dtypes.BFloat16); got != dtypes.Float32 {
		t.Errorf("bfloat16 outputs are kept as %s, want float32, which holds the epoch", got)
	}
}

func TestObjectiveErrors(t *testing.T) {
	s, _ := newSample(8, 4, 3, 4, 1, 8)
	saf := SAF{Supervised: s.supervised(), Index: indexOf, Examples: 8, Classes: 3, EpochSteps: 2}
	mesa := MESA{Supervised: s.supervised(), EpochSteps: 2}
	change := func(f func(*SAF)) Objective { c := saf; f(&c); return c }
	teach := func(f func(*MESA)) Objective { c := mesa; f(&c); return c }
	for want, o := range map[string]Objective{
		"SAF: Lambda is -1, must be finite and at least 0":             change(func(c *SAF) { c.Lambda = -1 }),
		"SAF: Tau is -0.5, must be positive and finite":                change(func(c *SAF) { c.Tau = -0.5 }),
		"SAF: Tau is -0, must be positive and finite":                  change(func(c *SAF) { c.Tau = Zero }),
		"SAF: Lookback is -1, must be at least 1 (0 means 3)":          change(func(c *SAF) { c.Lookback = -1 }),
		"SAF: Start is 2, must be at least Lookback, 3":                change(func(c *SAF) { c.Start = 2 }),
		"SAF: Start is 5, must be at least Lookback, 6":                change(func(c *SAF) { c.Lookback = 6 }),
		"SAF: Examples is 0, must be at least 1":                       change(func(c *SAF) { c.Examples = 0 }),
		"SAF: Classes is 1, must be at least 2":                        change(func(c *SAF) { c.Classes = 1 }),
		"SAF: EpochSteps is 0, must be at least 1":                     change(func(c *SAF) { c.EpochSteps = 0 }),
		"SAF: Index is nil, must be a function":                        change(func(c *SAF) { c.Index = nil }),
		"SAF: Outputs is nil, must be a function":                      change(func(c *SAF) { c.Outputs = nil }),
		"SAF: Classes is 4, must be the last axis of the outputs":      change(func(c *SAF) { c.Classes = 4 }),
		"SAF: Examples is 3, must be at least the minibatch's rows, 4": change(func(c *SAF) { c.Examples = 3 }),
		"SAF: Index gave": change(func(c *SAF) {
			c.Index = func(data []*graph.Node) *graph.Node { return data[0] }
		}),
		"MESA: Beta is 1, must be in [0, 1)":             teach(func(c *MESA) { c.Beta = 1 }),
		"MESA: Tau is NaN, must be positive and finite":  teach(func(c *MESA) { c.Tau = math.NaN() }),
		"MESA: Start is -2, must be at least 0":          teach(func(c *MESA) { c.Start = -2 }),
		"MESA: Criterion is nil, must be a function":     teach(func(c *MESA) { c.Criterion = nil }),
		"Supervised: Outputs is nil, must be a function": Supervised{},
		"MESA: Teacher gave": teach(func(c *MESA) {
			c.Teacher = func(p, _, _ []*graph.Node) *graph.Node { return graph.Transpose(p[0], 0, 1) }
		}),
	} {
		_, err := Compile(backend.ForTest(t), SGD(0.1), s.problem(o), scan.Vars{"w": tensors.FromValue(s.start())}, s.inputs(), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
	both := Problem{Loss: func(p, _ []*graph.Node) *graph.Node { return p[0] }, Objective: mesa}
	if _, err := Compile(backend.ForTest(t), SGD(0.1), both, scan.Vars{"w": tensors.FromScalar(1.0)}, nil, nil); err == nil || !strings.Contains(err.Error(), "both Loss and Objective") {
		t.Errorf("two losses gave %v", err)
	}
}

// remembering a mean of its inputs times its weight: z = [0, w·x], m ← 0.9·m + 0.1·w·x; evaluated at w·x − m.
func withMean() (Supervised, func(params, buffers, data []*graph.Node) *graph.Node) {
	logits := func(z *graph.Node) *graph.Node {
		return graph.Reshape(graph.Stack([]*graph.Node{graph.ZerosLike(z), z}, 0), 1, 2)
	}
	return Supervised{
			Criterion: func(z *graph.Node, _ []*graph.Node) *graph.Node {
				return graph.ReduceAllSum(graph.Square(graph.SubScalar(z, 1)))
			},
			Buffers: &Buffers{
				Init: func(params []Param) State { return State{{"mean", graph.ZerosLike(params[0].Value)}} },
				Outputs: func(p, buffers, data []*graph.Node) (*graph.Node, []*graph.Node) {
					z := graph.Mul(p[0], data[0])
					return logits(z), []*graph.Node{graph.Add(graph.MulScalar(buffers[0], 0.9), graph.MulScalar(z, 0.1))}
				},
			},
		}, func(p, buffers, data []*graph.Node) *graph.Node {
			return logits(graph.Sub(graph.Mul(p[0], data[0]), buffers[0]))
		}
}

// A network's buffers follow the pass at the step's own weights with every objective and with SAM, and MESA's teacher has
// an average of them: against a twin in plain Go. A run that is resumed has them too.
func TestBuffers(t *testing.T) {
	ctx, b := context.Background(), backend.ForTest(t)
	x := []float64{1, -0.5, 2, 0.3, 0.7, -1.2}
	const rate, rho, lambda, tau, beta = 0.05, 0.3, 2.0, 1.5, 0.8
	network, teacher := withMean()
	softmax := func(z float64) float64 { return 1 / (1 + math.Exp(-z/tau)) }
	// twin gives w, the mean, and the teacher's of both after the steps.
	twin := func(sam, mesa bool) []float64 {
		w, mean := 0.8, 0.0
		vw, vm := w, mean
		for _, x := range x {
			vw, vm = beta*vw+(1-beta)*w, beta*vm+(1-beta)*mean
			slope := func(w float64) float64 {
				g := 2 * (w*x - 1) * x
				if mesa {
					g += lambda * tau * (softmax(w*x) - softmax(vw*x-vm)) * x
				}
				return g
			}
			g := slope(w)
			if sam {
				g = slope(w + rho*math.Copysign(1, g))
			}
			mean = 0.9*mean + 0.1*w*x
			w -= rate * g
		}
		return []float64{w, mean, vw, vm}
	}
	index := func(data []*graph.Node) *graph.Node {
		return graph.Zeros(data[0].Graph(), shapes.Make(dtypes.Int32, 1))
	}
	start := scan.Vars{"w": tensors.FromScalar(0.8)}
	inputs := scan.Vars{"x": tensors.FromValue(x)}
	for name, c := range map[string]struct {
		objective Objective
		sam, mesa bool
	}{
		"plain":        {network, false, false},
		"SAM":          {network, true, false},
		"SAF":          {SAF{Supervised: network, Index: index, Examples: 1, Classes: 2, EpochSteps: 1, Lambda: Zero}, false, false},
		"MESA":         {MESA{Supervised: network, Teacher: teacher, EpochSteps: 1, Lambda: lambda, Tau: tau, Beta: beta, Start: FromStart}, false, true},
		"MESA and SAM": {MESA{Supervised: network, Teacher: teacher, EpochSteps: 1, Lambda: lambda, Tau: tau, Beta: beta, Start: FromStart}, true, true},
	} {
		method := Transform(SGD(rate))
		if c.sam {
			method = SAM(rho, method)
		}
		problem := Problem{
			Objective: c.objective, Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Row("x")} },
			Observe: func(s *scan.Step, o Observation) {
				for _, v := range o.Memory {
					if v.Name == BufferPrefix+"mean" {
						s.Trace("mean", v.Value)
					}
				}
			},
		}
		program, err := Compile(b, method, problem, start, inputs, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := program.Run(ctx, start, inputs, nil, len(x), 0)
		if err != nil {
			t.Fatal(err)
		}
		half, err := program.Run(ctx, start, inputs, nil, 2, 0)
		if err != nil {
			t.Fatal(err)
		}
		if half, err = program.Resume(ctx, half, inputs, nil, len(x)-2); err != nil {
			t.Fatal(err)
		}
		want := twin(c.sam, c.mesa)
		for i, path := range []string{"w", "objective/buffer/mean", "objective/teacher/w", "objective/teacher/mean"} {
			if i > 1 && !c.mesa {
				continue
			}
			got, resumed := r.State[path], half.State[path]
			if i == 0 {
				got, resumed = r.Params[path], half.Params[path]
			}
			close(t, name+": "+path, []float64{got.Value().(float64), resumed.Value().(float64)}, []float64{want[i], want[i]}, 1e-13)
		}
		means := tensors.MustCopyFlatData[float64](r.Traces["mean"])
		close(t, name+": the mean observed", means[len(means)-1:], want[1:2], 1e-13)
	}

	outputs := func(p, _ []*graph.Node) *graph.Node { return p[0] }
	both, half, short := network, network, network
	both.Outputs, half.Buffers = outputs, &Buffers{Init: network.Buffers.Init}
	short.Buffers = &Buffers{Init: network.Buffers.Init, Outputs: func(p, _, data []*graph.Node) (*graph.Node, []*graph.Node) {
		z, _ := network.Buffers.Outputs(p, p, data)
		return z, nil
	}}
	for want, o := range map[string]Objective{
		"Supervised: both Outputs and Buffers are set, must be one":      both,
		"Supervised: Buffers lacks Init or Outputs, must have both":      half,
		"Buffers: Outputs returned 0, must be 1 as from Init":            short,
		"MESA: Teacher is nil, must be the evaluation of a network with": MESA{Supervised: network, EpochSteps: 1},
	} {
		problem := Problem{Objective: o, Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Row("x")} }}
		if _, err := Compile(b, SGD(rate), problem, start, inputs, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
}
