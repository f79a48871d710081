package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// idx is an array in LeCun's format.
func idx(values []byte, dims ...uint32) []byte {
	out := []byte{0, 0, 8, byte(len(dims))}
	for _, n := range dims {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	return append(out, values...)
}

func TestParseIDX(t *testing.T) {
	dims, values, err := parseIDX(idx([]byte{1, 2, 3, 4, 5, 6}, 2, 3))
	if err != nil || !slices.Equal(dims, []int{2, 3}) || !slices.Equal(values, []byte{1, 2, 3, 4, 5, 6}) {
		t.Errorf("got %v %v %v", dims, values, err)
	}
	for want, content := range map[string][]byte{
		"does not begin with two zero bytes":        []byte("<html>"),
		"the type is 0xd, must be 0x08":             {0, 0, 13, 1, 0, 0, 0, 1, 0},
		"0 axes in 4 bytes":                         {0, 0, 8, 0},
		"5 axes in 24 bytes":                        idx(nil, 1, 1, 1, 1, 1),
		"2 axes in 8 bytes":                         {0, 0, 8, 2, 0, 0, 0, 1},
		"axis 0 has length 0":                       idx(nil, 0),
		"axis 0 has length 3, but only 2 values":    idx([]byte{1, 2}, 3),
		"2 values follow, must be 1":                idx([]byte{1, 2}, 1),
		"axis 1 has length 4294967295, but only 1 ": idx([]byte{1}, 1, math.MaxUint32, math.MaxUint32, math.MaxUint32),
	} {
		if _, _, err := parseIDX(content); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v gave %v, want an error that holds %q", content, err, want)
		}
	}
}

func packed(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err1 := z.Write(content)
	if err := errors.Join(err1, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The loader of pictures names what does not fit between the files, and scales grey values to [0, 1].
func TestPictures(t *testing.T) {
	serving := func(images, labels []byte) (*Dataset, error) {
		o := serve(t, func(w http.ResponseWriter, r *http.Request) {
			content := labels
			if strings.Contains(r.URL.Path, "images") {
				content = images
			}
			_, _ = w.Write(packed(t, content))
		})
		return pictures(t.Context(), Train, o, "set", "", nil, [4]string{}, []string{"a", "b"})
	}
	d, err := serving(idx([]byte{0, 255, 51, 102}, 2, 1, 2), idx([]byte{1, 0}, 2))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.X, []float32{0, 1, 0.2, 0.4}) || !slices.Equal(d.Labels, []int32{1, 0}) || !slices.Equal(d.Shape, []int{1, 2, 1}) {
		t.Errorf("got %v, %v, shape %v", d.X, d.Labels, d.Shape)
	}
	if got := d.Features().Shape().Dimensions; !slices.Equal(got, []int{2, 1, 2, 1}) {
		t.Errorf("features are shaped %v", got)
	}
	for want, files := range map[string][2][]byte{
		"must be one label a picture":    {idx([]byte{1, 2}, 2, 1, 1), idx([]byte{1}, 1)},
		"pictures are [2]":               {idx([]byte{1, 2}, 2), idx([]byte{1, 1}, 2)},
		"label 1 is 2, must be below 2":  {idx([]byte{1, 2}, 2, 1, 1), idx([]byte{1, 2}, 2)},
		"train-labels-idx1-ubyte.gz: da": {idx([]byte{1, 2}, 2, 1, 1), []byte("garbage")},
	} {
		if _, err := serving(files[0], files[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
}

// archive is a tar file packed by gzip, of files in a folder.
func archive(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, content := range files {
		err := w.WriteHeader(&tar.Header{Name: "folder/" + name, Mode: 0o644, Size: int64(len(content))})
		_, err2 := w.Write(content)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed(t, out.Bytes())
}

// painted is a CIFAR picture: its labels, and colours that tell pixel and channel apart.
func painted(labels ...byte) []byte {
	out := slices.Clone(labels)
	for c := range 3 {
		for p := range 1024 {
			out = append(out, byte(p+50*c))
		}
	}
	return out
}

func TestCIFAR(t *testing.T) {
	load := func(files map[string][]byte, names []string, labels int) (*Dataset, error) {
		o := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive(t, files)) })
		return cifar(t.Context(), o, file{set: "set", name: "a.tar.gz"}, names, labels, []string{"a", "b", "c"})
	}
	two := append(painted(2), painted(0)...)
	d, err := load(map[string][]byte{"1.bin": two, "2.bin": painted(1), "readme.html": nil}, []string{"2.bin", "1.bin"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Labels, []int32{1, 2, 0}) || d.Validate() != nil {
		t.Errorf("labels are %v (%v), want those of the files in the order asked for", d.Labels, d.Validate())
	}
	for _, at := range []struct{ picture, y, x, c int }{{0, 0, 0, 0}, {0, 1, 2, 1}, {2, 31, 31, 2}, {1, 0, 7, 2}} {
		got := d.X[((at.picture*32+at.y)*32+at.x)*3+at.c]
		if want := float32(byte(at.y*32+at.x+50*at.c)) / 255; got != want {
			t.Errorf("picture %d at (%d, %d), colour %d is %g, want %g", at.picture, at.y, at.x, at.c, got, want)
		}
	}
	// CIFAR-100 has the coarse label before the fine one.
	if d, err = load(map[string][]byte{"train.bin": painted(9, 2)}, []string{"train.bin"}, 2); err != nil || !slices.Equal(d.Labels, []int32{2}) {
		t.Errorf("got %v, want the fine label", err)
	}
	for want, content := range map[string][]byte{
		"1.bin: it has 3072 bytes, must be a multiple of 3073": painted(1)[1:],
		"1.bin: it has 0 bytes":                                {},
		"picture 1 has the label 3, must be below 3":           append(painted(0), painted(3)...),
	} {
		if _, err := load(map[string][]byte{"1.bin": content}, []string{"1.bin"}, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that holds %q", err, want)
		}
	}
	if _, err := load(map[string][]byte{"1.bin": painted(0)}, []string{"1.bin", "2.bin", "3.bin"}, 1); err == nil || !strings.Contains(err.Error(), "the archive lacks 2.bin, 3.bin") {
		t.Errorf("got %v", err)
	}
	o := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(packed(t, []byte("no archive, but packed")))
	})
	if _, err := cifar(t.Context(), o, file{set: "set", name: "a.tar.gz"}, []string{"1.bin"}, 1, nil); err == nil {
		t.Error("garbage gave no error")
	}
}

func TestParseNumbers(t *testing.T) {
	columns, x, last, err := parseNumbers("a,b,target\n1,2,3\n4,5.5,6\n")
	if err != nil || !slices.Equal(columns, []string{"a", "b"}) || !slices.Equal(x, []float32{1, 2, 4, 5.5}) || !slices.Equal(last, []float32{3, 6}) {
		t.Errorf("got %v %v %v %v", columns, x, last, err)
	}
	for text, want := range map[string]string{
		"":                   "the line of names",
		"a\n1\n":             "there are 1 columns, must be at least 2",
		"a,b\n":              "there are no rows",
		"a,b\n1,2\nx,2\n":    `line 3, column a: "x" is no finite number`,
		"a,b\n1,NaN\n":       `line 2, column b: "NaN" is no finite number`,
		"a,b\n-Inf,1\n":      `"-Inf" is no finite number`,
		"a,b\n1e39,1\n":      `"1e39" is no finite number`, // beyond float32
		"a,b\n1,2,3\n":       "wrong number of fields",
		"a,b\n\"1,2\n":       "quote",
		"a,b\n1,2\n,\n":      `line 3, column a: "" is no finite number`,
		"a,b\n1,2\n3,0x1p\n": `"0x1p" is no finite number`,
	} {
		if _, _, _, err := parseNumbers(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want an error that holds %q", text, err, want)
		}
	}
}

const (
	person = "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, United-States, <=50K\n"
	other  = "50, ?, 83311, Bachelors, 13, Never-married, Adm-clerical, Husband, White, Female, 0, 0, 13, United-States, >50K.\n"
)

func TestParseAdult(t *testing.T) {
	d, err := parseAdult(person + "\n" + other)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	of := func(row int, column string) float32 {
		at := slices.Index(d.Columns, column)
		if at < 0 {
			t.Fatalf("there is no column %q in %v", column, d.Columns)
		}
		return d.X[row*d.width()+at]
	}
	for _, c := range []struct {
		row    int
		column string
		want   float32
	}{{0, "age", 39}, {1, "age", 50}, {0, "workclass=?", 0}, {1, "workclass=?", 1}, {0, "workclass=State-gov", 1}, {0, "sex=Male", 1}, {1, "hours-per-week", 13}} {
		if got := of(c.row, c.column); got != c.want {
			t.Errorf("row %d, %s is %g, want %g", c.row, c.column, got, c.want)
		}
	}
	if !slices.Equal(d.Labels, []int32{0, 1}) {
		t.Errorf("labels are %v, want 0 1: the test file's full stop is no part of the class", d.Labels)
	}
	for text, want := range map[string]string{
		"":                                      "there are no rows",
		"39, State-gov\n":                       "line 1 has 2 columns, must have 15",
		strings.Replace(person, "39", "old", 1): `row 1: age: "old" is no finite number`,
		strings.Replace(person, "39", "NaN", 1): `row 1: age: "NaN" is no finite number`,
		strings.Replace(person, "<=50K", "50K", 1): `row 1: the class is "50K", must be <=50K or >50K`,
	} {
		if _, err := parseAdult(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want an error that holds %q", text, err, want)
		}
	}
}

const insured = "age,sex,bmi,children,smoker,region,charges\n19,female,27.9,0,yes,southwest,16884.924\n"

func TestParseInsurance(t *testing.T) {
	d, err := parseInsurance(insured)
	if err != nil || !slices.Equal(d.X, []float32{19, 0, 27.9, 0, 1, 0, 0, 0, 1}) || !slices.Equal(d.Targets, []float32{16884.924}) || d.Validate() != nil {
		t.Errorf("got %+v %v", d, err)
	}
	for text, want := range map[string]string{
		"":                "the first line must name age",
		"a,b\n1,2\n":      "the first line must name age",
		insured + "1,2\n": "wrong number of fields",
		strings.Replace(insured, "female", "f", 1):       `row 1: "f" must be female or male`,
		strings.Replace(insured, "southwest", "moon", 1): `row 1: region is "moon", must be one of northeast`,
		strings.Replace(insured, "19", "x", 1):           `row 1: "x" is no finite number`,
		strings.Replace(insured, "16884.924", "Inf", 1):  `row 1: "Inf" is no finite number`,
	} {
		if _, err := parseInsurance(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want an error that holds %q", text, err, want)
		}
	}
}

const reconstructed = "age,income,gender,race,workclass,education,education-num,marital-status,relationship,occupation,native-country,hours-per-week,capital-gain,capital-loss\n" +
	"39,49100,Male,White,State-gov,Bachelors,13,Never-married,Not-in-family,Adm-clerical,United-States,40,2174,0\n" +
	"50,12000,Female,Black,?,HS-grad,9,Never-married,Wife,Sales,United-States,13,0,0\n"

func TestParseReconstruction(t *testing.T) {
	d, err := parseReconstruction(reconstructed)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Targets, []float32{49100, 12000}) {
		t.Errorf("incomes are %v", d.Targets)
	}
	for column, want := range map[string][2]float32{"age": {39, 50}, "hours-per-week": {40, 13}, "sex=Male": {1, 0}, "race=Black": {0, 1}, "workclass=?": {0, 1}, "education-num": {13, 9}} {
		at := slices.Index(d.Columns, column)
		if at < 0 {
			t.Fatalf("there is no column %q in %v", column, d.Columns)
		}
		if got := [2]float32{d.X[at], d.X[d.width()+at]}; got != want {
			t.Errorf("%s is %v, want %v", column, got, want)
		}
	}
	for text, want := range map[string]string{
		"": "a line of names and rows after it",
		strings.SplitAfter(reconstructed, "\n")[0]: "a line of names and rows after it",
		"a,b\n1,2\n": "lacks the column hours-per-week",
		strings.Replace(reconstructed, "income", "pay", 1): "lacks the column income",
		strings.Replace(reconstructed, "49100", "", 1):     `row 1: income: "" is no finite number`,
		strings.Replace(reconstructed, "50,12", "x,12", 1): `row 2: age: "x" is no finite number`,
		strings.Replace(reconstructed, ",0\n", "\n", 1):    "wrong number of fields",
	} {
		if _, err := parseReconstruction(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want an error that holds %q", text, err, want)
		}
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idx([]byte{1, 2, 3, 4, 5, 6}, 2, 3))
	f.Add(idx(nil, math.MaxUint32, math.MaxUint32))
	f.Fuzz(func(t *testing.T, content []byte) {
		dims, values, err := parseIDX(content)
		if err != nil {
			return
		}
		size := 1
		for _, n := range dims {
			size *= n
		}
		if size != len(values) || size < 1 {
			t.Errorf("%v with %d values", dims, len(values))
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(painted(1), 1)
	f.Add(painted(1, 2), 2)
	f.Add([]byte("<html>"), 1)
	f.Fuzz(func(t *testing.T, content []byte, labels int) {
		if labels != 1 && labels != 2 {
			return
		}
		d := &Dataset{Name: "fuzz", Shape: []int{32, 32, 3}, Classes: make([]string, 10)}
		if parseCIFAR(d, content, labels) == nil && d.Validate() != nil {
			t.Error(d.Validate())
		}
	})
}

func FuzzUntar(f *testing.F) {
	inside, err := gunzip(archive(f, map[string][]byte{"1.bin": []byte("content")}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(inside)
	f.Add([]byte("no archive"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if files, err := untar(content, []string{"1.bin"}); err == nil && len(files[0]) > len(content) {
			t.Errorf("%d bytes came out of %d", len(files[0]), len(content))
		}
	})
}

func FuzzTables(f *testing.F) {
	f.Add("a,b\n1,2\n")
	f.Add(person + other)
	f.Add(insured)
	f.Add(reconstructed)
	f.Fuzz(func(t *testing.T, text string) {
		if columns, x, last, err := parseNumbers(text); err == nil && (len(x) != len(columns)*len(last) || len(last) == 0) {
			t.Errorf("%d features of %d columns in %d rows", len(x), len(columns), len(last))
		}
		for _, parse := range []func(string) (*Dataset, error){parseAdult, parseReconstruction, parseInsurance} {
			d, err := parse(text)
			if err == nil && (d.Validate() != nil || d.Rows() == 0) {
				t.Errorf("%d rows, %v", d.Rows(), d.Validate())
			}
		}
	})
}
