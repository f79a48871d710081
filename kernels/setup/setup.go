// Package setup makes what the notebooks need below one prefix, .venv by default:
// a Python environment with JupyterLab, the XLA plugin, the Go kernel and its
// tools, the kernelspecs. Removing the prefix removes it all.
//
// [Run] goes through the steps in their order. A step looks first whether its
// result is there and proved, and does nothing then, so that running setup again
// takes about a second, repairs what is broken and goes on after an interruption.
// Files are made under temporary names and renamed, downloads are pinned by hash.
//
//	prerequisites   Go, a C compiler, Python 3.10 or newer with venv
//	Go modules      everything that go.mod requires, for cells without a network
//	Python          JupyterLab and its relations, from a lock file with hashes
//	programs        GoNB, goimports, the cells' go command, the backend probes
//	XLA plugin      found or downloaded, checked by SHA-256 and by running a graph
//	gopls           completion in the notebooks; setup goes on without it
//	kernels         the kernelspecs
//	notebook diffs  git config, so that diffs show text and not JSON
//	build cache     lib and what it rests on, compiled, so that the first cell is quick
package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

// Options say what to set up.
type Options struct {
	Root   repo.Root
	NoXLA  bool           // only the pure-Go kernel: no C compiler, no plugin
	Python string         // the interpreter to make the environment with; "" takes the newest found
	Out    *term.Progress // where progress goes
	Quiet  bool           // say nothing of steps that had nothing to do
	Later  bool           // leave gopls to [Completion]
}

// Fault is a problem that the user can cure.
type Fault struct {
	What string // one sentence
	Cure string // what to do about it, in one line or several
	Err  error  // what was behind it, may be nil
}

func (f *Fault) Error() string { return f.What + "\n" + f.Cure }

func (f *Fault) Unwrap() error { return f.Err }

// session is one run of setup.
type session struct {
	Options
	log    *os.File // output of every program that was run
	goBin  string   // folder of the real go command
	pinned pin
	free   func(dir string) (uint64, error) // bytes on its disk
}

// Run sets up what Options ask for. It returns a [Fault] where the user can help.
func Run(ctx context.Context, o Options) error {
	return (&session{Options: o, pinned: wheel, free: FreeBytes}).run(ctx)
}

func (s *session) run(ctx context.Context) error {
	if err := s.claim(); err != nil {
		return err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	s.log, err = os.Create(s.logPath())
	if err != nil {
		return diskFault("the log file cannot be written", s.logPath(), err)
	}
	defer func() { _ = s.log.Close() }()
	steps := []struct {
		name string
		do   func(context.Context, *term.Task) (outcome, error)
		skip bool
	}{
		{"Prerequisites", s.prerequisites, false},
		{"Go modules", s.modules, false},
		{"Python environment", s.python, false},
		{"Programs", s.programs, false},
		{"XLA plugin", s.plugin, s.NoXLA},
		{"XLA on the GPU", s.cuda, s.NoXLA},
		{"gopls", s.gopls, s.Later},
		{"Kernels", s.kernels, false},
		{"Notebook diffs", s.gitDiff, false},
		{"Build cache", s.warm, false},
	}
	for _, step := range steps {
		if step.skip {
			continue
		}
		if err := s.step(ctx, step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

// step does one step and says what came of it.
func (s *session) step(ctx context.Context, name string, do func(context.Context, *term.Task) (outcome, error)) error {
	task := s.Out.Task(name)
	out, err := do(ctx, task)
	if err == nil {
		err = ctx.Err()
	}
	switch {
	case err != nil:
		task.Fail()
	case out.warning:
		task.Warn("%s", out.text)
	case out.done:
		task.Done("%s", out.text)
	case s.Quiet || out.text == "":
		task.Drop()
	default:
		task.Skip("%s", out.text)
	}
	return err
}

// Completion does the step that [Run] leaves out with Options.Later: it builds
// gopls, which takes a minute the first time and which notebooks run without.
// Kernels that are started afterwards complete names. Without a network it only warns.
func Completion(ctx context.Context, o Options) error {
	s := &session{Options: o}
	return s.step(ctx, "gopls", s.gopls)
}

// outcome is what came of a step that did not fail.
type outcome struct {
	text    string
	done    bool // something was made; else all was there
	warning bool // without it the notebooks still run
}

func there(format string, args ...any) (outcome, error) {
	return outcome{text: fmt.Sprintf(format, args...)}, nil
}

func done(format string, args ...any) (outcome, error) {
	return outcome{text: fmt.Sprintf(format, args...), done: true}, nil
}

func warning(format string, args ...any) (outcome, error) {
	return outcome{text: fmt.Sprintf(format, args...), warning: true}, nil
}

// claim makes the prefix, or makes sure that an existing folder is one: setup
// must not write into a folder that is something else.
func (s *session) claim() error {
	prefix := s.Root.Venv()
	entries, err := os.ReadDir(prefix)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return &Fault{What: fmt.Sprintf("%s cannot be used: %v.", prefix, err), Cure: "Choose another folder with --prefix.", Err: err}
	case len(entries) > 0 && !exists(filepath.Join(prefix, "pyvenv.cfg")) && !exists(s.stateDir()):
		return &Fault{What: fmt.Sprintf("%s holds something else than an environment of this project.", prefix),
			Cure: "Choose another folder with --prefix, or empty this one."}
	}
	if err := os.MkdirAll(s.stateDir(), 0o755); err != nil {
		return diskFault("the environment's folder cannot be made", prefix, err)
	}
	return nil
}

// stateDir holds what setup remembers: stamps of verified results, lock, log.
func (s *session) stateDir() string { return filepath.Join(s.Root.Venv(), "share", "hindsight") }

func (s *session) logPath() string { return filepath.Join(s.stateDir(), "setup.log") }

// lock keeps two setups of one prefix apart.
func (s *session) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.stateDir(), "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, diskFault("the lock file cannot be written", s.stateDir(), err)
	}
	said := false
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("setup: locking %s: %w", f.Name(), err)
		}
		if !said {
			s.Out.Printf("Waiting for another setup of %s to end", s.Root.Venv())
			said = true
		}
		if err := sleep(ctx, lockEvery); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
}

// kernels installs the kernelspecs of what was set up and proved.
func (s *session) kernels(context.Context, *term.Task) (outcome, error) {
	specs := []kernelspec.Spec{kernelspec.Pure(s.Root, s.goBin)}
	if !s.NoXLA {
		specs = append(specs, kernelspec.CPU(s.Root, s.goBin))
		if cuda, ok := s.cudaSpec(); ok {
			specs = append(specs, cuda)
		} else if err := kernelspec.Remove(s.Root, repo.KernelCUDA); err != nil {
			return outcome{}, err
		}
	}
	names, fresh := "", false
	for i, spec := range specs {
		if i > 0 {
			names += ", "
		}
		names += spec.DisplayName
		if spec.Installed(s.Root) {
			continue
		}
		fresh = true
		if err := spec.Install(s.Root); err != nil {
			return outcome{}, diskFault("a kernelspec cannot be written", s.Root.Kernels(), err)
		}
	}
	return outcome{text: names, done: fresh}, nil
}

// Ready reports whether setup has once gone through to the kernels.
func Ready(root repo.Root) bool {
	_, err := kernelspec.Read(root, repo.KernelPure)
	return err == nil
}

// PureOnly reports whether the prefix was set up without XLA.
func PureOnly(root repo.Root) bool {
	_, err := kernelspec.Read(root, repo.KernelCPU)
	return Ready(root) && err != nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
