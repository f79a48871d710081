package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// The backend that the environment asks for adds three numbers.
func Example() {
	defer func(was string) { _ = os.Setenv("GOMLX_BACKEND", was) }(os.Getenv("GOMLX_BACKEND"))
	if err := os.Setenv("GOMLX_BACKEND", "go"); err != nil {
		fmt.Println(err)
		return
	}
	b, err := try()
	fmt.Println(b.Title, err)
	// Output: pure Go <nil>
}

// What is wrong with a plugin is a problem with its cure, not a crash.
func TestNoPlugin(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "plugin.so")
	require.NoError(t, os.WriteFile(text, []byte("<html>404 Not Found</html>"), 0o644))
	for _, name := range []string{"xla:" + text, "xla:" + filepath.Join(dir, "none.so"), "abacus"} {
		t.Setenv("GOMLX_BACKEND", name)
		_, err := try()
		problem := new(backend.Error)
		require.True(t, errors.As(err, &problem), "%s: %v", name, err)
		require.NotEmpty(t, problem.What, name)
		require.NotEmpty(t, problem.Cure, name)
	}
}

func TestVersions(t *testing.T) {
	require.Contains(t, versions()["go"], "go1.")
}
