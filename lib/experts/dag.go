package experts

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"
)

// Oracle minimizes a sum of weights over the ways there are. It is what [FollowPerturbedLeader] knows of its decisions.
type Oracle interface {
	// Edges is the number of weights.
	Edges() int
	// Best returns the edges of a way with the least sum of weights, appended to way[:0]. Weights may be negative. Of
	// equal ways it always returns the same.
	Best(weights []float64, way []int) []int
}

var _ Oracle = (*ShortestPath)(nil)

// Edge goes from one vertex to another.
type Edge struct{ From, To int }

// DAG is a directed graph without cycles, whose paths lead from vertex 0 to the last vertex. Edges are known by their place
// in the list. It never changes.
type DAG struct {
	vertices int
	edges    []Edge
	out      [][]int // edges that leave a vertex
	order    []int   // vertices, sources first
	longest  int
}

// NewDAG checks that vertices exist, that there is no cycle, and that a path leads from vertex 0 to the last. Several edges
// may join the same vertices.
func NewDAG(vertices int, edges []Edge) (*DAG, error) {
	if vertices < 2 {
		return nil, fmt.Errorf("experts: NewDAG: vertices is %d, must be at least 2", vertices)
	}
	g := &DAG{vertices: vertices, edges: append([]Edge(nil), edges...), out: make([][]int, vertices)}
	directed := simple.NewDirectedGraph()
	for v := range vertices {
		directed.AddNode(simple.Node(v))
	}
	for e, edge := range edges {
		if edge.From < 0 || edge.From >= vertices || edge.To < 0 || edge.To >= vertices || edge.From == edge.To {
			return nil, fmt.Errorf("experts: NewDAG: edge %d is %v, must join two different vertices between 0 and %d", e, edge, vertices-1)
		}
		g.out[edge.From] = append(g.out[edge.From], e)
		directed.SetEdge(directed.NewEdge(simple.Node(edge.From), simple.Node(edge.To)))
	}
	sorted, err := topo.SortStabilized(directed, nil)
	if err != nil {
		return nil, fmt.Errorf("experts: NewDAG: edges has a cycle: %w", err)
	}
	for _, n := range sorted {
		g.order = append(g.order, int(n.ID()))
	}
	unit := make([]float64, len(edges))
	for e := range unit {
		unit[e] = -1
	}
	path := g.ShortestPath().Best(unit, nil)
	if len(path) == 0 {
		return nil, fmt.Errorf("experts: NewDAG: no path leads from vertex 0 to vertex %d", vertices-1)
	}
	g.longest = len(path)
	return g, nil
}

// Grid is the square grid of n×n vertices with edges to the right and down: 2n(n−1) edges, and C(2n−2, n−1) paths of 2n−2
// edges from corner to corner.
func Grid(n int) (*DAG, error) {
	if n < 2 {
		return nil, fmt.Errorf("experts: Grid: n is %d, must be at least 2", n)
	}
	var edges []Edge
	for row := range n {
		for column := range n {
			v := row*n + column
			if column+1 < n {
				edges = append(edges, Edge{v, v + 1})
			}
			if row+1 < n {
				edges = append(edges, Edge{v, v + n})
			}
		}
	}
	return NewDAG(n*n, edges)
}

// Edges is the number of edges.
func (g *DAG) Edges() int { return len(g.edges) }

// Edge is edge e, as it was given.
func (g *DAG) Edge(e int) Edge { return g.edges[e] }

// Longest is the number of edges of the longest path.
func (g *DAG) Longest() int { return g.longest }

// ShortestPath is an [Oracle] with room of its own; each goroutine needs one.
func (g *DAG) ShortestPath() *ShortestPath {
	return &ShortestPath{graph: g, distance: make([]float64, g.vertices), by: make([]int, g.vertices)}
}

// ShortestPath finds a [DAG]'s paths of least weight, by dynamic programming along the topological order.
type ShortestPath struct {
	graph    *DAG
	distance []float64
	by       []int // the edge by which a vertex's shortest path comes
}

// Edges is the number of edges.
func (s *ShortestPath) Edges() int { return s.graph.Edges() }

// Best is the path with the least sum of weights, one weight an edge, as edges from first to last. Of equal paths it takes,
// from the end backwards, the edge that stands first.
func (s *ShortestPath) Best(weights []float64, way []int) []int {
	for v := range s.distance {
		s.distance[v], s.by[v] = math.Inf(1), -1
	}
	s.distance[0] = 0
	for _, v := range s.graph.order {
		for _, e := range s.graph.out[v] {
			to := s.graph.edges[e].To
			if d := s.distance[v] + weights[e]; d < s.distance[to] || (d == s.distance[to] && e < s.by[to]) {
				s.distance[to], s.by[to] = d, e
			}
		}
	}
	way = way[:0]
	for v := s.graph.vertices - 1; v != 0 && s.by[v] >= 0; v = s.graph.edges[s.by[v]].From {
		way = append(way, s.by[v])
	}
	slices.Reverse(way)
	return way
}

// AllPaths lists the paths, up to limit of them; more are an error.
func (g *DAG) AllPaths(limit int) ([][]int, error) {
	var paths [][]int
	errMany := errors.New("too many")
	var walk func(v int, path []int) error
	walk = func(v int, path []int) error {
		if v == g.vertices-1 {
			if len(paths) == limit {
				return errMany
			}
			paths = append(paths, append([]int(nil), path...))
			return nil
		}
		for _, e := range g.out[v] {
			if err := walk(g.edges[e].To, append(path, e)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(0, nil); err != nil {
		return nil, fmt.Errorf("experts: AllPaths: there are more paths than limit, %d", limit)
	}
	return paths, nil
}

// PathLoss is the sum of the losses along a path over longest, that of the longest path, so that losses in [0, 1] give one
// in [0, 1]. It is NaN where an edge has no loss.
func PathLoss(path []int, losses []float64, longest int) float64 {
	var sum float64
	for _, e := range path {
		if e < 0 || e >= len(losses) {
			return math.NaN()
		}
		sum += losses[e]
	}
	return sum / float64(longest)
}
