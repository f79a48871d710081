package report

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/junit"
	"github.com/hindsight-go/hindsight/kernels/notebook"
	"github.com/hindsight-go/hindsight/kernels/parameter"
)

func number(text string) Value { return Value{json.RawMessage(text)} }

func claim(id string, holds bool) Claim {
	return Claim{ID: id, Claim: "loss falls", Metric: "loss", Criterion: "at most 0.5", Measured: number("0.25"), Spread: number("0.012345"), Paper: number(`"0.3–0.4"`), Holds: holds}
}

func sampleReport() *Report {
	regressed := claim("C2", false)
	regressed.Regressed = true
	missing := claim("C4", false)
	missing.Skipped = "no ImageNet"
	r := &Report{Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 61.5, Notebooks: []Notebook{
		{Name: "00-start", Path: "notebooks/00-start.ipynb", Title: "Start", Status: Passed, Seconds: 3, Reused: true},
		{Name: "02-diffgrad", Path: "notebooks/02-diffgrad.ipynb", Title: "diffGrad <b>&", Scale: "quick", Kernel: "go-xla-cpu", Status: Passed,
			Claims:     []Claim{claim("C1", true), regressed, claim("C3", false), missing},
			Parameters: []parameter.Value{{Name: "seeds", Type: "int", Value: json.Number("3")}}},
		{Name: "03-x", Status: Failed, Failure: &Error{Kind: CellFailed, Cell: 3, Message: "exit <status> 2", Cure: "look", Traceback: []string{"panic: \x1b[31mred\x00", "main.go:3"}}},
		{Name: "04-x", Status: Failed, Failure: &Error{Kind: KernelDied, Message: "killed"}},
		{Name: "05-x", Status: Skipped, Reason: "no data"},
		{Name: "06-x", Status: Interrupted},
	}}
	r.Summarize()
	return r
}

func ExampleReport() {
	r := Report{Notebooks: []Notebook{{Name: "02-diffgrad", Status: Passed, Claims: []Claim{{ID: "C1", Holds: true}, {ID: "C2"}}}}}
	r.Summarize()
	fmt.Println(r.Summary.Passed, "passed,", r.Summary.Hold, "of", r.Summary.Claims, "claims hold, ok:", r.OK())
	// Output: 1 passed, 1 of 2 claims hold, ok: true
}

func TestSummary(t *testing.T) {
	r := sampleReport()
	require.Equal(t, Summary{Passed: 2, Failed: 2, Skipped: 1, Interrupted: 1, Reused: 1, Claims: 4, Hold: 1, Fail: 2, ClaimsSkipped: 1, Regressed: 1}, r.Summary)
	require.False(t, r.OK())
	require.Equal(t, "regressed", r.Notebooks[1].Verdict())
	require.False(t, r.Notebooks[1].Green())

	raw, err := r.JSON()
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(raw, &back))
	again, err := back.JSON()
	require.NoError(t, err)
	require.Equal(t, string(raw), string(again))
}

func TestJUnit(t *testing.T) {
	got := sampleReport().JUnit()
	require.Equal(t, junit.Counts{Passed: 3, Failed: 4, Skipped: 3}, got.Counts())
	cases := map[string]junit.Case{}
	for _, s := range got.Suites {
		for _, c := range s.Cases {
			cases[s.Name+"/"+c.Name] = c
		}
	}
	require.Equal(t, "cell 3: exit <status> 2", cases["03-x/03-x"].Failure.Message)
	require.Contains(t, cases["03-x/03-x"].Failure.Text, "main.go:3")
	require.Equal(t, "kernel", cases["04-x/04-x"].Error.Type)
	require.Equal(t, "no data", cases["05-x/05-x"].Skipped.Message)
	require.NotNil(t, cases["06-x/06-x"].Error)
	require.Nil(t, cases["02-diffgrad/C1: loss falls"].Failure)
	require.Contains(t, cases["02-diffgrad/C2: loss falls"].Failure.Message, "held in the committed notebook")
	require.Contains(t, cases["02-diffgrad/C3: loss falls"].Skipped.Message, "does not hold, as in the committed notebook")
	require.Equal(t, "no ImageNet", cases["02-diffgrad/C4: loss falls"].Skipped.Message)
}

func TestGallery(t *testing.T) {
	folder := t.TempDir()
	r := sampleReport()
	r.Notebooks[1].Output = "02-diffgrad.ipynb"
	nb, err := notebook.Parse([]byte(`{"nbformat":4,"cells":[{"cell_type":"code","source":"x","execution_count":null,"metadata":{},"outputs":[]}],"metadata":{}}`))
	require.NoError(t, err)
	display := func(mime, data string) notebook.Output {
		return notebook.Output{Kind: notebook.Display, Data: map[string]any{mime: data}}
	}
	file, err := nb.Executed(notebook.Run{Outputs: map[int][]notebook.Output{0: {
		display("image/svg+xml", "<svg><script>alert(1)</script></svg>"), display("image/png", "iVBOR\nw0KGgo="), display("image/png", `"><script>`), display("text/html", "<script>"), display("text/html", "<div><svg width='1'></svg></div>"),
	}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "02-diffgrad.ipynb"), file, 0o644))

	raw, err := Gallery(r, folder)
	require.NoError(t, err)
	page := string(raw)
	require.NotContains(t, page, "<script", "the page must work without JavaScript and carry none from a notebook")
	require.NotContains(t, page, "ZgotmplZ")
	require.NotRegexp(t, regexp.MustCompile(`(src|href)="(https?:)?//`), page, "the page must need no other file")
	require.Contains(t, page, "diffGrad &lt;b&gt;&amp;")
	require.Contains(t, page, `src="data:image/svg&#43;xml;base64,PHN2ZyB4bWxucz0i`)
	require.Contains(t, page, `src="data:image/png;base64,iVBORw0KGgo="`)
	require.Contains(t, page, base64.StdEncoding.EncodeToString([]byte(`<svg xmlns="http://www.w3.org/2000/svg" width='1'></svg>`)))
	require.Equal(t, 4, strings.Count(page, "<img"), "a thumbnail and three figures")
	for _, want := range []string{"prefers-color-scheme: dark", "Cell 3: exit &lt;status&gt; 2", `<span class="badge regressed">`, "held before", "no ImageNet", "0.3–0.4", "0.01235", "seeds"} {
		require.Contains(t, page, want)
	}
}

func TestReproduction(t *testing.T) {
	keep := []string{"00-start", "02-diffgrad", "03-x"}
	quick := Notebook{Name: "02-diffgrad", Title: "diffGrad", Scale: "quick", Claims: []Claim{claim("C1", true), claim("C_2|*", false)}}
	page, err := Reproduction("", []Notebook{quick}, keep)
	require.NoError(t, err)
	require.Contains(t, page, "| [diffGrad](02-diffgrad.ipynb) | quick | 2 | 1 | 1 | 0 |\n")
	require.Contains(t, page, "| C1 | loss falls | at most 0.5 | 0.25 | 0.01235 | 0.3–0.4 | holds |\n")
	require.Contains(t, page, `| C\_2\|\* | loss falls | at most 0.5 | 0.25 | 0.01235 | 0.3–0.4 | **fails** |`)

	again, err := Reproduction(page, []Notebook{quick}, keep)
	require.NoError(t, err)
	require.Equal(t, page, again, "recording twice must change nothing")

	// Another paper and another scale join; what was there stays.
	skipped := claim("C1", false)
	skipped.Skipped = "no data"
	full := quick
	full.Scale = "paper"
	page, err = Reproduction(page, []Notebook{full, {Name: "00-start", Title: "-->", Scale: "quick", Claims: []Claim{skipped}}}, keep)
	require.NoError(t, err)
	first, second, third := strings.Index(page, "--&gt;, quick"), strings.Index(page, "diffGrad, quick"), strings.Index(page, "diffGrad, paper")
	require.True(t, 0 < first && first < second && second < third, page)
	require.Contains(t, page, "| skipped: no data |")

	// One that fails now replaces its old section; a notebook that is gone loses its own.
	quick.Claims = quick.Claims[1:]
	page, err = Reproduction(page, []Notebook{quick}, []string{"02-diffgrad"})
	require.NoError(t, err)
	require.Contains(t, page, "| quick | 1 | 0 | 1 | 0 |")
	require.NotContains(t, page, "00-start")
	require.Equal(t, 2, strings.Count(page, "<!-- end -->"))

	_, err = Reproduction("<!-- record {bad} -->\n<!-- end -->\n", nil, keep)
	require.ErrorContains(t, err, "REPRODUCTION.md is damaged")
}

func TestVerdicts(t *testing.T) {
	skipped := claim("C3", false)
	skipped.Skipped = "no data"
	page, err := Reproduction("", []Notebook{{Name: "02-diffgrad", Scale: "quick", Claims: []Claim{claim("C1", true), claim("C2", false), skipped}}}, []string{"02-diffgrad"})
	require.NoError(t, err)
	text, err := Verdicts("| <!-- verdict 02-diffgrad --><!-- end --> | <!-- verdict 03-x -->old<!-- end --> |", page)
	require.NoError(t, err)
	const want = "| <!-- verdict 02-diffgrad -->1 of 2 claims hold, 1 skipped<!-- end --> | <!-- verdict 03-x -->old<!-- end --> |"
	require.Equal(t, want, text)
	again, err := Verdicts(text, page)
	require.NoError(t, err)
	require.Equal(t, want, again, "recording twice must change nothing")
}

func record(t *testing.T, text string) []notebook.Output {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	return []notebook.Output{{Kind: notebook.Stream, Text: "x"}, {Kind: notebook.Display, Data: map[string]any{ClaimsMIME: value}}}
}

func TestClaims(t *testing.T) {
	none, err := Claims("02-diffgrad", []notebook.Output{{Kind: notebook.Stream}})
	require.NoError(t, err)
	require.Nil(t, none)

	outputs := record(t, `{"paper":"02-diffgrad","scale":"quick","claims":[
		{"id":"C1","claim":"a","metric":"m","criterion":"c","measured":0.123456,"spread":null,"paper":"> 1","holds":true,"regressed":true},
		{"id":"C2","claim":"b","metric":"","criterion":"c","measured":"NaN","skipped":"no data"}]}`)
	got, err := Claims("02-diffgrad", outputs)
	require.NoError(t, err)
	require.Equal(t, "0.1235", got.Claims[0].Measured.Text())
	require.Equal(t, "", got.Claims[0].Spread.Text())
	require.Equal(t, "> 1", got.Claims[0].Paper.Text())
	require.Equal(t, "NaN", got.Claims[1].Measured.Text())
	require.Equal(t, []string{"holds", "skipped"}, []string{got.Claims[0].Verdict(), got.Claims[1].Verdict()})
	require.False(t, got.Claims[0].Regressed, "a notebook does not judge that")

	_, err = Claims("02-diffgrad", append(outputs, outputs...))
	require.ErrorContains(t, err, "there are two")

	for text, want := range map[string]string{
		`"words"`: "cannot unmarshal string",
		`{}`:      "paper is missing\nscale is \"\", must be quick or paper\nthere are no claims",
		`{"paper":"03","scale":"quick","skipped":"x"}`:                                                                                                               `paper is "03", must be the notebook's name "02-diffgrad"`,
		`{"paper":"02-diffgrad","scale":"quick","claims":[{"id":"A","claim":"a","criterion":"c"}]}`:                                                                  "claim A: holds is missing",
		`{"paper":"02-diffgrad","scale":"quick","claims":[{"claim":" ","holds":true}]}`:                                                                              "claim number 1: id is missing\nclaim number 1: claim is missing\nclaim number 1: criterion is missing",
		`{"paper":"02-diffgrad","scale":"quick","claims":[{"id":"A","claim":"a","criterion":"c","holds":true},{"id":"A","claim":"a","criterion":"c","holds":true}]}`: "claim A: is there twice",
		`{"paper":"02-diffgrad","scale":"quick","claims":[{"id":"A","claim":"a","criterion":"c","holds":true,"measured":[1]}]}`:                                      "claim A: measured is [1], must be a number, a text or null",
		`{"paper":"02-diffgrad","scale":"quick","claims":[{"id":"A","claim":"a","criterion":"c","holds":"yes"}]}`:                                                    "cannot unmarshal string",
	} {
		_, err := Claims("02-diffgrad", record(t, text))
		require.ErrorContains(t, err, want, text)
	}
}

func TestCompare(t *testing.T) {
	skipped := claim("C5", false)
	skipped.Skipped = "no data"
	before := &Record{Claims: []Claim{claim("C1", true), claim("C2", true), claim("C3", false), claim("C4", true), claim("C5", true)}}
	now := &Record{Claims: []Claim{claim("C1", true), claim("C2", false), claim("C3", false), claim("C6", false), skipped}}
	Compare(now, before)
	regressed := map[string]bool{}
	for _, c := range now.Claims {
		regressed[c.ID] = c.Regressed
	}
	require.Equal(t, map[string]bool{"C1": false, "C2": true, "C3": false, "C4": true, "C5": false, "C6": false}, regressed)
	require.Equal(t, "not reported", now.Claims[5].Measured.Text())

	alone := &Record{Claims: []Claim{claim("C1", false)}}
	Compare(alone, nil)
	require.False(t, alone.Claims[0].Regressed)
}

func FuzzClaims(f *testing.F) {
	f.Add(`{"paper":"p","scale":"quick","claims":[{"id":"A","claim":"a","criterion":"c","holds":true,"measured":1e-5}]}`)
	f.Add(`{"paper":"p","scale":"paper","skipped":"x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRecord([]byte(text))
		if err != nil {
			return
		}
		n := Notebook{Name: r.Paper, Scale: r.Scale, Claims: r.Claims, Status: Passed}
		all := &Report{Notebooks: []Notebook{n}}
		all.Summarize()
		if _, err := all.JSON(); err != nil {
			t.Fatal(err)
		}
		raw, err := all.JUnit().XML()
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(raw, new(struct{ XMLName xml.Name })); err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
		page, err := Reproduction("", []Notebook{n}, []string{r.Paper})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Reproduction(page, []Notebook{n}, []string{r.Paper}); err != nil || again != page {
			t.Fatalf("not stable: %v\n%s", err, page)
		}
	})
}
