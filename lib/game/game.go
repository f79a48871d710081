package game

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Game is a differentiable game. Points are flat: the first player's block, then the second's, and so on.
type Game interface {
	// Players is the size of each player's block.
	Players() []int
	// PseudoGradient writes F(x), the players' own gradients, to dst, which may not be x.
	PseudoGradient(dst, x []float64) error
	// Linearise is the quadratic game with the Jacobian of F at x, in coordinates where each player's own metric is the
	// identity: ∇F(x) itself for Euclidean players.
	Linearise(x []float64) (QuadraticGame, error)
}

var (
	_ Game = QuadraticGame{}
	_ Game = (*MarkovGame)(nil)
	_ Game = Natural{}
)

// blocksOf is Players of a game that may be nil.
func blocksOf(g Game) ([]int, error) {
	if g == nil {
		return nil, errors.New("game: the game is nil")
	}
	blocks := g.Players()
	_, err := dimension(blocks)
	return blocks, err
}

// dimension of a game; an error where its blocks are not sizes.
func dimension(blocks []int) (d int, err error) {
	if len(blocks) < 2 {
		return 0, fmt.Errorf("game: blocks: there are %d players, must be at least 2", len(blocks))
	}
	for i, size := range blocks {
		if size < 1 {
			return 0, fmt.Errorf("game: blocks: size %d of player %d, must be at least 1", size, i+1)
		}
		d += size
	}
	return d, nil
}

// QuadraticGame is the game of losses f_i with the pseudo-gradient F(x) = Hx + Offset.
type QuadraticGame struct {
	H      *mat.Dense // d×d, finite; the block H_ij is ∇²f_i in x_i and x_j
	Blocks []int      // sizes of the players' blocks, which add up to d
	Offset []float64  // d values; nil: 0, so that the equilibrium is 0
}

// Validate says what is wrong with the shapes and values.
func (g QuadraticGame) Validate() error {
	d, err := dimension(g.Blocks)
	if err != nil {
		return err
	}
	if g.H == nil {
		return errors.New("game: QuadraticGame: H is nil")
	}
	if r, c := g.H.Dims(); r != d || c != d {
		return fmt.Errorf("game: QuadraticGame: H is %d×%d, must be %d×%d as the blocks %v say", r, c, d, d, g.Blocks)
	}
	if g.Offset != nil && len(g.Offset) != d {
		return fmt.Errorf("game: QuadraticGame: Offset has %d values, must have %d", len(g.Offset), d)
	}
	for i := range d {
		for j, v := range g.H.RawRowView(i) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("game: QuadraticGame: H[%d][%d] is %g, must be finite", i, j, v)
			}
		}
	}
	return nil
}

// Players implements [Game].
func (g QuadraticGame) Players() []int { return g.Blocks }

// PseudoGradient implements [Game]; it does not allocate.
func (g QuadraticGame) PseudoGradient(dst, x []float64) error {
	if g.H == nil {
		return errors.New("game: QuadraticGame: H is nil")
	}
	if d, _ := g.H.Dims(); len(x) != d || len(dst) != d {
		return fmt.Errorf("game: QuadraticGame: PseudoGradient: dst and x have %d and %d values, must have %d", len(dst), len(x), d)
	}
	for i := range dst {
		dst[i] = floats.Dot(g.H.RawRowView(i), x)
		if g.Offset != nil {
			dst[i] += g.Offset[i]
		}
	}
	return nil
}

// Linearise implements [Game]: the same H everywhere.
func (g QuadraticGame) Linearise(x []float64) (QuadraticGame, error) {
	if err := g.Validate(); err != nil {
		return QuadraticGame{}, err
	}
	if d, _ := g.H.Dims(); len(x) != d {
		return QuadraticGame{}, fmt.Errorf("game: QuadraticGame: Linearise: x has %d values, must have %d", len(x), d)
	}
	return QuadraticGame{H: g.H, Blocks: g.Blocks}, nil
}

// Bounds are the exact curvatures and couplings. A curvature may come out not positive: [GameBounds.Validate] says so.
func (g QuadraticGame) Bounds() (GameBounds, error) {
	if err := g.Validate(); err != nil {
		return GameBounds{}, err
	}
	b := GameBounds{Mu: make([]float64, len(g.Blocks)), L: make([][]float64, len(g.Blocks))}
	var err error
	for i := range g.Blocks {
		b.L[i] = make([]float64, len(g.Blocks))
		for j := range g.Blocks {
			if i == j {
				b.Mu[i], err = smallest(symmetricPart(g.block(i, i)))
			} else {
				b.L[i][j], err = spectralNorm(g.block(i, j))
			}
			if err != nil {
				return GameBounds{}, err
			}
		}
	}
	return b, nil
}

// block is H_ij.
func (g QuadraticGame) block(i, j int) mat.Matrix {
	begin := func(k int) (at int) {
		for _, size := range g.Blocks[:k] {
			at += size
		}
		return at
	}
	r, c := begin(i), begin(j)
	return g.H.Slice(r, r+g.Blocks[i], c, c+g.Blocks[j])
}

// in is M^½ H M^−½ in the metric of one weight a player; nil: ones.
func (g QuadraticGame) in(weights []float64) (*mat.Dense, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if weights == nil {
		return g.H, nil
	}
	if err := validWeights(weights, len(g.Blocks)); err != nil {
		return nil, err
	}
	return inMetric(g.H, spread(weights, g.Blocks)), nil
}

// TrueMargin is the largest α with ⟨F(x)−F(y), x−y⟩_w ≥ α‖x−y‖_w². Weights nil: the Euclidean margin, λ_min of sym(H).
func (g QuadraticGame) TrueMargin(weights []float64) (float64, error) {
	a, err := g.in(weights)
	if err != nil {
		return 0, err
	}
	return smallest(symmetricPart(a))
}

// Lipschitz is β, the norm of H in the metric of the weights; nil: Euclidean.
func (g QuadraticGame) Lipschitz(weights []float64) (float64, error) {
	a, err := g.in(weights)
	if err != nil {
		return 0, err
	}
	return spectralNorm(a)
}

// InMetric is M^½ H M^−½: the game in coordinates where the metric of the weights is Euclidean.
func (g QuadraticGame) InMetric(weights []float64) (*mat.Dense, error) {
	a, err := g.in(weights)
	if err != nil {
		return nil, err
	}
	return mat.DenseCopyOf(a), nil
}

// Coupled is the two-player game [[Q1, toFirst], [toSecond, Q2]]: toFirst moves player 1's gradient with x_2.
func Coupled(q1, q2, toFirst, toSecond mat.Matrix) (QuadraticGame, error) {
	if q1 == nil || q2 == nil || toFirst == nil || toSecond == nil {
		return QuadraticGame{}, errors.New("game: Coupled: a matrix is nil")
	}
	d1, c1 := q1.Dims()
	d2, c2 := q2.Dims()
	r12, c12 := toFirst.Dims()
	r21, c21 := toSecond.Dims()
	if d1 != c1 || d2 != c2 || r12 != d1 || c12 != d2 || r21 != d2 || c21 != d1 {
		return QuadraticGame{}, fmt.Errorf("game: Coupled: Q1 is %d×%d, Q2 %d×%d, toFirst %d×%d, toSecond %d×%d, which do not fit", d1, c1, d2, c2, r12, c12, r21, c21)
	}
	h := mat.NewDense(d1+d2, d1+d2, nil)
	h.Slice(0, d1, 0, d1).(*mat.Dense).Copy(q1)
	h.Slice(d1, d1+d2, d1, d1+d2).(*mat.Dense).Copy(q2)
	h.Slice(0, d1, d1, d1+d2).(*mat.Dense).Copy(toFirst)
	h.Slice(d1, d1+d2, 0, d1).(*mat.Dense).Copy(toSecond)
	return QuadraticGame{H: h, Blocks: []int{d1, d2}}, nil
}

// MiniToy is the game of two numbers with f1 = ½x1² + a x1 x2 and f2 = ½x2² + b x1 x2.
//
// Source: the paper's mini-toy, with a = 10 and b = 0.05.
func MiniToy(a, b float64) QuadraticGame {
	return QuadraticGame{H: mat.NewDense(2, 2, []float64{1, a, b, 1}), Blocks: []int{1, 1}}
}

// RandomOrthogonal is a d×d matrix of the uniform distribution on the orthogonal group.
func RandomOrthogonal(d int, rng *rand.Rand) (*mat.Dense, error) {
	g, err := gaussian(d, rng)
	if err != nil {
		return nil, err
	}
	var qr mat.QR
	qr.Factorize(g)
	var q, r mat.Dense
	qr.QTo(&q)
	qr.RTo(&r)
	q.Apply(func(_, j int, v float64) float64 { return math.Copysign(v, v*r.At(j, j)) }, &q)
	return &q, nil
}

// RandomCoupling is a d×d Gaussian matrix divided by its spectral norm.
func RandomCoupling(d int, rng *rand.Rand) (*mat.Dense, error) {
	g, err := gaussian(d, rng)
	if err != nil {
		return nil, err
	}
	norm, err := spectralNorm(g)
	if err != nil {
		return nil, err
	}
	g.Scale(1/norm, g)
	return g, nil
}

// RandomCurvature is RᵀR + I with a d×d Gaussian R.
func RandomCurvature(d int, rng *rand.Rand) (*mat.Dense, error) {
	r, err := gaussian(d, rng)
	if err != nil {
		return nil, err
	}
	var q mat.Dense
	q.Mul(r.T(), r)
	for i := range d {
		q.Set(i, i, q.At(i, i)+1)
	}
	return &q, nil
}

func gaussian(d int, rng *rand.Rand) (*mat.Dense, error) {
	if d < 1 {
		return nil, fmt.Errorf("game: random matrix: d is %d, must be at least 1", d)
	}
	if rng == nil {
		return nil, errors.New("game: random matrix: rng is nil")
	}
	g := mat.NewDense(d, d, nil)
	g.Apply(func(_, _ int, _ float64) float64 { return rng.NormFloat64() }, g)
	return g, nil
}

// Family is a two-player game whose couplings grow with λ: [[Q1, λ·ToFirst], [λ·ToSecond, Q2]].
type Family struct{ Q1, Q2, ToFirst, ToSecond *mat.Dense }

// At is the game at a λ.
func (f Family) At(lambda float64) (QuadraticGame, error) {
	if f.Q1 == nil || f.Q2 == nil || f.ToFirst == nil || f.ToSecond == nil {
		return QuadraticGame{}, errors.New("game: Family: a matrix is nil")
	}
	var first, second mat.Dense
	first.Scale(lambda, f.ToFirst)
	second.Scale(lambda, f.ToSecond)
	return Coupled(f.Q1, f.Q2, &first, &second)
}

// LinearQuadratic is the structured family with blocks of d: Q = I, ToFirst = a((1−ε)R + εG), ToSecond = b((1−ε)Rᵀ + εG′) with
// R random orthogonal and G, G′ of [RandomCoupling]. ε = 0 is the paper's game, ε = 1 pure noise.
//
// Source: the paper's LQ game, with d = 32, a = 10, b = 0.05.
func LinearQuadratic(d int, a, b, noise float64, rng *rand.Rand) (Family, error) {
	if !(noise >= 0 && noise <= 1) {
		return Family{}, fmt.Errorf("game: LinearQuadratic: noise is %g, must be between 0 and 1", noise)
	}
	r, err := RandomOrthogonal(d, rng)
	if err != nil {
		return Family{}, err
	}
	var parts [2]*mat.Dense
	for k, structured := range []mat.Matrix{r, r.T()} {
		g, err := RandomCoupling(d, rng)
		if err != nil {
			return Family{}, err
		}
		scale := []float64{a, b}[k]
		g.Apply(func(i, j int, v float64) float64 { return scale * ((1-noise)*structured.At(i, j) + noise*v) }, g)
		parts[k] = g
	}
	identity := func() *mat.Dense {
		q := mat.NewDense(d, d, nil)
		for i := range d {
			q.Set(i, i, 1)
		}
		return q
	}
	return Family{identity(), identity(), parts[0], parts[1]}, nil
}

// RandomFamily has Q_i of [RandomCurvature] and couplings of [RandomCoupling] times a and b, all with blocks of d.
//
// Source: the paper's random suite, with d = 32, a = 10, b = 0.05.
func RandomFamily(d int, a, b float64, rng *rand.Rand) (Family, error) {
	var f Family
	for _, part := range []struct {
		to    **mat.Dense
		draw  func(int, *rand.Rand) (*mat.Dense, error)
		scale float64
	}{{&f.Q1, RandomCurvature, 1}, {&f.Q2, RandomCurvature, 1}, {&f.ToFirst, RandomCoupling, a}, {&f.ToSecond, RandomCoupling, b}} {
		m, err := part.draw(d, rng)
		if err != nil {
			return Family{}, err
		}
		m.Scale(part.scale, m)
		*part.to = m
	}
	return f, nil
}
