package data

import (
	"context"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

//go:embed embedded/*.csv.gz
var embedded embed.FS

// Digits is 1797 pictures of handwritten digits, 8×8 grey values from 0 to 16, in ten classes: the test part of the UCI
// set Optical Recognition of Handwritten Digits (Alpaydin, Kaynak 1998), as in scikit-learn. Licence: CC BY 4.0.
func Digits() (*Dataset, error) {
	return table("digits", []int{8, 8, 1}, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"})
}

// BreastCancer is 569 tumours with 30 measurements of their cells, malignant or benign: UCI's Breast Cancer Wisconsin
// (Diagnostic) (Wolberg, Street, Mangasarian 1993). Licence: CC BY 4.0.
func BreastCancer() (*Dataset, error) {
	return table("breast-cancer", []int{30}, []string{"malignant", "benign"})
}

// Wine is 178 wines of three growers with 13 chemical measurements: UCI's Wine (Aeberhard, Forina 1991). Licence:
// CC BY 4.0.
func Wine() (*Dataset, error) {
	return table("wine", []int{13}, []string{"grower 0", "grower 1", "grower 2"})
}

// Diabetes is 442 patients with ten measurements, and how their disease went on in a year as the target (Efron et al.
// 2004, Least Angle Regression). The measurements are as taken, not scaled. Free to use.
func Diabetes() (*Dataset, error) { return table("diabetes", []int{10}, nil) }

// table loads an embedded set; classes nil: a regression target.
func table(name string, shape []int, classes []string) (*Dataset, error) {
	packed, err := embedded.ReadFile("embedded/" + name + ".csv.gz")
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", name, err)
	}
	text, err := gunzip(packed)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", name, err)
	}
	columns, x, targets, err := parseNumbers(string(text))
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", name, err)
	}
	d := &Dataset{Name: name, X: x, Shape: shape, Columns: columns, Classes: classes}
	if d.width() != len(columns) {
		return nil, fmt.Errorf("data: %s: %d features, must be %d", name, len(columns), d.width())
	}
	if classes == nil {
		d.Targets = targets
		return d, nil
	}
	for i, t := range targets {
		if t != float32(int(t)) || t < 0 || int(t) >= len(classes) {
			return nil, fmt.Errorf("data: %s: row %d has the class %g, must be between 0 and %d", name, i+1, t, len(classes)-1)
		}
		d.Labels = append(d.Labels, int32(t))
	}
	return d, nil
}

// parseNumbers reads a CSV of numbers under a line of names; the last column is apart.
func parseNumbers(text string) (columns []string, x, last []float32, err error) {
	r := csv.NewReader(strings.NewReader(text))
	columns, err = r.Read()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("the line of names: %w", err)
	}
	if len(columns) < 2 {
		return nil, nil, nil, fmt.Errorf("there are %d columns, must be at least 2", len(columns))
	}
	for line := 2; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, nil, err
		}
		for j, cell := range row {
			v, err := finite(cell)
			if err != nil {
				return nil, nil, nil, fmt.Errorf("line %d, column %s: %w", line, columns[j], err)
			}
			if j < len(row)-1 {
				x = append(x, v)
			} else {
				last = append(last, v)
			}
		}
	}
	if len(last) == 0 {
		return nil, nil, nil, errors.New("there are no rows")
	}
	return columns[:len(columns)-1], x, last, nil
}

// finite reads a number that is neither NaN nor infinite.
func finite(cell string) (float32, error) {
	v, err := strconv.ParseFloat(cell, 32)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is no finite number", cell)
	}
	return float32(v), nil
}

// column of a table; words mark the categorical ones.
type column struct {
	name  string
	words bool
}

// adultColumns of UCI Adult.
var adultColumns = []column{
	{"age", false}, {"workclass", true}, {"fnlwgt", false}, {"education", true}, {"education-num", false},
	{"marital-status", true}, {"occupation", true}, {"relationship", true}, {"race", true}, {"sex", true},
	{"capital-gain", false}, {"capital-loss", false}, {"hours-per-week", false}, {"native-country", true},
}

// Adult is 32 561 people of the US census of 1994, and whether they earn more than $50 000: UCI's Adult, the training
// file (Becker, Kohavi 1996). Numbers stay as they are; each word of a categorical column ("?" among them) becomes a
// column of zeros and ones, named "column=word", in alphabetical order. Licence: CC BY 4.0.
func Adult(ctx context.Context, o Options) (*Dataset, error) {
	content, err := file{set: "adult", name: "adult.data", url: "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/",
		sha256: "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"}.find(ctx, o)
	if err != nil {
		return nil, err
	}
	return parseAdult(string(content))
}

func parseAdult(text string) (*Dataset, error) {
	var rows [][]string
	for n, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		cells := strings.Split(line, ",")
		if len(cells) != len(adultColumns)+1 {
			return nil, fmt.Errorf("data: adult: line %d has %d columns, must have %d", n+1, len(cells), len(adultColumns)+1)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		return nil, errors.New("data: adult: there are no rows")
	}
	d := &Dataset{Name: "adult", Classes: []string{"<=50K", ">50K"}}
	if err := d.encode(adultColumns, rows); err != nil {
		return nil, err
	}
	for n, row := range rows {
		label := int32(slices.Index(d.Classes, strings.TrimSuffix(row[len(row)-1], ".")))
		if label < 0 {
			return nil, fmt.Errorf("data: adult: row %d: the class is %q, must be <=50K or >50K", n+1, row[len(row)-1])
		}
		d.Labels = append(d.Labels, label)
	}
	return d, nil
}

// encode makes features of rows of cells, which are as long as columns at least: numbers stay as they are, each word of a
// column of words becomes a column of zeros and ones, named "column=word", in alphabetical order.
func (d *Dataset) encode(columns []column, rows [][]string) error {
	places := make([]map[string]int, len(columns))
	for j, c := range columns {
		if !c.words {
			d.Columns = append(d.Columns, c.name)
			continue
		}
		words := map[string]bool{}
		for _, row := range rows {
			words[row[j]] = true
		}
		places[j] = map[string]int{}
		for _, w := range slices.Sorted(maps.Keys(words)) {
			places[j][w] = len(d.Columns)
			d.Columns = append(d.Columns, c.name+"="+w)
		}
	}
	d.Shape = []int{len(d.Columns)}
	for n, row := range rows {
		features := make([]float32, len(d.Columns))
		at := 0
		for j, c := range columns {
			if c.words {
				features[places[j][row[j]]] = 1
				at += len(places[j])
				continue
			}
			v, err := finite(row[j])
			if err != nil {
				return fmt.Errorf("data: %s: row %d: %s: %w", d.Name, n+1, c.name, err)
			}
			features[at] = v
			at++
		}
		d.X = append(d.X, features...)
	}
	return nil
}

// reconstructionColumns of the reconstructed Adult; the label, income, is apart.
var reconstructionColumns = []column{
	{"hours-per-week", false}, {"age", false}, {"capital-gain", false}, {"capital-loss", false}, {"workclass", true},
	{"education", true}, {"education-num", false}, {"marital-status", true}, {"relationship", true}, {"occupation", true},
	{"race", true}, {"sex", true}, {"native-country", true},
}

// AdultReconstruction is 49 531 people of the US census of 1994 as in [Adult], with their income in dollars as the target
// instead of a class (Ding, Hardt, Miller, Schmidt 2021, Retiring Adult). Columns are coded as in Adult.
func AdultReconstruction(ctx context.Context, o Options) (*Dataset, error) {
	content, err := file{set: "adult-reconstruction", name: "adult_reconstruction.csv", url: "https://raw.githubusercontent.com/socialfoundations/folktables/main/",
		blob: "966f1688990dd1e8183e9c2778e1221f260ba455"}.find(ctx, o)
	if err != nil {
		return nil, err
	}
	return parseReconstruction(string(content))
}

// parseReconstruction goes by the names of the first line, in whatever order they come; "gender" is another name of sex.
func parseReconstruction(text string) (*Dataset, error) {
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("data: adult-reconstruction: %w", err)
	}
	if len(all) < 2 {
		return nil, errors.New("data: adult-reconstruction: there must be a line of names and rows after it")
	}
	names := all[0]
	if i := slices.Index(names, "gender"); i >= 0 {
		names[i] = "sex"
	}
	var from []int
	for _, c := range append(slices.Clone(reconstructionColumns), column{name: "income"}) {
		i := slices.Index(names, c.name)
		if i < 0 {
			return nil, fmt.Errorf("data: adult-reconstruction: the first line lacks the column %s", c.name)
		}
		from = append(from, i)
	}
	d := &Dataset{Name: "adult-reconstruction"}
	var rows [][]string
	for n, cells := range all[1:] {
		row := make([]string, len(from))
		for j, i := range from {
			row[j] = strings.TrimSpace(cells[i])
		}
		income, err := finite(row[len(row)-1])
		if err != nil {
			return nil, fmt.Errorf("data: adult-reconstruction: row %d: income: %w", n+1, err)
		}
		rows, d.Targets = append(rows, row), append(d.Targets, income)
	}
	if err := d.encode(reconstructionColumns, rows); err != nil {
		return nil, err
	}
	return d, nil
}

// Insurance is 1338 insured people with age, sex, body mass, children, smoking and region, and their medical costs in
// dollars as the target (Lantz 2013, Machine Learning with R; simulated from US census figures). Words become columns of
// zeros and ones. Licence: open database.
func Insurance(ctx context.Context, o Options) (*Dataset, error) {
	content, err := file{set: "insurance", name: "insurance.csv", url: "https://raw.githubusercontent.com/stedy/Machine-Learning-with-R-datasets/master/",
		sha256: "505c1cbc2e63d0363bac59501563df2530aadf4cdb9cfee226f4ef32f5468281"}.find(ctx, o)
	if err != nil {
		return nil, err
	}
	return parseInsurance(string(content))
}

func parseInsurance(text string) (*Dataset, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("data: insurance: %w", err)
	}
	if len(rows) < 2 || strings.Join(rows[0], ",") != "age,sex,bmi,children,smoker,region,charges" {
		return nil, errors.New("data: insurance: the first line must name age,sex,bmi,children,smoker,region,charges, and rows follow")
	}
	regions := []string{"northeast", "northwest", "southeast", "southwest"}
	d := &Dataset{Name: "insurance", Columns: []string{"age", "male", "bmi", "children", "smoker"}}
	for _, r := range regions {
		d.Columns = append(d.Columns, "region="+r)
	}
	d.Shape = []int{len(d.Columns)}
	for n, row := range rows[1:] {
		features := make([]float32, 0, len(d.Columns))
		number := func(cell string) float32 {
			v, failed := finite(cell)
			if failed != nil && err == nil {
				err = fmt.Errorf("data: insurance: row %d: %w", n+1, failed)
			}
			return v
		}
		either := func(cell, no, yes string) float32 {
			if cell != no && cell != yes && err == nil {
				err = fmt.Errorf("data: insurance: row %d: %q must be %s or %s", n+1, cell, no, yes)
			}
			if cell == yes {
				return 1
			}
			return 0
		}
		features = append(features, number(row[0]), either(row[1], "female", "male"), number(row[2]), number(row[3]), either(row[4], "no", "yes"))
		if !slices.Contains(regions, row[5]) && err == nil {
			err = fmt.Errorf("data: insurance: row %d: region is %q, must be one of %s", n+1, row[5], strings.Join(regions, ", "))
		}
		for _, r := range regions {
			var here float32
			if r == row[5] {
				here = 1
			}
			features = append(features, here)
		}
		d.Targets = append(d.Targets, number(row[6]))
		d.X = append(d.X, features...)
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}
