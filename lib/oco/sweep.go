package oco

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// Curve is what many descents of one rule reached, for one horizon T after the other.
type Curve struct {
	Rounds                []float64 // T
	Last, Average, Suffix []float64 // mean gap of the last iterates, of the averages and of the averages of the last half
	Median                []float64 // of the last iterates' gaps
	// NonZeros and AverageNonZeros are the mean numbers of entries that are not 0, of last iterates and of averages.
	NonZeros, AverageNonZeros []float64
	Gaps                      [][]float64 `json:"-"` // the last iterates' own, rising
}

// Add takes in the runs of one horizon, at least one.
func (c *Curve) Add(p Stochastic, rounds int, runs []Iterates) {
	last, average, suffix := p.Gaps(runs)
	c.Rounds = append(c.Rounds, float64(rounds))
	c.Last, c.Average, c.Suffix = append(c.Last, stat.Mean(last, nil)), append(c.Average, stat.Mean(average, nil)), append(c.Suffix, stat.Mean(suffix, nil))
	slices.Sort(last)
	c.Median, c.Gaps = append(c.Median, stat.Quantile(0.5, stat.Empirical, last, nil)), append(c.Gaps, last)
	nonZero := func(x float64) bool { return x != 0 }
	var ofLast, ofAverage float64
	for _, r := range runs {
		ofLast += float64(floats.Count(nonZero, r.Last))
		ofAverage += float64(floats.Count(nonZero, r.Average))
	}
	n := float64(len(runs))
	c.NonZeros, c.AverageNonZeros = append(c.NonZeros, ofLast/n), append(c.AverageNonZeros, ofAverage/n)
}

// Sweep is a compiled program that measures how the gap falls with the horizon.
type Sweep struct {
	problem  Stochastic
	rules    func(rounds int) []Rule
	batch    int
	descents *Descents
}

// CompileSweep compiles for the rules of any horizon: always as many, of one make as in [Simulate]. The program holds a batch of
// runs of each; 0 chooses one that fits the cache of a processor's core. A GPU wants thousands.
func CompileSweep(b compute.Backend, problem Stochastic, rules func(rounds int) []Rule, batch int) (*Sweep, error) {
	if batch < 0 {
		return nil, fmt.Errorf("oco: CompileSweep: batch is %d, must be at least 0", batch)
	}
	if err := problem.validate(); err != nil {
		return nil, err
	}
	if batch == 0 {
		batch = max(1, 2500/problem.Loss.Dim()/max(1, len(rules(1))))
	}
	s := &Sweep{problem: problem, rules: rules, batch: batch}
	var err error
	if s.descents, err = CompileDescents(b, s.repeated(1), problem, 0); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Sweep) repeated(rounds int) (out []Rule) {
	for _, r := range s.rules(rounds) {
		out = append(out, slices.Repeat([]Rule{r}, s.batch)...)
	}
	return out
}

// Run lets at least one run of each rule descend for each horizon, and returns one curve a rule. All descents are independent.
// As many batches run at once as there are processors.
func (s *Sweep) Run(ctx context.Context, horizons []int, runs int, seed uint64) ([]Curve, error) {
	if runs < 1 {
		return nil, fmt.Errorf("oco: Sweep.Run: runs is %d, must be at least 1", runs)
	}
	batches := (runs + s.batch - 1) / s.batch
	done := make([][]Iterates, len(horizons)*batches)
	errs := make([]error, len(done))
	var group sync.WaitGroup
	slots := make(chan bool, runtime.NumCPU())
	for i := range done {
		group.Go(func() {
			slots <- true
			defer func() { <-slots }()
			rounds := horizons[i/batches]
			done[i], errs[i] = s.descents.Run(ctx, s.repeated(rounds), rounds, seed<<32+uint64(i))
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	curves := make([]Curve, len(s.rules(1)))
	for h, rounds := range horizons {
		for k := range curves {
			var all []Iterates
			for _, batch := range done[h*batches:][:batches] {
				all = append(all, batch[k*s.batch:][:s.batch]...)
			}
			curves[k].Add(s.problem, rounds, all[:runs])
		}
	}
	return curves, nil
}
