package kernelspec_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

// result is what came of a cell.
type result struct {
	Text, Error string
	Seconds     float64
}

// drive runs cells in an installed kernel, through Jupyter's own client.
func drive(t *testing.T, root repo.Root, kernel string, cells ...string) []result {
	t.Helper()
	job, err := json.Marshal(map[string]any{"kernel": kernel, "cells": cells})
	require.NoError(t, err)
	cmd := exec.Command(root.Python(), filepath.Join("testdata", "drive.py"))
	cmd.Stdin = bytes.NewReader(job)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	require.NoError(t, err, log.String())
	var results []result
	require.NoError(t, json.Unmarshal(out, &results), "%s%s", out, &log)
	require.Len(t, results, len(cells))
	return results
}

// installed is the checkout around us, where setup has been run.
func installed(t *testing.T, kernel string) repo.Root {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Jupyter kernel")
	}
	root, err := repo.Find()
	require.NoError(t, err)
	if _, err := kernelspec.Read(root, kernel); err != nil {
		t.Skipf("%v; run go run ./kernels setup", err)
	}
	return root
}

const sum = `
%%
b, err := backend.Open()
if err != nil {
	panic(err)
}
defer b.Finalize()
total := graph.MustExecOnce(b, func(x *graph.Node) *graph.Node { return graph.ReduceAllSum(x) }, []float32{1, 2, 3})
fmt.Println(backend.Describe(b).Name, total.Value())
`

const imports = `import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/hindsight-go/hindsight/lib/backend"
)
`

func TestCells(t *testing.T) {
	for kernel, backend := range map[string]string{repo.KernelCPU: "xla:cpu", repo.KernelPure: "go"} {
		t.Run(kernel, func(t *testing.T) {
			root := installed(t, kernel)
			got := drive(t, root, kernel, imports+sum, "func twice(x int) int { return 2 * x }", "%%\nfmt.Println(twice(21))", "%%\nfmt.Println(undefined)", "%%\npanic(`<b>bold</b>`)")
			assert.Equal(t, backend+" 6\n", got[0].Text)
			assert.Empty(t, got[1].Error)
			assert.Equal(t, "42\n", got[2].Text, "what one cell declares, others use")
			assert.NotEmpty(t, got[3].Error)
			assert.Contains(t, got[3].Text, "undefined: undefined")
			assert.NotEmpty(t, got[4].Error)
			assert.NotContains(t, strings.SplitAfterN(got[4].Text, "exit status", 2)[1], "<b>", "errors shown as HTML are escaped")
			t.Logf("first cell %.2f s, later ones %.2f s", got[0].Seconds, got[2].Seconds)
		})
	}
}

// TestOffline imports every package of lib, and one package of each module that
// go.mod requires directly or for cells, without a network.
func TestOffline(t *testing.T) {
	root := installed(t, repo.KernelPure)
	t.Setenv("GOPROXY", "off")
	cmd := exec.Command("go", "list", "-f", "{{.Name}} {{.ImportPath}}", "./lib/...")
	cmd.Dir = root.Dir()
	out, err := cmd.Output()
	require.NoError(t, err)
	var cell strings.Builder
	cell.WriteString("import (\n")
	for line := range strings.Lines(string(out)) {
		name, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "main" && !strings.Contains(path, "/internal") {
			cell.WriteString("\t_ \"" + path + "\"\n")
		}
	}
	for _, path := range []string{
		"github.com/gomlx/gomlx/ml/train", "github.com/gomlx/gomlx/ui/gonb/plotly", "github.com/gomlx/gomlx/ui/commandline", "github.com/gomlx/gomlx/ml/layers/bspline",
		"github.com/janpfeifer/gonb/gonbui/widgets", "github.com/schollz/progressbar/v3", "github.com/spf13/cobra", "github.com/stretchr/testify/mock",
		"golang.org/x/mod/semver", "golang.org/x/sync/errgroup", "golang.org/x/term", "gonum.org/v1/gonum/optimize", "gonum.org/v1/plot/cmpimg", "gopkg.in/yaml.v3",
	} {
		cell.WriteString("\t_ \"" + path + "\"\n")
	}
	cell.WriteString(")\n%%\nfmt.Println(\"all there\")\n")
	got := drive(t, root, repo.KernelPure, cell.String(), "import \"example.com/nowhere\"\n%%\nnowhere.Go()")
	assert.Empty(t, got[0].Error)
	assert.Equal(t, "all there\n", got[0].Text)
	assert.NotEmpty(t, got[1].Error)
	assert.Contains(t, got[1].Text, "module lookup disabled by GOPROXY=off")
	assert.Contains(t, got[1].Text, "Offline, cells may import lib")
}

// TestOtherModules imports a module that only a proxy has.
func TestOtherModules(t *testing.T) {
	root := installed(t, repo.KernelPure)
	const module, version = "hindsight-test.example/greet", "v1.2.3"
	proxy := t.TempDir()
	dir := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	goMod := "module " + module + "\n\ngo 1.22\n"
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range map[string]string{"go.mod": goMod, "greet.go": "package greet\n\nfunc Hello() string { return \"hello from a proxy\" }\n"} {
		w, err := z.Create(module + "@" + version + "/" + name)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	for name, data := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".mod": []byte(goMod), version + ".zip": archive.Bytes(),
		version + ".info": []byte(`{"Version":"` + version + `","Time":"2024-01-01T00:00:00Z"}`),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(proxy))
	t.Setenv("GONOSUMDB", module) // no public server knows it
	t.Setenv("GOFLAGS", "")
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	cache := strings.TrimSpace(string(out))
	forget := func() {
		for _, path := range []string{filepath.Join(cache, "hindsight-test.example"), filepath.Join(cache, "cache", "download", "hindsight-test.example")} {
			// Modules are read-only there.
			_ = filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					return os.Chmod(p, 0o755)
				}
				return nil
			})
			assert.NoError(t, os.RemoveAll(path))
		}
	}
	forget()
	t.Cleanup(forget)
	got := drive(t, root, repo.KernelPure,
		"import \""+module+"\"\n%%\nfmt.Println(greet.Hello())",
		imports+sum,
		"%%\nfmt.Println(greet.Hello(), \"again\")")
	assert.Equal(t, "hello from a proxy\n", got[0].Text)
	assert.Equal(t, "go 6\n", got[1].Text, "lib is still there beside it")
	assert.Equal(t, "hello from a proxy again\n", got[2].Text)
}
