package dynamics

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"
)

// Perceptron is f(x) = W·x/√d, which starts from W = 0. In the task of [BoundaryData] its first weight is the signal and the
// others are noise. All is float64; the same batches at rate c·η and margin c·κ give exactly c times the weights where c is a
// power of two.
//
// Source: Sclocchi, Wyart (2024), On the different regimes of stochastic gradient descent.
type Perceptron struct{ W []float64 }

// SignalNoise returns W₁ and the norm of the other weights.
func (p Perceptron) SignalNoise() (signal, noise float64) {
	return p.W[0], floats.Norm(p.W[1:], 2)
}

// TestError is the chance of a new point of [BoundaryData] on the wrong side; ½ of no weights. With λ = W₁/‖noise‖ it is
// P(t > λ√(chi+1)) of Student's t with chi+1 degrees of freedom, which for chi = 0 is arctan(1/λ)/π.
func (p Perceptron) TestError(chi float64) (float64, error) {
	if err := checkChi("Perceptron.TestError", chi); err != nil {
		return 0, err
	}
	signal, noise := p.SignalNoise()
	switch {
	case signal == 0 && noise == 0:
		return 0.5, nil
	case noise == 0:
		return (1 - math.Copysign(1, signal)) / 2, nil
	}
	return distuv.StudentsT{Sigma: 1, Nu: chi + 1}.Survival(signal / noise * math.Sqrt(chi+1)), nil
}

// Margins are y·f of each point.
func (p Perceptron) Margins(d SignedData) ([]float64, error) {
	if err := d.check("Perceptron.Margins", "data"); err != nil {
		return nil, err
	}
	if _, cols := d.X.Dims(); cols != len(p.W) {
		return nil, fmt.Errorf("dynamics: Perceptron.Margins: data has %d columns, must have %d, the number of weights", cols, len(p.W))
	}
	out := make([]float64, len(d.Y))
	rows := newSigned(d)
	for i := range out {
		out[i] = floats.Dot(rows.at(i), p.W)
	}
	return out, nil
}

// PerceptronRun is a trained perceptron.
type PerceptronRun struct {
	Perceptron
	Stop
}

// Perceptron trains one to fit the data. The seed picks the batches. A context that ends is an error.
func (t TrainToFit) Perceptron(ctx context.Context, d SignedData, loss HingeMargin, seed uint64) (PerceptronRun, error) {
	if err := errors.Join(d.check("TrainToFit.Perceptron", "data"), loss.check("TrainToFit.Perceptron")); err != nil {
		return PerceptronRun{}, err
	}
	if err := t.check(len(d.Y)); err != nil {
		return PerceptronRun{}, err
	}
	return t.perceptron(ctx, newSigned(d), loss, seed)
}

// signed are the rows y·x/√d, whose products with the weights are the margins.
type signed struct {
	z      []float64
	points int
	dim    int
}

func newSigned(d SignedData) signed {
	points, dim := d.X.Dims()
	s := signed{make([]float64, points*dim), points, dim}
	for i, y := range d.Y {
		floats.ScaleTo(s.at(i), y/math.Sqrt(float64(dim)), d.X.RawRowView(i))
	}
	return s
}

func (s signed) at(i int) []float64 { return s.z[i*s.dim : (i+1)*s.dim : (i+1)*s.dim] }

// step moves the weights by a batch, and says whether it did. hit is room for its unfitted points.
func (s signed) step(w []float64, batch, hit []int32, rate float64, loss HingeMargin) bool {
	hit = hit[:0]
	for _, i := range batch {
		if loss.Unfitted(floats.Dot(s.at(int(i)), w)) {
			hit = append(hit, i)
		}
	}
	for _, i := range hit {
		floats.AddScaled(w, rate, s.at(int(i)))
	}
	return len(hit) > 0
}

// unfitted returns an unfitted point, looking from one on, or -1.
func (s signed) unfitted(w []float64, from int, loss HingeMargin) int {
	for k := range s.points {
		i := from + k
		if i >= s.points {
			i -= s.points
		}
		if loss.Unfitted(floats.Dot(s.at(i), w)) {
			return i
		}
	}
	return -1
}

// perceptron is the run itself. Fitted and diverged are exclusive: what is not finite is never tested for fit.
func (t TrainToFit) perceptron(ctx context.Context, s signed, loss HingeMargin, seed uint64) (PerceptronRun, error) {
	w, draws, hit := make([]float64, s.dim), newBatches(s.points, seed), make([]int32, 0, t.Batch)
	rate, every, last := t.LR/float64(t.Batch), t.every(s.points), 0
	end := End{StepLimit, t.MaxSteps}
	for step := 1; step <= t.MaxSteps; step++ {
		if s.step(w, draws.next(t.Batch), hit, rate, loss) && !(floats.Dot(w, w) <= math.MaxFloat64) {
			end = End{Diverged, step}
			break
		}
		if step%every == 0 {
			if last = s.unfitted(w, last, loss); last < 0 {
				end = End{Fitted, step}
				break
			}
		}
		if step&0xFFFF == 0 && ctx.Err() != nil {
			return PerceptronRun{}, ctx.Err()
		}
	}
	return PerceptronRun{Perceptron{w}, Stop{end, t.LR * float64(end.Step)}}, nil
}
