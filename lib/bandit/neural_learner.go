package bandit

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// RegressionProgram is a compiled [Regression]: two executables, one that predicts for all arms and one that updates by the
// arm played. Any number of regressors, also at the same time, run on it.
type RegressionProgram struct {
	n               Regression
	widths          bool
	state           []string // tensors that change, sorted
	takes           []string // all that the executables take before the contexts: these, and those that stay
	predict, update *graph.Exec
}

// Compile a regression for a backend.
func (n Regression) Compile(b compute.Backend) (*RegressionProgram, error) {
	n, err := n.complete("Regression.Compile")
	if err != nil {
		return nil, err
	}
	return n.compile(b, false)
}

// compile with confidence widths or without.
func (n Regression) compile(b compute.Backend, widths bool) (*RegressionProgram, error) {
	p := &RegressionProgram{n: n, widths: widths}
	state, constants := initial([]Regression{n}, []uint64{0}, widths)
	for name := range state {
		p.state = append(p.state, name)
	}
	slices.Sort(p.state)
	p.takes = slices.Clone(p.state)
	for name := range constants {
		p.takes = append(p.takes, name)
	}
	slices.Sort(p.takes[len(p.state):])
	var err error
	if p.predict, err = graph.NewExec(b, p.predictGraph); err == nil {
		p.update, err = graph.NewExec(b, p.updateGraph)
	}
	if err != nil {
		return nil, fmt.Errorf("bandit: Compile: %w", err)
	}
	// The first round compiles.
	r := p.start(0)
	contexts := make([][]float64, n.shape().rows)
	for i := range contexts {
		contexts[i] = make([]float64, n.Features)
	}
	if _, _, err := r.predictions(contexts); err != nil {
		return nil, err
	}
	return p, r.learn(0, 0)
}

func lookUp(names []string, in []*graph.Node) func(string) *graph.Node {
	return func(name string) *graph.Node {
		if i := slices.Index(names, name); i >= 0 {
			return in[i]
		}
		return nil
	}
}

// predictGraph: predictions and, with widths, the confidence widths, both [1, K]; and with fixed signs what the update needs of
// them again.
func (p *RegressionProgram) predictGraph(in []*graph.Node) []*graph.Node {
	get := lookUp(p.takes, in)
	m, x := p.n.model(get), in[len(p.takes)]
	if p.n.fixedSigns() {
		m.perturbed = m.perturb(x)
	}
	hidden, f := m.forward(x)
	out := []*graph.Node{m.predictions(f)}
	if p.widths {
		out = append(out, graph.Sqrt(m.variances(x, hidden, get("zw"), get("zv"))))
	}
	if m.perturbed != nil {
		out = append(out, m.perturbed)
	}
	return out
}

// updateGraph: the new state and whether it is finite. The arguments end with the contexts, the played arm one-hot with
// the label and the rate, and with fixed signs predictGraph's last result.
func (p *RegressionProgram) updateGraph(in []*graph.Node) []*graph.Node {
	get := lookUp(p.takes, in)
	m, x, round := p.n.model(get), in[len(p.takes)], in[len(p.takes)+1]
	part := func(from, to int) *graph.Node {
		return graph.Slice(round, graph.AxisRange(), graph.AxisRange(from, to))
	}
	if p.n.fixedSigns() {
		m.perturbed = in[len(p.takes)+2]
	}
	_, f := m.forward(x)
	k := p.n.Arms
	s := m.update(x, f, part(0, k), graph.Reshape(part(k, k+1), 1), graph.Reshape(part(k+1, k+2), 1))
	after := s.after(get)
	var out []*graph.Node
	for _, name := range p.state {
		out = append(out, after[name])
	}
	return append(out, graph.ConvertDType(s.finite, dtypes.Int32))
}

// after is the state that a step leaves, by name.
func (s step) after(get func(string) *graph.Node) map[string]*graph.Node {
	out := map[string]*graph.Node{"u": s.u, "v": s.v}
	if s.q != nil {
		out["q"], out["inner"] = s.q, s.inner
	}
	if zw := get("zw"); zw != nil {
		out["zw"], out["zv"] = graph.Add(zw, graph.Square(s.gw)), graph.Add(get("zv"), graph.Square(s.gv))
	}
	return out
}

// Regressor is a [Regression] at work, a round at a time: Predict, then Update. Its weights stay on the device.
type Regressor struct {
	*RegressionProgram
	vars  scan.Vars
	time  int64           // of the seed, for signs that are redrawn
	round int             // updates done
	x     *tensors.Tensor // contexts of the last Predict; nil: none
	// perturbed is what predictGraph found of the signs in these contexts; nil without fixed signs.
	perturbed *tensors.Tensor
}

// New makes a regressor whose weights and signs come from a seed.
func (p *RegressionProgram) New(seed uint64) *Regressor { return p.start(seed) }

func (p *RegressionProgram) start(seed uint64) *Regressor {
	state, constants := initial([]Regression{p.n}, []uint64{seed}, p.widths)
	maps.Copy(state, constants)
	return &Regressor{RegressionProgram: p, vars: state, time: roundTime(seed)}
}

// Predict returns the predicted loss of every arm.
func (r *Regressor) Predict(contexts [][]float64) ([]float64, error) {
	if err := r.n.shape().check("Regressor.Predict", contexts); err != nil {
		return nil, err
	}
	out, _, err := r.predictions(contexts)
	return out, err
}

// Update takes one step on the loss of an arm's prediction against y in [0, 1], in the contexts of the last Predict. If a
// weight would not be finite, it fails with [scan.ErrNonFinite] and the weights stay.
func (r *Regressor) Update(arm int, y float64) error {
	if arm < 0 || arm >= r.n.Arms {
		return fmt.Errorf("bandit: Regressor.Update: arm is %d, must be between 0 and %d", arm, r.n.Arms-1)
	}
	if err := checkLoss("Regressor.Update", y); err != nil {
		return err
	}
	if r.x == nil {
		return errors.New("bandit: Regressor.Update: there are no contexts, must follow Predict")
	}
	return r.learn(arm, y)
}

// Weights now, without signs.
func (r *Regressor) Weights() (Weights, error) {
	w, errW := numbersOf(r.vars["u"])
	v, errV := numbersOf(r.vars["v"])
	if err := errors.Join(errW, errV); err != nil || !r.n.fixedSigns() {
		return Weights{W: w, V: v}, err
	}
	q, errQ := numbersOf(r.vars["q"])
	signs, errS := numbersOf(r.vars["signW"])
	c := r.n.columns()
	for at, e := range signs { // [features, S, columns]
		w[at/(r.n.Signs*c)*c+at%c] += q[at/c%r.n.Signs] * e
	}
	return Weights{W: w, V: v}, errors.Join(errQ, errS)
}

func (r *Regressor) arguments(more ...any) []any {
	var out []any
	for _, name := range r.takes {
		out = append(out, r.vars[name])
	}
	return append(out, more...)
}

func (r *Regressor) predictions(contexts [][]float64) (predicted, widths []float64, err error) {
	x := tensorOf(r.n.DType, slices.Concat(contexts...), 1, len(contexts), r.n.Features)
	if r.n.Redraw {
		r.vars["time"] = tensors.FromValue([]int64{r.time + int64(r.round) + 1})
	}
	out, err := r.predict.Call(r.arguments(x)...)
	if err != nil {
		return nil, nil, fmt.Errorf("bandit: predictions in round %d: %w", r.round+1, err)
	}
	predicted, err = numbersOf(out[0])
	if err == nil && r.widths {
		widths, err = numbersOf(out[1])
	}
	if err != nil {
		return nil, nil, err
	}
	r.x = x
	if r.n.fixedSigns() {
		r.perturbed = out[len(out)-1]
	}
	return predicted, widths, nil
}

func (r *Regressor) learn(arm int, y float64) error {
	round := make([]float64, r.n.Arms+2)
	round[arm], round[r.n.Arms], round[r.n.Arms+1] = 1, y, r.n.rate(r.round+1)
	more := []any{r.x, tensorOf(r.n.DType, round, 1, len(round))}
	if r.perturbed != nil {
		more = append(more, r.perturbed)
	}
	out, err := r.update.Call(r.arguments(more...)...)
	if err != nil {
		return fmt.Errorf("bandit: update in round %d: %w", r.round+1, err)
	}
	finite, err := tensors.CopyFlatData[int32](out[len(r.state)])
	if err != nil {
		return err
	}
	if finite[0] == 0 {
		return fmt.Errorf("bandit: update in round %d: a weight would not be finite (Rate %g may be too large): %w", r.round+1, r.n.rate(r.round+1), scan.ErrNonFinite)
	}
	old := []*tensors.Tensor{r.x}
	if r.perturbed != nil {
		old = append(old, r.perturbed)
	}
	for i, name := range r.state {
		old, r.vars[name] = append(old, r.vars[name]), out[i]
	}
	r.round, r.x, r.perturbed = r.round+1, nil, nil
	for _, t := range old {
		// Free at once: left to the garbage collector, every round would touch fresh memory.
		err = errors.Join(err, t.FinalizeAll())
	}
	return err
}

// NeuralProgram is a compiled [Neural]. Any number of learners, also at the same time, run on it.
type NeuralProgram struct {
	regression *RegressionProgram
	Neural
}

// Compile a neural learner for a backend.
func (n Neural) Compile(b compute.Backend) (*NeuralProgram, error) {
	n, err := n.complete("Neural.Compile")
	if err != nil {
		return nil, err
	}
	r, err := n.Regression.compile(b, n.widths())
	if err != nil {
		return nil, err
	}
	return &NeuralProgram{r, n}, nil
}

// NeuralLearner is a [Neural] at work, a round at a time: one call of a compiled program to act and one to learn.
type NeuralLearner struct {
	program   *NeuralProgram
	regressor *Regressor
	coins     *draws
	p, score  []float64
	arm       int // −1: none
}

var _ ContextualLearner = (*NeuralLearner)(nil)

// New makes a learner; the seed gives its weights, signs and draws.
func (p *NeuralProgram) New(seed uint64) *NeuralLearner {
	return &NeuralLearner{program: p, regressor: p.regression.start(seed), coins: newDraws(seed),
		p: make([]float64, p.Arms), score: make([]float64, p.Arms), arm: -1}
}

// Regressor behind the learner, to look at.
func (l *NeuralLearner) Regressor() *Regressor { return l.regressor }

// Act predicts every arm's loss and chooses by the rule.
func (l *NeuralLearner) Act(contexts [][]float64) (Choice, error) {
	n := l.program.Neural
	if err := n.shape().check("NeuralLearner.Act", contexts); err != nil {
		return Choice{}, err
	}
	predicted, widths, err := l.regressor.predictions(contexts)
	if err != nil {
		return Choice{}, err
	}
	if err := n.distribution(l.p, predicted, widths, n.level(l.regressor.round+1), l.coins); err != nil {
		return Choice{}, err
	}
	l.arm = armAt(l.p, l.coins.uniform())
	return Choice{l.arm, l.p}, nil
}

// Learn takes the loss of the arm that Act chose. If a weight would not be finite, it fails with [scan.ErrNonFinite] and the
// weights stay.
func (l *NeuralLearner) Learn(loss float64) error {
	if err := checkLoss("NeuralLearner.Learn", loss); err != nil {
		return err
	}
	if l.arm < 0 {
		return errors.New("bandit: NeuralLearner.Learn: no arm was chosen, must follow Act")
	}
	if err := l.regressor.learn(l.arm, loss); err != nil {
		return err
	}
	l.arm = -1
	return nil
}

// distribution over the arms, into p: what Exploration.probabilities is in a graph.
func (e Exploration) distribution(p, predicted, widths []float64, level float64, coins *draws) error {
	switch e.Rule {
	case InverseGap:
		return SquareCB(p, predicted, level)
	case WeightedInverseGap:
		return FastCB(p, predicted, level)
	}
	scores := slices.Clone(predicted)
	for a := range scores {
		switch e.Rule {
		case UCB:
			scores[a] -= level * widths[a]
		case Thompson:
			scores[a] += level * widths[a] * coins.normal()
		}
		if math.IsNaN(scores[a]) || math.IsInf(scores[a], 0) {
			return fmt.Errorf("bandit: NeuralLearner.Act: the score of arm %d is %g, must be finite", a, scores[a])
		}
	}
	one(p, floats.MinIdx(scores))
	if e.Rule == Greedy {
		for a := range p {
			p[a] = level/float64(len(p)) + (1-level)*p[a]
		}
	}
	return nil
}

// draws are a learner's own randomness, the same numbers in both of its forms.
type draws struct{ coins, posterior *rand.Rand }

func newDraws(seed uint64) *draws {
	return &draws{online.Seeded(seed, "arms"), online.Seeded(seed, "posterior")}
}

// uniform in [0, 1), of 24 bits, so that it stays below 1 in float32.
func (d *draws) uniform() float64 { return float64(d.coins.Uint32()>>8) / (1 << 24) }

func (d *draws) normal() float64 { return d.posterior.NormFloat64() }
