package optim

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// Mask chooses parameters by path and shape. It must not look at values.
type Mask func(p Param) bool

// Matrices chooses the parameters of two axes.
func Matrices(p Param) bool { return p.Shape().Rank() == 2 }

// ByPath chooses the parameters whose path matches one of the patterns of package path, each for the whole path or for
// its last elements: "*/biases", "block_0/*", "weights".
func ByPath(patterns ...string) Mask {
	return func(p Param) bool {
		for _, pattern := range patterns {
			elements := strings.Split(p.Path, "/")
			last := min(strings.Count(pattern, "/")+1, len(elements))
			if ok, _ := path.Match(pattern, strings.Join(elements[len(elements)-last:], "/")); ok {
				return true
			}
			if ok, _ := path.Match(pattern, p.Path); ok {
				return true
			}
		}
		return false
	}
}

// Not chooses what a mask leaves.
func Not(m Mask) Mask { return func(p Param) bool { return !m(p) } }

// Group is one part of a [Partition].
type Group struct {
	Name      string    // appears in state names; must be unique
	Where     Mask      // nil: all parameters that no group before took
	Transform Transform // what these parameters get
}

// Partition gives different parameters different transformations: each parameter goes to the first group that wants it.
// A transformation sees its own parameters only, so a global norm in it is taken over them alone.
//
// It is an error that no group wants a parameter, or that a group gets none: the message lists the paths.
type Partition []Group

var _ Transform = Partition{}

// assign says which group each parameter goes to; it panics where the partition does not fit.
func (p Partition) assign(params []Param) []int {
	out := make([]int, len(params))
	taken := make([]int, len(p))
	var errs []error
	for i, param := range params {
		out[i] = -1
		for k, group := range p {
			if group.Where == nil || group.Where(param) {
				out[i] = k
				taken[k]++
				break
			}
		}
		if out[i] < 0 {
			errs = append(errs, fmt.Errorf("optim: Partition: no group wants parameter %q; end with a group without Where", param.Path))
		}
	}
	for k, n := range taken {
		if n == 0 {
			errs = append(errs, fmt.Errorf("optim: Partition: group %q matches no parameter; there are %s", p[k].Name, strings.Join(paths(params), ", ")))
		}
	}
	if err := errors.Join(errs...); err != nil {
		panic(err)
	}
	return out
}

func chosen[T any](all []T, groups []int, k int) []T {
	var out []T
	for i, g := range groups {
		if g == k {
			out = append(out, all[i])
		}
	}
	return out
}

// Init implements Transform. State names carry the group's name: "matrices.m/dense/weights".
func (p Partition) Init(params []Param) State {
	groups := p.assign(params)
	var out State
	for k, group := range p {
		for _, v := range group.Transform.Init(chosen(params, groups, k)) {
			out = append(out, Var{group.Name + "." + v.Name, v.Value})
		}
	}
	return out
}

// Update implements Transform.
func (p Partition) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	groups := p.assign(s.Params)
	out := make([]*graph.Node, len(updates))
	var after State
	for k, group := range p {
		prefix := group.Name + "."
		var own State
		for len(state) > 0 && strings.HasPrefix(state[0].Name, prefix) {
			own = append(own, Var{strings.TrimPrefix(state[0].Name, prefix), state[0].Value})
			state = state[1:]
		}
		sub := *s
		sub.Params = chosen(s.Params, groups, k)
		if s.Again != nil {
			sub.Again = func(values []*graph.Node) *graph.Node {
				all := make([]*graph.Node, len(s.Params))
				next := 0
				for i, param := range s.Params {
					all[i] = param.Value
					if groups[i] == k {
						all[i] = values[next]
						next++
					}
				}
				return s.Again(all)
			}
		}
		result, own := group.Transform.Update(&sub, chosen(updates, groups, k), own)
		next := 0
		for i, g := range groups {
			if g == k {
				out[i] = result[next]
				next++
			}
		}
		for _, v := range own {
			after = append(after, Var{prefix + v.Name, v.Value})
		}
	}
	return out, after
}

// Validate implements Transform.
func (p Partition) Validate() error {
	var errs []error
	if len(p) == 0 {
		errs = append(errs, errors.New("optim: Partition: it is empty, must hold at least one group"))
	}
	seen := map[string]bool{}
	for i, group := range p {
		switch {
		case group.Name == "" || strings.ContainsAny(group.Name, "./"):
			errs = append(errs, fmt.Errorf("optim: Partition: Name of group %d is %q, must not be empty nor hold '.' or '/'", i, group.Name))
		case seen[group.Name]:
			errs = append(errs, fmt.Errorf("optim: Partition: two groups have the name %q", group.Name))
		}
		seen[group.Name] = true
		if group.Transform == nil {
			errs = append(errs, fmt.Errorf("optim: Partition: Transform of group %q is nil", group.Name))
			continue
		}
		errs = append(errs, group.Transform.Validate())
	}
	return errors.Join(errs...)
}

// Assignment lists which group each path goes to, one line a group; it needs no backend.
func (p Partition) Assignment(params []Param) (text string, err error) {
	err = safely("Partition", func() {
		groups := p.assign(params)
		var b strings.Builder
		for k, group := range p {
			fmt.Fprintf(&b, "%s: %s\n", group.Name, strings.Join(paths(chosen(params, groups, k)), " "))
		}
		text = b.String()
	})
	return text, err
}

// Keep passes updates on unchanged. In a [Partition] in front of a learning rate it leaves plain gradients to a group.
type Keep struct{ stateless }

// Update implements Transform.
func (Keep) Update(_ *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return updates, nil
}

// Validate implements Transform.
func (Keep) Validate() error { return nil }

// Freeze replaces updates by zero: its parameters stay as they are.
type Freeze struct{ stateless }

// Update implements Transform.
func (Freeze) Update(_ *Step, updates []*graph.Node, _ State) ([]*graph.Node, State) {
	return each(updates, func(_ int, u *graph.Node) *graph.Node { return graph.ZerosLike(u) }), nil
}

// Validate implements Transform.
func (Freeze) Validate() error { return nil }

// orOnly makes a partition forgiving: a group that gets no parameter is no error. It is for ready optimizers, which
// cannot know the model.
func (p Partition) orOnly() Transform { return forgiving{p} }

// forgiving is a Partition whose groups may stay empty.
type forgiving struct{ Partition }

func (f forgiving) used(params []Param) Partition {
	var out Partition
	left := params
	for _, group := range f.Partition {
		var rest []Param
		for _, p := range left {
			if group.Where != nil && !group.Where(p) {
				rest = append(rest, p)
			}
		}
		if len(rest) < len(left) {
			out = append(out, group)
		}
		left = rest
	}
	return out
}

// Init implements Transform.
func (f forgiving) Init(params []Param) State { return f.used(params).Init(params) }

// Update implements Transform.
func (f forgiving) Update(s *Step, updates []*graph.Node, state State) ([]*graph.Node, State) {
	return f.used(s.Params).Update(s, updates, state)
}
