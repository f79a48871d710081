//go:build linux

package browser_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hindsight-go/hindsight/kernels/browser"
	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

// Where there is no browser, and none can be installed, that is no failure of the notebook.
func ExampleTry() {
	root, err := repo.Find()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func(path string) { _ = os.Setenv("PATH", path) }(os.Getenv("PATH"))
	if err := os.Setenv("PATH", ""); err != nil {
		fmt.Println(err)
		return
	}
	err = browser.Try(context.Background(), browser.Options{Root: root, Notebook: "notebooks/00-start.ipynb", Out: root.Join("out", "browser")})
	if errors.Is(err, browser.ErrNone) {
		fmt.Println("skipped:", err)
	}
	// Output: skipped: no Chromium here: install one
}
