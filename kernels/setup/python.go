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
func (s *session) wantedPython(lock string, v pythonVersion) (pythonStamp, []byte, error) {
	text, err := os.ReadFile(lock)
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

// packages is a set of Python packages that a lock file pins.
type packages struct {
	what  string // as errors begin: "The Python packages"
	lock  string // file
	stamp string // name of the stamp
	proof string // Python code that uses them and prints a line
	need  string // a file that must be there besides, "" for none
}

func (s *session) jupyter() packages {
	return packages{
		what: "The Python packages", lock: s.lockPath(), stamp: "python",
		proof: "import jupyterlab, nbclient, nbconvert, nbformat, papermill; print(jupyterlab.__version__)",
		need:  filepath.Join(s.Root.Bin(), "jupyter-lab"),
	}
}

// python makes the notebooks' environment, or brings an existing one to the lock.
func (s *session) python(ctx context.Context, t *term.Task) (outcome, error) {
	version, said, n, err := s.install(ctx, t, s.jupyter())
	switch {
	case err != nil:
		return outcome{}, err
	case said == "":
		return there("Python %s with %d packages", version, n)
	}
	return done("Python %s with JupyterLab %s", version, said)
}

// install makes an environment with these packages, or brings an existing one to
// their lock. said is what the proof printed, "" where all was there.
func (s *session) install(ctx context.Context, t *term.Task, p packages) (python, said string, n int, err error) {
	version, ok := s.venvVersion(ctx)
	want, text, err := s.wantedPython(p.lock, version)
	if err != nil {
		return "", "", 0, &Fault{What: "The list of Python packages cannot be read: " + err.Error() + ".", Cure: "Check out the repository again.", Err: err}
	}
	n = count(text)
	var have pythonStamp
	if ok && s.readStamp(p.stamp, &have) && have == want && (p.need == "" || exists(p.need)) {
		return want.Python, "", n, nil
	}
	if !ok {
		py, err := s.findPython(ctx)
		if err != nil {
			return "", "", 0, err
		}
		if err := s.makeVenv(ctx, t, py); err != nil {
			return "", "", 0, err
		}
		want.Python = py.version.String()
	}
	if err := s.removeStamp(p.stamp); err != nil {
		return "", "", 0, err
	}
	if err := s.pip(ctx, t, p.what+" cannot be installed", n, "--requirement", p.lock); err != nil {
		return "", "", 0, err
	}
	out, err := s.exec(ctx, command{args: []string{s.Root.Python(), "-c", p.proof}})
	if err != nil {
		return "", "", 0, s.explain(ctx, p.what+" were installed, but do not load", out, err)
	}
	return want.Python, lastLine(out), n, s.writeStamp(p.stamp, want)
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
	pipPackage  = regexp.MustCompile(`^(?:Collecting|Requirement already satisfied:|Ignoring) ([^\s:;=<>~!\[]+)`)
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
