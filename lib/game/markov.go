package game

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// MarkovGame is a tabular discounted game of two players with softmax policies and an entropy bonus. Player i minimises
//
//	f_i(θ) = −[(1−γ) E Σ_t γ^t r_i(s_t, a_t, b_t) + τ Σ_s H(π_i(·|s))],
//
// the entropy summed over states without weights. The logits θ are player 1's, A values for each state, then player 2's, B
// for each. Values and all derivatives are exact: the policies' values solve a linear system.
//
// As a [Game] it is Euclidean in the logits; see [MarkovGame.Natural] for the Fisher metric.
type MarkovGame struct {
	Transition [][][][]float64  // [s][a][b][next state]: probabilities
	Reward     [2][][][]float64 // of each player, [s][a][b]
	Start      []float64        // probabilities of the first state
	Discount   float64          // γ in [0, 1)
	Entropy    float64          // τ ≥ 0
}

// Coordination is the game of two states and two actions in which both players earn scale for the same action, −scale for
// different ones; both on action 0 lead to state 0 with probability 0.9, both on action 1 to state 1, and else the next state
// is a coin's. γ = 0.9, τ = 1, the first state is 0. Uniform play is an equilibrium.
//
// Source: the paper's Markov game, with scale = 1.
func Coordination(scale float64) *MarkovGame {
	state := func() [][][]float64 { return [][][]float64{{{.9, .1}, {.5, .5}}, {{.5, .5}, {.1, .9}}} }
	reward := [][][]float64{{{scale, -scale}, {-scale, scale}}, {{scale, -scale}, {-scale, scale}}}
	return &MarkovGame{Transition: [][][][]float64{state(), state()}, Reward: [2][][][]float64{reward, reward}, Start: []float64{1, 0}, Discount: .9, Entropy: 1}
}

// Validate says all that is wrong with the game.
func (g *MarkovGame) Validate() error {
	if g == nil {
		return errors.New("game: MarkovGame: the game is nil")
	}
	states := len(g.Start)
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("game: MarkovGame: "+format, args...))
	}
	if !(g.Discount >= 0 && g.Discount < 1) {
		bad("Discount is %g, must be at least 0 and below 1", g.Discount)
	}
	if !(g.Entropy >= 0) || math.IsInf(g.Entropy, 0) {
		bad("Entropy is %g, must be at least 0 and finite", g.Entropy)
	}
	distribution := func(p []float64) bool {
		return len(p) == states && floats.Min(p) >= 0 && math.Abs(floats.Sum(p)-1) < 1e-9
	}
	if states == 0 || len(g.Transition) != states || len(g.Reward[0]) != states || len(g.Reward[1]) != states || len(g.Transition[0]) == 0 || len(g.Transition[0][0]) == 0 {
		bad("Start, Transition and the Rewards have %d, %d, %d and %d states, must have as many, and an action each", states, len(g.Transition), len(g.Reward[0]), len(g.Reward[1]))
		return errors.Join(errs...)
	}
	if !distribution(g.Start) {
		bad("Start is %v, must be probabilities that add up to 1", g.Start)
	}
	first, second := len(g.Transition[0]), len(g.Transition[0][0])
	for s := range states {
		if len(g.Transition[s]) != first || len(g.Reward[0][s]) != first || len(g.Reward[1][s]) != first {
			bad("state %d has %d, %d and %d actions of player 1, must have %d", s, len(g.Transition[s]), len(g.Reward[0][s]), len(g.Reward[1][s]), first)
			continue
		}
		for a := range first {
			if len(g.Transition[s][a]) != second || len(g.Reward[0][s][a]) != second || len(g.Reward[1][s][a]) != second {
				bad("state %d, action %d has %d, %d and %d actions of player 2, must have %d", s, a, len(g.Transition[s][a]), len(g.Reward[0][s][a]), len(g.Reward[1][s][a]), second)
				continue
			}
			for b := range second {
				if !distribution(g.Transition[s][a][b]) {
					bad("Transition[%d][%d][%d] is %v, must be %d probabilities that add up to 1", s, a, b, g.Transition[s][a][b], states)
				}
				if !finite([]float64{g.Reward[0][s][a][b], g.Reward[1][s][a][b]}) {
					bad("Reward at [%d][%d][%d] is %g and %g, must be finite", s, a, b, g.Reward[0][s][a][b], g.Reward[1][s][a][b])
				}
			}
		}
	}
	return errors.Join(errs...)
}

// actions of each player.
func (g *MarkovGame) actions() [2]int {
	if len(g.Transition) == 0 || len(g.Transition[0]) == 0 {
		return [2]int{}
	}
	return [2]int{len(g.Transition[0]), len(g.Transition[0][0])}
}

// Players implements [Game]: states × actions of each.
func (g *MarkovGame) Players() []int {
	if g == nil {
		return nil
	}
	n := g.actions()
	return []int{len(g.Start) * n[0], len(g.Start) * n[1]}
}

// Policies are π_i(a|s) of the logits: [player][state][action].
func (g *MarkovGame) Policies(theta []float64) ([2][][]float64, error) {
	var out [2][][]float64
	if g == nil {
		return out, errors.New("game: MarkovGame: the game is nil")
	}
	size := g.Players()
	if len(theta) != size[0]+size[1] || len(theta) == 0 {
		return out, fmt.Errorf("game: MarkovGame: θ has %d values, must have %d", len(theta), size[0]+size[1])
	}
	if !finite(theta) {
		return out, fmt.Errorf("game: MarkovGame: θ is %v, must be finite", theta)
	}
	at := 0
	for i, n := range g.actions() {
		for range g.Start {
			logits := theta[at : at+n]
			at += n
			p, all := make([]float64, n), floats.LogSumExp(logits)
			for k, l := range logits {
				p[k] = math.Exp(l - all)
			}
			out[i] = append(out[i], p)
		}
	}
	return out, nil
}

// point is all that derivatives at a θ need.
type point struct {
	policy    [2][][]float64
	resolvent *mat.Dense // (I − γP)⁻¹
	occupancy []float64  // (1−γ) startᵀ (I − γP)⁻¹
	value     [2]*mat.VecDense
}

// at evaluates the policies.
func (g *MarkovGame) at(theta []float64) (*point, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	policy, err := g.Policies(theta)
	if err != nil {
		return nil, err
	}
	n := len(g.Start)
	p := &point{policy: policy, resolvent: mat.NewDense(n, n, nil)}
	system := mat.NewDense(n, n, nil)
	rewards := [2]*mat.VecDense{mat.NewVecDense(n, nil), mat.NewVecDense(n, nil)}
	for s := range n {
		system.Set(s, s, 1)
		for a, pa := range policy[0][s] {
			for b, pb := range policy[1][s] {
				for next, t := range g.Transition[s][a][b] {
					system.Set(s, next, system.At(s, next)-g.Discount*pa*pb*t)
				}
				for i, r := range rewards {
					r.SetVec(s, r.AtVec(s)+pa*pb*g.Reward[i][s][a][b])
				}
			}
		}
	}
	if err := p.resolvent.Inverse(system); err != nil {
		return nil, fmt.Errorf("game: MarkovGame: the policies' values: %w", err)
	}
	for i, r := range rewards {
		p.value[i] = mat.NewVecDense(n, nil)
		p.value[i].MulVec(p.resolvent, r)
	}
	var occupancy mat.VecDense
	occupancy.MulVec(p.resolvent.T(), mat.NewVecDense(n, g.Start))
	occupancy.ScaleVec(1-g.Discount, &occupancy)
	p.occupancy = occupancy.RawVector().Data
	return p, nil
}

// entropy of a distribution, 0·log 0 being 0.
func entropy(p []float64) (h float64) {
	for _, v := range p {
		h -= v * logOf(v)
	}
	return h
}

// logOf keeps p·log p at 0 where a probability underflowed.
func logOf(p float64) float64 {
	if p == 0 {
		return 0
	}
	return math.Log(p)
}

// Losses are f_1 and f_2.
func (g *MarkovGame) Losses(theta []float64) ([2]float64, error) {
	p, err := g.at(theta)
	if err != nil {
		return [2]float64{}, err
	}
	var out [2]float64
	for i := range out {
		out[i] = -(1 - g.Discount) * floats.Dot(g.Start, p.value[i].RawVector().Data)
		for _, policy := range p.policy[i] {
			out[i] -= g.Entropy * entropy(policy)
		}
	}
	return out, nil
}

// ahead is a player's reward at once plus γ times a function of the next state: [a][b]. A nil reward is 0.
func (g *MarkovGame) ahead(s int, reward [][]float64, value []float64) [][]float64 {
	out := make([][]float64, len(g.Transition[s]))
	for a, row := range g.Transition[s] {
		out[a] = make([]float64, len(row))
		for b, p := range row {
			out[a][b] = g.Discount * floats.Dot(p, value)
			if reward != nil {
				out[a][b] += reward[a][b]
			}
		}
	}
	return out
}

// slope is ∂p/∂θ_k of a softmax.
func slope(p []float64, k int) []float64 {
	out := make([]float64, len(p))
	for a := range p {
		out[a] = p[a] * (is(a == k) - p[k])
	}
	return out
}

// bend is ∂²p/∂θ_k∂θ_l.
func bend(p []float64, k, l int) []float64 {
	out := make([]float64, len(p))
	for a := range p {
		out[a] = p[a] * ((is(a == k)-p[k])*(is(a == l)-p[l]) - p[k]*(is(k == l)-p[l]))
	}
	return out
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// bilinear is Σ_ab p_a q_b m_ab.
func bilinear(p []float64, m [][]float64, q []float64) (sum float64) {
	for a, row := range m {
		sum += p[a] * floats.Dot(row, q)
	}
	return sum
}

// logit names one coordinate of θ.
type logit struct{ player, state, action int }

func (g *MarkovGame) logits() (out []logit) {
	for i, n := range g.actions() {
		for s := range g.Start {
			for k := range n {
				out = append(out, logit{i, s, k})
			}
		}
	}
	return out
}

// along are both policies at the state of a logit, its own player's replaced by the derivative.
func (p *point) along(x logit) [2][]float64 {
	out := [2][]float64{p.policy[0][x.state], p.policy[1][x.state]}
	out[x.player] = slope(out[x.player], x.action)
	return out
}

// PseudoGradient implements [Game]; it allocates.
func (g *MarkovGame) PseudoGradient(dst, x []float64) error {
	if len(dst) != len(x) {
		return fmt.Errorf("game: MarkovGame: PseudoGradient: dst has %d values, must have %d", len(dst), len(x))
	}
	p, err := g.at(x)
	if err != nil {
		return err
	}
	for at, x := range g.logits() {
		q := g.ahead(x.state, g.Reward[x.player][x.state], p.value[x.player].RawVector().Data)
		d := p.along(x)
		own := p.policy[x.player][x.state]
		dst[at] = -p.occupancy[x.state]*bilinear(d[0], q, d[1]) + g.Entropy*own[x.action]*(logOf(own[x.action])+entropy(own))
	}
	return nil
}

// Linearise implements [Game] by [MarkovGame.Jacobian]. No curvature is positive along shifts of the logits: certificates need
// [MarkovGame.Natural].
func (g *MarkovGame) Linearise(theta []float64) (QuadraticGame, error) {
	h, err := g.Jacobian(theta)
	return QuadraticGame{H: h, Blocks: g.Players()}, err
}

// Jacobian is that of the pseudo-gradient in the logits themselves. With U = dᵀr its entries come from
//
//	∂x∂y U = dᵀ[∂xy r + γ ∂xyP V + γ ∂xP G b_y + γ ∂yP G b_x],   b_x = ∂x r + γ ∂xP V,   G = (I − γP)⁻¹
func (g *MarkovGame) Jacobian(theta []float64) (*mat.Dense, error) {
	p, err := g.at(theta)
	if err != nil {
		return nil, err
	}
	logits, states := g.logits(), len(g.Start)
	out := mat.NewDense(len(theta), len(theta), nil)
	column := make([]float64, states)
	// passed is d_s γ ∂xP G b_y for x at s and y at its own state: what x changes through where play goes next.
	passed := func(x, y logit, b float64) float64 {
		mat.Col(column, y.state, p.resolvent)
		d := p.along(x)
		return p.occupancy[x.state] * b * bilinear(d[0], g.ahead(x.state, nil, column), d[1])
	}
	for i := range 2 { // rows of player i: derivatives of its own loss
		q, b := make([][][]float64, states), make([]float64, len(logits))
		for s := range q {
			q[s] = g.ahead(s, g.Reward[i][s], p.value[i].RawVector().Data)
		}
		for at, y := range logits {
			d := p.along(y)
			b[at] = bilinear(d[0], q[y.state], d[1])
		}
		for row, x := range logits {
			if x.player != i {
				continue
			}
			for col, y := range logits {
				u := passed(x, y, b[col]) + passed(y, x, b[row])
				if x.state == y.state {
					d := p.along(x)
					if y.player == i {
						d[i] = bend(p.policy[i][x.state], x.action, y.action)
						u += g.Entropy * entropyBend(p.policy[i][x.state], x.action, y.action)
					} else {
						d[1-i] = slope(d[1-i], y.action)
					}
					u += p.occupancy[x.state] * bilinear(d[0], q[x.state], d[1])
				}
				out.Set(row, col, -u)
			}
		}
	}
	return out, nil
}

// entropyBend is ∂²H/∂θ_k∂θ_l of a softmax.
func entropyBend(p []float64, k, l int) float64 {
	h, dkl := entropy(p), is(k == l)-p[l]
	return -p[k]*dkl*(logOf(p[k])+h) - p[k]*(dkl-p[l]*(logOf(p[l])+h))
}

// Fisher is player i's Fisher matrix (i from 0), block diagonal with diag(π) − ππᵀ for each state, not weighted by how often a
// state is met. It is singular along constant shifts of a state's logits.
func (g *MarkovGame) Fisher(theta []float64, player int) (*mat.SymDense, error) {
	if player < 0 || player > 1 {
		return nil, fmt.Errorf("game: MarkovGame: Fisher: player is %d, must be 0 or 1", player)
	}
	policies, err := g.Policies(theta)
	if err != nil {
		return nil, err
	}
	n := g.actions()[player]
	out := mat.NewSymDense(n*len(g.Start), nil)
	for s, p := range policies[player] {
		for a := range p {
			for b := a; b < n; b++ {
				out.SetSym(s*n+a, s*n+b, p[a]*(is(a == b)-p[b]))
			}
		}
	}
	return out, nil
}

// Natural is the game in the Fisher metric of its policies: the pseudo-gradient is the natural one, F⁺∇f, and its linear part is
// F^−½ J F^−½ on the tangent space, where the shifts that change no policy are left out. Certificates over it are for
// natural policy gradient; they neglect how F changes, which is exact only at an equilibrium.
type Natural struct{ *MarkovGame }

// Natural is g in the Fisher metric.
func (g *MarkovGame) Natural() Natural { return Natural{g} }

// PseudoGradient implements [Game]: F_i⁺∇_i f_i.
func (n Natural) PseudoGradient(dst, x []float64) error {
	if err := n.MarkovGame.PseudoGradient(dst, x); err != nil {
		return err
	}
	policies, err := n.Policies(x)
	if err != nil {
		return err
	}
	naturalise(dst, policies)
	return nil
}

// naturalise applies F⁺: (F⁺g)_k = g_k/p_k less its mean, since Fx = g says p_k(x_k − ⟨p, x⟩) = g_k.
func naturalise(gradient []float64, policies [2][][]float64) {
	at := 0
	for _, player := range policies {
		for _, p := range player {
			part := gradient[at : at+len(p)]
			at += len(p)
			floats.Div(part, p)
			floats.AddConst(-floats.Sum(part)/float64(len(p)), part)
		}
	}
}

// Linearise implements [Game] in orthonormal tangent directions, one less than actions for each state and player.
func (n Natural) Linearise(theta []float64) (QuadraticGame, error) {
	jacobian, err := n.Jacobian(theta)
	if err != nil {
		return QuadraticGame{}, err
	}
	sizes, states := n.Players(), len(n.Start)
	blocks := []int{sizes[0] - states, sizes[1] - states}
	if d, err := dimension(blocks); err != nil || d == 0 {
		return QuadraticGame{}, fmt.Errorf("game: Natural: a player has a single action, so nothing to learn: %w", err)
	}
	root := mat.NewDense(len(theta), blocks[0]+blocks[1], nil)
	row, col := 0, 0
	for i, size := range sizes {
		fisher, err := n.Fisher(theta, i)
		if err != nil {
			return QuadraticGame{}, err
		}
		var e mat.EigenSym
		if !e.Factorize(fisher, true) {
			return QuadraticGame{}, errEigen
		}
		values := e.Values(nil) // rising: the shifts, one a state, come first
		var vectors mat.Dense
		e.VectorsTo(&vectors)
		for k := states; k < size; k++ {
			if !(values[k] > 1e-12) {
				return QuadraticGame{}, fmt.Errorf("game: Natural: the Fisher matrix of player %d has an eigenvalue %g on the tangent space, must be above 1e-12: a policy is deterministic", i+1, values[k])
			}
			for l := range size {
				root.Set(row+l, col+k-states, vectors.At(l, k)/math.Sqrt(values[k]))
			}
		}
		row, col = row+size, col+blocks[i]
	}
	var half, out mat.Dense
	half.Mul(root.T(), jacobian)
	out.Mul(&half, root)
	return QuadraticGame{H: &out, Blocks: blocks}, nil
}
