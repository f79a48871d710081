package setup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// Setup does not write into a folder that holds something else, and says what to do.
func ExampleRun() {
	root, err := repo.Find()
	if err != nil {
		fmt.Println(err)
		return
	}
	thesis, err := os.MkdirTemp("", "thesis")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(thesis) }()
	if err := os.WriteFile(filepath.Join(thesis, "chapter1.tex"), nil, 0o644); err != nil {
		fmt.Println(err)
		return
	}
	err = setup.Run(context.Background(), setup.Options{Root: root.WithPrefix(thesis), Out: term.New(os.Stdout)})
	if f := new(setup.Fault); errors.As(err, &f) {
		fmt.Println(f.Cure)
	}
	// Output: Choose another folder with --prefix, or empty this one.
}
