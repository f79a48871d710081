package runner

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
	"sync"
	"syscall"
	"time"

	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/parameter"
)

// job is what the Python worker is asked to do.
type job struct {
	Notebook     string            `json:"notebook"`
	Kernel       string            `json:"kernel"`
	Folder       string            `json:"folder"` // working directory of the kernel
	Parameters   []parameter.Value `json:"parameters"`
	CellTimeout  float64           `json:"cell_timeout"`  // seconds, 0 for none
	StartTimeout float64           `json:"start_timeout"` // seconds
}

// event is what the worker tells; its documentation is at the head of worker.py.
type event struct {
	Event     string            `json:"event"`
	Cells     int               `json:"cells"`
	Injected  string            `json:"injected"`
	PID       int               `json:"pid"`
	Index     int               `json:"index"`
	Count     *int              `json:"count"`
	Name      string            `json:"name"`
	Text      string            `json:"text"`
	Outputs   []notebook.Output `json:"outputs"`
	Status    string            `json:"status"`
	Message   string            `json:"message"`
	Cell      int               `json:"cell"`
	Code      *int              `json:"code"`
	Traceback []string          `json:"traceback"`
}

// How a worker can end, beside the statuses that it sends itself.
const (
	endOK        = "ok"
	endCell      = "cell"
	endDead      = "dead"
	endTimeout   = "timeout"
	endStart     = "start"
	endNoKernel  = "no-kernel"
	endCancelled = "cancelled"
	endLost      = "lost" // the worker itself died
)

const (
	startTimeout = 2 * time.Minute
	stderrTail   = 64 << 10
)

// A stopped worker gets this long to kill its kernel and send what there is. A
// variable, because tests have no time.
var stopGrace = 10 * time.Second

// work runs a job in a Python worker, passes its events to watch, and returns
// the last one. Where ctx ends, the worker and its kernel are stopped. An error
// means that the worker could not be started.
func work(ctx context.Context, python, script, scratch string, j job, watch func(event)) (event, error) {
	line, err := json.Marshal(j)
	if err != nil {
		return event{}, err
	}
	cmd := exec.Command(python, script)
	cmd.Env = append(os.Environ(), "HINDSIGHT_HEADLESS=1", "TMPDIR="+scratch, "PYTHONDONTWRITEBYTECODE=1")
	// A group of its own, so that Ctrl-C at the terminal reaches only us, and we
	// decide what is finished first.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return event{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return event{}, err
	}
	stderr := &tail{max: stderrTail}
	cmd.Stderr = stderr
	// The kernel inherits stderr and may outlive the worker.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return event{}, err
	}
	if _, err := stdin.Write(append(line, '\n')); err != nil && !errors.Is(err, syscall.EPIPE) {
		return event{}, err
	}

	kernel := 0
	end := event{Status: endLost, Cell: -1}
	ended := make(chan struct{})
	stopped := make(chan struct{})
	var kill sync.Mutex // guards kernel
	go func() {
		defer close(stopped)
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		_ = stdin.Close()
		select {
		case <-ended:
		case <-time.After(stopGrace):
			kill.Lock()
			defer kill.Unlock()
			killGroup(kernel)
			killGroup(cmd.Process.Pid)
		}
	}()

	read := bufio.NewReader(stdout)
	for {
		line, readErr := read.ReadBytes('\n')
		var e event
		if len(line) > 0 && json.Unmarshal(line, &e) == nil {
			switch e.Event {
			case "end":
				end = e
			case "kernel":
				kill.Lock()
				kernel = e.PID
				kill.Unlock()
			default:
				watch(e)
			}
		}
		if readErr != nil {
			break
		}
	}
	close(ended)
	<-stopped
	_ = stdin.Close()
	_ = cmd.Wait() // how it ended is in ProcessState
	// A worker that was lost leaves its kernel, and a kernel that died leaves the
	// program of its cell.
	killGroup(kernel)
	if end.Status == endLost {
		if ctx.Err() != nil {
			end.Status = endCancelled
			return end, nil
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			code := -int(status.Signal())
			end.Code = &code
		}
		end.Message = fmt.Sprintf("the Python process that drives the kernel ended early (%v)", cmd.ProcessState)
	}
	if end.Status == endLost || end.Status == endStart || end.Status == endDead {
		end.Traceback = append(end.Traceback, stderr.lines()...)
	}
	return end, nil
}

// killGroup ends a process and its children at once.
func killGroup(pid int) {
	if pid > 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // it may have ended by itself
	}
}

// tail keeps the last bytes written to it.
type tail struct {
	max  int
	mu   sync.Mutex
	data []byte
}

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	if len(t.data) > t.max {
		t.data = bytes.Clone(t.data[len(t.data)-t.max:])
	}
	return len(p), nil
}

// lines returns the last lines, at most 40.
func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.data)), "\n")
	return lines[max(0, len(lines)-40):]
}
