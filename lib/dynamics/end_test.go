package dynamics_test

import (
	"testing"

	"github.com/hindsight-go/hindsight/lib/dynamics"
)

func TestEndString(t *testing.T) {
	for end, want := range map[dynamics.End]string{
		{}:                                      "stopped after 0 steps",
		{How: dynamics.Fitted, Step: 40}:        "fitted after 40 steps",
		{How: dynamics.Diverged, Step: 12}:      "diverged at step 12",
		{How: dynamics.StepLimit, Step: 100000}: "stopped after 100000 steps",
	} {
		if got := end.String(); got != want {
			t.Errorf("%#v: %q, want %q", end, got, want)
		}
	}
}
