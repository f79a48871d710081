package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
)

// How the prerequisites are installed.
const (
	installGo = `  Debian, Ubuntu, Fedora:  download it from https://go.dev/dl (their own packages are older)
  macOS:                   brew install go`
	installC = `  Debian, Ubuntu:  sudo apt-get install gcc libc6-dev
  Fedora:          sudo dnf install gcc glibc-devel
  macOS:           xcode-select --install
or do without XLA, slower: go run ./kernels setup --no-xla`
	installPython = `  Debian, Ubuntu:  sudo apt-get install python3 python3-venv
  Fedora:          sudo dnf install python3
  macOS:           brew install python
or name an interpreter with --python`
)

// needBytes is what the prefix takes: Python 250 MB, the plugin 200 MB and its
// download 63 MB, programs 100 MB, and some air.
const needBytes = 800e6

func (s *session) prerequisites(ctx context.Context, _ *term.Task) (outcome, error) {
	var found []string
	version, err := s.goCommand(ctx)
	if err != nil {
		return outcome{}, err
	}
	found = append(found, version)
	if !s.NoXLA {
		cc, err := s.compiler(ctx)
		if err != nil {
			return outcome{}, err
		}
		found = append(found, cc)
	}
	if v, ok := s.venvVersion(ctx); ok && s.Python == "" {
		found = append(found, "Python "+v.String())
	} else {
		py, err := s.findPython(ctx)
		if err != nil {
			return outcome{}, err
		}
		found = append(found, "Python "+py.version.String())
	}
	if !exists(s.Root.Gonb()) { // nothing much is there yet
		if free, err := s.free(s.Root.Venv()); err == nil && free < needBytes {
			return outcome{}, &Fault{
				What: fmt.Sprintf("The disk of %s has %.0f MB left, and setup needs %.0f MB.", s.Root.Venv(), float64(free)/1e6, needBytes/1e6),
				Cure: "Free some space, or choose a folder on another disk with --prefix."}
		}
	}
	return there("%s", strings.Join(found, ", "))
}

// goCommand checks the go command and finds its folder.
func (s *session) goCommand(ctx context.Context) (version string, err error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return "", &Fault{What: "There is no go command in PATH, and the notebooks compile Go.", Cure: "Install Go 1.26 or newer:\n" + installGo, Err: err}
	}
	out, err := s.exec(ctx, command{dir: s.Root.Dir(), args: []string{path, "env", "GOVERSION", "GOROOT"}})
	if err != nil {
		return "", &Fault{What: "The go command does not work here: " + lastLine(out) + ".", Cure: "Install the version that go.mod names, or newer:\n" + installGo, Err: err}
	}
	name, goroot, _ := strings.Cut(strings.TrimSpace(out), "\n")
	s.goBin = filepath.Join(strings.TrimSpace(goroot), "bin")
	return strings.Replace(name, "go", "Go ", 1), nil
}

// compiler checks that C programs that load a plugin can be compiled.
func (s *session) compiler(ctx context.Context) (name string, err error) {
	out, err := s.exec(ctx, command{dir: s.Root.Dir(), args: []string{"go", "env", "CC"}})
	if err != nil {
		return "", s.explain(ctx, "go env fails", out, err)
	}
	cc := strings.Fields(strings.TrimSpace(out))
	if len(cc) == 0 {
		cc = []string{"gcc"}
	}
	if _, err := exec.LookPath(cc[0]); err != nil {
		return "", &Fault{What: fmt.Sprintf("There is no C compiler (%s), which programs that use XLA are built with.", cc[0]), Cure: "Install one:\n" + installC, Err: err}
	}
	tmp, err := os.MkdirTemp("", "hindsight-cc-")
	if err != nil {
		return "", diskFault("a temporary folder cannot be made", os.TempDir(), err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	source := filepath.Join(tmp, "try.c")
	if err := os.WriteFile(source, []byte("#include <stdlib.h>\n#include <dlfcn.h>\nint main(void) { return dlopen(\"\", 0) == NULL; }\n"), 0o644); err != nil {
		return "", diskFault("a temporary file cannot be written", source, err)
	}
	out, err = s.exec(ctx, command{args: append(cc, "-o", filepath.Join(tmp, "try"), source, "-ldl")})
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", &Fault{What: fmt.Sprintf("The C compiler %s is there, but does not compile a small program (%s).", cc[0], lastLine(out)),
			Cure: "Install what it lacks:\n" + installC, Err: err}
	}
	out, _ = s.exec(ctx, command{args: append(cc, "-dumpversion")})
	return strings.TrimSpace(filepath.Base(cc[0]) + " " + strings.TrimSpace(out)), nil
}

// pythonVersion is major, minor and patch.
type pythonVersion [3]int

func (v pythonVersion) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

func (v pythonVersion) suits() bool { return v[0] == 3 && v[1] >= 10 }

func (v pythonVersion) less(w pythonVersion) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}

// interpreter is a Python that was found.
type interpreter struct {
	path    string
	version pythonVersion
	venv    bool // has the modules that make environments
}

// findPython is the interpreter to make the environment with: the one asked for,
// else the newest that suits.
func (s *session) findPython(ctx context.Context) (interpreter, error) {
	names := []string{s.Python}
	if s.Python == "" {
		names = nil
		for minor := 30; minor >= 10; minor-- {
			names = append(names, fmt.Sprintf("python3.%d", minor))
		}
		names = append(names, "python3", "python")
	}
	var best, unfit interpreter
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		py, err := s.askPython(ctx, path)
		switch {
		case err != nil: // a launcher without its interpreter, say
		case !py.version.suits() || !py.venv:
			if unfit.path == "" || unfit.version.less(py.version) {
				unfit = py
			}
		case best.path == "" || best.version.less(py.version):
			best = py
		}
	}
	if err := ctx.Err(); err != nil {
		return interpreter{}, err
	}
	switch {
	case best.path != "":
		return best, nil
	case unfit.path == "" && s.Python != "":
		return interpreter{}, &Fault{What: s.Python + " is not a Python interpreter that runs.", Cure: "Name another one with --python."}
	case unfit.path == "":
		return interpreter{}, &Fault{What: "There is no Python 3, which JupyterLab runs on.", Cure: "Install it:\n" + installPython}
	case !unfit.version.suits():
		return interpreter{}, &Fault{What: fmt.Sprintf("Python %s (%s) is too old: JupyterLab needs 3.10 or newer.", unfit.version, unfit.path), Cure: "Install a newer one:\n" + installPython}
	}
	return interpreter{}, &Fault{What: fmt.Sprintf("Python %s (%s) lacks its modules venv and ensurepip.", unfit.version, unfit.path), Cure: "Install them:\n" + installPython}
}

const askPython = `import sys
print(*sys.version_info[:3])
try:
    import venv, ensurepip
    print("venv")
except ImportError:
    pass
`

var pythonAnswer = regexp.MustCompile(`^(\d+) (\d+) (\d+)\n(venv)?`)

func (s *session) askPython(ctx context.Context, path string) (interpreter, error) {
	out, err := s.exec(ctx, command{args: []string{path, "-c", askPython}})
	if err != nil {
		return interpreter{}, err
	}
	m := pythonAnswer.FindStringSubmatch(out)
	if m == nil {
		return interpreter{}, errors.New("setup: " + path + " does not answer like Python")
	}
	py := interpreter{path: path, venv: m[4] != ""}
	for i := range py.version {
		if _, err := fmt.Sscan(m[i+1], &py.version[i]); err != nil {
			return interpreter{}, err
		}
	}
	return py, nil
}
