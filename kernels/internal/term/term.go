// Package term shows a person at a terminal, or a log file, what a long command
// is doing.
//
// On a terminal every running task has a live line with a bar or a clock below
// the lines already said. Elsewhere a task says one line when it has run for a
// second, one every ten seconds after that, and one at its end, so that a log
// stays readable and never silent.
package term

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Is reports whether w is a terminal that understands cursor movements.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// width is the number of columns of w, 80 where it cannot tell.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if cols, _, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 {
			return cols
		}
	}
	return 80
}
