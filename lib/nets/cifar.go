package nets

import (
	"context"
	"fmt"

	"github.com/hindsight-go/hindsight/lib/data"
)

// CIFARConfig is the training of a residual network of [ResNetSize] on CIFAR-10 or CIFAR-100, by the number of classes:
// colours normalized, [CropAndFlip] of 4 pixels, minibatches of 128, 100 epochs. The method is the caller's, with the
// learning rate a tenth for the last 20 epochs, as in comparisons of optimizers:
//
//	c, err := nets.CIFARConfig(ctx, "resnet50", 10, data.Options{})
//	c.Optimizer = optim.Chain{method, optim.ScaleByLearningRate{Rate: 1e-3, Schedule: optim.StepDecay{Every: 80 * c.EpochSteps(), By: 0.1}}}
//	fitter, err := nets.NewFitter(b, c)
//
// Where the pictures cannot be had the error wraps [data.ErrUnavailable]. Another Batch must be set before EpochSteps is
// asked for.
//
// Source: schedule of Dubey et al. (2020), diffGrad; augmentation of He et al. (2016), section 4.2, which public code for
// that comparison shares.
func CIFARConfig(ctx context.Context, network string, classes int, o data.Options) (FitConfig, error) {
	load, colours := data.CIFAR10, cifar10Colours
	switch classes {
	case 10:
	case 100:
		load, colours = data.CIFAR100, cifar100Colours
	default:
		return FitConfig{}, fmt.Errorf("nets: CIFARConfig: classes is %d, must be 10 or 100", classes)
	}
	size, err := ResNetSize(network)
	if err != nil {
		return FitConfig{}, err
	}
	size.Classes = classes
	train, err := load(ctx, data.Train, o)
	if err != nil {
		return FitConfig{}, err
	}
	test, err := load(ctx, data.Test, o)
	if err != nil {
		return FitConfig{}, err
	}
	return colours.config(size, train, test)
}

// colours are the mean and the deviation of the training pictures' red, green and blue in [0, 1].
type colours struct{ mean, deviation []float32 }

var (
	cifar10Colours  = colours{[]float32{0.4914, 0.4822, 0.4465}, []float32{0.2470, 0.2435, 0.2616}}
	cifar100Colours = colours{[]float32{0.5071, 0.4865, 0.4409}, []float32{0.2673, 0.2564, 0.2762}}
)

func (n colours) config(size ResNetConfig, train, test *data.Dataset) (FitConfig, error) {
	c := FitConfig{Batch: 128, Epochs: 100, Augment: CropAndFlip(4)}
	var err error
	if c.Model, err = ResNet(size); err != nil {
		return FitConfig{}, err
	}
	if c.Train, err = train.NormalizeChannels(n.mean, n.deviation); err != nil {
		return FitConfig{}, err
	}
	c.Test, err = test.NormalizeChannels(n.mean, n.deviation)
	return c, err
}
