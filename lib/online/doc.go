// Package online is the game that online learners play: in each round a learner may see a context, acts, and learns from
// what the round reveals. It holds the two verbs that all learners of this library share ([Learner]), the other side of
// the table ([Environment]), and [Play], which lets fresh learners meet fresh environments and measures regret.
//
// The learners live in the rooms of their methods: oco (mirror descent and its relatives), experts (sleeping experts and
// groups), bandit (contextual bandits, solver parameters, recovering rewards) and matching (online matching).
//
//	regret = Σ_t loss_t(action_t) − Σ_t loss_t(comparator)
//
// What the comparator is, is the environment's to say ([Comparing]): the best fixed point, a sequence of points, the best
// model of a group on the group's rounds, the best policy. A reward is a negative loss.
package online
