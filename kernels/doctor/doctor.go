// Package doctor says what is installed, which backend each kernel will use and
// why, and what is wrong with this machine for the notebooks, with the cure.
//
// It changes nothing. Backends are not guessed at but opened, each in a process of
// its own and in the environment that its kernel gives to cells.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// Report is what the doctor found.
type Report struct {
	Machine  Machine            `json:"machine"`
	Prefix   string             `json:"prefix"`
	Versions map[string]string  `json:"versions"` // go, gcc, python, jupyterlab, gonb, goimports, gopls and the modules below lib
	Plugin   setup.PluginState  `json:"plugin"`
	Kernels  []Kernel           `json:"kernels"`
	Plain    *setup.ProbeReport `json:"plain,omitempty"` // what a Go program of yours gets outside of the notebooks
	Problems []Problem          `json:"problems"`
}

// Machine is what the programs run on. Sizes are in bytes, 0 where unknown.
type Machine struct {
	OS        string   `json:"os"`
	Arch      string   `json:"arch"`
	CPUs      int      `json:"cpus"`
	Memory    uint64   `json:"memory"`
	Available uint64   `json:"memoryAvailable"`
	Disks     []Disk   `json:"disks"`
	GPUs      []string `json:"gpus"` // name, memory and driver, as the driver says
}

// Disk is the free space at a folder that matters.
type Disk struct {
	Of   string `json:"of"`
	Path string `json:"path"`
	Free uint64 `json:"free"`
}

// Kernel is an installed Jupyter kernel and the backend that its cells get.
type Kernel struct {
	Name    string               `json:"name"`
	Display string               `json:"display"`
	Backend *setup.BackendReport `json:"backend,omitempty"` // nil where none answers
}

// Problem is something wrong and what to do about it.
type Problem struct {
	What  string `json:"what"`
	Cure  string `json:"cure"`
	Stops bool   `json:"stops"` // the notebooks do not run with it
}

// Healthy reports whether nothing stops the notebooks.
func (r Report) Healthy() bool {
	for _, p := range r.Problems {
		if p.Stops {
			return false
		}
	}
	return true
}

const (
	runSetup  = "Run 'go run ./kernels setup'."
	scarceRAM = 1 << 30
	scarce    = 1 << 30   // less free disk than this is worth a word
	tooScarce = 100 << 20 // with less than this cells do not compile
)

// Examine looks at the machine and at the setup of root. It takes a second or two.
func Examine(ctx context.Context, root repo.Root) (Report, error) {
	r := Report{Prefix: root.Venv(), Versions: map[string]string{}, Kernels: []Kernel{}, Problems: []Problem{}}
	r.machine(ctx, root)
	r.temporary()
	r.environment()
	state := setup.Inspect(ctx, root)
	r.installed(root, state)
	r.kernels(ctx, root)
	r.plain(ctx, root)
	return r, ctx.Err()
}

func (r *Report) stops(what, cure string) { r.Problems = append(r.Problems, Problem{what, cure, true}) }

func (r *Report) warns(what, cure string) {
	r.Problems = append(r.Problems, Problem{what, cure, false})
}

// machine fills in the hardware.
func (r *Report) machine(ctx context.Context, root repo.Root) {
	r.Machine = Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), GPUs: gpus(ctx)}
	r.Machine.Memory, r.Machine.Available = memory(ctx)
	if r.Machine.Available > 0 && r.Machine.Available < scarceRAM {
		r.warns(fmt.Sprintf("Only %s of memory are available.", size(r.Machine.Available)), "Close programs, or run fewer notebooks at once (run -j 1).")
	}
	cache, _ := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	for _, d := range []Disk{{Of: "the environment", Path: root.Venv()}, {Of: "temporary files", Path: os.TempDir()}, {Of: "Go's build cache", Path: strings.TrimSpace(string(cache))}} {
		free, err := setup.FreeBytes(existing(d.Path))
		if err != nil || d.Path == "" {
			continue
		}
		d.Free = free
		r.Machine.Disks = append(r.Machine.Disks, d)
		switch what := fmt.Sprintf("The disk of %s (%s) has %s left.", d.Path, d.Of, size(free)); {
		case free < tooScarce:
			r.stops(what, "Free some space there.")
		case free < scarce:
			r.warns(what, "Free some space there soon.")
		}
	}
}

// existing is path, or the nearest folder above it that is there.
func existing(path string) string {
	for path != "" && path != filepath.Dir(path) {
		if _, err := os.Stat(path); err == nil {
			return path
		}
		path = filepath.Dir(path)
	}
	return path
}

// temporary checks that cells can run where they are compiled to.
func (r *Report) temporary() {
	dir, err := os.MkdirTemp("", "hs")
	if err != nil {
		r.stops(fmt.Sprintf("Nothing can be written to the temporary folder %s (%v).", os.TempDir(), errors.Unwrap(err)), "Set TMPDIR to a folder where you may write and run programs.")
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	script := filepath.Join(dir, "try")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
		r.stops(fmt.Sprintf("Nothing can be written to the temporary folder %s (%v).", os.TempDir(), errors.Unwrap(err)), "Free some space there, or set TMPDIR to another folder.")
		return
	}
	if err := exec.Command(script).Run(); errors.Is(err, os.ErrPermission) {
		r.stops(fmt.Sprintf("Programs may not run in the temporary folder %s, and cells are programs.", os.TempDir()), "Set TMPDIR to a folder on a disk that is not mounted noexec.")
	}
}

// environment looks at variables that are known to get in the way.
func (r *Report) environment() {
	if strings.Contains(os.Getenv("GOFLAGS"), "-mod=vendor") {
		r.stops("GOFLAGS contains -mod=vendor, and there is no vendor folder.", "Unset GOFLAGS, or take -mod=vendor out of it.")
	}
	for _, dir := range filepath.SplitList(os.Getenv("HINDSIGHT_DATA")) {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			r.warns(fmt.Sprintf("HINDSIGHT_DATA names %s, which is no folder.", dir), "Correct or unset HINDSIGHT_DATA; data sets are downloaded otherwise.")
		}
	}
}

// installed compares what setup made with what it should be.
func (r *Report) installed(root repo.Root, s setup.State) {
	r.Plugin = s.Plugin
	for name, version := range map[string]string{"go": strings.TrimPrefix(s.Go, "Go "), "gcc": s.Compiler, "python": s.Python, "jupyterlab": s.JupyterLab} {
		if version != "" {
			r.Versions[name] = version
		}
	}
	maps.Copy(r.Versions, s.Programs)
	if s.GoErr != nil {
		r.fault(s.GoErr, true)
	}
	if !setup.Ready(root) {
		r.stops(fmt.Sprintf("The environment %s is not set up.", root.Venv()), runSetup)
		return
	}
	if s.CompilerErr != nil {
		r.fault(s.CompilerErr, !setup.PureOnly(root))
	}
	switch {
	case s.Python == "" || s.JupyterLab == "":
		r.stops("The Python environment is broken: its interpreter or JupyterLab does not answer.", runSetup)
	case !s.AsLocked:
		r.warns("The Python environment differs from its lock file.", runSetup)
	}
	for _, name := range []string{"gonb", "goimports"} {
		if s.Programs[name] == "" {
			r.stops(fmt.Sprintf("%s is missing, which the Go kernels need.", name), runSetup)
		}
	}
	if s.Programs["gopls"] == "" {
		r.warns("gopls is missing, so notebooks run without completion.", "Run 'go run ./kernels setup' where the network answers.")
	}
	if s.Go != "" && !s.Offline {
		r.warns("Some Go modules are not on this machine, so cells need the network.", runSetup)
	}
	if s.Plugin.Path != "" && !s.Plugin.Verified && !setup.PureOnly(root) {
		r.warns("The XLA plugin changed since it was last verified.", runSetup)
	}
}

// fault takes over a fault of setup.
func (r *Report) fault(err error, stops bool) {
	p := Problem{What: err.Error(), Cure: runSetup, Stops: stops}
	if f := new(setup.Fault); errors.As(err, &f) {
		p.What, p.Cure = f.What, f.Cure
	}
	r.Problems = append(r.Problems, p)
}

// kernels opens the backend of each kernel.
func (r *Report) kernels(ctx context.Context, root repo.Root) {
	for _, name := range []string{repo.KernelCPU, repo.KernelPure, repo.KernelCUDA} {
		spec, err := kernelspec.Read(root, name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			if name == repo.KernelCUDA && len(r.Machine.GPUs) > 0 && setup.Ready(root) {
				r.warns("There is a GPU, but no kernel that uses it.", runSetup)
			}
			continue
		case err != nil:
			r.stops(err.Error()+".", runSetup)
			continue
		case spec.Env["HINDSIGHT_ROOT"] != root.Dir():
			r.stops(fmt.Sprintf("The kernel %s belongs to a checkout at %s, this one is at %s.", spec.DisplayName, spec.Env["HINDSIGHT_ROOT"], root.Dir()), runSetup)
		}
		k := Kernel{Name: name, Display: spec.DisplayName}
		probe, err := setup.ProbeKernel(ctx, root, spec)
		switch {
		case errors.Is(err, os.ErrNotExist):
			r.warns(fmt.Sprintf("The backend of the kernel %s cannot be tried: its probe is not built.", k.Display), runSetup)
		case err != nil:
			r.stops(fmt.Sprintf("Opening the backend of the kernel %s brings the program down (%v).", k.Display, err), runSetup)
		case probe.Problem != nil:
			r.stops(fmt.Sprintf("The kernel %s has no backend: %s.", k.Display, strings.TrimSuffix(probe.Problem.What, ".")), sentence(probe.Problem.Cure))
		default:
			k.Backend = probe.Backend
		}
		r.Kernels = append(r.Kernels, k)
	}
}

// plain opens the backend that a program gets that is started from this shell.
func (r *Report) plain(ctx context.Context, root repo.Root) {
	probe, err := setup.ProbePlain(ctx, root)
	if errors.Is(err, os.ErrNotExist) {
		return // the kernels' probes have said so
	}
	if err != nil {
		r.warns(fmt.Sprintf("A Go program that opens the backend of this shell's environment is brought down (%v).", err), "Unset PJRT_PLUGIN_LIBRARY_PATH and GOMLX_BACKEND, or let them name a plugin that works.")
		return
	}
	r.Plain = &probe
	for name, version := range probe.Versions {
		if name != "go" {
			r.Versions[name] = version
		}
	}
	if probe.Problem != nil {
		r.warns(fmt.Sprintf("A Go program started from this shell has no backend: %s.", strings.TrimSuffix(probe.Problem.What, ".")), sentence(probe.Problem.Cure))
	}
}

// sentence starts and ends text as a sentence does.
func sentence(text string) string {
	if text == "" {
		return runSetup
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}
