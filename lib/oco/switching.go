package oco

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// Switching is the adversary with the linear losses F_t(x) = s_t·x_1, whose sign s_t changes after every block of B rounds,
// from 1 at first. The gradients of f_t have ±σ added to each entry, by fair coins.
type Switching struct {
	Block     int     // B; at least 1
	Noise     float64 // σ; at least 0
	Radius    float64 // R of the ball; above 0
	Dimension int     // d; 0: 2
}

var _ Moving = Switching{}

// Dim of the points.
func (s Switching) Dim() int {
	if s.Dimension == 0 {
		return 2
	}
	return s.Dimension
}

// Validate wants B ≥ 1, σ ≥ 0, R > 0 and a dimension.
func (s Switching) Validate(int) error {
	errs := []error{atLeast0("Switching", "Noise", s.Noise), above0("Switching", "Radius", s.Radius)}
	if s.Block < 1 {
		errs = append(errs, fmt.Errorf("oco: Switching: Block is %d, must be at least 1", s.Block))
	}
	if s.Dimension < 0 {
		errs = append(errs, fmt.Errorf("oco: Switching: Dimension is %d, must be at least 0", s.Dimension))
	}
	return errors.Join(errs...)
}

// Gradient is G, the largest ‖∇f_t‖.
func (s Switching) Gradient() float64 {
	return math.Hypot(1+s.Noise, s.Noise*math.Sqrt(float64(s.Dim()-1)))
}

func (s Switching) sign(round int) float64 {
	if (round-1)/s.Block%2 == 1 {
		return -1
	}
	return 1
}

// Reveal writes s_t·e_1 and the noise.
func (s Switching) Reveal(draw *rand.Rand, round int, x, gradient []float64) float64 {
	for i := range gradient {
		gradient[i] = 0
		if s.Noise > 0 {
			gradient[i] = s.Noise * float64(2*draw.IntN(2)-1)
		}
	}
	gradient[0] += s.sign(round)
	return s.Loss(round, x)
}

// Loss is s_t·x_1.
func (s Switching) Loss(round int, x []float64) float64 { return s.sign(round) * x[0] }

// Best is at the end of the axis against the sum of the signs.
func (s Switching) Best(horizons []int) (points [][]float64, sums []float64) {
	for _, n := range horizons {
		rest := n % (2 * s.Block) // whole pairs of blocks cancel
		sum := float64(min(rest, 2*s.Block-rest))
		u := make([]float64, s.Dim())
		if sum > 0 {
			u[0] = -s.Radius
		}
		points, sums = append(points, u), append(sums, -s.Radius*sum)
	}
	return points, sums
}

// Ball is the set of points that are compared with.
func (s Switching) Ball() Ball { return Ball{Radius: s.Radius} }

// Target is −R·s_t·e_1.
func (s Switching) Target(round int) []float64 {
	u := make([]float64, s.Dim())
	u[0] = -s.Radius * s.sign(round)
	return u
}

// CumVariance is n·d·σ².
func (s Switching) CumVariance(rounds int) float64 {
	return float64(rounds) * float64(s.Dim()) * s.Noise * s.Noise
}

// CumVariation is 1, and 4 for each change of sign.
func (s Switching) CumVariation(rounds int) float64 { return 1 + 4*float64((rounds-1)/s.Block) }

// SwitchingStream is the adversaries' stream, one a run, all in the same dimension.
func SwitchingStream(runs []Switching) (Stream, error) {
	if len(runs) == 0 {
		return Stream{}, errors.New("oco: SwitchingStream: runs is empty, must hold at least one adversary")
	}
	dim := runs[0].Dim()
	blocks, noise, noisy := make([]float64, len(runs)), make([]float64, len(runs)), false
	for i, r := range runs {
		if err := r.Validate(0); err != nil {
			return Stream{}, fmt.Errorf("run %d: %w", i, err)
		}
		if r.Dim() != dim {
			return Stream{}, fmt.Errorf("oco: SwitchingStream: run %d has %d dimensions, must have %d like the first", i, r.Dim(), dim)
		}
		blocks[i], noise[i], noisy = float64(r.Block), r.Noise, noisy || r.Noise > 0
	}
	s := Stream{Name: "switching linear losses", Dim: dim, Inputs: scan.Vars{"blocks": tensors.FromFlatDataAndDimensions(blocks, len(runs))}}
	if noisy {
		s.Inputs["noise"] = tensors.FromFlatDataAndDimensions(noise, len(runs), 1)
	}
	s.Reveal = func(s *scan.Step, x *graph.Node) (gradient, loss *graph.Node) {
		past := graph.AddScalar(graph.ConvertDType(s.Count(), float64Type), -1)
		block := graph.Floor(graph.Div(past, s.Input("blocks")))
		odd := graph.Sub(block, graph.MulScalar(graph.Floor(graph.MulScalar(block, 0.5)), 2))
		sign := graph.OneMinus(graph.MulScalar(odd, 2)) // [runs]
		first := graph.Slice(identity(x.Graph(), dim), graph.AxisRange(0, 1))
		gradient = graph.Mul(graph.InsertAxes(sign, 1), first)
		loss = graph.ReduceSum(graph.Mul(gradient, x), 1)
		if !s.HasInput("noise") {
			return gradient, loss
		}
		coins := graph.OneMinus(graph.MulScalar(graph.ConvertDType(s.IntegersEach(2, dim), float64Type), 2))
		return graph.Add(gradient, graph.Mul(coins, s.Input("noise"))), loss
	}
	return s, nil
}
