// Package experts is online learning with experts that sleep: in each round some of them are awake, and the learner must
// do about as well as each of them over the rounds in which that one was awake. Its use is regret by group: one expert a
// group of rounds, overlapping at will, awake when its group is.
//
//	| symbol                   | what                                                  | cost of a round      |
//	|--------------------------|-------------------------------------------------------|----------------------|
//	| [AdaNormalHedge]         | weights for N experts of which some sleep             | O(N)                 |
//	| [OnlineRidge]            | linear regression, follow the leader with ridge       | O(d²)                |
//	| [FollowPerturbedLeader]  | paths, or whatever an [Oracle] can minimize           | one call             |
//	| [Groupwise]              | one learner a group, aggregated (oracle efficient)    | active groups + O(N) |
//	| [Enumeration]            | one expert a pair of group and hypothesis             | O(N·hypotheses)      |
//	| [Ungrouped]              | a single learner that knows of no groups              | the learner's        |
//
// [Table] is a regression problem with groups, [Synthetic] generates one, [Diabetes], [MedicalCosts] and [AdultIncome] are
// real ones; [Regression] and [Paths] are the environments, whose comparators are the groups.
//
//	learner, err := experts.NewGroupwiseRidge(table.Dim(), len(table.Groups), experts.RidgeOptions{}, experts.GroupwiseOptions[float64]{})
//
// Source: K. Acharya, E. R. Arunachaleswaran, S. Kannan, A. Roth, J. Ziani (2024), Oracle Efficient Algorithms for
// Groupwise Regret, ICLR.
package experts
