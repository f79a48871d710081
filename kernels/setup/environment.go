package setup

import (
	"context"
	"fmt"
	"os"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
)

// Environment is a Python environment beside the notebooks' own, e.g. of the
// libraries that we are compared with.
type Environment struct {
	Name  string    // as progress and errors call it
	Root  repo.Root // its prefix is the environment's folder
	Lock  string    // file of requirements with hashes
	Proof string    // Python code that uses the packages and prints a line
	Bytes uint64    // what they take on the disk while they are installed, about
}

// Ensure makes the environment, or brings an existing one to its lock; where it
// agrees already that takes a fraction of a second. It returns a [Fault] where
// the user can help.
func (e Environment) Ensure(ctx context.Context, out *term.Progress) error {
	s := &session{Options: Options{Root: e.Root, Out: out, Quiet: true}, free: FreeBytes}
	if err := s.claim(); err != nil {
		return err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.log, err = os.Create(s.logPath()); err != nil {
		return diskFault("the log file cannot be written", s.logPath(), err)
	}
	defer func() { _ = s.log.Close() }()
	p := packages{what: "The packages of " + e.Name, lock: e.Lock, stamp: "packages", proof: e.Proof}
	return s.step(ctx, e.Name, func(ctx context.Context, t *term.Task) (outcome, error) {
		if free, err := s.free(e.Root.Venv()); err == nil && free < e.Bytes && !e.Made() {
			return outcome{}, &Fault{
				What: fmt.Sprintf("%s needs %.0f GB on the disk of %s, which has %.1f GB left.", e.Name, float64(e.Bytes)/1e9, e.Root.Venv(), float64(free)/1e9),
				Cure: "Free some space and try again."}
		}
		python, said, _, err := s.install(ctx, t, p)
		if err != nil || said == "" {
			return outcome{}, err
		}
		return done("%s, Python %s", said, python)
	})
}

// Made reports whether [Environment.Ensure] has once gone through.
func (e Environment) Made() bool {
	s := &session{Options: Options{Root: e.Root}}
	return s.readStamp("packages", &pythonStamp{})
}
