package setup

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/atomicfile"
	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
)

// pin is a wheel that holds the plugin.
type pin struct {
	lock   string // file below kernels/python that pins the wheel by its SHA-256
	name   string // wheel and version, for people
	member string // base name of the plugin inside
	sha256 string // of the plugin
}

// wheel is for Linux on x86-64, Apache-2.0 (its licence and notices are put beside the plugin).
var wheel = pin{
	lock:   "pjrt-cpu.txt",
	name:   "lammps-jax-pjrt-cpu 0.11.2",
	member: repo.Plugin,
	sha256: "ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2",
}

// pluginStamp says that the plugin was opened and ran a graph.
type pluginStamp struct {
	Path   string `json:"path"` // of the file itself, links followed
	Size   int64  `json:"size"`
	Time   int64  `json:"time"` // last change, s since 1970: layers of images keep no more
	SHA256 string `json:"sha256"`
	GoXLA  string `json:"goXLA"` // version of the module that opened it
	Source string `json:"source"`
}

// plugin puts a working XLA CPU plugin into the prefix.
func (s *session) plugin(ctx context.Context, t *term.Task) (outcome, error) {
	target := filepath.Join(s.Root.PluginDir(), repo.Plugin)
	goXLA, err := s.moduleVersion("github.com/gomlx/go-xla")
	if err != nil {
		return outcome{}, err
	}
	var stamp pluginStamp
	if s.readStamp("plugin", &stamp) && stamp.matches(target) && stamp.GoXLA == goXLA {
		return there("%s, SHA-256 %.12s…", stamp.Source, stamp.SHA256)
	}
	if err := s.removeStamp("plugin"); err != nil {
		return outcome{}, err
	}
	if err := os.MkdirAll(s.Root.PluginDir(), 0o755); err != nil {
		return outcome{}, diskFault("the plugin's folder cannot be made", s.Root.PluginDir(), err)
	}
	source, err := s.placePlugin(ctx, t, target)
	if err != nil {
		return outcome{}, err
	}
	stamp, err = stampOf(target)
	if err != nil {
		return outcome{}, err
	}
	stamp.GoXLA, stamp.Source = goXLA, source
	if err := s.writeStamp("plugin", stamp); err != nil {
		return outcome{}, err
	}
	text := fmt.Sprintf("%s, ran a graph, SHA-256 %.12s… (%s)", source, stamp.SHA256, s.pinning(stamp.SHA256))
	if link, err := linkForUser(target); err != nil {
		text += fmt.Sprintf("; plain programs will not find it by themselves: %v", err)
	} else if link != "" {
		text += "; linked from " + link
	}
	return done("%s", text)
}

func (s *session) pinning(sum string) string {
	if sum == s.pinned.sha256 {
		return "as pinned"
	}
	return "of no build pinned here"
}

// placePlugin makes target a plugin that works, and says where it is from.
func (s *session) placePlugin(ctx context.Context, t *term.Task, target string) (source string, err error) {
	if exists(target) {
		t.Note("trying the one that is there")
		problem := s.tryPlugin(ctx, target)
		switch {
		case problem == nil:
			return "was there already", nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		}
		s.Out.Printf("! XLA plugin: %s; it is replaced", problem.What)
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) { // a dangling link too
		return "", diskFault("a broken plugin cannot be removed", target, err)
	}
	for _, place := range pluginPlaces() {
		found := filepath.Join(place.dir, repo.Plugin)
		if !exists(found) {
			continue
		}
		t.Note("trying %s", found)
		problem := s.tryPlugin(ctx, found)
		switch {
		case problem == nil:
			real, err := filepath.EvalSymlinks(found)
			if err != nil {
				return "", err
			}
			if err := os.Symlink(real, target); err != nil {
				return "", diskFault("the plugin cannot be linked", target, err)
			}
			return "found at " + found, nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case place.asked:
			return "", &Fault{What: fmt.Sprintf("PJRT_PLUGIN_LIBRARY_PATH leads to a plugin that does not work: %s.", problem.What),
				Cure: "Unset PJRT_PLUGIN_LIBRARY_PATH and run setup again, or let it name a folder with a plugin that works."}
		}
		s.Out.Printf("! XLA plugin: %s; passed over", problem.What)
	}
	// A setup that was killed may have left its download.
	old, err := filepath.Glob(filepath.Join(s.Root.PluginDir(), ".new-*"))
	if err != nil {
		return "", err
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return "", diskFault("an old download cannot be removed", dir, err)
		}
	}
	fetched, err := os.MkdirTemp(s.Root.PluginDir(), ".new-")
	if err != nil {
		return "", diskFault("a folder for the plugin cannot be made", s.Root.PluginDir(), err)
	}
	defer func() { _ = os.RemoveAll(fetched) }()
	source, err = s.fetchPlugin(ctx, t, fetched)
	if err != nil {
		return "", err
	}
	t.Note("running a graph")
	file := filepath.Join(fetched, repo.Plugin)
	if problem := s.tryPlugin(ctx, file); problem != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", &Fault{What: fmt.Sprintf("The plugin from %s does not work on this machine: %s.", source, strings.ReplaceAll(problem.What, file, "it")),
			Cure: "Use the pure-Go backend, slower: go run ./kernels setup --no-xla"}
	}
	for _, name := range append(notices, repo.Plugin) {
		err := os.Rename(filepath.Join(fetched, name), filepath.Join(s.Root.PluginDir(), name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", diskFault("the plugin cannot be put in place", target, err)
		}
	}
	return source, nil
}

// place is a folder where a plugin may be already.
type place struct {
	dir   string
	asked bool // by the user, so that a broken plugin there is no accident
}

func pluginPlaces() []place {
	var places []place
	for _, dir := range filepath.SplitList(os.Getenv("PJRT_PLUGIN_LIBRARY_PATH")) {
		if dir != "" {
			places = append(places, place{dir, true})
		}
	}
	if dir, err := userPlugins(); err == nil {
		places = append(places, place{dir, false})
	}
	return append(places, place{"/usr/local/lib/go-xla", false})
}

// userPlugins is where programs look for plugins by themselves.
func userPlugins() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "go-xla"), nil
	}
	return filepath.Join(home, ".local", "lib", "go-xla"), nil
}

// linkForUser makes plain Go programs find the plugin, where they find none yet.
// link is "" where nothing was to be done.
func linkForUser(target string) (link string, err error) {
	dir, err := userPlugins()
	if err != nil {
		return "", err
	}
	link = filepath.Join(dir, repo.Plugin)
	if exists(link) {
		return "", nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) { // it leads nowhere
		return "", err
	}
	return link, os.Symlink(target, link)
}

// tryPlugin opens the file in a process of its own and runs a graph.
func (s *session) tryPlugin(ctx context.Context, file string) *Problem {
	r, err := Probe(ctx, s.Root, probeXLA, "GOMLX_BACKEND=xla:"+file)
	if err != nil {
		return &Problem{What: fmt.Sprintf("%s brings the program down that opens it (%v)", file, err)}
	}
	return r.Problem
}

// fetchPlugin puts a plugin, and its licence where there is one, into dir.
func (s *session) fetchPlugin(ctx context.Context, t *term.Task, dir string) (source string, err error) {
	var failed error
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		failed = s.fromWheel(ctx, t, dir)
		if failed == nil {
			return "the wheel " + s.pinned.name + " (Apache-2.0)", nil
		}
		if errors.Is(failed, errUnreachable) {
			s.Out.Printf("! XLA plugin: the wheel cannot be had, trying GoMLX's own build")
		} else {
			return "", failed
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err := s.fromGoXLA(ctx, t, dir); err != nil {
		if failed != nil {
			return "", failed // the way that should have worked says more
		}
		return "", err
	}
	return "GoMLX's release", nil
}

var errUnreachable = errors.New("unreachable")

// notices are the files of the wheel that say what may be done with it.
var notices = []string{"LICENSE", "THIRD_PARTY_NOTICES"}

// fromWheel downloads the pinned wheel and unpacks the plugin.
func (s *session) fromWheel(ctx context.Context, t *term.Task, dir string) error {
	t.Note("downloading %s", s.pinned.name)
	out, err := s.exec(ctx, command{
		args: []string{s.Root.Python(), "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "20",
			"download", "--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--require-hashes", "--progress-bar", "raw",
			"--dest", dir, "--requirement", s.Root.Join("kernels", "python", s.pinned.lock)},
		env: []string{"TMPDIR=" + dir}, // the disk that must hold it anyway, and gone with it
		line: func(line string) {
			if m := pipProgress.FindStringSubmatch(line); m != nil {
				at, _ := strconv.ParseInt(m[1], 10, 64)
				total, _ := strconv.ParseInt(m[2], 10, 64)
				t.TotalBytes(total)
				t.Set(at)
			}
		}})
	if err != nil {
		err := s.explain(ctx, "The wheel "+s.pinned.name+", which holds the XLA plugin, cannot be downloaded", out, err)
		if f := new(Fault); errors.As(err, &f) && !fullDisk.MatchString(out) && !wrongHash.MatchString(out) {
			f.Err = errors.Join(f.Err, errUnreachable)
			f.Cure += "\nOr do without XLA, slower: go run ./kernels setup --no-xla"
		}
		return err
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("setup: pip left %d wheels in %s, must be 1", len(wheels), dir)
	}
	t.Note("unpacking")
	if err := unpack(wheels[0], dir, s.pinned); err != nil {
		return err
	}
	return os.Remove(wheels[0])
}

// unpack takes the plugin and its notices out of a wheel. The plugin must have
// the pinned SHA-256.
func unpack(wheel, dir string, p pin) error {
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return &Fault{What: fmt.Sprintf("%s is no wheel that can be read (%v).", filepath.Base(wheel), err), Cure: "Run setup again.", Err: err}
	}
	defer func() { _ = archive.Close() }()
	found := false
	for _, member := range archive.File {
		base := filepath.Base(member.Name)
		if base != p.member && !slices.Contains(notices, base) {
			continue
		}
		name := base
		hash := sha256.New()
		if base == p.member {
			found, name = true, repo.Plugin
		}
		err := atomicfile.WriteFunc(filepath.Join(dir, name), func(w io.Writer) error {
			in, err := member.Open()
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }()
			if _, err := io.Copy(io.MultiWriter(w, hash), in); err != nil {
				return err
			}
			if sum := hex.EncodeToString(hash.Sum(nil)); base == p.member && sum != p.sha256 {
				return &Fault{What: fmt.Sprintf("The plugin in %s has SHA-256 %s, must be %s; it was not kept.", filepath.Base(wheel), sum, p.sha256),
					Cure: "Run setup again; where that does not help, a mirror on the way changes files: use another one."}
			}
			return nil
		})
		if f := new(Fault); errors.As(err, &f) {
			return f
		}
		if err != nil {
			return diskFault("the plugin cannot be unpacked", dir, err)
		}
	}
	if !found {
		return &Fault{What: fmt.Sprintf("%s holds no %s.", filepath.Base(wheel), p.member), Cure: "Report this: the pinned wheel should."}
	}
	return nil
}

// fromGoXLA has GoMLX's installer fetch its release for this machine. Those are
// pinned by version only, so their hash is told and written down, not checked.
func (s *session) fromGoXLA(ctx context.Context, t *term.Task, dir string) error {
	t.Note("downloading GoMLX's release")
	out, err := s.exec(ctx, command{args: []string{probePath(s.Root, probeXLA), "install", dir}, env: []string{"TMPDIR=" + dir}})
	if err != nil {
		err := s.explain(ctx, "GoMLX's build of the XLA plugin cannot be downloaded", out, err)
		if f := new(Fault); errors.As(err, &f) {
			f.Cure += "\nOr do without XLA, slower: go run ./kernels setup --no-xla"
		}
		return err
	}
	link := filepath.Join(dir, repo.Plugin)
	real, err := filepath.EvalSymlinks(link)
	if err != nil {
		return fmt.Errorf("setup: GoMLX's installer left no %s: %w", repo.Plugin, err)
	}
	if real != link {
		if err := os.Rename(real, link); err != nil {
			return diskFault("the plugin cannot be put in place", link, err)
		}
	}
	return nil
}

// matches reports whether path is still the file that was verified.
func (p pluginStamp) matches(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil || real != p.Path {
		return false
	}
	info, err := os.Stat(real)
	return err == nil && info.Size() == p.Size && info.ModTime().Unix() == p.Time
}

func stampOf(path string) (pluginStamp, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return pluginStamp{}, err
	}
	f, err := os.Open(real)
	if err != nil {
		return pluginStamp{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return pluginStamp{}, err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return pluginStamp{}, err
	}
	return pluginStamp{Path: real, Size: info.Size(), Time: info.ModTime().Unix(), SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}
