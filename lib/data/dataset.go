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
	return max(len(d.Labels), len(d.Targets))
}

// Validate says what does not fit: the loaders' sets are always valid, this is for those made by hand.
func (d *Dataset) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("data: %s: "+format, append([]any{d.Name}, args...)...))
	}
	for _, n := range d.Shape {
		if n < 1 {
			bad("Shape is %v, must hold lengths of at least 1", d.Shape)
			return errors.Join(errs...)
		}
	}
	if (d.Labels == nil) == (d.Targets == nil) {
		bad("there are %d labels and %d targets, must be one kind", len(d.Labels), len(d.Targets))
	}
	if want := d.Rows() * d.width(); len(d.X) != want {
		bad("X holds %d features, must hold %d: %d rows shaped %v", len(d.X), want, d.Rows(), d.Shape)
	}
	for i, l := range d.Labels {
		if l < 0 || int(l) >= len(d.Classes) {
			bad("label %d is %d, must be between 0 and %d", i, l, len(d.Classes)-1)
			break
		}
	}
	return errors.Join(errs...)
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
	if err := d.Validate(); err != nil {
		return nil, err
	}
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
type Scaling struct{ Mean, Deviation []float64 }

// FitScaling measures the features' means and deviations (root of the mean square, not over n−1). A feature that never
// varies keeps the deviation 1. A feature that is NaN or infinite is an error.
func FitScaling(d *Dataset) (Scaling, error) {
	if err := d.Validate(); err != nil {
		return Scaling{}, err
	}
	w := d.width()
	if d.Rows() == 0 {
		return Scaling{}, fmt.Errorf("data: %s: FitScaling: there are no examples", d.Name)
	}
	for i, x := range d.X {
		if x := float64(x); math.IsNaN(x) || math.IsInf(x, 0) {
			return Scaling{}, fmt.Errorf("data: %s: FitScaling: feature %d of row %d is %g, must be finite", d.Name, i%w, i/w, x)
		}
	}
	s := Scaling{make([]float64, w), make([]float64, w)}
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
		s.Mean[j], s.Deviation[j] = mean, deviation
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
		out.X[i] = float32((float64(x) - s.Mean[i%w]) / s.Deviation[i%w])
	}
	return &out, nil
}

// Normalize returns a copy with every feature x as (x − mean)/deviation: pictures have one pair for all pixels.
func (d *Dataset) Normalize(mean, deviation float32) (*Dataset, error) {
	return d.NormalizeChannels([]float32{mean}, []float32{deviation})
}

// NormalizeChannels is like Normalize with a pair for each place along the last axis: for pictures, each colour.
func (d *Dataset) NormalizeChannels(mean, deviation []float32) (*Dataset, error) {
	n := len(mean)
	if n != len(deviation) || n != 1 && (len(d.Shape) == 0 || n != d.Shape[len(d.Shape)-1]) {
		return nil, fmt.Errorf("data: %s: Normalize: there are %d means and %d deviations, must be one of each, or one a channel of %v", d.Name, n, len(deviation), d.Shape)
	}
	for i := range mean {
		if m, s := float64(mean[i]), float64(deviation[i]); math.IsNaN(m) || math.IsInf(m, 0) || !(s > 0) || math.IsInf(s, 0) {
			return nil, fmt.Errorf("data: %s: Normalize: mean is %g and deviation %g, must be finite, and the deviation positive", d.Name, m, s)
		}
	}
	out := *d
	out.X = make([]float32, len(d.X))
	for i, x := range d.X {
		out.X[i] = (x - mean[i%n]) / deviation[i%n]
	}
	return &out, nil
}

// OneHot returns the classes as rows of zeros with a single one: rows × classes.
func OneHot(labels []int32, classes int) ([]float32, error) {
	if classes < 1 {
		return nil, fmt.Errorf("data: OneHot: classes is %d, must be at least 1", classes)
	}
	out := make([]float32, len(labels)*classes)
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return nil, fmt.Errorf("data: OneHot: label %d is %d, must be between 0 and %d", i, l, classes-1)
		}
		out[i*classes+int(l)] = 1
	}
	return out, nil
}
