package parameter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func Example() {
	declared, err := Declared("// The sizes of the run.\nvar seeds = 5\nvar lrs = []float64{1e-3}")
	if err != nil {
		fmt.Println(err)
		return
	}
	seeds, _ := FromFlag("seeds=3")
	lrs, _ := FromFlag("lrs=[1, 0.5]")
	values, err := Resolve(declared, []Setting{seeds, lrs})
	fmt.Println(values, err)
	word, _ := FromFlag("seeds=many")
	_, err = Resolve(declared, []Setting{word})
	fmt.Println(err)
	// Output:
	// [{seeds int 3} {lrs []float64 [1 0.5]}] <nil>
	// -p: parameter seeds is the string "many", must be int
}

const cell = `import "math"
%env X=1
!echo hello
// Sizes.
var (
	scale  = "quick"
	seeds  float64 = 5
	epochs = 3
	small  int8
	count  uint64
	single float32
	deep   = true
	lrs    = []float64{1e-3, 1e-2}
	grid   = map[string][]float64{"a": {1}}
	words  = map[string]string{}
	pair   [2]int
	nested [][]string
	infinite = math.Inf(1)
	known  float64 = math.Inf(1)
)
const fixed = 3
var a, b = 1, 2
type Mode string
var mode Mode = "x"
var f func()
var any1 any
%%
var local = 3
`

func declared(t testing.TB) []Declaration {
	t.Helper()
	d, err := Declared(cell)
	require.NoError(t, err)
	return d
}

func TestDeclared(t *testing.T) {
	var names []string
	types := map[string]string{}
	for _, d := range declared(t) {
		names = append(names, d.Name)
		types[d.Name] = d.Type
	}
	require.NotContains(t, names, "local")
	for name, want := range map[string]string{
		"scale": "string", "seeds": "float64", "epochs": "int", "small": "int8", "count": "uint64", "single": "float32",
		"deep": "bool", "lrs": "[]float64", "grid": "map[string][]float64", "words": "map[string]string", "pair": "[2]int",
		"nested": "[][]string", "known": "float64", "mode": "Mode",
	} {
		require.Equal(t, want, types[name], name)
	}
	at := slices.IndexFunc(declared(t), func(d Declaration) bool { return d.Name == "scale" })
	require.Equal(t, `"quick"`, declared(t)[at].Default)

	_, err := Declared("var a = 1\nvar b = = 2")
	require.ErrorContains(t, err, "the parameters cell is not Go at line 2")
}

func flag(t testing.TB, arg string) Setting {
	t.Helper()
	s, err := FromFlag(arg)
	require.NoError(t, err)
	return s
}

func TestFlags(t *testing.T) {
	for arg, want := range map[string]string{
		"scale=paper":                `"paper"`,
		`scale="a" 'b' \ c`:          `"\"a\" 'b' \\ c"`,
		"scale=":                     `""`,
		"scale=3":                    `"3"`,
		"scale=null":                 `"null"`,
		"scale=a=b: [c]\n\t😀\u2028":  `"a=b: [c]\n\t😀\u2028"`,
		"seeds=3":                    `"3"`, // the declaration makes it a float64
		"seeds=-1e-3":                `"-0.001"`,
		"seeds=nan":                  `"NaN"`,
		"seeds=-inf":                 `"-Inf"`,
		"seeds=.inf":                 `"+Inf"`,
		"seeds=0.1":                  `"0.1"`,
		"seeds=9007199254740993":     `"9.007199254740992e+15"`, // float64 has no odd ones there
		"single=0.1":                 `"0.1"`,
		"epochs=1_000":               `1000`,
		"epochs=0x10":                `16`,
		"epochs=-7":                  `-7`,
		"epochs=+7":                  `7`,
		"epochs=9007199254740993":    `9007199254740993`,
		"count=18446744073709551615": `18446744073709551615`,
		"small=-128":                 `-128`,
		"deep=false":                 `false`,
		"lrs=[1, 2.5, .nan]":         `["1","2.5","NaN"]`,
		"lrs=[]":                     `[]`,
		"grid={a: [1], 'b c': []}":   `{"a":["1"],"b c":[]}`,
		"words={1: x, y: 'z'}":       `{"1":"x","y":"z"}`,
		"pair=[1, 2]":                `[1,2]`,
		`nested=[[a, "b\n"], []]`:    `[["a","b\n"],[]]`,
		"known=1":                    `"1"`,
	} {
		values, err := Resolve(declared(t), []Setting{flag(t, arg)})
		require.NoError(t, err, arg)
		raw, err := json.Marshal(values[0].Value)
		require.NoError(t, err)
		require.JSONEq(t, want, string(raw), arg)
	}
}

func TestFlagErrors(t *testing.T) {
	for arg, want := range map[string]string{
		"epochs=2.5":          `parameter epochs is the float "2.5", must be int`,
		"epochs=abc":          `parameter epochs is the string "abc", must be int`,
		"epochs=":             "parameter epochs is the null, must be int",
		"epochs=[1]":          `parameter epochs is the string "[1]", must be int`,
		"small=128":           "parameter small is 128, must be int8 between -128 and 127",
		"count=-1":            "parameter count is -1, must be uint64 between 0 and 18446744073709551615",
		"single=1e300":        `parameter single is the float "1e300", must be float32`,
		"seeds=1e999":         `parameter seeds is the string "1e999", must be float64`,
		"seeds=true":          `parameter seeds is the bool "true", must be float64`,
		"deep=1":              `parameter deep is the int "1", must be bool`,
		"deep=yes":            `parameter deep is the string "yes", must be bool`,
		"lrs=0.1":             `parameter lrs is the float "0.1", must be []float64, such as [0.5, 0.5]`,
		"lrs=[a]":             `parameter lrs element 0 is the string "a", must be float64`,
		"lrs=[1":              `parameter lrs is "[1", must be []float64`,
		"lrs=":                "parameter lrs is empty, must be []float64",
		"lrs=[&x 1, *x]":      "parameter lrs element 1 is an alias (*x), must be written out",
		"grid={a: 1}":         `parameter grid element "a" is the int "1", must be []float64`,
		"grid={a: [], a: []}": `parameter grid has the key "a" twice`,
		"grid={[a]: []}":      "parameter grid has a list for a key",
		"words={a: 1}":        `parameter words element "a" is the int "1", must be string (put it in quotes)`,
		"pair=[1]":            "parameter pair has 1 elements, must be [2]int",
		"nested=[[1]]":        `parameter nested element 0 element 0 is the int "1", must be string`,
		"seed=1":              "unknown parameter seed; known are: scale string, seeds float64, epochs int",
		"local=1":             "unknown parameter local",
		"fixed=4":             "parameter fixed is a constant, must be declared with var",
		"b=4":                 "parameter b is declared together with others",
		"mode=y":              "parameter mode has type Mode, must be made of bool",
		"f=y":                 "parameter f has type func()",
		"any1=y":              "parameter any1 has type any",
		"infinite=1":          "parameter infinite has a type that its declaration does not tell, must be written as var name type = value",
	} {
		_, err := Resolve(declared(t), []Setting{flag(t, arg)})
		require.ErrorContains(t, err, want, arg)
		require.ErrorContains(t, err, "-p: ")
	}
	for arg, want := range map[string]string{
		"novalue":    "must be name=value",
		"=3":         `"" cannot name a Go variable`,
		"a b=3":      `"a b" cannot name a Go variable`,
		"func=3":     `"func" cannot name a Go variable`,
		"scale=\xff": "not valid UTF-8",
	} {
		_, err := FromFlag(arg)
		require.ErrorContains(t, err, want, arg)
	}
}

func TestErrorsComeTogetherAndTheLastSettingCounts(t *testing.T) {
	_, err := Resolve(declared(t), []Setting{flag(t, "epochs=x"), flag(t, "deep=3"), flag(t, "who=1")})
	require.ErrorIs(t, err, ErrUnknown)
	require.Equal(t, 3, len(strings.Split(err.Error(), "\n")))

	values, err := Resolve(declared(t), []Setting{flag(t, "epochs=x"), flag(t, "epochs=4")})
	require.NoError(t, err)
	require.Equal(t, []Value{{"epochs", "int", json.Number("4")}}, values)

	_, err = Resolve(nil, []Setting{flag(t, "epochs=4")})
	require.ErrorContains(t, err, "known are: none")
}

func TestFile(t *testing.T) {
	settings, err := FromFile(strings.NewReader(`
# a comment
scale: |
  two
  lines
seeds: 3
lrs:
  - 1
  - .inf
grid: {"a": [1e-3]}
words: {date: 2020-01-01, "no": "3"}
deep: true
`), "p.yaml")
	require.NoError(t, err)
	values, err := Resolve(declared(t), settings)
	require.NoError(t, err)
	raw, err := json.Marshal(values)
	require.NoError(t, err)
	require.JSONEq(t, `[
		{"name":"scale","type":"string","value":"two\nlines\n"},
		{"name":"seeds","type":"float64","value":"3"},
		{"name":"lrs","type":"[]float64","value":["1","+Inf"]},
		{"name":"grid","type":"map[string][]float64","value":{"a":["0.001"]}},
		{"name":"words","type":"map[string]string","value":{"date":"2020-01-01","no":"3"}},
		{"name":"deep","type":"bool","value":true}]`, string(raw))

	for text, want := range map[string]string{"": "", "# nothing": "", "null": "", "{}": ""} {
		settings, err := FromFile(strings.NewReader(text), "p.yaml")
		require.NoError(t, err, want)
		require.Empty(t, settings)
	}
}

func TestFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"- 1":                 "p.yaml: is a list, must map names of parameters to values",
		"just words":          "p.yaml: is a string, must map",
		"a: [1":               "p.yaml: line 1: did not find expected",
		"a: 1\nb: 2\na: 3":    "p.yaml: line 3: a is set twice",
		"a b: 1":              `p.yaml: line 1: "a b" cannot name a Go variable`,
		"a: 1\n---\nb: 2":     "more than one YAML document",
		"x: &x 1\n<<: {a: 1}": `"<<" cannot name a Go variable`,
	} {
		_, err := FromFile(strings.NewReader(text), "p.yaml")
		require.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		"scale: 3":     `p.yaml: line 1: parameter scale is the int "3", must be string (put it in quotes)`,
		"scale:":       "p.yaml: line 1: parameter scale is the null, must be string",
		"scale: [a]":   "parameter scale is the list, must be string",
		"seeds: '3'":   `parameter seeds is the string "3", must be float64`,
		"deep: 'true'": `parameter deep is the string "true", must be bool`,
	} {
		settings, err := FromFile(strings.NewReader(text), "p.yaml")
		require.NoError(t, err)
		_, err = Resolve(declared(t), settings)
		require.ErrorContains(t, err, want, text)
	}
}

func FuzzFlag(f *testing.F) {
	all, err := Declared(cell)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"scale=x", "epochs=0x1", "seeds=-.inf", "lrs=[1,2]", "grid={a: [1]}", "nested=[[a]]", "pair=[1,2]", "words={a: b}", "count=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		s, err := FromFlag(arg)
		if err != nil {
			return
		}
		values, err := Resolve(all, []Setting{s})
		if err != nil {
			return
		}
		_, text, _ := strings.Cut(arg, "=")
		check(t, values[0], text)
	})
}

func FuzzFile(f *testing.F) {
	all, err := Declared(cell)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("scale: x\nepochs: 1")
	f.Add("lrs: [1, .nan]\ngrid: {a: [1]}\n")
	f.Add("words: {a: !!str 1}\nnested: [[a], []]")
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := FromFile(strings.NewReader(text), "f")
		if err != nil {
			return
		}
		values, err := Resolve(all, settings)
		if err != nil {
			return
		}
		for _, v := range values {
			check(t, v, "")
		}
	})
}

// check holds what is promised of every value that Resolve lets through.
func check(t *testing.T, v Value, text string) {
	if _, err := json.Marshal(v); err != nil {
		t.Fatalf("%v cannot be sent: %v", v, err)
	}
	switch v.Type {
	case "string":
		if text != "" && v.Value != text {
			t.Fatalf("string changed from %q to %q", text, v.Value)
		}
		if !utf8.ValidString(v.Value.(string)) {
			t.Fatalf("invalid UTF-8 in %q", v.Value)
		}
	case "int", "int8":
		if _, err := strconv.ParseInt(v.Value.(json.Number).String(), 10, 64); err != nil {
			t.Fatal(err)
		}
	case "float64":
		if _, err := strconv.ParseFloat(v.Value.(string), 64); err != nil {
			t.Fatal(err)
		}
	case "bool":
		_ = v.Value.(bool)
	}
}
