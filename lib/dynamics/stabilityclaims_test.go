package dynamics

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// What the paper says of where SGD of batch 1 and gradient descent end, at sizes of a test: trace, norms, balance, test error.
func TestStabilityClaims(t *testing.T) {
	outcomes := func(trials ...StabilityTrial) []StabilityOutcome {
		out, err := RunStabilityTrials(t.Context(), trials, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	sgd := func(rate, clip float64) SquareLossSGD {
		return SquareLossSGD{Rate: rate, Batch: 1, Steps: 40000, Clip: clip, Seed: 7}
	}
	descent := func(rate, clip float64) SquareLossSGD { return SquareLossSGD{Rate: rate, Steps: 4000, Clip: clip} }
	linear := func(balance float64, s SquareLossSGD) StabilityTrial {
		trial, err := SparseLinearProblem{N: 40, D: 100, Balance: balance}.Trial(7, s)
		if err != nil {
			t.Fatal(err)
		}
		return trial
	}
	trials := []StabilityTrial{linear(0, sgd(0.1, 10)), linear(0, sgd(0.4, 10)), linear(0, descent(0.1, 10)), linear(0, descent(0.4, 10))}
	out := outcomes(trials...)
	for k, o := range out {
		rate := trials[k].SGD.Rate
		if o.Sharpness.Loss > 1e-6 || o.Run.LastClipped > o.Run.Step/4 {
			t.Errorf("trial %d ended at the loss %g, clipped last at step %d of %d", k, o.Sharpness.Loss, o.Run.LastClipped, o.Run.Step)
		}
		if rate*o.Sharpness.Top/2 > 1.02 {
			t.Errorf("trial %d: η λ_max/2 is %g", k, rate*o.Sharpness.Top/2)
		}
		limit := critical(t, jacobian(t, trials[k].Net, trials[k].X).Rows, max(1, trials[k].SGD.Batch), true)
		if trace := rate * o.Sharpness.Trace / 2; k < 2 && (trace > 1.02 || trace < 0.25 || rate > limit) || k >= 2 && (trace < 1.8 || rate < limit) {
			t.Errorf("trial %d: η tr G/2 is %g, and the critical η of batch 1 there %g", k, trace, limit)
		}
	}
	norm := func(k int) float64 { return trials[k].Net.(DiagonalLinearNet).L1Norm() }
	if slope := math.Log(norm(1)/norm(0)) / math.Log(4); slope < -1.4 || slope > -0.7 {
		t.Errorf("‖β‖₁ of SGD falls with the slope %g", slope)
	}
	if slope := math.Log(norm(3)/norm(2)) / math.Log(4); slope < -0.2 || slope > 0.05 {
		t.Errorf("‖β‖₁ of gradient descent falls with the slope %g", slope)
	}
	if out[1].TestLoss > 0.01*out[3].TestLoss {
		t.Errorf("the test losses are %g and %g", out[1].TestLoss, out[3].TestLoss)
	}

	balances := []float64{}
	for _, trial := range []StabilityTrial{linear(4, sgd(0.05, 20)), linear(8, sgd(0.05, 20)), linear(4, descent(0.05, 20)), linear(8, descent(0.05, 20))} {
		outcomes(trial)
		balance, err := trial.Net.(DiagonalLinearNet).Balance()
		if err != nil {
			t.Fatal(err)
		}
		balances = append(balances, balance)
	}
	if balances[1] > balances[3]/2 || balances[1]/balances[0] > 1.35 || balances[3]/balances[2] < 1.5 {
		t.Errorf("balances of SGD and gradient descent from 4 and 8: %.3g", balances)
	}

	var relu []StabilityTrial
	for _, s := range []SquareLossSGD{sgd(0.03, 10), descent(0.03, 10)} {
		trial, err := ReLUTeacherProblem{N: 60, D: 20, M: 40, K: 3}.Trial(7, s)
		if err != nil {
			t.Fatal(err)
		}
		relu = append(relu, trial)
	}
	out = outcomes(relu...)
	for k, o := range out {
		trace, path := 0.03*o.Sharpness.Trace/2, relu[k].Net.(TwoLayerReLU).PathNorm()
		if k == 0 && (trace < 0.6 || trace > 1.02) || k == 1 && trace < 1.1 {
			t.Errorf("ReLU trial %d: η tr G/2 is %g", k, trace)
		}
		if ratio := o.Sharpness.Trace / math.Sqrt(20) / path; ratio < 0.9 || ratio > 3 {
			t.Errorf("ReLU trial %d: tr G over √d·path norm is %g", k, ratio)
		}
	}
	if ratio := out[1].TestLoss / out[0].TestLoss; ratio < 5 || out[0].TestLoss > stat.PopVariance(relu[0].TestY, nil) {
		t.Errorf("the test loss of gradient descent is %g of SGD's, %g", ratio, out[0].TestLoss)
	}
}
