package report

import (
	"encoding/xml"
	"fmt"
	"strings"
)

type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitCounts
	Suites []junitSuite `xml:"testsuite"`
}

type junitCounts struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"`
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitCounts
	Cases []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr,omitempty"`
	Failure *junitOutcome `xml:"failure"`
	Error   *junitOutcome `xml:"error"`
	Skipped *junitOutcome `xml:"skipped"`
}

type junitOutcome struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit is the run as JUnit XML: a suite a notebook, in it one case for the
// notebook and one for each claim. A case fails where the run's exit status says
// so; a claim that fails as it does in the committed notebook counts as skipped,
// with that reason.
func (r *Report) JUnit() ([]byte, error) {
	all := junitSuites{Name: "hindsight", junitCounts: junitCounts{Time: seconds(r.Seconds)}}
	for _, n := range r.Notebooks {
		suite := junitSuite{Name: n.Name, junitCounts: junitCounts{Time: seconds(n.Seconds)}}
		suite.add(notebookCase(n))
		for _, c := range n.Claims {
			suite.add(claimCase(n, c))
		}
		all.Tests += suite.Tests
		all.Failures += suite.Failures
		all.Errors += suite.Errors
		all.Skipped += suite.Skipped
		all.Suites = append(all.Suites, suite)
	}
	raw, err := xml.MarshalIndent(all, "", "  ")
	return append([]byte(xml.Header), append(raw, '\n')...), err
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func notebookCase(n Notebook) junitCase {
	c := junitCase{Class: "notebooks", Name: n.Name, Time: seconds(n.Seconds)}
	switch {
	case n.Status == Interrupted:
		c.Error = &junitOutcome{Message: "interrupted", Type: string(Interrupted)}
	case n.Status == Skipped:
		c.Skipped = &junitOutcome{Message: n.Reason}
	case n.Failure == nil:
	case n.Failure.Kind == CellFailed || n.Failure.Kind == BadClaims:
		c.Failure = n.Failure.junit()
	default:
		c.Error = n.Failure.junit()
	}
	return c
}

func (e *Error) junit() *junitOutcome {
	message := e.Message
	if e.Cell > 0 {
		message = fmt.Sprintf("cell %d: %s", e.Cell, message)
	}
	return &junitOutcome{Message: message, Type: e.Kind, Text: strings.Join(append([]string{e.Cure}, e.Traceback...), "\n")}
}

func claimCase(n Notebook, c Claim) junitCase {
	j := junitCase{Class: n.Name, Name: c.ID + ": " + c.Claim}
	detail := fmt.Sprintf("criterion: %s\nmeasured: %s (spread %s)\npaper: %s\nscale: %s",
		c.Criterion, c.Measured.Text(), c.Spread.Text(), c.Paper.Text(), n.Scale)
	switch {
	case c.Skipped != "":
		j.Skipped = &junitOutcome{Message: c.Skipped}
	case c.Regressed:
		j.Failure = &junitOutcome{Message: "held in the committed notebook, does not hold now", Type: "claim", Text: detail}
	case !c.Holds:
		j.Skipped = &junitOutcome{Message: "does not hold, as in the committed notebook or without one to compare with", Text: detail}
	}
	return j
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }
