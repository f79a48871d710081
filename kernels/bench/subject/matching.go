package main

import (
	"context"
	"math"
	"slices"

	"github.com/gomlx/compute"

	"github.com/hindsight-go/hindsight/lib/matching"
)

func init() { subjects["matching"] = balance }

// balance is Stochastic Balance on a sparse graph, with coins that are given: an attempt succeeds where its arrival's coin is
// below the edge's probability.
func balance(context.Context, compute.Backend, string) (subject, error) {
	const offline, arrivals, degree = 1000, 100_000, 20
	ends, chances, coins := numbers(1, arrivals*degree, 0, offline), numbers(2, arrivals*degree, 0, 0.02), numbers(3, arrivals, 0, 1)
	graph := make([][]matching.Edge, arrivals)
	for v := range graph {
		for k := v * degree; k < (v+1)*degree; k++ {
			graph[v] = append(graph[v], matching.Edge{U: int(ends[k]), P: math.Max(1e-6, float64(chances[k]))})
		}
		slices.SortStableFunc(graph[v], func(a, b matching.Edge) int { return a.U - b.U })
		graph[v] = slices.CompactFunc(graph[v], func(a, b matching.Edge) bool { return a.U == b.U })
	}
	weights := make([]float64, offline)
	for u, w := range numbers(4, offline, 0.25, 2) {
		weights[u] = float64(w)
	}
	run := func(ctx context.Context) (reward float64, m *matching.Matcher, err error) {
		if m, err = matching.NewMatcher(weights, matching.StochasticBalance(nil), 0); err != nil {
			return 0, nil, err
		}
		for v, edges := range graph {
			if v%4096 == 0 && ctx.Err() != nil {
				return 0, nil, ctx.Err()
			}
			u, err := m.Act(edges)
			if err != nil {
				return 0, nil, err
			}
			success := false
			if u >= 0 {
				at, _ := slices.BinarySearchFunc(edges, u, func(e matching.Edge, u int) int { return e.U - u })
				if success = float64(coins[v]) < edges[at].P; success {
					reward += weights[u]
				}
			}
			if err := m.Learn(success); err != nil {
				return 0, nil, err
			}
		}
		return reward, m, nil
	}
	reward, m, err := run(context.Background())
	if err != nil {
		return subject{}, err
	}
	s := subject{check: []float64{reward}, sample: func(ctx context.Context) (int, error) {
		_, _, err := run(ctx)
		return arrivals, err
	}}
	for u := range 10 {
		s.check = append(s.check, m.Load(u))
	}
	return s, nil
}
