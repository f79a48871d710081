package report

import (
	"fmt"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/junit"
)

// JUnit is the run as test cases: a suite a notebook, in it one case for the
// notebook and one for each claim. A case fails where the run's exit status says
// so; a claim that fails as it does in the committed notebook counts as skipped,
// with that reason.
func (r *Report) JUnit() junit.Report {
	all := junit.Report{Name: "hindsight", Seconds: r.Seconds}
	for _, n := range r.Notebooks {
		suite := junit.Suite{Name: n.Name, Seconds: n.Seconds, Cases: []junit.Case{notebookCase(n)}}
		for _, c := range n.Claims {
			suite.Cases = append(suite.Cases, claimCase(n, c))
		}
		all.Suites = append(all.Suites, suite)
	}
	return all
}

func notebookCase(n Notebook) junit.Case {
	c := junit.Case{Class: "notebooks", Name: n.Name, Seconds: n.Seconds}
	switch {
	case n.Status == Interrupted:
		c.Error = &junit.Outcome{Message: "interrupted", Type: string(Interrupted)}
	case n.Status == Skipped:
		c.Skipped = &junit.Outcome{Message: n.Reason}
	case n.Failure == nil:
	case n.Failure.Kind == CellFailed || n.Failure.Kind == BadClaims:
		c.Failure = n.Failure.junit()
	default:
		c.Error = n.Failure.junit()
	}
	return c
}

func (e *Error) junit() *junit.Outcome {
	message := e.Message
	if e.Cell > 0 {
		message = fmt.Sprintf("cell %d: %s", e.Cell, message)
	}
	return &junit.Outcome{Message: message, Type: e.Kind, Text: strings.Join(append([]string{e.Cure}, e.Traceback...), "\n")}
}

func claimCase(n Notebook, c Claim) junit.Case {
	j := junit.Case{Class: n.Name, Name: c.ID + ": " + c.Claim}
	detail := fmt.Sprintf("criterion: %s\nmeasured: %s (spread %s)\npaper: %s\nscale: %s",
		c.Criterion, c.Measured.Text(), c.Spread.Text(), c.Paper.Text(), n.Scale)
	switch {
	case c.Skipped != "":
		j.Skipped = &junit.Outcome{Message: c.Skipped}
	case c.Regressed:
		j.Failure = &junit.Outcome{Message: "held in the committed notebook, does not hold now", Type: "claim", Text: detail}
	case !c.Holds:
		j.Skipped = &junit.Outcome{Message: "does not hold, as in the committed notebook or without one to compare with", Text: detail}
	}
	return j
}
