package matching

import (
	"errors"
	"fmt"
	"slices"
)

// Edge joins an arrival to an offline vertex.
type Edge struct {
	U int     `json:"u"` // the offline vertex, from 0
	P float64 `json:"p"` // the probability that an attempt succeeds, in (0, 1]
}

// Instance is a bipartite graph whose online side arrives in order.
type Instance struct {
	// Weights of the offline vertices, one each and > 0: what a success earns.
	Weights []float64 `json:"weights"`
	// Arrivals are the online vertices' edges, offline vertices ascending. Arrivals that are alike may share a slice.
	Arrivals [][]Edge `json:"arrivals"`
}

// New makes an instance from a table of success probabilities, P[v][u] in [0, 1] for online vertex v and offline vertex u,
// where 0 is no edge. Without weights all are 1; without arrivals the weights must be there, for they say how many offline
// vertices there are.
func New(p [][]float64, weights []float64) (*Instance, error) {
	if weights == nil && len(p) > 0 {
		weights = slices.Repeat([]float64{1}, len(p[0]))
	}
	in := &Instance{Weights: slices.Clone(weights), Arrivals: make([][]Edge, len(p))}
	var problems []error
	for v, row := range p {
		if len(row) != len(weights) {
			problems = append(problems, fmt.Errorf("matching: New: P[%d] has %d probabilities, must have one an offline vertex, %d", v, len(row), len(weights)))
			continue
		}
		for u, x := range row {
			if !(x >= 0 && x <= 1) {
				problems = append(problems, fmt.Errorf("matching: New: P[%d][%d] is %g, must be in [0, 1]", v, u, x))
			} else if x > 0 {
				in.Arrivals[v] = append(in.Arrivals[v], Edge{u, x})
			}
		}
	}
	problems = append(problems, checkWeights("New", weights))
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return in, nil
}

// Validate reports what is wrong with an instance.
func (in *Instance) Validate() error { return in.validate("Instance") }

func (in *Instance) validate(who string) error {
	problems := []error{checkWeights(who, in.Weights)}
	var last []Edge
	for v, edges := range in.Arrivals {
		if len(edges) > 0 && len(edges) == len(last) && &edges[0] == &last[0] {
			continue // shared, and seen
		}
		last = edges
		if err := checkEdges(edges, len(in.Weights)); err != nil {
			problems = append(problems, fmt.Errorf("matching: %s: arrival %d: %w", who, v, err))
		}
	}
	return errors.Join(problems...)
}

func checkWeights(who string, weights []float64) error {
	if len(weights) == 0 {
		return fmt.Errorf("matching: %s: there are 0 offline vertices, must be at least 1", who)
	}
	var problems []error
	for u, w := range weights {
		if !(w > 0 && w <= maxWeight) {
			problems = append(problems, fmt.Errorf("matching: %s: weight %d is %g, must be > 0 and at most %g", who, u, w, maxWeight))
		}
	}
	return errors.Join(problems...)
}

// maxWeight keeps sums of rewards finite.
const maxWeight = 1e100

func checkEdges(edges []Edge, offline int) error {
	last := -1
	for i, e := range edges {
		if uint(e.U) < uint(offline) && e.U > last && e.P > 0 && e.P <= 1 {
			last = e.U
			continue
		}
		switch {
		case e.U < 0 || e.U >= offline:
			return fmt.Errorf("edge %d goes to offline vertex %d, must be in [0, %d]", i, e.U, offline-1)
		case e.U <= last:
			return fmt.Errorf("edge %d goes to offline vertex %d after %d, must ascend", i, e.U, last)
		}
		return fmt.Errorf("edge %d to offline vertex %d has probability %g, must be in (0, 1]", i, e.U, e.P)
	}
	return nil
}

// Equal is the success probability that all edges have in common; ok is false where there are two, or no edge.
func (in *Instance) Equal() (p float64, ok bool) {
	var last []Edge
	for _, edges := range in.Arrivals {
		if len(edges) > 0 && len(edges) == len(last) && &edges[0] == &last[0] {
			continue
		}
		last = edges
		for _, e := range edges {
			if ok && e.P != p {
				return 0, false
			}
			p, ok = e.P, true
		}
	}
	return p, ok
}

// WithWeights is the same graph with other weights.
func (in *Instance) WithWeights(weights []float64) (*Instance, error) {
	if len(weights) != len(in.Weights) {
		return nil, fmt.Errorf("matching: WithWeights: there are %d weights, must be one an offline vertex, %d", len(weights), len(in.Weights))
	}
	if err := checkWeights("WithWeights", weights); err != nil {
		return nil, err
	}
	return &Instance{Weights: slices.Clone(weights), Arrivals: in.Arrivals}, nil
}

// neighbour is an edge seen from its offline vertex.
type neighbour struct {
	v int
	p float64
}

// neighbours of every offline vertex, in the order of arrival.
func (in *Instance) neighbours() [][]neighbour {
	out := make([][]neighbour, len(in.Weights))
	for v, edges := range in.Arrivals {
		for _, e := range edges {
			out[e.U] = append(out[e.U], neighbour{v, e.P})
		}
	}
	return out
}
