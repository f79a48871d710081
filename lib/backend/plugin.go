//go:build ((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla

package backend

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/gomlx/go-xla/pjrt"
)

// pluginDirs are looked through in this order; set says whether PJRT_PLUGIN_LIBRARY_PATH is.
func pluginDirs() (dirs []string, set bool) {
	if list, ok := os.LookupEnv(pjrt.PJRTPluginPathsEnv); ok {
		for _, dir := range filepath.SplitList(list) {
			if dir != "" {
				dirs = append(dirs, dir)
			}
		}
		return dirs, true
	}
	if home, err := os.UserHomeDir(); err == nil {
		user := filepath.Join(home, ".local", "lib", "go-xla")
		if runtime.GOOS == "darwin" {
			user = filepath.Join(home, "Library", "Application Support", "go-xla")
		}
		dirs = append(dirs, user, filepath.Join(user, "nvidia"))
	}
	return append(dirs, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia"), false
}

var pluginFile = regexp.MustCompile(`^(?:pjrt_c_api_(.+)_plugin|pjrt[-_]plugin[-_](.+))\.(?:so|dylib)$`)

// pluginName takes "cpu" from pjrt_c_api_cpu_plugin.so or pjrt_c_api_cpu_v0.98.0_plugin.so.
func pluginName(path string) string {
	m := pluginFile.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	name, _, _ := strings.Cut(m[1]+m[2], "_v")
	return name
}

// findPlugin returns the first usable plugin of that name. Where there is none, the error is about the first unusable one.
func findPlugin(name string) (path string, err error) {
	dirs, set := pluginDirs()
	var problem *Error
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			if set && problem == nil {
				problem = &Error{fmt.Sprintf("%s names the directory %s, which cannot be read (%v)", pjrt.PJRTPluginPathsEnv, dir, unwrapPath(err)),
					"correct the variable, or unset it"}
			}
			continue
		}
		for _, e := range entries {
			if !pluginFile.MatchString(e.Name()) || pluginName(e.Name()) != name {
				continue
			}
			path := filepath.Join(dir, e.Name())
			found := checkPlugin(path, "delete it and "+setup)
			if found == nil {
				return filepath.Abs(path)
			}
			if problem == nil {
				problem = found
			}
		}
	}
	if problem == nil {
		problem = &Error{fmt.Sprintf("no %s plugin of XLA in %s", name, strings.Join(dirs, ", ")), setup}
	}
	return "", problem
}

func unwrapPath(err error) error {
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// checkPlugin finds what would make opening the file fail, or crash; cure is what to do then.
func checkPlugin(path, cure string) *Error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return &Error{fmt.Sprintf("plugin %s cannot be read (%v)", path, unwrapPath(err)), cure}
	case info.IsDir():
		return &Error{fmt.Sprintf("plugin %s is a directory", path), "name the .so file in it"}
	case runtime.GOOS != "linux":
		return nil // the loader's own words have to do
	}
	f, err := elf.Open(path)
	var format *elf.FormatError
	switch {
	case errors.As(err, &format):
		return &Error{fmt.Sprintf("plugin %s is not a shared library", path), cure}
	case err != nil:
		return &Error{fmt.Sprintf("plugin %s is cut short or damaged (%v)", path, unwrapPath(err)), cure}
	}
	defer func() { _ = f.Close() }()
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if f.Machine != want {
		return &Error{fmt.Sprintf("plugin %s is for %s, this machine is %s", path, machine(f.Machine), machine(want)), cure}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return &Error{fmt.Sprintf("plugin %s is cut short or damaged (%v)", path, err), cure}
	}
	for _, s := range symbols {
		if s.Name == pjrt.GetPJRTApiFunctionName {
			return nil
		}
	}
	return &Error{fmt.Sprintf("%s is a shared library, but not a PJRT plugin: it has no %s", path, pjrt.GetPJRTApiFunctionName), cure}
}

func machine(m elf.Machine) string {
	return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
}
