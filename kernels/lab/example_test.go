package lab_test

import (
	"context"
	"fmt"
	"os"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/lab"
)

func ExampleRun() {
	root, err := repo.Find()
	if err != nil {
		fmt.Println(err)
		return
	}
	// With a port that exists, this serves until the context ends.
	err = lab.Run(context.Background(), lab.Options{Root: root, Port: 80000, Out: term.New(os.Stdout)})
	fmt.Println(err)
	// Output:
	// Port 80000 does not exist.
	// Choose one between 1 and 65535 with --port, or leave it out.
}
