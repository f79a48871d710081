package setup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
)

// pythonStamp says that the environment agrees with a lock file.
type pythonStamp struct {
	Lock   string `json:"lock"`   // SHA-256 of the lock file
	Python string `json:"python"` // version of the interpreter
}

func (s *session) lockPath() string { return s.Root.Join("kernels", "python", "requirements.txt") }

// wantedPython is the stamp of an environment of this version that agrees with
// the lock file, whose text comes with it.
func (s *session) wantedPython(v pythonVersion) (pythonStamp, []byte, error) {
	text, err := os.ReadFile(s.lockPath())
	if err != nil {
		return pythonStamp{}, nil, err
	}
	sum := sha256.Sum256(text)
	return pythonStamp{Lock: hex.EncodeToString(sum[:]), Python: v.String()}, text, nil
}

// venvVersion is the version of the prefix's interpreter where that runs and suits.
func (s *session) venvVersion(ctx context.Context) (pythonVersion, bool) {
	py, err := s.askPython(ctx, s.Root.Python())
	if err != nil || !py.version.suits() || !exists(filepath.Join(s.Root.Venv(), "pyvenv.cfg")) {
		return pythonVersion{}, false
	}
	return py.version, true
}

// python makes the environment, or brings an existing one to the lock.
func (s *session) python(ctx context.Context, t *term.Task) (outcome, error) {
	version, ok := s.venvVersion(ctx)
	want, text, err := s.wantedPython(version)
	if err != nil {
		return outcome{}, &Fault{What: "The list of Python packages cannot be read: " + err.Error() + ".", Cure: "Check out the repository again.", Err: err}
	}
	var have pythonStamp
	if ok && s.readStamp("python", &have) && have == want && exists(filepath.Join(s.Root.Bin(), "jupyter-lab")) {
		return there("Python %s with %d packages", version, count(text))
	}
	if !ok {
		py, err := s.findPython(ctx)
		if err != nil {
			return outcome{}, err
		}
		if err := s.makeVenv(ctx, t, py); err != nil {
			return outcome{}, err
		}
		want.Python = py.version.String()
	}
	if err := s.removeStamp("python"); err != nil {
		return outcome{}, err
	}
	if err := s.pip(ctx, t, "The Python packages cannot be installed", count(text), "--requirement", s.lockPath()); err != nil {
		return outcome{}, err
	}
	out, err := s.exec(ctx, command{args: []string{s.Root.Python(), "-c", "import jupyterlab, nbclient, nbconvert, nbformat, papermill; print(jupyterlab.__version__)"}})
	if err != nil {
		return outcome{}, s.explain(ctx, "The Python packages were installed, but do not load", out, err)
	}
	if err := s.writeStamp("python", want); err != nil {
		return outcome{}, err
	}
	return done("Python %s with JupyterLab %s", want.Python, lastLine(out))
}

// makeVenv makes the environment's skeleton. What is left of a broken one, its
// interpreter and packages, goes first; all else in the prefix stays.
func (s *session) makeVenv(ctx context.Context, t *term.Task, py interpreter) error {
	prefix := s.Root.Venv()
	old, err := filepath.Glob(filepath.Join(prefix, "lib", "python3.*"))
	if err != nil {
		return err
	}
	interpreters, err := filepath.Glob(filepath.Join(prefix, "bin", "python*"))
	if err != nil {
		return err
	}
	for _, path := range append(append(old, interpreters...), filepath.Join(prefix, "pyvenv.cfg")) {
		if err := os.RemoveAll(path); err != nil {
			return diskFault("what is left of an older environment cannot be removed", path, err)
		}
	}
	t.Note("python -m venv")
	out, err := s.exec(ctx, command{args: []string{py.path, "-m", "venv", prefix}})
	if err != nil {
		return s.explain(ctx, "Python "+py.version.String()+" ("+py.path+") cannot make an environment", out, err)
	}
	return nil
}

var (
	pipPackage  = regexp.MustCompile(`^(?:Collecting|Requirement already satisfied:|Ignoring) ([^\s;=<>~!\[]+)`)
	pipProgress = regexp.MustCompile(`^Progress (\d+) of (\d+)`)
)

// pip installs what args name, hashes required, and shows how far it is.
func (s *session) pip(ctx context.Context, t *term.Task, failed string, packages int, args ...string) error {
	t.Total(int64(packages))
	all := append([]string{s.Root.Python(), "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "20",
		"install", "--require-hashes", "--only-binary", ":all:", "--progress-bar", "off"}, args...)
	out, err := s.exec(ctx, command{args: all, line: func(line string) {
		if m := pipPackage.FindStringSubmatch(line); m != nil {
			t.Add(1)
			t.Note("%s", m[1])
		} else if strings.HasPrefix(line, "Installing collected packages") {
			t.Note("unpacking")
		}
	}})
	if err != nil {
		return s.explain(ctx, failed, out, err)
	}
	return nil
}

var requirement = regexp.MustCompile(`(?m)^[A-Za-z0-9][\w.-]*==`)

// count is how many packages a lock file names.
func count(lock []byte) int { return len(requirement.FindAll(lock, -1)) }
