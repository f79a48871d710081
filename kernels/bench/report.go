package bench

import (
	"fmt"
	"maps"
	"math"
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
	// Of the order of a cost: Target is the slope of time over size, ours are the times
	// at the largest size, and SizeSamples has those at each.
	Sizes       []int       `json:"sizes,omitempty"`
	Slope       *Figure     `json:"slope,omitempty"`
	SizeSamples [][]float64 `json:"sizeSamples,omitempty"`
}

// without is a result of which nothing was measured.
func (r Result) without(v Verdict, why error) Result {
	r.Verdict, r.Problem = v, why.Error()
	return r
}

// finish fills in figures and verdict from the samples, ours first. A ratio or a slope is
// judged by the quickest samples, a time by its median, which is what a user feels.
func (r *Result) finish(samples [][]float64) {
	if len(r.Sizes) > 0 {
		ours, order := seconds(samples[len(samples)-1]), slope(r.Sizes, samples)
		r.Ours, r.Slope, r.SizeSamples, r.Verdict = &ours, &order, samples, Missed
		if math.Abs(order.Best-r.Target) <= Band {
			r.Verdict = Met
		}
		return
	}
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
	case r.Slope != nil:
		return fmt.Sprintf("order %.2f, %s", r.Slope.Best, r.Verdict)
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
			row[2] = strings.TrimSpace(fmt.Sprintf("%s %s %s", duration(x.Theirs.Best), x.Peer, x.PeerVersion))
			row[3], row[4], row[5] = cells(x.Ratio)
		case x.Slope != nil:
			row[1] = duration(x.Ours.Best)
			row[2] = fmt.Sprintf("%s %s", duration(slices.Min(x.SizeSamples[0])), x.Peer)
			row[3], row[4], row[5] = cells(x.Slope)
		default:
			row[1], row[4] = duration(x.Ours.Best), duration(x.Ours.Median)
			row[5] = duration(x.Ours.Low) + "–" + duration(x.Ours.High)
		}
		if x.Target > 0 {
			row[6] = fmt.Sprintf("≤ %.4g", x.Target)
			switch {
			case x.Peer == "" && x.Target < 1e-3:
				row[6] = "≤ " + duration(x.Target)
			case x.Peer == "":
				row[6] += " s"
			case len(x.Sizes) > 0:
				row[6] = fmt.Sprintf("%.4g ± %.4g", x.Target, Band)
			}
		}
		rows = append(rows, row)
	}
	var out strings.Builder
	out.WriteString(align(rows))
	fmt.Fprintf(&out, "Times are the quickest of %d samples a side, the sides in turns; a ratio is of those, its median and quartiles are of the turns.\n", r.Repeats)
	if slices.ContainsFunc(r.Results, func(x Result) bool { return x.Slope != nil }) {
		out.WriteString("Where the target is an order, the ratio is the slope of time over size on logarithmic axes, ours the largest size, and the peer the smallest.\n")
	}
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

// cells of a ratio or a slope: quickest, median, quartiles.
func cells(f *Figure) (best, median, quartiles string) {
	return fmt.Sprintf("%.2f", f.Best), fmt.Sprintf("%.2f", f.Median), fmt.Sprintf("%.2f–%.2f", f.Low, f.High)
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
	case seconds < 1e-5:
		return fmt.Sprintf("%.3g µs", seconds*1e6)
	case seconds < 1e-3:
		return fmt.Sprintf("%.0f µs", seconds*1e6)
	case seconds < 1:
		return fmt.Sprintf("%.2f ms", seconds*1e3)
	}
	return fmt.Sprintf("%.2f s", seconds)
}
