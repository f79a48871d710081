package bandit

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// small is a problem of 3 arms and 5 features (a constant among them).
func small(t testing.TB, rounds int, seed uint64) Table {
	t.Helper()
	table, err := NoisyClasses(5, 3, rounds, 0.1, seed)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// learners of 3 arms and 5 features, all in float64.
func learners() map[string]Neural {
	all := map[string]Neural{"NeuSquareCB": NeuSquareCB(3, 5), "NeuFastCB": NeuFastCB(3, 5), "NeuralUCB": NeuralUCB(3, 5), "NeuralTS": NeuralTS(3, 5), "ε-greedy": NeuralEpsilonGreedy(3, 5)}
	redraw := NeuSquareCB(3, 5)
	redraw.Redraw = true
	ball := NeuFastCB(3, 5)
	ball.RadiusW, ball.RadiusV, ball.Schedule = 0.5, 0.2, InverseRoot
	all["signs redrawn"], all["in a ball"] = redraw, ball
	for name, n := range all {
		n.Width, n.DType = 8, dtypes.Float64
		all[name] = n
	}
	return all
}

func call(t *testing.T, fn func([]*graph.Node) []*graph.Node, args ...any) [][]float64 {
	t.Helper()
	exec, err := graph.NewExec(backend.ForTest(t), fn)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]float64
	for _, x := range out {
		flat, err := numbersOf(x)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, flat)
	}
	return all
}

// The specification's network of two hidden units: output and gradient.
func TestNetwork(t *testing.T) {
	n := Regression{Arms: 1, Features: 2, Width: 2, DType: dtypes.Float64}
	w, v, x := [][][]float64{{{1, -1}, {.5, 2}}}, [][]float64{{1, -.5}}, [][][]float64{{{.6, .8}}}
	got := call(t, func(in []*graph.Node) []*graph.Node {
		w, v, x := in[0], in[1], in[2]
		m := model{Regression: n, u: w, v: v}
		_, f := m.forward(x)
		s := m.update(x, f, graph.OnesLike(f), graph.Reshape(graph.ZerosLike(f), 1), graph.Reshape(graph.OnesLike(f), 1))
		m.Loss = LogLoss
		return []*graph.Node{f, m.predictions(f), s.gw, s.gv}
	}, w, v, x)
	for i, want := range [][]float64{{.3535533906}, {.5874790008}, {.4242640687, -.2121320344, .5656854249, -.2828427125}, {.7071067812, .7071067812}} {
		near(t, []string{"f", "σ(f)", "∂f/∂W", "∂f/∂v"}[i], got[i], want, 1e-10)
	}
	zero := call(t, func(in []*graph.Node) []*graph.Node {
		w, v, x := in[0], in[1], in[2]
		m := model{Regression: n, u: w, v: v}
		_, f := m.forward(x)
		return graph.Gradient(graph.ReduceAllSum(f), w, v)
	}, w, v, [][][]float64{{{0, 0}}})
	near(t, "the gradient at x = 0, where all units are at 0", slices.Concat(zero...), make([]float64, 6), 0)
}

// everySign is {±1}^p.
func everySign(p int) [][]float64 {
	out := make([][]float64, 1<<p)
	for i := range out {
		for j := range p {
			out[i] = append(out[i], float64(i>>j&1)*2-1)
		}
	}
	return out
}

func TestPerturbedLoss(t *testing.T) {
	delta := []float64{.1, -.2, .3, .05}
	got, err := SquareLoss.Perturbed(.4, 1, .25, delta, everySign(4))
	if err != nil || math.Abs(got-.184453125) > 1e-15 {
		t.Errorf("the mean loss is %.15f, %v, must be .184453125", got, err)
	}
	rng := online.Seeded(3, "perturbed")
	for p := 1; p <= 10; p++ {
		delta := normals(rng, p)
		f, y, c := rng.NormFloat64(), rng.Float64(), rng.Float64()
		got, err := SquareLoss.Perturbed(f, y, c, delta, everySign(p))
		want := (f-y)*(f-y)/2 + c*c*floats.Dot(delta, delta)/2
		if err != nil || math.Abs(got-want) > 1e-12*want {
			t.Errorf("p = %d: the mean loss is %.17g, %v, must be %.17g", p, got, err, want)
		}
	}
	if _, err := LogLoss.Perturbed(0, 0, 1, delta, [][]float64{{1}}); err == nil {
		t.Error("short signs are taken")
	}
	if _, err := LogLoss.Perturbed(0, 0, 1, delta, nil); err == nil {
		t.Error("no signs are taken")
	}
	if got := LogLoss.Value(0.25, 1); math.Abs(got-math.Log(4)) > 1e-15 {
		t.Errorf("the log loss of ¼ at 1 is %g, must be ln 4", got)
	}
}

// The step's gradient is that of the mean perturbed loss, by differentiating the loss itself; over all signs the square loss
// is a ridge.
func TestDescentIsTheGradient(t *testing.T) {
	const p = 6 // 2·2 + 2 weights
	rng := online.Seeded(4, "descent")
	signs := everySign(p)
	// Signs of W as [features, S, columns], those of v as [S, width].
	signW, signV := make([][][]float64, 2), make([][]float64, len(signs))
	for i, s := range signs {
		signW[0], signW[1], signV[i] = append(signW[0], s[:2]), append(signW[1], s[2:4]), s[4:]
	}
	w, v, w0, v0 := normals(rng, 4), normals(rng, 2), normals(rng, 4), normals(rng, 2)
	square := func(x []float64) [][][]float64 { return [][][]float64{{{x[0], x[1]}, {x[2], x[3]}}} }
	const c, y = 0.3, 0.7
	for _, loss := range []Loss{SquareLoss, LogLoss} {
		n := Regression{Arms: 1, Features: 2, Width: 2, Loss: loss, Signs: len(signs), DType: dtypes.Float64}
		got := call(t, func(in []*graph.Node) []*graph.Node {
			w, v, w0, v0, signW, signV, x := in[0], in[1], in[2], in[3], in[4], in[5], in[6]
			g := x.Graph()
			label, rate := graph.Const(g, []float64{y}), graph.Const(g, []float64{1})
			m := model{Regression: n, u: w, v: v, w0: w0, v0: v0, signW: signW, signV: signV, sign: graph.Const(g, []float64{c})}
			inner := graph.Add(graph.Einsum("rdsc,rdc->rs", signW, graph.Sub(w, w0)), graph.Einsum("rsm,rm->rs", signV, graph.Sub(v, v0)))
			m.shift = graph.MulScalar(inner, c)
			_, f := m.forward(x)
			perturbed := graph.Add(f, m.shift) // [1, S]
			total := graph.ReduceAllMean(graph.MulScalar(graph.Square(graph.AddScalar(perturbed, -y)), 0.5))
			if loss == LogLoss { // −y·f + softplus(f), up to a constant
				total = graph.ReduceAllMean(graph.Sub(graph.Softplus(perturbed), graph.MulScalar(perturbed, y)))
			}
			direct := graph.Gradient(total, w, v)
			s := m.update(x, f, graph.OnesLike(f), label, rate)
			return []*graph.Node{direct[0], graph.Sub(w, s.u), direct[1], graph.Sub(v, s.v), total, f}
		}, square(w), [][]float64{v}, square(w0), [][]float64{v0}, [][][][]float64{signW}, [][][]float64{signV}, [][][]float64{{{.6, .8}}})
		near(t, loss.String()+" loss: ∂L/∂W", got[1], got[0], 1e-12)
		near(t, loss.String()+" loss: ∂L/∂v", got[3], got[2], 1e-12)
		if loss == SquareLoss {
			var far float64
			for i := range w {
				far += (w[i] - w0[i]) * (w[i] - w0[i])
			}
			for i := range v {
				far += (v[i] - v0[i]) * (v[i] - v0[i])
			}
			want := (got[5][0]-y)*(got[5][0]-y)/2 + c*c*far/2
			if math.Abs(got[4][0]-want) > 1e-12*want {
				t.Errorf("the mean loss over all signs is %.15g, must be %.15g", got[4][0], want)
			}
		}
	}
}

// Both forms of a learner have the same iterates: the simulator's arms, played a round at a time, give its predictions and
// probabilities; and a learner of the same seed draws the same arms.
func TestBothFormsAgree(t *testing.T) {
	const rounds = 60
	b := backend.ForTest(t)
	sim := NewSimulator(b)
	for name, n := range learners() {
		if testing.Short() && (n.Redraw || n.RadiusW > 0) {
			continue // long to compile
		}
		t.Run(name, func(t *testing.T) {
			program, err := n.Compile(b)
			if err != nil {
				t.Fatal(err)
			}
			var games []Game
			for seed := uint64(7); seed < 9; seed++ {
				games = append(games, Game{Learner: n, Table: small(t, rounds, seed), Seed: seed})
			}
			traces, err := sim.Run(context.Background(), games)
			if err != nil {
				t.Fatal(err)
			}
			for i, g := range games {
				l := program.New(g.Seed)
				for r, contexts := range g.Table.Contexts {
					choice, err := l.Act(contexts)
					if err != nil {
						t.Fatal(err)
					}
					if choice.Arm != traces[i].Arms[r] {
						t.Fatalf("seed %d, round %d: arm %d, the simulator plays %d", g.Seed, r+1, choice.Arm, traces[i].Arms[r])
					}
					near(t, "p", choice.P, traces[i].P[r], 1e-6)
					predicted, err := l.Regressor().Predict(contexts)
					if err != nil {
						t.Fatal(err)
					}
					near(t, "predicted", predicted, traces[i].Predicted[r], 1e-6)
					if t.Failed() {
						t.Fatalf("seed %d, round %d", g.Seed, r+1)
					}
					if err := l.Learn(g.Table.Losses[r][choice.Arm]); err != nil {
						t.Fatal(err)
					}
				}
				games[i].Arms = traces[i].Arms
			}
			forced, err := sim.Run(context.Background(), games)
			if err != nil {
				t.Fatal(err)
			}
			for i := range games {
				if !slices.Equal(forced[i].Arms, traces[i].Arms) || !floats.EqualApprox(forced[i].Predicted[rounds-1], traces[i].Predicted[rounds-1], 1e-12) {
					t.Error("the same arms, given, lead elsewhere")
				}
			}
		})
	}
}

// twin is the regression by the textbook, in plain Go: all of W, every sign at every step.
type twin struct {
	Regression
	now, start Weights
	t          int
}

func (w *twin) shift(s int) float64 {
	var sum float64
	for i, e := range w.start.SignsW[s*len(w.now.W):][:len(w.now.W)] {
		sum += e * (w.now.W[i] - w.start.W[i])
	}
	for i, e := range w.start.SignsV[s*len(w.now.V):][:len(w.now.V)] {
		sum += e * (w.now.V[i] - w.start.V[i])
	}
	return w.sign() * sum
}

// output of an arm and its gradient.
func (w *twin) output(x []float64, arm int) (f float64, gw, gv []float64) {
	gw, gv = make([]float64, len(w.now.W)), make([]float64, w.Width)
	for u := range w.Width {
		column, z := arm*w.Width+u, 0.
		for i, xi := range x {
			z += xi * w.now.W[i*w.columns()+column]
		}
		if z <= 0 {
			continue
		}
		f, gv[u] = f+w.now.V[u]*z*w.norm(), z*w.norm()
		for i, xi := range x {
			gw[i*w.columns()+column] = w.now.V[u] * xi * w.norm()
		}
	}
	return f, gw, gv
}

func (w *twin) link(f float64) float64 {
	if w.Loss == LogLoss {
		return 1 / (1 + math.Exp(-f))
	}
	return f
}

func (w *twin) predict(x []float64) []float64 {
	out := make([]float64, w.Arms)
	for a := range out {
		f, _, _ := w.output(x, a)
		for s := range max(1, w.Signs) {
			if w.Signs > 0 {
				out[a] += w.link(f+w.shift(s)) / float64(w.Signs)
			} else {
				out[a] = w.link(f)
			}
		}
	}
	return out
}

func (w *twin) update(x []float64, arm int, y float64) {
	w.t++
	f, gw, gv := w.output(x, arm)
	dw, dv := make([]float64, len(gw)), make([]float64, len(gv))
	if w.Signs == 0 {
		floats.AddScaled(dw, w.link(f)-y, gw)
		floats.AddScaled(dv, w.link(f)-y, gv)
	}
	for s := range w.Signs {
		e := (w.link(f+w.shift(s)) - y) / float64(w.Signs)
		floats.AddScaled(dw, e, gw)
		floats.AddScaled(dv, e, gv)
		floats.AddScaled(dw, e*w.sign(), w.start.SignsW[s*len(dw):][:len(dw)])
		floats.AddScaled(dv, e*w.sign(), w.start.SignsV[s*len(dv):][:len(dv)])
	}
	step := func(x, x0, d []float64, radius float64) {
		floats.AddScaled(x, -w.rate(w.t), d)
		if far := floats.Distance(x, x0, 2); radius > 0 && far > radius {
			for i := range x {
				x[i] = x0[i] + (x[i]-x0[i])*radius/far
			}
		}
	}
	step(w.now.W, w.start.W, dw, w.RadiusW)
	step(w.now.V, w.start.V, dv, w.RadiusV)
}

func TestTwin(t *testing.T) {
	b := backend.ForTest(t)
	for name, n := range map[string]Regression{
		"square loss, no signs": {Schedule: InverseTime(20)},
		"square loss":           {Signs: 3, Scale: 0.2, Rate: 0.5},
		"log loss":              {Signs: 4, Scale: 0.2, Loss: LogLoss},
		"log loss in a ball":    {Signs: 2, Scale: 0.3, Loss: LogLoss, RadiusW: 0.4, RadiusV: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			n.Arms, n.Features, n.Width, n.DType = 3, 5, 6, dtypes.Float64
			program, err := n.Compile(b)
			if err != nil {
				t.Fatal(err)
			}
			r, w := program.New(5), &twin{Regression: program.n, start: program.n.start(5)}
			w.now = Weights{W: slices.Clone(w.start.W), V: slices.Clone(w.start.V)}
			table := small(t, 50, 3)
			for i, c := range table.Contexts {
				arm := i * i % 3
				predicted, err := r.Predict(c)
				if err != nil {
					t.Fatal(err)
				}
				near(t, "predicted", predicted, w.predict(c[0]), 1e-10)
				if err := r.Update(arm, table.Losses[i][arm]); err != nil {
					t.Fatal(err)
				}
				w.update(c[0], arm, table.Losses[i][arm])
				now, err := r.Weights()
				if err != nil {
					t.Fatal(err)
				}
				near(t, "W", now.W, w.now.W, 1e-10)
				near(t, "v", now.V, w.now.V, 1e-10)
				if t.Failed() {
					t.Fatalf("round %d", i+1)
				}
			}
		})
	}
}

// One network on contexts coded in blocks is the network with a first layer for every arm, by hand in float64.
func TestBlocksAreLayersOfTheirOwn(t *testing.T) {
	const arms, d, rounds = 3, 5, 30
	table := small(t, rounds, 1)
	blocks := Table{Losses: table.Losses}
	for _, c := range table.Contexts {
		blocks.Contexts = append(blocks.Contexts, BlockContexts(c[0], arms))
	}
	sim := NewSimulator(backend.ForTest(t))
	n := Regression{Arms: arms, Features: d, Width: 4, Signs: 3, Scale: 0.1, DType: dtypes.Float64, Rate: 0.5}
	played := make([]int, rounds)
	for i := range played {
		played[i] = i % arms
	}
	one, err := sim.Follow(context.Background(), []Lesson{{Regression: n, Table: table, Arms: played}})
	if err != nil {
		t.Fatal(err)
	}
	// The same weights in the other layout: row a·d + i of W is row i of arm a's columns.
	layout := func(flat []float64) []float64 {
		out := make([]float64, len(flat))
		for s := 0; s < len(flat); s += arms * d * 4 {
			for i := range d {
				for a := range arms {
					copy(out[s+(a*d+i)*4:][:4], flat[s+(i*arms+a)*4:])
				}
			}
		}
		return out
	}
	start := n.start(0)
	start.W, start.SignsW = layout(start.W), layout(start.SignsW)
	n.OwnContexts, n.Features, n.Start = true, arms*d, &start
	r, err := n.Compile(backend.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	l := r.New(0)
	for i := range rounds {
		predicted, err := l.Predict(blocks.Contexts[i])
		if err != nil {
			t.Fatal(err)
		}
		near(t, "predicted", predicted, one[0].Predicted[i], 1e-10)
		if err := l.Update(played[i], blocks.Losses[i][played[i]]); err != nil {
			t.Fatal(err)
		}
	}
}

// The confidence widths are those of the gradients that the graph differentiates.
func TestWidths(t *testing.T) {
	b := backend.ForTest(t)
	for _, own := range []bool{false, true} {
		n := NeuralUCB(3, 5)
		n.Width, n.DType, n.OwnContexts = 4, dtypes.Float64, own
		program, err := n.Compile(b)
		if err != nil {
			t.Fatal(err)
		}
		r := program.New(1).regressor
		contexts := small(t, 1, 1).Contexts[0]
		if own {
			contexts = small(t, 3, 1).Contexts[:3][0]
			contexts = [][]float64{contexts[0], {1, 0, 0, 0, 0}, {0, .6, 0, .8, 0}}
		}
		for round := range 3 {
			_, widths, err := r.predictions(contexts)
			if err != nil {
				t.Fatal(err)
			}
			for arm := range 3 {
				got := call(t, func(in []*graph.Node) []*graph.Node {
					w, v, zw, zv, x := in[0], in[1], in[2], in[3], in[4]
					m := model{Regression: program.Neural.Regression, u: w, v: v}
					_, f := m.forward(x)
					g := graph.Gradient(graph.ReduceAllSum(graph.Slice(f, graph.AxisRange(), graph.AxisElem(arm))), w, v)
					part := func(g, z *graph.Node) *graph.Node { return graph.ReduceAllSum(graph.Div(graph.Square(g), z)) }
					return []*graph.Node{graph.Sqrt(graph.Add(part(g[0], zw), part(g[1], zv)))}
				}, r.vars["u"], r.vars["v"], r.vars["zw"], r.vars["zv"], r.x)
				if math.Abs(got[0][0]-widths[arm]) > 1e-12 {
					t.Errorf("round %d, arm %d: the width is %g, must be %g", round+1, arm, widths[arm], got[0][0])
				}
			}
			if err := r.learn(round, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestBallHolds(t *testing.T) {
	n := Regression{Arms: 3, Features: 5, Width: 8, RadiusW: 0.3, RadiusV: 0.1, DType: dtypes.Float64}
	program, err := n.Compile(backend.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	r := program.New(5)
	start, err := r.Weights()
	if err != nil {
		t.Fatal(err)
	}
	reached := false
	table := small(t, 40, 2)
	for i, contexts := range table.Contexts {
		if _, err := r.Predict(contexts); err != nil {
			t.Fatal(err)
		}
		if err := r.Update(i%3, table.Losses[i][i%3]); err != nil {
			t.Fatal(err)
		}
		now, err := r.Weights()
		if err != nil {
			t.Fatal(err)
		}
		dw, dv := floats.Distance(now.W, start.W, 2), floats.Distance(now.V, start.V, 2)
		if dw > 0.3+1e-12 || dv > 0.1+1e-12 {
			t.Fatalf("round %d: ‖W−W₀‖ is %g and ‖v−v₀‖ %g", i+1, dw, dv)
		}
		reached = reached || dw > 0.3-1e-9
	}
	if !reached {
		t.Error("the ball's edge was never reached: nothing is tested")
	}
}

func TestNeuralRules(t *testing.T) {
	for name, n := range learners() {
		t.Run(name, func(t *testing.T) {
			program, err := n.Compile(backend.ForTest(t))
			if err != nil {
				t.Fatal(err)
			}
			onlinetest.Run(t, onlinetest.Case[[][]float64, Choice, float64]{
				New:         func(seed uint64) (ContextualLearner, error) { return program.New(seed), nil },
				Environment: func(seed uint64) (ContextualEnvironment, error) { return small(t, 40, seed).Environment() },
				BadContexts: map[string][][]float64{"none": nil, "short": {{1, 2}}, "two rows": {{1, 0, 0, 0, 0}, {1, 0, 0, 0, 0}}, "NaN": {{0, 0, math.NaN(), 0, 0}}},
				BadFeedback: map[string]float64{"NaN": math.NaN(), "negative": -.1, "above 1": 1.1},
				Copy:        func(c Choice) Choice { return Choice{c.Arm, slices.Clone(c.P)} },
			})
		})
	}
}

func TestNonFiniteStops(t *testing.T) {
	n := NeuralEpsilonGreedy(3, 5)
	n.Rate = 1e30
	program, err := n.Compile(backend.ForTest(t))
	if err == nil {
		l := program.New(1)
		table := small(t, 50, 1)
		for i := 0; i < 50 && err == nil; i++ {
			var c Choice
			if c, err = l.Act(table.Contexts[i]); err == nil {
				err = l.Learn(table.Losses[i][c.Arm])
			}
		}
		w, _ := l.Regressor().Weights()
		if floats.HasNaN(w.W) {
			t.Error("the weights are not what they were")
		}
	}
	if !errors.Is(err, scan.ErrNonFinite) {
		t.Errorf("a rate of 1e30: %v", err)
	}
	_, err = NewSimulator(backend.ForTest(t)).Run(context.Background(), []Game{{Learner: n, Table: small(t, 50, 1), Seed: 1}})
	if !errors.Is(err, scan.ErrNonFinite) {
		t.Errorf("a rate of 1e30 in the simulator: %v", err)
	}
}

func TestNeuralBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	for want, change := range map[string]func(*Neural){
		"Arms is 1, must be at least 2":        func(n *Neural) { n.Arms = 1 },
		"Arms is 0, must be at least 1":        func(n *Neural) { n.Arms = 0 },
		"Features is 0":                        func(n *Neural) { n.Features = 0 },
		"Width is -1":                          func(n *Neural) { n.Width = -1 },
		"Signs is -1":                          func(n *Neural) { n.Signs = -1 },
		"Rate is -1":                           func(n *Neural) { n.Rate = -1 },
		"Rate is NaN":                          func(n *Neural) { n.Rate = math.NaN() },
		"Scale is +Inf":                        func(n *Neural) { n.Scale = math.Inf(1) },
		"RadiusW is -1":                        func(n *Neural) { n.RadiusW = -1 },
		"Loss is 7":                            func(n *Neural) { n.Loss = 7 },
		"DType is Int32":                       func(n *Neural) { n.DType = dtypes.Int32 },
		"Rule is 9":                            func(n *Neural) { n.Rule = 9 },
		"Level is -1":                          func(n *Neural) { n.Level = -1 },
		"must be LogLoss for FastCB's rule":    func(n *Neural) { n.Rule = WeightedInverseGap },
		"Start.W has 1 entries, must have 960": func(n *Neural) { n.Start = &Weights{W: []float64{1}} },
		"Start.V[0] is NaN, must be finite":    func(n *Neural) { n.Width, n.Start = 1, &Weights{V: []float64{math.NaN()}} },
		"Start.SignsV[0] is 0, must be 1 or":   func(n *Neural) { n.Width, n.Start = 1, &Weights{SignsV: []float64{0}} },
		"Power is NaN, must be in":             func(n *Neural) { n.Power = math.NaN() },
		"Level is 2, must be at least 0 and a": func(n *Neural) { n.Rule, n.Level = Greedy, 2 },
	} {
		n := NeuSquareCB(3, 5)
		change(&n)
		if _, err := n.Compile(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, must say %q", err, want)
		}
	}
	sim, table := NewSimulator(b), small(t, 5, 1)
	other := NeuSquareCB(3, 5)
	other.Width = 9
	for want, games := range map[string][]Game{
		"nothing to play":      nil,
		"of another structure": {{Learner: NeuSquareCB(3, 5), Table: table}, {Learner: other, Table: table}},
		"must have 4 and 1×5":  {{Learner: NeuSquareCB(4, 5), Table: table}},
		"Arms has 1 rounds":    {{Learner: NeuSquareCB(3, 5), Table: table, Arms: []int{0}}},
		"Arms[1] is 3":         {{Learner: NeuSquareCB(3, 5), Table: table, Arms: []int{0, 3, 0, 0, 0}}},
		"it has 0 rounds":      {{Learner: NeuSquareCB(3, 5)}},
	} {
		if _, err := sim.Run(context.Background(), games); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, must say %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := sim.Run(ctx, []Game{{Learner: NeuSquareCB(3, 5), Table: table}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	r, err := Regression{Arms: 2, Features: 1}.Compile(b)
	if err != nil {
		t.Fatal(err)
	}
	l := r.New(0)
	if err := l.Update(0, 1); err == nil {
		t.Error("Update before Predict is taken")
	}
	if _, err := l.Predict([][]float64{{1}}); err != nil {
		t.Fatal(err)
	}
	if l.Update(2, 1) == nil || l.Update(0, 2) == nil {
		t.Error("a wrong arm or label is taken")
	}
}

// The perturbation costs little and the rules learn: a fixed seed on a small noise-free problem.
func TestLearns(t *testing.T) {
	sim := NewSimulator(backend.ForTest(t))
	for _, n := range []Neural{NeuSquareCB(3, 10), NeuFastCB(3, 10)} {
		table, err := NoisyClasses(10, 3, 1000, 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		n.Rate = 1
		traces, err := sim.Run(context.Background(), []Game{{Learner: n, Table: table, Seed: 3}})
		if err != nil {
			t.Fatal(err)
		}
		regret := traces[0].Run.Regret[BestArm]
		if early, late := regret[249], regret[999]-regret[749]; late > 0.8*early || early == 0 {
			t.Errorf("%s: %g mistakes in the first quarter, %g in the last", n.Rule, early, late)
		}
	}
}
