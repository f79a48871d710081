package scan

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrNonFinite is what errors.Is finds in a [NonFiniteError].
var ErrNonFinite = errors.New("scan: value is not finite")

// NonFiniteError says that the watched tensor became NaN or infinite. The [Result] returned with it holds the state
// after step Step-1, the last finite one.
type NonFiniteError struct {
	Loop string // the loop's name
	Name string // the watched trace or state tensor
	Step int    // the first step at which it was not finite: 1, 2, 3, …
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("scan: %s: %q is not finite at step %d", e.Loop, e.Name, e.Step)
}

// Is makes errors.Is(err, ErrNonFinite) true.
func (e *NonFiniteError) Is(target error) bool { return target == ErrNonFinite }

// try runs fn and returns its panic, if any, as an error that names the loop and the line of the caller's code.
func try(loop, doing string, fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			cause, ok := r.(error)
			if !ok {
				cause = fmt.Errorf("%v", r)
			}
			err = fmt.Errorf("scan: %s: %s%s: %w", loop, doing, culprit(), cause)
		}
	}()
	if err := fn(); err != nil {
		return fmt.Errorf("scan: %s: %s: %w", loop, doing, err)
	}
	return nil
}

// culprit is the innermost line of the panicking stack outside of Go's runtime, GoMLX and this package, which only pass
// the panic on; "" where there is none.
func culprit() string {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(0, pc)])
	for {
		f, more := frames.Next()
		inner := false
		for _, path := range []string{"runtime.", "github.com/gomlx/", "github.com/hindsight-go/hindsight/lib/scan."} {
			inner = inner || strings.HasPrefix(f.Function, path)
		}
		if !inner && f.Function != "" {
			return fmt.Sprintf(" (%s:%d)", filepath.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}

// list names what is known, for an error about what is not.
func list(names []string) string {
	if len(names) == 0 {
		return "there are none"
	}
	return "known: " + strings.Join(names, ", ")
}
