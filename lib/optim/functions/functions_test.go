package functions

import (
	"context"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/diff/fd"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
)

func TestGradients(t *testing.T) {
	for _, f := range []Function{SyntheticF1(), SyntheticF2(false), SyntheticF3()} {
		for _, x := range []float64{-1.2, -0.95, -0.7, -0.45, -0.2, 0.1, 0.3, 0.45, 0.7, 1.3} {
			if got, want := f.Gradient(x), fd.Derivative(f.Value, x, nil); math.Abs(got-want) > 1e-5 {
				t.Errorf("%s: gradient at %g is %g, finite differences give %g", f.Name, x, got, want)
			}
		}
		for i, m := range f.Minima {
			if f.Value(m) > f.Value(m-0.01) || f.Value(m) > f.Value(m+0.01) {
				t.Errorf("%s: %g is no minimum", f.Name, m)
			}
			if i > 0 && f.Value(m) < f.Value(f.Minima[0]) {
				t.Errorf("%s: %g is below the global minimum", f.Name, m)
			}
		}
	}
	// Values the paper gives.
	for _, c := range []struct{ got, want float64 }{
		{SyntheticF1().Value(-0.3), 0}, {SyntheticF1().Value(0.2), 0.05}, {SyntheticF2(false).Value(-0.6429), 0.00012},
		{SyntheticF2(false).Value(0.588), 0.4653}, {SyntheticF3().Value(0.5), 0.25}, {SyntheticF3().Value(0), 0},
	} {
		if math.Abs(c.got-c.want) > 5e-5 {
			t.Errorf("value %g, want %g", c.got, c.want)
		}
	}
}

// adam and diffGrad of the paper's notebook: ε after bias correction for diffGrad, under the root for Adam.
func diffGrad() optim.Transform {
	return optim.Chain{optim.ScaleByDiffGrad{Beta1: 0.95}, optim.ScaleByLearningRate{Rate: 0.1}}
}

func adam() optim.Transform {
	return optim.Chain{optim.ScaleByAdam{Beta1: 0.95, Placement: optim.EpsInside}, optim.ScaleByLearningRate{Rate: 0.1}}
}

func path(t *testing.T, tr optim.Transform, f Function, x0 float64) []float64 {
	t.Helper()
	paths, err := Trajectory(context.Background(), backend.ForTest(t), tr, f, []float64{x0}, 299, nil)
	if err != nil {
		t.Fatal(err)
	}
	return paths[0]
}

// Facts 4 and 5 of diffGrad's specification.
func TestPaths(t *testing.T) {
	for _, c := range []struct {
		name string
		path []float64
		want map[int]float64
	}{
		{"diffGrad F1", path(t, diffGrad(), SyntheticF1(), -1), map[int]float64{1: -0.919781611717, 2: -0.865961128785,
			3: -0.813661019214, 10: -0.464023551213, 50: -0.377654374259, 100: -0.295383084286, 299: -0.300071166290}},
		{"Adam F1", path(t, adam(), SyntheticF1(), -1), map[int]float64{1: -0.900000000255, 2: -0.800487402815,
			10: -0.121852084015, 299: 0.200114932251}},
		{"diffGrad F3", path(t, diffGrad(), SyntheticF3(), -1), map[int]float64{1: -0.911920292643, 10: -0.426935742205, 299: 0.013565124364}},
		{"diffGrad F2", path(t, diffGrad(), SyntheticF2(false), -1), map[int]float64{1: -0.900000000025, 2: -0.850000000038,
			3: -0.766126163435, 299: -0.642962692530}},
		{"Adam F2", path(t, adam(), SyntheticF2(false), -1), map[int]float64{299: 0.000090}},
		{"diffGrad F2 published", path(t, diffGrad(), SyntheticF2(true), -1), map[int]float64{299: -0.812}},
	} {
		for step, want := range c.want {
			tolerance := 1e-11
			switch want { // given to fewer digits
			case 0.000090:
				tolerance = 5e-7
			case -0.812:
				tolerance = 5e-4
			}
			if got := c.path[step]; math.Abs(got-want) > tolerance {
				t.Errorf("%s: x_%d is %.12f, want %.12f", c.name, step, got, want)
			}
		}
	}
}

// Several starts and rates at once give what each gives alone.
func TestTrajectoryManyRuns(t *testing.T) {
	b := backend.ForTest(t)
	starts, rates := []float64{-1, -1, -0.6}, []float64{0.1, 0.2, 0.1}
	many, err := Trajectory(context.Background(), b, diffGrad(), SyntheticF1(), starts, 50, optim.Hyper{"learning_rate": rates})
	if err != nil {
		t.Fatal(err)
	}
	for i := range starts {
		one, err := Trajectory(context.Background(), b, diffGrad(), SyntheticF1(), starts[i:i+1], 50, optim.Hyper{"learning_rate": rates[i : i+1]})
		if err != nil {
			t.Fatal(err)
		}
		for k := range one[0] {
			if math.Abs(one[0][k]-many[i][k]) > 1e-13 {
				t.Fatalf("start %d, step %d: %g alone, %g among others", i, k, one[0][k], many[i][k])
			}
		}
	}
}

func TestTrajectoryBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	if _, err := Trajectory(context.Background(), b, adam(), SyntheticF1(), nil, 1, nil); err == nil || !strings.Contains(err.Error(), "x0 is empty") {
		t.Errorf("no starts: %v", err)
	}
	if _, err := Trajectory(context.Background(), b, adam(), SyntheticF1(), []float64{1}, -1, nil); err == nil || !strings.Contains(err.Error(), "steps is -1") {
		t.Errorf("negative steps: %v", err)
	}
	if _, err := Trajectory(context.Background(), b, adam(), SyntheticF1(), []float64{1}, 1, optim.Hyper{"lr": {1}}); err == nil || !strings.Contains(err.Error(), "beta1, beta2, learning_rate") {
		t.Errorf("an unknown hyper-parameter must be an error that lists the known: %v", err)
	}
}
