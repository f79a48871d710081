// Package repo finds the repository and names the places in it that the
// commands share. Everything that setup makes lives below one prefix, .venv by
// default, so that removing that folder removes it all.
package repo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Module is the path of the module whose root [Find] looks for.
const Module = "github.com/hindsight-go/hindsight"

// PrefixVar names the environment variable that moves the prefix away from
// .venv. A relative path counts from the repository's root.
const PrefixVar = "HINDSIGHT_PREFIX"

// Plugin is the file name of the PJRT CPU plugin in [Root.PluginDir].
const Plugin = "pjrt_c_api_cpu_plugin.so"

// Names of the Jupyter kernels that setup installs.
const (
	KernelCPU  = "go-xla-cpu"
	KernelPure = "go-pure"
	KernelCUDA = "go-xla-cuda"
)

// Root is a checkout of the repository and the prefix that goes with it.
type Root struct {
	dir    string
	prefix string
}

// Find looks for the repository's root at and above the working directory, then
// at and above the folder of the running program.
func Find() (Root, error) {
	var starts []string
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		starts = append(starts, filepath.Dir(exe))
	}
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			if isRoot(dir) {
				return At(dir)
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return Root{}, fmt.Errorf("repo: no checkout of %s at or above %s; run this command from inside one", Module, strings.Join(starts, " or "))
}

// At is the root at dir. The prefix is what HINDSIGHT_PREFIX names, else .venv.
func At(dir string) (Root, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Root{}, err
	}
	if !isRoot(dir) {
		return Root{}, errors.New("repo: " + dir + " is not the root of " + Module)
	}
	prefix := os.Getenv(PrefixVar)
	if prefix == "" {
		prefix = ".venv"
	}
	return Root{dir: dir}.WithPrefix(prefix), nil
}

// WithPrefix is the same checkout with another prefix, counted from the root
// where it is relative.
func (r Root) WithPrefix(prefix string) Root {
	if !filepath.IsAbs(prefix) {
		prefix = filepath.Join(r.dir, prefix)
	}
	r.prefix = filepath.Clean(prefix)
	return r
}

// Dir is the checkout's folder, absolute.
func (r Root) Dir() string { return r.dir }

// Join is a path below the checkout's folder.
func (r Root) Join(parts ...string) string {
	return filepath.Join(append([]string{r.dir}, parts...)...)
}

// Venv is the prefix: the Python environment and everything else setup makes.
func (r Root) Venv() string { return r.prefix }

// Bin is the prefix's folder of programs.
func (r Root) Bin() string { return filepath.Join(r.prefix, "bin") }

// Python is the prefix's interpreter.
func (r Root) Python() string { return filepath.Join(r.Bin(), "python") }

// Gonb is the Jupyter kernel program.
func (r Root) Gonb() string { return filepath.Join(r.Bin(), "gonb") }

// Lib is the prefix's folder of our own helper programs: the go command of the
// cells and the backend probes.
func (r Root) Lib() string { return filepath.Join(r.prefix, "lib", "hindsight") }

// PluginDir is the folder of the PJRT plugins.
func (r Root) PluginDir() string { return filepath.Join(r.prefix, "lib", "pjrt") }

// Kernels is the folder of the kernelspecs.
func (r Root) Kernels() string { return filepath.Join(r.prefix, "share", "jupyter", "kernels") }

// Notebooks is the folder of the notebooks.
func (r Root) Notebooks() string { return filepath.Join(r.dir, "notebooks") }

func isRoot(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(name) == Module
		}
	}
	return false
}
