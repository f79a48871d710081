// Package matching is online matching with stochastic rewards: offline vertices wait, online vertices arrive one by one and
// are matched, or not, to a neighbour; an attempt succeeds with the probability of its edge, and only then is the offline
// vertex used up and its weight earned. Policies compete with the best offline policy and with linear programs that bound it.
//
//	policy                 matches an arrival to the alive neighbour with                       source
//	[StochasticBalance]    the largest w·p·(1 − g(load)), load = Σ p of its attempts            Mehta, Panigrahi (2012); Huang et al. (2023)
//	[LeastLoaded]          the smallest load                                                    Mehta, Panigrahi (2012)
//	[Ranking]              the largest w·(1 − e^(y−1)), y uniform and drawn once                Karp, Vazirani, Vazirani (1990); Aggarwal et al. (2011)
//	[Greedy]               the largest w·p
//	[FixedOrder]           the first place in an order; [HighestFirst] for the last index
//	[Random]               no preference
//
//	benchmark                    what it is                                                          bounds
//	[OfflineStochasticOptimum]   S-OPT: the best policy that knows all arrivals, but no outcome      every online policy
//	[StochasticConfigurationLP]  SC-LP: a mixture of plans for each offline vertex                   S-OPT
//	[MatchingLP]                 M-LP: expected successes and arrivals are each used at most once    SC-LP, C-LP
//	[ConfigurationLP]            C-LP: deterministic rewards, capped at the weight                   the offline optimum with capped rewards
//
// A policy runs by [Simulate] (Monte Carlo), by [ExactValue] (all outcomes of a small instance) or, as a [Matcher], against an
// [Environment] of package online:
//
//	in, err := matching.Triangle(8, 0.05)
//	balance, err := matching.Simulate(ctx, in, matching.StochasticBalance(nil), matching.Options{Repetitions: 1000, Seed: 1})
//	bound, err := matching.StochasticConfigurationLP(in)
//	ratio := balance.Over(bound.Value)
//
// Source: Huang, Jiang, Shen, Song, Wu, Zhang (2023), Online Matching with Stochastic Rewards: Advanced Analyses Using
// Configuration Linear Programs, arXiv 2309.10289.
package matching
