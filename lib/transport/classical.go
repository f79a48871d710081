package transport

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// FromClassicalPotential makes the bridge of variance eps > 0 whose classical potential φ(y) = v(y)·exp(‖y‖²/2ε) is the
// mixture Σ_k weights_k N(y; means_k, covs_k), with positive weights that need not sum to 1:
//
//	S = (εΣ⁻¹ + I)⁻¹,  r = ε S Σ⁻¹ μ,
//	log α = log β − ½ log det(2πΣ) − ½ μᵀΣ⁻¹μ + ½ log det(2πεS) + ½ rᵀS⁻¹r/ε
//
// Every S is below I then, which bridges in general need not be. A covariance that is diagonal gives a diagonal S.
//
// Source: Korotin, Gushchin, Burnaev (2024), Light Schrödinger Bridge; Gushchin et al. (2023), Building the Bridge
// of Schrödinger, for such potentials.
func FromClassicalPotential(weights []float64, means [][]float64, covs []mat.Symmetric, eps float64) (*Bridge, error) {
	if len(weights) == 0 || len(means) != len(weights) || len(covs) != len(weights) {
		return nil, fmt.Errorf("transport: FromClassicalPotential: there are %d weights, %d means and %d covs, must be equally many and at least 1",
			len(weights), len(means), len(covs))
	}
	if err := checkEpsilon("FromClassicalPotential", "eps", eps); err != nil {
		return nil, err
	}
	var errs []error
	components := make([]Component, len(weights))
	for k := range weights {
		var err error
		components[k], err = fromClassical(k, weights[k], means[k], covs[k], eps)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return NewBridge(eps, components)
}

func fromClassical(k int, weight float64, mean []float64, cov mat.Symmetric, eps float64) (Component, error) {
	var err error
	if !(weight > 0) || math.IsInf(weight, 1) {
		err = fmt.Errorf("transport: FromClassicalPotential: weight %d is %g, must be positive and finite", k, weight)
	}
	sigma, u, errCov := spectrum(fmt.Sprintf("FromClassicalPotential: cov %d", k), cov, len(mean))
	if err := errors.Join(err, errCov); err != nil {
		return Component{}, err
	}
	dim := len(mean)
	p := part{u: u}
	m, rho := make([]float64, dim), make([]float64, dim)
	p.rotate(m, mean)
	c := Component{LogAlpha: math.Log(weight), R: make([]float64, dim)}
	for d, v := range sigma {
		s := v / (v + eps)
		rho[d] = eps * m[d] / (v + eps)
		// ½ rᵀS⁻¹r/ε − ½ μᵀΣ⁻¹μ = −½ μ²/(σ+ε), without the difference.
		c.LogAlpha += (math.Log(eps*s/v) - m[d]*m[d]/(v+eps)) / 2
	}
	p.addBack(c.R, 1, rho)
	if u == nil {
		diagonal := mat.NewDiagDense(dim, nil)
		for d, v := range sigma {
			diagonal.SetDiag(d, v/(v+eps))
		}
		c.S = diagonal
		return c, nil
	}
	c.S = function(sigma, u, func(v float64) float64 { return v / (v + eps) })
	return c, nil
}
