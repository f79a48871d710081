package game

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// RK4Constant is C of the certified step h ≤ C/β of the classical Runge–Kutta method. Its stability polynomial is below 1 in
// modulus on the left half disc of radius 2.616, so that 2.5 is safe for every linear game with a positive margin. It bounds
// the spectral radius of a step: a single step may lengthen ‖·‖_w.
//
// Source: the paper's code, with the radius computed here.
const RK4Constant = 2.5

// Certificate is what is known of a game, as plain data: written as JSON it can be checked without this library.
//
// The margin: with S_ii = Mu[i] and S_ij = −½(L[i][j]√(w_i/w_j) + L[j][i]√(w_j/w_i)), check for every row that
// Σ_j S_ij Witness[j] ≥ Alpha·Witness[i], to 9 digits, and that the witness is positive. As no S_ij off the diagonal is positive,
// this bounds the smallest eigenvalue of S from below by Alpha. The steps follow from Alpha and Beta. What rests on the game
// itself are Mu, L and Beta.
type Certificate struct {
	GameBounds
	Weights        []float64 `json:"weights"`         // of the metric, one a player, the first 1 where they were chosen here
	Witness        []float64 `json:"witness"`         // proves Alpha, see above; its largest value is 1
	SpectralRadius float64   `json:"spectral_radius"` // of diag(1/μ)L; weights that certify exist exactly where it is below 1
	Alpha          float64   `json:"alpha"`           // α*: the flow ẋ = −F contracts at this rate in the metric
	Beta           float64   `json:"beta"`            // Lipschitz constant of F in the metric
	EulerStep      float64   `json:"euler_step"`      // 2α/β²: every smaller step contracts; 0 where not certified
	RK4Step        float64   `json:"rk4_step"`        // 2.5/β; 0 where not certified
	Certified      bool      `json:"certified"`       // whether Alpha is positive
	// Points is over how many points Mu, L and Beta were taken; 0: they hold everywhere. Between points they are an estimate.
	Points int `json:"points"`
}

// certify completes a certificate.
func certify(b GameBounds, weights []float64, points int, beta func(weights []float64) (float64, error)) (Certificate, error) {
	if err := b.Validate(); err != nil {
		return Certificate{}, err
	}
	c := Certificate{GameBounds: b, Weights: weights, Points: points}
	var err error
	if weights == nil {
		c.Weights, c.Alpha, err = BestWeights(b)
	} else {
		c.Alpha, err = Margin(b, weights)
	}
	if err != nil {
		return Certificate{}, err
	}
	if c.SpectralRadius, err = b.SpectralRadius(); err != nil {
		return Certificate{}, err
	}
	if c.Witness, err = b.witness(c.Weights, c.Alpha); err != nil {
		return Certificate{}, err
	}
	if c.Beta, err = beta(c.Weights); err != nil {
		return Certificate{}, err
	}
	if c.Certified = c.Alpha > 0; c.Certified {
		c.EulerStep, c.RK4Step = 2*c.Alpha/(c.Beta*c.Beta), RK4Constant/c.Beta
	}
	return c, nil
}

// CertifyQuadratic certifies a quadratic game everywhere, with the given weights or, where they are nil, the best ones.
func CertifyQuadratic(g QuadraticGame, weights []float64) (Certificate, error) {
	b, err := g.Bounds()
	if err != nil {
		return Certificate{}, err
	}
	return certify(b, weights, 0, g.Lipschitz)
}

// CertifyRegion takes the worst curvatures and couplings over sample points, such as [Vertices], and β as the largest norm of
// the Jacobian there; weights as in [CertifyQuadratic]. Between the points nothing is proven.
func CertifyRegion(g Game, points [][]float64, weights []float64) (Certificate, error) {
	if len(points) == 0 {
		return Certificate{}, errors.New("game: CertifyRegion: there are no points, must be at least 1")
	}
	if _, err := blocksOf(g); err != nil {
		return Certificate{}, err
	}
	all := make([]QuadraticGame, len(points))
	var worst GameBounds
	for k, x := range points {
		local, err := g.Linearise(x)
		if err != nil {
			return Certificate{}, fmt.Errorf("game: CertifyRegion: point %d: %w", k, err)
		}
		b, err := local.Bounds()
		if err != nil {
			return Certificate{}, fmt.Errorf("game: CertifyRegion: point %d: %w", k, err)
		}
		all[k] = local
		if k == 0 {
			worst = b
			continue
		}
		for i := range b.Mu {
			worst.Mu[i] = math.Min(worst.Mu[i], b.Mu[i])
			for j := range b.Mu {
				worst.L[i][j] = math.Max(worst.L[i][j], b.L[i][j])
			}
		}
	}
	return certify(worst, weights, len(points), func(w []float64) (beta float64, err error) {
		for _, local := range all {
			norm, err := local.Lipschitz(w)
			if err != nil {
				return 0, err
			}
			beta = math.Max(beta, norm)
		}
		return beta, nil
	})
}

// Vertices are the 2^d corners of the cube of a radius around a center of at most 16 coordinates.
func Vertices(center []float64, radius float64) ([][]float64, error) {
	if d := len(center); d < 1 || d > 16 {
		return nil, fmt.Errorf("game: Vertices: center has %d coordinates, must have between 1 and 16", d)
	}
	if !(radius >= 0) || math.IsInf(radius, 0) {
		return nil, fmt.Errorf("game: Vertices: radius is %g, must be at least 0 and finite", radius)
	}
	out := make([][]float64, 1<<len(center))
	for k := range out {
		out[k] = make([]float64, len(center))
		for i, c := range center {
			out[k][i] = c + radius*float64(2*(k>>i&1)-1)
		}
	}
	return out, nil
}

// Contraction is √(1 − 2αh + β²h²), the factor by which an Euler step h shortens the distance to the equilibrium, at least.
func (c Certificate) Contraction(h float64) float64 {
	return math.Sqrt(math.Max(0, 1-2*c.Alpha*h+c.Beta*c.Beta*h*h))
}

// ErrUncertified is wrapped where a certificate was asked for and there is none.
var ErrUncertified = errors.New("not certified")

// Require is nil where the game is certified; else it says by how much the small-gain condition, or the margin of weights
// that were badly chosen, fails.
func (c Certificate) Require() error {
	switch {
	case c.Certified:
		return nil
	case c.SpectralRadius >= 1:
		return fmt.Errorf("game: Certificate: %w: the small-gain condition is infeasible: the spectral radius of diag(1/μ)L is %.9g, must be below 1", ErrUncertified, c.SpectralRadius)
	default:
		return fmt.Errorf("game: Certificate: %w: the margin at weights %v is %.9g, must be positive; other weights would do: the spectral radius of diag(1/μ)L is %.9g", ErrUncertified, c.Weights, c.Alpha, c.SpectralRadius)
	}
}

// Check repeats the check of the data that the documentation of [Certificate] describes: margin, steps and verdict follow
// from Mu, L, Weights, Witness and Beta, to a relative error of 10⁻⁹.
func (c Certificate) Check() error {
	n := len(c.Mu)
	if err := errors.Join(c.Validate(), validWeights(c.Weights, n)); err != nil {
		return err
	}
	if len(c.Witness) != n || !(floats.Min(c.Witness) > 0) {
		return fmt.Errorf("game: Certificate: Witness is %v, must be %d positive values", c.Witness, n)
	}
	var errs []error
	s := c.scaled(c.Weights)
	slack := 1e-9 * (1 + mat.Norm(s, 1))
	for i := range n {
		sum := 0.0
		for j := range n {
			sum += s.At(i, j) * c.Witness[j]
		}
		if !(sum >= (c.Alpha-slack)*c.Witness[i]) {
			errs = append(errs, fmt.Errorf("game: Certificate: Alpha is %g, but row %d of the witness proves only %g", c.Alpha, i, sum/c.Witness[i]))
		}
	}
	if c.Certified != (c.Alpha > 0) {
		errs = append(errs, fmt.Errorf("game: Certificate: Certified is %t at Alpha %g", c.Certified, c.Alpha))
	}
	euler, rk4 := 0.0, 0.0
	if c.Certified {
		euler, rk4 = 2*c.Alpha/(c.Beta*c.Beta), RK4Constant/c.Beta
	}
	if !(c.EulerStep <= euler*(1+1e-9)) || !(c.RK4Step <= rk4*(1+1e-9)) {
		errs = append(errs, fmt.Errorf("game: Certificate: EulerStep and RK4Step are %g and %g, must be at most %g and %g", c.EulerStep, c.RK4Step, euler, rk4))
	}
	return errors.Join(errs...)
}

// admits refuses a step of Euler's method outside the open interval (0, EulerStep).
func (c *Certificate) admitsEuler(h float64) error {
	if c == nil {
		return nil
	}
	if err := c.Require(); err != nil {
		return err
	}
	if !(h > 0 && h < c.EulerStep) {
		return fmt.Errorf("game: Certificate: the step is %.9g, must be between 0 and %.9g (both left out) to be certified", h, c.EulerStep)
	}
	return nil
}

// admitsRK4 refuses a Runge–Kutta step outside (0, RK4Step].
func (c *Certificate) admitsRK4(h float64) error {
	if c == nil {
		return nil
	}
	if err := c.Require(); err != nil {
		return err
	}
	if !(h > 0 && h <= c.RK4Step) {
		return fmt.Errorf("game: Certificate: the step is %.9g, must be above 0 and at most %.9g to be certified", h, c.RK4Step)
	}
	return nil
}
