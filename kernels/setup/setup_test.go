package setup

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

// newSession is a session in an empty checkout with an empty home folder and an
// empty PATH but for /bin and /usr/bin's shell.
func newSession(t *testing.T) (*session, *bytes.Buffer) {
	t.Helper()
	t.Setenv(repo.PrefixVar, "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module "+repo.Module+"\n\nrequire github.com/gomlx/go-xla v0.4.1\n")
	root, err := repo.At(dir)
	require.NoError(t, err)
	var out bytes.Buffer
	s := &session{Options: Options{Root: root, Out: term.New(&out)}, pinned: wheel,
		free: func(string) (uint64, error) { return 1e12, nil }}
	require.NoError(t, s.claim())
	return s, &out
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// script makes a program of a few lines of shell.
func script(t *testing.T, path, text string) {
	t.Helper()
	write(t, path, "#!/bin/sh\n"+text+"\n")
	require.NoError(t, os.Chmod(path, 0o755))
}

// fakePath makes PATH one folder with these programs.
func fakePath(t *testing.T, programs map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range programs {
		script(t, filepath.Join(dir, name), text)
	}
	t.Setenv("PATH", dir)
}

// files lists what is below dir, folders left out.
func files(t *testing.T, dir string) []string {
	t.Helper()
	found := []string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found = append(found, rel)
		}
		return err
	}))
	sort.Strings(found)
	return found
}

// aFault requires err to be a fault that says what and names a cure.
func aFault(t *testing.T, err error, what, cure string) {
	t.Helper()
	f := new(Fault)
	require.ErrorAs(t, err, &f)
	assert.Contains(t, f.What, what)
	assert.Contains(t, f.Cure, cure)
	assert.NotContains(t, f.What, "\n", "one sentence")
}

const (
	goodGo = `case "$2" in GOVERSION) echo go1.26.8; echo /opt/go;; CC) echo gcc;; esac`
	goodCC = `[ "$1" = -dumpversion ] && echo 12; exit 0`
)

func python(version string, venv bool) string {
	text := "echo " + version
	if venv {
		text += "; echo venv"
	}
	return text
}

func TestPrerequisites(t *testing.T) {
	for _, c := range []struct {
		name     string
		programs map[string]string
		noXLA    bool
		python   string
		what     string // of the fault, "" where there is none
		cure     string
		found    string
	}{
		{name: "no go", programs: map[string]string{}, what: "no go command", cure: "https://go.dev/dl"},
		{name: "old go", programs: map[string]string{"go": "echo 'go: go.mod requires go >= 1.26.5 (running go 1.22.1)' >&2; exit 1"},
			what: "requires go >= 1.26.5", cure: "Install the version"},
		{name: "no gcc", programs: map[string]string{"go": goodGo}, what: "no C compiler (gcc)", cure: "sudo apt-get install gcc"},
		{name: "gcc without headers", programs: map[string]string{"go": goodGo, "gcc": "echo 'try.c:1: fatal error: stdlib.h: No such file' >&2; exit 1"},
			what: "does not compile a small program", cure: "libc6-dev"},
		{name: "no python", programs: map[string]string{"go": goodGo, "gcc": goodCC}, what: "no Python 3", cure: "sudo dnf install python3"},
		{name: "old python", programs: map[string]string{"go": goodGo, "gcc": goodCC, "python3": python("3 9 18", true)},
			what: "Python 3.9.18", cure: "brew install python"},
		{name: "python without venv", programs: map[string]string{"go": goodGo, "gcc": goodCC, "python3": python("3 11 2", false)},
			what: "lacks its modules venv", cure: "python3-venv"},
		{name: "newest python", programs: map[string]string{"go": goodGo, "gcc": goodCC, "python3": python("3 10 1", true), "python3.9": python("3 9 9", true),
			"python3.14": "exit 127", "python3.13": python("3 13 0", false), "python3.12": python("3 12 7", true), "python3.11": python("3 11 9", true)},
			found: "Go 1.26.8, gcc 12, Python 3.12.7"},
		{name: "chosen python", python: "python3.11", programs: map[string]string{"go": goodGo, "gcc": goodCC, "python3.12": python("3 12 7", true), "python3.11": python("3 11 9", true)},
			found: "Go 1.26.8, gcc 12, Python 3.11.9"},
		{name: "chosen no python", python: "python3.11", programs: map[string]string{"go": goodGo, "gcc": goodCC, "python3.11": "echo hello"},
			what: "python3.11 is not a Python interpreter", cure: "--python"},
		{name: "no XLA, no gcc", noXLA: true, programs: map[string]string{"go": goodGo, "python3": python("3 14 0", true)},
			found: "Go 1.26.8, Python 3.14.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := newSession(t)
			s.NoXLA, s.Python = c.noXLA, c.python
			fakePath(t, c.programs)
			out, err := s.prerequisites(t.Context(), nil)
			if c.what != "" {
				aFault(t, err, c.what, c.cure)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.found, out.text)
			assert.Equal(t, "/opt/go/bin", s.goBin)
		})
	}
}

func TestSmallDisk(t *testing.T) {
	s, _ := newSession(t)
	fakePath(t, map[string]string{"go": goodGo, "gcc": goodCC, "python3": python("3 12 0", true)})
	s.free = func(string) (uint64, error) { return 20e6, nil }
	_, err := s.prerequisites(t.Context(), nil)
	aFault(t, err, "has 20 MB left, and setup needs 800 MB", "--prefix")
	write(t, s.Root.Gonb(), "") // an environment that is there needs little more
	_, err = s.prerequisites(t.Context(), nil)
	require.NoError(t, err)
}

func TestForeignFolder(t *testing.T) {
	s, _ := newSession(t)
	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "thesis.tex"), "years of work")
	s.Root = s.Root.WithPrefix(foreign)
	aFault(t, s.claim(), "holds something else", "--prefix")
	assert.Equal(t, []string{"thesis.tex"}, files(t, foreign))

	write(t, filepath.Join(foreign, "pyvenv.cfg"), "") // a Python environment may become ours
	assert.NoError(t, s.claim())
}

func TestTwoSetups(t *testing.T) {
	s, out := newSession(t)
	unlock, err := s.lock(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), lockEvery/2)
	defer cancel()
	_, err = s.lock(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Contains(t, out.String(), "Waiting for another setup")
	unlock()
	unlock, err = s.lock(t.Context())
	require.NoError(t, err)
	unlock()
}

func TestExplain(t *testing.T) {
	s, _ := newSession(t)
	for output, want := range map[string]struct{ what, cure string }{
		"ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n": {"the disk is full", "Free some space"},
		"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n":               {"not what is pinned", "ry again"},
		"verifying example.com/m@v1.0.0: checksum mismatch\n":                                       {"not what is pinned", "ry again"},
		"WARNING: Retrying: Temporary failure in name resolution\nERROR: No matching distribution":  {"does not answer (No matching distribution)", "HTTPS_PROXY"},
		"go: example.com/m@v1: Get \"https://proxy\": dial tcp: lookup proxy: no such host\n":       {"does not answer", "GOPROXY"},
		"something\nthat nobody foresaw.\n\n":                                                       {"X: that nobody foresaw.", "setup.log"},
		"":                                                                                          {"X: exit status 1.", "setup.log"},
	} {
		err := s.explain(t.Context(), "X", output, fmt.Errorf("exit status 1"))
		aFault(t, err, want.what, want.cure)
		assert.Equal(t, strings.Contains(want.what, "does not answer"), errors.Is(err, ErrNetwork))
		assert.Equal(t, strings.Contains(want.what, "disk is full"), errors.Is(err, syscall.ENOSPC))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, s.explain(ctx, "X", "dial tcp", fmt.Errorf("killed")), context.Canceled, "an interrupt is not a fault")
}

// FuzzLines: however the output of a program is cut, its lines are the same.
func FuzzLines(f *testing.F) {
	f.Add("Progress 1 of 2\rProgress 2 of 2\r\nCollecting x\n\nrest", 7)
	f.Fuzz(func(t *testing.T, text string, at int) {
		read := func(parts ...string) (found []string) {
			l := &lines{each: func(line string) { found = append(found, line) }}
			for _, part := range parts {
				n, err := l.Write([]byte(part))
				require.NoError(t, err)
				require.Equal(t, len(part), n)
			}
			return found
		}
		if at < 0 || at > len(text) {
			at = len(text) / 2
		}
		assert.Equal(t, read(text), read(text[:at], text[at:]))
	})
}

func TestGoModulesUnreachable(t *testing.T) {
	s, _ := newSession(t)
	fakePath(t, map[string]string{"go": `echo 'go: a.b/c@v1: Get "https://proxy/a.b/c": dial tcp: lookup proxy: no such host' >&2; exit 1`})
	_, err := s.modules(t.Context(), s.Out.Task("modules"))
	aFault(t, err, "The Go modules of go.mod cannot be downloaded: the network", "GOPROXY")
}

func TestGoplsUnreachable(t *testing.T) {
	s, _ := newSession(t)
	require.NoError(t, os.MkdirAll(s.Root.Bin(), 0o755))
	fakePath(t, map[string]string{"nice": `exec "$@"`, "go": "echo 'golang.org/x/tools/gopls@v0.23.0: reading proxy: 403 Forbidden' >&2; exit 1"})
	out, err := s.gopls(t.Context(), s.Out.Task("gopls"))
	require.NoError(t, err)
	assert.True(t, out.warning)
	assert.Contains(t, out.text, "without completion")
	assert.Empty(t, files(t, s.Root.Bin()))
}

func TestBrokenLib(t *testing.T) {
	s, said := newSession(t)
	fakePath(t, map[string]string{"go": "printf 'a.b/lib/x\\n# a.b/lib/x\\nlib/x/x.go:7:2: undefined: y\\na.b/lib/z\\n'; exit 1"})
	task := s.Out.Task("warm")
	defer task.Drop()
	out, err := s.warm(t.Context(), task)
	require.NoError(t, err, "whoever breaks lib wants to open the notebooks all the same")
	assert.True(t, out.warning)
	assert.Equal(t, "lib does not compile: lib/x/x.go:7:2: undefined: y", out.text)

	p := program{pkg: "./kernels/probe", path: probePath(s.Root, probePure)}
	_, err = s.build(t.Context(), task, p)
	aFault(t, err, "probe cannot be built: lib/x/x.go:7:2: undefined: y", "setup.log")
	s.NoXLA = true
	write(t, s.Root.Join("go.mod"), "module "+repo.Module+"\nrequire github.com/janpfeifer/gonb v0.11.4\n")
	fakePath(t, map[string]string{"go": `case "$*" in *probe) printf 'lib/x/x.go:7:2: undefined: y\n'; exit 1;; esac; while [ "$1" != -o ]; do shift; done; : >"$2"`})
	require.NoError(t, os.MkdirAll(s.Root.Bin(), 0o755))
	require.NoError(t, os.MkdirAll(s.Root.Lib(), 0o755))
	_, err = s.programs(t.Context(), task)
	aFault(t, err, "probe cannot be built", "setup.log")
	script(t, p.path, "")
	_, err = s.programs(t.Context(), task)
	require.NoError(t, err, "an older probe does")
	assert.Contains(t, said.String(), "! probe cannot be built")
}

func TestKernels(t *testing.T) {
	s, _ := newSession(t)
	s.NoXLA, s.goBin = true, "/opt/go/bin"
	out, err := s.kernels(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, outcome{text: "Go (pure Go)", done: true}, out)
	assert.True(t, Ready(s.Root))
	assert.True(t, PureOnly(s.Root))

	s.NoXLA = false
	out, err = s.kernels(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, outcome{text: "Go (pure Go), Go (XLA CPU)", done: true}, out)
	assert.False(t, PureOnly(s.Root))
	out, err = s.kernels(t.Context(), nil)
	require.NoError(t, err)
	assert.False(t, out.done, "nothing to do the second time")

	// A GPU that no longer answers takes its kernel with it.
	require.NoError(t, kernelspec.CUDA(s.Root, "", "/p", "/d").Install(s.Root))
	_, err = s.kernels(t.Context(), nil)
	require.NoError(t, err)
	_, err = kernelspec.Read(s.Root, repo.KernelCUDA)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestGPU plays a driver, a pip and a probe; that the real ones agree is for a
// machine with a GPU to show.
func TestGPU(t *testing.T) {
	s, _ := newSession(t)
	write(t, s.Root.Join("kernels", "python", "requirements-cuda.txt"), "jax-cuda13-pjrt==0.11.2 --hash=sha256:0\n")
	write(t, filepath.Join(s.Root.Venv(), "pyvenv.cfg"), "")
	packages := filepath.Join(s.Root.Venv(), "lib", "python3.12", "site-packages", "jax_plugins", "xla_cuda13")
	script(t, s.Root.Python(), `case "$1" in -c) echo 3 12 0; echo venv;; *) mkdir -p `+packages+` && : >`+packages+`/xla_cuda_plugin.so;; esac`)
	script(t, probePath(s.Root, probeXLA), `echo '{"problem":{"what":"No visible GPU devices","cure":""}}'; exit 1`)
	try := func() outcome {
		task := s.Out.Task("cuda")
		defer task.Drop()
		out, err := s.cuda(t.Context(), task)
		require.NoError(t, err)
		return out
	}
	kernel := func() bool { _, ok := s.cudaSpec(); return ok }
	path := os.Getenv("PATH")
	withGPU := t.TempDir()
	script(t, filepath.Join(withGPU, "nvidia-smi"), "echo 'GPU 0: NVIDIA H100 (UUID: x)'")

	t.Setenv("PATH", "/bin:/usr/bin")
	if _, err := exec.LookPath("nvidia-smi"); err == nil {
		t.Skip("this machine has a driver")
	}
	assert.Equal(t, outcome{}, try(), "no GPU, no word")
	assert.False(t, kernel())

	t.Setenv("PATH", withGPU+":"+path)
	s.free = func(string) (uint64, error) { return 2e9, nil }
	assert.Contains(t, try().text, "need 6 GB")
	s.free = func(string) (uint64, error) { return 1e12, nil }
	out := try()
	assert.True(t, out.warning)
	assert.Equal(t, "the GPU is not used: No visible GPU devices", out.text)
	assert.False(t, kernel())

	script(t, probePath(s.Root, probeXLA), `case "$GOMLX_BACKEND$PJRT_PLUGIN_LIBRARY_PATH" in xla:cuda`+packages+`*) echo '{"backend":{"name":"xla:cuda"}}';; esac`)
	assert.Equal(t, outcome{text: "ran a graph on GPU 0: NVIDIA H100 (UUID: x)", done: true}, try())
	assert.True(t, kernel())
	assert.False(t, try().done, "proved once")

	t.Setenv("PATH", "/bin:/usr/bin")
	try()
	assert.False(t, kernel(), "the GPU went away")
}

// index is a package index with one wheel, which may be served wrongly.
type index struct {
	*httptest.Server
	wheel []byte
	sent  func(w http.ResponseWriter, wheel []byte)
}

// newIndex serves a wheel of project name that holds these files, and makes pip use it.
func newIndex(t *testing.T, name string, members map[string]string) *index {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	info := name + "-1.0.dist-info/"
	members[info+"METADATA"] = "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"
	members[info+"WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
	record := ""
	for member := range members {
		record += member + ",,\n"
	}
	members[info+"RECORD"] = record + info + "RECORD,,\n"
	for member, text := range members {
		w, err := z.Create(member)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	ix := &index{wheel: b.Bytes()}
	ix.right()
	file := name + "-1.0-py3-none-any.whl"
	ix.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case path.Base(r.URL.Path) == file:
			ix.sent(w, ix.wheel)
		case path.Base(r.URL.Path) == name:
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<!DOCTYPE html><html><body><a href="/%s">%s</a></body></html>`, file, file)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(ix.Close)
	for key, value := range map[string]string{"PIP_INDEX_URL": ix.URL + "/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.DevNull,
		"PIP_NO_CACHE_DIR": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PIP_FIND_LINKS": ""} {
		t.Setenv(key, value)
	}
	return ix
}

func (ix *index) right() {
	ix.sent = func(w http.ResponseWriter, wheel []byte) { _, _ = w.Write(wheel) }
}

// changed serves a wheel in which one byte differs.
func (ix *index) changed() {
	ix.sent = func(w http.ResponseWriter, wheel []byte) {
		other := bytes.Clone(wheel)
		other[len(other)/2]++
		_, _ = w.Write(other)
	}
}

// truncated breaks off in the middle.
func (ix *index) truncated() {
	ix.sent = func(w http.ResponseWriter, wheel []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(wheel)))
		_, _ = w.Write(wheel[:len(wheel)/2])
	}
}

// lock is the line of a lock file for the index's wheel.
func (ix *index) lock(name string) string {
	sum := sha256.Sum256(ix.wheel)
	return name + "==1.0 --hash=sha256:" + hex.EncodeToString(sum[:]) + "\n"
}

// needPython skips where no Python can make environments.
func needPython(t *testing.T, s *session) {
	t.Helper()
	if testing.Short() {
		t.Skip("makes a Python environment")
	}
	if _, err := s.findPython(t.Context()); err != nil {
		t.Skipf("no Python: %v", err)
	}
}

func TestPythonEnvironment(t *testing.T) {
	s, _ := newSession(t)
	needPython(t, s)
	members := map[string]string{}
	for _, module := range []string{"jupyterlab", "nbclient", "nbconvert", "nbformat", "papermill"} {
		members[module+".py"] = "__version__ = '4.6.test'\n"
	}
	ix := newIndex(t, "jupyterlab", members)
	write(t, s.lockPath(), ix.lock("jupyterlab"))
	write(t, filepath.Join(s.Root.Venv(), "lib", "pjrt", "keep"), "")
	installed := func() bool {
		found, err := filepath.Glob(filepath.Join(s.Root.Venv(), "lib", "python3*", "site-packages", "jupyterlab*"))
		require.NoError(t, err)
		return len(found) > 0
	}
	try := func() (outcome, error) {
		task := s.Out.Task("python")
		defer task.Drop()
		return s.python(t.Context(), task)
	}

	ix.changed()
	_, err := try()
	aFault(t, err, "not what is pinned", "ry again")
	ix.truncated()
	_, err = try()
	aFault(t, err, "The Python packages cannot be installed", "ry again")
	t.Setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
	_, err = try()
	aFault(t, err, "the network, or the server that should have it, does not answer", "PIP_INDEX_URL")
	assert.False(t, installed(), "nothing of a failed attempt stays")
	assert.False(t, exists(s.stampPath("python")))

	t.Setenv("PIP_INDEX_URL", ix.URL+"/simple")
	ix.right()
	out, err := try()
	require.NoError(t, err)
	assert.True(t, out.done)
	assert.Contains(t, out.text, "with JupyterLab 4.6.test")
	assert.True(t, installed())

	script(t, filepath.Join(s.Root.Bin(), "jupyter-lab"), "") // the real wheel brings it
	ix.Close()
	out, err = try()
	require.NoError(t, err)
	assert.False(t, out.done, "nothing to do, and no network needed, the second time")

	write(t, s.lockPath(), "# changed\n"+ix.lock("jupyterlab"))
	out, err = try()
	require.NoError(t, err, "pip finds everything there")
	assert.True(t, out.done, "another lock is another environment")

	require.NoError(t, os.Remove(s.Root.Python()))
	require.NoError(t, os.Symlink("/nowhere/python", s.Root.Python()))
	_, err = try()
	aFault(t, err, "does not answer", "try again")
	assert.True(t, exists(filepath.Join(s.Root.PluginDir(), "keep")), "only Python's part of a broken environment goes")
}

func TestInterruptedPip(t *testing.T) {
	s, _ := newSession(t)
	script(t, s.Root.Python(), `case "$1" in -c) echo 3 12 0; echo venv;; *) exec sleep 30;; esac`)
	write(t, filepath.Join(s.Root.Venv(), "pyvenv.cfg"), "")
	write(t, s.lockPath(), "x==1 --hash=sha256:0\n")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	task := s.Out.Task("python")
	defer task.Drop()
	start := time.Now()
	_, err := s.python(ctx, task)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(start), stopAfter)
	assert.False(t, exists(s.stampPath("python")))
}

// tryProbe plays the probe: what a plugin does is the first word in it.
const tryProbe = `
file=${GOMLX_BACKEND#xla:}
read -r word <"$file"
case "$word" in
good) echo '{"backend":{"name":"xla:cpu","title":"XLA CPU","why":"asked","devices":["0"],"lacks":[]}}';;
crash) echo 'fatal error: unexpected signal' >&2; kill -SEGV $$;;
*) echo '{"problem":{"what":"plugin '$file' is not a shared library","cure":"name another file"}}'; exit 1;;
esac`

// newPluginSession has a probe and an interpreter with the real pip.
func newPluginSession(t *testing.T) (*session, *bytes.Buffer) {
	t.Helper()
	s, out := newSession(t)
	script(t, probePath(s.Root, probeXLA), `[ "$1" = install ] && { echo "dial tcp: no such host" >&2; exit 1; }`+tryProbe)
	return s, out
}

func (s *session) tryPlace(t *testing.T) (outcome, error) {
	t.Helper()
	task := s.Out.Task("plugin")
	defer task.Drop()
	return s.plugin(t.Context(), task)
}

func TestPluginFound(t *testing.T) {
	s, out := newPluginSession(t)
	user, err := userPlugins()
	require.NoError(t, err)
	write(t, filepath.Join(user, repo.Plugin), "good")
	got, err := s.tryPlace(t)
	require.NoError(t, err)
	assert.True(t, got.done)
	assert.Contains(t, got.text, "found at "+user)
	assert.Contains(t, got.text, "of no build pinned here")
	target := filepath.Join(s.Root.PluginDir(), repo.Plugin)
	link, err := os.Readlink(target)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(user, repo.Plugin), link)

	got, err = s.tryPlace(t)
	require.NoError(t, err)
	assert.False(t, got.done, "proved once, and unchanged")

	// It changes behind our back, and nothing else is there: the fetching fails.
	time.Sleep(10 * time.Millisecond)
	write(t, filepath.Join(user, repo.Plugin), "crash")
	script(t, s.Root.Python(), "echo 'Temporary failure in name resolution' >&2; exit 1")
	_, err = s.tryPlace(t)
	aFault(t, err, "cannot be downloaded: the network", "--no-xla")
	assert.Contains(t, out.String(), "it is replaced")
	assert.Contains(t, out.String(), "brings the program down that opens it (signal: segmentation fault")
	assert.Contains(t, out.String(), "passed over")
	assert.Empty(t, files(t, s.Root.PluginDir()), "nothing half-written")
	assert.False(t, exists(s.stampPath("plugin")))
}

func TestPluginAskedForIsBad(t *testing.T) {
	s, _ := newPluginSession(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, repo.Plugin), "<html>404</html>")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", dir)
	_, err := s.tryPlace(t)
	aFault(t, err, "PJRT_PLUGIN_LIBRARY_PATH leads to a plugin that does not work", "Unset PJRT_PLUGIN_LIBRARY_PATH")
	assert.Empty(t, files(t, s.Root.PluginDir()))

	write(t, filepath.Join(dir, repo.Plugin), "good")
	got, err := s.tryPlace(t)
	require.NoError(t, err)
	assert.Contains(t, got.text, "found at "+dir)
}

// TestPluginForAnotherMachine asks the real probe.
func TestPluginForAnotherMachine(t *testing.T) {
	here, err := repo.Find()
	require.NoError(t, err)
	if !exists(probePath(here, probeXLA)) {
		t.Skip("no probe here; run go run ./kernels setup")
	}
	s, _ := newSession(t)
	require.NoError(t, os.MkdirAll(filepath.Dir(probePath(s.Root, probeXLA)), 0o755))
	require.NoError(t, os.Symlink(probePath(here, probeXLA), probePath(s.Root, probeXLA)))
	dir := t.TempDir()
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", dir)
	// The head of a shared library for a machine that nobody runs this on.
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[16], head[18], head[20], head[52] = 3, 22, 1, 64 // ET_DYN, S/390
	for text, want := range map[string]string{
		string(head):                  "is for s390",
		"this is a text file, really": "is not a shared library",
	} {
		write(t, filepath.Join(dir, repo.Plugin), text)
		_, err := s.tryPlace(t)
		aFault(t, err, want, "Unset PJRT_PLUGIN_LIBRARY_PATH")
	}
}

func TestPluginFromWheel(t *testing.T) {
	here, err := repo.Find()
	require.NoError(t, err)
	if !exists(here.Python()) {
		t.Skip("no environment here; run go run ./kernels setup")
	}
	s, _ := newPluginSession(t)
	script(t, s.Root.Python(), `exec "`+here.Python()+`" "$@"`)
	good := "good\n" + strings.Repeat("x", 1<<16)
	sum := sha256.Sum256([]byte(good))
	s.pinned = pin{lock: "plugin.txt", name: "plug 1.0", member: "plug.so", sha256: hex.EncodeToString(sum[:])}
	ix := newIndex(t, "plug", map[string]string{"plug/plug.so": good, "plug-1.0.dist-info/licenses/LICENSE": "free"})
	write(t, s.Root.Join("kernels", "python", "plugin.txt"), ix.lock("plug"))

	for name, c := range map[string]struct {
		spoil      func()
		what, cure string
	}{
		"changed":   {ix.changed, "not what is pinned", "ry again"},
		"truncated": {ix.truncated, "cannot be downloaded", "--no-xla"},
		"other plugin": {func() { ix.right(); s.pinned.sha256 = strings.Repeat("0", 64) },
			"must be 0000", "use another one"},
		"no plugin": {func() { s.pinned.member = "other.so" }, "holds no other.so", "Report"},
	} {
		keep := s.pinned
		c.spoil()
		_, err := s.tryPlace(t)
		aFault(t, err, c.what, c.cure)
		assert.Empty(t, files(t, s.Root.PluginDir()), "%s: nothing half-written", name)
		s.pinned = keep
		ix.right()
	}

	write(t, filepath.Join(s.Root.PluginDir(), ".new-1", "half"), "of a setup that was killed")
	got, err := s.tryPlace(t)
	require.NoError(t, err)
	assert.Contains(t, got.text, "the wheel plug 1.0")
	assert.Contains(t, got.text, "as pinned")
	assert.Equal(t, []string{"LICENSE", repo.Plugin}, files(t, s.Root.PluginDir()))
	user, err := userPlugins()
	require.NoError(t, err)
	link, err := os.Readlink(filepath.Join(user, repo.Plugin))
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(s.Root.PluginDir(), repo.Plugin), link, "plain programs find it")

	// A plugin as pinned that this machine cannot run.
	require.NoError(t, os.RemoveAll(s.Root.PluginDir()))
	script(t, probePath(s.Root, probeXLA), `echo '{"problem":{"what":"plugin '${GOMLX_BACKEND#xla:}' is for arm","cure":"x"}}'; exit 1`)
	_, err = s.tryPlace(t)
	aFault(t, err, "does not work on this machine: plugin it is for arm", "--no-xla")
	assert.Empty(t, files(t, s.Root.PluginDir()))
}

// Where the wheel cannot be had, GoMLX's own installer is the next way.
func TestPluginFromGoMLX(t *testing.T) {
	s, out := newPluginSession(t)
	script(t, s.Root.Python(), "echo 'Temporary failure in name resolution' >&2; exit 1")
	script(t, probePath(s.Root, probeXLA), `[ "$1" = install ] && { echo good > "$2/pjrt_v1.so"; ln -s pjrt_v1.so "$2/`+repo.Plugin+`"; exit; }`+tryProbe)
	got, err := s.tryPlace(t)
	require.NoError(t, err)
	assert.Contains(t, got.text, "GoMLX's release, ran a graph")
	assert.Contains(t, got.text, "of no build pinned here")
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		assert.Contains(t, out.String(), "the wheel cannot be had, trying GoMLX's own build")
	}
	assert.Equal(t, []string{repo.Plugin}, files(t, s.Root.PluginDir()))
	info, err := os.Lstat(filepath.Join(s.Root.PluginDir(), repo.Plugin))
	require.NoError(t, err)
	assert.True(t, info.Mode().IsRegular(), "the installer's link led into its temporary folder")
}

func TestDiskFullWhileUnpacking(t *testing.T) {
	s, _ := newSession(t)
	require.NoError(t, os.MkdirAll(s.Root.PluginDir(), 0o755))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", s.Root.PluginDir()).CombinedOutput(); err != nil {
		t.Skipf("only root can make a small disk: %s", lastLine(string(out)))
	}
	t.Cleanup(func() { _ = exec.Command("umount", s.Root.PluginDir()).Run() })
	ix := newIndex(t, "plug", map[string]string{"plug/plug.so": strings.Repeat("good\n", 1<<16)})
	wheel := filepath.Join(t.TempDir(), "plug.whl")
	write(t, wheel, string(ix.wheel))
	err := unpack(wheel, s.Root.PluginDir(), pin{member: "plug.so"})
	aFault(t, err, "the disk is full, and nothing half-written was left", "Free some space")
	assert.Empty(t, files(t, s.Root.PluginDir()))
}
