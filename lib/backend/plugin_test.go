//go:build linux && (amd64 || arm64) && cgo && !noxla

package backend_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/stretchr/testify/require"
)

// library is the head of a shared library without symbols.
func library(t *testing.T, machine elf.Machine) []byte {
	h := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_DYN), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64,
	}
	var b bytes.Buffer
	require.NoError(t, binary.Write(&b, binary.LittleEndian, h))
	return b.Bytes()
}

func TestBadPlugins(t *testing.T) {
	here, other := elf.EM_X86_64, elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		here, other = other, here
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"no library":           {[]byte("<html>404 Not Found</html>"), "is not a shared library"},
		"empty":                {nil, "cut short or damaged"},
		"cut short":            {library(t, here)[:40], "cut short or damaged"},
		"another architecture": {library(t, other), "this machine is "},
		"no plugin":            {library(t, here), "not a PJRT plugin: it has no GetPjrtApi"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "pjrt_c_api_cpu_plugin.so")
			require.NoError(t, os.WriteFile(path, c.content, 0o755))
			t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", dir)
			for _, wish := range []string{"xla:cpu", "xla:" + path} {
				_, err := backend.Open(backend.With(wish))
				var known *backend.Error
				require.ErrorAs(t, err, &known)
				require.Contains(t, known.What, path)
				require.Contains(t, known.What, c.want)
				require.NotEmpty(t, known.Cure)
			}
		})
	}
}

func TestMissingPlugins(t *testing.T) {
	empty := t.TempDir()
	gone := filepath.Join(empty, "gone")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", gone)
	_, err := backend.Open(backend.With("xla:cpu"))
	require.ErrorContains(t, err, "PJRT_PLUGIN_LIBRARY_PATH names the directory "+gone+", which cannot be read (no such file or directory)")

	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", empty)
	_, err = backend.Open(backend.With("xla:cpu"))
	require.ErrorContains(t, err, "no cpu plugin of XLA in "+empty+": run `go run ./kernels setup`")

	_, err = backend.Open(backend.With("xla:" + gone))
	require.ErrorContains(t, err, "cannot be read (no such file or directory)")
	_, err = backend.Open(backend.With("xla:" + empty))
	require.ErrorContains(t, err, "is a directory")
}

// cpu skips where XLA's CPU plugin is not installed, or another backend is asked for.
func cpu(t *testing.T) {
	t.Helper()
	if wish := os.Getenv("GOMLX_BACKEND"); wish != "" && !strings.HasPrefix(wish, "xla") {
		t.Skipf("GOMLX_BACKEND asks for %q", wish)
	}
	for _, c := range backend.Survey() {
		if c.Name == backend.XLACPU && c.Problem != nil {
			t.Skip(c.Problem)
		}
	}
}

func TestXLACPU(t *testing.T) {
	cpu(t)
	b, err := backend.Open(backend.With(backend.XLACPU))
	require.NoError(t, err)
	defer b.Finalize()
	d := backend.Describe(b)
	require.Equal(t, "XLA CPU", d.Title)
	require.Equal(t, "cpu", d.Plugin.Name)
	require.FileExists(t, d.Plugin.Path)
	require.Regexp(t, `^0\.\d+$`, d.Plugin.Version)
	require.Empty(t, d.Lacks)
	require.True(t, b.HasSharedBuffers())
	require.Equal(t, 1, b.NumDevices())
}

func TestSeveralCPUDevices(t *testing.T) {
	cpu(t)
	t.Setenv("GOMLX_BACKEND", "")
	b, err := backend.Open(backend.CPUDevices(3))
	require.NoError(t, err)
	defer b.Finalize()
	require.Equal(t, 3, b.NumDevices())
	require.Equal(t, backend.XLACPU, backend.Describe(b).Name)
	require.Len(t, backend.Describe(b).Devices, 3)
	// A program on all three, one input each.
	mesh, err := distributed.NewDeviceMesh([]int{3}, []string{"replica"})
	require.NoError(t, err)
	exec, err := NewExec(b, func(x *Node) *Node {
		return x.Graph().Distributed().AllReduceOne(x, compute.ReduceOpSum)
	})
	require.NoError(t, err)
	out, err := exec.SPMD(mesh).Call(float32(1), float32(20), float32(300))
	require.NoError(t, err)
	require.Len(t, out, 3)
	for i, o := range out {
		device, err := o.Device()
		require.NoError(t, err)
		require.EqualValues(t, i, device)
		require.Equal(t, float32(321), o.Value())
	}
}

func TestXLAOptionsUnknown(t *testing.T) {
	cpu(t)
	_, err := backend.Open(backend.With("xla:cpu,colour=blue"))
	require.ErrorContains(t, err, "colour")
}
