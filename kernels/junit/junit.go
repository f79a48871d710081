// Package junit writes test results as the XML that CI servers read.
package junit

import (
	"encoding/xml"
	"fmt"
)

// Report is a run of several suites.
type Report struct {
	Name    string
	Seconds float64
	Suites  []Suite
}

// Suite is a list of cases that belong together.
type Suite struct {
	Name    string
	Seconds float64
	Cases   []Case
}

// Case is one thing that was tested. At most one of its outcomes is set; one without any has passed.
type Case struct {
	Class   string
	Name    string
	Seconds float64 // 0 where it was not timed

	Failure *Outcome // what was tested is not so
	Error   *Outcome // it could not be tested
	Skipped *Outcome // it was not to be tested here
}

// Outcome says how a case ended.
type Outcome struct {
	Message string `xml:"message,attr"` // one sentence
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"` // all there is to know
}

// Failed says whether the case needs someone's attention.
func (c Case) Failed() bool { return c.Failure != nil || c.Error != nil }

// Counts are the outcomes of some cases.
type Counts struct{ Passed, Failed, Skipped int }

// Add counts others in.
func (n *Counts) Add(others Counts) {
	n.Passed += others.Passed
	n.Failed += others.Failed
	n.Skipped += others.Skipped
}

// String is the closing line of a test run: "12 passed, 0 failed, 2 skipped".
func (n Counts) String() string {
	text := fmt.Sprintf("%d passed, %d failed", n.Passed, n.Failed)
	if n.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", n.Skipped)
	}
	return text
}

// Counts of the suite's cases.
func (s Suite) Counts() Counts {
	var n Counts
	for _, c := range s.Cases {
		switch {
		case c.Failed():
			n.Failed++
		case c.Skipped != nil:
			n.Skipped++
		default:
			n.Passed++
		}
	}
	return n
}

// Counts of all suites.
func (r Report) Counts() Counts {
	var n Counts
	for _, s := range r.Suites {
		n.Add(s.Counts())
	}
	return n
}

// The elements of the file.
type (
	suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Name    string   `xml:"name,attr"`
		counts
		Suites []suite `xml:"testsuite"`
	}
	suite struct {
		Name string `xml:"name,attr"`
		counts
		Cases []testCase `xml:"testcase"`
	}
	counts struct {
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Time     string `xml:"time,attr"`
	}
	testCase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Time    string   `xml:"time,attr,omitempty"`
		Failure *Outcome `xml:"failure"`
		Error   *Outcome `xml:"error"`
		Skipped *Outcome `xml:"skipped"`
	}
)

// XML is the report as a file.
func (r Report) XML() ([]byte, error) {
	all := suites{Name: r.Name, counts: counts{Time: seconds(r.Seconds)}}
	for _, s := range r.Suites {
		out := suite{Name: s.Name, counts: counts{Tests: len(s.Cases), Time: seconds(s.Seconds)}}
		for _, c := range s.Cases {
			t := testCase{Class: c.Class, Name: c.Name, Failure: c.Failure, Error: c.Error, Skipped: c.Skipped}
			if c.Seconds > 0 {
				t.Time = seconds(c.Seconds)
			}
			switch {
			case c.Failure != nil:
				out.Failures++
			case c.Error != nil:
				out.Errors++
			case c.Skipped != nil:
				out.Skipped++
			}
			out.Cases = append(out.Cases, t)
		}
		all.Tests += out.Tests
		all.Failures += out.Failures
		all.Errors += out.Errors
		all.Skipped += out.Skipped
		all.Suites = append(all.Suites, out)
	}
	raw, err := xml.MarshalIndent(all, "", "  ")
	return append([]byte(xml.Header), append(raw, '\n')...), err
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }
