package experts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hindsight-go/hindsight/lib/data"
)

// Diabetes is [data.Diabetes] scaled to [0, 1], with groups of age (to 40, to 55, above), sex, body mass (below 25, below
// 30, above), and all. Sex is coded with a column a level; the indicators of age and body mass are features too.
func Diabetes() (*Table, error) {
	d, err := data.Diabetes()
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(d, "age", "sex", "bmi")
	if err != nil {
		return nil, err
	}
	age, sex, mass := b.column("age"), b.column("sex"), b.column("bmi")
	lowest := slices.Min(b.values(sex))
	first := func(x []float64) bool { return x[sex] == lowest }
	second := func(x []float64) bool { return x[sex] != lowest }
	b.replace(sex, first, second)
	b.group("age ≤ 40", true, between(age, -1, 40))
	b.group("age 41–55", true, between(age, 40, 55))
	b.group("age > 55", true, between(age, 55, 1e9))
	b.group("sex 1", false, first)
	b.group("sex 2", false, second)
	b.group("bmi < 25", true, below(mass, -1, 25))
	b.group("bmi 25–30", true, below(mass, 25, 30))
	b.group("bmi ≥ 30", true, below(mass, 30, 1e9))
	return b.table(), nil
}

// MedicalCosts is [data.Insurance] with the paper's groups: age (to 35, to 50, above), body mass (below 18.5, 25, 30, above),
// smoker or not, sex, and all. It is scaled to [0, 1], the categories have a column a level, and the indicators of age and
// body mass are features too.
//
// Source: Acharya et al. (2024), section 4.2 and their code.
func MedicalCosts(ctx context.Context, o data.Options) (*Table, error) {
	d, err := data.Insurance(ctx, o)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(d, "age", "bmi", "male", "smoker")
	if err != nil {
		return nil, err
	}
	age, mass, male, smoker := b.column("age"), b.column("bmi"), b.column("male"), b.column("smoker")
	for _, j := range []int{male, smoker} {
		b.replace(j, is(j, 0), is(j, 1))
	}
	b.group("young", true, between(age, -1, 35))
	b.group("middle", true, between(age, 35, 50))
	b.group("old", true, between(age, 50, 1e9))
	b.group("underweight", true, below(mass, -1, 18.5))
	b.group("healthy", true, below(mass, 18.5, 25))
	b.group("overweight", true, below(mass, 25, 30))
	b.group("obese", true, below(mass, 30, 1e9))
	b.group("smoker", false, is(smoker, 1))
	b.group("non-smoker", false, is(smoker, 0))
	b.group("male", false, is(male, 1))
	b.group("female", false, is(male, 0))
	return b.table(), nil
}

// AdultIncome is [data.AdultReconstruction] with the paper's groups: age (to 35, to 50, above), education (to 9, from 10
// years), sex, race, and all. The label is the income. It is scaled to [0, 1], the categories have a column a level, the
// names of educations are left out, and the indicators of age and education are features too.
//
// Source: Acharya et al. (2024), section 4.2 and their code.
func AdultIncome(ctx context.Context, o data.Options) (*Table, error) {
	d, err := data.AdultReconstruction(ctx, o)
	if err != nil {
		return nil, err
	}
	return adultIncome(d)
}

func adultIncome(d *data.Dataset) (*Table, error) {
	races := []string{"White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other", "Black"}
	needed := []string{"age", "education-num", "sex=Male", "sex=Female"}
	for _, r := range races {
		needed = append(needed, "race="+r)
	}
	b, err := newBuilder(d, needed...)
	if err != nil {
		return nil, err
	}
	for j, name := range b.columns {
		if strings.HasPrefix(name, "education=") {
			b.replace(j)
		}
	}
	age, years := b.column("age"), b.column("education-num")
	b.group("young", true, between(age, -1, 35))
	b.group("middle", true, between(age, 35, 50))
	b.group("old", true, between(age, 50, 1e9))
	b.group("high school or less", true, between(years, -1, 9))
	b.group("college or more", true, between(years, 9, 1e9))
	for _, name := range append([]string{"sex=Male", "sex=Female"}, needed[4:]...) {
		_, short, _ := strings.Cut(name, "=")
		b.group(short, false, is(b.column(name), 1))
	}
	return b.table(), nil
}

// rule says of a row, as it was loaded, whether it belongs.
type rule func(x []float64) bool

func between(j int, above, to float64) rule {
	return func(x []float64) bool { return x[j] > above && x[j] <= to }
}

func below(j int, from, under float64) rule {
	return func(x []float64) bool { return x[j] >= from && x[j] < under }
}

func is(j int, value float64) rule { return func(x []float64) bool { return x[j] == value } }

// builder makes a table with groups of a data set of numbers.
type builder struct {
	columns  []string
	rows     [][]float64
	labels   []float64
	replaced map[int][]rule // columns that are not features, and the indicators in their place
	names    []string
	groups   []rule
	features []rule // indicators to append
}

func newBuilder(d *data.Dataset, needed ...string) (*builder, error) {
	b := &builder{columns: d.Columns, replaced: map[int][]rule{}}
	for _, name := range needed {
		if !slices.Contains(d.Columns, name) {
			return nil, fmt.Errorf("experts: the data set %s lacks the column %s", d.Name, name)
		}
	}
	width := len(d.Columns)
	for i, y := range d.Targets {
		row := make([]float64, width)
		for j, x := range d.X[i*width : (i+1)*width] {
			row[j] = float64(x)
		}
		b.rows, b.labels = append(b.rows, row), append(b.labels, float64(y))
	}
	return b, nil
}

func (b *builder) column(name string) int { return slices.Index(b.columns, name) }

func (b *builder) values(j int) []float64 {
	out := make([]float64, len(b.rows))
	for i, x := range b.rows {
		out[i] = x[j]
	}
	return out
}

func (b *builder) replace(j int, by ...rule) { b.replaced[j] = by }

func (b *builder) group(name string, feature bool, r rule) {
	b.names, b.groups = append(b.names, name), append(b.groups, r)
	if feature {
		b.features = append(b.features, r)
	}
}

// table puts it together, with the group "all" at the end.
func (b *builder) table() *Table {
	t := &Table{Groups: append(b.names, "all"), Y: b.labels}
	for _, row := range b.rows {
		var x []float64
		indicators := func(rules []rule) {
			for _, r := range rules {
				x = append(x, indicator(r(row)))
			}
		}
		for j, v := range row {
			if rules, ok := b.replaced[j]; ok {
				indicators(rules)
			} else {
				x = append(x, v)
			}
		}
		indicators(b.features)
		active := make([]bool, len(b.groups)+1)
		for g, r := range b.groups {
			active[g] = r(row)
		}
		active[len(b.groups)] = true
		t.X, t.Active = append(t.X, x), append(t.Active, active)
	}
	return t.Scaled()
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
