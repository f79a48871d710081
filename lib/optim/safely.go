package optim

import "fmt"

// safely turns what graph building panics with into an error.
func safely(what string, f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("optim: %s: %w", what, r)
		default:
			err = fmt.Errorf("optim: %s: %v", what, r)
		}
	}()
	f()
	return nil
}
