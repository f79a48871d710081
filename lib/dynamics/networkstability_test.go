package dynamics

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/curvature"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/nets"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// pictures are made ones of a shape, each with the target 1 or −1.
func pictures(n int, shape ...int) *data.Dataset {
	rng := online.Seeded(1, "made pictures")
	size := 1
	for _, k := range shape {
		size *= k
	}
	d := &data.Dataset{Name: "made pictures", Shape: shape, X: make([]float32, n*size)}
	for k := range d.X {
		d.X[k] = float32(rng.NormFloat64())
	}
	for i := range n {
		d.Targets = append(d.Targets, float32(1-2*(i%2)))
	}
	return d
}

func smallCNN(t *testing.T, shape ...int) nets.Model {
	t.Helper()
	m, err := nets.SmallCNN("relu", shape[0], shape[1], shape[2], 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Hutchinson's trace of a convolutional network along a run is the Jacobian's, and the loss falls; pictures are CIFAR's size.
func TestNetworkStability(t *testing.T) {
	b := backend.ForTest(t)
	shape, rate := []int{32, 32, 3}, 1e-4
	if testing.Short() {
		shape, rate = []int{4, 4, 1}, 1e-2
	}
	told := 0
	c := NetworkStabilityConfig{Model: smallCNN(t, shape...), Set: pictures(12, shape...), Batch: 1, Steps: 60, Every: 30, Progress: func(done, total int) { told = done * 100 / total }}
	network, err := NewNetworkStability(b, c)
	if err != nil {
		t.Fatal(err)
	}
	run, err := network.Run(t.Context(), rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	if run.End != (End{StepLimit, 60}) || len(run.Record) != 3 || run.Record[1].Step != 30 || told != 100 || (network.Note == "") != scan.CanFuse(b) { // exact where slices have second derivatives
		t.Fatalf("%+v, told %d", run, told)
	}
	last := run.Record[2]
	if first := run.Record[0].Loss; !(last.Loss < first/2) {
		t.Errorf("the loss goes from %g to %g", first, last.Loss)
	}
	j, err := curvature.Network{
		Outputs: func(p, data []*graph.Node) *graph.Node { return c.Model.Apply(p, data[0]) },
		Params:  run.Params, Data: []*tensors.Tensor{c.Set.Features()},
	}.Jacobian(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	trace := 0.0
	for i := range j.Examples {
		trace += floats.Dot(j.Rows.RawRowView(i), j.Rows.RawRowView(i)) / float64(j.Examples)
	}
	if off := math.Abs(last.Trace.Mean - trace); off > 5*last.Trace.StdErr {
		t.Errorf("tr G is %g ± %g, by the Jacobian %g", last.Trace.Mean, last.Trace.StdErr, trace)
	}

	again, err := network.Run(t.Context(), rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	if off := math.Abs(again.Record[2].Loss/last.Loss - 1); off > 1e-3 {
		t.Errorf("the same seed gives the losses %g and %g", last.Loss, again.Record[2].Loss)
	}
	if run, err = network.Run(t.Context(), 1e6, 1); err != nil || run.How != Diverged || run.Step < 1 || len(run.Record) == 0 {
		t.Errorf("with a large rate: %v, %v", run.End, err)
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := network.Run(t.Context(), bad, 1); err == nil || !strings.Contains(err.Error(), "the rate is") {
			t.Errorf("of the rate %g: %v", bad, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := network.Run(ended, rate, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("of an ended context: %v", err)
	}
}

// A clipped step is as long as the rate and the limit say.
func TestNetworkStabilityClips(t *testing.T) {
	c := NetworkStabilityConfig{Model: smallCNN(t, 4, 4, 1), Set: pictures(4, 4, 4, 1), Clip: 1e-2, Steps: 1}
	network, err := NewNetworkStability(backend.ForTest(t), c)
	if err != nil {
		t.Fatal(err)
	}
	run, err := network.Run(t.Context(), 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the step's length", floats.Distance(curvature.Flat(run.Params), curvature.Flat(c.Model.Init(3)), 2), 0.1, 1e-5)
}

func TestNetworkStabilityErrors(t *testing.T) {
	b := backend.ForTest(t)
	good := NetworkStabilityConfig{Model: smallCNN(t, 4, 4, 1), Set: pictures(4, 4, 4, 1), Steps: 1}
	classes, err := data.Digits()
	if err != nil {
		t.Fatal(err)
	}
	two, err := nets.SmallCNN("relu", 4, 4, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *NetworkStabilityConfig){
		"Model and Set must be set":    func(c *NetworkStabilityConfig) { c.Model = nets.Model{} },
		"Set must be set":              func(c *NetworkStabilityConfig) { c.Set = nil },
		"Targets is 0":                 func(c *NetworkStabilityConfig) { c.Set = classes },
		"Batch is -1":                  func(c *NetworkStabilityConfig) { c.Batch = -1 },
		"Clip is NaN":                  func(c *NetworkStabilityConfig) { c.Clip = math.NaN() },
		"Steps is -1":                  func(c *NetworkStabilityConfig) { c.Steps = -1 },
		"Every is -1":                  func(c *NetworkStabilityConfig) { c.Every = -1 },
		"the model has outputs shaped": func(c *NetworkStabilityConfig) { c.Model = two },
	} {
		c := good
		change(&c)
		if _, err := NewNetworkStability(b, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
}
