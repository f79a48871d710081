package term

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	redrawEvery = 100 * time.Millisecond
	firstLine   = time.Second      // tasks shorter than this say only how they ended
	nextLine    = 10 * time.Second // between the lines of one task in a log
)

// Progress writes lines and the state of running tasks. Its methods, and those
// of its tasks, may be called from several goroutines.
type Progress struct {
	mu    sync.Mutex
	w     io.Writer
	live  bool       // redraw lines in place
	cols  func() int // of the terminal
	tasks []*Task    // running, in the order they were started
	drawn int        // live lines now on the screen
	timer *time.Timer
}

// New is a Progress on w: bars where w is a terminal, lines elsewhere.
func New(w io.Writer) *Progress {
	return &Progress{w: w, live: Is(w), cols: func() int { return width(w) }}
}

// Printf writes a line (a newline is added where it lacks one) above the running tasks.
func (p *Progress) Printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.say(fmt.Sprintf(format, args...))
}

// Task starts a task. It ends with the first call of Done, Skip, Drop, Warn or Fail.
func (p *Progress) Task(name string) *Task {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	t := &Task{p: p, name: name, start: now, next: now.Add(firstLine)}
	p.tasks = append(p.tasks, t)
	p.redraw()
	if p.timer == nil {
		p.timer = time.AfterFunc(redrawEvery, p.tick)
	}
	return t
}

// tick redraws, or says the lines that are due, until no task runs.
func (p *Progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tasks) == 0 {
		p.timer = nil
		return
	}
	if p.live {
		p.redraw()
	} else {
		now := time.Now()
		for _, t := range p.tasks {
			if !now.Before(t.next) {
				t.next = now.Add(nextLine)
				fmt.Fprintln(p.w, t.line(0))
			}
		}
	}
	p.timer.Reset(redrawEvery)
}

// say writes text above the live lines. The caller holds the lock.
func (p *Progress) say(text string) {
	p.erase()
	fmt.Fprintln(p.w, strings.TrimSuffix(text, "\n"))
	p.redraw()
}

func (p *Progress) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

func (p *Progress) redraw() {
	if !p.live {
		return
	}
	p.erase()
	cols := p.cols()
	for _, t := range p.tasks {
		fmt.Fprintln(p.w, t.line(cols))
	}
	p.drawn = len(p.tasks)
}

// Task is something under way.
type Task struct {
	p     *Progress
	name  string
	start time.Time
	next  time.Time // when a log hears of it again
	done  int64
	total int64
	bytes bool
	note  string
	ended bool
}

// Total says how many parts there are; until then only a clock is shown.
func (t *Task) Total(parts int64) { t.set(func() { t.total = parts }) }

// TotalBytes is Total for parts that are bytes, shown in MB.
func (t *Task) TotalBytes(n int64) { t.set(func() { t.total, t.bytes = n, true }) }

// Add counts further parts done.
func (t *Task) Add(parts int64) { t.set(func() { t.done += parts }) }

// Set counts parts done from the start.
func (t *Task) Set(parts int64) { t.set(func() { t.done = parts }) }

// Note says what the task is at, shown behind the bar.
func (t *Task) Note(format string, args ...any) {
	t.set(func() { t.note = fmt.Sprintf(format, args...) })
}

func (t *Task) set(change func()) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	change()
}

// Done ends the task with what came of it.
func (t *Task) Done(format string, args ...any) { t.end("✓", fmt.Sprintf(format, args...), true) }

// Skip ends a task that had nothing to do.
func (t *Task) Skip(format string, args ...any) { t.end("·", fmt.Sprintf(format, args...), false) }

// Drop ends the task and says nothing.
func (t *Task) Drop() { t.end("", "", false) }

// Warn ends a task that failed where the command can go on without it.
func (t *Task) Warn(format string, args ...any) { t.end("!", fmt.Sprintf(format, args...), true) }

// Fail ends the task that stopped the command. The error itself is for the
// command to say.
func (t *Task) Fail() { t.end("✗", "failed", true) }

func (t *Task) end(mark, what string, clock bool) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	for i, other := range t.p.tasks {
		if other == t {
			t.p.tasks = append(t.p.tasks[:i:i], t.p.tasks[i+1:]...)
			break
		}
	}
	if mark == "" {
		t.p.redraw()
		return
	}
	line := mark + " " + t.name
	if what != "" {
		line += ": " + what
	}
	if took := time.Since(t.start); clock && took >= firstLine {
		line += " (" + Clock(took) + ")"
	}
	t.p.say(line)
}

// line is the task's state, cut to cols columns where cols is positive.
func (t *Task) line(cols int) string {
	parts := []string{"…", t.name}
	if t.total > 0 {
		share := min(1, float64(t.done)/float64(t.total))
		if cols > 0 {
			const cells = 24
			full := int(share * cells)
			parts = append(parts, strings.Repeat("█", full)+strings.Repeat("░", cells-full))
		}
		parts = append(parts, fmt.Sprintf("%3.0f%%", 100*share))
		if t.bytes {
			parts = append(parts, fmt.Sprintf("%.0f/%.0f MB", float64(t.done)/1e6, float64(t.total)/1e6))
		} else {
			parts = append(parts, fmt.Sprintf("%d/%d", t.done, t.total))
		}
	}
	parts = append(parts, Clock(time.Since(t.start)))
	if t.note != "" {
		parts = append(parts, strings.ReplaceAll(t.note, "\n", " "))
	}
	line := strings.Join(parts, " ")
	if cols > 0 && utf8.RuneCountInString(line) >= cols {
		line = string([]rune(line)[:max(0, cols-2)]) + "…"
	}
	return line
}

// Clock writes a duration for people: "0.4 s", "12 s", "3 min 05 s".
func Clock(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	s := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%d min %02d s", s/60, s%60)
}
