// Package dynamics runs stochastic gradient descent where its steps are not small: past the edge of stability, at minima that
// the noise of batches cannot leave, in the regimes that the ratio of learning rate and batch size picks.
//
// Benign oscillation: a [ReLU2CNN] on [FeatureNoiseData], samples with a strong feature that most of them hold and a weak one
// that all do. [CNNRun] trains it by SGD or gradient descent; at a large learning rate the fit to the strong feature
// oscillates, and the weak one is learnt besides. [ScalarOscillation] is the same on one sample, in two numbers; [PeriodTwo]
// and [StableWeakStrength] say where it goes.
// Source: Lu, Wu, Yang, Zou (2024), Benign Oscillation of Stochastic Gradient Descent with Large Learning Rates, arXiv 2310.17074.
//
// Dynamical stability: batch size 1 can stay at an interpolating minimum of half the square loss only where tr H ≤ 2/η,
// gradient descent wherever λ_max(H) ≤ 2/η. [CriticalLR] is the exact limit for any batch, [StabilityBounds] what bounds it,
// [SecondMomentOperator] the map behind both. [SquareLossSGD] runs a [ScalarNet] ([DiagonalLinearNet], [TwoLayerReLU]) into a
// minimum, [SharpnessOf] measures it there, [RunStabilityTrials] does many; [NetworkStability] follows tr G of any network
// of lib/nets. Source: Wu, Su (2023), The Implicit Regularization of Dynamical Stability in Stochastic Gradient Descent.
//
// Noise of batches: SGD of temperature T = η/B until every point has its margin ([TrainToFit]), over the plane of T and the
// output scale α. [PerceptronSweep] trains a [Perceptron] a phase on [BoundaryData], whose exponents [PerceptronExponents] and
// whose [NoiseFloor] are known; [NetFit] trains copies of a [CenteredNet] side by side in one program, and finds the largest
// temperature they bear. Each makes a [PhaseDiagram]; [PowerLawFit] and [PowerLawFit2] read exponents off it.
// Source: Sclocchi, Geiger, Wyart (2023), Dissecting the Effects of SGD Noise in Distinct Regimes of Deep Learning.
//
// A run that diverges is a result, not an error: see [End].
package dynamics
