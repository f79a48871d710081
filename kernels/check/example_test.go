package check_test

import (
	"context"
	"fmt"
	"io"

	"github.com/hindsight-go/hindsight/kernels/check"
	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

// One stage, and what came of it.
func ExampleRun() {
	root, err := repo.Find()
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := check.Run(context.Background(), check.Options{Root: root, Only: []string{"format"}, Progress: io.Discard})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, suite := range report.Suites {
		fmt.Println(suite.Name, len(suite.Cases), "case:", suite.Cases[0].Name)
	}
	// Output: format 1 case: gofmt
}
