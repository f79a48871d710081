package experts

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/online/onlinetest"
	"gonum.org/v1/gonum/graph/path"
	"gonum.org/v1/gonum/graph/simple"
)

func grid(t testing.TB, n int) *DAG {
	t.Helper()
	g, err := Grid(n)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGrid(t *testing.T) {
	for n, want := range map[int][3]int{2: {4, 2, 2}, 3: {12, 6, 4}, 4: {24, 20, 6}, 5: {40, 70, 8}} {
		g := grid(t, n)
		paths, err := g.AllPaths(70)
		if err != nil {
			t.Fatal(err)
		}
		if g.Edges() != want[0] || len(paths) != want[1] || g.Longest() != want[2] {
			t.Errorf("%d: %d edges, %d paths of %d, want %v", n, g.Edges(), len(paths), g.Longest(), want)
		}
		for _, p := range paths {
			at := 0
			for _, e := range p {
				if g.Edge(e).From != at {
					t.Fatalf("%d: path %v does not hang together", n, p)
				}
				at = g.Edge(e).To
			}
			if at != n*n-1 {
				t.Errorf("%d: path %v ends at %d", n, p, at)
			}
		}
	}
	if _, err := grid(t, 4).AllPaths(19); err == nil {
		t.Error("20 paths are fewer than 20")
	}
}

// Against all paths, and against gonum's Bellman and Ford, with weights of both signs.
func TestShortestPath(t *testing.T) {
	rng := online.Seeded(1, "weights")
	for range 50 {
		const vertices = 8
		var edges []Edge
		g := simple.NewWeightedDirectedGraph(0, math.Inf(1))
		var weights []float64
		for from := range vertices {
			for to := from + 1; to < vertices; to++ {
				if to == from+1 || rng.Float64() < 0.5 {
					edges, weights = append(edges, Edge{from, to}), append(weights, rng.NormFloat64())
					g.SetWeightedEdge(g.NewWeightedEdge(simple.Node(from), simple.Node(to), weights[len(weights)-1]))
				}
			}
		}
		dag, err := NewDAG(vertices, edges)
		if err != nil {
			t.Fatal(err)
		}
		sum := func(way []int) (s float64) {
			for _, e := range way {
				s += weights[e]
			}
			return s
		}
		got := sum(dag.ShortestPath().Best(weights, nil))
		all, err := dag.AllPaths(1 << vertices)
		if err != nil {
			t.Fatal(err)
		}
		want := math.Inf(1)
		for _, p := range all {
			want = math.Min(want, sum(p))
		}
		near(t, "the least sum", got, want, 1e-12)
		tree, ok := path.BellmanFordFrom(simple.Node(0), g)
		if !ok {
			t.Fatal("a cycle")
		}
		near(t, "the least sum", got, tree.WeightTo(vertices-1), 1e-12)
	}
}

func TestTies(t *testing.T) {
	s := grid(t, 3).ShortestPath()
	first := slices.Clone(s.Best(make([]float64, 12), nil))
	if got := s.Best(make([]float64, 12), make([]int, 0, 9)); !slices.Equal(got, first) || len(got) != 4 {
		t.Errorf("%v and %v", first, got)
	}
}

func TestDAGBadArguments(t *testing.T) {
	for want, err := range map[string]error{
		"vertices is 1":             second(NewDAG(1, nil)),
		"edge 0 is {0 2}":           second(NewDAG(2, []Edge{{0, 2}})),
		"edge 1 is {1 1}":           second(NewDAG(2, []Edge{{0, 1}, {1, 1}})),
		"cycle":                     second(NewDAG(3, []Edge{{0, 1}, {1, 0}, {1, 2}})),
		"no path leads":             second(NewDAG(3, []Edge{{0, 1}})),
		"n is 1":                    second(Grid(1)),
		"oracle must have":          second(NewFollowPerturbedLeader(nil, PerturbedOptions{})),
		"Scale is -1":               second(NewFollowPerturbedLeader(grid(t, 2).ShortestPath(), PerturbedOptions{Scale: -1})),
		"Scale is NaN":              second(NewGroupwisePaths(grid(t, 2), 2, PerturbedOptions{Scale: math.NaN()}, GroupwiseOptions[[]int]{})),
		"experts is empty":          second(NewGroupwisePaths(grid(t, 2), 0, PerturbedOptions{}, GroupwiseOptions[[]int]{})),
		"more paths than limit, 1":  second(EnumeratePaths(grid(t, 2), 1, 1)),
		"groups is 0":               second(EnumeratePaths(grid(t, 2), 0, 9)),
		"hypotheses is empty":       second(NewEnumeration[int, int, int](1, nil, func(int, int) float64 { return 0 }, 1)),
		"hypothesis 0 is nil":       second(NewEnumeration(1, make([]func(int) int, 1), func(int, int) float64 { return 0 }, 1)),
		"loss is nil":               second(NewEnumeration[int, int, int](1, []func(int) int{func(int) int { return 0 }}, nil, 1)),
		"graph is nil":              second(NewPaths(nil, PathsOptions{}, 1)),
		"A: the probabilities add":  second(NewPaths(grid(t, 2), PathsOptions{A: []float64{.5}}, 1)),
		"B: probability 0 is NaN":   second(NewPaths(grid(t, 2), PathsOptions{B: []float64{math.NaN()}}, 1)),
		"Noise is -2":               second(NewPaths(grid(t, 2), PathsOptions{Noise: -2}, 1)),
		"A: the probabilities add ": second(NewPaths(grid(t, 2), PathsOptions{A: []float64{}}, 1)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that holds %q", err, want)
		}
	}
}

type (
	pathGame    = online.Environment[Context[online.None], Mixture[[]int], []float64]
	pathLearner = online.Learner[Context[online.None], Mixture[[]int], []float64]
)

func TestPathLearnersRules(t *testing.T) {
	graph := grid(t, 3)
	feedback := func(change func([]float64) []float64) []float64 { return change(slices.Repeat([]float64{.5}, 12)) }
	set := func(v float64) []float64 {
		return feedback(func(x []float64) []float64 { x[7] = v; return x })
	}
	bad := map[string][]float64{"nil": nil, "short": make([]float64, 11), "long": make([]float64, 13), "NaN": set(math.NaN()), "negative": set(-.1), "above the range": set(1.5)}
	copied := func(m Mixture[[]int]) Mixture[[]int] {
		out := Mixture[[]int]{Weights: slices.Clone(m.Weights)}
		for _, a := range m.Actions {
			out.Actions = append(out.Actions, slices.Clone(a))
		}
		return out
	}
	for name, play := range map[string]Play{"expected": Expected, "sampled": Sampled} {
		t.Run(name, func(t *testing.T) {
			onlinetest.Run(t, onlinetest.Case[Context[online.None], Mixture[[]int], []float64]{
				New: func(seed uint64) (pathLearner, error) {
					return NewGroupwisePaths(graph, 6, PerturbedOptions{Seed: seed}, GroupwiseOptions[[]int]{Play: play, Seed: seed})
				},
				Environment: func(seed uint64) (pathGame, error) { return NewPaths(graph, PathsOptions{}, seed) },
				BadContexts: map[string]Context[online.None]{"no groups": {}, "too many": {Active: make([]bool, 7)}},
				BadFeedback: bad, Copy: copied,
			})
		})
	}
	t.Run("enumeration", func(t *testing.T) {
		onlinetest.Run(t, onlinetest.Case[Context[online.None], Mixture[[]int], []float64]{
			New:         func(uint64) (pathLearner, error) { return EnumeratePaths(graph, 6, 6) },
			Environment: func(seed uint64) (pathGame, error) { return NewPaths(graph, PathsOptions{}, seed) },
			BadContexts: map[string]Context[online.None]{"no groups": {}, "too many": {Active: make([]bool, 7)}},
			BadFeedback: map[string][]float64{"nil": nil, "NaN": slices.Repeat([]float64{math.NaN()}, 12), "above the range": slices.Repeat([]float64{1.5}, 12)},
			Copy:        copied,
		})
	})
	t.Run("perturbed leader", func(t *testing.T) {
		onlinetest.Run(t, onlinetest.Case[online.None, []int, []float64]{
			New: func(seed uint64) (online.Learner[online.None, []int, []float64], error) {
				return NewFollowPerturbedLeader(graph.ShortestPath(), PerturbedOptions{Seed: seed})
			},
			Environment: func(seed uint64) (online.Environment[online.None, []int, []float64], error) {
				env, err := NewPaths(graph, PathsOptions{}, seed)
				return bare{env}, err
			},
			BadFeedback: bad, Copy: slices.Clone[[]int],
		})
	})
}

// bare hides the groups.
type bare struct{ *Paths }

func (b bare) Context(round int) (online.None, error) {
	_, err := b.Paths.Context(round)
	return online.None{}, err
}

func (b bare) Reveal(round int, way []int) ([]float64, float64, error) {
	return b.Paths.Reveal(round, Mixture[[]int]{[][]int{way}, certain})
}

// With one hypothesis a pair per group is the group, and with one group the enumeration is the hedge over hypotheses.
func TestEnumerationIsTheHedge(t *testing.T) {
	graph := grid(t, 3)
	e, err := EnumeratePaths(graph, 1, 6)
	if err != nil {
		t.Fatal(err)
	}
	h := hedge(t, 6, HedgeOptions{})
	env, err := NewPaths(graph, PathsOptions{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	paths, _ := graph.AllPaths(6)
	awake, own := slices.Repeat([]bool{true}, 6), make([]float64, 6)
	for round := 1; round <= 100; round++ {
		if _, err := env.Context(round); err != nil {
			t.Fatal(err)
		}
		m, err := e.Act(Context[online.None]{Active: []bool{true}})
		if err != nil {
			t.Fatal(err)
		}
		p, _ := h.Act(awake)
		if !slices.Equal(m.Weights, p) {
			t.Fatalf("round %d: weights are %v and %v", round, m.Weights, p)
		}
		losses, _, _ := env.Reveal(round, m)
		for i, way := range paths {
			own[i] = PathLoss(way, losses, 4)
		}
		if err1, err2 := e.Learn(losses), h.Learn(own); err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
	}
}

func TestEnumerationOfNoGroup(t *testing.T) {
	e, err := EnumeratePaths(grid(t, 2), 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Act(Context[online.None]{Active: []bool{false, false}})
	if err != nil || len(m.Actions) != 0 {
		t.Errorf("%v, %v", m, err)
	}
	if err := e.Learn(nil); err != nil {
		t.Error(err)
	}
	for i := range e.Experts() {
		if e.Hedge().Absolute(i) != 0 {
			t.Error("nobody was awake, and something was learned")
		}
	}
}

// A leader whose noise is small beside a clear difference follows the leader.
func TestPerturbedLeaderFollows(t *testing.T) {
	l, err := NewFollowPerturbedLeader(grid(t, 2).ShortestPath(), PerturbedOptions{Scale: 1e-6, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Learn(make([]float64, 4)); err == nil {
		t.Error("Learn without Act")
	}
	for range 5 {
		way, err := l.Act(online.None{})
		if err != nil {
			t.Fatal(err)
		}
		again, _ := l.Act(online.None{})
		if !slices.Equal(way, again) {
			t.Error("an Act that is repeated sees other noise")
		}
		if err := l.Learn([]float64{1, 0, 1, 0}); err != nil {
			t.Fatal(err)
		}
	}
	// Edges 0 to the right, 1 down, 2 from the right one down, 3 from the lower one to the right.
	if way, _ := l.Act(online.None{}); !slices.Equal(way, []int{1, 3}) {
		t.Errorf("follows %v", way)
	}
}

func TestPathsRounds(t *testing.T) {
	env, err := NewPaths(grid(t, 2), PathsOptions{Noise: Quiet}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := env.Reveal(0, Mixture[[]int]{}); err == nil {
		t.Error("round 0 is revealed")
	}
	for _, round := range []int{0, 2} {
		if _, err := env.Context(round); err == nil {
			t.Errorf("the game begins with round %d", round)
		}
	}
	a, _ := env.Context(1)
	b, err := env.Context(1)
	if err != nil || !slices.Equal(a.Active, b.Active) {
		t.Errorf("%v and %v, %v", a, b, err)
	}
	if _, loss, err := env.Reveal(1, Mixture[[]int]{}); err != nil || loss != 0 {
		t.Errorf("no path costs %g, %v", loss, err)
	}
	if !math.IsNaN(PathLoss([]int{4}, make([]float64, 4), 2)) || !math.IsNaN(PathLoss([]int{-1}, nil, 2)) {
		t.Error("an edge that is not there has a loss")
	}
}

func TestPathsAllocateNothing(t *testing.T) {
	graph := grid(t, 4)
	learners, _, err := PathLearners(graph, 6, 1)
	if err != nil {
		t.Fatal(err)
	}
	losses := make([]float64, graph.Edges())
	c := Context[online.None]{Active: []bool{true, false, false, true, false, true}}
	for i, l := range learners {
		if n := testing.AllocsPerRun(200, func() {
			if _, err := l.Act(c); err != nil {
				t.Fatal(err)
			}
			if err := l.Learn(losses); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("learner %d: %g allocations a round", i, n)
		}
	}
}

func TestDraw(t *testing.T) {
	m := Mixture[string]{[]string{"a", "b", "c"}, []float64{.25, .5, .25}}
	for u, want := range map[float64]string{0: "a", .24: "a", .25: "b", .74: "b", .76: "c", 1: "c"} {
		if got, ok := m.Draw(u); got != want || !ok {
			t.Errorf("%g draws %q", u, got)
		}
	}
	if _, ok := (Mixture[string]{}).Draw(0); ok {
		t.Error("something is drawn of nothing")
	}
}

// Sampled actions have the frequencies of the distribution: 4000 draws of p = 1/2 leave ±5.5 deviations with a chance
// below 1e-7.
func TestSampledFrequency(t *testing.T) {
	fixed := func(v float64) online.Learner[online.None, float64, float64] { return constant(v) }
	g, err := NewGroupwise([]online.Learner[online.None, float64, float64]{fixed(0), fixed(1)}, func(float64, float64) float64 { return 0 }, GroupwiseOptions[float64]{Play: Sampled, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	var ones float64
	for range 4000 {
		m, err := g.Act(Context[online.None]{Active: []bool{true, true}})
		if err != nil {
			t.Fatal(err)
		}
		ones += m.Actions[0]
		if err := g.Learn(0); err != nil {
			t.Fatal(err)
		}
	}
	near(t, "draws of 1", ones, 2000, 5.5*math.Sqrt(1000))
}

type constant float64

func (c constant) Act(online.None) (float64, error) { return float64(c), nil }
func (constant) Learn(float64) error                { return nil }
