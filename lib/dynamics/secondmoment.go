package dynamics

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// SecondMomentOperator is the map T from E δδᵀ before a step of linearised SGD to E δδᵀ after it, δ the distance from an
// interpolating minimum of half the square loss:
//
//	δ ← δ − (η/B) Σ ∇f_i∇f_iᵀ δ over a batch,   T(C) = C − η(HC + CH) + η²[c·E(∇f∇fᵀ C ∇f∇fᵀ) + (1 − c)HCH]
//
// with H = E ∇f∇fᵀ and c = 1/B, or (n − B)/(B(n − 1)) for batches without replacement. T is self-adjoint and keeps positive
// semi-definite matrices so.
type SecondMomentOperator struct {
	Gradients   *mat.Dense // ∇f_i, one a row
	Rate        float64    // η > 0
	Batch       int        // B ≥ 1, without replacement at most as many as gradients
	Replacement bool       // batches are drawn with it
}

// Apply is T(C) for a C with as many rows as gradients have entries.
func (o SecondMomentOperator) Apply(c mat.Symmetric) (*mat.SymDense, error) {
	share, err := ownShare("SecondMomentOperator", o.Gradients, o.Batch, o.Replacement)
	if err := errors.Join(err, o.validRate()); err != nil {
		return nil, err
	}
	n, p := o.Gradients.Dims()
	if c == nil || c.SymmetricDim() != p {
		return nil, fmt.Errorf("dynamics: SecondMomentOperator: the matrix must be %d×%d, as gradients have entries", p, p)
	}
	square := batchSquare(o.Gradients, share, c)
	var right, hc mat.Dense
	right.Mul(o.Gradients, c)
	hc.Mul(o.Gradients.T(), &right)
	out := mat.NewSymDense(p, nil)
	for i := range p {
		for j := i; j < p; j++ {
			linear := (hc.At(i, j) + hc.At(j, i)) / float64(n)
			out.SetSym(i, j, c.At(i, j)-o.Rate*linear+o.Rate*o.Rate*(square.At(i, j)+square.At(j, i))/2)
		}
	}
	return out, nil
}

// SpectralRadius of T on the range of H: E‖δ‖² stays bounded exactly if it is at most 1. Off the range T has the eigenvalue
// 1, of directions that do not move, whatever the rate. It is 0 where all gradients are 0.
func (o SecondMomentOperator) SpectralRadius(ctx context.Context) (float64, error) {
	const who = "SecondMomentOperator: SpectralRadius"
	if err := o.validRate(); err != nil {
		return 0, err
	}
	r, err := inRange(who, o.Gradients, o.Batch, o.Replacement)
	if err != nil || len(r.values) == 0 {
		return 0, err
	}
	d := len(r.values)
	start := mat.NewDense(d, d, nil)
	for i := range d {
		start.Set(i, i, 1)
	}
	return r.largest(ctx, who, start, func(out, c *mat.Dense) {
		square := batchSquare(r.rows, r.share, c)
		out.Apply(func(i, j int, v float64) float64 {
			return (1-o.Rate*(r.values[i]+r.values[j]))*v + o.Rate*o.Rate*square.At(i, j)
		}, c)
	})
}

func (o SecondMomentOperator) validRate() error {
	if !(o.Rate > 0) || math.IsInf(o.Rate, 0) {
		return fmt.Errorf("dynamics: SecondMomentOperator: Rate is %g, must be positive and finite", o.Rate)
	}
	return nil
}
