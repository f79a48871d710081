package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/report"
)

const memoryCure = "Often the system had run out of memory: run fewer notebooks at a time (-j 1), close other programs, or choose --scale quick."

// judge turns the end of a worker into a result.
func (r *run) judge(ctx context.Context, result *report.Notebook, end event, ran notebook.Run) {
	fail := func(kind, cure, format string, args ...any) {
		result.Status = report.Failed
		result.Failure = &report.Error{Kind: kind, Cell: end.Cell + 1, Message: fmt.Sprintf(format, args...), Cure: cure, Traceback: plain(end.Traceback)}
	}
	switch end.Status {
	case endOK:
		result.Status = report.Passed
	case endCancelled:
		if errors.Is(context.Cause(ctx), errNotebookTimeout) {
			fail(report.TimedOut, "--notebook-timeout gives it longer.", "the notebook took longer than %v", r.NotebookTimeout)
			return
		}
		result.Status = report.Interrupted
	case endTimeout:
		fail(report.TimedOut, "--timeout gives it longer.", "took longer than %v", r.CellTimeout)
	case endNoKernel:
		end.Cell = -1
		fail(report.NotStarted, "'go run ./kernels setup' installs the kernels, 'go run ./kernels doctor' lists them.", "kernel %q is not installed", end.Message)
	case endStart:
		fail(report.NotStarted, "'go run ./kernels doctor' says what is wrong.", "the kernel did not start: %s", end.Message)
	case endDead:
		cure := "The end of its log is in the report."
		if end.Code != nil && *end.Code == -int(syscall.SIGKILL) {
			cure = memoryCure
		}
		fail(report.KernelDied, cure, "the kernel died: %s", exitOf(end.Code))
	case endCell:
		if problems := compileErrors(end.Message, ran.Outputs[end.Cell]); len(problems) > 0 {
			end.Traceback = problems
			fail(report.CellFailed, "", "does not compile: %s", problems[0])
			return
		}
		message := cellMessage(end.Message, ran.Outputs[end.Cell])
		// GoNB runs each cell as a program of its own, which can be killed alone.
		if strings.Contains(end.Message, "signal: killed") {
			fail(report.KernelDied, memoryCure, "the cell's program was killed (%s)", message)
			return
		}
		fail(report.CellFailed, "", "%s", message)
		if said := strings.TrimSpace(stderrOf(ran.Outputs[end.Cell])); said != "" {
			// What GoNB calls a traceback is the exit status once more.
			result.Failure.Traceback = plain(strings.Split(said, "\n"))
		}
	default: // lost
		end.Cell = -1
		if end.Code != nil {
			fail(report.KernelDied, memoryCure, "%s", end.Message)
			return
		}
		last := ""
		if n := len(end.Traceback); n > 0 {
			last = ": " + end.Traceback[n-1]
		}
		fail(report.NotStarted, "'go run ./kernels setup' repairs the Python environment.", "%s%s", end.Message, last)
	}
}

// exitOf reads the exit code as Python reports it: a signal is negative.
func exitOf(code *int) string {
	switch {
	case code == nil:
		return "its exit status is not known"
	case *code < 0:
		return fmt.Sprintf("signal %d (%s)", -*code, syscall.Signal(-*code))
	}
	return fmt.Sprintf("exit status %d", *code)
}

// GoNB shows what the compiler says as HTML: the place in the cell, the place in
// the program it made of it, the message, and the lines around.
var compileError = regexp.MustCompile(`(?s)gonb-cell-line-info">([^<]*)</span>.*?gonb-err-location">[^<]*</span></span>(.*?)<div class="gonb-err-context">`)

// compileErrors returns what the compiler says about a cell that failed with the
// given message, nothing where it failed otherwise.
func compileErrors(message string, outputs []notebook.Output) []string {
	if !strings.Contains(message, "failed to run") {
		return nil
	}
	var found []string
	for _, o := range outputs {
		page, _ := o.Data["text/html"].(string)
		for _, match := range compileError.FindAllStringSubmatch(page, -1) {
			found = append(found, match[1]+": "+strings.TrimSpace(match[2]))
		}
	}
	return found
}

var panicLine = regexp.MustCompile(`(?m)^(panic|fatal error): .*$`)

// cellMessage adds to 'exit status 2' what the program said.
func cellMessage(message string, outputs []notebook.Output) string {
	said := stderrOf(outputs)
	line := panicLine.FindString(said)
	if line == "" {
		lines := slices.DeleteFunc(strings.Split(said, "\n"), func(l string) bool {
			l = strings.TrimSpace(l)
			return l == "" || l == message
		})
		if len(lines) > 0 {
			line = strings.TrimSpace(lines[len(lines)-1])
		}
	}
	message = strings.TrimSpace(ansi.ReplaceAllString(message, ""))
	if line = strings.TrimSpace(ansi.ReplaceAllString(line, "")); line == "" {
		return message
	}
	return message + ": " + line
}

func stderrOf(outputs []notebook.Output) string {
	var b strings.Builder
	for _, o := range outputs {
		if o.Kind == notebook.Stream && o.Name == "stderr" {
			b.WriteString(o.Text)
		}
	}
	return b.String()
}

// Colours and other orders to a terminal.
var ansi = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

func plain(lines []string) []string {
	var clean []string
	for _, l := range lines {
		if l = strings.TrimRight(ansi.ReplaceAllString(l, ""), " \r"); l != "" || len(clean) > 0 {
			clean = append(clean, l)
		}
	}
	return clean
}

// claims reads the verdicts of a notebook that ran to its end, and compares them
// with the committed ones.
func (r *run) claims(result *report.Notebook, t *task, ran notebook.Run) {
	fail := func(kind, cure, format string, args ...any) {
		result.Status = report.Failed
		result.Failure = &report.Error{Kind: kind, Message: fmt.Sprintf(format, args...), Cure: cure}
	}
	var outputs []notebook.Output
	for _, i := range slices.Sorted(maps.Keys(ran.Outputs)) {
		outputs = append(outputs, ran.Outputs[i]...)
	}
	record, err := report.Claims(t.name, outputs)
	if err != nil {
		fail(report.BadClaims, "", "%v", err)
		return
	}
	if record == nil {
		record = &report.Record{Scale: t.scale}
	}
	if t.scale == "" {
		result.Scale = record.Scale
	} else if record.Scale != t.scale {
		fail(report.BadClaims, "", "claims record: scale is %q, must be %q as the parameter says", record.Scale, t.scale)
		return
	}
	report.Compare(record, t.before)
	result.Claims = record.Claims
	missing := record.Skipped
	if missing != "" {
		result.Status, result.Reason = report.Skipped, missing
	}
	for _, c := range record.Claims {
		if missing == "" {
			missing = c.Skipped
		}
	}
	if missing != "" && r.RequireData {
		result.Reason = ""
		fail(report.DataMissing, "Without --require-data this counts as skipped.", "%s", missing)
	}
}
