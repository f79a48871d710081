package data

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// Dataset is a table of examples: features in rows, and either a class or a number to predict for each.
type Dataset struct {
	Name    string
	X       []float32 // Rows × the product of Shape, row by row
	Shape   []int     // of one example: [28 28 1] for a picture (height, width, channels), [30] for a table
	Labels  []int32   // class of each example, for classification
	Classes []string
	Targets []float32 // number of each example, for regression
	Columns []string  // names of the features, for tables
}

// Rows is the number of examples.
func (d *Dataset) Rows() int {
	if d.Labels != nil {
		return len(d.Labels)
	}
	return len(d.Targets)
}

// width is the number of features of one example.
func (d *Dataset) width() int {
	w := 1
	for _, n := range d.Shape {
		w *= n
	}
	return w
}

// Features are the examples as a tensor shaped [rows, Shape…].
func (d *Dataset) Features() *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(d.X, append([]int{d.Rows()}, d.Shape...)...)
}

// LabelTensor holds the classes, shaped [rows], in int32.
func (d *Dataset) LabelTensor() *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(d.Labels, len(d.Labels))
}

// Take returns the examples of the given rows, in that order. A row out of range is an error.
func (d *Dataset) Take(rows []int) (*Dataset, error) {
	out := *d
	w := d.width()
	out.X = make([]float32, 0, len(rows)*w)
	out.Labels, out.Targets = nil, nil
	for _, r := range rows {
		if r < 0 || r >= d.Rows() {
			return nil, fmt.Errorf("data: %s: row %d, must be between 0 and %d", d.Name, r, d.Rows()-1)
		}
		out.X = append(out.X, d.X[r*w:(r+1)*w]...)
		if d.Labels != nil {
			out.Labels = append(out.Labels, d.Labels[r])
		}
		if d.Targets != nil {
			out.Targets = append(out.Targets, d.Targets[r])
		}
	}
	return &out, nil
}

// First returns the first n examples.
func (d *Dataset) First(n int) (*Dataset, error) {
	if n < 1 || n > d.Rows() {
		return nil, fmt.Errorf("data: %s: First: n is %d, must be between 1 and %d", d.Name, n, d.Rows())
	}
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return d.Take(rows)
}

// Split divides the examples by a seeded shuffle: a fraction test of them goes to the second part, at least one to each.
// With classes it is stratified: each class is divided in that proportion.
func (d *Dataset) Split(test float64, seed uint64) (train, held *Dataset, err error) {
	if !(test > 0 && test < 1) {
		return nil, nil, fmt.Errorf("data: %s: Split: test is %g, must be between 0 and 1", d.Name, test)
	}
	groups := map[int32][]int{}
	order := rand.New(rand.NewPCG(seed, 0x73706c6974)).Perm(d.Rows())
	var kinds []int32
	for _, r := range order {
		var kind int32
		if d.Labels != nil {
			kind = d.Labels[r]
		}
		if groups[kind] == nil {
			kinds = append(kinds, kind)
		}
		groups[kind] = append(groups[kind], r)
	}
	var a, b []int
	for _, kind := range kinds {
		rows := groups[kind]
		n := int(math.Round(test * float64(len(rows))))
		b, a = append(b, rows[:n]...), append(a, rows[n:]...)
	}
	if len(a) == 0 || len(b) == 0 {
		return nil, nil, fmt.Errorf("data: %s: Split: test is %g, which leaves a part empty", d.Name, test)
	}
	train, err1 := d.Take(a)
	held, err2 := d.Take(b)
	return train, held, errors.Join(err1, err2)
}

// Scaling is an affine map of each feature: (x − Mean)/Deviation.
type Scaling struct{ Mean, Deviation []float32 }

// FitScaling measures the features' means and deviations. A feature that never varies keeps the deviation 1.
func FitScaling(d *Dataset) (Scaling, error) {
	w := d.width()
	if d.Rows() == 0 {
		return Scaling{}, fmt.Errorf("data: %s: FitScaling: there are no examples", d.Name)
	}
	s := Scaling{make([]float32, w), make([]float32, w)}
	for j := range w {
		var sum, squares float64
		for r := range d.Rows() {
			sum += float64(d.X[r*w+j])
		}
		mean := sum / float64(d.Rows())
		for r := range d.Rows() {
			diff := float64(d.X[r*w+j]) - mean
			squares += diff * diff
		}
		deviation := math.Sqrt(squares / float64(d.Rows()))
		if deviation == 0 {
			deviation = 1
		}
		s.Mean[j], s.Deviation[j] = float32(mean), float32(deviation)
	}
	return s, nil
}

// Apply returns a scaled copy. Fit on the training part, and apply to both.
func (s Scaling) Apply(d *Dataset) (*Dataset, error) {
	w := d.width()
	if len(s.Mean) != w || len(s.Deviation) != w {
		return nil, fmt.Errorf("data: %s: Scaling has %d features, must have %d", d.Name, len(s.Mean), w)
	}
	out := *d
	out.X = make([]float32, len(d.X))
	for i, x := range d.X {
		out.X[i] = (x - s.Mean[i%w]) / s.Deviation[i%w]
	}
	return &out, nil
}

// Normalize returns a copy with every feature x as (x − mean)/deviation: pictures have one pair for all pixels.
func (d *Dataset) Normalize(mean, deviation float32) (*Dataset, error) {
	if !(deviation > 0) {
		return nil, fmt.Errorf("data: %s: Normalize: deviation is %g, must be positive", d.Name, deviation)
	}
	out := *d
	out.X = make([]float32, len(d.X))
	for i, x := range d.X {
		out.X[i] = (x - mean) / deviation
	}
	return &out, nil
}

// OneHot returns the classes as rows of zeros with a single one: rows × classes.
func OneHot(labels []int32, classes int) ([]float32, error) {
	out := make([]float32, len(labels)*classes)
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return nil, fmt.Errorf("data: OneHot: label %d is %d, must be between 0 and %d", i, l, classes-1)
		}
		out[i*classes+int(l)] = 1
	}
	return out, nil
}
