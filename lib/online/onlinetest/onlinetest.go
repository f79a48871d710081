// Package onlinetest tests what every learner of this library promises; see [online.Learner].
package onlinetest

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Case is a learner under test.
type Case[C, A, F any] struct {
	// New makes a fresh learner; called several times with the same and with other seeds.
	New func(seed uint64) (online.Learner[C, A, F], error)
	// Environment to play in; made afresh for each game.
	Environment func(seed uint64) (online.Environment[C, A, F], error)
	Rounds      int // of a game; 0: 40
	// BadContexts and BadFeedback must be refused, after any number of rounds, and leave no trace. A bad feedback follows an
	// Act in a context of the environment.
	BadContexts map[string]C
	BadFeedback map[string]F
	// Copy keeps an action for comparison where it belongs to the learner; nil: values that reflect.DeepEqual compares as they are.
	Copy func(A) A
	// Same compares actions; nil: reflect.DeepEqual.
	Same func(a, b A) bool
}

// Run tests the rules; every broken one is a failure of its own, in words.
func Run[C, A, F any](t *testing.T, c Case[C, A, F]) {
	t.Helper()
	if c.Rounds == 0 {
		c.Rounds = 40
	}
	if c.Copy == nil {
		c.Copy = func(a A) A { return a }
	}
	if c.Same == nil {
		c.Same = func(a, b A) bool { return reflect.DeepEqual(a, b) }
	}
	clean, err := c.actions(1, c.Rounds, nil)
	if err != nil {
		t.Fatalf("a game of %d rounds fails: %v", c.Rounds, err)
	}
	t.Run("the same seed plays the same game", func(t *testing.T) {
		again, err := c.actions(1, c.Rounds, nil)
		c.compare(t, clean, again, err)
	})
	t.Run("a game of one round works", func(t *testing.T) {
		one, err := c.actions(1, 1, nil)
		c.compare(t, clean[:1], one, err)
	})
	t.Run("learners of one constructor share nothing", func(t *testing.T) {
		between, err := c.actions(1, c.Rounds, func(int, online.Learner[C, A, F], C) error {
			_, err := c.actions(2, 1, nil)
			return err
		})
		c.compare(t, clean, between, err)
	})
	for name, bad := range c.BadContexts {
		t.Run("a bad context is refused and leaves no trace: "+name, func(t *testing.T) {
			with, err := c.actions(1, c.Rounds, func(round int, l online.Learner[C, A, F], _ C) error {
				if a, err := l.Act(bad); err == nil {
					return fmt.Errorf("round %d: Act answers %v, must fail", round, a)
				}
				return nil
			})
			c.compare(t, clean, with, err)
		})
	}
	for name, bad := range c.BadFeedback {
		t.Run("bad feedback is refused and leaves no trace: "+name, func(t *testing.T) {
			with, err := c.refused(bad)
			c.compare(t, clean, with, err)
		})
	}
}

// actions plays a game; before, if not nil, is called before each round.
func (c Case[C, A, F]) actions(seed uint64, rounds int, before func(round int, l online.Learner[C, A, F], context C) error) ([]A, error) {
	return c.game(seed, rounds, before, nil)
}

// refused plays a game in which every feedback is preceded by a bad one.
func (c Case[C, A, F]) refused(bad F) ([]A, error) { return c.game(1, c.Rounds, nil, &bad) }

func (c Case[C, A, F]) game(seed uint64, rounds int, before func(int, online.Learner[C, A, F], C) error, bad *F) ([]A, error) {
	l, err := c.New(seed)
	if err != nil {
		return nil, err
	}
	env, err := c.Environment(seed)
	if err != nil {
		return nil, err
	}
	var out []A
	for t := 1; t <= rounds; t++ {
		context, err := env.Context(t)
		if err != nil {
			return nil, err
		}
		if before != nil {
			if err := before(t, l, context); err != nil {
				return nil, err
			}
		}
		action, err := l.Act(context)
		if err != nil {
			return nil, fmt.Errorf("round %d: Act: %w", t, err)
		}
		out = append(out, c.Copy(action))
		feedback, _, err := env.Reveal(t, action)
		if err != nil {
			return nil, fmt.Errorf("round %d: environment: %w", t, err)
		}
		if bad != nil {
			if err := l.Learn(*bad); err == nil {
				return nil, fmt.Errorf("round %d: Learn takes %v, must fail", t, *bad)
			}
		}
		if err := l.Learn(feedback); err != nil {
			return nil, fmt.Errorf("round %d: Learn: %w", t, err)
		}
	}
	return out, nil
}

func (c Case[C, A, F]) compare(t *testing.T, want, got []A, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !c.Same(want[i], got[i]) {
			t.Fatalf("round %d: the action is %v, was %v", i+1, got[i], want[i])
		}
	}
}
