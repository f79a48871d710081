package backend

import (
	"sync"
	"testing"

	"github.com/gomlx/compute"
)

var forTest = sync.OnceValues(func() (compute.Backend, error) { return Open() })

// ForTest returns the backend that tests run on: the choice of [Open], made once a process and shared by all tests.
func ForTest(t testing.TB) compute.Backend {
	t.Helper()
	b, err := forTest()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
