// Package claim says what a paper claims, how it is judged, what was measured, and whether it holds.
//
// A criterion is code over measured values: [Below], [EveryBelow] and [Decreasing] judge an order, [AtLeast], [AtMost],
// [Within] and [Equal] every value, [Ratio] pairs and [Slope] curves; [All] joins several. Each returns a [Finding]; [Record.Add] puts it beside the claim's words. A claim over nothing, or over NaN, never
// holds.
package claim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
)

// MIME is the type under which a notebook shows its record, and by which the runner finds it.
const MIME = "application/vnd.hindsight.claims+json"

// Claim is one row of a paper's table of claims.
type Claim struct {
	ID        string `json:"id"`        // "K1": the specification's
	Claim     string `json:"claim"`     // what is claimed, in a few words
	Metric    string `json:"metric"`    // what is measured
	Criterion string `json:"criterion"` // when it holds
	Measured  string `json:"measured"`
	Spread    string `json:"spread"` // over seeds, or empty
	Paper     string `json:"paper"`  // the paper's number, with its place; or empty
	Holds     bool   `json:"holds"`
}

// Record is a paper's verdict at one scale.
type Record struct {
	Paper  string  `json:"paper"` // "02-diffgrad"
	Scale  string  `json:"scale"` // "quick" or "paper"
	Claims []Claim `json:"claims"`
	// Skipped says why nothing could be judged, where the data cannot be had; else empty.
	Skipped string `json:"skipped,omitempty"`
}

// Finding is what a criterion found.
type Finding struct {
	Measured string
	Spread   string
	Holds    bool
}

// Add appends a claim with what was found. An empty or repeated ID is an error, and leaves the record as it was.
func (r *Record) Add(c Claim, f Finding) error {
	if c.ID == "" {
		return errors.New("claim: Record.Add: ID is empty")
	}
	for _, old := range r.Claims {
		if old.ID == c.ID {
			return fmt.Errorf("claim: Record.Add: ID %q is in the record already", c.ID)
		}
	}
	c.Measured, c.Spread, c.Holds = f.Measured, f.Spread, f.Holds
	r.Claims = append(r.Claims, c)
	return nil
}

// Holding counts the claims that hold.
func (r Record) Holding() int {
	n := 0
	for _, c := range r.Claims {
		if c.Holds {
			n++
		}
	}
	return n
}

// Parse reads a record and checks that it is whole: a paper, a scale, and claims with IDs of their own.
func Parse(text []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return Record{}, fmt.Errorf("claim: Parse: %w", err)
	}
	var errs []error
	if r.Paper == "" {
		errs = append(errs, errors.New("claim: Parse: paper is empty"))
	}
	if r.Scale != "quick" && r.Scale != "paper" {
		errs = append(errs, fmt.Errorf("claim: Parse: scale is %q, must be quick or paper", r.Scale))
	}
	seen := map[string]bool{}
	for i, c := range r.Claims {
		if c.ID == "" || seen[c.ID] {
			errs = append(errs, fmt.Errorf("claim: Parse: claim %d has the ID %q, must not be empty nor repeat", i, c.ID))
		}
		seen[c.ID] = true
	}
	return r, errors.Join(errs...)
}

// String is the record as a table.
func (r Record) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s scale: %d of %d claims hold\n", r.Paper, r.Scale, r.Holding(), len(r.Claims))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "id\tclaim\tcriterion\tmeasured\tspread\tpaper\tverdict")
	for _, c := range r.Claims {
		fmt.Fprintln(w, strings.Join([]string{c.ID, c.Claim, c.Criterion, c.Measured, c.Spread, c.Paper, c.Verdict()}, "\t"))
	}
	_ = w.Flush() // to a buffer
	return b.String()
}

// Verdict is "holds" or "fails".
func (c Claim) Verdict() string {
	if c.Holds {
		return "holds"
	}
	return "fails"
}
