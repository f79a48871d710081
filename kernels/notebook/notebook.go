// Package notebook reads Jupyter notebooks (nbformat 4) and writes them back
// with new outputs, touching nothing else.
//
// [Read] gives the cells, [Notebook.Executed] a copy with the outputs of a run,
// [Notebook.Recorded] the file itself with outputs fit to be committed (see
// [Normalizer]), and [Notebook.Text] the cells as plain text for git diff.
package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Tags that papermill gives a meaning to.
const (
	// ParametersTag marks the cell that declares the parameters.
	ParametersTag = "parameters"
	// InjectedTag marks the cell that a run puts behind it with other values.
	InjectedTag = "injected-parameters"
)

// Kinds of cells.
const (
	Code     = "code"
	Markdown = "markdown"
)

// Notebook is one file.
type Notebook struct {
	Path     string // as given to Read
	Kernel   string // name of the kernelspec, "" where the file names none
	Language string // of the kernelspec or language_info, "" where the file names none
	Cells    []Cell

	raw []byte
}

// Cell is one cell with its committed outputs.
type Cell struct {
	ID      string
	Kind    string // Code, Markdown or "raw"
	Source  string
	Tags    []string
	Outputs []Output // of code cells
}

// Tagged says whether the cell carries the tag.
func (c Cell) Tagged(tag string) bool { return slices.Contains(c.Tags, tag) }

// Runs says whether a kernel is asked to execute the cell.
func (c Cell) Runs() bool { return c.Kind == Code && strings.TrimSpace(c.Source) != "" }

// ErrNotNotebook is returned for a file that is no nbformat 4 notebook.
var ErrNotNotebook = errors.New("not a notebook")

// Read loads the notebook at path.
func Read(path string) (*Notebook, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	nb, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is %w", path, err)
	}
	nb.Path = path
	return nb, nil
}

// Parse reads a notebook from its bytes, which it keeps.
func Parse(raw []byte) (*Notebook, error) {
	var file struct {
		Format   *int `json:"nbformat"`
		Metadata struct {
			Kernelspec struct {
				Name     string `json:"name"`
				Language string `json:"language"`
			} `json:"kernelspec"`
			LanguageInfo struct {
				Name string `json:"name"`
			} `json:"language_info"`
		} `json:"metadata"`
		Cells *[]struct {
			ID       string    `json:"id"`
			Kind     string    `json:"cell_type"`
			Source   multiline `json:"source"`
			Metadata struct {
				Tags []string `json:"tags"`
			} `json:"metadata"`
			Outputs []Output `json:"outputs"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrNotNotebook, describeJSONError(raw, err))
	}
	switch {
	case file.Format == nil || file.Cells == nil:
		return nil, fmt.Errorf("%w: it is JSON, but has no nbformat or no cells", ErrNotNotebook)
	case *file.Format != 4:
		return nil, fmt.Errorf("%w that can be read here: nbformat is %d, must be 4; opening and saving it in JupyterLab converts it", ErrNotNotebook, *file.Format)
	}
	meta := file.Metadata
	nb := &Notebook{Kernel: meta.Kernelspec.Name, Language: meta.Kernelspec.Language, raw: raw}
	if nb.Language == "" {
		nb.Language = meta.LanguageInfo.Name
	}
	for _, c := range *file.Cells {
		nb.Cells = append(nb.Cells, Cell{c.ID, c.Kind, string(c.Source), c.Metadata.Tags, c.Outputs})
	}
	return nb, nil
}

// Raw is the file as it was read. It must not be changed.
func (nb *Notebook) Raw() []byte { return nb.raw }

// Tagged returns the index of the first cell with the tag, or -1.
func (nb *Notebook) Tagged(tag string) int {
	return slices.IndexFunc(nb.Cells, func(c Cell) bool { return c.Tagged(tag) })
}

// Outputs returns all outputs of all cells in order.
func (nb *Notebook) Outputs() []Output {
	var all []Output
	for _, c := range nb.Cells {
		all = append(all, c.Outputs...)
	}
	return all
}

// Title returns the first heading, or "".
func (nb *Notebook) Title() string {
	for _, c := range nb.Cells {
		if c.Kind != Markdown {
			continue
		}
		for line := range strings.Lines(c.Source) {
			if title, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok {
				return strings.TrimSpace(title)
			}
		}
	}
	return ""
}

// multiline is a text that nbformat stores as one string or as a list of lines.
type multiline string

func (m *multiline) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		var lines []string
		if err := json.Unmarshal(raw, &lines); err != nil {
			return err
		}
		*m = multiline(strings.Join(lines, ""))
		return nil
	}
	return json.Unmarshal(raw, (*string)(m))
}

// MarshalJSON writes a list of lines, as Jupyter does, because lists give
// readable diffs.
func (m multiline) MarshalJSON() ([]byte, error) {
	return encode(list(slices.Collect(strings.Lines(string(m)))))
}

// encode is json.Marshal without escaping of <, > and &, as Jupyter writes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// describeJSONError adds the line at which the file stops being JSON.
func describeJSONError(raw []byte, err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		return "the file is empty"
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON from line %d on: %v", 1+bytes.Count(raw[:min(int(syntax.Offset), len(raw))], []byte("\n")), err)
	case errors.As(err, &kind):
		return fmt.Sprintf("%q holds a JSON %s", kind.Field, kind.Value)
	}
	return err.Error()
}
