// Package kernelspec describes the Jupyter kernels of the notebooks and installs
// them below a prefix, where that prefix's JupyterLab finds them whatever is
// mounted over the home directory.
//
//	go-xla-cpu    Go (XLA CPU)    the default: compiled by XLA for the processor
//	go-pure       Go (pure Go)    no C compiler and no plugin, slower
//	go-xla-cuda   Go (XLA CUDA)   where an NVIDIA GPU answers
//
// All three start GoNB with the cells' own go command (see kernels/cellgo) first in PATH.
package kernelspec

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/atomicfile"
	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

// Spec is one kernelspec: the content of its kernel.json, and its folder's name.
type Spec struct {
	Name          string            `json:"-"`
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
}

// CPU is the kernel that computes with XLA on the processor. goBin is the folder
// of the go command, for a Jupyter started where PATH lacks it; it may be empty.
func CPU(root repo.Root, goBin string) Spec {
	s := base(root, goBin)
	s.Name, s.DisplayName = repo.KernelCPU, "Go (XLA CPU)"
	s.Env["GOMLX_BACKEND"] = "xla:cpu"
	s.Env["PJRT_PLUGIN_LIBRARY_PATH"] = root.PluginDir()
	s.Env["CGO_ENABLED"] = "1"
	return s
}

// Pure is the kernel that needs neither a C compiler nor a plugin.
func Pure(root repo.Root, goBin string) Spec {
	s := base(root, goBin)
	s.Name, s.DisplayName = repo.KernelPure, "Go (pure Go)"
	s.Env["GOMLX_BACKEND"] = "go"
	s.Env["CGO_ENABLED"] = "0"
	s.Env["GOFLAGS"] = "-tags=noxla"
	return s
}

// CUDA is the kernel that computes with XLA on an NVIDIA GPU. plugins is the
// folder of the CUDA plugin, data that of NVIDIA's libraries and compiler.
func CUDA(root repo.Root, goBin, plugins, data string) Spec {
	s := CPU(root, goBin)
	s.Name, s.DisplayName = repo.KernelCUDA, "Go (XLA CUDA)"
	s.Env["GOMLX_BACKEND"] = "xla:cuda"
	s.Env["PJRT_PLUGIN_LIBRARY_PATH"] = plugins + string(os.PathListSeparator) + root.PluginDir()
	s.Env["XLA_FLAGS"] = "--xla_gpu_cuda_data_dir=" + data
	s.Env["GOPJRT_CUDA_CHECKS"] = "0" // they look for the libraries at a fixed place
	return s
}

func base(root repo.Root, goBin string) Spec {
	path := []string{root.Lib(), root.Bin(), "${PATH}"}
	if goBin != "" {
		path = append(path, goBin)
	}
	return Spec{
		// The log keeps to what ends the kernel; by default it tells of every message,
		// and errors of cells are shown in the notebook anyway.
		Argv: []string{root.Gonb(), "--kernel", "{connection_file}", "--legacy_stderr_threshold_behavior=false", "--stderrthreshold=FATAL"},
		// GoNB answers an interrupt message; a signal would stop it.
		Language: "go", InterruptMode: "message",
		Env: map[string]string{
			"PATH":                  strings.Join(path, string(os.PathListSeparator)),
			"HINDSIGHT_ROOT":        root.Dir(),
			"GOMLX_NO_AUTO_INSTALL": "1",
			"GOWORK":                "off", // a workspace above the temporary folder is none of the cells' business
		},
	}
}

//go:embed logo.svg
var logo []byte

func (s Spec) files() (map[string][]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("kernelspec: %s: %w", s.Name, err)
	}
	colour := map[string]string{repo.KernelCPU: "#00758f", repo.KernelPure: "#5b6b73", repo.KernelCUDA: "#4f8a10"}[s.Name]
	return map[string][]byte{
		"kernel.json":  text.Bytes(),
		"logo-svg.svg": bytes.ReplaceAll(logo, []byte("#000000"), []byte(colour)),
	}, nil
}

// Installed reports whether exactly this kernelspec is installed below root's prefix.
func (s Spec) Installed(root repo.Root) bool {
	files, err := s.files()
	if err != nil {
		return false
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root.Kernels(), s.Name, name))
		if err != nil || !bytes.Equal(got, want) {
			return false
		}
	}
	return true
}

// Install writes the kernelspec below root's prefix, each file at once or not at all.
func (s Spec) Install(root repo.Root) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := atomicfile.Write(filepath.Join(root.Kernels(), s.Name, name), data); err != nil {
			return fmt.Errorf("kernelspec: %s: %w", s.Name, err)
		}
	}
	return nil
}

// Remove takes the kernelspec called name away, if it is there.
func Remove(root repo.Root, name string) error {
	if err := os.RemoveAll(filepath.Join(root.Kernels(), name)); err != nil {
		return fmt.Errorf("kernelspec: %s cannot be removed: %w", name, err)
	}
	return nil
}

// Read is the installed kernelspec called name. The error is [fs.ErrNotExist]
// where there is none.
func Read(root repo.Root, name string) (Spec, error) {
	path := filepath.Join(root.Kernels(), name, "kernel.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Spec{}, fmt.Errorf("kernelspec: %s is not installed: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return Spec{}, fmt.Errorf("kernelspec: %w", err)
	}
	s := Spec{Name: name}
	if err := json.Unmarshal(data, &s); err != nil {
		return Spec{}, fmt.Errorf("kernelspec: %s is damaged: %w", path, err)
	}
	return s, nil
}

// Environ is the environment environ as the kernel would see it: with the
// kernelspec's variables, in which ${NAME} stands for environ's.
func (s Spec) Environ(environ []string) []string {
	values := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			values[name] = value
		}
	}
	out := append([]string(nil), environ...)
	for name, value := range s.Env {
		out = append(out, name+"="+os.Expand(value, func(key string) string { return values[key] }))
	}
	return out
}
