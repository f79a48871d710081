// Package report tells people and machines what a run of notebooks gave.
//
// [Report] is the content of report.json. From it come a JUnit file for CI
// ([Report.JUnit]), a gallery for a browser ([Gallery]), and the committed page
// of claims ([Reproduction]). [Claims] reads and checks the record in which a
// notebook states its verdict.
package report

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/hindsight-go/hindsight/kernels/parameter"
)

// Status is how a notebook's run ended.
type Status string

// What may have come of a notebook.
const (
	Passed      Status = "passed"      // all cells ran
	Failed      Status = "failed"      // a cell, the kernel or the claims record failed
	Skipped     Status = "skipped"     // its data could not be had
	Interrupted Status = "interrupted" // by the user
)

// Report is a run of notebooks.
type Report struct {
	Started   time.Time  `json:"started"`
	Seconds   float64    `json:"seconds"`
	Summary   Summary    `json:"summary"`
	Notebooks []Notebook `json:"notebooks"`
	Folder    string     `json:"-"` // where the report lies
}

// Summary counts outcomes.
type Summary struct {
	Passed      int `json:"passed"`
	Failed      int `json:"failed"`
	Skipped     int `json:"skipped"`
	Interrupted int `json:"interrupted"`
	Reused      int `json:"reused"` // of those, taken over from an earlier run

	Claims        int `json:"claims"`
	Hold          int `json:"hold"`
	Fail          int `json:"fail"`
	ClaimsSkipped int `json:"claims_skipped"`
	Regressed     int `json:"regressed"` // of those that fail, held in the committed notebook
}

// Notebook is the run of one notebook.
type Notebook struct {
	Name       string            `json:"name"` // file name without extension
	Path       string            `json:"path"` // in the repository
	Title      string            `json:"title"`
	Kernel     string            `json:"kernel"`
	Scale      string            `json:"scale,omitempty"`
	Parameters []parameter.Value `json:"parameters,omitempty"`

	Status  Status  `json:"status"`
	Reason  string  `json:"reason,omitempty"` // for skipping
	Failure *Error  `json:"failure,omitempty"`
	Reused  bool    `json:"reused,omitempty"`
	Seconds float64 `json:"seconds"`
	Ran     int     `json:"cells_run"`
	Cells   int     `json:"cells"` // code cells, the injected one among them

	// Output is the executed notebook, relative to the report's folder.
	Output string  `json:"output,omitempty"`
	Claims []Claim `json:"claims,omitempty"`
}

// Kinds of failures.
const (
	CellFailed  = "cell"    // a cell returned an error
	KernelDied  = "kernel"  // the kernel or the program of a cell was killed
	TimedOut    = "timeout" // a cell or the notebook took too long
	NotStarted  = "start"   // the kernel could not be started
	BadClaims   = "claims"  // the claims record is malformed
	DataMissing = "data"    // skipped, and data were required
)

// Error says what failed.
type Error struct {
	Kind      string   `json:"kind"`
	Cell      int      `json:"cell,omitempty"` // from 1, as in the executed notebook
	Message   string   `json:"message"`        // one sentence
	Cure      string   `json:"cure,omitempty"`
	Traceback []string `json:"traceback,omitempty"`
}

// Regressed counts the claims that held in the committed notebook and do not now.
func (n Notebook) Regressed() int {
	count := 0
	for _, c := range n.Claims {
		if c.Regressed {
			count++
		}
	}
	return count
}

// Held counts the claims that hold.
func (n Notebook) Held() int {
	count := 0
	for _, c := range n.Claims {
		if c.Verdict() == "holds" {
			count++
		}
	}
	return count
}

// Verdict is the notebook's outcome in a word.
func (n Notebook) Verdict() string {
	if n.Status == Passed && n.Regressed() > 0 {
		return "regressed"
	}
	return string(n.Status)
}

// Green says whether the run of a notebook needs no one's attention.
func (n Notebook) Green() bool { return n.Status == Passed && n.Regressed() == 0 }

// Summarize counts the outcomes of all notebooks.
func (r *Report) Summarize() {
	s := Summary{}
	for _, n := range r.Notebooks {
		switch n.Status {
		case Passed:
			s.Passed++
		case Failed:
			s.Failed++
		case Skipped:
			s.Skipped++
		case Interrupted:
			s.Interrupted++
		}
		if n.Reused {
			s.Reused++
		}
		for _, c := range n.Claims {
			s.Claims++
			switch c.Verdict() {
			case "holds":
				s.Hold++
			case "fails":
				s.Fail++
			default:
				s.ClaimsSkipped++
			}
		}
		s.Regressed += n.Regressed()
	}
	r.Summary = s
}

// OK says whether the run's exit status is 0. Skipped notebooks do no harm here;
// where data are required, the runner makes failures of them.
func (r *Report) OK() bool {
	return r.Summary.Failed == 0 && r.Summary.Regressed == 0 && r.Summary.Interrupted == 0
}

// JSON is the content of report.json.
func (r *Report) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(r)
	return b.Bytes(), err
}
