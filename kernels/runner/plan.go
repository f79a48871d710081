package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/parameter"
	"github.com/hindsight-go/hindsight/kernels/report"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// task is one notebook to run.
type task struct {
	name   string // file name without extension
	path   string // absolute
	shown  string // path in the repository, or absolute outside of it
	nb     *notebook.Notebook
	kernel string
	moved  bool   // to the pure-Go kernel, because the one it names was not set up
	scale  string // quick, paper or "" where the notebook has no such parameter
	values []parameter.Value
	before *report.Record // claims in the committed outputs, nil for none
	inputs string         // digest of all that the outputs depend on
}

// key names what the task is among the runs remembered: one notebook run at two
// scales is two things.
func (t *task) key() string {
	values, err := json.Marshal(t.values)
	if err != nil {
		panic(err) // made of strings, bools and numbers
	}
	return strings.Join([]string{t.shown, t.kernel, t.scale, string(values)}, "|")
}

// find returns the paths of the notebooks asked for, all of the repository's
// where none is.
func find(root repo.Root, asked []string) ([]string, error) {
	all, err := filepath.Glob(filepath.Join(root.Notebooks(), "*.ipynb"))
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		if len(all) == 0 {
			return nil, fmt.Errorf("there are no notebooks in %s", root.Notebooks())
		}
		return all, nil
	}
	var found []string
	var problems []error
	for _, name := range asked {
		file := name
		if filepath.Ext(file) != ".ipynb" {
			file += ".ipynb"
		}
		// As typed first; by its name alone from anywhere.
		at := slices.IndexFunc([]string{file, filepath.Join(root.Notebooks(), file)}, func(p string) bool {
			info, err := os.Stat(p)
			return err == nil && info.Mode().IsRegular()
		})
		if at < 0 {
			var names []string
			for _, p := range all {
				names = append(names, stem(p))
			}
			problems = append(problems, fmt.Errorf("notebook %s does not exist; there are: %s", name, strings.Join(names, ", ")))
			continue
		}
		path, err := filepath.Abs([]string{file, filepath.Join(root.Notebooks(), file)}[at])
		if err != nil {
			return nil, err
		}
		if !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	return found, errors.Join(problems...)
}

func stem(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }

// settings reads the parameters asked for. Flags count more than files.
func settings(files, flags []string) ([]parameter.Setting, error) {
	var all []parameter.Setting
	var problems []error
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			problems = append(problems, fmt.Errorf("-f: %w", err))
			continue
		}
		some, err := parameter.FromFile(file, name)
		_ = file.Close() // only read
		all = append(all, some...)
		if err != nil {
			problems = append(problems, fmt.Errorf("-f %w", err))
		}
	}
	for _, flag := range flags {
		s, err := parameter.FromFlag(flag)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all = append(all, s)
	}
	return all, errors.Join(problems...)
}

// tasks reads all notebooks and fits the parameters to them, so that whatever is
// wrong with the request is said before anything runs.
func (o *Options) tasks() ([]*task, error) {
	paths, err := find(o.Root, o.Notebooks)
	if err != nil {
		return nil, err
	}
	asked, err := settings(o.ParamFiles, o.Params)
	if err != nil {
		return nil, err
	}
	code, err := codeDigest(o.Root.Dir())
	if err != nil {
		return nil, err
	}
	var all []*task
	var problems []error
	for _, path := range paths {
		t, err := o.task(path, asked, code)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if same := slices.IndexFunc(all, func(o *task) bool { return o.name == t.name }); same >= 0 {
			problems = append(problems, fmt.Errorf("%s and %s have one name, and so would their results; run them one by one with another --out", all[same].shown, t.shown))
			continue
		}
		all = append(all, t)
	}
	return all, errors.Join(problems...)
}

func (o *Options) task(path string, asked []parameter.Setting, code string) (*task, error) {
	nb, err := notebook.Read(path)
	if err != nil {
		return nil, err
	}
	t := &task{name: stem(path), path: path, shown: path, nb: nb, kernel: o.Kernel}
	if rel, err := filepath.Rel(o.Root.Dir(), path); err == nil && filepath.IsLocal(rel) {
		t.shown = filepath.ToSlash(rel)
	}
	if t.kernel == "" {
		t.kernel = nb.Kernel
	}
	if t.kernel == "" {
		t.kernel = repo.KernelCPU
	}
	if o.Kernel == "" && t.kernel == repo.KernelCPU && setup.PureOnly(o.Root) {
		t.kernel, t.moved = repo.KernelPure, true
	}
	if err := t.parameters(o.Scale, asked); err != nil {
		return nil, about(t.shown, err)
	}
	// A committed record that is malformed gives nothing to compare with; the run
	// says what is wrong with the new one.
	t.before, _ = report.Claims(t.name, nb.Outputs())
	t.inputs, err = t.digest(code)
	return t, err
}

// about says of each of several errors what it is about.
func about(what string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s: %w", what, err)
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, about(what, err))
	}
	return errors.Join(all...)
}

// parameters resolves what was asked for against the notebook's declarations.
func (t *task) parameters(scale string, asked []parameter.Setting) error {
	at := t.nb.Tagged(notebook.ParametersTag)
	if at < 0 {
		if len(asked) > 0 {
			return fmt.Errorf("no cell is tagged %q, so no parameter can be set", notebook.ParametersTag)
		}
		return nil
	}
	if t.nb.Language != "go" {
		if len(asked) > 0 {
			return fmt.Errorf("its language is %q; parameters can be set in Go notebooks", t.nb.Language)
		}
		return nil
	}
	declared, err := parameter.Declared(t.nb.Cells[at].Source)
	if err != nil {
		return err
	}
	if at := slices.IndexFunc(declared, func(d parameter.Declaration) bool { return d.Name == "scale" }); at >= 0 {
		t.scale, _ = strconv.Unquote(declared[at].Default) // "" for what is not a plain word
		// The scale that it has anyway changes nothing, and leaves its outputs fit
		// to be recorded.
		if scale != "" && scale != t.scale {
			wanted, err := parameter.FromFlag("scale=" + scale)
			if err != nil {
				return err
			}
			asked = slices.Concat([]parameter.Setting{wanted}, asked)
		}
	}
	if t.values, err = parameter.Resolve(declared, asked); err != nil {
		return err
	}
	for _, v := range t.values {
		if text, ok := v.Value.(string); ok && v.Name == "scale" {
			t.scale = text
		}
	}
	return nil
}

// digest covers what a notebook's outputs depend on.
func (t *task) digest(code string) (string, error) {
	h := sha256.New()
	write := json.NewEncoder(h)
	for _, c := range t.nb.Cells {
		if err := write.Encode([]any{c.Kind, c.Source, c.Tags}); err != nil {
			return "", err
		}
	}
	err := write.Encode([]any{t.values, t.kernel, t.scale, code})
	return hex.EncodeToString(h.Sum(nil)), err
}

// codeDigest covers the library and the versions of what it uses. Tests do not
// count, for no notebook can call them.
func codeDigest(root string) (string, error) {
	h := sha256.New()
	add := func(path string) error {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "\n%s\n", filepath.ToSlash(rel))
		_, err = io.Copy(h, file)
		return err
	}
	err := filepath.WalkDir(filepath.Join(root, "lib"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // as a temporary file that just went
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(d.Name(), "."):
			return nil
		}
		return add(path)
	})
	if err := errors.Join(err, add(filepath.Join(root, "go.mod")), add(filepath.Join(root, "go.sum"))); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
