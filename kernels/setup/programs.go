package setup

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
)

// goplsVersion is built by itself: its requirements stay out of our go.mod.
const goplsVersion = "v0.23.0"

// modules downloads what go.mod requires, so that cells can be compiled offline.
func (s *session) modules(ctx context.Context, t *term.Task) (outcome, error) {
	download := command{dir: s.Root.Dir(), args: []string{"go", "mod", "download"}, env: []string{"GOWORK=off"}}
	offline := download
	offline.env = append(offline.env, "GOPROXY=off")
	if _, err := s.exec(ctx, offline); err == nil {
		return there("downloaded")
	}
	download.args = append(download.args, "-x")
	download.line = func(line string) {
		if _, name, ok := strings.Cut(line, "# get "); ok {
			t.Note("%s", name)
		}
	}
	out, err := s.exec(ctx, download)
	if err != nil {
		return outcome{}, s.explain(ctx, "The Go modules of go.mod cannot be downloaded", out, err)
	}
	return done("downloaded")
}

// program is one that setup builds from this module.
type program struct {
	pkg, path string
	env       []string
	flags     []string
}

// programs builds the kernel and its tools. The go command decides what has to be
// done: where nothing changed it takes a fraction of a second.
func (s *session) programs(ctx context.Context, t *term.Task) (outcome, error) {
	root := s.Root
	static := []string{"CGO_ENABLED=0", "GOWORK=off"}
	list := []program{
		{"github.com/janpfeifer/gonb", root.Gonb(), static, nil},
		{"golang.org/x/tools/cmd/goimports", filepath.Join(root.Bin(), "goimports"), static, nil},
		{"./kernels/cellgo", filepath.Join(root.Lib(), "go"), static, nil},
		{"./kernels/probe", probePath(root, probePure), static, []string{"-tags=noxla"}},
	}
	if !s.NoXLA {
		list = append(list, program{"./kernels/probe", probePath(root, probeXLA), []string{"CGO_ENABLED=1", "GOWORK=off"}, nil})
	}
	fresh := false
	for _, p := range list {
		changed, err := s.build(ctx, t, p)
		if f := new(Fault); err != nil && p.pkg == "./kernels/probe" && exists(p.path) && errors.As(err, &f) {
			// Somebody is at work on lib/backend: the older probe does.
			s.Out.Printf("! %s", f.What)
			continue
		}
		if err != nil {
			return outcome{}, err
		}
		fresh = fresh || changed
	}
	version, err := s.moduleVersion("github.com/janpfeifer/gonb")
	return outcome{text: "GoNB " + version + ", goimports, the cells' go command", done: fresh}, err
}

// build builds one program and reports whether it changed.
func (s *session) build(ctx context.Context, t *term.Task, p program) (changed bool, err error) {
	if p.pkg[0] != '.' { // of another module: its version is in go.mod
		if info, err := buildinfo.ReadFile(p.path); err == nil && info.Path == p.pkg {
			version, err := s.moduleVersion(info.Main.Path)
			if err == nil && version == info.Main.Version {
				return false, nil
			}
		}
	}
	before, _ := os.Stat(p.path)
	args := append([]string{"build", "-buildvcs=false", "-ldflags=-s -w", "-o", p.path}, p.flags...)
	out, err := s.goBuild(ctx, t, p.env, append(args, p.pkg)...)
	if err != nil {
		return false, s.explain(ctx, filepath.Base(p.pkg)+" cannot be built", compilerSays(out), err)
	}
	after, err := os.Stat(p.path)
	if err != nil {
		return false, err
	}
	return before == nil || !os.SameFile(before, after), nil // an up-to-date one is only touched
}

// goBuild runs go build and tells what is being compiled, as a share of all
// packages once it is clear that there is anything to compile.
func (s *session) goBuild(ctx context.Context, t *term.Task, env []string, args ...string) (string, error) {
	var once sync.Once
	t.Total(0)
	t.Set(0)
	args = append([]string{"go", args[0], "-v"}, args[1:]...)
	return s.exec(ctx, command{dir: s.Root.Dir(), env: env, args: args, line: func(line string) {
		if strings.ContainsAny(line, " :") {
			return
		}
		once.Do(func() {
			if n := s.dependencies(ctx, env, args[len(args)-1]); n > 0 {
				t.Total(int64(n))
			}
		})
		t.Add(1)
		t.Note("compiling %s", line)
	}})
}

// dependencies is how many packages pkg is built from, 0 where that is unknown.
func (s *session) dependencies(ctx context.Context, env []string, pkg string) int {
	out, err := s.exec(ctx, command{dir: s.Root.Dir(), env: env, args: []string{"go", "list", "-deps", pkg}})
	if err != nil {
		return 0
	}
	return strings.Count(out, "\n")
}

// gopls builds the language server, which completes names in the notebooks.
func (s *session) gopls(ctx context.Context, t *term.Task) (outcome, error) {
	path := filepath.Join(s.Root.Bin(), "gopls")
	if info, err := buildinfo.ReadFile(path); err == nil && info.Main.Version == goplsVersion {
		return there("%s", goplsVersion)
	}
	tmp, err := os.MkdirTemp(s.Root.Bin(), ".gopls-")
	if err != nil {
		return outcome{}, diskFault("a temporary folder cannot be made", s.Root.Bin(), err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	out, err := s.exec(ctx, command{
		dir:  tmp, // outside of our module
		env:  []string{"GOBIN=" + tmp, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"},
		args: []string{"nice", "go", "install", "-v", "-ldflags=-s -w", "golang.org/x/tools/gopls@" + goplsVersion},
		line: func(line string) {
			if strings.HasPrefix(line, "go: downloading ") || !strings.ContainsAny(line, " :") {
				t.Note("%s", line)
			}
		}})
	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}
	if err != nil {
		return warning("%s cannot be built (%s), so notebooks run without completion; run setup again to try again", goplsVersion, lastLine(out))
	}
	if err := os.Rename(filepath.Join(tmp, "gopls"), path); err != nil {
		return outcome{}, diskFault("gopls cannot be put in place", path, err)
	}
	return done("%s", goplsVersion)
}

// warm compiles lib, and what it rests on, the way the cells will.
func (s *session) warm(ctx context.Context, t *term.Task) (outcome, error) {
	specs := []kernelspec.Spec{kernelspec.Pure(s.Root, "")}
	if !s.NoXLA {
		specs = append([]kernelspec.Spec{kernelspec.CPU(s.Root, "")}, specs...)
	}
	fresh := false
	for _, spec := range specs {
		env := []string{"GOWORK=off", "CGO_ENABLED=" + spec.Env["CGO_ENABLED"], "GOFLAGS=" + spec.Env["GOFLAGS"]}
		out, err := s.goBuild(ctx, t, env, "build", "./lib/...")
		if ctx.Err() != nil {
			return outcome{}, ctx.Err()
		}
		if err != nil { // somebody is at work on lib: the notebooks open all the same
			return warning("lib does not compile: %s", lastLine(compilerSays(out)))
		}
		fresh = fresh || out != ""
	}
	return outcome{text: "lib and what it rests on is compiled", done: fresh}, nil
}

// compilerSays is the first error in a source file that output tells of, all of
// output where there is none.
func compilerSays(output string) string {
	if line := sourceError.FindString(output); line != "" {
		return line
	}
	return output
}

var sourceError = regexp.MustCompile(`(?m)^\S+\.go:\d+.*$`)

// moduleVersion is the version of a module that go.mod requires.
func (s *session) moduleVersion(path string) (string, error) {
	name := s.Root.Join("go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	file, err := modfile.ParseLax(name, data, nil)
	if err != nil {
		return "", err
	}
	for _, r := range file.Require {
		if r.Mod.Path == path {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("setup: go.mod does not require %s", path)
}
