package experts

import (
	"errors"
	"fmt"
	"math"

	"github.com/hindsight-go/hindsight/lib/online"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

var _ online.Learner[[]float64, float64, float64] = (*OnlineRidge)(nil)

// errActFirst refuses feedback on nothing.
var errActFirst = errors.New("Learn without Act")

// RidgeOptions of [OnlineRidge].
type RidgeOptions struct {
	// L2 is the penalty λ on ‖θ‖², positive. 0: 1, the paper's.
	L2 float64
	// Clip cuts predictions to [0, 1]; the weights do not notice. The paper's runs do not clip.
	Clip bool
}

// OnlineRidge predicts ⟨θ, x⟩ with the θ that minimizes λ‖θ‖² + Σ (⟨θ, x⟩ − y)² over the rounds so far: follow the leader
// with ridge, by the formula of Sherman and Morrison. There is no intercept. The context is x, the feedback y.
//
// Its state is d² + O(d) numbers.
//
// Source: Acharya et al. (2024), section 4; V. Vovk (2001), Competitive On-line Statistics, for the regret of its kind.
type OnlineRidge struct {
	options RidgeOptions
	inverse blas64.Symmetric // (λI + Σ x xᵀ)⁻¹
	theta   blas64.Vector
	x, gain blas64.Vector
	raw     float64 // the prediction before it was clipped
	acted   bool
	round   int
}

// NewOnlineRidge makes one for d features, d at least 1.
func NewOnlineRidge(d int, o RidgeOptions) (*OnlineRidge, error) {
	if o.L2 == 0 {
		o.L2 = 1
	}
	var errs []error
	if d < 1 {
		errs = append(errs, fmt.Errorf("experts: NewOnlineRidge: d is %d, must be at least 1", d))
	}
	if !(o.L2 > 0 && o.L2 <= math.MaxFloat64) {
		errs = append(errs, fmt.Errorf("experts: NewOnlineRidge: L2 is %g, must be positive and finite, or 0 for 1", o.L2))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	vector := func() blas64.Vector { return blas64.Vector{N: d, Inc: 1, Data: make([]float64, d)} }
	r := &OnlineRidge{options: o, theta: vector(), x: vector(), gain: vector(), round: 1,
		inverse: blas64.Symmetric{N: d, Stride: d, Uplo: blas.Upper, Data: make([]float64, d*d)}}
	for i := range d {
		r.inverse.Data[i*d+i] = 1 / o.L2
	}
	return r, nil
}

// Theta is a copy of the weights.
func (r *OnlineRidge) Theta() []float64 { return append([]float64(nil), r.theta.Data...) }

// Act predicts the label of x, which must be finite.
func (r *OnlineRidge) Act(x []float64) (float64, error) {
	if len(x) != r.x.N {
		return 0, fmt.Errorf("experts: OnlineRidge: round %d: x has %d features, must have %d", r.round, len(x), r.x.N)
	}
	for j, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, fmt.Errorf("experts: OnlineRidge: round %d: feature %d is %g, must be finite", r.round, j, v)
		}
	}
	copy(r.x.Data, x)
	r.acted = true
	r.raw = blas64.Dot(r.theta, r.x)
	if r.options.Clip {
		return math.Min(math.Max(r.raw, 0), 1), nil
	}
	return r.raw, nil
}

// Learn takes the label, which must be finite.
func (r *OnlineRidge) Learn(y float64) error {
	if !r.acted {
		return fmt.Errorf("experts: OnlineRidge: round %d: %w", r.round, errActFirst)
	}
	if math.IsNaN(y) || math.IsInf(y, 0) {
		return fmt.Errorf("experts: OnlineRidge: round %d: the label is %g, must be finite", r.round, y)
	}
	r.acted = false
	r.round++
	blas64.Symv(1, r.inverse, r.x, 0, r.gain)
	scale := 1 / (1 + blas64.Dot(r.x, r.gain))
	blas64.Syr(-scale, r.gain, r.inverse)
	// θ + P_old·x·(y − ⟨θ, x⟩)/(1 + xᵀP_old·x) is P_new·b, without the product.
	blas64.Axpy((y-r.raw)*scale, r.gain, r.theta)
	return nil
}
