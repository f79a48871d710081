// Package dynamics runs stochastic gradient descent where its steps are not small: past the edge of stability, at minima that
// the noise of batches cannot leave, in the regimes that the ratio of learning rate and batch size picks.
//
// A run that diverges is a result, not an error: see [End].
package dynamics
