// Package curvature measures and inverts the curvature of a loss.
//
// An [Operator] is a symmetric matrix that is known by its products with vectors:
//
//	| operator                       | a product costs           | for                                             |
//	|--------------------------------|---------------------------|-------------------------------------------------|
//	| [Landscape.Hessian]            | 2 to 4 gradients          | any loss of GoMLX, on any backend               |
//	| [FiniteDifferenceHessian]      | 2 gradients               | a loss that is known by its gradient            |
//	| [Network.GaussNewton]          | about 4 gradients         | the Hessian without the model's own curvature   |
//	| [GradientNoise.Covariance]     | 2·n·p multiply-adds       | the noise of SGD, from n examples' gradients    |
//	| [DenseOperator]                | p²                        | a matrix                                        |
//
// and these measure one of p dimensions:
//
//	| what                           | products          | memory      | finds                                       |
//	|--------------------------------|-------------------|-------------|---------------------------------------------|
//	| [Trace]                        | probes            | p           | tr A and ‖A‖_F², with their errors          |
//	| [PowerIteration]               | iterations        | p           | the eigenvalue of largest modulus           |
//	| [Lanczos]                      | steps             | p·steps     | both ends, with bounds; Ritz vectors        |
//	| [SpectralDensity]              | probes·steps      | p·steps     | all eigenvalues' density, tr f(A)           |
//	| [Operator.Dense]               | p                 | p²          | the matrix                                  |
//
// A [Jacobian] has the gradients of a model's outputs and their kernel, whose eigenvalues are the Gauss–Newton matrix's.
// [GradientNoise] is how examples' gradients scatter: its trace, spectrum, alignment with a curvature; [BatchNoise] and
// [NoiseFromTwoBatches] are what minibatches see of it. Vectors are flat, in the order that [Flat] tells.
//
// GoMLX v0.28.2 has no second derivative of convolutions, of windows' maxima and of slices; of dynamic slices, which XLA
// alone has, it does. So products are exact for the networks of lib/nets but the residual ones, on XLA, and for the MLP
// everywhere; else they are central differences of gradients in float64, as [Operator.Note] says, right to about 1e-7.
//
// Inverse-Fisher products (M-FAC): with m gradients g_1 … g_m of d entries, the damped empirical Fisher matrix is
// F = λI + (1/m) Σ g_i g_iᵀ. Neither F nor its inverse is ever formed.
//
//	| what                   | set-up       | product   | memory       | for                              |
//	|------------------------|--------------|-----------|--------------|----------------------------------|
//	| [InverseFisher]        | d·m·(m+1)    | 2·d·m     | d·m          | pruning: diagonal, entries, F⁻¹x |
//	| [WindowFisher]         | d·m + m³     | 2·d·m+m²  | d·m + m²     | a window that slides as one trains |
//
// [NewPagedInverseFisher] takes gradients page by page where they do not fit. [PruneOBS] prunes with the first, [PruneMagnitude] and [PruneDiagonalFisher] are what it must beat.
//
// A [Landscape] is a loss around given weights: its Hessian and gradients, its [Sharpness] as SAM defines it, and the loss on a
// plane of random directions. [Sharpness] and [HessianVector] build the same inside other graphs.
//
// Counts are multiply-adds. Source: Frantar, Kurtic, Alistarh (2021), M-FAC: Efficient Matrix-Free Approximations of
// Second-Order Information; of the others see there.
package curvature
