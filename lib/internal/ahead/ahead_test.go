package ahead

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// count is 0, 1, 2, … up to n, and then err if there is one. A negative n never ends.
func count(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := 0; i != n; i++ {
			if !yield(i, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

// collect is what a sequence holds up to its first error.
func collect[T any](s iter.Seq2[T, error]) (out []T, err error) {
	for v, err := range s {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

func TestMapKeepsTheOrder(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		var now, most atomic.Int32
		got, err := collect(Map(t.Context(), count(50, nil), workers, func(i int) (int, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Duration(i*37%11) * 100 * time.Microsecond) // later ones are often ready first
			return i * i, nil
		}))
		if err != nil || len(got) != 50 || !slices.IsSorted(got) || got[49] != 49*49 {
			t.Errorf("%d workers: %v and %v, want the squares in order", workers, got, err)
		}
		if int(most.Load()) > workers {
			t.Errorf("%d workers: %d calls at once", workers, most.Load())
		}
	}
}

func TestMapErrors(t *testing.T) {
	broken := errors.New("broken")
	got, err := collect(Map(t.Context(), count(5, broken), 3, func(i int) (int, error) { return i, nil }))
	if !errors.Is(err, broken) || len(got) != 5 {
		t.Errorf("an error of the sequence: %v and %v, want five elements and the error", got, err)
	}
	got, err = collect(Map(t.Context(), count(-1, nil), 3, func(i int) (int, error) {
		if i == 3 {
			return 0, fmt.Errorf("element %d: %w", i, broken)
		}
		return i, nil
	}))
	if !errors.Is(err, broken) || len(got) != 3 {
		t.Errorf("an error of the function: %v and %v, want three elements and the error", got, err)
	}
	if got, err := collect(Map(t.Context(), count(0, nil), 3, func(i int) (int, error) { return i, nil })); len(got) > 0 || err != nil {
		t.Errorf("nothing: %v and %v", got, err)
	}
}

// A loop that ends early, and a context that ends, leave nothing running.
func TestMapEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, err := range Map(t.Context(), count(-1, nil), 4, func(i int) (int, error) { return i, nil }) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var err error
	for _, err = range Map(ctx, count(-1, nil), 4, func(i int) (int, error) { return i, nil }) {
		if n++; n == 10 {
			cancel()
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the last error is %v, want the context's", err)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines are left of %d", after, before)
	}
}
