// Package bandit holds learners that see the loss of the arm they play and of no other.
//
//	| method                        | symbol                                | source                         |
//	|-------------------------------|---------------------------------------|--------------------------------|
//	| SquareCB's and FastCB's rules | [SquareCB], [FastCB]                  | Foster et al. (2020, 2021)     |
//	| NeuSquareCB, NeuFastCB        | [NeuSquareCB], [NeuFastCB]            | Deb et al. (2024)              |
//	| NeuralUCB, diagonal           | [NeuralUCB]                           | Zhou et al. (2020)             |
//	| NeuralTS, diagonal            | [NeuralTS]                            | Zhang et al. (2021)            |
//	| neural ε-greedy, uniform      | [NeuralEpsilonGreedy], [Uniform]      |                                |
//	| LinUCB, disjoint              | [LinUCB]                              | Li et al. (2010)               |
//	| online neural regression      | [Regression], [Regressor]             | Deb et al. (2024)              |
//	| Tsallis-INF, on a grid        | [TsallisINF]                          | Zimmert, Seldin (2021)         |
//	| the same by bins of a context | [TsallisINFCB]                        | Khodak et al. (2024)           |
//	| ChebCB                        | [ChebCB]                              | Khodak et al. (2024)           |
//
// The last three set a parameter of a program that is run again and again, such as the ω of a linear solver (package
// linsolve), from the cost of each run. Arms whose rewards recover while they rest have a package of their own, recovering.
//
// Contextual learners have the verbs of [online.Learner]: Act sees the contexts of a round and answers with a [Choice],
// Learn gets the loss of the arm that was chosen. Losses, not rewards: smaller is better, and a reward r in [0, 1] is the
// loss 1 − r.
//
// A neural learner comes in two forms with the same iterates. [Neural.Compile] makes learners that play a round at a time,
// for plain programs. A [Simulator] plays whole games against a [Table] of contexts and losses, all rounds of many seeds in
// one compiled program.
//
//	table, err := bandit.Classification(x, labels, 10)
//	traces, err := bandit.NewSimulator(b).Run(ctx, []bandit.Game{{Learner: bandit.NeuFastCB(10, 65), Table: table, Seed: 1}})
package bandit
