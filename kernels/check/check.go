// Package check runs everything that must hold before a change lands, stage by
// stage, and counts: the builds, the linters, the unit tests on both backends, a
// plain program that imports the library, the notebooks with their claims, and
// one notebook in a real browser.
//
// A stage is one function of the list [Stages]; what it finds are [junit.Case]s.
// A stage that fails does not keep the next from running, unless that builds on it.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hindsight-go/hindsight/kernels/internal/atomicfile"
	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/junit"
)

// Options say what to test and how.
type Options struct {
	Root        repo.Root
	Short       bool     // leave out what takes long
	Only        []string // stages by name; none means all
	Verbose     bool     // show what the programs print
	RequireData bool     // what is skipped for want of data fails
	JUnit       string   // file for the results as JUnit XML; "" for none
	Out         string   // folder for executed notebooks and pictures
	Progress    io.Writer
}

// Stage is one thing that is tested.
type Stage struct {
	Name  string
	About string
	long  bool // left out by Short
	own   bool // shows its progress itself
	run   func(context.Context, *session) ([]junit.Case, error)
}

// Stages lists them in the order they run in.
func Stages() []Stage {
	return []Stage{
		{Name: "setup", About: "the environment is complete, or is completed", run: setUp},
		{Name: "build", About: "everything compiles, with XLA and as static pure Go", run: build},
		{Name: "format", About: "gofmt has nothing to change", run: format},
		{Name: "vet", About: "go vet has nothing to say, for both builds", run: vet},
		{Name: "staticcheck", About: "staticcheck has nothing to say", run: staticcheck},
		{Name: "unit", About: "unit tests of all packages; the library on XLA", run: unit},
		{Name: "unit-go", About: "unit tests of the library, static, on the pure-Go backend", run: unitPure},
		{Name: "program", About: "a plain program in a module of its own imports the library and trains", run: program},
		{Name: "notebooks", About: "every notebook runs and keeps its claims (--short: two of them)", own: true, run: notebooks},
		{Name: "browser", About: "a notebook in JupyterLab in headless Chromium: run all, move a slider", long: true, run: inBrowser},
	}
}

// session is one run of the tests.
type session struct {
	Options
	progress *term.Progress
	task     *term.Task // of the stage that runs
	broken   bool       // the environment could not be completed
}

// Run runs the stages and returns all results. Failures are in them, not in the
// error, which is about the request, a file that could not be written, or ctx.
func Run(ctx context.Context, o Options) (junit.Report, error) {
	stages, err := o.stages()
	if err != nil {
		return junit.Report{}, err
	}
	s := &session{Options: o, progress: term.New(o.Progress)}
	began := time.Now()
	all := junit.Report{Name: "hindsight"}
	for _, stage := range stages {
		suite := s.stage(ctx, stage)
		if ctx.Err() != nil {
			return all, ctx.Err()
		}
		all.Suites = append(all.Suites, suite)
	}
	all.Seconds = time.Since(began).Seconds()
	if o.JUnit == "" {
		return all, nil
	}
	raw, err := all.XML()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(o.JUnit), 0o755)
	}
	if err == nil {
		err = atomicfile.Write(o.JUnit, raw)
	}
	return all, err
}

// stages are those asked for.
func (o Options) stages() ([]Stage, error) {
	all := Stages()
	var known []string
	for _, s := range all {
		known = append(known, s.Name)
	}
	for _, name := range o.Only {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no stage %q; choose from %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(s Stage) bool {
		if len(o.Only) > 0 {
			return !slices.Contains(o.Only, s.Name)
		}
		return o.Short && s.long
	}), nil
}

// stage runs one and says what came of it.
func (s *session) stage(ctx context.Context, stage Stage) junit.Suite {
	began := time.Now()
	if !stage.own {
		s.task = s.progress.Task(stage.Name)
	}
	cases, err := stage.run(ctx, s)
	if stage.own {
		s.task = s.progress.Task(stage.Name)
	}
	var no *skip
	switch {
	case errors.As(err, &no):
		cases = append(cases, junit.Case{Name: stage.Name, Skipped: &junit.Outcome{Message: no.why}})
	case err != nil:
		first, rest, _ := strings.Cut(err.Error(), "\n")
		cases = append(cases, junit.Case{Name: stage.Name, Error: &junit.Outcome{Message: first, Text: rest}})
	}
	for i := range cases {
		cases[i].Class = strings.Trim(stage.Name+"."+cases[i].Class, ".")
	}
	suite := junit.Suite{Name: stage.Name, Seconds: time.Since(began).Seconds(), Cases: cases}
	counts := suite.Counts()
	switch {
	case ctx.Err() != nil:
		s.task.Drop()
		return suite
	case counts.Failed > 0:
		s.task.Warn("%s", counts)
	case counts.Passed == 0:
		s.task.Skip("%s", counts)
	default:
		s.task.Done("%s", counts)
	}
	for _, c := range cases {
		switch {
		case c.Failure != nil:
			s.say("FAIL", c, c.Failure)
		case c.Error != nil:
			s.say("FAIL", c, c.Error)
		case c.Skipped != nil && (s.Verbose || counts.Skipped <= fewSkips):
			s.say("skip", c, c.Skipped)
		}
	}
	return suite
}

// fewSkips are told one by one, with their reasons; more only with Verbose.
const fewSkips = 12

// say tells of a case that did not pass.
func (s *session) say(mark string, c junit.Case, o *junit.Outcome) {
	const lines = 40 // the end of a long text tells most
	text := strings.Split(strings.TrimSpace(o.Text), "\n")
	if len(text) > lines && !s.Verbose {
		text = append([]string{fmt.Sprintf("(%d lines left out)", len(text)-lines)}, text[len(text)-lines:]...)
	}
	line := fmt.Sprintf("  %s %s: %s", mark, strings.TrimSpace(c.Class+" "+c.Name), o.Message)
	if mark == "FAIL" && strings.TrimSpace(o.Text) != "" {
		line += "\n      " + strings.Join(text, "\n      ")
	}
	s.progress.Printf("%s", line)
}

// skip is the error of a stage that cannot run here, for no fault of the code.
type skip struct{ why string }

func (s *skip) Error() string { return s.why }
