package kernelspec_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

// checkout is an empty one with its prefix elsewhere.
func checkout(t *testing.T) repo.Root {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+repo.Module+"\n"), 0o644))
	root, err := repo.At(dir)
	require.NoError(t, err)
	return root.WithPrefix(t.TempDir())
}

func TestInstall(t *testing.T) {
	root := checkout(t)
	spec := kernelspec.CPU(root, "/opt/go/bin")
	assert.False(t, spec.Installed(root))
	require.NoError(t, spec.Install(root))
	assert.True(t, spec.Installed(root))
	assert.False(t, kernelspec.CPU(root, "/elsewhere").Installed(root), "another content is to be installed again")

	got, err := kernelspec.Read(root, repo.KernelCPU)
	require.NoError(t, err)
	assert.Equal(t, spec, got)

	var raw map[string]any
	data, err := os.ReadFile(filepath.Join(root.Venv(), "share", "jupyter", "kernels", "go-xla-cpu", "kernel.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &raw))
	assert.Equal(t, "Go (XLA CPU)", raw["display_name"])
	assert.Equal(t, "go", raw["language"])
	assert.Contains(t, raw["argv"], "{connection_file}")
	logo, err := os.ReadFile(filepath.Join(root.Kernels(), repo.KernelCPU, "logo-svg.svg"))
	require.NoError(t, err)
	assert.NoError(t, xml.Unmarshal(logo, new(struct{ XMLName xml.Name })))

	require.NoError(t, kernelspec.Remove(root, repo.KernelCPU))
	_, err = kernelspec.Read(root, repo.KernelCPU)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestDamaged(t *testing.T) {
	root := checkout(t)
	spec := kernelspec.Pure(root, "")
	require.NoError(t, spec.Install(root))
	path := filepath.Join(root.Kernels(), repo.KernelPure, "kernel.json")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o644))
	_, err := kernelspec.Read(root, repo.KernelPure)
	assert.ErrorContains(t, err, "kernel.json is damaged")
	assert.False(t, spec.Installed(root))
	require.NoError(t, spec.Install(root))
	assert.True(t, spec.Installed(root))
}

func TestNotWritable(t *testing.T) {
	root := checkout(t)
	// A file where a folder should be fails for every user.
	require.NoError(t, os.MkdirAll(filepath.Dir(root.Kernels()), 0o755))
	require.NoError(t, os.WriteFile(root.Kernels(), nil, 0o644))
	assert.ErrorContains(t, kernelspec.Pure(root, "").Install(root), "kernelspec: go-pure: ")
}

func TestEnvironments(t *testing.T) {
	root := checkout(t)
	environ := []string{"PATH=/usr/bin", "HOME=/home/me", "GOMLX_BACKEND=mine"}
	last := func(spec kernelspec.Spec, name string) string {
		value := ""
		for _, entry := range spec.Environ(environ) {
			if v, ok := strings.CutPrefix(entry, name+"="); ok {
				value = v
			}
		}
		return value
	}
	cpu, pure := kernelspec.CPU(root, "/opt/go/bin"), kernelspec.Pure(root, "")
	cuda := kernelspec.CUDA(root, "", "/plugins", "/nvidia")
	assert.Equal(t, root.Lib()+":"+root.Bin()+":/usr/bin:/opt/go/bin", last(cpu, "PATH"), "the cells' go command comes first")
	assert.Equal(t, root.Lib()+":"+root.Bin()+":/usr/bin", last(pure, "PATH"))
	for spec, want := range map[*kernelspec.Spec][3]string{
		&cpu:  {"xla:cpu", "1", root.PluginDir()},
		&pure: {"go", "0", ""},
		&cuda: {"xla:cuda", "1", "/plugins:" + root.PluginDir()},
	} {
		assert.Equal(t, want[0], last(*spec, "GOMLX_BACKEND"), spec.Name)
		assert.Equal(t, want[1], last(*spec, "CGO_ENABLED"), spec.Name)
		assert.Equal(t, want[2], last(*spec, "PJRT_PLUGIN_LIBRARY_PATH"), spec.Name)
		assert.Equal(t, "1", last(*spec, "GOMLX_NO_AUTO_INSTALL"), "cells never download a plugin")
		assert.Equal(t, "/home/me", last(*spec, "HOME"))
	}
	assert.Equal(t, "-tags=noxla", last(pure, "GOFLAGS"))
}

func Example() {
	root, err := repo.Find()
	if err != nil {
		fmt.Println(err)
		return
	}
	spec := kernelspec.Pure(root, "")
	fmt.Println(spec.Name, "-", spec.DisplayName, "-", spec.Env["GOMLX_BACKEND"])
	// Output: go-pure - Go (pure Go) - go
}
