// Package game certifies that simple dynamics find the Nash equilibrium of a differentiable game, by the block small-gain
// condition. Each player i minimises its own loss over its own block x_i; the stacked gradients are the pseudo-gradient F.
// Two kinds of numbers describe the game on a region: the curvature μ_i of each loss in its own block, and the coupling L_ij,
// how strongly x_j moves player i's gradient. Weights w make the metric ‖x‖² = Σ w_i‖x_i‖², and in it F is strongly monotone
// with the margin
//
//	α*(w) = ½ λ_min(D C(w) D),   C_ii = 2 w_i μ_i,   C_ij = −(w_i L_ij + w_j L_ji),   D = diag(w_i^−½)
//
// whenever α* is positive, also where F is not monotone in the Euclidean sense (w = 1).
//
//	from                                     to                                                          by
//	[GameBounds], weights                    the margin                                                  [Margin]
//	[GameBounds]                             the best weights: closed form, any number of players        [BestWeights]
//	                                         the best ratio on a grid, for margin or step; two players   [ScanRatio]
//	                                         the best weights by direct search                           [SearchWeights]
//	μ and L of two players                   all ratios w2/w1 that reach a margin                        [Band]
//	[QuadraticGame]                          a [Certificate] that holds everywhere                       [CertifyQuadratic]
//	a [Game] and sample points               a [Certificate] over the points, an estimate between        [CertifyRegion]
//	[MarkovGame]                             the same in the Fisher metric, by [MarkovGame.Natural]      [CertifyRegion]
//	[Game], start                            a [Trajectory]                                              [ProjectedEuler], [RK4]
//	[MarkovGame], start                      a [Descent] of natural or plain policy gradient             [NPG], [EPG]
//	a matrix                                 its pseudospectrum                                          [Pseudospectrum]
//
// A certificate is plain data with all that is needed to check it by hand (see [Certificate]). That none is found is a value
// (Certified is false); who needs one asks [Certificate.Require], or gives it to a method as Within, which then refuses a
// step outside the certified interval.
//
// Source: Sharma (2025), Small-Gain Nash: Certified Contraction to Nash Equilibria in Differentiable Games, arXiv 2512.06791.
// The closed form for N players, its treatment of one-way couplings and the witness are not from the paper.
package game
