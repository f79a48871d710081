// Command cellgo is the go command that the notebooks' cells see.
//
// The Jupyter kernel GoNB keeps a module for each notebook in a temporary folder
// and runs goimports, go get and go build there for every cell. Left alone, that
// module is empty, go get asks the network about it again and again, and a cell
// takes seconds. Setup puts this program in front of the real go command in the
// kernels' PATH. It steps in at three places and is the real go command at all
// others:
//
//   - go mod init: the new module gets the requirements and checksums of this
//     repository, and the repository itself as a replacement. So a cell may
//     import any package of lib and of our go.mod, offline too.
//   - go get without arguments: nothing, since nothing is missing as a rule.
//   - go build: links without debug tables and, on Linux, with Go's own linker. A
//     cell that only declares is compiled, not linked: there is nothing to run.
//     Where a package is missing, the real go get fetches that one and the build
//     is tried again. So a cell may import other modules while the network, or
//     the proxy that GOPROXY names, has them.
//
// Where the time goes, for a cell that imports lib and opens XLA, on a quiet
// machine of two cores (the bench verb measures it): go get against a network 1.5 s,
// go build with debug tables and the C compiler's linker 2.2 s; without the first,
// without tables and with Go's linker 0.75 s, of which linking takes 0.5 s; a cell that
// only declares takes 0.2 s. Running it takes 0.2 s. gopls waits until a name is
// completed and costs a cell nothing.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	real, err := realGo()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(127)
	}
	args := os.Args[1:]
	root, dir := os.Getenv("HINDSIGHT_ROOT"), cellDir()
	switch {
	case root == "" || dir == "":
	case len(args) == 3 && args[0] == "mod" && args[1] == "init":
		os.Exit(report(initModule(dir, root, args[2])))
	case isBareGet(args):
		os.Exit(report(update(dir, root)))
	case isBuild(args):
		os.Exit(build{real: real, dir: dir, run: runCommand, out: os.Stderr}.do(args))
	}
	err = syscall.Exec(real, append([]string{real}, args...), os.Environ())
	fmt.Fprintf(os.Stderr, "cellgo: %s: %v\n", real, err)
	os.Exit(126)
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// cellDir is the working directory where that is GoNB's folder of cells, else "".
func cellDir() string {
	wd, err := os.Getwd()
	if err != nil {
		return ""
	}
	here, err := os.Stat(wd)
	if err != nil {
		return ""
	}
	cells, err := os.Stat(os.Getenv("GONB_TMP_DIR"))
	if err != nil || !os.SameFile(here, cells) {
		return ""
	}
	return wd
}

func isBareGet(args []string) bool {
	return len(args) == 1 && args[0] == "get" || len(args) == 2 && args[0] == "get" && args[1] == "-t"
}

// isBuild reports whether GoNB compiles a cell: build -o FILE or test -c -o FILE.
func isBuild(args []string) bool {
	return len(args) > 2 && args[0] == "build" && args[1] == "-o" ||
		len(args) > 3 && args[0] == "test" && args[1] == "-c" && args[2] == "-o"
}

// realGo is the first go command in PATH that is not this program.
func realGo() (string, error) {
	var self os.FileInfo
	if exe, err := os.Executable(); err == nil {
		self, _ = os.Stat(exe)
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path, err := exec.LookPath(filepath.Join(dir, "go"))
		if err != nil || !filepath.IsAbs(path) {
			continue
		}
		if info, err := os.Stat(path); err == nil && !os.SameFile(info, self) {
			return path, nil
		}
	}
	return "", fmt.Errorf("cellgo: no go command in PATH (%s); install Go and start Jupyter where 'go version' answers", strings.TrimSpace(os.Getenv("PATH")))
}
