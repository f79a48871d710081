package doctor

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// checkout is an empty one.
func checkout(t *testing.T) repo.Root {
	t.Helper()
	t.Setenv(repo.PrefixVar, "")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module "+repo.Module+"\n")
	root, err := repo.At(dir)
	require.NoError(t, err)
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
}

// about finds the problem whose sentence contains text.
func about(t *testing.T, r Report, text string) Problem {
	t.Helper()
	for _, p := range r.Problems {
		if strings.Contains(p.What, text) {
			assert.NotEmpty(t, p.Cure, p.What)
			return p
		}
	}
	t.Fatalf("no problem about %q in %+v", text, r.Problems)
	return Problem{}
}

func TestNotSetUp(t *testing.T) {
	r, err := Examine(t.Context(), checkout(t))
	require.NoError(t, err)
	assert.False(t, r.Healthy())
	assert.True(t, about(t, r, "is not set up").Stops)
	assert.Equal(t, runtime.GOOS, r.Machine.OS)
	assert.NotEmpty(t, r.Versions["go"])
	assert.Len(t, r.Machine.Disks, 3, "of folders that are not there yet too")
}

func TestBrokenSetup(t *testing.T) {
	root := checkout(t)
	require.NoError(t, kernelspec.CPU(root, "").Install(root))
	pure := kernelspec.Pure(root, "")
	pure.Env["HINDSIGHT_ROOT"] = "/where/it/was"
	require.NoError(t, pure.Install(root))
	for build, text := range map[string]string{"xla": "echo 'fatal error: unexpected signal' >&2; kill -SEGV $$",
		"pure": `echo '{"problem":{"what":"it is missing.","cure":"do this"},"versions":{"github.com/gomlx/gomlx":"v1"}}'; exit 1`} {
		write(t, filepath.Join(root.Lib(), build, "probe"), "#!/bin/sh\n"+text+"\n")
	}
	t.Setenv("HINDSIGHT_DATA", "/no/data")
	t.Setenv("GOFLAGS", "-mod=vendor")
	r, err := Examine(t.Context(), root)
	require.NoError(t, err)
	assert.False(t, r.Healthy())
	for text, stops := range map[string]bool{
		"Python environment is broken":                    true,
		"gonb is missing":                                 true,
		"goimports is missing":                            true,
		"gopls is missing":                                false,
		"Go (XLA CPU) brings the program down":            true,
		"Go (pure Go) belongs to a checkout at /where/it": true,
		"Go (pure Go) has no backend: it is missing.":     true,
		"is brought down":                                 false,
		"HINDSIGHT_DATA names /no/data":                   false,
		"GOFLAGS contains -mod=vendor":                    true,
		"unexpected signal":                               true,
	} {
		assert.Equal(t, stops, about(t, r, text).Stops, text)
	}
	assert.Equal(t, "Do this.", about(t, r, "it is missing").Cure)
	assert.Len(t, r.Kernels, 2)
}

func TestDamagedKernel(t *testing.T) {
	root := checkout(t)
	require.NoError(t, kernelspec.Pure(root, "").Install(root))
	write(t, filepath.Join(root.Kernels(), repo.KernelCPU, "kernel.json"), "{")
	r, err := Examine(t.Context(), root)
	require.NoError(t, err)
	assert.True(t, about(t, r, "kernel.json is damaged").Stops)
	assert.False(t, about(t, r, "cannot be tried").Stops)
}

func TestTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	var r Report
	r.temporary()
	assert.True(t, about(t, r, "Nothing can be written to the temporary folder").Stops)

	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "noexec,size=64k", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("only root can make a disk that runs nothing: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	t.Setenv("TMPDIR", dir)
	r = Report{}
	r.temporary()
	assert.True(t, about(t, r, "Programs may not run in the temporary folder").Stops)
}

func TestGPUs(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	assert.Empty(t, gpus(t.Context()))
	write(t, filepath.Join(bin, "nvidia-smi"), "#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559 MiB, 580.95.05'\necho 'no devices were found'\n")
	assert.Equal(t, []string{"NVIDIA H100 80GB HBM3, 81559 MiB, driver 580.95.05"}, gpus(t.Context()))
	write(t, filepath.Join(bin, "nvidia-smi"), "#!/bin/sh\nexit 9\n")
	assert.Empty(t, gpus(t.Context()))
}

func TestMeminfo(t *testing.T) {
	total, available := meminfo([]byte("MemTotal:       24683988 kB\nMemFree:  1 kB\nMemAvailable:   12000000 kB\nHugePages_Total:       0\n"))
	assert.Equal(t, uint64(24683988<<10), total)
	assert.Equal(t, uint64(12000000<<10), available)
	total, available = meminfo([]byte("garbage\n: :\nMemTotal: many kB"))
	assert.Zero(t, total)
	assert.Zero(t, available)
}

func TestText(t *testing.T) {
	r := Report{
		Machine:  Machine{OS: "linux", Arch: "amd64", CPUs: 2, Memory: 16e9, Available: 9e9, Disks: []Disk{{"the environment", "/p", 80e9}}},
		Prefix:   "/p",
		Versions: map[string]string{"go": "1.26.8"},
		Kernels:  []Kernel{{"go-pure", "Go (pure Go)", &setup.BackendReport{Title: "pure Go", Why: "asked", Devices: []string{"0"}}}, {Name: "x", Display: "Go (XLA CPU)"}},
		Problems: []Problem{{"Bad.", "Cure it:\n  so", true}, {"Poor.", "Mend it.", false}},
	}
	var out bytes.Buffer
	require.NoError(t, r.Write(&out))
	for _, want := range []string{
		"Machine          linux/amd64, 2 CPUs, 16 GB of memory (9.0 GB available)\n",
		"Disk             80 GB free for the environment (/p)\n",
		"GPU              none answers\n",
		"Go               1.26.8\nC compiler       not found\n",
		"Kernel           Go (pure Go): pure Go, 1 device(s): asked\n",
		"Kernel           Go (XLA CPU): no backend answered, see below\n",
		"✗ Bad.\n  Cure it:\n    so\n! Poor.\n  Mend it.\n",
		"do not run before what ✗ marks is cured",
	} {
		assert.Contains(t, out.String(), want)
	}
	r.Problems = r.Problems[1:]
	out.Reset()
	require.NoError(t, r.Write(&out))
	assert.Contains(t, out.String(), "The notebooks run; ! marks what could be better.")
	assert.True(t, r.Healthy())
	r.Problems = nil
	out.Reset()
	require.NoError(t, r.Write(&out))
	assert.Contains(t, out.String(), "No problems found.")
}

// TestHere examines the checkout around us.
func TestHere(t *testing.T) {
	root, err := repo.Find()
	require.NoError(t, err)
	if !setup.Ready(root) {
		t.Skip("no environment here; run go run ./kernels setup")
	}
	r, err := Examine(t.Context(), root)
	require.NoError(t, err)
	for _, k := range r.Kernels {
		if assert.NotNil(t, k.Backend, "%s: %+v", k.Name, r.Problems) && k.Name == repo.KernelPure {
			assert.Equal(t, "go", k.Backend.Name)
			assert.NotEmpty(t, k.Backend.Lacks, "what the pure-Go backend lacks is told")
		}
	}
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, r, back)
}
