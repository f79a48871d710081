package optim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// registry holds the ready optimizers by name, for command lines and selectors: the learning rate is what varies.
var registry = map[string]func(rate float64) Transform{
	"sgd":              func(rate float64) Transform { return SGD(rate) },
	"momentum":         func(rate float64) Transform { return Momentum(rate, 0.9) },
	"nesterov":         func(rate float64) Transform { return Nesterov(rate, 0.9) },
	"adagrad":          func(rate float64) Transform { return AdaGrad(rate) },
	"adadelta":         func(rate float64) Transform { return AdaDelta(rate) },
	"rmsprop":          func(rate float64) Transform { return RMSProp(rate) },
	"rmsprop-centered": func(rate float64) Transform { return CenteredRMSProp(rate) },
	"adam":             func(rate float64) Transform { return Adam(rate) },
	"amsgrad":          func(rate float64) Transform { return AMSGrad(rate) },
	"adamw":            func(rate float64) Transform { return AdamW(rate, 0.01) },
	"nadam":            func(rate float64) Transform { return NAdam(rate) },
	"radam":            func(rate float64) Transform { return RAdam(rate) },
	"lion":             func(rate float64) Transform { return Lion(rate, 0) },
	"signsgd":          func(rate float64) Transform { return SignSGD(rate) },
	"adafactor":        func(rate float64) Transform { return Adafactor(rate) },
	"muon":             func(rate float64) Transform { return Muon(rate) },
	"m-fac":            func(rate float64) Transform { return MFAC(rate, 64, 0.1) }, // damped for problems without noise, too
	"swan":             func(rate float64) Transform { return SWAN(rate) },
	"sgd-sai":          func(rate float64) Transform { return SGDSaI(rate, 0) },
	"adam-mini":        func(rate float64) Transform { return AdamMini(rate, 0) },
	"prodigy":          func(rate float64) Transform { return Prodigy(rate) },
	"diffgrad":         func(rate float64) Transform { return DiffGrad(rate) },
	"frugal":           func(rate float64) Transform { return Frugal(rate, 0) },
	"galore":           func(rate float64) Transform { return GaLore(rate, 0.25) },
	"badam":            func(rate float64) Transform { return BAdam(rate, 0.25) },
}

// Names lists the ready optimizers, sorted.
func Names() []string { return slices.Sorted(maps.Keys(registry)) }

// ByName returns a ready optimizer with a learning rate. An unknown name is an error that lists the known ones.
func ByName(name string, rate float64) (Transform, error) {
	make, ok := registry[strings.ToLower(name)]
	if !ok {
		return nil, fmt.Errorf("optim: ByName: name is %q, must be one of %s", name, strings.Join(Names(), ", "))
	}
	t := make(rate)
	return t, t.Validate()
}
