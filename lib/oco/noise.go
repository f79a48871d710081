package oco

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Noise is what a stochastic oracle adds to a gradient: independent from round to round, with mean 0.
type Noise interface {
	// Draw writes a draw to dst. It does not allocate.
	Draw(dst []float64, rng *rand.Rand)
	// DrawNode draws for all runs: [runs, dim].
	DrawNode(s *scan.Step, runs, dim int) *graph.Node
	Validate() error
}

// Gaussian noise is N(0, (σ²/d)·I), so that E‖ξ‖² = σ² in any dimension d.
type Gaussian struct {
	Deviation float64 // σ; at least 0
}

// Pareto noise has a uniform direction and the length s·U^{−1/α}: its moments below the α-th are finite, the others not,
// E‖ξ‖^p = s^p·α/(α−p).
type Pareto struct {
	Tail  float64 // α; above 1, so that there is a mean
	Scale float64 // s, the shortest length; at least 0
}

// SubWeibull noise has a uniform direction and a length with P(‖ξ‖ > r) = exp(−(r/s)^θ): θ = 2 is a Gaussian-like tail,
// below that it is heavier, yet all moments are finite.
type SubWeibull struct {
	Shape float64 // θ; in (0, 2]
	Scale float64 // s; at least 0
}

// Signs are +s or −s in each coordinate, with even odds: E‖ξ‖²_∞ = s² in any dimension, but E‖ξ‖² = d·s².
type Signs struct {
	Scale float64 // s; at least 0
}

var (
	_ Noise = Gaussian{}
	_ Noise = Pareto{}
	_ Noise = SubWeibull{}
	_ Noise = Signs{}
)

// Draw a Gaussian vector.
func (n Gaussian) Draw(dst []float64, rng *rand.Rand) {
	scale := n.Deviation / math.Sqrt(float64(len(dst)))
	for i := range dst {
		dst[i] = scale * rng.NormFloat64()
	}
}

// DrawNode is Draw in a graph.
func (n Gaussian) DrawNode(s *scan.Step, runs, dim int) *graph.Node {
	return graph.MulScalar(normals(s, runs, dim), n.Deviation/math.Sqrt(float64(dim)))
}

// Validate wants σ ≥ 0.
func (n Gaussian) Validate() error { return atLeast0("Gaussian", "Deviation", n.Deviation) }

// Draw a direction and a length.
func (n Pareto) Draw(dst []float64, rng *rand.Rand) {
	direction(dst, rng)
	floats.Scale(n.Scale*math.Pow(1-rng.Float64(), -1/n.Tail), dst)
}

// DrawNode is Draw in a graph.
func (n Pareto) DrawNode(s *scan.Step, runs, dim int) *graph.Node {
	along, u := directionNode(s, runs, dim)
	return graph.Mul(along, graph.MulScalar(power32(u, -1/n.Tail), n.Scale))
}

// Validate wants α > 1 and s ≥ 0.
func (n Pareto) Validate() error {
	var tail error
	if !(n.Tail > 1) || math.IsInf(n.Tail, 1) {
		tail = fmt.Errorf("oco: Pareto: Tail is %g, must be above 1 and finite", n.Tail)
	}
	return errors.Join(tail, atLeast0("Pareto", "Scale", n.Scale))
}

// Draw a direction and a length.
func (n SubWeibull) Draw(dst []float64, rng *rand.Rand) {
	direction(dst, rng)
	floats.Scale(n.Scale*math.Pow(-math.Log(1-rng.Float64()), 1/n.Shape), dst)
}

// DrawNode is Draw in a graph.
func (n SubWeibull) DrawNode(s *scan.Step, runs, dim int) *graph.Node {
	along, u := directionNode(s, runs, dim)
	return graph.Mul(along, graph.MulScalar(power32(graph.Neg(graph.Log(u)), 1/n.Shape), n.Scale))
}

// Validate wants θ in (0, 2] and s ≥ 0.
func (n SubWeibull) Validate() error {
	return errors.Join(between("SubWeibull", "Shape", n.Shape, 0, 2), atLeast0("SubWeibull", "Scale", n.Scale))
}

// Draw signs.
func (n Signs) Draw(dst []float64, rng *rand.Rand) {
	var bits uint64
	for i := range dst {
		if i%64 == 0 {
			bits = rng.Uint64()
		}
		dst[i] = n.Scale * float64(2*int(bits&1)-1)
		bits >>= 1
	}
}

// DrawNode is Draw in a graph.
func (n Signs) DrawNode(s *scan.Step, runs, dim int) *graph.Node {
	coins := graph.ConvertDType(s.Integers(2, runs, dim), float64Type)
	return graph.MulScalar(graph.AddScalar(graph.MulScalar(coins, 2), -1), n.Scale)
}

// Validate wants s ≥ 0.
func (n Signs) Validate() error { return atLeast0("Signs", "Scale", n.Scale) }

// direction draws from the unit sphere.
func direction(dst []float64, rng *rand.Rand) {
	for {
		for i := range dst {
			dst[i] = rng.NormFloat64()
		}
		if norm := floats.Norm(dst, 2); norm > 0 {
			floats.Scale(1/norm, dst)
			return
		}
	}
}

// directionNode draws a direction, [runs, dim], and a number from (0, 1], [runs, 1].
func directionNode(s *scan.Step, runs, dim int) (along, u *graph.Node) {
	z := normals(s, runs, dim)
	u = graph.OneMinus(s.Uniform(shapes.Make(float64Type, runs, 1)))
	return graph.Div(z, graph.MaxScalar(norm2(z), smallestNormal)), u
}

// normals are drawn with 32 random bits, which is enough for noise and twice as fast as 64.
func normals(s *scan.Step, runs, dim int) *graph.Node {
	return graph.ConvertDType(s.Normal(shapes.Make(dtypes.Float32, runs, dim)), float64Type)
}

// power32 is x^e to 32 bits: far faster than in 64, and enough for noise.
func power32(x *graph.Node, e float64) *graph.Node {
	return graph.ConvertDType(graph.PowScalar(graph.ConvertDType(x, dtypes.Float32), float32(e)), float64Type)
}
