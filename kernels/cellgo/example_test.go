package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What 'go mod init' makes for a notebook: a module with this repository's
// requirements, so that its cells compile without a network.
func Example() {
	root, err := os.MkdirTemp("", "repository")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(root) }()
	for name, text := range map[string]string{"go.mod": "module github.com/hindsight-go/hindsight\n\ngo 1.26.0\n\nrequire example.com/a v1.2.0\n", "go.sum": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			fmt.Println(err)
			return
		}
	}
	notebook := filepath.Join(root, "notebook")
	if err := os.Mkdir(notebook, 0o755); err != nil {
		fmt.Println(err)
		return
	}
	if err := initModule(notebook, root, "gonb_1"); err != nil {
		fmt.Println(err)
		return
	}
	text, err := os.ReadFile(filepath.Join(notebook, "go.mod"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "example.com") || strings.HasPrefix(line, "module") {
			fmt.Println(strings.Fields(line))
		}
	}
	// Output:
	// [module gonb_1]
	// [example.com/a v1.2.0]
}
