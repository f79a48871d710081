package nets

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
)

// The training is that of the comparison: its sizes, its schedule, its colours.
func TestCIFARConfig(t *testing.T) {
	d := &data.Dataset{Name: "made up", Shape: []int{32, 32, 3}, Classes: make([]string, 100), X: make([]float32, 300*32*32*3), Labels: make([]int32, 300)}
	d.X[0], d.X[1], d.X[2] = 0.5071, 1, 1
	size, err := ResNetSize("resnet50")
	if err != nil {
		t.Fatal(err)
	}
	size.Classes = 100
	c, err := cifar100Colours.config(size, d, d)
	if err != nil {
		t.Fatal(err)
	}
	if c.Model.Size() != 23705252 || c.Batch != 128 || c.Epochs != 100 || c.EpochSteps() != 2 || c.Augment == nil {
		t.Errorf("%d parameters, batch %d, %d epochs of %d steps", c.Model.Size(), c.Batch, c.Epochs, c.EpochSteps())
	}
	if x := c.Train.X; x[0] != 0 || math.Abs(float64(x[1])-(1-0.4865)/0.2564) > 1e-6 || c.Test.X[2] != x[2] || d.X[1] != 1 {
		t.Errorf("the first pixel is %v", x[:3])
	}
	c.Batch = 32
	schedule := optim.StepDecay{Every: 80 * c.EpochSteps(), By: 0.1}
	if last := int64(100 * c.EpochSteps()); c.EpochSteps() != 9 || schedule.At(80*9) != 1 || schedule.At(80*9+1) != 0.1 || schedule.At(last) != 0.1 {
		t.Errorf("epochs have %d steps; the rate's factors are %g, %g, %g", c.EpochSteps(), schedule.At(720), schedule.At(721), schedule.At(last))
	}
}

func TestCIFARConfigErrors(t *testing.T) {
	ctx, nowhere := context.Background(), data.Options{Dirs: []string{}, Cache: t.TempDir(), Offline: true}
	for want, call := range map[string]func() error{
		"classes is 7, must be 10 or 100": func() error { _, err := CIFARConfig(ctx, "resnet50", 7, nowhere); return err },
		`ResNetSize: name is "resnet5"`:   func() error { _, err := CIFARConfig(ctx, "resnet5", 10, nowhere); return err },
		"data: cifar-10: ":                func() error { _, err := CIFARConfig(ctx, "resnet50", 10, nowhere); return err },
		"data: cifar-100: ":               func() error { _, err := CIFARConfig(ctx, "resnet50", 100, nowhere); return err },
	} {
		err := call()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		if strings.HasPrefix(want, "data") && !errors.Is(err, data.ErrUnavailable) {
			t.Errorf("error %v, want one that wraps data.ErrUnavailable", err)
		}
	}
}
