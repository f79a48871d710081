package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

var (
	// A package that no module of the cell provides, or whose checksum is unknown.
	missingPackage = regexp.MustCompile(`(?:no required module provides package|cannot find module providing package|missing go\.sum entry for module providing package) ([^\s;:]+)`)
	// An error that the compiler found in a source file.
	sourceError = regexp.MustCompile(`(?m)^\S*\.go:\d+`)
)

// build compiles a cell.
type build struct {
	real string // the real go command
	dir  string // the cell module
	run  func(dir, name string, args ...string) (output []byte, status int)
	out  io.Writer
}

// do runs the real go command with GoNB's arguments and returns its exit status.
func (b build) do(args []string) int {
	if b.check(args) {
		return 0
	}
	removeIdle(args[slices.Index(args, "-o")+1])
	output, status := b.compile(args)
	if status != 0 {
		if get := getCommand(args, output); get != nil {
			fetched, failed := b.run(b.dir, b.real, get...)
			if failed != 0 {
				_, _ = b.out.Write(output)
				_, _ = b.out.Write(fetched)
				fmt.Fprintln(b.out, "A package is in none of this repository's modules and could not be fetched. Offline, cells may import lib and every module of the repository's go.mod.")
				return failed
			}
			output, status = b.compile(args)
		}
	}
	_, _ = b.out.Write(output)
	return status
}

// getCommand is the go get that may cure a failed build, nil where none can.
func getCommand(args []string, output []byte) []string {
	var missing []string
	for _, match := range missingPackage.FindAllSubmatch(output, -1) {
		name := string(match[1])
		if name == repo.Module || strings.HasPrefix(name, repo.Module+"/") {
			return nil // a slip of the pen: no server has it
		}
		if !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) > 0:
		return append([]string{"get"}, missing...)
	case !bytes.Contains(output, []byte("updates to go.mod needed")):
		return nil
	case args[0] == "test":
		return []string{"get", "-t"}
	}
	return []string{"get"}
}

// compile builds with Go's own linker where that may work. It fails with some
// packages of C code; those are linked by the C compiler then.
func (b build) compile(args []string) ([]byte, int) {
	if runtime.GOOS == "linux" && os.Getenv("CGO_ENABLED") != "0" {
		output, status := b.run(b.dir, b.real, insert(args, "-ldflags=-s -w -linkmode=internal")...)
		if status == 0 || sourceError.Match(output) || getCommand(args, output) != nil {
			return output, status
		}
	}
	return b.run(b.dir, b.real, insert(args, "-ldflags=-s -w")...)
}

// insert puts flag before those of the notebook, which therefore win.
func insert(args []string, flag string) []string {
	return slices.Insert(slices.Clone(args), 1, flag)
}

// runCommand returns the command's whole output and exit status. The garbage
// collector of the compiler and linker is set to run more rarely: their heaps are small.
func runCommand(dir, name string, args ...string) ([]byte, int) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	if os.Getenv("GOGC") == "" {
		cmd.Env = append(cmd.Env, "GOGC=400")
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return output.Bytes(), max(1, exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(&output, err)
		return output.Bytes(), 1
	}
	return output.Bytes(), 0
}
