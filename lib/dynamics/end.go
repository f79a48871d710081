package dynamics

import "fmt"

// Ending is the way in which a run ended.
type Ending int

// The ways in which runs end.
const (
	StepLimit Ending = iota // all steps that were allowed were taken
	Fitted                  // the run's stopping test held: every point has its margin, or the loss is below its bound
	Diverged                // a value was no longer finite, or beyond the run's bound
)

// End says how a run ended and after how many steps. The zero value is a run of no steps.
type End struct {
	How  Ending
	Step int // the number of steps taken; of a diverged run, the first step, from 1, with a bad value
}

// String reads 'fitted after 40 steps', 'diverged at step 12', 'stopped after 1000 steps'.
func (e End) String() string {
	switch e.How {
	case Fitted:
		return fmt.Sprintf("fitted after %d steps", e.Step)
	case Diverged:
		return fmt.Sprintf("diverged at step %d", e.Step)
	}
	return fmt.Sprintf("stopped after %d steps", e.Step)
}
