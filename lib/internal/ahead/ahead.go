// Package ahead works on the elements of a sequence before they are asked for, several at a time and in order.
package ahead

import (
	"context"
	"iter"
	"sync"
)

// Map is f of each element of in, in in's order, with up to workers calls of f at once and twice as many results waiting.
// What comes out does not depend on workers. The first error, of in or of f, is the last element; so is the context's.
// f must be pure but for what it returns: it also works on elements that are never asked for. When the loop over the
// result ends, so have all calls.
func Map[In, Out any](ctx context.Context, in iter.Seq2[In, error], workers int, f func(In) (Out, error)) iter.Seq2[Out, error] {
	type result struct {
		value Out
		err   error
	}
	return func(yield func(Out, error) bool) {
		stop := make(chan struct{})
		queue := make(chan chan result, 2*workers)
		slots := make(chan struct{}, workers)
		var running sync.WaitGroup
		defer running.Wait()
		defer close(stop)
		running.Go(func() {
			defer close(queue)
			for x, err := range in {
				out := make(chan result, 1)
				select {
				case queue <- out:
				case <-stop:
					return
				}
				if err != nil {
					out <- result{err: err}
					return
				}
				slots <- struct{}{} // a call always ends
				running.Go(func() {
					v, err := f(x)
					<-slots
					out <- result{v, err}
				})
			}
		})
		for {
			var r result
			select {
			case out, more := <-queue:
				if !more {
					return
				}
				select {
				case r = <-out:
				case <-ctx.Done():
					r.err = ctx.Err()
				}
			case <-ctx.Done():
				r.err = ctx.Err()
			}
			if !yield(r.value, r.err) || r.err != nil {
				return
			}
		}
	}
}
