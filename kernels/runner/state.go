package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hindsight-go/hindsight/kernels/internal/atomicfile"
	"github.com/hindsight-go/hindsight/kernels/report"
)

// state is what runs remember: the last request, which --resume goes on with, and
// the last green run of each notebook. It lies below out/, so deleting that
// forgets it.
type state struct {
	path string
	mu   sync.Mutex
	file stateFile
	lost bool // the file cannot be written, so nothing is remembered
}

type stateFile struct {
	Last  *request         `json:"last,omitempty"`
	Green map[string]green `json:"green"`
}

// request is what a run was asked for, and when it began.
type request struct {
	Started     time.Time `json:"started"`
	Notebooks   []string  `json:"notebooks"` // absolute
	Params      []string  `json:"params,omitempty"`
	ParamFiles  []string  `json:"param_files,omitempty"` // absolute
	Scale       string    `json:"scale,omitempty"`
	Kernel      string    `json:"kernel,omitempty"`
	Out         string    `json:"out"` // absolute
	Record      bool      `json:"record,omitempty"`
	RequireData bool      `json:"require_data,omitempty"`
}

// green is a run that needed no one's attention.
type green struct {
	Inputs   string          `json:"inputs"`
	Finished time.Time       `json:"finished"`
	Out      string          `json:"out"` // folder of the executed notebook
	Result   report.Notebook `json:"result"`
}

func loadState(root string) (*state, error) {
	s := &state{path: filepath.Join(root, "out", "state", "run.json")}
	raw, err := os.ReadFile(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		// What was remembered only saves time: a damaged file is as good as none.
		if json.Unmarshal(raw, &s.file) != nil {
			s.file = stateFile{}
		}
	}
	if s.file.Green == nil {
		s.file.Green = map[string]green{}
	}
	return s, nil
}

func (s *state) save() error {
	if s.lost {
		return nil
	}
	raw, err := json.MarshalIndent(s.file, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.Write(s.path, append(raw, '\n'))
}

// begin remembers a request. A checkout that may only be read, as in an image,
// remembers nothing, which is no reason not to run: then it returns false.
func (s *state) begin(r request) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file.Last = &r
	err := s.save()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		s.lost = true
		return false, nil
	}
	return err == nil, err
}

// finish remembers a green run, and forgets an older one where this is not green.
func (s *state) finish(t *task, out string, result report.Notebook) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.file.Green, t.key())
	if result.Green() {
		s.file.Green[t.key()] = green{t.inputs, time.Now().UTC(), out, result}
	}
	return s.save()
}

// reusable returns the result of a task's last green run where its inputs are
// the same, no claim held in a notebook committed since, and the run finished
// after the given time.
func (s *state) reusable(t *task, after time.Time, out string) (report.Notebook, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.file.Green[t.key()]
	if !ok || g.Inputs != t.inputs || g.Finished.Before(after) {
		return report.Notebook{}, false
	}
	record := report.Record{Claims: g.Result.Claims}
	report.Compare(&record, t.before)
	g.Result.Claims, g.Result.Reused = record.Claims, true
	if g.Out != out {
		g.Result.Output = ""
	} else if _, err := os.Stat(filepath.Join(out, g.Result.Output)); err != nil {
		g.Result.Output = ""
	}
	return g.Result, g.Result.Green()
}

// errNothingToResume is returned where no run is remembered.
var errNothingToResume = fmt.Errorf("nothing to resume: no earlier run is remembered in out/state")
