package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// GoSource is the text of the Go standard library's own source files, tests left out, in the order of their paths, at
// most limit bytes (0: all). It is there wherever Go is. root is the folder of Go; "": the GOROOT variable, else the one
// this program was built with. Licence: BSD-3-Clause.
func GoSource(root string, limit int) ([]byte, error) {
	if limit < 0 {
		return nil, fmt.Errorf("data: GoSource: limit is %d, must not be negative", limit)
	}
	if root == "" {
		root = os.Getenv("GOROOT")
	}
	if root == "" {
		command := exec.Command("go", "env", "GOROOT")
		command.Env = append(os.Environ(), "GOTOOLCHAIN=local") // never fetch another Go
		said, err := command.Output()
		if err != nil {
			return nil, fmt.Errorf("data: GoSource: %w: install Go, or name its folder in GOROOT: %w", ErrUnavailable, err)
		}
		root = strings.TrimSpace(string(said))
	}
	var out []byte
	src := filepath.Join(root, "src")
	err := filepath.WalkDir(src, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "vendor"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		case limit > 0 && len(out) >= limit:
			return fs.SkipAll
		}
		content, err := os.ReadFile(path)
		out = append(out, content...)
		return err
	})
	if err == nil && len(out) == 0 {
		err = errors.New("there are no Go files")
	}
	if err != nil {
		return nil, fmt.Errorf("data: GoSource: %w: name Go's folder in GOROOT: %w", ErrUnavailable, err)
	}
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}
