package optim

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// Chain applies its parts from left to right: gradients go in, the step that is added to the parameters comes out. So
//
//	Chain{ClipByGlobalNorm{MaxNorm: 1}, ScaleByAdam{}, AddDecayedWeights{Decay: 0.01}, ScaleByLearningRate{Rate: 1e-3}}
//
// is AdamW with clipped gradients: the decay is added to Adam's direction, and the learning rate scales both. With
// AddDecayedWeights in front of ScaleByAdam it would be Adam with L2 regularization.
type Chain []Transform

// Init implements Transform. State names carry the part's place: "1.m/dense/weights".
func (c Chain) Init(params []Param) State {
	var out State
	for i, part := range c {
		for _, v := range part.Init(params) {
			out = append(out, Var{fmt.Sprintf("%d.%s", i, v.Name), v.Value})
		}
	}
	return out
}

// Update implements Transform.
func (c Chain) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	var out State
	for i, part := range c {
		prefix := fmt.Sprintf("%d.", i)
		n := 0
		for n < len(state) && strings.HasPrefix(state[n].Name, prefix) {
			n++
		}
		own := make(State, n)
		for k, v := range state[:n] {
			own[k] = Var{strings.TrimPrefix(v.Name, prefix), v.Value}
		}
		state = state[n:]
		updates, own = part.Update(s, updates, own)
		for _, v := range own {
			out = append(out, Var{prefix + v.Name, v.Value})
		}
	}
	return updates, out
}

// Validate implements Transform.
func (c Chain) Validate() error {
	if len(c) == 0 {
		return errors.New("optim: Chain: it is empty, must hold at least one part")
	}
	var errs []error
	for i, part := range c {
		if part == nil {
			errs = append(errs, fmt.Errorf("optim: Chain: part %d is nil", i))
			continue
		}
		errs = append(errs, part.Validate())
	}
	return errors.Join(errs...)
}

// stateless is embedded by transformations that remember nothing.
type stateless struct{}

// Init implements Transform.
func (stateless) Init([]Param) State { return nil }
