package game

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// drawn is a random game of 2 to 5 players with blocks of 1 to 4, and its number of coordinates.
func drawn(seed uint64) (QuadraticGame, []float64) {
	rng := online.Seeded(seed, "property")
	g, weights, d := QuadraticGame{}, []float64{}, 0
	for range 2 + rng.IntN(4) {
		g.Blocks = append(g.Blocks, 1+rng.IntN(4))
		weights = append(weights, math.Exp(3*rng.NormFloat64()))
		d += g.Blocks[len(g.Blocks)-1]
	}
	g.H = mat.NewDense(d, d, nil)
	scale := math.Exp(2*rng.NormFloat64() - 2)
	g.H.Apply(func(_, _ int, _ float64) float64 { return scale * rng.NormFloat64() }, g.H)
	at := 0
	for _, size := range g.Blocks { // H_ii = asymmetric + (1 + |·|)I is positive where the noise is small, else now and then not
		for k := range size {
			g.H.Set(at+k, at+k, g.H.At(at+k, at+k)+1+2*scale)
		}
		at += size
	}
	return g, weights
}

// On 10⁴ random games: the certified margin is at most the true one at any weights, the best weights are best, the condition
// is that of the spectral radius, and the data of each certificate prove it.
func TestMarginIsSound(t *testing.T) {
	games, positive, refused := 10_000, 0, 0
	if testing.Short() {
		games = 1000
	}
	for seed := range uint64(games) {
		g, weights := drawn(seed)
		c, err := CertifyQuadratic(g, nil)
		if err != nil {
			refused++ // a curvature is not positive
			continue
		}
		if err := c.Check(); err != nil {
			t.Fatalf("game %d: %v", seed, err)
		}
		if (c.SpectralRadius < 1) != c.Certified {
			t.Errorf("game %d: certified %t at spectral radius %g", seed, c.Certified, c.SpectralRadius)
		}
		for _, w := range [][]float64{c.Weights, weights} {
			a, truth := must[float64](t)(Margin(c.GameBounds, w)), must[float64](t)(g.TrueMargin(w))
			if slack := 1e-9 * (1 + math.Abs(truth)); a > truth+slack {
				t.Errorf("game %d: α* is %g at %v, the true margin %g", seed, a, w, truth)
			} else if a > c.Alpha+slack {
				t.Errorf("game %d: α* is %g at %v, better than %g at the best weights", seed, a, w, c.Alpha)
			}
		}
		positive += int(is(c.Certified))
	}
	if positive < games/5 || positive+refused > games*19/20 {
		t.Errorf("%d of %d games are certified and %d refused: the test sees too little of one kind", positive, games, refused)
	}
	t.Logf("%d of %d games certified, %d without positive curvature", positive, games, refused)
}

// A stranger's check of a certificate that travelled as JSON, in arithmetic alone.
func TestCertificateIsPlainData(t *testing.T) {
	c := must[Certificate](t)(CertifyQuadratic(MiniToy(10, .05), nil))
	text := must[[]byte](t)(json.Marshal(c)) //nolint:errchkjson // must looks at it
	var data struct {
		Mu, Weights, Witness []float64
		L                    [][]float64
		Alpha, Beta          float64
		EulerStep            float64 `json:"euler_step"`
	}
	if err := json.Unmarshal(text, &data); err != nil {
		t.Fatal(err)
	}
	for i, mu := range data.Mu {
		sum := mu * data.Witness[i]
		for j := range data.Mu {
			root := math.Sqrt(data.Weights[i] / data.Weights[j])
			sum -= (data.L[i][j]*root + data.L[j][i]/root) / 2 * data.Witness[j]
		}
		if !(data.Witness[i] > 0 && sum >= (data.Alpha-1e-9)*data.Witness[i]) {
			t.Errorf("row %d proves %g, not %g", i, sum/data.Witness[i], data.Alpha)
		}
	}
	near(t, "step", data.EulerStep, 2*data.Alpha/data.Beta/data.Beta, 1e-12)
	var back Certificate
	if err := json.Unmarshal(text, &back); err != nil || back.Check() != nil {
		t.Errorf("%v, %v", err, back.Check())
	}
	// Forged data do not pass.
	for name, forge := range map[string]func(c *Certificate){
		"margin":  func(c *Certificate) { c.Alpha += 1e-6 },
		"weights": func(c *Certificate) { c.Weights = []float64{1, 1} },
		"step":    func(c *Certificate) { c.EulerStep *= 1.01 },
		"witness": func(c *Certificate) { c.Witness = []float64{1, -1} },
		"verdict": func(c *Certificate) { c.Certified = false },
		"gain":    func(c *Certificate) { c.L = [][]float64{{0, 11}, {.05, 0}} },
		"NaN":     func(c *Certificate) { c.Alpha = math.NaN() },
	} {
		forged := back
		if forge(&forged); forged.Check() == nil {
			t.Errorf("a forged %s passes", name)
		}
	}
}

// Scaling all weights changes nothing; renaming the players renames the weights; scaling the game scales the margin.
func TestSymmetries(t *testing.T) {
	b := GameBounds{[]float64{1, 2, 1.5}, [][]float64{{0, .8, .3}, {.5, 0, .9}, {.4, .6, 0}}}
	w, margin, err := BestWeights(b)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "margin at 7w", must[float64](t)(Margin(b, []float64{7 * w[0], 7 * w[1], 7 * w[2]})), margin, 1e-12)
	order := []int{2, 0, 1}
	renamed, tripled := GameBounds{L: make([][]float64, 3)}, GameBounds{L: make([][]float64, 3)}
	for k, i := range order {
		renamed.Mu, tripled.Mu = append(renamed.Mu, b.Mu[i]), append(tripled.Mu, 3*b.Mu[k])
		for l, j := range order {
			renamed.L[k], tripled.L[k] = append(renamed.L[k], b.L[i][j]), append(tripled.L[k], 3*b.L[k][l])
		}
	}
	v, same, err := BestWeights(renamed)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "margin of renamed players", same, margin, 1e-12)
	for k, i := range order {
		near(t, "weight", v[k]/v[1], w[i]/w[0], 1e-9)
	}
	_, thrice, err := BestWeights(tripled)
	near(t, "margin of 3F", thrice, 3*margin, 1e-12)
	if err != nil {
		t.Error(err)
	}
}

// A projection in another metric than the game's can undo what a step won; in the game's it never does.
func TestProjection(t *testing.T) {
	w := []float64{1, 200}
	length := func(x []float64) float64 { return math.Sqrt(w[0]*x[0]*x[0] + w[1]*x[1]*x[1]) }
	half := HalfSpace{Normal: []float64{-1, -1}} // x1 + x2 ≥ 0, with the equilibrium on its border
	x, y := []float64{-1, 0}, []float64{-1, 0}
	if err := half.Project(x, w); err != nil {
		t.Fatal(err)
	}
	if err := half.Project(y, []float64{1, 1}); err != nil {
		t.Fatal(err)
	}
	near(t, "⟨normal, x⟩", x[0]+x[1], 0, 1e-15)
	if !(length(x) <= 1 && length(y) > 5) {
		t.Errorf("‖x‖_M is %g after the metric's projection and %g after the Euclidean one, from 1", length(x), length(y))
	}
	again := slices.Clone(x)
	if err := half.Project(again, w); err != nil || floats.Distance(x, again, 2) > 1e-15 {
		t.Errorf("a second projection moves %v to %v: %v", x, again, err)
	}
	// Nonexpansive in the metric, for a box and a half space.
	rng := online.Seeded(3, "projection")
	for range 1000 {
		for _, set := range []Set{half, Box{Low: []float64{-.5, -.1}, High: []float64{.5, .1}}} {
			a, b := []float64{rng.NormFloat64(), rng.NormFloat64()}, []float64{rng.NormFloat64(), rng.NormFloat64()}
			before := length([]float64{a[0] - b[0], a[1] - b[1]})
			if set.Project(a, w) != nil || set.Project(b, w) != nil || length([]float64{a[0] - b[0], a[1] - b[1]}) > before+1e-12 {
				t.Fatalf("%T lengthens %g", set, before)
			}
		}
	}
	// In a box, every certified step contracts towards the equilibrium inside.
	g := MiniToy(10, .05)
	c := must[Certificate](t)(CertifyQuadratic(g, nil))
	box := Box{Low: []float64{-.3, -.2}, High: []float64{.3, .2}}
	for _, share := range []float64{.25, .5, .99} {
		e := ProjectedEuler{Step: share * c.EulerStep, Onto: box, Within: &c}
		norms := must[[]float64](t)(must[Trajectory](t)(e.Run(g, []float64{.15, -.15}, 200)).Norms(g, c.Weights, []float64{0, 0}))
		for k := range 200 {
			if norms[k+1] > norms[k]*c.Contraction(e.Step)*(1+1e-12) {
				t.Fatalf("share %g, step %d: %g after %g", share, k, norms[k+1], norms[k])
			}
		}
	}
}

// Derivatives against central differences, on a game with nothing equal: 3 states, 2 and 3 actions, other rewards for each player.
func TestMarkovDerivatives(t *testing.T) {
	g := irregular()
	rng := online.Seeded(5, "logits")
	theta := make([]float64, 3*2+3*3)
	for i := range theta {
		theta[i] = rng.NormFloat64()
	}
	f, high, low := make([]float64, len(theta)), make([]float64, len(theta)), make([]float64, len(theta))
	if err := g.PseudoGradient(f, theta); err != nil {
		t.Fatal(err)
	}
	j := must[*mat.Dense](t)(g.Jacobian(theta))
	const h = 1e-5
	for k := range theta {
		shifted := slices.Clone(theta)
		shifted[k] += h
		above := must[[2]float64](t)(g.Losses(shifted))
		if err := g.PseudoGradient(high, shifted); err != nil {
			t.Fatal(err)
		}
		shifted[k] -= 2 * h
		below := must[[2]float64](t)(g.Losses(shifted))
		if err := g.PseudoGradient(low, shifted); err != nil {
			t.Fatal(err)
		}
		player := int(is(k >= 6))
		near(t, "gradient", f[k], (above[player]-below[player])/(2*h), 1e-8)
		for i := range theta {
			near(t, "Jacobian", j.At(i, k), (high[i]-low[i])/(2*h), 1e-8)
		}
	}
	// The Fisher matrix times the natural gradient is the gradient, and the natural gradient has no shift.
	natural := make([]float64, len(theta))
	if err := g.Natural().PseudoGradient(natural, theta); err != nil {
		t.Fatal(err)
	}
	for player, part := range [][]int{{0, 6}, {6, 15}} {
		var back mat.VecDense
		back.MulVec(must[*mat.SymDense](t)(g.Fisher(theta, player)), mat.NewVecDense(part[1]-part[0], natural[part[0]:part[1]]))
		for i := range part[1] - part[0] {
			near(t, "F·F⁺∇f", back.AtVec(i), f[part[0]+i], 1e-12)
		}
	}
	near(t, "shift", natural[0]+natural[1], 0, 1e-12)
}

// The values that a linear system gives are the fixed point of value iteration.
func TestMarkovValueIteration(t *testing.T) {
	g := irregular()
	theta := []float64{.3, -1, .2, 2, 0, 0, 1, 0, -1, .5, .5, 0, -2, 1, 0}
	p := must[*point](t)(g.at(theta))
	for player := range 2 {
		value := make([]float64, 3)
		for range 2000 { // 0.9²⁰⁰⁰ is below 1e-90
			next := make([]float64, 3)
			for s := range next {
				next[s] = bilinear(p.policy[0][s], g.ahead(s, g.Reward[player][s], value), p.policy[1][s])
			}
			value = next
		}
		for s, v := range value {
			near(t, "value", p.value[player].AtVec(s), v, 1e-12)
		}
	}
	near(t, "occupancy", floats.Sum(p.occupancy), 1, 1e-12)
}

func irregular() *MarkovGame {
	rng := online.Seeded(4, "Markov game")
	g := &MarkovGame{Start: []float64{.5, .2, .3}, Discount: .9, Entropy: .3}
	for range 3 {
		var transition [][][]float64
		var rewards [2][][]float64
		for range 2 {
			var row [][]float64
			var r [2][]float64
			for range 3 {
				p := []float64{rng.Float64(), rng.Float64(), rng.Float64()}
				floats.Scale(1/floats.Sum(p), p)
				row = append(row, p)
				r[0], r[1] = append(r[0], rng.NormFloat64()), append(r[1], rng.NormFloat64())
			}
			transition = append(transition, row)
			rewards[0], rewards[1] = append(rewards[0], r[0]), append(rewards[1], r[1])
		}
		g.Transition = append(g.Transition, transition)
		g.Reward[0], g.Reward[1] = append(g.Reward[0], rewards[0]), append(g.Reward[1], rewards[1])
	}
	return g
}

// Runs allocate for the trajectory, not for their steps.
func TestRunsDoNotAllocate(t *testing.T) {
	g := MiniToy(10, .05)
	start := []float64{.15, -.15}
	box := Box{Low: []float64{-1, -1}, High: []float64{1, 1}}
	for name, run := range map[string]func(steps int) error{
		"ProjectedEuler": func(n int) error { _, err := ProjectedEuler{Step: .01, Onto: box}.Run(g, start, n); return err },
		"RK4":            func(n int) error { _, err := RK4{Step: .01}.Run(g, start, n); return err },
	} {
		count := func(steps int) float64 {
			return testing.AllocsPerRun(20, func() {
				if err := run(steps); err != nil {
					t.Fatal(err)
				}
			})
		}
		if few, many := count(10), count(1000); few != many {
			t.Errorf("%s: %g allocations in 10 steps, %g in 1000", name, few, many)
		}
	}
}
