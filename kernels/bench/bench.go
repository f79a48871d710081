// Package bench measures us against our peers: the same work on both sides, in one
// run on one machine, as a ratio.
//
// A side is a process that prepares its work once and then does a sample of it when
// asked (see kernels/bench/subject for the protocol). The sides take turns, so that
// what else the machine does meets both, and before that each says what it computed
// on a short run: where they disagree nothing is measured.
//
// To add a benchmark, write our side (a file in kernels/bench/subject), the peer's
// (one in kernels/python/bench) and a line in [All].
package bench

import (
	"fmt"
	"slices"
	"strings"
)

// Peer is who a benchmark compares with.
type Peer int

// The peers.
const (
	Nobody    Peer = iota // the figure itself has a target, in seconds
	JAX                   // with optax, on the processor
	Torch                 // PyTorch, on the processor
	Ourselves             // other work of ours: what one thing costs beside another
	Scaling               // the same work of ours at other sizes: the order of its cost
	NumPy                 // a loop in Python over NumPy's arrays, in JAX's environment
)

func (p Peer) String() string {
	return [...]string{"", "JAX", "PyTorch", "our own", "our own", "NumPy"}[p]
}

// Benchmark is one figure.
type Benchmark struct {
	Name string // lower case, dashes
	What string // one line
	Unit string // of work that a figure is the time of: "step"
	Peer Peer
	// Subject is our side: the arguments of kernels/bench/subject.
	Subject string
	// Script is the peer's side: a file of kernels/python/bench and its arguments. Of
	// Nobody it is what is measured in the place of a Subject, run by the notebooks' own
	// Python; of Ourselves it is the arguments of kernels/bench/subject again, and of
	// Scaling it is empty.
	Script string
	// Target is the largest ratio of our time to the peer's, or of Nobody the largest
	// number of seconds; 0: none is set. Of Scaling it is the slope of time over size
	// on logarithmic axes, which may be off by [Band].
	Target float64
	// Sizes of Scaling, at least two: a side each, in the place of %d in Subject.
	Sizes []int
}

// Band is how far the slope of a benchmark of [Scaling] may be from its target.
const Band = 0.15

// All lists the benchmarks.
func All() []Benchmark {
	all := []Benchmark{
		{"scan-quadratic", "100,000 steps of gradient descent in 10 dimensions, one executable, against lax.scan", "run", JAX, "quadratic", "quadratic_jax.py", 1.5, nil},
		{"mlp-step", "MLP 784-256-128-10, batch 128, Adam: a call a step, against jit per step", "step", JAX, "mlp step", "training_jax.py mlp step", 1.1, nil},
		{"mlp-fused", "the same in one executable, against lax.scan", "step", JAX, "mlp fused", "training_jax.py mlp fused", 1.15, nil},
		{"mlp-torch", "the same a call a step, against eager PyTorch with its fused Adam", "step", Torch, "mlp step", "training_torch.py", 1, nil},
		{"cnn-step", "CNN 3×3 8–16, batch 64, Adam: a call a step, against jit per step", "step", JAX, "cnn step", "training_jax.py cnn step", 1.1, nil},
		{"adam-10M-torch", "an Adam update of a transformer's 10 M parameters, against PyTorch's fused Adam", "update", Torch, "update adam step", "update_torch.py adam", 1, nil},
		{"adam-10M-step", "the same against optax, a call an update on both sides", "update", JAX, "update adam step", "update_jax.py adam step", 1.05, nil},
		{"mfac-setup", "M-FAC's inverse of 64 gradients of 1 M entries (a sample with 256 would take a minute), against the recursion in JAX", "set-up", JAX, "mfac setup 64", "mfac_jax.py setup 64", 1, nil},
		{"mfac-product", "an inverse-Hessian vector product with 256 gradients of 1 M entries, likewise; takes 4 GB of memory", "product", JAX, "mfac product 256", "mfac_jax.py product 256", 1, nil},
		{"mfac-slope-d", "order of a step of M-FAC in the dimension, over a decade up to 3 M, with 64 gradients: the window is larger than a core's cache; takes 4 GB of memory", "step", Scaling, "mfac-step 64 %d", "", 1, []int{300_000, 646_000, 1_390_000, 3_000_000}},
		{"mfac-slope-m", "order of a step of M-FAC in the number of gradients, over a decade up to 256, in 1 M dimensions, so that d·m is most of it; takes 5 GB of memory", "step", Scaling, "mfac-step %d 1000000", "", 1, []int{26, 55, 119, 256}},
		{"neucb-round", "a round of NeuSquareCB's regression on digits, 10 arms, 41,664 weights, 8 signs: a call that predicts and one that updates, against jit of both", "round", JAX, "neucb round", "neucb_jax.py round", 1, nil},
		{"neucb-fused", "a round of five games of it side by side, all rounds in one executable, against lax.scan", "round", JAX, "neucb fused", "neucb_jax.py fused", 1, nil},
		{"saf-step", "a step of SAF on the MLP 784-128-64-10, batch 128, against one of plain SGD", "step", Ourselves, "sharpness saf", "sharpness sgd", 1.25, nil},
		{"mesa-step", "the same of MESA", "step", Ourselves, "sharpness mesa", "sharpness sgd", 1.5, nil},
		{"sam-step", "the same of SAM", "step", Ourselves, "sharpness sam", "sharpness sgd", 2.2, nil},
		{"lightsb-step", "LightSB, 50 components in 16 dimensions, batch 128, Adam, all in one executable, against the same loss in lax.scan", "step", JAX, "lightsb", "lightsb_jax.py", 1, nil},
		{"lanczos", "60 steps of Lanczos with full reorthogonalization and the Hessian of an MLP of 1 M parameters on 1,024 examples, against 60 bare Hessian products; takes 1 GB of memory", "run", Ourselves, "hessian lanczos", "hessian products", 1.2, nil},
		{"phases", "a phase diagram of perceptrons, 16 × 16 cells of 5 seeds, 512 points in 32 dimensions, SGD until all are fitted", "diagram", Nobody, "phases 512", "", 10, nil},
		{"phases-loop", "the same with 128 points, against a jitted while_loop a run in a loop over the grid", "diagram", JAX, "phases 128", "phases_jax.py 128", 0.2, nil},
		{"matching-balance", "Stochastic Balance, 100,000 arrivals of 20 edges each to 1,000 offline vertices, by the learner's Act and Learn, against a loop over NumPy's arrays", "arrival", NumPy, "matching", "matching_numpy.py", 0.05, nil},
		{"descent", "100,000 rounds of optimistic mirror descent in 10 dimensions, 20 runs in one executable, against lax.scan under vmap", "game", JAX, "descent", "descent_jax.py", 1.5, nil},
		{"descent-round", "a round of the same by itself in plain Go, which does not allocate", "round", Nobody, "descent-round", "", 5e-6, nil},
		{"cell-first", "a new kernel's first cell with lib and XLA imported, build cache warm", "cell", Nobody, "", "cell.py go-xla-cpu first", 1.5, nil},
		{"cell-later", "a later, never compiled cell of that kernel", "cell", Nobody, "", "cell.py go-xla-cpu later", 1, nil},
	}
	for _, name := range updates {
		all = append(all, Benchmark{
			Name: name + "-10M", What: "a " + name + " update of a transformer's 10 M parameters, all in one executable, against optax in lax.scan", Unit: "update",
			Peer: JAX, Subject: "update " + name + " fused", Script: "update_jax.py " + name + " fused", Target: 1.05,
		})
	}
	for _, name := range torchUpdates {
		all = append(all, Benchmark{
			Name: name + "-10M-torch", What: "a " + name + " update of a transformer's 10 M parameters, a call each, against pytorch-optimizer", Unit: "update",
			Peer: Torch, Subject: "update " + name + "-torch step", Script: "update_torch.py " + name, Target: 1,
		})
	}
	return all
}

// torchUpdates are the optimizers that pytorch-optimizer has too, to the same numbers.
var torchUpdates = []string{"diffgrad", "lion", "signsgd", "sgd-sai"}

// updates are the optimizers that optax has too, by our registry's names.
var updates = []string{
	"sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "rmsprop-centered", "adam", "amsgrad", "adamw", "nadam",
	"radam", "lion", "signsgd", "adafactor", "muon",
}

// Choose returns the benchmarks of these names in the order of [All]; without names all.
func Choose(names []string) ([]Benchmark, error) {
	all := All()
	var known []string
	for _, b := range all {
		known = append(known, b.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("bench: %q is unknown; there are %s", name, strings.Join(known, ", "))
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(b Benchmark) bool { return !slices.Contains(names, b.Name) }), nil
}
