// Package oco is online convex optimization: learners that play a point, see the gradient of a convex loss there, and go on;
// streams of such losses, from independent draws to an adversary; and what is known about the learners' regret.
//
// A learner is plain data, a [Rule], with two engines that play the same points: Start makes a learner for a program that
// sees one round at a time, which does not allocate; [Simulate] compiles whole horizons of many runs, seeds or points of a grid,
// into one program.
//
//	| method                                    | rule                                         | regret                              | memory |
//	|-------------------------------------------|----------------------------------------------|-------------------------------------|--------|
//	| projected gradient descent                | [GradientDescent], [RootStep]                | DG√T                                | d      |
//	| the same for strong convexity             | [GradientDescent], [StronglyConvexStep] (1)  | (G²/λ)·log T                        | d      |
//	| optimistic mirror descent                 | [OptimisticDescent], [AdaptiveStep]          | √σ² + √Σ²                           | d      |
//	| the same for strong convexity             | [OptimisticDescent], [StronglyConvexStep]    | (σ²_max + Σ²_max)/λ·log(σ² + Σ²)    | d      |
//	| (optimistic) online Newton step           | [OnlineNewton], [OptimisticNewton]           | (d/α)·log(σ² + Σ²)                  | d²     |
//	| optimistic follow the regularized leader  | [OptimisticFTRL]                             | √σ² + √Σ²                           | d      |
//	| optimistic follow the leader, surrogates  | [OptimisticFTL]                              | (σ²_max + Σ²_max)/λ·log T           | d      |
//	| ensemble of step sizes, for a moving best | [DynamicEnsemble]                            | dynamic: √(1 + P_T)·(√σ² + √Σ²)     | d·log T |
//	| mirror descent from parts                 | [MirrorDescent]: map, domain, hint, step, regularizer | by its parts               | d      |
//	| composite stochastic mirror descent       | [MirrorDescent], [PolynomialStep], [ConditionedStep] | last iterate: 1/√T, 1/T for strong convexity | d |
//	| gradient clipping around any of them      | [Clipped]                                    | with heavy tails                    | d      |
//
// Parts of mirror descent are the maps [Euclidean], [Entropy] and [Power], the domains [Free], [Ball], [Box] and [Simplex], and
// the regularizers [L1] and [SquaredL2]. [Stochastic] is an objective with noise; [Descents] and [Sweep] measure how fast the
// last iterate and averages get to its minimum, [FitRate] the exponent.
//
// σ² is the cumulative variance and Σ² the cumulative variation of a stream, P_T the path length of what it is compared with.
// [SEA] says what these are exactly: adversaries that know their own are [Quadratic] with any [Path], [Switching] and
// [LeastSquares]. [NewSEAEnvironment] plays them round by round, in [online.Play]; their streams do in Simulate.
// [Play] lets a gradient transformation of package optim play a [Game].
//
// Ten lines of a program with a stream of its own:
//
//	ball := oco.Ball{Radius: 1}
//	rule := oco.OptimisticDescent(ball, oco.AdaptiveStep{Diameter: 2, Gradient: 3, Smoothness: 1})
//	learner, err := rule.Start(10)
//	// handle err
//	for {
//		x, _ := learner.Act(online.None{})
//		if err := learner.Learn(gradientAt(x)); err != nil {
//			return err // the learner is as before the round
//		}
//	}
package oco
