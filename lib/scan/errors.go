package scan

import (
	"errors"
	"fmt"
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

// try runs fn and returns its panic, if any, as an error that names the loop.
func try(loop, doing string, fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			cause, ok := r.(error)
			if !ok {
				cause = fmt.Errorf("%v", r)
			}
			err = fmt.Errorf("scan: %s: %s: %w", loop, doing, cause)
		}
	}()
	if err := fn(); err != nil {
		return fmt.Errorf("scan: %s: %s: %w", loop, doing, err)
	}
	return nil
}

// list names what is known, for an error about what is not.
func list(names []string) string {
	if len(names) == 0 {
		return "there are none"
	}
	return "known: " + strings.Join(names, ", ")
}
