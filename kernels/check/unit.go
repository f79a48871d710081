package check

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/junit"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// limit is how long the tests of one package may take.
const limit = 15 * time.Minute

// unit tests everything, the library on XLA where it is set up.
func unit(ctx context.Context, s *session) ([]junit.Case, error) {
	if setup.PureOnly(s.Root) {
		return s.goTest(ctx, []string{"GOMLX_BACKEND=go"}, "./...")
	}
	env := []string{"GOMLX_BACKEND=xla:cpu", "GOMLX_NO_AUTO_INSTALL=1"}
	if os.Getenv("PJRT_PLUGIN_LIBRARY_PATH") == "" {
		env = append(env, "PJRT_PLUGIN_LIBRARY_PATH="+s.Root.PluginDir())
	}
	return s.goTest(ctx, env, "./...")
}

// unitPure tests the library as whoever has no C compiler gets it.
func unitPure(ctx context.Context, s *session) ([]junit.Case, error) {
	return s.goTest(ctx, append([]string{"GOMLX_BACKEND=go"}, static...), "-tags", "noxla", "./lib/...")
}

func (s *session) goTest(ctx context.Context, env []string, args ...string) ([]junit.Case, error) {
	command := command{env: append(env, repo.PrefixVar+"="+s.Root.Venv()), args: append([]string{"go", "test", "-json", "-timeout", limit.String()}, args...)}
	if s.Short {
		command.args = append(command.args[:3:3], append([]string{"-short"}, command.args[3:]...)...)
	}
	r, w := io.Pipe()
	command.out = w
	events := &events{session: s, output: map[test]*strings.Builder{}}
	read := make(chan error, 1)
	go func() { read <- events.read(r) }()
	stderr, err := s.run(ctx, command)
	_ = w.Close()
	if bad := <-read; bad != nil {
		return events.cases, fmt.Errorf("what go test printed cannot be read: %w", bad)
	}
	if err != nil && len(events.cases) == 0 {
		return nil, fmt.Errorf("go test failed: %w\n%s", err, stderr)
	}
	return events.cases, nil
}

// test is a test's name in its package, "" for the package itself.
type test struct{ pkg, name string }

// event is a line of go test -json.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of what is being built
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// events turns what go test -json prints into cases.
type events struct {
	*session
	output map[test]*strings.Builder
	cases  []junit.Case
	done   int // packages
}

func (e *events) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var ev event
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil {
			return fmt.Errorf("%w in %q", err, lines.Text())
		}
		e.take(ev)
	}
	_, _ = io.Copy(io.Discard, r) // so that go test does not wait for us
	return lines.Err()
}

// take counts tests, examples and fuzz seeds, each once whatever its subtests, and packages that fail without a test.
func (e *events) take(ev event) {
	pkg := strings.TrimPrefix(strings.TrimPrefix(ev.Package, repo.Module), "/")
	top, _, sub := strings.Cut(ev.Test, "/")
	id := test{ev.Package, top}
	switch ev.Action {
	case "output", "build-output":
		if ev.Action == "build-output" {
			id = test{ev.ImportPath, ""}
		}
		if e.output[id] == nil {
			e.output[id] = new(strings.Builder)
		}
		e.output[id].WriteString(ev.Output)
		if e.Verbose {
			e.progress.Printf("%s", strings.TrimSuffix(ev.Output, "\n"))
		}
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if ev.Test == "" {
		e.done++
		e.task.Note("%d packages, %d tests, last %s", e.done, len(e.cases), path.Base(pkg))
	}
	if sub {
		return
	}
	c := junit.Case{Class: pkg, Name: top, Seconds: ev.Elapsed}
	text := e.text(id)
	switch {
	case ev.Test == "" && ev.Action == "fail" && (!e.failedIn(pkg) || ev.FailedBuild != ""):
		c.Name = "package"
		c.Error = &junit.Outcome{Message: "the package failed without a failing test", Text: text}
		if ev.FailedBuild != "" {
			c.Error = &junit.Outcome{Message: "does not compile", Text: e.text(test{ev.FailedBuild, ""})}
		}
	case ev.Test == "":
		delete(e.output, id)
		return
	case ev.Action == "fail":
		c.Failure = &junit.Outcome{Message: "failed", Text: text}
	case ev.Action == "skip":
		why := reason(text)
		c.Skipped = &junit.Outcome{Message: why}
		if e.RequireData && strings.Contains(why, missingData) {
			c.Failure, c.Skipped = &junit.Outcome{Message: "data are required: " + why}, nil
		}
	}
	e.cases = append(e.cases, c)
	delete(e.output, id)
}

// missingData is what the reason of a test says that is skipped for want of data: see data.ErrUnavailable.
const missingData = "the data set cannot be had here"

func (e *events) text(id test) string {
	if b := e.output[id]; b != nil {
		return b.String()
	}
	return ""
}

// failedIn says whether a test of the package has failed.
func (e *events) failedIn(pkg string) bool {
	for _, c := range e.cases {
		if c.Class == pkg && c.Failed() {
			return true
		}
	}
	return false
}

// reason is why a test was skipped: the line that testing.T.Skip prints, without its place.
func reason(output string) string {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if place, why, ok := strings.Cut(line, ": "); ok && strings.Contains(place, "_test.go:") {
			return why
		}
	}
	return "no reason given"
}
