package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

// The two builds of kernels/probe, as folders below [repo.Root.Lib].
const (
	probeXLA  = "xla"
	probePure = "pure"
)

// probeLimit is far above what opening a backend takes (0.2 s on a CPU, several
// seconds on a GPU).
const probeLimit = 2 * time.Minute

// ProbeReport is what kernels/probe found.
type ProbeReport struct {
	Backend    *BackendReport    `json:"backend,omitempty"` // nil where none answers
	Problem    *Problem          `json:"problem,omitempty"`
	Candidates []Candidate       `json:"candidates,omitempty"`
	Versions   map[string]string `json:"versions,omitempty"` // Go and the modules below lib
}

// BackendReport describes the backend that was opened.
type BackendReport struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Why    string `json:"why"`
	Plugin *struct {
		Path    string `json:"path"`
		Version string `json:"version"` // of the PJRT interface
	} `json:"plugin,omitempty"`
	Devices []string `json:"devices"`
	Lacks   []struct {
		Capability string `json:"capability"`
		Instead    string `json:"instead"`
	} `json:"lacks"`
}

// Candidate is a backend that the machine might have.
type Candidate struct {
	Name    string   `json:"name"`
	Path    string   `json:"path,omitempty"`
	Problem *Problem `json:"problem,omitempty"`
}

// Problem is what is wrong, and what to do.
type Problem struct {
	What string `json:"what"`
	Cure string `json:"cure"`
}

func probePath(root repo.Root, build string) string {
	return filepath.Join(root.Lib(), build, "probe")
}

// ProbeKernel opens the backend of an installed kernel, in that kernel's environment.
func ProbeKernel(ctx context.Context, root repo.Root, spec kernelspec.Spec) (ProbeReport, error) {
	build := probeXLA
	if spec.Name == repo.KernelPure {
		build = probePure
	}
	return Probe(ctx, root, build, spec.Environ(nil)...)
}

// ProbePlain opens the backend of a program started from this shell.
func ProbePlain(ctx context.Context, root repo.Root) (ProbeReport, error) {
	build := probeXLA
	if PureOnly(root) {
		build = probePure
	}
	return Probe(ctx, root, build)
}

// Probe opens the backend that lib would open in our environment with env added,
// in a process of its own. The error is about that process: that it is not built
// yet, or that a plugin brought it down.
func Probe(ctx context.Context, root repo.Root, build string, env ...string) (ProbeReport, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, probePath(root, build))
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = stopAfter
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	var r ProbeReport
	if json.Unmarshal(out.Bytes(), &r) == nil && (r.Backend != nil || r.Problem != nil) {
		return r, nil
	}
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case errors.Is(err, os.ErrNotExist):
		return r, fmt.Errorf("setup: %s is not built yet: %w", probePath(root, build), err)
	case err == nil:
		return r, fmt.Errorf("setup: the backend probe printed no report but %q", strings.TrimSpace(out.String()))
	}
	first, _, _ := strings.Cut(strings.TrimSpace(log.String()), "\n")
	return r, fmt.Errorf("%w: %s", err, first)
}
