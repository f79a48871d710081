package term_test

import (
	"os"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
)

func Example() {
	p := term.New(os.Stdout)
	copying := p.Task("copying")
	copying.Total(2)
	copying.Add(1)
	copying.Add(1)
	copying.Done("2 files")
	p.Task("linking").Skip("already there")
	// Output:
	// ✓ copying: 2 files
	// · linking: already there
}
