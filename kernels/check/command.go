package check

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hindsight-go/hindsight/kernels/junit"
)

// stopAfter is how long a program gets to end itself when the tests are stopped.
const stopAfter = 5 * time.Second

// command is a program that a stage runs, in the repository's root unless it says otherwise.
type command struct {
	dir  string
	env  []string // added to our own
	out  io.Writer
	args []string
}

// run runs a program and returns what it printed, both streams together.
func (s *session) run(ctx context.Context, c command) (string, error) {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	if cmd.Dir == "" {
		cmd.Dir = s.Root.Dir()
	}
	cmd.Env = append(os.Environ(), c.env...)
	// A group of its own, so that what the program has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = stopAfter
	var all bytes.Buffer
	to := []io.Writer{&all}
	if c.out != nil {
		to = []io.Writer{c.out}
	}
	if s.Verbose && c.out == nil {
		to = append(to, printer{s})
	}
	cmd.Stdout = io.MultiWriter(to...)
	cmd.Stderr = cmd.Stdout
	if c.out != nil {
		cmd.Stderr = &all
	}
	err := cmd.Run()
	return all.String(), err
}

// printer shows what programs print above the progress.
type printer struct{ s *session }

func (p printer) Write(text []byte) (int, error) {
	p.s.progress.Printf("%s", strings.TrimSuffix(string(text), "\n"))
	return len(text), nil
}

// holds is the case of a program that must succeed.
func (s *session) holds(ctx context.Context, name string, c command) junit.Case {
	s.task.Note("%s", name)
	began := time.Now()
	out, err := s.run(ctx, c)
	result := junit.Case{Name: name}
	if err != nil {
		result.Failure = &junit.Outcome{Message: "'" + strings.Join(c.args, " ") + "' failed (" + err.Error() + ")", Text: out}
		if !errors.As(err, new(*exec.ExitError)) {
			result.Error, result.Failure = result.Failure, nil
		}
	}
	result.Seconds = time.Since(began).Seconds()
	return result
}
