package transport

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// LightSB fits a [Bridge] to samples x of p0 and y of p1: Adam on mean log c(x) − mean log v(y), which needs no network and
// no simulation. All steps are one compiled program, for one fit or for many side by side.
//
// The parameters are ε·log α, r and log s of the eigenvalues of S: a step of Adam moves log α by up to Rate/ε. They start
// from α = 1/K, from K samples of p1 as r, and from S = Scale·I. With Full also the eigenvectors of S are learned, from
// random ones, by steps within the orthogonal matrices; the paper's code maps an unconstrained matrix to them.
//
// Source: Korotin, Gushchin, Burnaev (2024), Light Schrödinger Bridge; defaults are those of the authors' code.
type LightSB struct {
	Components int     // K, at least 1; default 50
	Epsilon    float64 // ε > 0, the variance of the diffusion; no default
	Full       bool    // covariances of any direction; default diagonal
	Scale      float64 // start of S, > 0; default 0.1, the paper's; on the mixture benchmark 1
	Rate       float64 // learning rate, > 0; default 1e-3
	Steps      int     // at least 1; default 10 000
	Batch      int     // rows drawn from each sample a step, with replacement; default 128; negative: all rows, every step
	Float32    bool    // default float64
	// Progress, if set, is told the steps done and asked for.
	Progress func(done, total int)
}

// Task is one of several fits that run side by side.
type Task struct {
	X0, X1  *mat.Dense // samples of p0 and p1, one point a row
	Epsilon float64    // 0: that of LightSB
	Rate    float64    // 0: that of LightSB
	Start   *Bridge    // where to start, of equally many components; nil: as LightSB says
}

// Fit is what training leaves.
type Fit struct {
	Bridge *Bridge
	Losses []float64 // of the minibatch before each step
	Status scan.Status
}

// ErrCollapsed is what errors.Is finds in a [CollapseError].
var ErrCollapsed = errors.New("transport: a component collapsed")

// CollapseError says that an eigenvalue of S ended at a bound of what is allowed, e^±20, which means that a component has
// shrunk onto single samples or has come to cover everything.
type CollapseError struct {
	Task, Component, Axis int
	LogS                  float64
}

func (e *CollapseError) Error() string {
	return fmt.Sprintf("transport: LightSB: component %d of fit %d collapsed: log s on axis %d is %g, must be within (-%d, %d)",
		e.Component, e.Task, e.Axis, e.LogS, logScaleBound, logScaleBound)
}

// Is makes errors.Is(err, ErrCollapsed) true.
func (e *CollapseError) Is(target error) bool { return target == ErrCollapsed }

// logScaleBound keeps log s within ±20: ours, the paper has none.
const logScaleBound = 20

func (l LightSB) withDefaults() LightSB {
	if l.Components == 0 {
		l.Components = 50
	}
	if l.Scale == 0 {
		l.Scale = 0.1
	}
	if l.Rate == 0 {
		l.Rate = 1e-3
	}
	if l.Steps == 0 {
		l.Steps = 10000
	}
	if l.Batch == 0 {
		l.Batch = 128
	}
	return l
}

// validate is about what all tasks share.
func (l LightSB) validate() error {
	var errs []error
	if l.Components < 1 {
		errs = append(errs, fmt.Errorf("transport: LightSB: Components is %d, must be at least 1", l.Components))
	}
	if l.Steps < 1 {
		errs = append(errs, fmt.Errorf("transport: LightSB: Steps is %d, must be at least 1", l.Steps))
	}
	if !(math.Abs(math.Log(l.Scale)) < logScaleBound) {
		errs = append(errs, fmt.Errorf("transport: LightSB: Scale is %g, must be within e^±%d", l.Scale, logScaleBound))
	}
	return errors.Join(errs...)
}

// fill gives a task LightSB's values where it has none of its own, and checks it against the first.
func (l LightSB) fill(t, first Task, i int) (Task, error) {
	if t.Epsilon == 0 {
		t.Epsilon = l.Epsilon
	}
	if t.Rate == 0 {
		t.Rate = l.Rate
	}
	where := "LightSB"
	if i > 0 {
		where = fmt.Sprintf("LightSB: fit %d", i)
	}
	errs := []error{checkEpsilon(where, "Epsilon", t.Epsilon), checkEpsilon(where, "Rate", t.Rate)}
	if err := errors.Join(checkSamples(where, "X0", t.X0, 0), checkSamples(where, "X1", t.X1, 0)); err != nil {
		return t, errors.Join(append(errs, err)...)
	}
	n0, dim := t.X0.Dims()
	n1, dim1 := t.X1.Dims()
	if dim1 != dim {
		errs = append(errs, fmt.Errorf("transport: %s: X1 has %d columns, must have %d like X0", where, dim1, dim))
	}
	if first.X0 != nil && first.X1 != nil {
		m0, d := first.X0.Dims()
		m1, _ := first.X1.Dims()
		if n0 != m0 || n1 != m1 || dim != d {
			errs = append(errs, fmt.Errorf("transport: %s: X0 is %d×%d and X1 is %d×%d, must be %d×%d and %d×%d like those of fit 0", where, n0, dim, n1, dim1, m0, d, m1, d))
		}
	}
	switch {
	case t.Start == nil && l.Components > n1:
		errs = append(errs, fmt.Errorf("transport: %s: Components is %d, must be at most %d, the rows of X1, where r starts", where, l.Components, n1))
	case t.Start != nil && (len(t.Start.parts) != l.Components || t.Start.dim != dim):
		errs = append(errs, fmt.Errorf("transport: %s: Start has %d components in %d dimensions, must have %d in %d", where, len(t.Start.parts), t.Start.dim, l.Components, dim))
	case t.Start != nil && !l.Full && !t.Start.diagonal():
		errs = append(errs, fmt.Errorf("transport: %s: Start has an S that is not diagonal, which needs Full", where))
	}
	return t, errors.Join(errs...)
}

func (b *Bridge) diagonal() bool {
	for _, p := range b.parts {
		if p.u != nil {
			return false
		}
	}
	return true
}

// Fit trains one bridge from x0, samples of p0, to x1, samples of p1. seed is that of the start and of all minibatches.
//
// When the context ends, the bridge so far comes back with Status Interrupted. With a [CollapseError], and with
// [scan.ErrNonFinite], the last bridge comes back too.
func (l LightSB) Fit(ctx context.Context, b compute.Backend, x0, x1 *mat.Dense, seed uint64) (*Fit, error) {
	fits, err := l.FitEach(ctx, b, []Task{{X0: x0, X1: x1}}, seed)
	if len(fits) == 0 {
		return nil, err
	}
	return fits[0], err
}

// FitEach trains a bridge for each task, all in one compiled program, which costs little more than one. The i-th has the
// seed seed+i. All must have samples of the same sizes.
func (l LightSB) FitEach(ctx context.Context, b compute.Backend, tasks []Task, seed uint64) ([]*Fit, error) {
	t, err := l.Compile(b, tasks)
	if err != nil {
		return nil, err
	}
	return t.Fit(ctx, tasks, 0, seed)
}

// Trainer is a compiled [LightSB]: other samples of the same sizes, other ε, rates and starts need no other program.
type Trainer struct {
	config  LightSB
	count   int
	program *optim.Program
}

// Compile prepares fits of tasks of these sizes.
func (l LightSB) Compile(b compute.Backend, tasks []Task) (*Trainer, error) {
	l = l.withDefaults()
	filled, err := l.prepare(tasks)
	if err != nil {
		return nil, err
	}
	params, inputs, hyper := l.pack(filled, 0)
	loop := scan.Loop{Name: "LightSB", Runs: len(tasks), Progress: l.Progress, StopNonFinite: "loss"}
	problem := optim.Problem{Loss: loss, Lead: 1, Project: project, Loop: loop,
		Data: minibatches(len(tasks), l.Batch)}
	program, err := optim.Compile(b, optim.Adam(1), problem, params, inputs, hyper)
	if err != nil {
		return nil, fmt.Errorf("transport: LightSB: %w", err)
	}
	return &Trainer{l, len(tasks), program}, nil
}

func (l LightSB) prepare(tasks []Task) ([]Task, error) {
	if len(tasks) == 0 {
		return nil, errors.New("transport: LightSB: there is no task, must be at least 1")
	}
	errs := []error{l.validate()}
	filled := make([]Task, len(tasks))
	for i, t := range tasks {
		var err error
		filled[i], err = l.fill(t, tasks[0], i)
		errs = append(errs, err)
	}
	return filled, errors.Join(errs...)
}

// Fit trains as [LightSB.FitEach] does, for a number of steps; 0: as compiled.
func (t *Trainer) Fit(ctx context.Context, tasks []Task, steps int, seed uint64) ([]*Fit, error) {
	if steps < 0 {
		return nil, fmt.Errorf("transport: Trainer: steps is %d, must be at least 0", steps)
	}
	if steps == 0 {
		steps = t.config.Steps
	}
	if len(tasks) != t.count {
		return nil, fmt.Errorf("transport: Trainer: there are %d tasks, must be %d as compiled", len(tasks), t.count)
	}
	filled, err := t.config.prepare(tasks)
	if err != nil {
		return nil, err
	}
	params, inputs, hyper := t.config.pack(filled, seed)
	result, err := t.program.Run(ctx, params, inputs, hyper, steps, int64(seed))
	if err != nil {
		err = fmt.Errorf("transport: LightSB: %w", err)
	}
	if result == nil {
		return nil, err
	}
	fits, errUnpack := t.config.unpack(filled, result)
	return fits, errors.Join(err, errUnpack)
}

// pack makes the tensors of tasks: parameters with a leading axis of tasks, samples, hyper-parameters.
func (l LightSB) pack(tasks []Task, seed uint64) (params, inputs scan.Vars, hyper optim.Hyper) {
	_, dim := tasks[0].X0.Dims()
	var a, r, logS, u, eps, rates, x0, x1 []float64
	for i, t := range tasks {
		start := t.Start
		if start == nil {
			start = l.start(t, online.Seeded(seed+uint64(i), "LightSB start"))
		}
		for _, p := range start.parts {
			a, r = append(a, t.Epsilon*p.LogAlpha), append(r, p.R...)
			for _, s := range p.s {
				logS = append(logS, math.Log(s))
			}
			if l.Full {
				u = append(u, flat(p.u, dim)...)
			}
		}
		eps, rates = append(eps, t.Epsilon), append(rates, t.Rate)
		x0, x1 = append(x0, flat(t.X0, dim)...), append(x1, flat(t.X1, dim)...)
	}
	n, k := len(tasks), l.Components
	params = scan.Vars{"a": l.tensor(a, n, k), "r": l.tensor(r, n, k, dim), "logS": l.tensor(logS, n, k, dim)}
	if l.Full {
		params["u"] = l.tensor(u, n, k, dim, dim)
	}
	inputs = scan.Vars{"epsilon": l.tensor(eps, n), "x0": l.tensor(x0, n, len(x0)/n/dim, dim), "x1": l.tensor(x1, n, len(x1)/n/dim, dim)}
	return params, inputs, optim.Hyper{"learning_rate": rates}
}

// start is where a fit begins.
func (l LightSB) start(t Task, rng *rand.Rand) *Bridge {
	n, dim := t.X1.Dims()
	b := &Bridge{dim: dim, eps: t.Epsilon}
	s := make([]float64, dim)
	for d := range s {
		s[d] = l.Scale
	}
	for _, i := range rng.Perm(n)[:l.Components] {
		c := Component{LogAlpha: -math.Log(float64(l.Components)), R: mat.Row(nil, i, t.X1)}
		var u *mat.Dense
		if l.Full {
			// Of equal eigenvalues the axes are a stationary point, so that symmetric data would never turn them.
			var qr mat.QR
			qr.Factorize(mat.NewDense(dim, dim, normals(rng, dim*dim)))
			u = new(mat.Dense)
			qr.QTo(u)
		}
		b.parts = append(b.parts, assemble(t.Epsilon, c, s, u))
	}
	return b
}

func normals(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}

// flat copies a matrix row by row; nil is the identity.
func flat(a *mat.Dense, dim int) []float64 {
	if a == nil {
		out := make([]float64, dim*dim)
		for d := range dim {
			out[d*dim+d] = 1
		}
		return out
	}
	return mat.DenseCopyOf(a).RawMatrix().Data
}

func (l LightSB) tensor(values []float64, dims ...int) *tensors.Tensor {
	if !l.Float32 {
		return tensors.FromFlatDataAndDimensions(values, dims...)
	}
	short := make([]float32, len(values))
	for i, v := range values {
		short[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(short, dims...)
}

func (l LightSB) values(t *tensors.Tensor) []float64 {
	if !l.Float32 {
		return tensors.MustCopyFlatData[float64](t)
	}
	short := tensors.MustCopyFlatData[float32](t)
	out := make([]float64, len(short))
	for i, v := range short {
		out[i] = float64(v)
	}
	return out
}

// unpack makes the bridges of a result.
func (l LightSB) unpack(tasks []Task, result *optim.Result) ([]*Fit, error) {
	_, dim := tasks[0].X0.Dims()
	a, r, logS, losses := l.values(result.Params["a"]), l.values(result.Params["r"]), l.values(result.Params["logS"]), l.values(result.Traces["loss"])
	var u []float64
	if l.Full {
		u = l.values(result.Params["u"])
	}
	var errs []error
	fits := make([]*Fit, len(tasks))
	for i, t := range tasks {
		b := &Bridge{dim: dim, eps: t.Epsilon}
		for k := range l.Components {
			at := (i*l.Components + k) * dim
			s := make([]float64, dim)
			for d := range s {
				if v := logS[at+d]; math.Abs(v) >= logScaleBound {
					errs = append(errs, &CollapseError{i, k, d, v})
				}
				s[d] = math.Exp(logS[at+d])
			}
			c := Component{LogAlpha: a[i*l.Components+k] / t.Epsilon, R: r[at : at+dim]}
			if l.Full {
				vectors := mat.NewDense(dim, dim, u[at*dim:(at+dim)*dim])
				c.S = function(s, vectors, func(v float64) float64 { return v })
				b.parts = append(b.parts, assemble(t.Epsilon, c, s, vectors))
				continue
			}
			c.S = mat.NewDiagDense(dim, s)
			b.parts = append(b.parts, assemble(t.Epsilon, c, s, nil))
		}
		fits[i] = &Fit{Bridge: b, Status: result.Status}
		for step := range len(losses) / len(tasks) {
			fits[i].Losses = append(fits[i].Losses, losses[step*len(tasks)+i])
		}
	}
	return fits, errors.Join(errs...)
}
