package optim

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Schedule is a factor on the learning rate, as a function of the step's count t = 1, 2, 3, …
//
// Build gives it as a node of any float type, from t of the same type; At gives the same number on the host, for plots.
type Schedule interface {
	At(t int64) float64
	Build(t *graph.Node) *graph.Node
	Validate() error
}

// factor is a schedule's value at a count. It is computed in float64, whatever the parameters' type: t may be large.
func factor(sch Schedule, count *graph.Node, dtype dtypes.DType) *graph.Node {
	return graph.ConvertDType(sch.Build(graph.ConvertDType(count, dtypes.Float64)), dtype)
}

// Constant is the factor By at every step.
type Constant struct{ By float64 }

// At implements Schedule.
func (c Constant) At(int64) float64 { return c.By }

// Build implements Schedule.
func (c Constant) Build(t *graph.Node) *graph.Node { return graph.Scalar(t.Graph(), t.DType(), c.By) }

// Validate implements Schedule.
func (c Constant) Validate() error {
	k := check("Constant")
	k.least("By", c.By, 0)
	return k.join()
}

// WarmUp rises in equal parts from From at step 1 to 1 at step Steps+1, and stays there: From + (1−From)·min(1, (t−1)/Steps).
type WarmUp struct {
	Steps int     // at least 1
	From  float64 // in [0, 1]
}

// At implements Schedule.
func (w WarmUp) At(t int64) float64 {
	return w.From + (1-w.From)*math.Min(1, float64(t-1)/float64(w.Steps))
}

// Build implements Schedule.
func (w WarmUp) Build(t *graph.Node) *graph.Node {
	part := graph.MinScalar(graph.DivScalar(graph.AddScalar(t, -1), float64(w.Steps)), 1)
	return graph.AddScalar(graph.MulScalar(part, 1-w.From), w.From)
}

// Validate implements Schedule.
func (w WarmUp) Validate() error {
	c := check("WarmUp")
	c.positive("Steps", float64(w.Steps))
	c.in("From", w.From, 0, 1, true)
	return c.join()
}

// Cosine falls from 1 at step 1 to End at step Steps+1 along half a cosine, and stays there.
//
// Source: Loshchilov, Hutter (2017), SGDR, without restarts.
type Cosine struct {
	Steps int     // at least 1
	End   float64 // in [0, 1]
}

// At implements Schedule.
func (c Cosine) At(t int64) float64 {
	part := math.Min(1, float64(t-1)/float64(c.Steps))
	return c.End + (1-c.End)*(1+math.Cos(math.Pi*part))/2
}

// Build implements Schedule.
func (c Cosine) Build(t *graph.Node) *graph.Node {
	part := graph.MinScalar(graph.DivScalar(graph.AddScalar(t, -1), float64(c.Steps)), 1)
	wave := graph.AddScalar(graph.Cos(graph.MulScalar(part, math.Pi)), 1)
	return graph.AddScalar(graph.MulScalar(wave, (1-c.End)/2), c.End)
}

// Validate implements Schedule.
func (c Cosine) Validate() error {
	k := check("Cosine")
	k.positive("Steps", float64(c.Steps))
	k.in("End", c.End, 0, 1, true)
	return k.join()
}

// StepDecay multiplies by By after each Every steps: By^⌊(t−1)/Every⌋.
type StepDecay struct {
	Every int     // at least 1
	By    float64 // in (0, 1]
}

// At implements Schedule.
func (d StepDecay) At(t int64) float64 {
	return math.Pow(d.By, math.Floor(float64(t-1)/float64(d.Every)))
}

// Build implements Schedule.
func (d StepDecay) Build(t *graph.Node) *graph.Node {
	drops := graph.Floor(graph.DivScalar(graph.AddScalar(t, -1), float64(d.Every)))
	return graph.Exp(graph.MulScalar(drops, math.Log(d.By)))
}

// Validate implements Schedule.
func (d StepDecay) Validate() error {
	c := check("StepDecay")
	c.positive("Every", float64(d.Every))
	c.positive("By", d.By)
	c.in("By", d.By, 0, 1, true)
	return c.join()
}

// InverseSqrt is 1/√t, or √(Hold/max(t, Hold)) with a hold: constant for the first Hold steps.
type InverseSqrt struct {
	Hold int // 0 or 1: none
}

// At implements Schedule.
func (i InverseSqrt) At(t int64) float64 {
	hold := math.Max(1, float64(i.Hold))
	return math.Sqrt(hold / math.Max(float64(t), hold))
}

// Build implements Schedule.
func (i InverseSqrt) Build(t *graph.Node) *graph.Node {
	hold := math.Max(1, float64(i.Hold))
	return graph.MulScalar(graph.Rsqrt(graph.MaxScalar(t, hold)), math.Sqrt(hold))
}

// Validate implements Schedule.
func (i InverseSqrt) Validate() error {
	c := check("InverseSqrt")
	c.least("Hold", float64(i.Hold), 0)
	return c.join()
}

// Joined runs one schedule after the other: each counts from 1 again when its turn comes.
type Joined struct {
	Parts []Schedule
	// Ends[i] is the last step of Parts[i], rising; the last part has no end, so there is one less than parts.
	Ends []int64
}

// At implements Schedule.
func (j Joined) At(t int64) float64 {
	var start int64
	for i, end := range j.Ends {
		if t <= end {
			return j.Parts[i].At(t - start)
		}
		start = end
	}
	return j.Parts[len(j.Ends)].At(t - start)
}

// Build implements Schedule.
func (j Joined) Build(t *graph.Node) *graph.Node {
	var out *graph.Node
	for i := len(j.Ends); i >= 0; i-- {
		var start float64
		if i > 0 {
			start = float64(j.Ends[i-1])
		}
		// Before its turn a part sees its first step.
		part := j.Parts[i].Build(graph.MaxScalar(graph.AddScalar(t, -start), 1))
		if out == nil {
			out = part
			continue
		}
		out = graph.Where(graph.LessOrEqual(t, graph.Scalar(t.Graph(), t.DType(), j.Ends[i])), part, out)
	}
	return out
}

// Validate implements Schedule.
func (j Joined) Validate() error {
	var errs []error
	if len(j.Parts) == 0 || len(j.Ends) != len(j.Parts)-1 {
		errs = append(errs, fmt.Errorf("optim: Joined: %d parts and %d ends, must be one end less than parts", len(j.Parts), len(j.Ends)))
	}
	for i, end := range j.Ends {
		if end < 1 || i > 0 && end <= j.Ends[i-1] {
			errs = append(errs, fmt.Errorf("optim: Joined: Ends[%d] is %d, must be at least 1 and rise", i, end))
		}
	}
	for i, part := range j.Parts {
		if part == nil {
			errs = append(errs, fmt.Errorf("optim: Joined: Parts[%d] is nil", i))
			continue
		}
		errs = append(errs, part.Validate())
	}
	return errors.Join(errs...)
}

// WarmUpCosine warms up for warmup of the steps, then falls along a cosine to the fraction end at the last step.
func WarmUpCosine(warmup, steps int, end float64) Schedule {
	return Joined{Parts: []Schedule{WarmUp{Steps: warmup}, Cosine{Steps: steps - warmup, End: end}}, Ends: []int64{int64(warmup)}}
}
