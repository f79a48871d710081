package notebook

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sample = "testdata/sample.ipynb" // written by testdata/make.py

func ExampleRead() {
	nb, err := Read("testdata/sample.ipynb")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nb.Title(), nb.Kernel, nb.Language)
	fmt.Println(nb.Cells[nb.Tagged(ParametersTag)].Source)
	// Output:
	// diffGrad go-xla-cpu go
	// var scale = "quick" // or "paper"
	// var seeds = 5
}

func read(t *testing.T) *Notebook {
	t.Helper()
	nb, err := Read(sample)
	require.NoError(t, err)
	return nb
}

// All outputs of a notebook, by cell.
func outputsOf(nb *Notebook) map[int][]Output {
	outputs := map[int][]Output{}
	for i, c := range nb.Cells {
		if c.Kind == Code {
			outputs[i] = c.Outputs
		}
	}
	return outputs
}

// The file nbformat wrote comes back byte for byte.
func TestExecutedHasJupytersLayout(t *testing.T) {
	nb := read(t)
	file, err := nb.Executed(Run{Outputs: outputsOf(nb), Counts: map[int]int{1: 1, 2: 2}})
	require.NoError(t, err)
	require.Equal(t, string(nb.raw), string(file))
}

func TestExecutedInjects(t *testing.T) {
	nb := read(t)
	file, err := nb.Executed(Run{Injected: "var seeds int = 3", Outputs: map[int][]Output{3: {{Kind: Stream, Name: "stdout", Text: "now"}}}})
	require.NoError(t, err)
	run, err := Parse(file)
	require.NoError(t, err)
	require.Len(t, run.Cells, 5)
	require.Equal(t, "var seeds int = 3", run.Cells[2].Source)
	require.True(t, run.Cells[2].Tagged(InjectedTag))
	require.Equal(t, "now", run.Cells[3].Outputs[0].Text)
	require.Empty(t, run.Cells[4].Outputs, "outputs of an earlier run must not pass for this one's")

	// A second injection takes the place of the first.
	file, err = run.Executed(Run{Injected: "var seeds int = 4"})
	require.NoError(t, err)
	run, err = Parse(file)
	require.NoError(t, err)
	require.Len(t, run.Cells, 5)
	require.Equal(t, "var seeds int = 4", run.Cells[2].Source)
}

func TestRecordedChangesOutputsOnly(t *testing.T) {
	nb := read(t)
	outputs := map[int][]Output{1: nil, 2: {{Kind: Stream, Name: "stdout", Text: "loss 0.125\n"}}}
	file, err := nb.Recorded(outputs)
	require.NoError(t, err)

	// What differs from the old file lies in outputs, counts and noted times.
	for line := range strings.Lines(string(file)) {
		if !strings.Contains(string(nb.raw), line) {
			require.Regexp(t, `^\s+("execution_count": null|"outputs": \[\]|"(name|output_type|text)"|"loss 0.125|[\]}],?)`, line)
		}
	}
	recorded, err := Parse(file)
	require.NoError(t, err)
	for i, c := range recorded.Cells {
		require.Equal(t, nb.Cells[i].Source, c.Source)
		require.Equal(t, nb.Cells[i].Tags, c.Tags)
	}
	require.NotContains(t, string(file), "iopub.execute_input")

	again, err := recorded.Recorded(outputs)
	require.NoError(t, err)
	require.Equal(t, string(file), string(again), "recording twice must change nothing")
}

// Odd but legal files keep their bytes: key order, spacing, escapes, and a lone
// surrogate that no decoder keeps.
func TestRecordedKeepsForeignLayout(t *testing.T) {
	before := `{"nbformat_minor":5, "cells" : [
    {"source":"fmt.Println(\"\ud800 \u2028\")","cell_type":"code","metadata":{ "z":1, "a":2.50 },
     "outputs" :[ {"output_type":"stream","name":"stdout","text":"old"} ], "execution_count":  17 , "id":"x"}],"metadata":{},"nbformat":4}`
	nb, err := Parse([]byte(before))
	require.NoError(t, err)
	file, err := nb.Recorded(nil)
	require.NoError(t, err)
	want := strings.Replace(before, `[ {"output_type":"stream","name":"stdout","text":"old"} ]`, "[]", 1)
	require.Equal(t, strings.Replace(want, "17", "null", 1), string(file))
}

func TestReadErrors(t *testing.T) {
	for name, tc := range map[string]struct{ content, want string }{
		"empty":        {"", "the file is empty"},
		"not JSON":     {"{\n\"cells\": [}\n", "not JSON from line 2 on"},
		"truncated":    {`{"nbformat": 4, "cells": [`, "not JSON from line 1 on"},
		"other JSON":   {`{"a": 1}`, "no nbformat or no cells"},
		"list":         {`[1]`, "not a notebook"},
		"old format":   {`{"nbformat": 3, "cells": []}`, "nbformat is 3, must be 4"},
		"cells a word": {`{"nbformat": 4, "cells": "no"}`, `"cells" holds a JSON string`},
		"source a map": {`{"nbformat": 4, "cells": [{"source": {}}]}`, "not a notebook"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.ipynb")
			require.NoError(t, os.WriteFile(path, []byte(tc.content), 0o644))
			_, err := Read(path)
			require.ErrorIs(t, err, ErrNotNotebook)
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err := Read(filepath.Join(t.TempDir(), "none.ipynb"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A kernel may send a JSON record as text.
func TestJSONSentAsText(t *testing.T) {
	nb, err := Parse([]byte(`{"nbformat":4,"cells":[{"cell_type":"code","source":"","outputs":[
		{"output_type":"display_data","data":{"application/x+json":"{\"n\": 1.50}","text/plain":["a\n","b"]},"metadata":{}}]}]}`))
	require.NoError(t, err)
	data := nb.Outputs()[0].Data
	require.Equal(t, "a\nb", data["text/plain"])
	raw, err := encode(data["application/x+json"])
	require.NoError(t, err)
	require.Equal(t, `{"n":1.50}`, string(raw))
}

func TestText(t *testing.T) {
	text := read(t).Text()
	for _, want := range []string{
		"kernel go-xla-cpu\n", "%% code [parameters]\nvar scale", "-- stdout\nloss 0.25\n",
		"-- image/svg+xml, ", "-- text/plain\na figure\n", "   \"id\": \"C1\",\n", "-- error\nERROR: exit status 2\n",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "<rect")
}

func FuzzParse(f *testing.F) {
	raw, err := os.ReadFile(sample)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[{"cell_type":"code","source":["a","b"],"outputs":[],"execution_count":null,"metadata":{}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		nb, err := Parse(raw)
		if err != nil {
			return
		}
		_ = nb.Text()
		outputs := outputsOf(nb)
		file, err := nb.Recorded(outputs)
		if err != nil {
			return
		}
		again, err := Parse(file)
		if err != nil {
			t.Fatalf("recording broke the file: %v\n%s", err, file)
		}
		for i, c := range again.Cells {
			if c.Source != nb.Cells[i].Source {
				t.Fatalf("cell %d: source changed", i)
			}
		}
		twice, err := again.Recorded(outputs)
		if err != nil || !bytes.Equal(file, twice) {
			t.Fatalf("recording twice differs: %v", err)
		}
	})
}
