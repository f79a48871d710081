// Package recovering is bandits whose arms lose reward when they are pulled and recover while they rest: what to play
// when the recovery curves are known (planning), and when they must be learnt (upper confidence bounds).
//
// There are N arms and T periods; at most K arms are pulled a period. The idle time of an arm is the number of periods
// since its last pull, 1 if that was in the last period; before the first pull it is D. A pull of arm i at idle time d
// earns R_i(d) in expectation, non-decreasing in d and constant from D on ([RecoveryModel]). A purely periodic plan
// pulls arm i every d_i periods and earns Σ R_i(d_i)/d_i a period ([Plan]).
//
//	planning             what it does                                                cost
//	UpperBound           relaxation: no policy earns more a period                   O(ND log ND)
//	UpperBoundLP         the same as a linear program, to check it                   a dense simplex
//	PlanPeriodic         relaxation, periods rounded up to (2j−1)·2^ℓ, j ≤ a         the relaxation's + O(aN log N)
//	PlanBest             the best of PlanPeriodic over a                             the relaxation's + O(KN log N)
//	PlanExact            best periods of 2^ℓ and 3·2^ℓ, by dynamic programming       O(N·L·K²·4^L)
//	OptimalAverage       best policy of all, by value iteration                      D^N states
//	Schedule             offsets so that no period has more than K pulls             O(N²)
//
//	learner              what it knows, and does                                     memory
//	PeriodicUCB          nothing; plans with upper confidence bounds, phase by phase O(ND)
//	GreedyUCB (UCB1)     nothing; bounds per arm, as if arms did not recover         O(N)
//	GreedyUCB (CellUCB)  nothing; bounds per arm and idle time, no plan              O(ND)
//	RoundRobin, Random   nothing; the longest idle, or any                           O(N)
//	Myopic               R; the best K of this period                                O(ND)
//	Fixed                R, in a plan; plays it                                      O(N)
//
// The learners are [online.Learner]s: they see nothing before they act, choose a set of arms, and learn the rewards in
// its order. [Bandit] is the environment. Its comparators are a plan's true value and the upper bound: regret is policy
// regret, against what another policy would have earned from the start, not on the idle times of the learner.
//
//	m, err := recovering.Generate(recovering.Logit, 40, 20, 1) // 40 arms, recovered after 20 periods
//	p, err := recovering.PlanBest(m, 8)                        // 8 pulls a period
//	ub, _, err := recovering.UpperBound(m, 8)
//	fmt.Println(p.Value / ub)                                  // 0.996
//
// Source: D. Simchi-Levi, Z. Zheng, F. Zhu (2021), Dynamic Planning and Learning under Recovering Rewards, ICML,
// arXiv 2106.14813. The sets of periods, the constants of [Guarantee] and the phases of [PeriodicUCB] are derived here,
// for the paper's own could not be compared.
package recovering
