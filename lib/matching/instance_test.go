package matching

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestNewBadArguments(t *testing.T) {
	for want, c := range map[string]struct{ p, w any }{
		"P[1] has 1 probabilities, must have one an offline vertex, 2": {[][]float64{{.1, .2}, {.1}}, []float64(nil)},
		"P[0][1] is 1.5, must be in [0, 1]":                            {[][]float64{{.1, 1.5}}, []float64(nil)},
		"P[0][0] is -0.1":                                              {[][]float64{{-.1, .5}}, []float64(nil)},
		"P[0][0] is NaN":                                               {[][]float64{{math.NaN(), .5}}, []float64(nil)},
		"weight 1 is 0, must be > 0":                                   {[][]float64{{.1, .5}}, []float64{1, 0}},
		"weight 0 is -1":                                               {[][]float64{{.1, .5}}, []float64{-1, 1}},
		"weight 0 is NaN":                                              {[][]float64{{.1}}, []float64{math.NaN()}},
		"weight 0 is +Inf":                                             {[][]float64{{.1}}, []float64{math.Inf(1)}},
		"P[0] has 2 probabilities, must have one an offline vertex, 3": {[][]float64{{.1, .5}}, []float64{1, 1, 1}},
		"there are 0 offline vertices, must be at least 1":             {[][]float64{}, []float64(nil)},
	} {
		if _, err := New(c.p.([][]float64), c.w.([]float64)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, must say %q", err, want)
		}
	}
	_, err := New([][]float64{{2, 1}, {1, -1}}, []float64{0, 1})
	for _, part := range []string{"P[0][0]", "P[1][1]", "weight 0"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v leaves out %s", err, part)
		}
	}
	if in, err := New(nil, []float64{1}); err != nil || len(in.Arrivals) != 0 {
		t.Errorf("%v, %v", in, err)
	}
}

func TestGenerators(t *testing.T) {
	in := triangle(t, 3, .5)
	want := table(t, [][]float64{{.5, .5, .5}, {.5, .5, .5}, {0, .5, .5}, {0, .5, .5}, {0, 0, .5}, {0, 0, .5}})
	if !reflect.DeepEqual(in, want) {
		t.Errorf("%v", in)
	}
	unequal, err := UnequalTriangle(6, .05, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, edges := range unequal.Arrivals {
		for _, e := range edges {
			if e.P < .05/math.E || e.P > .05*math.E {
				t.Fatalf("probability %g", e.P)
			}
		}
	}
	if _, equal := unequal.Equal(); equal {
		t.Error("the probabilities are equal")
	}
	plain, err := UnequalTriangle(6, .05, 0, 3)
	if err != nil || !reflect.DeepEqual(plain, triangle(t, 6, .05)) {
		t.Errorf("a spread of 0 changes the triangle, %v", err)
	}
	certain, err := UnequalTriangle(2, 1, 5, 1)
	if err != nil || certain.Validate() != nil {
		t.Errorf("%v, %v", err, certain.Validate())
	}
	again, err := UnequalTriangle(6, .05, 1, 3)
	if err != nil || !reflect.DeepEqual(again, unequal) {
		t.Errorf("the same seed gives another instance, %v", err)
	}

	// 400 000 pairs: the number of edges is within 5 standard deviations with probability 1 − 6e-7.
	random, err := RandomBipartite(100, 4000, .3, .1, 1)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, edges := range random.Arrivals {
		count += len(edges)
	}
	if math.Abs(float64(count)-120_000) > 5*math.Sqrt(400_000*.3*.7) {
		t.Errorf("%d edges of 400000 pairs at density .3", count)
	}
	if err := random.Validate(); err != nil {
		t.Error(err)
	}
	for density, edges := range map[float64]int{0: 0, 1: 12} {
		in, err := RandomBipartite(3, 4, density, .5, 1)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, e := range in.Arrivals {
			count += len(e)
		}
		if count != edges {
			t.Errorf("density %g: %d edges", density, count)
		}
	}
	weighted, err := RandomWeights(in, .25, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range weighted.Weights {
		if w < .25 || w > 2 {
			t.Errorf("weight %g", w)
		}
	}
}

func TestGeneratorsBadArguments(t *testing.T) {
	in := triangle(t, 2, .5)
	for name, make := range map[string]func() (*Instance, error){
		"n is 0":         func() (*Instance, error) { return Triangle(0, .5) },
		"p is 0":         func() (*Instance, error) { return Triangle(2, 0) },
		"p is 1.1":       func() (*Instance, error) { return Triangle(2, 1.1) },
		"p is NaN":       func() (*Instance, error) { return Triangle(2, math.NaN()) },
		"s is -1":        func() (*Instance, error) { return UnequalTriangle(2, .5, -1, 0) },
		"s is +Inf":      func() (*Instance, error) { return UnequalTriangle(2, .5, math.Inf(1), 0) },
		"density is 2":   func() (*Instance, error) { return RandomBipartite(2, 2, 2, .5, 0) },
		"density is NaN": func() (*Instance, error) { return RandomBipartite(2, 2, math.NaN(), .5, 0) },
		"arrivals is -1": func() (*Instance, error) { return RandomBipartite(2, -1, .5, .5, 0) },
		"[0, 1]":         func() (*Instance, error) { return RandomWeights(in, 0, 1, 0) },
		"3 weights":      func() (*Instance, error) { return in.WithWeights([]float64{1, 2, 3}) },
		"weight 1 is 0":  func() (*Instance, error) { return in.WithWeights([]float64{1, 0}) },
	} {
		if _, err := make(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, must say %q", err, name)
		}
	}
	for _, order := range [][]int{{0, 0}, {-1}} {
		if _, err := FixedOrder(order); err == nil {
			t.Errorf("%v is taken", order)
		}
	}
}

func TestFixedOrder(t *testing.T) {
	policy, err := FixedOrder([]int{2})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Replay(triangle(t, 3, .5), policy, Coupling{Thresholds: []int{9, 1, 2}})
	if want := []int{2, 2, 1, -1, -1, -1}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, must be %v", got, err, want)
	}
}

func TestShares(t *testing.T) {
	for name, g := range map[string]Share{"exponential": ExponentialShare, "linear": LinearShare, "constant": ConstantShare, "budget": BudgetShare} {
		last := 0.0
		for i := range 101 {
			x := g(float64(i) / 25)
			if !(x >= last && x <= 1) {
				t.Errorf("%s at %g is %g after %g", name, float64(i)/25, x, last)
			}
			last = x
		}
	}
}

const small = `# two offline vertices
w, 2, 1
0.3, 0.6
0.9,
0,0
`

func TestRead(t *testing.T) {
	want := table(t, [][]float64{{.3, .6}, {.9, 0}, {0, 0}}, 2, 1)
	for name, text := range map[string]string{"CSV": small,
		"JSON table": ` {"weights":[2,1],"p":[[0.3,0.6],[0.9,0],[0,0]]}`,
		"JSON edges": `{"weights":[2,1],"arrivals":[[{"u":0,"p":0.3},{"u":1,"p":0.6}],[{"u":0,"p":0.9}],null]}`} {
		in, err := Read(strings.NewReader(text))
		if err != nil || !reflect.DeepEqual(in, want) {
			t.Errorf("%s: %v, %v", name, in, err)
		}
	}
	for text, want := range map[string]string{
		"":                           "0 offline vertices",
		"0.1,0.2\n0.3\n":             "P[1] has 1 probabilities",
		"0.1,x\n":                    `line 1: cell 2 is "x", must be a number or empty`,
		"0.1\nw,1\n":                 "line 2: the weights must come first",
		"w,1\n2\n":                   "P[0][0] is 2",
		"NaN\n":                      "P[0][0] is NaN",
		"\"":                         "Read: ",
		"{":                          "Read: ",
		`{"weights":[1],"q":[]}`:     "unknown field",
		`{"weights":[1],"p":[[.1]]`:  "Read: ",
		`{"p":[[1]],"arrivals":[[]]`: "Read: ",
		`{"weights":[1],"p":[[0.5]],"arrivals":[[]]}`:        "must be one of them",
		`{"weights":[1],"arrivals":[[{"u":1,"p":0.5}]]}`:     "must be in [0, 0]",
		`{"weights":[1],"arrivals":[[{"u":0,"p":0}]]}`:       "must be in (0, 1]",
		`{"weights":[-1],"arrivals":[]}`:                     "weight 0 is -1",
		`{"weights":[1],"arrivals":[[{"u":0,"p":0.5}]]} etc`: "Read: ",
	} {
		if in, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, must say %q", text, in, err, want)
		}
	}
	if in, err := Read(strings.NewReader("w,1,2\n")); err != nil || len(in.Weights) != 2 || len(in.Arrivals) != 0 {
		t.Errorf("%v, %v", in, err)
	}
}

// What is read is valid, and comes back the same from both formats.
func FuzzRead(f *testing.F) {
	for _, text := range []string{small, "0.5\n", "w,1,2\n", "1e-300,1\n", `{"weights":[2,1],"p":[[0.3,0.6]]}`, `{"weights":[2,1],"arrivals":[[{"u":0,"p":0.3}],null]}`, "#", "w", "\"0.5\",\n", "-0,0x1p-2\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		if err := in.Validate(); err != nil {
			t.Fatalf("what was read is not valid: %v", err)
		}
		var table bytes.Buffer
		if err := in.WriteCSV(&table); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		for name, form := range map[string]string{"CSV": table.String(), "JSON": string(data)} {
			again, err := Read(strings.NewReader(form))
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, form)
			}
			if !same(in, again) {
				t.Fatalf("%s: %v comes back as %v", name, in, again)
			}
		}
	})
}

// same compares instances; an arrival without edges may be nil or empty.
func same(a, b *Instance) bool {
	if !reflect.DeepEqual(a.Weights, b.Weights) || len(a.Arrivals) != len(b.Arrivals) {
		return false
	}
	for v := range a.Arrivals {
		if len(a.Arrivals[v])+len(b.Arrivals[v]) > 0 && !reflect.DeepEqual(a.Arrivals[v], b.Arrivals[v]) {
			return false
		}
	}
	return true
}
