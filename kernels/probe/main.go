// Command probe opens the backend that lib/backend chooses here, runs one graph
// on it, and prints what it found as one JSON object. With the arguments
// "install DIR" it puts GoMLX's own build of the XLA CPU plugin into DIR instead.
//
// It is a program of its own so that a plugin that brings the process down takes
// no other with it, and so that the kernels command stays free of C code. Its
// exit status is 1 where no backend answers.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// report is read by kernels/setup.
type report struct {
	Backend    *backend.Description `json:"backend,omitempty"`
	Problem    *backend.Error       `json:"problem,omitempty"`
	Candidates []backend.Candidate  `json:"candidates"`
	Versions   map[string]string    `json:"versions"` // of the modules that computing rests on
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "install" {
		if err := installer.CPUAutoInstall(os.Args[2], false, installer.Quiet); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	r := report{Candidates: backend.Survey(), Versions: versions()}
	description, err := try()
	status := 0
	if err != nil {
		status = 1
		if !errors.As(err, &r.Problem) {
			r.Problem = &backend.Error{What: strings.TrimPrefix(err.Error(), "backend: "), Cure: "run `go run ./kernels doctor`"}
		}
	} else {
		r.Backend = &description
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		status = 1
	}
	os.Exit(status)
}

// try opens the backend and has it add three numbers.
func try() (backend.Description, error) {
	b, err := backend.Open(backend.Notice(nil))
	if err != nil {
		return backend.Description{}, err
	}
	defer b.Finalize()
	sum, err := graph.CallOnce(b, graph.ReduceAllSum, []float32{1, 2, 3})
	if err != nil {
		return backend.Description{}, fmt.Errorf("a graph does not run on %s: %w", b.Name(), err)
	}
	if got, ok := sum.Value().(float32); !ok || got != 6 {
		return backend.Description{}, fmt.Errorf("%s says that 1+2+3 is %v", b.Name(), sum.Value())
	}
	return backend.Describe(b), nil
}

func versions() map[string]string {
	found := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return found
	}
	found["go"] = info.GoVersion
	for _, module := range info.Deps {
		switch module.Path {
		case "github.com/gomlx/gomlx", "github.com/gomlx/go-xla", "github.com/gomlx/compute":
			found[module.Path] = module.Version
		}
	}
	return found
}
