package optim

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// filled are gradients of 1 for a number of steps.
func filled(steps int, dims ...int) *tensors.Tensor {
	t := tensors.FromShape(shapes.Make(dtypes.Float32, append([]int{steps}, dims...)...))
	tensors.MustMutableFlatData(t, func(flat []float32) {
		for i := range flat {
			flat[i] = 1
		}
	})
	return t
}

// onlyLow shows the state-full part by itself.
func onlyLow(s Selector, density float64) ScaleByFrugal {
	return ScaleByFrugal{Full: Keep{}, Free: Freeze{}, Selector: s, Density: density, Gap: 1}
}

// The active tensors, selection by selection; the list is in the order of layers, not of names.
func TestFrugalBlockOrder(t *testing.T) {
	layers := []string{"b0/attn/q_proj/weights", "b0/attn/k_proj/weights", "b0/attn/v_proj/weights", "b0/mlp/up_proj/weights", "b0/mlp/down_proj/weights"}
	gradients := scan.Vars{}
	const steps = 4
	for i, path := range layers {
		gradients[path] = filled(steps, i+1, 2) // of unequal sizes
	}
	for order, want := range map[BlockOrder][]string{
		Descending: {"34", "12", "04", "23"},
		Ascending:  {"01", "23", "04", "12"},
		Mirror:     {"04", "13", "02", "14"},
	} {
		got := respondAll(t, onlyLow(Blocks{Order: order}, 0.4), gradients)
		for k := range steps {
			active := ""
			for i, path := range layers {
				n := len(got[path]) / steps
				switch part := got[path][k*n : (k+1)*n]; {
				case slices.Min(part) == 1:
					active += string(rune('0' + i))
				case slices.Max(part) != 0:
					t.Errorf("%s: %s is active in part", Blocks{Order: order}, path)
				}
			}
			if active != want[k] {
				t.Errorf("%s: selection %d is of %s, want %s", Blocks{Order: order}, k+1, active, want[k])
			}
		}
	}
}

// Random choices: every place equally often, none twice, another seed another choice. 3 of 12 over 400 selections: a place
// is chosen 100 times with a deviation of 8.7; 46 is 5.3 of them, passed by chance once in 10⁵ runs for 12 places.
func TestFrugalRandomChoices(t *testing.T) {
	const steps = 400
	for _, s := range []Selector{RandomCoordinates{}, Columns{}, Blocks{Order: RandomOrder}} {
		gradients := scan.Vars{"w": filled(steps, 12, 1)}
		if _, ok := s.(Blocks); ok {
			gradients = scan.Vars{}
			for i := range 12 {
				gradients[string(rune('a'+i))] = filled(steps, 1, 1)
			}
		}
		choices := func(seed int64) (out [][]float64) {
			f := onlyLow(s, 0.25)
			f.Seed = seed
			got := respondAll(t, f, gradients)
			for k := range steps {
				row := got["w"]
				if row != nil {
					row = row[12*k : 12*k+12]
				} else {
					for i := range 12 {
						row = append(row, got[string(rune('a'+i))][k])
					}
				}
				out = append(out, row)
			}
			return out
		}
		first, second := choices(1), choices(2)
		counts, same := make([]float64, 12), 0
		for k, row := range first {
			sum := 0.0
			for i, v := range row {
				counts[i] += v
				sum += v
			}
			if sum != 3 {
				t.Fatalf("%s: selection %d is of %g places, want 3", s, k+1, sum)
			}
			if slices.Equal(row, second[k]) {
				same++
			}
		}
		for i, c := range counts {
			if math.Abs(c-100) > 46 {
				t.Errorf("%s: place %d was chosen %g times of 400, want about 100", s, i, c)
			}
		}
		if same > 15 { // one in 220 by chance: 1.8 expected
			t.Errorf("%s: %d of 400 selections are the same with another seed", s, same)
		}
	}
}

// A row of zeros in the gradient, such as an unused input, and a gradient of zeros are left alone.
func TestFrugalZeroRows(t *testing.T) {
	g := tensors.FromValue([][][]float32{{{1, -2, 3}, {0, 0, 0}, {2, 1, -1}, {1, 5, 1}}, {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}}})
	for _, s := range []Selector{Columns{}, RandomCoordinates{}, SVD{}} {
		got := respondAll(t, ScaleByFrugal{Full: Freeze{}, Selector: s, Density: 0.5, Floor: 1e-6}, scan.Vars{"w": g})["w"]
		for i, v := range got {
			if (i/3 == 1 || i >= 12) && v != 0 {
				t.Errorf("%s: entry %d moves by %g without a gradient", s, i, v)
			}
		}
	}
}

// A gradient of rank one under SVD: its rest is rounding, whose signs are full steps unless there is a floor.
func TestFrugalFloor(t *testing.T) {
	g := tensors.FromValue([][][]float32{{{0.1, 0.2, 0.7}, {0.3, 0.6, 2.1}, {0.7, 1.4, 4.9}}})
	largest := func(floor float64) float64 {
		u := respondAll(t, ScaleByFrugal{Full: Freeze{}, Selector: SVD{}, Density: 0.4, Floor: floor}, scan.Vars{"w": g})["w"]
		return max(slices.Max(u), -slices.Min(u))
	}
	if got := largest(1e-6); got != 0 {
		t.Errorf("rounding makes a step of %g in spite of the floor", got)
	}
	if got := largest(0); got != 1 {
		t.Errorf("the largest step is %g without a floor, want 1 as in the reference", got)
	}
}

// The memory follows 2(M + ρN), exactly, and StateBytes counts it.
func TestFrugalMemory(t *testing.T) {
	b := backend.ForTest(t)
	params, total := map[string]shapes.Shape{}, scan.Vars{}
	add := func(path string, dims ...int) {
		params[path] = shapes.Make(dtypes.Float32, dims...)
		total[path] = tensors.FromShape(params[path])
	}
	add("embed", 16, 32)
	add("gain", 32)
	for _, block := range []string{"b0/", "b1/"} {
		for _, layer := range []string{"q", "k", "v", "o"} {
			add(block+"attn/"+layer+"_proj/weights", 32, 32)
		}
		add(block+"mlp/up_proj/weights", 32, 128)
		add(block+"mlp/down_proj/weights", 128, 32)
	}
	const regular, projectable = 16*32 + 32, 2 * (4*32*32 + 2*32*128)
	for _, c := range []struct {
		selector  Selector
		low, rest int // numbers of the low parts, and remembered
	}{
		{Columns{}, projectable / 4, 0}, {Rows{}, projectable / 4, 0}, {RandPerm{}, projectable / 4, 0}, {RandomCoordinates{}, projectable / 4, 0},
		{SVD{}, projectable / 4, 12 * 8 * 32}, {RandomProjection{}, projectable / 4, 12 * 8 * 32},
		{Blocks{}, 1024 + 2*4096, 0},                 // outputs, up and down of a block
		{Blocks{Order: RandomOrder}, 3 * 4096, 0},    // the three largest
		{Blocks{Order: Ascending}, 1024 + 2*4096, 0}, // the same sets
	} {
		f := ScaleByFrugal{Selector: c.selector}
		held, err := StateShapes(b, f, params)
		if err != nil {
			t.Fatal(err)
		}
		moments, rest := 0, 0
		for name, shape := range held {
			if strings.HasPrefix(name, choicePrefix) {
				rest += shape.Size()
			} else {
				moments += shape.Size()
			}
		}
		if moments != 2*(regular+c.low) || rest != c.rest {
			t.Errorf("%s: %d numbers of moments and %d of choices, want %d and %d", c.selector, moments, rest, 2*(regular+c.low), c.rest)
		}
		bytes, err := StateBytes(b, f, total)
		if err != nil || bytes != int64(4*(moments+rest)) {
			t.Errorf("%s: StateBytes is %d (%v), want %d", c.selector, bytes, err, 4*(moments+rest))
		}
	}
}

func TestFrugalLabels(t *testing.T) {
	g := graph.NewGraph(backend.ForTest(t), "labels")
	defer g.Finalize()
	var params []Param
	for path, dims := range map[string][]int{"embed/tokens": {4, 2}, "b/attn/q_proj/weights": {2, 2}, "b/attn/q_proj/biases": {2}, "b/mlp_norm/gain": {2}, "head/weights": {2, 4}, "b/mlp/up/weights": {2, 4}} {
		params = append(params, Param{Path: path, Value: graph.Parameter(g, path, shapes.Make(dtypes.Float32, dims...))})
	}
	labels, err := ScaleByFrugal{}.ParamLabels(params)
	if err != nil {
		t.Fatal(err)
	}
	for path, label := range labels {
		if want := map[bool]string{true: "projectable", false: "regular"}[strings.HasSuffix(path, "weights") && strings.HasPrefix(path, "b/")]; label != want {
			t.Errorf("%s is %s, want %s", path, label, want)
		}
	}
	if _, err := (ScaleByFrugal{Where: ByPath("none")}).ParamLabels(params); err == nil || !strings.Contains(err.Error(), "head/weights") {
		t.Errorf("a rule that matches nothing gives %v", err)
	}
}

func TestFrugalErrors(t *testing.T) {
	for want, f := range map[string]ScaleByFrugal{
		"Density is 1.5, must be in [0, 1]":   {Density: 1.5},
		"Density is -0.1, must be in [0, 1]":  {Density: -0.1},
		"Density is NaN":                      {Density: math.NaN()},
		"Gap is -1, must be at least 1":       {Gap: -1},
		"FreeScale is -1":                     {FreeScale: -1},
		"Scale is -1":                         {Scale: -1},
		"Floor is -1":                         {Floor: -1},
		"History is 7":                        {History: 7},
		"Order is 9":                          {Selector: Blocks{Order: 9}},
		"MinActive is -1":                     {Selector: Blocks{MinActive: -1}},
		"SVD: MinRank is -1":                  {Selector: SVD{MinRank: -1}},
		"RandomProjection: MinRank is -1":     {Selector: RandomProjection{MinRank: -1}},
		"Full asks for the loss":              {Full: SAM(0.05, ScaleByAdam{})},
		"ScaleByAdam: Beta1 is 2":             {Full: ScaleByAdam{Beta1: 2}},
		"Free has a state":                    {Free: ScaleByLion{}},
		`parameter "vector" is (Float32)[3]`:  {Selector: SVD{}, Where: ByPath("vector")},
		"must be a matrix for the selector c": {Selector: Columns{}, Where: ByPath("vector")},
		"with 1 active tensors of 3":          {Selector: Blocks{Order: Mirror}, Where: Not(ByPath("none")), Density: 0.33},
		"Where matches no parameter; there":   {Where: ByPath("none")},
	} {
		params := scan.Vars{"vector": tensors.FromValue([]float32{1, 2, 3}), "a": tensors.FromValue([][]float32{{1}}), "b": tensors.FromValue([][]float32{{1}})}
		if _, err := StateBytes(backend.ForTest(t), f, params); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
