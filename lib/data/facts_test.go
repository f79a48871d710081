package data

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"testing"
)

// facts is what testdata/facts.py found out about a data set.
type facts struct {
	Shape             []int
	Mean, Deviation   float64
	First, Last       float64
	Weighted          float64
	Means, Deviations []float64
	Counts            []int
	Target            float64
}

// Each set is the published one: as scikit-learn and numpy read it.
func TestFacts(t *testing.T) {
	text, err := os.ReadFile("testdata/facts.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]facts
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	embed := func(load func() (*Dataset, error)) func() (*Dataset, error) { return load }
	looked := func(load func(context.Context, Options) (*Dataset, error)) func() (*Dataset, error) {
		return func() (*Dataset, error) { return load(t.Context(), Options{Offline: true}) }
	}
	part := func(load func(context.Context, Part, Options) (*Dataset, error), p Part) func() (*Dataset, error) {
		return func() (*Dataset, error) { return load(t.Context(), p, Options{Offline: true}) }
	}
	for name, load := range map[string]func() (*Dataset, error){
		"digits": embed(Digits), "breast-cancer": embed(BreastCancer), "wine": embed(Wine), "diabetes": embed(Diabetes),
		"fashion-mnist train": part(FashionMNIST, Train), "fashion-mnist test": part(FashionMNIST, Test),
		"mnist test": part(MNIST, Test), "adult": looked(Adult), "insurance": looked(Insurance),
	} {
		t.Run(name, func(t *testing.T) {
			d, err := load()
			if errors.Is(err, ErrUnavailable) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			want, known := all[name]
			if !known {
				t.Fatal("facts.json knows nothing of it")
			}
			compareFacts(t, d, want)
		})
	}
}

func compareFacts(t *testing.T, d *Dataset, want facts) {
	t.Helper()
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	w := d.width()
	if got := []int{d.Rows(), w}; !slices.Equal(got, want.Shape) {
		t.Fatalf("the table is %v, want %v", got, want.Shape)
	}
	if d.Columns != nil && len(d.Columns) != w {
		t.Errorf("%d columns have names, want %d", len(d.Columns), w)
	}
	var sum, squares, first, last, weighted float64
	for i, x := range d.X {
		v := float64(x)
		sum, squares, weighted = sum+v, squares+v*v, weighted+v*float64(1+i%1009)
		if i < w {
			first += v
		}
		if i >= len(d.X)-w {
			last += v
		}
	}
	n := float64(len(d.X))
	mean := sum / n
	close := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 2e-6*math.Max(1, math.Abs(want))) { // features are float32
			t.Errorf("%s is %.9g, want %.9g", what, got, want)
		}
	}
	close("mean", mean, want.Mean)
	close("deviation", math.Sqrt(squares/n-mean*mean), want.Deviation)
	close("sum of the first row", first, want.First)
	close("sum of the last row", last, want.Last)
	close("mean weighted by place", weighted/n, want.Weighted)
	if want.Means != nil {
		s, err := FitScaling(d)
		if err != nil {
			t.Fatal(err)
		}
		for j := range w {
			close("mean of a column", s.Mean[j], want.Means[j])
			deviation := want.Deviations[j]
			if deviation == 0 {
				deviation = 1 // as documented
			}
			close("deviation of a column", s.Deviation[j], deviation)
		}
	}
	if want.Counts == nil {
		var targets float64
		for _, y := range d.Targets {
			targets += float64(y)
		}
		close("mean target", targets/float64(d.Rows()), want.Target)
		return
	}
	counts := make([]int, len(d.Classes))
	for _, l := range d.Labels {
		counts[l]++
	}
	if !slices.Equal(counts, want.Counts) {
		t.Errorf("the classes have %v examples, want %v", counts, want.Counts)
	}
}

// CIFAR's published sizes: as many pictures of each class, and the means that everybody normalizes by.
func TestCIFARFacts(t *testing.T) {
	for name, c := range map[string]struct {
		load    func(context.Context, Part, Options) (*Dataset, error)
		part    Part
		each    int // examples a class
		classes int
		means   []float64
	}{
		"CIFAR-10 train":  {CIFAR10, Train, 5000, 10, []float64{0.4914, 0.4822, 0.4465}},
		"CIFAR-10 test":   {CIFAR10, Test, 1000, 10, nil},
		"CIFAR-100 train": {CIFAR100, Train, 500, 100, []float64{0.5071, 0.4865, 0.4409}},
		"CIFAR-100 test":  {CIFAR100, Test, 100, 100, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := c.load(t.Context(), c.part, Options{Offline: true})
			if errors.Is(err, ErrUnavailable) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			counts := make([]int, c.classes)
			for _, l := range d.Labels {
				counts[l]++
			}
			if slices.Min(counts) != c.each || slices.Max(counts) != c.each {
				t.Errorf("classes have %d to %d examples, want %d", slices.Min(counts), slices.Max(counts), c.each)
			}
			sums := make([]float64, 3)
			for i, x := range d.X {
				sums[i%3] += float64(x)
			}
			for k, want := range c.means {
				if got := sums[k] / float64(len(d.X)/3); math.Abs(got-want) > 5e-4 {
					t.Errorf("the mean of colour %d is %.4f, want %.4f", k, got, want)
				}
			}
		})
	}
}
