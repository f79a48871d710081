// Package backend chooses and opens the compute backend that everything else in lib runs on.
//
// [Open] takes, in this order: what the GOMLX_BACKEND variable asks for; XLA on an NVIDIA GPU where the plugin and a
// device answer; XLA on the CPU where its plugin is installed; else GoMLX's pure-Go backend, said once in one line
// on standard error. It never downloads anything: `go run ./kernels setup` installs plugins.
//
// XLA comes as a PJRT plugin, a shared library looked for in the directories of PJRT_PLUGIN_LIBRARY_PATH, or where that
// is not set in those where GoMLX installs it. Built with CGO_ENABLED=0 -tags noxla the package holds the pure-Go backend
// only, and the program is static.
//
// [Describe] says what was opened, why, and what it lacks; [Survey] what could be opened on this machine. Tests share
// one backend through [ForTest] and skip by name what it lacks through [Needs].
package backend

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the pure-Go backend is always there
)

// Names that GOMLX_BACKEND and [With] take; an XLA plugin may also be named by its path, as in "xla:/opt/p/plugin.so".
// GoMLX's own options follow after a comma: "xla:cuda,preallocate=true".
const (
	PureGo  = "go"
	XLA     = "xla" // CUDA where it answers, else CPU
	XLACPU  = "xla:cpu"
	XLACUDA = "xla:cuda"
)

// Error is a problem with a backend, and what the user can do about it.
type Error struct {
	What string `json:"what"` // one sentence
	Cure string `json:"cure"` // what to do, e.g. a command
}

func (e *Error) Error() string { return "backend: " + e.What + ": " + e.Cure }

// setup is the cure of most problems.
const setup = "run `go run ./kernels setup`"

// An Option changes how [Open] chooses.
type Option func(*options)

type options struct {
	config  string // as GOMLX_BACKEND
	source  string // who asks for config
	cpus    int
	gpus    []int
	notice  io.Writer
	problem error
}

// With asks for a backend by name instead of GOMLX_BACKEND; "" lets Open choose.
func With(config string) Option {
	return func(o *options) { o.config, o.source = config, "the program" }
}

// CPUDevices asks for XLA's CPU plugin with n devices, e.g. to try a program for several devices on one machine.
func CPUDevices(n int) Option {
	return func(o *options) {
		o.cpus = n
		if n < 1 {
			o.problem = fmt.Errorf("backend: CPUDevices is %d, must be at least 1", n)
		}
	}
}

// GPUs makes only these devices visible, by their number on the machine; device 0 of the backend is the first of them.
func GPUs(ids ...int) Option { return func(o *options) { o.gpus = ids } }

// Notice sends the line about the pure-Go backend elsewhere than to standard error. Nil drops it.
func Notice(w io.Writer) Option {
	return func(o *options) {
		if o.notice = w; w == nil {
			o.notice = io.Discard
		}
	}
}

// Open returns the backend asked for, or the best one. What was asked for by name is opened or an error says why not;
// only an unasked choice falls back.
func Open(opts ...Option) (compute.Backend, error) {
	o := options{config: os.Getenv(compute.ConfigEnvVar), source: compute.ConfigEnvVar, notice: os.Stderr}
	for _, opt := range opts {
		opt(&o)
	}
	if o.problem != nil {
		return nil, o.problem
	}
	name, config, _ := strings.Cut(o.config, ":")
	if o.config == "" && (o.cpus > 0 || o.gpus != nil) {
		name = XLA // several devices are XLA's
	}
	switch name {
	case "":
		return o.choose()
	case "xla", "stablehlo", "hlo", "shlo":
		plugin, rest, _ := strings.Cut(config, ",")
		return o.xla(plugin, rest)
	case PureGo:
		if o.cpus > 0 || o.gpus != nil {
			return nil, &Error{"the pure-Go backend has one device, but several were asked for", "ask for " + XLACPU}
		}
		return o.pureGo(config, o.source+" asks for it")
	}
	if !slices.Contains(compute.List(), name) {
		known := compute.List()
		slices.Sort(known)
		return nil, &Error{fmt.Sprintf("%s asks for %q", o.source, o.config),
			fmt.Sprintf("use one of %s, %s, %s (linked into this program: %s)", PureGo, XLACPU, XLACUDA, strings.Join(known, ", "))}
	}
	b, err := compute.NewWithConfig(o.config)
	if err != nil {
		return nil, fmt.Errorf("backend: opening %q: %w", o.config, err)
	}
	return remember(b, opened{why: o.source + " asks for it"}), nil
}

// noticed keeps the fallback's line to one a process.
var noticed sync.Once

// choose is Open without a wish.
func (o options) choose() (compute.Backend, error) {
	b, err := o.xla("", "")
	if err == nil {
		return b, nil
	}
	reason := strings.TrimPrefix(err.Error(), "backend: ")
	noticed.Do(func() { _, _ = fmt.Fprintf(o.notice, "hindsight: using the pure-Go backend, slow: %s\n", reason) })
	return o.pureGo("", reason)
}

func (o options) pureGo(config, why string) (compute.Backend, error) {
	b, err := compute.NewWithConfig(strings.TrimSuffix(PureGo+":"+config, ":"))
	if err != nil {
		return nil, fmt.Errorf("backend: opening %q: %w", PureGo, err)
	}
	return remember(b, opened{why: why}), nil
}
