package optim

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
)

func respond(t *testing.T, tr Transform, gradients *tensors.Tensor) []float64 {
	t.Helper()
	u, err := Respond(context.Background(), backend.ForTest(t), tr, gradients)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float64](u)
}

func noise(scale float64, steps, coordinates int) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(2, 3))
	g := make([]float64, steps*coordinates)
	for i := range g {
		g[i] = scale * 0.1 * rng.NormFloat64()
	}
	return tensors.FromFlatDataAndDimensions(g, steps, coordinates)
}

// Fact 2: friction of given changes, in every version.
func TestFrictionCoefficient(t *testing.T) {
	b := backend.ForTest(t)
	changes := []float64{0, 0.1, 1, 5, -1, math.Inf(1), 1e300}
	for version, want := range [][]float64{
		{0.5, 0.524979187479, 0.731058578630, 0.993307149076, 0.731058578630, 1, 1},
		{0.5, 0.524979187479, 0.731058578630, 0.993307149076, 0.268941421370, 1, 1},
		{0.5, 0.5 + 9*(1/(1+math.Exp(-0.05))-0.5), 9/(1+math.Exp(-0.5)) - 4, 9/(1+math.Exp(-2.5)) - 4, 9/(1+math.Exp(-0.5)) - 4, 5, 5},
	} {
		e, err := graph.NewExec(b, func(x *graph.Node) *graph.Node { return FrictionCoefficient(x, graph.ZerosLike(x), version) })
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.Call(changes)
		if err != nil {
			t.Fatal(err)
		}
		close(t, "ξ", tensors.MustCopyFlatData[float64](out[0]), want, 1e-11)
	}
}

// Scaled up the method is Adam, scaled down Adam at half the rate; the aliased version stays at half.
func TestDiffGradScaleLimits(t *testing.T) {
	const steps, n = 20, 50
	adam := func(rate float64) Transform {
		return ready(rate, ScaleByAdam{Placement: EpsUncorrected})
	}
	after := func(u []float64) []float64 { return u[n:] } // from step 2 on
	for _, c := range []struct {
		scale, rate float64
		tr          Transform
		tolerance   float64
	}{
		{1e6, 0.01, DiffGrad(0.01), 1e-3},
		{1e-6, 0.005, DiffGrad(0.01), 1e-3},
		{1e6, 0.005, ready(0.01, ScaleByDiffGrad{Placement: EpsUncorrected, AliasedPreviousGradient: true}), 1e-7},
	} {
		g := noise(c.scale, steps, n)
		got, want := after(respond(t, c.tr, g)), after(respond(t, adam(c.rate), g))
		for i := range want {
			if math.Abs(got[i]-want[i]) > c.tolerance*math.Abs(want[i]) {
				t.Fatalf("scale %g, entry %d: update %g, want %g", c.scale, i, got[i], want[i])
			}
		}
	}
}

// What tells a wrong implementation from a right one: the first step's friction depends on |g₁|, and a NaN gradient
// stays one.
func TestDiffGradEdges(t *testing.T) {
	u := respond(t, DiffGrad(1), tensors.FromValue([][]float64{{3, 0}}))
	// At step 1 Adam's direction is 1 up to ε, so the update is the friction.
	close(t, "first step", u, []float64{-1 / (1 + math.Exp(-3)), 0}, 1e-6)
	u = respond(t, DiffGrad(1), tensors.FromValue([][]float64{{math.NaN()}, {1}}))
	if !math.IsNaN(u[0]) || !math.IsNaN(u[1]) {
		t.Errorf("NaN gradients gave %v, must stay NaN", u)
	}
	u = respond(t, DiffGrad(1), tensors.FromValue([][]float64{{0}, {0}, {0}}))
	close(t, "no gradient", u, []float64{0, 0, 0}, 0)
	bytes, err := StateBytes(backend.ForTest(t), DiffGrad(1), map[string]*tensors.Tensor{"w": tensors.FromScalarAndDimensions(float32(0), 5, 2)})
	if err != nil || bytes != 3*10*int64(dtypes.Float32.Size()) {
		t.Errorf("state takes %d bytes (%v), want three float32 a parameter", bytes, err)
	}
}
