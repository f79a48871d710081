package race

import (
	"strings"

	"github.com/hindsight-go/hindsight/lib/optim"
)

// Entrant is a registered optimizer with the range in which its learning rate is searched, evenly on the log scale.
type Entrant struct {
	Name      string
	Family    string
	Low, High float64 // High is 1000·Low for all: n trials are equally dense in every range
}

// family says what a rate means to its methods, and so where it is looked for.
type family struct {
	name    string
	low     float64
	methods []string
}

// families: what is not listed here is searched in the range of the last.
var families = []family{
	{"gradient", 4e-3, []string{"sgd", "momentum", "nesterov"}}, // steps of the gradient's size
	{"sign", 1e-4, []string{"lion", "signsgd"}},                 // every coordinate moves by the rate
	{"summed", 3e-3, []string{"adagrad"}},                       // the step shrinks as gradients add up
	{"own scale", 0.1, []string{"adadelta"}},                    // the step's size comes from earlier steps; 1 is the paper's
	{"relative", 1e-3, []string{"adafactor"}},                   // steps relative to the parameters' size
	{"orthogonal", 1e-3, []string{"muon", "swan"}},              // matrices in their own directions
	{"projected", 3e-3, []string{"galore"}},                     // Adam's steps times 0.25, in a part of the directions
	{"scaled at start", 0.03, []string{"sgd-sai"}},              // one factor a tensor, at most 1
	{"inverse Fisher", 1e-3, []string{"m-fac"}},                 // of order 1/window
	{"found", 0.03, []string{"prodigy"}},                        // a factor on the step that it finds; 1 is meant
	{"adaptive", 1e-3, []string{"adam", "amsgrad", "adamw", "nadam", "radam", "rmsprop", "rmsprop-centered", "diffgrad", "adam-mini", "frugal", "badam"}},
}

const span = 1000

// Entrants are all registered optimizers, sorted by name, with their ranges:
//
//	| family          | learning rate  | methods                                                |
//	|-----------------|----------------|--------------------------------------------------------|
//	| gradient        | 0.004 … 4      | sgd, momentum, nesterov                                |
//	| sign            | 0.0001 … 0.1   | lion, signsgd                                          |
//	| summed          | 0.003 … 3      | adagrad                                                |
//	| own scale       | 0.1 … 100      | adadelta                                               |
//	| relative        | 0.001 … 1      | adafactor                                              |
//	| orthogonal      | 0.001 … 1      | muon, swan                                             |
//	| projected       | 0.003 … 3      | galore                                                 |
//	| scaled at start | 0.03 … 30      | sgd-sai                                                |
//	| inverse Fisher  | 0.001 … 1      | m-fac                                                  |
//	| found           | 0.03 … 30      | prodigy                                                |
//	| adaptive        | 0.001 … 1      | adam and its kin, and every method not listed here     |
func Entrants() []Entrant {
	var out []Entrant
	for _, name := range optim.Names() {
		out = append(out, entrant(name))
	}
	return out
}

// ByMethod returns one entrant. An unknown name is an error that lists the known ones.
func ByMethod(name string) (Entrant, error) {
	if _, err := optim.ByName(name, 1); err != nil {
		return Entrant{}, err
	}
	return entrant(strings.ToLower(name)), nil
}

func entrant(name string) Entrant {
	last := families[len(families)-1]
	for _, f := range families {
		for _, m := range f.methods {
			if m == name {
				last = f
			}
		}
	}
	return Entrant{Name: name, Family: last.name, Low: last.low, High: span * last.low}
}

// New makes the optimizer with a learning rate.
func (e Entrant) New(rate float64) optim.Transform {
	t, err := optim.ByName(e.Name, rate)
	if err != nil {
		return invalid{optim.Chain{}, err}
	}
	return t
}

// invalid is what an Entrant that is none makes: every host refuses it.
type invalid struct {
	optim.Transform
	err error
}

// Validate implements optim.Transform.
func (i invalid) Validate() error { return i.err }
