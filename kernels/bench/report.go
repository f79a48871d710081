package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Report is what bench.json holds.
type Report struct {
	System     string            `json:"system"` // "linux/amd64"
	Processors int               `json:"processors"`
	Repeats    int               `json:"repeats"`
	Complete   bool              `json:"complete"` // false where the run was interrupted
	Versions   map[string]string `json:"versions"`
	Results    []Result          `json:"results"`
}

// Verdict is how a benchmark came out.
type Verdict string

// The verdicts.
const (
	Met          Verdict = "met"
	Missed       Verdict = "missed"
	Measured     Verdict = "measured"      // there is no target
	NotAvailable Verdict = "not available" // the peer cannot be had here
	Failed       Verdict = "failed"        // nothing was measured
)

// Result of a benchmark. Times are seconds a unit of work.
type Result struct {
	Name        string    `json:"name"`
	What        string    `json:"what"`
	Unit        string    `json:"unit"`
	Peer        string    `json:"peer,omitempty"`
	PeerVersion string    `json:"peerVersion,omitempty"`
	Target      float64   `json:"target,omitempty"` // largest ratio; without a peer, seconds
	Verdict     Verdict   `json:"verdict"`
	Problem     string    `json:"problem,omitempty"` // why nothing was measured
	Ours        *Figure   `json:"ours,omitempty"`
	Theirs      *Figure   `json:"theirs,omitempty"`
	Ratio       *Figure   `json:"ratio,omitempty"`
	OurSamples  []float64 `json:"ourSamples,omitempty"`
	PeerSamples []float64 `json:"peerSamples,omitempty"`
}

// without is a result of which nothing was measured.
func (r Result) without(v Verdict, why error) Result {
	r.Verdict, r.Problem = v, why.Error()
	return r
}

// finish fills in figures and verdict from the samples, ours first. A ratio is judged
// by the quickest samples, a time by its median, which is what a user feels.
func (r *Result) finish(samples [][]float64) {
	f := seconds(samples[0])
	r.OurSamples, r.Ours = samples[0], &f
	figure := f.Median
	if len(samples) == 2 {
		theirs, by := seconds(samples[1]), ratio(samples[0], samples[1])
		r.PeerSamples, r.Theirs, r.Ratio = samples[1], &theirs, &by
		figure = by.Best
	}
	switch {
	case r.Target == 0:
		r.Verdict = Measured
	case figure <= r.Target:
		r.Verdict = Met
	default:
		r.Verdict = Missed
	}
}

// headline is the result in a line.
func (r Result) headline() string {
	switch {
	case r.Problem != "":
		return fmt.Sprintf("%s: %s", r.Verdict, r.Problem)
	case r.Ratio != nil:
		return fmt.Sprintf("%.2f × %s, %s", r.Ratio.Best, r.Peer, r.Verdict)
	}
	return fmt.Sprintf("%s, %s", duration(r.Ours.Median), r.Verdict)
}

// Missed reports whether anything was: a target, or a benchmark that could not run.
func (r *Report) Missed() bool {
	return slices.ContainsFunc(r.Results, func(r Result) bool { return r.Verdict != Met && r.Verdict != Measured })
}

// Failed reports whether a benchmark failed.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Results, func(r Result) bool { return r.Verdict == Failed })
}

// Table is the report for people.
func (r *Report) Table() string {
	rows := [][]string{{"", "ours", "peer", "ratio", "median", "quartiles", "target", ""}}
	var notes []string
	for _, x := range r.Results {
		row := []string{x.Name, "", "", "", "", "", "", string(x.Verdict)}
		switch {
		case x.Problem != "":
			notes = append(notes, fmt.Sprintf("%s: %s %s: %s", x.Name, x.Peer, x.Verdict, x.Problem))
		case x.Ratio != nil:
			row[1] = duration(x.Ours.Best)
			row[2] = fmt.Sprintf("%s %s %s", duration(x.Theirs.Best), x.Peer, x.PeerVersion)
			row[3] = fmt.Sprintf("%.2f", x.Ratio.Best)
			row[4] = fmt.Sprintf("%.2f", x.Ratio.Median)
			row[5] = fmt.Sprintf("%.2f–%.2f", x.Ratio.Low, x.Ratio.High)
		default:
			row[1], row[4] = duration(x.Ours.Best), duration(x.Ours.Median)
			row[5] = duration(x.Ours.Low) + "–" + duration(x.Ours.High)
		}
		if x.Target > 0 {
			row[6] = fmt.Sprintf("≤ %.4g", x.Target)
			if x.Peer == "" {
				row[6] += " s"
			}
		}
		rows = append(rows, row)
	}
	var out strings.Builder
	out.WriteString(align(rows))
	fmt.Fprintf(&out, "Times are the quickest of %d samples a side, the sides in turns; a ratio is of those, its median and quartiles are of the turns.\n", r.Repeats)
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		versions = append(versions, name+" "+r.Versions[name])
	}
	fmt.Fprintf(&out, "%s, %d processors; %s\n", r.System, r.Processors, strings.Join(versions, ", "))
	for _, note := range notes {
		out.WriteString(note + "\n")
	}
	return out.String()
}

// align puts cells below each other, two spaces apart.
func align(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}

// duration in the unit that suits: "1.23 ms".
func duration(seconds float64) string {
	switch {
	case seconds < 1e-3:
		return fmt.Sprintf("%.0f µs", seconds*1e6)
	case seconds < 1:
		return fmt.Sprintf("%.2f ms", seconds*1e3)
	}
	return fmt.Sprintf("%.2f s", seconds)
}
