package experts

import (
	"errors"
	"fmt"
	"math"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Rule makes a label of the labels of the two groups that a round belongs to.
type Rule string

// The rules.
const (
	MeanLabel   Rule = "mean"
	MinLabel    Rule = "min"
	MaxLabel    Rule = "max"
	Permutation Rule = "perm" // the first one in the order green, square, red, triangle, circle
)

// Rules are all of them, in the paper's order.
func Rules() []Rule { return []Rule{MeanLabel, MinLabel, MaxLabel, Permutation} }

// dominance is the order of Permutation, as places among the groups of Synthetic.
var dominance = [...]int{3, 1, 4, 2, 0}

// PaperNoise is the deviation of the noise in the paper's synthetic data.
const PaperNoise = 0.16

// Synthetic is the paper's synthetic data: x uniform in [0, 1]^Dim, a shape and a colour by chance, and for each of the two
// groups the label ⟨w_g, x⟩ + noise, with w_g uniform in [0, 1]^Dim. The rule makes one label of the two. The groups are
// circle, square, triangle, green, red, all.
//
// Source: Acharya et al. (2024), section 4.1 and their code; the order of the rule perm is that of their run.
type Synthetic struct {
	Rounds int  // at least 0; the paper has 100 000
	Dim    int  // 0: 20, the paper's
	Rule   Rule // "": mean
	// Noise is its standard deviation, at least 0; the paper has PaperNoise.
	Noise float64
	// Shapes and Colors are the probabilities of the groups; all 0: .5, .3, .2 and .6, .4, the paper's.
	Shapes [3]float64
	Colors [2]float64
	Seed   uint64
}

// Table generates the data, scaled to [0, 1], with the indicators of the five groups appended to the features. The same
// seed has the same features, groups, weights and noise whatever the rule.
func (s Synthetic) Table() (*Table, error) {
	if s.Dim == 0 {
		s.Dim = 20
	}
	if s.Rule == "" {
		s.Rule = MeanLabel
	}
	if s.Shapes == [3]float64{} {
		s.Shapes = [3]float64{.5, .3, .2}
	}
	if s.Colors == [2]float64{} {
		s.Colors = [2]float64{.6, .4}
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	rng := online.Seeded(s.Seed, "experts: synthetic")
	var w [5][]float64
	for g := range w {
		w[g] = make([]float64, s.Dim)
		for j := range w[g] {
			w[g][j] = rng.Float64()
		}
	}
	t := &Table{Groups: []string{"circle", "square", "triangle", "green", "red", "all"}}
	for range s.Rounds {
		shape, color := draw(rng, s.Shapes[:]), 3+draw(rng, s.Colors[:])
		x := make([]float64, s.Dim+5)
		for j := range s.Dim {
			x[j] = rng.Float64()
		}
		var labels [5]float64
		for _, g := range []int{shape, color} {
			labels[g] = dot(w[g], x) + s.Noise*rng.NormFloat64()
			x[s.Dim+g] = 1
		}
		active := make([]bool, 6)
		active[shape], active[color], active[5] = true, true, true
		t.X, t.Y, t.Active = append(t.X, x), append(t.Y, s.Rule.label(labels, shape, color)), append(t.Active, active)
	}
	return t.Scaled(), nil
}

func (s Synthetic) validate() error {
	var errs []error
	if s.Rounds < 0 {
		errs = append(errs, fmt.Errorf("experts: Synthetic: Rounds is %d, must be at least 0", s.Rounds))
	}
	if s.Dim < 1 {
		errs = append(errs, fmt.Errorf("experts: Synthetic: Dim is %d, must be at least 1, or 0 for 20", s.Dim))
	}
	if !(s.Noise >= 0 && s.Noise <= math.MaxFloat64) {
		errs = append(errs, fmt.Errorf("experts: Synthetic: Noise is %g, must be at least 0 and finite", s.Noise))
	}
	switch s.Rule {
	case MeanLabel, MinLabel, MaxLabel, Permutation:
	default:
		errs = append(errs, fmt.Errorf("experts: Synthetic: Rule is %q, must be mean, min, max or perm", s.Rule))
	}
	return errors.Join(append(errs, distribution("Synthetic: Shapes", s.Shapes[:]), distribution("Synthetic: Colors", s.Colors[:]))...)
}

// label of a round, from those of its groups.
func (r Rule) label(labels [5]float64, shape, color int) float64 {
	a, b := labels[shape], labels[color]
	switch r {
	case MinLabel:
		return math.Min(a, b)
	case MaxLabel:
		return math.Max(a, b)
	case Permutation:
		for _, g := range dominance {
			if g == shape || g == color {
				return labels[g]
			}
		}
	}
	return (a + b) / 2
}
