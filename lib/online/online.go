package online

// Learner decides and learns, a round at a time. C is what it sees before it decides ([None] where there is nothing to see),
// A its decision, F what the round reveals.
//
//   - Act and Learn take turns, and Act comes first. A learner may refuse another order.
//   - What Act returns may belong to the learner and is good until the next call.
//   - After an error, of either verb, the learner is as it was before the call: a round with bad input can be repeated or
//     left out.
//   - All randomness comes from the seed that the learner was made with.
//
// The package onlinetest tests these rules.
type Learner[C, A, F any] interface {
	Act(context C) (A, error)
	Learn(feedback F) error
}

// None is the context of learners that see nothing before they act.
type None struct{}

// Environment is the learner's opponent, honest or not. Rounds are counted from 1.
type Environment[C, A, F any] interface {
	// Context is what the learner sees before it decides in a round.
	Context(round int) (C, error)
	// Reveal answers the decision: with the feedback that the learner gets, and the loss that it is charged. Where the
	// environment knows the expectation of a random loss, that is what it charges: what is measured is pseudo-regret.
	Reveal(round int, action A) (feedback F, loss float64, err error)
}

// Comparator is what a learner's losses are held against.
type Comparator struct {
	Name   string
	Losses []float64 // one a round
	Active []bool    // the rounds that count, as of a group; nil: all
}

// Comparing is an environment that knows what to compare with. Comparators is called once, after the last round.
type Comparing interface {
	Comparators() ([]Comparator, error)
}

// Bounded is a learner that knows the theory's bound on its regret after the rounds it has seen, from what it saw in them.
// Its method's documentation says against which comparators and under which conditions the bound holds; +Inf says that none
// is known.
type Bounded interface {
	Bound() float64
}
