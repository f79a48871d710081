package dynamics

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// four are four points whose labels are the sign of the first coordinate.
func four() SignedData {
	return SignedData{
		X: mat.NewDense(4, 3, []float64{.5, 1, -.2, -.3, .4, .8, 1.2, -.7, .1, -.1, -1, .6}),
		Y: []float64{1, -1, 1, -1},
	}
}

// Worked by hand: five steps of batches of two, the last two of which find nothing unfitted.
func TestPerceptronStepsByHand(t *testing.T) {
	s, w := newSigned(four()), make([]float64, 3)
	want := [][]float64{
		{0.0923760430703, 0.0692820323028, -0.115470053838},
		{0.24248711306, 0.103923048454, -0.173205080757},
		{0.277128129211, 0.057735026919, -0.265581123827},
		{0.277128129211, 0.057735026919, -0.265581123827},
		{0.277128129211, 0.057735026919, -0.265581123827},
	}
	margins := map[int][]float64{0: {0.08, 0.053333333, 0.029333333, 0.085333333}, 4: {0.144, 0.157333333, 0.153333333, 0.141333333}}
	for k, batch := range [][]int32{{0, 1}, {2, 3}, {1, 3}, {0, 2}, {3, 0}} {
		moved := s.step(w, batch, make([]int32, 0, 2), .4/2, .1)
		assert.Equal(t, k < 3, moved, "step %d", k+1)
		assert.InDeltaSlice(t, want[k], w, 1e-11, "step %d", k+1)
		if m, ok := margins[k]; ok {
			got, err := Perceptron{w}.Margins(four())
			require.NoError(t, err)
			assert.InDeltaSlice(t, m, got, 1e-8, "step %d", k+1)
		}
	}
}

// Worked by hand: one point a step in turn, looking for the fit before each step.
func TestPerceptronInTurnByHand(t *testing.T) {
	s, w := newSigned(four()), make([]float64, 3)
	steps := 0
	for ; s.unfitted(w, 0, .1) >= 0; steps++ {
		s.step(w, []int32{int32(steps % 4)}, make([]int32, 0, 1), .4, .1)
	}
	assert.Equal(t, 4, steps)
	assert.InDelta(t, 1.6, float64(steps)*.4, 1e-12)
	assert.InDeltaSlice(t, []float64{0.484974226119, 0.207846096908, -0.346410161514}, w, 1e-11)
}

func TestTheory(t *testing.T) {
	for chi, want := range [][]float64{{1, 3, 0.3989422804}, {.5, 2, 0.3133285343}, {1. / 3, 5. / 3, 0.2659615203}, {.25, 1.5, 0.2349964007}} {
		gamma, b := PerceptronExponents(float64(chi))
		assert.InDelta(t, want[0], gamma, 1e-12)
		assert.InDelta(t, want[1], b, 1e-12)
		assert.InDelta(t, want[2], NoiseFloor(1, 1, float64(chi)), 1e-10)
		assert.InDelta(t, want[2]*3*8, NoiseFloor(3, 64, float64(chi)), 1e-8)
	}
	gamma, b := PerceptronExponents(-1)
	assert.True(t, math.IsNaN(gamma) && math.IsNaN(b) && math.IsNaN(NoiseFloor(1, 1, -1)))
	for depth, want := range map[int]float64{1: 0, 2: 1. / 3, 3: .5, 5: 2. / 3} {
		assert.InDelta(t, want, MaxTemperatureExponent(depth), 1e-12)
	}
}

// smallNet is one of two weights in a hidden layer of two, float64, full batch, in one lane.
func smallNet(t *testing.T, alpha float64, steps int) (*NetTrainer, *netWorker) {
	d := SignedData{X: mat.NewDense(2, 2, []float64{1, -.5, .2, .8}), Y: []float64{1, -1}}
	trainer, err := NetFit{Net: CenteredNet{HiddenLayers: 1, Width: 2}, Train: d, SGD: TrainToFit{Batch: 2, MaxSteps: steps, CheckEvery: steps}, Lanes: 1, Float64: true}.Compile(backend.ForTest(t))
	require.NoError(t, err)
	w := trainer.newWorker()
	w.lanes[0] = &netLane{phase: Phase{alpha, .3 / 2, 0}, start: Weights{{.5, -1, 1, .4}, {.8, -.6}}, draws: newBatches(2, 0)}
	require.NoError(t, w.begin([]int{0}))
	return trainer, w
}

// Worked by hand to twelve digits.
func TestNetStepsByHand(t *testing.T) {
	first := Weights{{0.5254558441, -0.9872720779, 0.9109045456, 0.4509116882}, {0.7045405845, -0.6127279221}}
	for alpha, want := range map[float64]struct {
		loss, change float64
		second       Weights
	}{
		.1: {9.925786633647, 0.158112177323, Weights{{0.5852380951, -0.9742741559, 0.8137583877, 0.5029033765}, {0.6235261691, -0.6300458441}}},
		10: {0.032562620533, 0.103734934135, Weights{{0.6001836579, -0.9872720779, 0.8735406386, 0.4509116882}, {0.7119655845, -0.6127279221}}},
	} {
		for steps := 1; steps <= 2; steps++ {
			trainer, w := smallNet(t, alpha, steps)
			assert.InDeltaSlice(t, []float64{0, 0.458205194209}, w.f0, 1e-12)
			result, err := trainer.program.Run(t.Context(), w.state, w.chunkInputs(), steps, 0)
			require.NoError(t, err)
			w.state = result.State
			got := Weights{}
			for l := range 2 {
				flat, err := flatValues(w.state[weightName(l)])
				require.NoError(t, err)
				got = append(got, flat)
			}
			if steps == 2 {
				for l := range got {
					assert.InDeltaSlice(t, want.second[l], got[l], 1e-10, "α = %g", alpha)
				}
				change, err := got.RelativeWeightChange(w.lanes[0].start)
				require.NoError(t, err)
				assert.InDelta(t, want.change, change, 1e-11)
				continue
			}
			for l := range got {
				assert.InDeltaSlice(t, first[l], got[l], 1e-10, "α = %g", alpha)
			}
			f, err := w.outputsOf(w.train)
			require.NoError(t, err)
			assert.InDeltaSlice(t, []float64{0.034874758935, -0.113551973772}, floats.SubTo(make([]float64, 2), f[0], w.f0), 1e-11)
			assert.InDelta(t, want.loss, MarginOf(alpha).Loss(margins(w.train.y, f[0], w.f0)), 1e-11)
		}
	}
}

// oneNet is a network, by loops: f and its gradient.
func oneNet(n CenteredNet, w Weights, x []float64) (f float64, gradient Weights) {
	hs, in := [][]float64{x}, x
	for l := range n.HiddenLayers {
		out := make([]float64, n.Width)
		for i, v := range in {
			floats.AddScaled(out, v, w[l][i*n.Width:(i+1)*n.Width])
		}
		for j := range out {
			out[j] = math.Sqrt(2/float64(len(in))) * max(out[j], 0)
		}
		hs, in = append(hs, out), out
	}
	root := math.Sqrt(float64(n.Width))
	gradient = make(Weights, len(w))
	gradient[n.HiddenLayers] = floats.ScaleTo(make([]float64, n.Width), 1/root, in)
	back := floats.ScaleTo(make([]float64, n.Width), 1/root, w[n.HiddenLayers])
	for l := n.HiddenLayers - 1; l >= 0; l-- {
		in, next := hs[l], make([]float64, len(hs[l]))
		gradient[l] = make([]float64, len(w[l]))
		for i := range in {
			for j := range n.Width {
				if hs[l+1][j] > 0 {
					d := back[j] * math.Sqrt(2/float64(len(in)))
					gradient[l][i*n.Width+j] = d * in[i]
					next[i] += d * w[l][i*n.Width+j]
				}
			}
		}
		back = next
	}
	return floats.Dot(hs[n.HiddenLayers], w[n.HiddenLayers]) / root, gradient
}

// The compiled steps against loops in plain Go, over several runs with margins that some points have and others have not.
func TestNetAgainstLoops(t *testing.T) {
	d, err := BoundaryData(24, 5, 0, 3)
	require.NoError(t, err)
	n := CenteredNet{HiddenLayers: 3, Width: 7}
	sgd := TrainToFit{Batch: 4, MaxSteps: 33, CheckEvery: 33}
	trainer, err := NetFit{Net: n, Train: d, SGD: sgd, Lanes: 2, Float64: true, Keep: true}.Compile(backend.ForTest(t))
	require.NoError(t, err)
	phases := Grid([]float64{.3, 5}, []float64{.02, .1}, []uint64{1, 2})
	runs, err := trainer.Run(t.Context(), phases)
	require.NoError(t, err)
	for k, p := range phases {
		w, err := n.Start(5, p.Seed)
		require.NoError(t, err)
		start, _ := n.Start(5, p.Seed)
		draws := newBatches(24, p.Seed)
		for range 33 {
			var all []Weights
			for _, i := range draws.next(4) {
				x := d.X.RawRowView(int(i))
				f, g := oneNet(n, w, x)
				f0, _ := oneNet(n, start, x)
				if MarginOf(p.Alpha).Unfitted(d.Y[i] * (f - f0)) {
					for l := range g {
						floats.Scale(p.Temperature*d.Y[i], g[l])
					}
					all = append(all, g)
				}
			}
			for _, g := range all {
				for l := range w {
					floats.Add(w[l], g[l])
				}
			}
		}
		for l := range w {
			assert.InDeltaSlice(t, w[l], runs[k].Weights[l], 1e-9, "%v, layer %d", p, l)
		}
	}
}
