// Package curvature measures and inverts the curvature of a loss.
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
// A [Landscape] is a loss around given weights: its [Sharpness] as SAM defines it, the Hessian's largest eigenvalue, and
// the loss on a plane of random directions. [Sharpness] and [HessianVector] build the same inside other graphs.
//
// Counts are multiply-adds. Source: Frantar, Kurtic, Alistarh (2021), M-FAC: Efficient Matrix-Free Approximations of
// Second-Order Information.
package curvature
