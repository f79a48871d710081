// Package dynamics runs stochastic gradient descent where its steps are not small: past the edge of stability, at minima that
// the noise of batches cannot leave, in the regimes that the ratio of learning rate and batch size picks.
//
// Benign oscillation: a [ReLU2CNN] on [FeatureNoiseData], samples with a strong feature that most of them hold and a weak one
// that all do. [CNNRun] trains it by SGD or gradient descent; at a large learning rate the fit to the strong feature
// oscillates, and the weak one is learnt besides. [ScalarOscillation] is the same on one sample, in two numbers; [PeriodTwo]
// and [StableWeakStrength] say where it goes.
// Source: Lu, Wu, Yang, Zou (2024), Benign Oscillation of Stochastic Gradient Descent with Large Learning Rates, arXiv 2310.17074.
//
// A run that diverges is a result, not an error: see [End].
package dynamics
