// Package transport solves the Schrödinger bridge, which is entropic optimal transport in motion: the most likely way in
// which a cloud of points distributed as p0 becomes p1 within a unit of time when each point diffuses with variance ε.
//
//	method                      what it is                                                          source
//	[LightSB]                   a bridge whose potential is a mixture of K Gaussians, fitted to      Korotin, Gushchin, Burnaev (2024)
//	                            samples of p0 and p1 by Adam, in one compiled program
//	[GaussianBridge]            the exact bridge of two Gaussians                                    Janati et al. (2020); Bunne et al. (2023)
//	[Sinkhorn]                  entropic optimal transport of two samples                            Cuturi (2013)
//	[Independent]               no transport: y is drawn from p1 whatever x is
//
// A fitted [Bridge] has everything in closed form: the static plan π(y|x), a mixture of Gaussians ([Bridge.SamplePlan],
// [Bridge.ConditionalMoments]); the process at any time ([Bridge.SampleAt], [Bridge.SampleBridge]); and the drift of the
// stochastic differential equation dX = g(X, t)dt + √ε dW ([Bridge.Drift], [Bridge.SampleSDE]). [FromClassicalPotential] makes
// a bridge from a mixture in the place of the classical potential; [NewMixtureBenchmark] builds problems with a known answer
// on it, which [ConditionalBWUVP] compares with. [EnergyDistance] compares samples.
//
//	fit, err := transport.LightSB{Components: 50, Epsilon: 0.1, Rate: 1e-2}.Fit(ctx, backend, x0, x1, 0)
//	y, err := fit.Bridge.SamplePlan(x, online.Seeded(0, "plan"))
//
// Samples are matrices with one point a row. All sums of exponentials are taken in the log domain. The cost is ½‖x−y‖², so ε
// has the unit of a squared length: scale data to size 1 before choosing it.
package transport
