// Package linsolve solves sparse symmetric positive definite systems A x = b by iterations whose speed depends on a parameter
// ω, and makes sequences of such systems, in which package bandit's learners choose ω.
//
//	method    iteration                                         stops at              cost of an iteration
//	SOR       x ← x + (D/ω + L)⁻¹(b − A x)                      ‖b − A x‖ < ε‖b − A x0‖  a sweep and a residual
//	CG        conjugate gradients                               ‖b − A x‖ ≤ ε‖b‖         a product
//	SSORPCG   CG with M = (D + ωL)ᵀD⁻¹(D + ωL)/(ω(2−ω))         ‖b − A x‖ ≤ ε‖b‖         a product and two sweeps
//	Direct    Cholesky factors in the band                      –                        –
//
// A = D + L + Lᵀ is any gonum mat.Matrix. [CSR] holds sparse ones; [FivePoint] is the five-point stencil on a square grid,
// which is relaxed without a matrix in memory, in the same order and with the same iterates.
//
// The theory of ω is there as well: [JacobiRadius], [OptimalOmega] and [SORSpectralRadius] (Young), the near-asymptotic bound
// of Khodak et al. ([NearAsymptoticBound]) and the bound of SSORPCG by condition numbers ([SSORBound]).
//
// [Sequence] and [HeatSequence] are environments of package online: the learner's action is an ω of a grid, its loss the
// number of iterations. [Heat2D] is the simulation behind the second.
//
//	a, err := linsolve.GridLaplacian(11, 0) // 10×10 unknowns
//	beta, err := linsolve.JacobiRadius(a)
//	omega, err := linsolve.OptimalOmega(beta)
//	r, err := linsolve.SOR(a, b, nil, omega, linsolve.Options{})
//	// r.X, r.Iterations, r.Converged
package linsolve
