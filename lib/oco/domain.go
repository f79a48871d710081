package oco

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"
)

// Domain is a closed convex set of points.
type Domain interface {
	// Project moves a point to the closest one of the set (Euclidean), in place; ProjectNode does so with points shaped
	// [runs, dim].
	Project(x []float64)
	ProjectNode(x *graph.Node) *graph.Node
	// Center is a point of the set to start from.
	Center(dim int) []float64
	// Diameter is the largest Euclidean distance of two points of the set in dim dimensions; +Inf where there is none.
	Diameter(dim int) float64
	// Contains says whether a point is in the set, to within a tolerance.
	Contains(x []float64, tolerance float64) bool
	// Validate says what is wrong with the set's fields, for points of dim entries.
	Validate(dim int) error
}

// Free is all of ℝᵈ.
type Free struct{}

var _ Domain = Free{}

// Project leaves the point where it is.
func (Free) Project([]float64) {}

// ProjectNode leaves the points where they are.
func (Free) ProjectNode(x *graph.Node) *graph.Node { return x }

// Center is the origin.
func (Free) Center(dim int) []float64 { return make([]float64, dim) }

// Diameter is +Inf.
func (Free) Diameter(int) float64 { return math.Inf(1) }

// Contains wants finite entries.
func (Free) Contains(x []float64, _ float64) bool { return finite(x) }

// Validate has nothing to refuse.
func (Free) Validate(int) error { return nil }

// Ball is the Euclidean ball around the origin.
type Ball struct {
	Radius float64 // R; above 0
}

var _ Domain = Ball{}

// Project divides by max(1, ‖x‖/R).
func (b Ball) Project(x []float64) {
	if norm := floats.Norm(x, 2); norm > b.Radius {
		floats.Scale(b.Radius/norm, x)
	}
}

// ProjectNode is Project in a graph.
func (b Ball) ProjectNode(x *graph.Node) *graph.Node {
	norm := norm2(x)
	outside := graph.GreaterThan(norm, graph.Scalar(x.Graph(), float64Type, b.Radius))
	// The quotient is taken of a safe number: a norm of 0 must not become NaN on the way not taken.
	return graph.Mul(x, graph.Where(outside, graph.Div(graph.Scalar(x.Graph(), float64Type, b.Radius), graph.MaxScalar(norm, b.Radius)), graph.OnesLike(norm)))
}

// Center is the origin.
func (Ball) Center(dim int) []float64 { return make([]float64, dim) }

// Diameter is 2R.
func (b Ball) Diameter(int) float64 { return 2 * b.Radius }

// Contains compares the norm with R.
func (b Ball) Contains(x []float64, tolerance float64) bool {
	return finite(x) && floats.Norm(x, 2) <= b.Radius+tolerance
}

// Validate wants a radius above 0.
func (b Ball) Validate(int) error {
	if !(b.Radius > 0) || math.IsInf(b.Radius, 1) {
		return fmt.Errorf("oco: Ball: Radius is %g, must be above 0 and finite", b.Radius)
	}
	return nil
}

// Box is a product of intervals.
type Box struct {
	Low, High []float64 // one entry a coordinate, or a single one for all; Low ≤ High
}

var _ Domain = Box{}

func (b Box) at(i int) (low, high float64) { return b.Low[i%len(b.Low)], b.High[i%len(b.High)] }

// Project clips each coordinate.
func (b Box) Project(x []float64) {
	for i, v := range x {
		low, high := b.at(i)
		x[i] = math.Max(low, math.Min(high, v))
	}
}

// ProjectNode is Project in a graph.
func (b Box) ProjectNode(x *graph.Node) *graph.Node {
	return graph.Min(graph.Max(x, graph.Const(x.Graph(), [][]float64{b.Low})), graph.Const(x.Graph(), [][]float64{b.High}))
}

// Center is the box's own.
func (b Box) Center(dim int) []float64 {
	c := make([]float64, dim)
	for i := range c {
		low, high := b.at(i)
		c[i] = (low + high) / 2
	}
	return c
}

// Diameter is the diagonal.
func (b Box) Diameter(dim int) float64 {
	var sum float64
	for i := range dim {
		low, high := b.at(i)
		sum += (high - low) * (high - low)
	}
	return math.Sqrt(sum)
}

// Contains compares each coordinate.
func (b Box) Contains(x []float64, tolerance float64) bool {
	for i, v := range x {
		if low, high := b.at(i); !(v >= low-tolerance && v <= high+tolerance) {
			return false
		}
	}
	return true
}

// Validate wants one bound a coordinate, or one for all, in order.
func (b Box) Validate(dim int) error {
	for name, side := range map[string][]float64{"Low": b.Low, "High": b.High} {
		if len(side) != dim && len(side) != 1 {
			return fmt.Errorf("oco: Box: %s has %d entries, must have 1 or %d", name, len(side), dim)
		}
	}
	for i := range dim {
		if low, high := b.at(i); !(low <= high) || math.IsInf(low, 0) || math.IsInf(high, 0) {
			return fmt.Errorf("oco: Box: coordinate %d is from %g to %g, must be finite and in order", i, low, high)
		}
	}
	return nil
}

// Simplex is the set of probability vectors.
type Simplex struct{}

var _ Domain = Simplex{}

// Project subtracts from all entries the number that makes the positive parts sum to 1. It finds it by Newton's method from
// below: each time the mean excess of the entries above the last number, until none more is left out. No sorting, no memory.
//
// Source: Michelot (1986), A finite algorithm for finding the projection of a point onto the canonical simplex of ℝⁿ.
func (Simplex) Project(x []float64) {
	floats.AddConst(-floats.Max(x), x) // changes nothing, but keeps a difference of 1 above rounding
	threshold := -1.0
	for last := len(x) + 1; ; {
		var sum float64
		count := 0
		for _, v := range x {
			if v > threshold {
				sum += v
				count++
			}
		}
		if count >= last {
			break
		}
		threshold, last = (sum-1)/float64(count), count
	}
	var sum float64
	for i, v := range x {
		x[i] = math.Max(0, v-threshold)
		sum += x[i]
	}
	floats.Scale(1/sum, x)
}

// ProjectNode sorts: the threshold is the largest (Σ_{i≤k} x_(i) − 1)/k, over the ordered entries.
//
// Source: Held, Wolfe, Crowder (1974), Validation of subgradient optimization, section 2.
func (Simplex) ProjectNode(x *graph.Node) *graph.Node {
	g := x.Graph()
	sorted := graph.Sort(x, 1, false)
	ranks := graph.AddScalar(graph.Iota(g, sorted.Shape(), 1), 1)
	thresholds := graph.Div(graph.AddScalar(graph.CumSum(sorted, 1), -1), ranks)
	threshold := graph.ReduceAndKeep(thresholds, graph.ReduceMax, 1)
	return graph.MaxScalar(graph.Sub(x, threshold), 0)
}

// Center is the uniform vector.
func (Simplex) Center(dim int) []float64 {
	c := make([]float64, dim)
	for i := range c {
		c[i] = 1 / float64(dim)
	}
	return c
}

// Diameter is √2, from corner to corner.
func (Simplex) Diameter(dim int) float64 {
	if dim == 1 {
		return 0
	}
	return math.Sqrt2
}

// Contains wants entries of at least 0 that sum to 1.
func (Simplex) Contains(x []float64, tolerance float64) bool {
	return finite(x) && floats.Min(x) >= -tolerance && math.Abs(floats.Sum(x)-1) <= tolerance
}

// Validate has nothing to refuse.
func (Simplex) Validate(int) error { return nil }

// norm2 is the Euclidean norm of each run's point: [runs, dim] → [runs, 1].
func norm2(x *graph.Node) *graph.Node { return graph.Sqrt(squares(x)) }

// squares is the squared norm of each run's point: [runs, dim] → [runs, 1].
func squares(x *graph.Node) *graph.Node {
	return graph.ReduceAndKeep(graph.Square(x), graph.ReduceSum, 1)
}

func finite(x []float64) bool {
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// checkGradient refuses what no learner may take.
func checkGradient(method string, dim int, g []float64) error {
	if len(g) != dim {
		return fmt.Errorf("oco: %s: the gradient has %d entries, must have %d", method, len(g), dim)
	}
	for i, v := range g {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("oco: %s: entry %d of the gradient is %g, must be finite", method, i, v)
		}
	}
	return nil
}

// checkFrom refuses a first point that is not one of the domain's; nil is the center.
func checkFrom(method string, over Domain, from []float64, dim int) error {
	switch {
	case from == nil:
		return nil
	case len(from) != dim:
		return fmt.Errorf("oco: %s: From has %d entries, must have %d", method, len(from), dim)
	case over.Validate(dim) == nil && !over.Contains(from, 1e-9):
		return fmt.Errorf("oco: %s: From is %v, must be a point of %T", method, from, over)
	}
	return nil
}

// startAt is a copy of the first point.
func startAt(over Domain, from []float64, dim int) []float64 {
	if from == nil {
		return over.Center(dim)
	}
	return slices.Clone(from)
}
