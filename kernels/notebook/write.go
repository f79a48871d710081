package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Run is what executing a notebook gave.
type Run struct {
	// Injected is the source of the cell with the parameters' values, "" for none.
	Injected string
	// Outputs by index into [Notebook.WithInjected]'s cells; a cell that is
	// missing did not run.
	Outputs map[int][]Output
	// Counts are the execution counts by the same index.
	Counts map[int]int
}

// InjectedAt returns where an injected cell belongs, and whether it takes the
// place of one that is there: papermill's rule.
func (nb *Notebook) InjectedAt() (index int, replaces bool) {
	if i := nb.Tagged(InjectedTag); i >= 0 {
		return i, true
	}
	return nb.Tagged(ParametersTag) + 1, false
}

// Executed returns the notebook as a file with the outputs of run, where a cell
// that did not run has none.
func (nb *Notebook) Executed(run Run) ([]byte, error) {
	tree, err := decode(nb.raw)
	if err != nil {
		return nil, err
	}
	file := tree.(map[string]any)
	cells := file["cells"].([]any)
	if run.Injected != "" {
		at, replaces := nb.InjectedAt()
		cell := map[string]any{
			"cell_type": Code, "source": multiline(run.Injected),
			"metadata":        map[string]any{"tags": []string{InjectedTag}},
			"execution_count": nil, "outputs": []Output{},
		}
		if minor, _ := file["nbformat_minor"].(json.Number); minor != "" && minor != "0" && minor != "1" && minor != "2" && minor != "3" && minor != "4" {
			cell["id"] = InjectedTag
		}
		if replaces {
			cells[at] = cell
		} else {
			cells = slices.Insert(cells, at, any(cell))
		}
		file["cells"] = cells
	}
	for i, c := range cells {
		cell := c.(map[string]any)
		if cell["cell_type"] != Code {
			continue
		}
		outputs, ran := run.Outputs[i]
		cell["outputs"], cell["execution_count"] = list(outputs), nil
		if count, ok := run.Counts[i]; ran && ok {
			cell["execution_count"] = count
		}
	}
	raw, err := encode(file)
	if err != nil {
		return nil, err
	}
	return indent(raw, "", " "), nil
}

// Recorded returns the file with its outputs replaced by the given ones, by
// index of the cell. Execution counts and the times that Jupyter and papermill
// note in a cell go; every other byte stays.
func (nb *Notebook) Recorded(outputs map[int][]Output) ([]byte, error) {
	var edits []edit
	top, err := fields(nb.raw, 0)
	if err != nil {
		return nil, err
	}
	cells, err := items(nb.raw, top["cells"])
	if err != nil {
		return nil, err
	}
	for i, cell := range cells {
		if nb.Cells[i].Kind != Code {
			continue
		}
		f, err := fields(nb.raw[:cell.end], cell.start)
		if err != nil {
			return nil, err
		}
		at, ok := f["outputs"]
		if !ok {
			return nil, fmt.Errorf("%s: cell %d has no field for outputs; opening and saving it in JupyterLab adds one", nb.Path, i+1)
		}
		raw, err := encode(list(outputs[i]))
		if err != nil {
			return nil, err
		}
		margin := margin(nb.raw, at.start)
		edits = append(edits, edit{at, bytes.TrimSuffix(indent(raw, margin, margin[:len(margin)/3]), []byte("\n"))})
		if at, ok := f["execution_count"]; ok {
			edits = append(edits, edit{at, []byte("null")})
		}
		if at, ok := f["metadata"]; ok {
			timeless, changed, err := withoutTimes(nb.raw[at.start:at.end])
			if err != nil {
				return nil, err
			}
			if changed {
				edits = append(edits, edit{at, bytes.TrimSuffix(indent(timeless, margin, margin[:len(margin)/3]), []byte("\n"))})
			}
		}
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.at.start - b.at.start })
	var file bytes.Buffer
	last := 0
	for _, e := range edits {
		file.Write(nb.raw[last:e.at.start])
		file.Write(e.with)
		last = e.at.end
	}
	file.Write(nb.raw[last:])
	return file.Bytes(), nil
}

// withoutTimes drops what tools note about a run in a cell's metadata.
func withoutTimes(raw []byte) ([]byte, bool, error) {
	metadata, err := decodeMap(raw)
	if err != nil {
		return nil, false, err
	}
	before := len(metadata)
	maps.DeleteFunc(metadata, func(key string, _ any) bool { return key == "execution" || key == "papermill" })
	if len(metadata) == before {
		return nil, false, nil
	}
	raw, err = encode(metadata)
	return raw, true, err
}

// span is a part of a file, edit what to put there.
type span struct{ start, end int }
type edit struct {
	at   span
	with []byte
}

// fields returns where the values of the object that starts at offset from lie.
func fields(raw []byte, from int) (map[string]span, error) {
	d := json.NewDecoder(bytes.NewReader(raw[from:]))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	found := map[string]span{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		end := from + int(d.InputOffset())
		found[key.(string)] = span{end - len(value), end}
	}
	return found, nil
}

// items returns where the elements of the list at a span lie.
func items(raw []byte, list span) ([]span, error) {
	d := json.NewDecoder(bytes.NewReader(raw[list.start:list.end]))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var found []span
	for d.More() {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		end := list.start + int(d.InputOffset())
		found = append(found, span{end - len(value), end})
	}
	return found, nil
}

// margin returns the white space before the key whose value starts at offset at,
// three levels deep in a notebook; Jupyter's own where the key does not head a line.
func margin(raw []byte, at int) string {
	line := string(raw[bytes.LastIndexByte(raw[:at], '\n')+1 : at])
	space := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	if len(space) == 0 || len(space)%3 != 0 {
		return "   "
	}
	return space
}

// indent lays JSON out as Jupyter does, with a newline at the end.
func indent(raw []byte, margin, step string) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, margin, step); err != nil {
		panic(err) // raw was encoded here
	}
	b.WriteByte('\n')
	return b.Bytes()
}
