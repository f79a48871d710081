package optimtest_test

import (
	"testing"

	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/optim/optimtest"
)

// Every optimizer of the registry keeps the rules.
func TestRegistry(t *testing.T) {
	for _, name := range optim.Names() {
		t.Run(name, func(t *testing.T) {
			optimtest.Run(t, func(rate float64) optim.Transform {
				o, err := optim.ByName(name, rate)
				if err != nil {
					t.Fatal(err)
				}
				return o
			})
		})
	}
}
