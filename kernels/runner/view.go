package runner

import (
	"fmt"
	"strings"
	"time"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/report"
)

// A log hears of every cell that took at least this long.
const worthALine = time.Second

// view shows one notebook's progress.
type view struct {
	progress *term.Progress
	bar      *term.Task
	name     string
	labels   []string // by index of the cell
	verbose  bool     // show what cells print
	log      bool     // no terminal: say a line per cell

	done    int // cells that are
	seen    map[int]bool
	current int
	begun   time.Time
	partial map[string]string // output that lacks its newline, by stream
}

func newView(p *term.Progress, t *task, verbose, log bool) *view {
	v := &view{progress: p, name: t.name, verbose: verbose, log: log, seen: map[int]bool{}, partial: map[string]string{}, current: -1}
	heading := ""
	for _, c := range t.nb.Cells {
		if c.Kind == notebook.Markdown {
			for line := range strings.Lines(c.Source) {
				if strings.HasPrefix(line, "#") {
					heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
				}
			}
		}
		v.labels = append(v.labels, heading)
	}
	if len(t.values) > 0 {
		if at, replaces := t.nb.InjectedAt(); !replaces {
			v.labels = append(v.labels[:at:at], append([]string{v.labels[at-1]}, v.labels[at:]...)...)
		}
	}
	v.bar = p.Task(t.name)
	v.bar.Note("starting the kernel")
	return v
}

func (v *view) event(e event) {
	switch e.Event {
	case "prepared":
		v.bar.Total(int64(e.Cells))
	case "cell":
		v.current, v.begun = e.Index, time.Now()
		v.bar.Note("%s", v.label(e.Index))
	case "stream":
		if v.verbose {
			v.print(e.Name, e.Text)
		}
	case "outputs":
		v.flush()
		// A cell whose outputs are updated later was counted before.
		if v.seen[e.Index] {
			return
		}
		v.seen[e.Index] = true
		if e.Count == nil {
			return // stopped in the middle
		}
		v.done++
		v.bar.Add(1)
		if took := time.Since(v.begun); v.log && took >= worthALine {
			v.progress.Printf("  %s: %s (%s)", v.name, v.label(e.Index), term.Clock(took))
		}
	}
}

func (v *view) label(index int) string {
	text := fmt.Sprintf("cell %d", index+1)
	if index < len(v.labels) && v.labels[index] != "" {
		text += ", " + v.labels[index]
	}
	return text
}

// print shows whole lines of what cells print, each with the notebook's name.
func (v *view) print(stream, text string) {
	text = v.partial[stream] + text
	at := strings.LastIndexByte(text, '\n')
	v.partial[stream] = text[at+1:]
	for line := range strings.Lines(text[:at+1]) {
		v.line(line)
	}
}

// flush shows what is left without a newline.
func (v *view) flush() {
	for _, stream := range []string{"stdout", "stderr"} {
		if rest := v.partial[stream]; rest != "" {
			v.partial[stream] = ""
			v.line(rest)
		}
	}
}

func (v *view) line(text string) {
	text = strings.TrimRight(text, "\r\n")
	text = text[strings.LastIndexByte(text, '\r')+1:] // the last state of a line that was overwritten
	v.progress.Printf("  %s | %s", v.name, text)
}

func (v *view) end(n report.Notebook) {
	v.flush()
	cells := fmt.Sprintf("%d of %d cells", n.Ran, n.Cells)
	switch {
	case n.Status == report.Passed && n.Regressed() > 0:
		v.bar.Fail()
		v.progress.Printf("  %d of %d claims hold; %d that held in the committed notebook do not", n.Held(), len(n.Claims), n.Regressed())
	case n.Status == report.Passed && len(n.Claims) > 0:
		v.bar.Done("%s, %d of %d claims hold", cells, n.Held(), len(n.Claims))
	case n.Status == report.Passed:
		v.bar.Done("%s", cells)
	case n.Status == report.Skipped:
		v.bar.Warn("skipped: %s", n.Reason)
	case n.Status == report.Interrupted:
		v.bar.Warn("interrupted after %s", cells)
	default:
		v.bar.Fail()
		where := ""
		if n.Failure.Cell > 0 {
			where = v.label(n.Failure.Cell-1) + ": "
		}
		v.progress.Printf("  %s%s", where, n.Failure.Message)
		if n.Failure.Cure != "" {
			v.progress.Printf("  %s", n.Failure.Cure)
		}
	}
}
