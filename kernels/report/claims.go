package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/notebook"
)

// ClaimsMIME is the type of the output in which a notebook says which of its
// paper's claims hold.
const ClaimsMIME = "application/vnd.hindsight.claims+json"

// Record is the content of a notebook's claims output.
type Record struct {
	Paper   string  `json:"paper"`             // name of the notebook, such as 02-diffgrad
	Scale   string  `json:"scale"`             // quick or paper
	Skipped string  `json:"skipped,omitempty"` // why nothing could be measured, "" where it was
	Claims  []Claim `json:"claims"`
}

// Claim is one claim of a paper and what became of it.
type Claim struct {
	ID        string `json:"id"`
	Claim     string `json:"claim"`
	Metric    string `json:"metric"`
	Criterion string `json:"criterion"`
	Measured  Value  `json:"measured"`
	Spread    Value  `json:"spread"` // over seeds
	Paper     Value  `json:"paper"`  // the paper's own number
	Holds     bool   `json:"holds"`
	Skipped   string `json:"skipped,omitempty"` // why it could not be measured

	// Regressed says that the committed notebook shows the claim as holding and
	// this run does not. The runner sets it.
	Regressed bool `json:"regressed,omitempty"`
}

// Verdict is the claim's outcome in a word.
func (c Claim) Verdict() string {
	switch {
	case c.Skipped != "":
		return "skipped"
	case c.Holds:
		return "holds"
	}
	return "fails"
}

// Value is a number, or a text where a number does not say it.
type Value struct{ json.RawMessage }

// Text is the value as shown to people: numbers with four digits, "" for none.
func (v Value) Text() string {
	var number float64
	if json.Unmarshal(v.RawMessage, &number) == nil && string(v.RawMessage) != "null" {
		return fmt.Sprintf("%.4g", number)
	}
	var text string
	_ = json.Unmarshal(v.RawMessage, &text) // check lets only numbers, texts and null through
	return text
}

func (v Value) check() error {
	if len(v.RawMessage) == 0 {
		return nil
	}
	switch v.RawMessage[0] {
	case '{', '[', 't', 'f':
		return fmt.Errorf("is %s, must be a number, a text or null", v.RawMessage)
	}
	return nil
}

// MarshalJSON writes null for no value.
func (v Value) MarshalJSON() ([]byte, error) {
	if len(v.RawMessage) == 0 {
		return []byte("null"), nil
	}
	return v.RawMessage, nil
}

// Claims returns the claims record among the outputs of the notebook with this
// name, nil where there is none.
func Claims(name string, outputs []notebook.Output) (*Record, error) {
	var found *Record
	for _, o := range outputs {
		value, ok := o.Data[ClaimsMIME]
		if !ok {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("claims record: there are two, must be one")
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("claims record: %w", err)
		}
		if found, err = parseRecord(raw); err != nil {
			return nil, fmt.Errorf("claims record: %w", err)
		}
		if found.Paper != name {
			return nil, fmt.Errorf("claims record: paper is %q, must be the notebook's name %q", found.Paper, name)
		}
	}
	return found, nil
}

func parseRecord(raw []byte) (*Record, error) {
	var loose struct {
		Record
		Claims []struct {
			Claim
			Holds *bool `json:"holds"`
		} `json:"claims"`
	}
	if err := json.Unmarshal(raw, &loose); err != nil {
		return nil, err
	}
	record := loose.Record
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if record.Paper == "" {
		complain("paper is missing")
	}
	if record.Scale != "quick" && record.Scale != "paper" {
		complain("scale is %q, must be quick or paper", record.Scale)
	}
	if len(loose.Claims) == 0 && record.Skipped == "" {
		complain("there are no claims, and no reason for skipping them")
	}
	seen := map[string]bool{}
	for i, l := range loose.Claims {
		c := l.Claim
		who := c.ID
		if who == "" {
			who = fmt.Sprintf("number %d", i+1)
			complain("claim %s: id is missing", who)
		}
		if seen[c.ID] {
			complain("claim %s: is there twice", who)
		}
		seen[c.ID] = true
		for _, field := range [][2]string{{"claim", c.Claim}, {"criterion", c.Criterion}} {
			if strings.TrimSpace(field[1]) == "" {
				complain("claim %s: %s is missing", who, field[0])
			}
		}
		for i, value := range []Value{c.Measured, c.Spread, c.Paper} {
			if err := value.check(); err != nil {
				complain("claim %s: %s %w", who, [...]string{"measured", "spread", "paper"}[i], err)
			}
		}
		switch {
		case l.Holds != nil:
			c.Holds = *l.Holds
		case c.Skipped == "" && record.Skipped == "":
			complain("claim %s: holds is missing", who)
		}
		c.Regressed = false // only a run's own comparison says so
		record.Claims = append(record.Claims, c)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return &record, nil
}

// Compare marks the claims that held before and hold no longer, and adds those
// that held before and are missing now. A claim that was skipped for want of
// data is not a regression.
func Compare(now, before *Record) {
	if before == nil || now.Skipped != "" {
		return
	}
	at := map[string]int{}
	for i, c := range now.Claims {
		at[c.ID] = i
	}
	for _, old := range before.Claims {
		if !old.Holds || old.Skipped != "" {
			continue
		}
		if i, ok := at[old.ID]; ok {
			now.Claims[i].Regressed = !now.Claims[i].Holds && now.Claims[i].Skipped == ""
			continue
		}
		gone := old
		gone.Measured, gone.Spread = Value{json.RawMessage(`"not reported"`)}, Value{}
		gone.Holds, gone.Regressed = false, true
		now.Claims = append(now.Claims, gone)
	}
}
