package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopGrace is how long a side may take to end by itself: a Jupyter kernel is shut
// down in it. A variable, because tests have no time.
var stopGrace = 10 * time.Second

// side is a running process of a benchmark.
type side struct {
	who   string // in errors
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan []byte
	said  bytes.Buffer // on standard error; read it after stop only
	hello answer
}

// answer is a line of the protocol.
type answer struct {
	Versions map[string]string `json:"versions"`
	Check    []float64         `json:"check"`
	Seconds  float64           `json:"seconds"`
	Error    string            `json:"error"`
}

// start starts a side and waits until it is ready. The caller stops it.
func start(ctx context.Context, who, dir string, env []string, args ...string) (*side, error) {
	s := &side{who: who, cmd: exec.Command(args[0], args[1:]...), lines: make(chan []byte)}
	s.cmd.Dir = dir
	s.cmd.Env = append(os.Environ(), env...)
	// A group of its own: Ctrl-C at the terminal reaches only us, and we stop the sides.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Stderr = &s.said
	s.cmd.WaitDelay = time.Second
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: %s cannot be started: %w", who, err)
	}
	go func() {
		defer close(s.lines)
		for read := bufio.NewReader(out); ; {
			line, err := read.ReadBytes('\n')
			if len(line) > 0 {
				s.lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	if s.hello, err = s.read(ctx); err != nil {
		s.stop()
		return nil, s.explain(err)
	}
	return s, nil
}

// errEnded means that a process ended without a word.
var errEnded = errors.New("it ended early")

func (s *side) read(ctx context.Context) (answer, error) {
	for {
		select {
		case <-ctx.Done():
			return answer{}, ctx.Err()
		case line, ok := <-s.lines:
			var a answer
			switch {
			case !ok:
				return a, errEnded
			case json.Unmarshal(line, &a) != nil:
				continue // a library that talks
			case a.Error != "":
				return a, errors.New(a.Error)
			}
			return a, nil
		}
	}
}

// sample has the side do some work and returns the seconds that a unit of it took.
func (s *side) sample(ctx context.Context) (float64, error) {
	_, writeErr := io.WriteString(s.in, "\n")
	a, err := s.read(ctx)
	if err == nil && !(a.Seconds > 0) {
		err = errors.Join(fmt.Errorf("a sample took %g seconds", a.Seconds), writeErr)
	}
	if err != nil {
		s.stop()
		return 0, s.explain(err)
	}
	return a.Seconds, nil
}

// stop ends the process, and whatever it has started in its group. It may be called
// again.
func (s *side) stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.in.Close() // asks it to end
	grace := time.After(stopGrace)
	for open := true; open; {
		select {
		case _, open = <-s.lines:
		case <-grace:
			s.kill()
			grace = nil
		}
	}
	s.kill()
	_ = s.cmd.Wait() // how it ended does not matter any more
}

func (s *side) kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
}

// explain adds who failed, and the end of what it printed where it did not say more.
func (s *side) explain(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if text := strings.TrimSpace(s.said.String()); errors.Is(err, errEnded) && text != "" {
		return fmt.Errorf("%s: %w: %s", s.who, err, text[strings.LastIndexByte(text, '\n')+1:])
	}
	return fmt.Errorf("%s: %w", s.who, err)
}
