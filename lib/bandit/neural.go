package bandit

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Loss of a regression on labels y in [0, 1].
type Loss int

const (
	// SquareLoss is ½(f̃ − y)²; predictions are f̃ and may leave [0, 1].
	SquareLoss Loss = iota
	// LogLoss is the Kullback–Leibler divergence y·ln(y/ŷ) + (1−y)·ln((1−y)/(1−ŷ)) of ŷ = σ(f̃); predictions are ŷ.
	LogLoss
)

func (l Loss) String() string { return [...]string{"square", "log"}[l] }

// Value of the loss of a prediction, f̃ of square loss and ŷ in [0, 1] of log loss, at a label in [0, 1]; 0·ln 0 is 0.
func (l Loss) Value(predicted, y float64) float64 {
	if l == SquareLoss {
		return (predicted - y) * (predicted - y) / 2
	}
	part := func(a, b float64) float64 {
		if a == 0 {
			return 0
		}
		return a * math.Log(a/b)
	}
	return part(y, predicted) + part(1-y, 1-predicted)
}

// Perturbed is the loss that a step descends, the mean of the loss of f + c⟨ε, δ⟩ over sign vectors ε, for an output f, a label
// y and the way δ = θ − θ₀ from the start. Every sign vector has the length of δ. Over all of {±1}^p the square loss is
// ½(f − y)² + ½c²‖δ‖².
func (l Loss) Perturbed(f, y, c float64, delta []float64, signs [][]float64) (float64, error) {
	if len(signs) == 0 {
		return 0, errors.New("bandit: Loss.Perturbed: there are no signs, must be at least 1 vector")
	}
	var sum float64
	for i, e := range signs {
		if len(e) != len(delta) {
			return 0, fmt.Errorf("bandit: Loss.Perturbed: sign vector %d has %d entries, must have %d as delta", i, len(e), len(delta))
		}
		p := f + c*floats.Dot(e, delta)
		if l == LogLoss {
			p = 1 / (1 + math.Exp(-p))
		}
		sum += l.Value(p, y)
	}
	return sum / float64(len(signs)), nil
}

// Schedule is the factor of the step size in round t = 1, 2, 3, …
type Schedule func(t int) float64

// InverseRoot is 1/√t.
func InverseRoot(t int) float64 { return 1 / math.Sqrt(float64(t)) }

// Harmonic is 1/t: with Rate 4/μ, the theory's step for a loss of quadratic growth μ.
func Harmonic(t int) float64 { return 1 / float64(t) }

// InverseTime is 1/(1 + t/τ).
func InverseTime(tau float64) Schedule {
	return func(t int) float64 { return 1 / (1 + float64(t)/tau) }
}

// Regression is online regression by a network of one hidden layer, f(θ;x) = v·relu(Wx)/√m, of which all weights are trained
// from W, v ~ N(0, 1) by one step of projected online gradient descent a round,
//
//	θ ← Π(θ − η_t ∇L),   L = (1/S)Σ_s loss(f̃_s, y),   f̃_s = f + c_p·m^{−1/4}·⟨ε_s, θ − θ₀⟩,
//
// with S random sign vectors ε_s. The signs make the loss grow quadratically away from its minimum: in expectation over them
// the square loss is ½(f − y)² + ½c²‖θ − θ₀‖² with c = c_p·m^{−1/4}. They move all arms' predictions alike.
//
// A step is stable where Rate·(‖∇f‖² + c²p/S) < 2 for p weights: with p of 40 000, Rate 2 and S = 8, a Scale of 0.03 hurts
// and one of 0.1 diverges.
//
// Source: Deb, Ban, Zuo, He, Banerjee (2024), Contextual Bandits with Online Neural Regression, sections 3 and 4. The paper's
// network is deeper in general; the factor m^{−1/4} and the sampling of the signs once are this library's reading.
type Regression struct {
	Arms     int // K, at least 1; one arm is plain regression
	Features int // d, of a context row, at least 1
	// OwnContexts says that every arm comes with a context row of its own, for one network. Else all arms share one row, and
	// each has a first layer of its own: the network on contexts coded in blocks, see [BlockContexts].
	OwnContexts bool
	Width       int          // m, hidden units; 0: 64
	Loss        Loss         // SquareLoss
	Rate        float64      // η, positive; 0: 2 for square loss, 3 for log loss
	Schedule    Schedule     // factor of Rate; nil: constant
	Signs       int          // S, perturbations; 0: none
	Scale       float64      // c_p, positive; 0: 0.01
	Redraw      bool         // draw the signs anew every round, not once
	RadiusW     float64      // ρ, of the ball ‖W − W₀‖_F ≤ ρ; 0: no projection
	RadiusV     float64      // ρ₁, of the ball ‖v − v₀‖ ≤ ρ₁; 0: no projection
	Start       *Weights     // to begin with; nil: drawn from the seed
	DType       dtypes.DType // of all arithmetic, Float32 or Float64; 0: Float32
}

// complete fills in the defaults and checks.
func (n Regression) complete(who string) (Regression, error) {
	if n.Width == 0 {
		n.Width = 64
	}
	if n.Rate == 0 {
		n.Rate = [...]float64{SquareLoss: 2, LogLoss: 3}[min(max(n.Loss, 0), 1)]
	}
	if n.Scale == 0 {
		n.Scale = 0.01
	}
	if n.DType == dtypes.InvalidDType {
		n.DType = dtypes.Float32
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("bandit: "+who+": "+format, args...)) }
	for _, f := range []struct {
		name  string
		value int
		least int
	}{{"Arms", n.Arms, 1}, {"Features", n.Features, 1}, {"Width", n.Width, 1}, {"Signs", n.Signs, 0}} {
		if f.value < f.least {
			bad("%s is %d, must be at least %d", f.name, f.value, f.least)
		}
	}
	for _, f := range []struct {
		name     string
		value    float64
		positive bool
	}{{"Rate", n.Rate, true}, {"Scale", n.Scale, true}, {"RadiusW", n.RadiusW, false}, {"RadiusV", n.RadiusV, false}} {
		if !(f.value >= 0) || f.positive && f.value == 0 || math.IsInf(f.value, 0) {
			bad("%s is %g, must be %s and finite", f.name, f.value, map[bool]string{true: "positive", false: "at least 0"}[f.positive])
		}
	}
	if n.Loss != SquareLoss && n.Loss != LogLoss {
		bad("Loss is %d, must be SquareLoss or LogLoss", int(n.Loss))
	}
	if n.DType != dtypes.Float32 && n.DType != dtypes.Float64 {
		bad("DType is %s, must be Float32 or Float64", n.DType)
	}
	if n.Start != nil && len(errs) == 0 {
		errs = append(errs, n.checkStart(who))
	}
	return n, errors.Join(errs...)
}

// rate is the step size in round t.
func (n Regression) rate(t int) float64 {
	if n.Schedule == nil {
		return n.Rate
	}
	return n.Rate * n.Schedule(t)
}

func (n Regression) shape() shape {
	if n.OwnContexts {
		return shape{n.Arms, n.Features}
	}
	return shape{1, n.Features}
}

// columns of W: the hidden units, of every arm where each has its own.
func (n Regression) columns() int {
	if n.OwnContexts {
		return n.Width
	}
	return n.Arms * n.Width
}

// Parameters is p, the number of weights.
func (n Regression) Parameters() int {
	if n.Width == 0 {
		n.Width = 64
	}
	return n.Features*n.columns() + n.Width
}

// sign is c = c_p·m^{−1/4}, the factor of the perturbation.
func (n Regression) sign() float64 { return n.Scale * math.Pow(float64(n.Width), -0.25) }

// Weights of a network, and the signs that perturb it.
type Weights struct {
	W []float64 // features × columns, row by row; a column is a hidden unit, those of an arm side by side where each has its own
	V []float64 // m
	// SignsW and SignsV are ±1, S of them for each entry of W and V: [S, len(W)] and [S, len(V)]. Empty where there are none
	// or where they are redrawn.
	SignsW, SignsV []float64
}

// start are the weights that a seed begins with.
func (n Regression) start(seed uint64) Weights {
	if n.Start != nil {
		return *n.Start
	}
	rng := online.Seeded(seed, "network")
	s := Weights{W: normals(rng, n.Features*n.columns()), V: normals(rng, n.Width)}
	if n.fixedSigns() {
		coins := online.Seeded(seed, "signs")
		draw := func(size int) []float64 {
			out := make([]float64, size)
			for i := range out {
				out[i] = float64(coins.Uint32()>>31)*2 - 1
			}
			return out
		}
		s.SignsW, s.SignsV = draw(n.Signs*len(s.W)), draw(n.Signs*len(s.V))
	}
	return s
}

// fixedSigns says whether signs are drawn once.
func (n Regression) fixedSigns() bool { return n.Signs > 0 && !n.Redraw }

// checkStart says what does not fit in Start.
func (n Regression) checkStart(who string) error {
	signs := 0
	if n.fixedSigns() {
		signs = n.Signs
	}
	var errs []error
	for _, f := range []struct {
		name   string
		values []float64
		want   int
		signs  bool
	}{{"W", n.Start.W, n.Features * n.columns(), false}, {"V", n.Start.V, n.Width, false},
		{"SignsW", n.Start.SignsW, signs * n.Features * n.columns(), true}, {"SignsV", n.Start.SignsV, signs * n.Width, true}} {
		if len(f.values) != f.want {
			errs = append(errs, fmt.Errorf("bandit: %s: Start.%s has %d entries, must have %d", who, f.name, len(f.values), f.want))
		}
		for i, x := range f.values {
			if math.IsNaN(x) || math.IsInf(x, 0) || f.signs && math.Abs(x) != 1 {
				errs = append(errs, fmt.Errorf("bandit: %s: Start.%s[%d] is %g, must be %s", who, f.name, i, x, map[bool]string{true: "1 or -1", false: "finite"}[f.signs]))
				break
			}
		}
	}
	return errors.Join(errs...)
}

// Rule of a neural learner's exploration.
type Rule int

// The rules, with what [Exploration].Level is of each.
const (
	InverseGap         Rule = iota // [SquareCB]: c of γ_t = c·t^Power; default 10
	WeightedInverseGap             // [FastCB]: likewise
	Greedy                         // ε of ε-greedy; default 0.05
	UCB                            // ν, the weight of the confidence bonus; default 1
	Thompson                       // ν, the factor of the deviation; default 0.3
)

func (r Rule) String() string {
	return [...]string{"SquareCB", "FastCB", "ε-greedy", "UCB", "Thompson sampling"}[r]
}

// Exploration says how predictions become an arm.
//
// UCB and Thompson use the diagonal confidence width √(Σ_j g_j²/Z_j), where g is the gradient of the arm's prediction and
// Z_j = 1 + Σ g_j² over the rounds played.
type Exploration struct {
	Rule  Rule
	Level float64 // see the rules; at least 0; 0: the rule's default
	Power float64 // of γ_t = Level·t^Power; 0: ½
	Fixed bool    // the level is Level in every round, 0 included
}

func (e Exploration) complete(who string) (Exploration, error) {
	if !e.Fixed && e.Level == 0 && e.Rule >= 0 && e.Rule <= Thompson {
		e.Level = [...]float64{10, 10, 0.05, 1, 0.3}[e.Rule]
	}
	if e.Power == 0 {
		e.Power = 0.5
	}
	var errs []error
	if e.Rule < 0 || e.Rule > Thompson {
		errs = append(errs, fmt.Errorf("bandit: %s: Rule is %d, must be one of the rules, 0 to %d", who, int(e.Rule), int(Thompson)))
	}
	if most := map[bool]float64{true: 1, false: math.MaxFloat64}[e.Rule == Greedy]; !(e.Level >= 0 && e.Level <= most) {
		errs = append(errs, fmt.Errorf("bandit: %s: Level is %g, must be at least 0 and at most %.4g", who, e.Level, most))
	}
	if !(math.Abs(e.Power) <= 10) {
		errs = append(errs, fmt.Errorf("bandit: %s: Power is %g, must be in [-10, 10]", who, e.Power))
	}
	return e, errors.Join(errs...)
}

// level in round t.
func (e Exploration) level(t int) float64 {
	if e.Fixed || e.Rule > WeightedInverseGap {
		return e.Level
	}
	return e.Level * math.Pow(float64(t), e.Power)
}

// widths says whether the rule needs confidence widths.
func (e Exploration) widths() bool { return e.Rule >= UCB }

// Neural is a contextual bandit on online regression by a network.
type Neural struct {
	Regression
	Exploration
}

// NeuSquareCB is SquareCB's rule on perturbed predictions, trained by square loss: S = 8, c_p = 0.01, η = 2, γ_t = 10√t.
//
// Source: Deb et al. (2024), algorithm 1; the numbers are this library's, γ that of Vowpal Wabbit.
func NeuSquareCB(arms, features int) Neural {
	return Neural{Regression{Arms: arms, Features: features, Signs: 8}, Exploration{}}
}

// NeuFastCB is FastCB's rule on perturbed predictions, trained by log loss: S = 8, c_p = 0.01, η = 3, γ_t = 10√t.
//
// Source: Deb et al. (2024), algorithm 2; the numbers are this library's.
func NeuFastCB(arms, features int) Neural {
	return Neural{Regression{Arms: arms, Features: features, Loss: LogLoss, Signs: 8}, Exploration{Rule: WeightedInverseGap}}
}

// NeuralUCB plays the arm of least prediction minus ν = 1 confidence widths. It trains by one step a round, as the others
// here; the authors' code trains anew.
//
// Source: Zhou, Li, Gu (2020), Neural Contextual Bandits with UCB-based Exploration, algorithm 1, with a diagonal Z.
func NeuralUCB(arms, features int) Neural {
	return Neural{Regression{Arms: arms, Features: features}, Exploration{Rule: UCB}}
}

// NeuralTS plays the arm of least sample from N(ŷ_a, ν²·width_a²), ν = 0.3. Otherwise as [NeuralUCB].
//
// Source: Zhang, Zhou, Li, Gu (2021), Neural Thompson Sampling, algorithm 1, with a diagonal Z.
func NeuralTS(arms, features int) Neural {
	return Neural{Regression{Arms: arms, Features: features}, Exploration{Rule: Thompson}}
}

func (n Neural) complete(who string) (Neural, error) {
	r, errR := n.Regression.complete(who)
	e, errE := n.Exploration.complete(who)
	var err error
	if r.Arms == 1 {
		err = fmt.Errorf("bandit: %s: Arms is 1, must be at least 2", who)
	}
	if e.Rule == WeightedInverseGap && r.Loss != LogLoss {
		err = errors.Join(err, fmt.Errorf("bandit: %s: Loss is the square loss, must be LogLoss for FastCB's rule, which needs predictions in [0, 1]", who))
	}
	return Neural{r, e}, errors.Join(errR, errE, err)
}
